#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One Molecule scenario, on fresh nodes. KEEP=1 takes the lab that is there, if any, and leaves it.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

names() { find molecule -mindepth 2 -maxdepth 2 -name molecule.yml | cut -d/ -f2 | sort; }

name=${1:-}
[ -f "molecule/${name:-.}/molecule.yml" ] \
  || die "NAME=${name} is no scenario; the scenarios are: $(names | paste -s -d' ' -)"

# Molecule would break lines at 80 columns, and colour them in a file.
export COLUMNS=${COLUMNS:-160} NO_COLOR=1 ANSIBLE_NOCOLOR=1 ANSIBLE_FORCE_COLOR=0
log=${cache}/scenario-${name}.log
mkdir -p "${cache}"

tools/engine.sh start
tools/image.sh build

run() {
  molecule test -s "${name}" "$@" 2>&1 | tee "${log}"
  # A step without a playbook passes in Molecule, and a test that did not run must not.
  if grep -q 'Missing playbook' "${log}"; then
    die "a step of molecule/${name}/molecule.yml has no playbook, see 'Missing playbook' above"
  fi
}

leave() {
  # A second Ctrl-C must not leave half a lab behind.
  trap '' INT TERM
  tools/lab.sh down
}

if [ "${KEEP:-0}" = 1 ]; then
  # Molecule remembers a lab that may be gone by now.
  if ! tools/lab.sh is-up; then
    molecule reset -s "${name}" >/dev/null || die "molecule reset failed for ${name}"
  fi
  run --destroy=never
else
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  run
fi
# As the scenario said it, whose hosts may have an OS each; YAML breaks long lines.
tr -s '[:space:]' ' ' <"${log}" | grep -oE "node kind: [^\"']*" | sort -u || tools/image.sh kind
