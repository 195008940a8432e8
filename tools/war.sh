#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the application of the scenarios and prints the path of its WAR: `war.sh VERSION [javax|jakarta]`, javax for
# Tomcat 9, jakarta for 10 and 11. A version that begins with "broken" never gets healthy. The same version has the same
# bytes wherever it is built with the same JDK, so that a second deployment finds nothing new.
#
# The compiler gets the few signatures of the servlet and WebSocket APIs that are used from molecule/shared/counter/api,
# so that nothing but a JDK is needed; what runs is the API of the Tomcat itself.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] && [ $# -le 2 ] || die "say a version, and javax or jakarta, for example: tools/war.sh 1 jakarta"
version=$1
kind=${2:-jakarta}
[[ "${version}" =~ ^[A-Za-z0-9._-]+$ ]] || die "'${version}' is no version; give letters, digits, . _ and -"
case "${kind}" in
  javax | jakarta) ;;
  *) die "'${kind}' is neither javax (Tomcat 9) nor jakarta (Tomcat 10 and 11)" ;;
esac
need_compiler

source_directory=${root}/molecule/shared/counter
target=${root}/.cache/war/counter-${version}-${kind}.war
if [ -f "${target}" ] && [ -z "$(find "${source_directory}" "$0" -newer "${target}" -type f)" ]; then
  printf '%s\n' "${target}"
  exit
fi

mkdir -p "${target%/*}"
working=$(mktemp -d "${target%/*}/.build.XXXXXX")
trap 'rm -rf "${working}"' EXIT
cp -R "${source_directory}"/{src,api,WEB-INF} "${working}/"
sed -i.orig "s/@VERSION@/${version}/" "${working}/src/example/Counter.java"
if [ "${kind}" = jakarta ]; then
  find "${working}/src" "${working}/api" -name '*.java' \
    -exec sed -E -i.orig 's/javax\.(servlet|websocket)/jakarta.\1/g' {} +
  mv "${working}/api/javax" "${working}/api/jakarta"
  sed -i.orig -e 's,http://xmlns.jcp.org/xml/ns/javaee,https://jakarta.ee/xml/ns/jakartaee,' \
    -e 's/version="4.0"/version="5.0"/' "${working}/WEB-INF/web.xml"
fi
mkdir "${working}/WEB-INF/classes"
# Java 8 is the oldest that any of them runs on; newer compilers say that it is old.
javac --release 8 -Xlint:-options -proc:none -sourcepath "${working}/api" -implicit:none \
  -d "${working}/WEB-INF/classes" "${working}"/src/example/*.java >&2
python3 - "${working}" "${target}" <<'PYTHON'
import os
import sys
import zipfile
from pathlib import Path

working, target = Path(sys.argv[1]), Path(sys.argv[2])
# One time for all, and one order.
files = [working / "WEB-INF/web.xml", *sorted((working / "WEB-INF/classes").rglob("*.class"))]
temporary = working / "war"
with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as war:
    for path in files:
        entry = zipfile.ZipInfo(path.relative_to(working).as_posix(), (2020, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        war.writestr(entry, path.read_bytes())
os.replace(temporary, target)
PYTHON
printf '%s\n' "${target}"
