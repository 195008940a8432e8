# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: OpenSSH as EL splits it. A machine of one's own has it from the beginning; here who needs it installs it.

package openssh "$(debian_version openssh-client)"
summary 'The keys of SSH'
binary
requires /bin/sh
mkdir -p "${tree}/usr/bin"
cp -a "${debian}/openssh-client/usr/bin/ssh-keygen" "${tree}/usr/bin/"
directory /etc/ssh
done_with_package

package openssh-clients "$(debian_version openssh-client)"
summary 'SSH clients'
binary
requires_same openssh
mkdir -p "${tree}/usr/bin" "${tree}/etc/ssh"
cp -a "${debian}/openssh-client/usr/bin"/{scp,sftp,ssh,ssh-add,ssh-agent,ssh-keyscan} "${tree}/usr/bin/"
cp -a "${debian}/openssh-client/etc/ssh/ssh_config" "${tree}/etc/ssh/"
done_with_package

package openssh-server "$(debian_version openssh-client)"
summary 'SSH server'
binary
requires_same openssh
account sshd /usr/share/empty.sshd 'Privilege-separated SSH'
mkdir -p "${tree}"/usr/{sbin,lib/openssh,lib/systemd/system} "${tree}"/etc/{pam.d,ssh}
cp -a "${debian}/openssh-server/usr/sbin/sshd" "${tree}/usr/sbin/"
# Newer ones have programs of their own for a session and for the login.
find "${debian}/openssh-server/usr/lib/openssh" -name 'sshd-*' -type f -exec cp -a {} "${tree}/usr/lib/openssh/" \;
cp -a "${debian}/openssh-sftp-server/usr/lib/openssh/sftp-server" "${tree}/usr/lib/openssh/"
cp -a "${debian}/openssh-server/etc/pam.d/sshd" "${tree}/etc/pam.d/"
directory /usr/share/empty.sshd
cat >"${tree}/etc/ssh/sshd_config" <<'EOF'
# Root logs in with a key only, which is the default.
UsePAM yes
Subsystem sftp /usr/lib/openssh/sftp-server
EOF
attributes 0600 root root /etc/ssh/sshd_config
cat >"${tree}/usr/lib/systemd/system/sshd.service" <<'EOF'
[Unit]
Description=OpenSSH server daemon
After=network.target

[Service]
Type=notify
# EL has a unit of its own for the keys of the host.
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStart=/usr/sbin/sshd -D
ExecReload=/bin/kill -HUP $MAINPID
RuntimeDirectory=sshd
KillMode=process
Restart=on-failure
RestartSec=42s

[Install]
WantedBy=multi-user.target
EOF
unit sshd.service
done_with_package
