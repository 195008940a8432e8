#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The failover benchmark, in two labs of its own that are gone afterwards: `benchmark.sh RUNS [FAULT]`.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

arguments=(--runs "${1:-5}")
[ -z "${2:-}" ] || arguments+=(--fault "$2")

tools/engine.sh start
tools/image.sh build
exec python benchmarks/failover/run.py "${arguments[@]}"
