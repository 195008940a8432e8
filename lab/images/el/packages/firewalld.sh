# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: firewalld. Its Python modules lie where Debian's Python looks for them.

package python3-firewall "$(debian_version python3-firewall)"
summary "firewalld's modules"
cp -a "${debian}/python3-firewall/." "${tree}/"
rm -r "${tree:?}/usr/share"
done_with_package

package firewalld-filesystem "$(debian_version firewalld)"
summary "firewalld's directories"
directory /etc/firewalld /usr/lib/firewalld
done_with_package

package firewalld "$(debian_version firewalld)"
summary 'Dynamic firewall daemon'
requires_same python3-firewall firewalld-filesystem
cp -a "${debian}/firewalld/." "${tree}/"
rm -rf "${tree}"/etc/{default,init.d} "${tree}"/usr/share/{doc,lintian,locale,man}
if [ -d "${tree}/lib" ]; then
  # Debian's systemd was there first.
  cp -a "${tree}/lib/." "${tree}/usr/lib/"
  rm -r "${tree:?}/lib"
fi
unit firewalld.service
done_with_package
