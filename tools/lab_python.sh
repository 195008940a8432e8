#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the lab mounts into hosts of an image so that they have this machine's Python of a version: `lab_python.sh 3.6
# IMAGE` prints a volume for each line, and nothing where this machine has none that would run there, or where the image
# is no stand-in and has its own. A host may be older than this machine, so the libraries come with it, and their loader;
# /usr/libexec/platform-python of lab/images/el uses them.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/interpreters.sh
source "${root}/tools/interpreters.sh"

[ $# -eq 2 ] || die "say a version and an image, for example 3.6 \$(tools/image.sh name el8)"
version=$1
image=$2
mounted=/opt/el-stand-in/python

none() {
  say "this machine has no Python ${version} that a container could run; the hosts have their own Python instead" >&2
  exit 0
}

[ "$(docker image inspect --format '{{index .Config.Labels "duplex.ha_pair.image.recipe"}}' "${image}")" = el ] || exit 0
python=$(find_interpreter "${version}") || none
# Elsewhere than on Linux there is no ldd, and a Python that no container could run.
command -v ldd >/dev/null || none
prefix=$("${python}" -c 'import sys; print(sys.base_prefix)')
library=$(ldd "${python}" | awk '$1 ~ /^libc\.so/ {print $3}')
[ -n "${library}" ] || none
libraries=$(dirname "$(readlink -f "${library}")")
# Tried as it is going to be run there; an old loader has no --argv0.
for loader in "${libraries}"/ld-linux*.so.*; do
  "${loader}" --argv0 "${python}" --library-path "${prefix}/lib:${libraries}" "${python}" -c '' 2>/dev/null || continue
  printf '%s:ro\n' "${prefix}:${mounted}/prefix" "${libraries}:${mounted}/libraries" \
    "${prefix}/lib/python${version}:/usr/lib/python${version}"
  exit
done
none
