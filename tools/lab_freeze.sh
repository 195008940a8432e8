#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `lab_freeze.sh freeze CONTAINER` freezes a host of the lab as a hypervisor would, `lab_freeze.sh thaw CONTAINER` lets it
# go on. Pausing a container stops its processes, while its kernel, which is this machine's, goes on answering ARP and
# opening connections for it; so it also comes off its bridge, and sees no change of its link.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

word=${1:-} container=${2:-}
[ -n "${container}" ] || die "say freeze or thaw, and a container of the lab"
[ -n "$(docker inspect --format '{{index .Config.Labels "duplex.ha_pair.lab"}}' "${container}" 2>/dev/null)" ] \
  || die "${container} is no container of a lab"
ports=${cache}/frozen-${container}

case "${word}" in
  freeze)
    mkdir -p "${cache}"
    # The other end of each of its interfaces is a port of a bridge here.
    for number in $(docker exec "${container}" sh -c 'cat /sys/class/net/eth*/iflink'); do
      port=$(basename "$(dirname "$(grep -lx "${number}" /sys/class/net/*/ifindex)")")
      printf '%s %s\n' "${port}" "$(basename "$(readlink "/sys/class/net/${port}/master")")"
    done >"${ports}"
    docker pause "${container}" >/dev/null
    while read -r port _; do
      ip link set dev "${port}" nomaster
    done <"${ports}"
    ;;
  thaw)
    if [ -e "${ports}" ]; then
      while read -r port bridge; do
        ip link set dev "${port}" master "${bridge}"
      done <"${ports}"
      rm -f "${ports}"
    fi
    [ "$(docker inspect --format '{{.State.Paused}}' "${container}")" = false ] || docker unpause "${container}" >/dev/null
    ;;
  *) die "'${word}' is not freeze or thaw" ;;
esac
