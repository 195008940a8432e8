#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Takes away what the other targets made: the lab, its images, the engine if it was started here, and every file that
# git does not know of and this project wrote.
set -euo pipefail
# With a lane, .venv would be left.
unset HA_PAIR_LANE
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
cd "${root}"

if docker info >/dev/null 2>&1; then
  [ ! -x "${venv}/bin/ansible-playbook" ] || tools/lab.sh down
  # Another lab on this engine still needs the images.
  if [ -z "$(docker ps --all --quiet --filter label=duplex.ha_pair.lab)" ]; then
    tools/image.sh remove
  fi
fi
tools/engine.sh stop
if [ -e "${cache}/engine/dockerd.pid" ]; then
  # The record of the engine that still runs has to outlive the cache.
  find "${cache}" -mindepth 1 -maxdepth 1 ! -name engine -exec rm -rf {} +
else
  rm -rf "${cache}"
fi
rm -rf "${venv}" .ansible build
find . -name __pycache__ -type d -prune -exec rm -rf {} +
say "done"
