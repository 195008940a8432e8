#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests: everything on the controller's Python, what runs on nodes also on the oldest and newest Pythons of nodes.
# `unit.sh controller` leaves out what does not depend on ansible-core, for the lanes of `make test-matrix`. `unit.sh
# plays` runs those that start Ansible, and `unit.sh rest` all others: halves that last about as long.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/interpreters.sh
source "$(dirname "$0")/interpreters.sh"
project_environment
cd "${root}"

# What mirrors files is tested with the real rsync.
want_rsync() {
  command -v rsync >/dev/null && return
  if [ "$(id -u)" -eq 0 ]; then
    say "installing rsync from the distribution's packages"
    if command -v apt-get >/dev/null; then
      apt_install rsync || true
    elif command -v dnf >/dev/null; then
      dnf_install rsync || true
    fi
  fi
  command -v rsync >/dev/null || say "skipped: the tests of file_sync that call rsync: there is none; install it from" \
    "your distribution's packages"
}

plays=(tests/unit/awx tests/unit/awx_jobs tests/unit/roles tests/unit/test_playbooks.py)

say "controller side, $(python -V 2>&1), ansible-core $(ansible_core_version)"
if [ "${1:-}" = controller ]; then
  python -m pytest --quiet --ignore tests/unit/target --ignore tests/unit/tools
  exit
fi
case "${1:-}" in
  plays)
    python -m pytest --quiet "${plays[@]}"
    exit
    ;;
  rest)
    want_rsync
    python -m pytest --quiet "${plays[@]/#/--ignore=}"
    ;;
  *)
    want_rsync
    python -m pytest --quiet
    ;;
esac

for version in 2.7 3.6 3.13; do
  if interpreter=$(find_interpreter "${version}"); then
    say "target side, Python ${version}"
    "${interpreter}" tools/target_tests.py
  else
    say "skipped: target side on Python ${version}: this machine has none (neither on PATH nor in pyenv)"
  fi
done
