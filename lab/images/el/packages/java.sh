# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: OpenJDK 17, on EL 10 OpenJDK 21, in a directory of its own, chosen by alternatives. EL 7 would have an older
# one, which Debian has not.

# java VERSION
java() {
  local number=$1 source debian_name home entry target
  source=${debian}/openjdk-${number}-jre-headless
  debian_name=$(cd "${source}/usr/lib/jvm" && ls -d "java-${number}-openjdk-"*)

  package "java-${number}-openjdk-headless" "$(debian_version "openjdk-${number}-jre-headless")" 1
  summary "OpenJDK ${number} without screens and sound"
  binary
  requires ca-certificates chkconfig
  for entry in java-headless jre-headless "java-${number}-headless" "jre-${number}-headless"; do
    provides "${entry} = 1:${package_version}"
  done
  home=/usr/lib/jvm/${package_name%-headless}-${package_version}-${package_release}.${package_arch}
  mkdir -p "${tree}/usr/lib/jvm"
  cp -a "${source}/usr/lib/jvm/${debian_name}" "${tree}${home}"
  rm -rf "${tree}${home}"/{docs,legal,man}
  # Debian keeps the configuration in /etc, EL with the rest.
  find "${tree}${home}" -type l | while IFS= read -r entry; do
    target=$(readlink "${entry}")
    [[ "${target}" != /etc/java-* ]] || cp --remove-destination "${source}${target}" "${entry}"
  done
  ln -sfn /etc/pki/java/cacerts "${tree}${home}/lib/security/cacerts"
  script post <<EOF
alternatives --install /usr/bin/java java ${home}/bin/java ${number}00000 --slave /usr/lib/jvm/jre jre ${home} \
  --slave /usr/bin/keytool keytool ${home}/bin/keytool >/dev/null
alternatives --install /usr/lib/jvm/jre-${number} jre_${number} ${home} ${number}00000 >/dev/null
EOF
  script postun <<EOF
[ \$1 -ne 0 ] || { alternatives --remove java ${home}/bin/java; alternatives --remove jre_${number} ${home}; } >/dev/null
EOF
  done_with_package
}

case "${major}" in
  7) ;;
  10) java 21 ;;
  *) java 17 ;;
esac
