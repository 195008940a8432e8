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
need_version "${version}"
case "${kind}" in
  javax | jakarta) ;;
  *) die "'${kind}' is neither javax (Tomcat 9) nor jakarta (Tomcat 10 and 11)" ;;
esac
need_compiler

source_directory=${root}/molecule/shared/counter
target=${cache}/war/counter-${version}-${kind}.war
if is_built "${target}" "${source_directory}"; then
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
pack "${target}" "${working}" WEB-INF/web.xml
printf '%s\n' "${target}"
