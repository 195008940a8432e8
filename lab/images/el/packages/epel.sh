# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: the description of EPEL, which is where EL 7 has nginx; it is installed there from the beginning, as on most
# machines with nginx. For the others there is a package of the name only.

package epel-release "${major}"
summary "EPEL's repository"
if [ "${major}" -eq 7 ]; then
  mkdir -p "${tree}"/etc/yum.repos.d
  cat >"${tree}/etc/yum.repos.d/epel.repo" <<EOF
[epel]
name=Extra Packages for Enterprise Linux 7 (EL-shaped stand-in)
baseurl=file://${repository}/epel
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-el-stand-in
EOF
  from_the_beginning epel-release
fi
done_with_package
