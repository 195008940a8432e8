#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the Java program of the scenario java_standby and prints the path of its jar: `jar.sh VERSION`. A version that
# begins with "broken" ends as soon as it was started. The same version has the same bytes wherever it is built with the
# same JDK, so that a second deployment finds nothing new.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || die "say a version, for example: tools/jar.sh 1"
version=$1
need_version "${version}"
need_compiler

source_directory=${root}/molecule/shared/fetcher
target=${cache}/jar/fetcher-${version}.jar
if is_built "${target}" "${source_directory}"; then
  printf '%s\n' "${target}"
  exit
fi

mkdir -p "${target%/*}"
working=$(mktemp -d "${target%/*}/.build.XXXXXX")
trap 'rm -rf "${working}"' EXIT
cp -R "${source_directory}/src" "${working}/"
sed -i.orig "s/@VERSION@/${version}/" "${working}/src/example/Fetcher.java"
mkdir -p "${working}/jar/META-INF"
printf 'Manifest-Version: 1.0\r\nMain-Class: example.Fetcher\r\n\r\n' >"${working}/jar/META-INF/MANIFEST.MF"
# Java 8 is the oldest that any of the systems has; newer compilers say that it is old.
javac --release 8 -Xlint:-options -proc:none -d "${working}/jar" "${working}"/src/example/*.java >&2
# Java looks for the manifest among the first entries.
pack "${target}" "${working}/jar" META-INF/MANIFEST.MF
printf '%s\n' "${target}"
