# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: keepalived, with the sample configuration that EL's package brings, which would speak on the wire.

if [ "${major}" -eq 7 ]; then
  package keepalived 1.3.5 0 "16.standin.el${major}"
else
  package keepalived "$(debian_version keepalived)"
fi
summary 'VRRP and LVS daemon'
binary
requires /bin/sh

mkdir -p "${tree}"/usr/sbin "${tree}"/usr/lib/systemd/system "${tree}"/etc/sysconfig
if [ "${major}" -eq 7 ]; then
  install -D "${debian}/keepalived/usr/sbin/keepalived" "${tree}/usr/libexec/el-stand-in/keepalived"
  install -m 0644 1.3.5.txt "${tree}/usr/libexec/el-stand-in/keepalived-1.3.5.txt"
  install keepalived_1_3_5.py "${tree}/usr/sbin/keepalived"
else
  install "${debian}/keepalived/usr/sbin/keepalived" "${tree}/usr/sbin/"
fi
if [ -e "${debian}/keepalived/usr/bin/genhash" ]; then
  mkdir -p "${tree}/usr/bin"
  cp -a "${debian}/keepalived/usr/bin/genhash" "${tree}/usr/bin/"
fi
if [ -e "${debian}/keepalived/etc/keepalived/keepalived.config-opts" ]; then
  # Without it, 2.3 does not tell its version.
  mkdir -p "${tree}/etc/keepalived"
  cp -a "${debian}/keepalived/etc/keepalived/keepalived.config-opts" "${tree}/etc/keepalived/"
fi
# SELinux' policy of EL knows this directory; it comes with the package, and empty.
directory /etc/keepalived /usr/libexec/keepalived

cat >"${tree}/etc/keepalived/keepalived.conf" <<'EOF'
! A sample as EL's package has one: whoever starts keepalived with it has a second router 51 in the network.
global_defs {
    notification_email {
        operator@firewall.example
    }
    notification_email_from keepalived@firewall.example
    smtp_server 192.168.200.1
    smtp_connect_timeout 30
    router_id SAMPLE
    vrrp_skip_check_adv_addr
    vrrp_strict
    vrrp_garp_interval 0
    vrrp_gna_interval 0
}

vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        192.168.200.16
        192.168.200.17
        192.168.200.18
    }
}

virtual_server 192.168.200.100 443 {
    delay_loop 6
    lb_algo rr
    lb_kind NAT
    protocol TCP

    real_server 192.168.200.101 443 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
EOF
printf '%s\n' '# What keepalived is started with; -D: details in the log.' 'KEEPALIVED_OPTIONS="-D"' \
  >"${tree}/etc/sysconfig/keepalived"

# Up to EL 8 the daemon forks, from EL 9 on it tells systemd when it is ready.
# shellcheck disable=SC2016  # systemd's own
if [ "${major}" -ge 9 ]; then
  type=$'Type=notify\nNotifyAccess=all' options='--dont-fork $KEEPALIVED_OPTIONS' run=/run
else
  type=Type=forking options='$KEEPALIVED_OPTIONS' run=/var/run
fi
# A reload is not to take in what a start would refuse.
reload=
[ "${major}" -gt 7 ] || reload='ExecReload=/usr/sbin/keepalived --words-only'
cat >"${tree}/usr/lib/systemd/system/keepalived.service" <<EOF
[Unit]
Description=LVS and VRRP High Availability Monitor
After=network-online.target syslog.target
Wants=network-online.target

[Service]
${type}
PIDFile=${run}/keepalived.pid
KillMode=process
EnvironmentFile=-/etc/sysconfig/keepalived
ExecStart=/usr/sbin/keepalived ${options}
${reload}
ExecReload=/bin/kill -HUP \$MAINPID

[Install]
WantedBy=multi-user.target
EOF
unit keepalived.service
done_with_package
