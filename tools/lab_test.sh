#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two labs at the same time: they do not reach each other, each refuses what is not its own, and destroying one leaves
# the other. One host each is enough for that.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

# With this process in the name: whatever is called so, is of this run.
prefix=${HA_PAIR_LAB_NAME:-ha-pair}-test-$$
left=${prefix}-left
right=${prefix}-right
foreign=${prefix}-foreign
log=${cache}/lab_test.log
mkdir -p "${cache}"
: >"${log}"

leave() {
  # A second Ctrl-C must not leave half a lab behind.
  trap '' INT TERM
  local name
  for name in "${left}" "${right}"; do
    docker ps --all --quiet --filter "label=duplex.ha_pair.lab=${name}" | xargs -r docker rm --force
    docker network ls --quiet --filter "label=duplex.ha_pair.lab=${name}" | xargs -r docker network rm
  done >/dev/null
  # They may not be there, when the test ended before it made them; nothing is tested here, this is the way out.
  docker rm --force "${foreign}-observer" >/dev/null 2>&1 || true
  docker network rm "${foreign}-lab" >/dev/null 2>&1 || true
}

# play NAME SUBNET PLAYBOOK, for the observer alone.
play() {
  HA_PAIR_LAB_NAME=$1 HA_PAIR_LAB_SUBNET=$2 HA_PAIR_LAB_SUBNET6='' HA_PAIR_LAB_SECOND_SUBNET='' \
    ansible-playbook -i lab/inventory --limit localhost,observer -e '{"lab_hosts": ["observer"]}' "lab/$3.yml" \
    >"${log}.run" 2>&1 && code=0 || code=$?
  cat "${log}.run" >>"${log}"
}

succeeds() {
  play "$@"
  [ "${code}" -eq 0 ] || { cat "${log}.run" >&2; die "lab/$3.yml for $1 failed, see above"; }
}

# refused WORDS NAME SUBNET PLAYBOOK; the words may be broken into lines where Ansible prints them.
refused() {
  local words=$1
  shift
  play "$@"
  if [ "${code}" -eq 0 ] || [[ $(tr -s '[:space:]' ' ' <"${log}.run") != *"${words}"* ]]; then
    cat "${log}.run" >&2
    die "lab/$3.yml for $1 was to be refused with: ${words}"
  fi
  say "refused: ${words}"
}

cure="so it is not the lab's: remove it or rename it, or give the lab another name (HA_PAIR_LAB_NAME)."

identity() { docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Running}}' "$1" 2>/dev/null || true; }

free_subnet() { python tools/lab_subnet.py --free "${HA_PAIR_LAB_SUBNET:-172.29.77.0/24}"; }

trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tools/engine.sh start
tools/image.sh build

left_subnet=$(free_subnet)
succeeds "${left}" "${left_subnet}" create
right_subnet=$(free_subnet)
succeeds "${right}" "${right_subnet}" create
say "two labs are up: ${left_subnet} and ${right_subnet}"

docker exec "${left}-observer" ping -c 1 -W 2 "${left_subnet%.*}.20" >/dev/null || die "ping does not even find itself"
if docker exec "${left}-observer" ping -c 1 -W 1 "${right_subnet%.*}.20" >/dev/null; then
  die "the observer of ${left} reaches the observer of ${right}"
fi
say "one does not reach the other"

refused "HA_PAIR_LAB_SUBNET=${right_subnet} overlaps the route ${right_subnet} on br-" "${foreign}" "${right_subnet}" create

docker create --name "${foreign}-observer" "$(tools/image.sh name)" >/dev/null
before=$(identity "${foreign}-observer")
refused "The container ${foreign}-observer exists and does not carry the label duplex.ha_pair.lab=${foreign}, ${cure}" \
  "${foreign}" "$(free_subnet)" create
succeeds "${foreign}" "$(free_subnet)" destroy
[ "$(identity "${foreign}-observer")" = "${before}" ] || die "the foreign container ${foreign}-observer was touched"
docker rm --force "${foreign}-observer" >/dev/null

docker network create "${foreign}-lab" >/dev/null
refused "The network ${foreign}-lab exists and does not carry the label duplex.ha_pair.lab=${foreign}, ${cure}" \
  "${foreign}" "$(free_subnet)" create

before=$(identity "${right}-observer")
succeeds "${left}" "${left_subnet}" destroy
[ -z "$(identity "${left}-observer")" ] || die "${left}-observer is still there"
[ -z "$(docker network ls --quiet --filter "name=^${left}-lab$")" ] || die "the network ${left}-lab is still there"
[ "$(identity "${right}-observer")" = "${before}" ] || die "destroying ${left} touched ${right}-observer"
docker exec "${right}-observer" systemctl is-system-running --wait >/dev/null || die "${right}-observer does not run"
say "destroying one left the other"
succeeds "${right}" "${right_subnet}" destroy
[ -z "$(identity "${right}-observer")" ] || die "${right}-observer is still there"
say "passed"
