# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: packages that have a name and no files. What every EL machine has comes from Debian by another way and is
# known to rpm by these; the others are what roles may ask for. All are of one spec file, which takes less time.

installed_names=(bash ca-certificates chkconfig coreutils curl dbus diffutils file findutils gawk gnupg2 grep gzip
  hostname ipset iproute iputils less logrotate nftables openssl openssl-libs procps-ng psmisc python3 rpm rsync sed
  shadow-utils systemd tar tcpdump tzdata unzip util-linux which)
available_names=(container-selinux)
case "${major}" in
  7)
    installed_names+=(iptables libselinux-python python)
    available_names+=(policycoreutils-python)
    ;;
  *)
    installed_names+=(dnf dnf-plugins-core iptables-nft python3-libselinux)
    available_names+=(policycoreutils-python-utils python3-policycoreutils)
    ;;
esac
[ "${major}" -ne 8 ] || installed_names+=(platform-python)

# What packages and scriptlets ask for by path, and other names of the same.
declare -A also=(
  [bash]='/bin/sh /bin/bash /usr/bin/bash'
  [chkconfig]='/usr/sbin/alternatives alternatives'
  [dnf]=yum
  [iproute]=/usr/sbin/ip
  [python3]=/usr/bin/python3
  [shadow-utils]='/usr/sbin/useradd /usr/sbin/groupadd'
  [systemd]='/usr/bin/systemctl systemd-units'
)

name_only() {
  printf '%%package -n %s\nSummary: The name of %s (EL-shaped stand-in)\n' "$1" "$1"
  # shellcheck disable=SC2086  # a word each
  [ -z "${also[$1]:-}" ] || printf 'Provides: %s\n' ${also[$1]}
  printf '%%description -n %s\nNo files; the programs, if any, are in place without it.\n%%files -n %s\n' "$1" "$1"
}

package el-stand-in-names "${major}"
summary 'Names of packages'
{
  spec_head
  for word in "${installed_names[@]}" "${available_names[@]}"; do
    name_only "${word}"
  done
} >"${specs}/${package_name}.spec"
from_the_beginning "${installed_names[@]}"
