#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything but the matrix, in the order in which a mistake is found soonest; stops at the first failure. The last
# lines count. `test.sh all` adds the scenarios that are too many for a change.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
cd "${root}"

summary=${cache}/test.summary
log=${cache}/test.log
mkdir -p "${cache}"
: >"${log}"
failed=${cache}/test.failed.log
rm -f "${failed}"
: >"${summary}"

# However the run ends: what passed, what did not, and what was left out.
finish() {
  # Still running only when the run was broken off; it may end by itself just then, and no result depends on the signal.
  [ -z "${lane}" ] || kill -- "-${lane}" 2>/dev/null || true
  printf '\n== summary\n'
  cat "${summary}"
  reasons
  # What a step left out, it has said in a line of its own; here they are together.
  grep -hE '^[a-z_]+: skipped: ' "${log}" || printf 'nothing was skipped\n'
  printf '%s passed, %s failed\n' "$(grep -c '^passed' "${summary}")" "$(grep -c '^FAILED' "${summary}")"
}

# Who reads the end of a long log only is to see why as well: what the failed step said last of what went wrong.
reasons() {
  [ -s "${failed}" ] || return 0
  printf '\n== why\n'
  # Ansible and Molecule, pytest and the linters, our own scripts; the first lines of what each of them says.
  grep -nE '^(fatal: |failed: |FAILED |ERROR|CRITICAL |\[ERROR\]|E   |[a-z_]+: error: )|^ *- .?failed: ' "${failed}" \
    | tail -n 12 | cut -c1-500 || printf 'nothing that looks like a reason; see the end of the step above\n'
}

step() {
  local name=$1 started=${SECONDS} word=passed own=${cache}/test.step.${1// /_}.log
  shift
  printf '\n== %s\n' "${name}"
  "$@" 2>&1 | tee "${own}" | tee -a "${log}" || word=FAILED
  printf '%s  %4d s  %s\n' "${word}" "$((SECONDS - started))" "${name}" >>"${summary}"
  [ "${word}" = passed ] && return
  cp "${own}" "${failed}"
  printf '\n%s: error: the step "%s" failed; the reason is above, and the rest was not run\n' "${script}" "${name}" >&2
  exit 1
}

# All that the scenarios name: made one after the other when first wanted, they would cost their time in full.
images() {
  # shellcheck disable=SC2046 # a word each
  tools/engine.sh start && tools/image.sh build $(
    {
      printf '%s\n' "${HA_PAIR_LAB_OS:-debian12}"
      for scenario in ${scenarios}; do
        # Most name none.
        grep -rohE '(HA_PAIR_LAB_OS[A-Z_]*|lab_os): [a-z0-9]+' "molecule/${scenario}" || true
      done | cut -d' ' -f2
    } | sort -u
  )
}

scenarios=$(scenarios_of 'make test')
if [ "${1:-}" = all ]; then
  scenarios="${scenarios} $(scenarios_of 'make test-all')"
fi
lane=
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Steps that measure no time run in two lanes beside each other. The second lane speaks when the first has ended. Both
# artifact and sanity build the archive: artifact is long done when sanity begins.
beside=${cache}/test.beside.log
set -m # a group of its own, so that it can be ended whole
(
  step artifact tools/artifact.sh test
  step 'unit, plays' tools/unit.sh plays
) >"${beside}" 2>&1 &
lane=$!
set +m
first=0
(
  step lint tools/lint.sh
  step unit tools/unit.sh rest
  step sanity tools/sanity.sh
  step images images
) || first=$?
second=0
wait "${lane}" || second=$?
lane=
cat "${beside}"
[ "${first}${second}" = 00 ] || exit 1
step 'labs side by side' tools/lab_test.sh
for scenario in ${scenarios}; do
  step "scenario ${scenario}" tools/scenario.sh "${scenario}"
done
