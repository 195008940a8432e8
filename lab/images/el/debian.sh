#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What is taken from Debian. `debian.sh install` puts in place what every EL machine has anyway, and the libraries that
# the packages need whose programs come as RPMs; `debian.sh fetch` gets those packages, and the tools to repackage them.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME}")

# Become RPMs.
repackaged=(keepalived nginx-common libnginx-mod-stream firewalld python3-firewall openssh-client openssh-server
  openssh-sftp-server)
# Headless Java needs none of the libraries for screens and sound that Debian's package asks for; nor do Tomcat's classes.
without_libraries=()
programs=()
case "${suite}" in
  bullseye)
    repackaged+=(nginx-core)
    # The Python of EL 7's tools.
    programs+=(python2.7)
    without_libraries+=(openjdk-17-jre-headless libtomcat9-java tomcat9-common tomcat9 libeclipse-jdt-core-java)
    ;;
  bookworm)
    repackaged+=(nginx)
    programs+=(dnf-plugins-core)
    without_libraries+=(openjdk-17-jre-headless libtomcat9-java tomcat10 libeclipse-jdt-core-java)
    ;;
  trixie)
    repackaged+=(nginx)
    programs+=(dnf-plugins-core)
    without_libraries+=(openjdk-21-jre-headless libtomcat9-java libtomcat10-java tomcat10-common tomcat10
      libeclipse-jdt-core-java)
    ;;
  *)
    printf 'debian: error: the base is %s; bullseye, bookworm and trixie are known\n' "${suite}" >&2
    exit 1
    ;;
esac

# All that these packages depend on and that is not repackaged itself. Not wanted: other modules of nginx, polkit (root
# needs no leave), NetworkManager's description (firewalld does without), what asks at installations, virtual names.
libraries() {
  apt-cache depends "${repackaged[@]}" \
    | awk '$1 == "Depends:" && $2 !~ /^</ {print $2}' \
    | grep -vxE '(lib)?nginx.*|firewalld|python3-firewall|python3:any|polkitd|policykit-1|gir1\.2-nm-1\.0|lsb-base' \
    | grep -vxE 'openssh-.*|ucf|adduser|debconf|runit-helper|passwd' \
    | sort -u
}

install() {
  apt-get -q update
  # shellcheck disable=SC2046  # a word each
  apt-get -q -y install --no-install-recommends \
    systemd systemd-sysv dbus python3 iproute2 iputils-ping procps ca-certificates openssl nftables tcpdump \
    dnf rpm python3-rpm python3-libdnf python3-selinux gnupg \
    curl file gawk hostname iptables ipset less logrotate passwd psmisc rsync unzip \
    p11-kit p11-kit-modules libstdc++6 zlib1g "${programs[@]}" $(libraries)
  apt-get clean
  rm -rf /var/lib/apt/lists/*
  python3 "$(dirname "$0")/merge_usr.py"
}

fetch() {
  apt-get -q update
  apt-get -q -y install --no-install-recommends createrepo-c binutils xz-utils
  mkdir -p /build/debs /build/debian
  cd /build/debs
  # As its user _apt, apt could not write here.
  apt-get -q -o APT::Sandbox::User=root download "${repackaged[@]}" "${without_libraries[@]}"
  for deb in *.deb; do
    dpkg-deb --extract "${deb}" "/build/debian/${deb%%_*}"
    # The epoch is EL's own, and a dash would begin the release.
    dpkg-deb --field "${deb}" Version | sed -E 's/^[0-9]+://; s/[-+~].*//' >"/build/debian/${deb%%_*}.version"
  done
  rm -r /build/debs
}

case "${1:-}" in
  install) install ;;
  fetch) fetch ;;
  *)
    printf 'debian: error: say install or fetch\n' >&2
    exit 1
    ;;
esac
