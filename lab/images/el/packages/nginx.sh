# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: nginx as EL splits it. EL 7 has it in EPEL, EL 8 in module streams only, EL 9 in the distribution and in
# streams. All are the same program: what differs is where dnf finds them.

nginx_version=$(debian_version nginx-common)
nginx_binary=${debian}/nginx/usr/sbin/nginx
[ -e "${nginx_binary}" ] || nginx_binary=${debian}/nginx-core/usr/sbin/nginx

# nginx_packages RELEASE [STREAM]
nginx_packages() {
  local release=$1 stream=${2:-} core=nginx
  # EL 9 has made a package of its own of the program.
  [ "${major}" -lt 9 ] || core=nginx-core

  begin() {
    package "$1" "${nginx_version}" 1 "${release}"
    [ -z "${stream}" ] || header ModularityLabel "nginx:${stream}:1:standin"
  }

  begin nginx-filesystem
  summary "nginx's directories"
  directory /etc/nginx /etc/nginx/conf.d /etc/nginx/default.d /usr/share/nginx /usr/share/nginx/html
  account nginx /var/lib/nginx 'Nginx web server'
  done_with_package

  begin nginx-mod-stream
  summary "nginx's module for TCP and UDP"
  binary
  requires_same "${core}"
  mkdir -p "${tree}"/usr/{lib64,share}/nginx/modules
  cp -a "${debian}/libnginx-mod-stream/usr/lib/nginx/modules/ngx_stream_module.so" "${tree}/usr/lib64/nginx/modules/"
  printf 'load_module "/usr/lib64/nginx/modules/ngx_stream_module.so";\n' \
    >"${tree}/usr/share/nginx/modules/mod-stream.conf"
  done_with_package

  if [ "${core}" = nginx-core ]; then
    begin nginx-core
    summary 'the program nginx'
    binary
    requires_same nginx-filesystem
    nginx_program
    done_with_package
  fi

  begin nginx
  summary 'web server and proxy'
  binary
  requires_same nginx-filesystem
  if [ "${core}" = nginx-core ]; then
    requires_same nginx-core
  else
    nginx_program
  fi
  provides webserver
  nginx_service
  done_with_package
}

nginx_program() {
  mkdir -p "${tree}"/usr/sbin "${tree}"/etc/logrotate.d "${tree}/etc/nginx"
  cp -a "${nginx_binary}" "${tree}/usr/sbin/nginx"
  cp -a "${debian}"/nginx-common/etc/nginx/{fastcgi.conf,fastcgi_params,mime.types,scgi_params,uwsgi_params} \
    "${tree}/etc/nginx/"
  directory /usr/lib64/nginx/modules /usr/share/nginx/modules /var/lib/nginx /var/log/nginx
  attributes 0770 nginx root /var/lib/nginx
  # Nobody but root lists the logs, whoever knows a name may open it if its own mode allows.
  attributes 0711 root root /var/log/nginx
  ghost /var/log/nginx/access.log /var/log/nginx/error.log
  attributes 0640 nginx root /var/log/nginx/access.log /var/log/nginx/error.log
  cat >"${tree}/etc/logrotate.d/nginx" <<'EOF'
/var/log/nginx/*.log {
    create 0640 nginx root
    daily
    rotate 10
    missingok
    notifempty
    sharedscripts
    # A service that does not run has no log open.
    postrotate
        ! systemctl --quiet is-active nginx.service || systemctl kill --signal=USR1 --kill-who=main nginx.service
    endscript
}
EOF
  # The default server stands here, not in conf.d.
  cat >"${tree}/etc/nginx/nginx.conf" <<'EOF'
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

include /usr/share/nginx/modules/*.conf;

events {
    worker_connections 1024;
}

http {
    log_format main '$remote_addr $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_user_agent"';
    access_log /var/log/nginx/access.log main;

    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65;
    types_hash_max_size 4096;

    include /etc/nginx/mime.types;
    default_type application/octet-stream;

    include /etc/nginx/conf.d/*.conf;

    server {
        listen 80;
        listen [::]:80;
        server_name _;
        root /usr/share/nginx/html;

        include /etc/nginx/default.d/*.conf;
    }
}
EOF
  # EL 8 still has it with the word that makes it answer for every name.
  [ "${major}" -gt 8 ] || sed -i -E 's/(listen .*80);/\1 default_server;/' "${tree}/etc/nginx/nginx.conf"
}

nginx_service() {
  mkdir -p "${tree}"/usr/lib/systemd/system "${tree}/usr/share/nginx/html"
  printf '<!doctype html>\n<title>nginx</title>\n<p>The page of the package nginx.</p>\n' \
    >"${tree}/usr/share/nginx/html/index.html"
  cat >"${tree}/usr/lib/systemd/system/nginx.service" <<'EOF'
[Unit]
Description=The nginx HTTP and reverse proxy server
After=network-online.target remote-fs.target nss-lookup.target
Wants=network-online.target

[Service]
Type=forking
PIDFile=/run/nginx.pid
# nginx of its own does not start over a stale one.
ExecStartPre=/usr/bin/rm -f /run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t
ExecStart=/usr/sbin/nginx
ExecReload=/usr/sbin/nginx -s reload
KillSignal=SIGQUIT
TimeoutStopSec=5
KillMode=mixed
PrivateTmp=true

[Install]
WantedBy=multi-user.target
EOF
  unit nginx.service
}

# One stream is named after the version, and is the default where there is no nginx without; the second one is there to
# be chosen instead.
nginx_stream=${nginx_version%.*}
case "${major}" in
  7)
    # In a repository of its own, see repository.sh.
    nginx_packages "1.el${major}"
    ;;
  8)
    nginx_packages "1.module_el${major}+standin" "${nginx_stream}"
    nginx_packages "2.module_el${major}+standin" "${nginx_stream}-next"
    ;;
  9)
    nginx_packages "1.standin.el${major}"
    nginx_packages "2.module_el${major}+standin" "${nginx_stream}"
    nginx_packages "3.module_el${major}+standin" "${nginx_stream}-next"
    ;;
  *) nginx_packages "1.standin.el${major}" ;;
esac

# stream_metadata STREAM RELEASE
stream_metadata() {
  local package arch
  cat <<EOF
---
document: modulemd
version: 2
data:
  name: nginx
  stream: "$1"
  version: 1
  context: standin
  arch: $(uname -m)
  summary: nginx (EL-shaped stand-in)
  description: nginx as a module, for tests.
  license:
    module: [as in Debian]
  profiles:
    common:
      rpms: [nginx]
  artifacts:
    rpms:
EOF
  for package in nginx nginx-core nginx-filesystem nginx-mod-stream; do
    for arch in noarch "$(uname -m)"; do
      [ ! -e "${rpms}/${package}-${nginx_version}-$2.${arch}.rpm" ] \
        || printf '      - "%s-1:%s-%s.%s"\n' "${package}" "${nginx_version}" "$2" "${arch}"
    done
  done
}

# After the packages have been built.
module_metadata() {
  case "${major}" in
    8)
      stream_metadata "${nginx_stream}" "1.module_el${major}+standin"
      stream_metadata "${nginx_stream}-next" "2.module_el${major}+standin"
      printf '%s\n' '---' 'document: modulemd-defaults' 'version: 1' 'data:' '  module: nginx' \
        "  stream: \"${nginx_stream}\"" '  profiles:' "    \"${nginx_stream}\": [common]"
      ;;
    9)
      stream_metadata "${nginx_stream}" "2.module_el${major}+standin"
      stream_metadata "${nginx_stream}-next" "3.module_el${major}+standin"
      ;;
  esac
}
