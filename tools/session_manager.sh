#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the session manager of the scenario sessions_redis and prints the path of its jar. The compiler gets the few
# signatures of Tomcat that are used from molecule/shared/session_manager/api, so that nothing but a JDK is needed; what
# runs is the Tomcat of the node. The same sources give the same bytes with the same JDK.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

source_directory=${root}/molecule/shared/session_manager
target=${cache}/war/session-manager.jar
need_compiler
if is_built "${target}" "${source_directory}"; then
  printf '%s\n' "${target}"
  exit
fi

mkdir -p "${target%/*}"
working=$(mktemp -d "${target%/*}/.build.XXXXXX")
trap 'rm -rf "${working}"' EXIT
javac --release 8 -Xlint:-options -proc:none -sourcepath "${source_directory}/api" -implicit:none -d "${working}" \
  "${source_directory}"/src/example/*.java >&2
pack "${target}" "${working}"
printf '%s\n' "${target}"
