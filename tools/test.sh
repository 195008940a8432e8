#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything, in the order in which a mistake is found soonest; stops at the first failure. The last line counts.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
cd "${root}"

summary=()
passed=0
log=${cache}/test.log
mkdir -p "${cache}"
: >"${log}"

finish() {
  local failed=$1 line
  printf '\n== summary\n'
  for line in "${summary[@]}"; do
    printf '%s\n' "${line}"
  done
  # What a step left out, it has said in a line of its own; here they are together.
  grep -hE '^[a-z_]+: skipped: ' "${log}" || printf 'nothing was skipped\n'
  printf '%s passed, %s failed\n' "${passed}" "${failed}"
}

step() {
  local name=$1 started=${SECONDS} code=0
  shift
  printf '\n== %s\n' "${name}"
  "$@" 2>&1 | tee -a "${log}" || code=$?
  if [ "${code}" -eq 0 ]; then
    passed=$((passed + 1))
    summary+=("$(printf 'passed  %4d s  %s' "$((SECONDS - started))" "${name}")")
    return
  fi
  summary+=("$(printf 'FAILED  %4d s  %s' "$((SECONDS - started))" "${name}")")
  printf '\n%s: error: the step "%s" failed; the reason is above, and the rest was not run\n' "${script}" "${name}" >&2
  finish 1
  exit 1
}

trap 'exit 130' INT
step lint tools/lint.sh
step unit tools/unit.sh
step artifact tools/artifact.sh test
step sanity tools/sanity.sh
step 'labs side by side' tools/lab_test.sh
for scenario in $(find molecule -mindepth 2 -maxdepth 2 -name molecule.yml | cut -d/ -f2 | sort); do
  step "scenario ${scenario}" tools/scenario.sh "${scenario}"
done
finish 0
