#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A benchmark, in labs of its own that are gone afterwards: `benchmark.sh failover RUNS [FAULT]`, `benchmark.sh deploy
# RUNS`, `benchmark.sh soak MINUTES`, `benchmark.sh drill [FAULTS]`, `benchmark.sh deadman`,
# `benchmark.sh switchover RUNS`, `benchmark.sh exclusive RUNS [SEED] [ARBITER]`; without a lab `benchmark.sh scale PAIRS
# [FORKS]`.
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
  drill) arguments=(--faults "${2:-}") ;;
  deadman) arguments=() ;;
  switchover) arguments=(--runs "${2:-20}") ;;
  exclusive) arguments=(--runs "${2:-50}" --seed "${3:-}" --arbiter "${4:-witness}") ;;
  scale)
    arguments=(--pairs "${2:-1,5,25,50}")
    [ -z "${3:-}" ] || arguments+=(--forks "$3")
    # Its nodes are programs on this machine: no engine, no image.
    exec python benchmarks/scale/scale.py "${arguments[@]}"
    ;;
  *) die "unknown benchmark '${name}'; say failover, deploy, soak, drill, deadman, switchover, exclusive or scale" ;;
esac
case "${name}" in
  drill | deadman | switchover) program=benchmarks/drill/${name}.py ;;
  *) program=benchmarks/${name}/${name}.py ;;
esac

tools/engine.sh start
tools/image.sh build
exec python "${program}" "${arguments[@]}"
