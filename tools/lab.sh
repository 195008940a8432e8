#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The lab by hand: `lab.sh up`, `lab.sh down`, `lab.sh shell HOST`, `lab.sh is-up`, and `lab.sh with COMMAND...`, which
# runs a command in a fresh lab that is gone afterwards, however the command ends; KEEP=1 leaves it.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

lab=${HA_PAIR_LAB_NAME:-ha-pair}
log=${cache}/lab.log

play() {
  mkdir -p "${cache}"
  # The outcome is what a reader wants; the tasks are there when something goes wrong.
  if ! ansible-playbook -i lab/inventory "$1" >"${log}" 2>&1; then
    cat "${log}" >&2
    return 1
  fi
}

up() {
  tools/engine.sh start
  tools/image.sh build
  say "creating the lab ${lab}: node-a, node-b, observer"
  play lab/create.yml || die "the lab could not be created; the reason is above"
  tools/image.sh kind
  # Each line once, and without what YAML or JSON puts around it.
  # For the reader only: a machine may print neither line, which ends grep with 1. That the lab is up was decided above.
  grep -oE '(real-time priority|IPv6|Python of [a-z0-9]+): [A-Za-z0-9_=., ]*' "${log}" | sort -u || true
}

down() {
  if ! docker info >/dev/null 2>&1; then
    say "no container engine answers, so there is no lab to destroy"
    return
  fi
  say "destroying the lab ${lab}"
  play lab/destroy.yml || die "the lab could not be destroyed; the reason is above"
}

is_up() {
  [ "$(docker ps --quiet --filter "label=duplex.ha_pair.lab=${lab}" 2>/dev/null | wc -l)" -gt 0 ]
}

leave() {
  # A second Ctrl-C must not leave half a lab behind.
  trap '' INT TERM
  if [ "${KEEP:-0}" = 1 ]; then
    say "the lab stays (KEEP=1): make shell NODE=node-a, make clean"
  else
    down
  fi
}

with() {
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [ "${KEEP:-0}" = 1 ] || down
  up
  "$@"
}

case "${1:-}" in
  up) up ;;
  down) down ;;
  is-up) is_up ;;
  shell)
    is_up || die "the lab ${lab} is not up: start one with KEEP=1 make demo, or tools/lab.sh up"
    exec docker exec --interactive --tty "${lab}-${2:-node-a}" bash
    ;;
  with)
    shift
    with "$@"
    ;;
  *) die "say up, down, is-up, shell [HOST] or with COMMAND..." ;;
esac
