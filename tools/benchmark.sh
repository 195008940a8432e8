#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A benchmark, in labs of its own that are gone afterwards: `benchmark.sh failover RUNS [FAULT]`, `benchmark.sh deploy
# RUNS`, `benchmark.sh soak MINUTES`.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

name=${1:-failover}
case "${name}" in
  failover)
    arguments=(--runs "${2:-5}")
    [ -z "${3:-}" ] || arguments+=(--fault "$3")
    ;;
  deploy) arguments=(--runs "${2:-5}") ;;
  soak) arguments=(--minutes "${2:-10}") ;;
  *) die "unknown benchmark '${name}'; say failover, deploy or soak" ;;
esac

tools/engine.sh start
tools/image.sh build
exec python "benchmarks/${name}/${name}.py" "${arguments[@]}"
