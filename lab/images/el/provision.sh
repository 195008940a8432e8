#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Gives the node EL's face: its shell, groups and directories, dnf that trusts the signed repository only, no sign of
# Debian that facts could see.
set -euo pipefail
# shellcheck source=lab/images/el/system.sh
source "$(dirname "$0")/system.sh"
packages=/usr/lib/python3/dist-packages

mkdir -p /etc/{yum.repos.d,sysconfig,dnf,pki/{rpm-gpg,tls/certs}} /usr/libexec /usr/lib64 "${hidden}"

# Scripts that name it get the shell that they get on EL.
ln -sf bash /bin/sh
groupmod --new-name nobody nogroup
groupadd --force --system wheel
ln -sf /usr/bin/update-alternatives /usr/sbin/alternatives
ln -sf dnf-3 /usr/bin/yum
if [ "${major}" -gt 7 ]; then
  ln -sf dnf-3 /usr/bin/dnf
else
  # There is no dnf by this name, and python is Python 2.
  rm /usr/bin/dnf
  ln -sf python2.7 /usr/bin/python2
  ln -sf python2 /usr/bin/python
fi

# Debian's rpm refuses to install before it is told that this is meant, up to Debian 12. It looks at its own name for its
# options, so it keeps it.
if rpm --force-debian --version >/dev/null 2>&1; then
  mkdir "${hidden}/rpm"
  mv /usr/bin/rpm "${hidden}/rpm/"
  printf '#!/bin/sh\nexec %s --force-debian "$@"\n' "${hidden}/rpm/rpm" >/usr/bin/rpm
  chmod 0755 /usr/bin/rpm
fi
# rpm of EL 10 does not yet give scriptlets a world of their own, which an image being built may not have either.
mkdir -p /etc/rpm
printf '%%__transaction_unshare %%{nil}\n' >/etc/rpm/macros.el-stand-in

# Where EL's programs look for authorities. An old Python with a new OpenSSL, which is what EL 8 has here, chokes on the
# second file.
mkdir -p /etc/pki/java
trust extract --format=java-cacerts --filter=ca-anchors --purpose=server-auth /etc/pki/java/cacerts
[ "${major}" -eq 8 ] || ln -s /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt

if [ "${major}" -eq 8 ]; then
  # The lab mounts a Python 3.6 where it has one. It runs with the libraries that it was linked with, and takes itself for
  # the system's: by the name it is called by it finds /usr/lib/python3.6. Without one, it is the Python of this system.
  cat >/usr/libexec/platform-python <<'EOF'
#!/bin/bash
mounted=/opt/el-stand-in/python
for loader in "${mounted}"/libraries/ld-linux*.so.*; do
  [ ! -x "${loader}" ] || exec "${loader}" --argv0 /usr/libexec/platform-python \
    --library-path "${mounted}/prefix/lib:${mounted}/libraries" "${mounted}/prefix/bin/python3.6" "$@"
done
exec /usr/bin/python3 "$@"
EOF
  chmod 0755 /usr/libexec/platform-python
fi

cat >/etc/dnf/dnf.conf <<EOF
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=$([ "${major}" -ge 8 ] && echo True || echo False)
skip_if_unavailable=False
EOF
# One wants a repository of its own, one speaks of leaves after each installation, one misses a module of Python.
for plugin in local show_leaves system_upgrade; do
  rm -f "${packages}/dnf-plugins/${plugin}.py" "/etc/dnf/plugins/${plugin}.conf"
done

# The system's identity, and with it the repository's description, comes out of the repository.
rm -f /etc/os-release /usr/lib/os-release /etc/debian_version /etc/issue /etc/issue.net /etc/lsb-release
rm -f /usr/lib/systemd/system-preset/*
mapfile -t names <"${repository}/appstream/installed"
dnf-3 --quiet --assumeyes --releasever="${major}" --setopt=module_platform_id="platform:el${major}" --disablerepo='*' \
  --repofrompath="bootstrap,file://${repository}/appstream" \
  --setopt=bootstrap.gpgcheck=1 --setopt=bootstrap.gpgkey="file://${repository}/appstream/signing-key.asc" \
  install "${release_package}" "${names[@]}"
dnf-3 --quiet --assumeyes install firewalld
dnf-3 --quiet clean all
# As on a fresh machine, whoever installs first accepts the key.
# shellcheck disable=SC2046  # a word each
rpm --erase $(rpm -q gpg-pubkey)

# Debian's package managers, and what asks them.
for program in apt apt-cache apt-config apt-get apt-key apt-mark dpkg dpkg-deb dpkg-query; do
  [ ! -e "/usr/bin/${program}" ] || mv "/usr/bin/${program}" "${hidden}/"
done
rm -rf "${packages}"/{apt,apt_pkg*,aptsources}

rm -f /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id
# What makes no sense in a container and would leave the system "degraded".
systemctl mask getty.target console-getty.service systemd-logind.service systemd-udevd.service \
  systemd-udev-trigger.service systemd-modules-load.service sys-kernel-config.mount sys-kernel-debug.mount \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
