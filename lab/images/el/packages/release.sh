# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: what makes facts, dnf and systemd's presets say that this is EL.

package "${release_package}" "${version_id}"
summary "${name} release files and repository"
provides "system-release = ${version_id}" "system-release(releasever) = ${major}" "redhat-release = ${version_id}" \
  "${id}-release = ${version_id}"
mkdir -p "${tree}"/etc/{yum.repos.d,pki/rpm-gpg} "${tree}"/usr/lib/systemd/system-preset

cat >"${tree}/usr/lib/os-release" <<EOF
NAME="${name}"
VERSION="${version}"
ID="${id}"
ID_LIKE="${id_like}"
VERSION_ID="${version_id}"
$([ "${major}" -eq 7 ] || printf 'PLATFORM_ID="platform:el%s"' "${major}")
PRETTY_NAME="${name} ${version} (EL-shaped stand-in on Debian $(. /etc/os-release && printf '%s' "${VERSION_ID}"))"
VARIANT="EL-shaped stand-in"
VARIANT_ID=el-stand-in
EOF
# CentOS 7 says no platform.
sed -i '/^$/d' "${tree}/usr/lib/os-release"
ln -s ../usr/lib/os-release "${tree}/etc/os-release"
printf '%s\n' "${release}" >"${tree}/etc/${id}-release"
ln -s "${id}-release" "${tree}/etc/redhat-release"
ln -s "${id}-release" "${tree}/etc/system-release"

# A service that is just installed neither runs nor is enabled; firewalld is.
printf 'enable %s\n' firewalld.service sshd.service chronyd.service \
  >"${tree}/usr/lib/systemd/system-preset/90-default.preset"
printf 'disable *\n' >"${tree}/usr/lib/systemd/system-preset/99-default-disable.preset"

cp /build/signing-key.asc "${tree}/etc/pki/rpm-gpg/RPM-GPG-KEY-el-stand-in"
cat >"${tree}/etc/yum.repos.d/${id}.repo" <<EOF
[appstream]
name=${name} ${major} - AppStream (EL-shaped stand-in)
baseurl=file://${repository}/appstream
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-el-stand-in
EOF
done_with_package
