# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: Tomcat as EL lays it out: 9 on EL 8 and 9; on EL 10 Tomcat 10.1, or tomcat9 in its place. EL 7 has Tomcat 7,
# which Debian has no more.

# Who starts a class of Tomcat needs these few of catalina.jar before there is a class path; where Debian has no jar of
# them, it is made.
bootstrap_jar() {
  python3 - "$1" "$2" <<'EOF'
import re
import sys
import zipfile

WANTED = re.compile(
    r"org/apache/catalina/(startup/(Bootstrap|CatalinaProperties|ClassLoaderFactory|Constants|SafeForkJoin|Tool)"
    r"|startup/catalina\.properties|security/SecurityClassLoad|webresources/war/)"
)
with zipfile.ZipFile(sys.argv[1]) as source, zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as target:
    target.writestr(
        "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: org.apache.catalina.startup.Bootstrap\n\n"
    )
    for name in source.namelist():
        if WANTED.match(name):
            target.writestr(name, source.read(name))
EOF
}

# The jars under EL's names, and where EL has them: tomcat_jars NUMBER DIRECTORY HOME
tomcat_jars() {
  local number=$1 directory=$2 home=$3 jar name
  mkdir -p "${tree}${directory}" "${tree}${home}/bin"
  for jar in "${debian}/libtomcat${number}-java/usr/share/java/tomcat${number}"-*.jar; do
    name=${jar##*/tomcat"${number}"-}
    name=${name%.jar}
    case "${name}" in
      # Each is there a second time with its version in its name; and texts in other languages.
      *-[0-9]*.[0-9]* | i18n-*) continue ;;
      juli)
        cp -L "${jar}" "${tree}${home}/bin/tomcat-juli.jar"
        continue
        ;;
      api | coyote | dbcp | jdbc | jni | util | util-scan | websocket) name=tomcat-${name} ;;
      storeconfig | tribes) name=catalina-${name} ;;
    esac
    cp -L "${jar}" "${tree}${directory}/${name}.jar"
  done
  # Compiles pages.
  cp -L "${debian}/libeclipse-jdt-core-java/usr/share/java/eclipse-jdt-core.jar" "${tree}${directory}/ecj.jar"
  if [ "$(find "${debian}" -path "*/tomcat${number}/bin/bootstrap.jar" | wc -l)" -gt 0 ]; then
    cp -L "$(find "${debian}" -path "*/tomcat${number}/bin/bootstrap.jar" | head -n 1)" "${tree}${home}/bin/"
  else
    bootstrap_jar "${tree}${directory}/catalina.jar" "${tree}${home}/bin/bootstrap.jar"
  fi
}

# tomcat_unit NAME: the service, or the template of others.
tomcat_unit() {
  local instance=
  [ "$1" = tomcat ] || instance=%i
  cat <<EOF
[Unit]
Description=Apache Tomcat Web Application Container
After=syslog.target network.target

[Service]
Type=simple
EnvironmentFile=/etc/tomcat/tomcat.conf
Environment="NAME=${instance}"
EnvironmentFile=-/etc/sysconfig/tomcat${instance:+@${instance}}
ExecStart=/usr/libexec/tomcat/server start
SuccessExitStatus=143
User=tomcat

[Install]
WantedBy=multi-user.target
EOF
}

# tomcat NAME NUMBER
tomcat() {
  local name=$1 number=$2 version home=/usr/share/tomcat jars=/usr/share/java/tomcat path configuration
  version=$(debian_version "libtomcat${number}-java")
  configuration=$(echo "${debian}"/tomcat[0-9]*/usr/share/tomcat*/etc)

  package "${name}-lib" "${version}" 1
  summary "Tomcat's classes"
  tomcat_jars "${number}" "${jars}" "${home}"
  if [ "${number}" -eq 9 ]; then
    # EL supports no cluster of Tomcat 9.
    rm "${tree}${jars}"/catalina-{ha,tribes}.jar
  fi
  done_with_package

  package "${name}" "${version}" 1
  summary 'Servlet container'
  requires_same "${name}-lib"
  requires 'java-headless >= 1:11'
  [ "${name}" = tomcat ] || header Conflicts tomcat
  account tomcat "${home}" 'Apache Tomcat' 53
  mkdir -p "${tree}"/etc/sysconfig "${tree}"/usr/lib/systemd/system "${tree}"/usr/libexec/tomcat
  directory "${home}" /var/lib/tomcats
  directory /etc/tomcat /etc/tomcat/Catalina /etc/tomcat/Catalina/localhost /etc/tomcat/conf.d
  attributes 0755 root tomcat /etc/tomcat /etc/tomcat/conf.d
  attributes 0775 root tomcat /etc/tomcat/Catalina /etc/tomcat/Catalina/localhost
  directory /var/lib/tomcat /var/lib/tomcat/webapps /var/log/tomcat
  attributes 0755 root tomcat /var/lib/tomcat
  attributes 0775 root tomcat /var/lib/tomcat/webapps
  attributes 0770 tomcat root /var/log/tomcat
  directory /var/cache/tomcat /var/cache/tomcat/temp /var/cache/tomcat/work
  attributes 0770 root tomcat /var/cache/tomcat /var/cache/tomcat/temp /var/cache/tomcat/work
  for path in lib:"${jars}" webapps:/var/lib/tomcat/webapps conf:/etc/tomcat logs:/var/log/tomcat \
    temp:/var/cache/tomcat/temp work:/var/cache/tomcat/work; do
    ln -s "${path#*:}" "${tree}${home}/${path%%:*}"
  done

  cp "${configuration}"/{catalina.properties,context.xml,logging.properties,server.xml,tomcat-users.xml,web.xml} \
    "${tree}/etc/tomcat/"
  sed -i 's/<Server port="-1"/<Server port="8005"/' "${tree}/etc/tomcat/server.xml"
  # Where Debian has the configuration of Tomcat 10 only.
  [ "${number}" -ne 9 ] || sed -i -E 's,https://jakarta.ee/xml/ns/jakartaee,http://xmlns.jcp.org/xml/ns/javaee,g
    s/web-app_6_0/web-app_4_0/; s/version="6.0"/version="4.0"/' "${tree}/etc/tomcat/web.xml"
  attributes 0644 root tomcat /etc/tomcat/{catalina.properties,context.xml,logging.properties,server.xml,web.xml}
  attributes 0640 root tomcat /etc/tomcat/tomcat-users.xml
  cat >"${tree}/etc/tomcat/tomcat.conf" <<EOF
# For all instances; /etc/sysconfig/tomcat is for one.
TOMCAT_CFG_LOADED="1"
TOMCATS_BASE="/var/lib/tomcats/"
JAVA_HOME="/usr/lib/jvm/jre"
CATALINA_HOME="${home}"
CATALINA_TMPDIR="/var/cache/tomcat/temp"
EOF
  printf '# What differs from /etc/tomcat/tomcat.conf.\n' >"${tree}/etc/sysconfig/tomcat"
  printf '# Files *.conf of this directory are read by the shell that starts Tomcat.\n' >"${tree}/etc/tomcat/conf.d/README"
  cat >"${tree}/usr/libexec/tomcat/server" <<'EOF'
#!/bin/bash
# The configuration as EL's script reads it, and the same class with the same properties.
[ -n "${TOMCAT_CFG_LOADED}" ] || . /etc/tomcat/tomcat.conf
for file in /etc/tomcat/conf.d/*.conf; do
  [ ! -f "${file}" ] || . "${file}"
done
[ -n "${CATALINA_BASE}" ] || CATALINA_BASE=${NAME:+${TOMCATS_BASE}${NAME}}
CATALINA_BASE=${CATALINA_BASE:-${CATALINA_HOME}}
logging=${CATALINA_BASE}/conf/logging.properties
[ "$1" != start ] || JAVA_OPTS="${JAVA_OPTS} ${CATALINA_OPTS}"
cd "${CATALINA_HOME}" || exit 1
exec "${JAVA_HOME}/bin/java" ${JAVA_OPTS} \
  -classpath "${CATALINA_HOME}/bin/bootstrap.jar:${CATALINA_HOME}/bin/tomcat-juli.jar" \
  -Dcatalina.base="${CATALINA_BASE}" -Dcatalina.home="${CATALINA_HOME}" -Djava.io.tmpdir="${CATALINA_TMPDIR}" \
  -Djava.util.logging.config.file="${LOGGING_PROPERTIES:-${logging}}" \
  -Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager org.apache.catalina.startup.Bootstrap "$1"
EOF
  chmod 0755 "${tree}/usr/libexec/tomcat/server"
  tomcat_unit tomcat >"${tree}/usr/lib/systemd/system/tomcat.service"
  tomcat_unit tomcat@ >"${tree}/usr/lib/systemd/system/tomcat@.service"
  unit tomcat.service
  done_with_package

  package "${name}-webapps" "${version}" 1
  summary "Tomcat's first page"
  requires_same "${name}"
  mkdir -p "${tree}/var/lib/tomcat/webapps/ROOT"
  printf '<!doctype html>\n<title>Tomcat</title>\n<p>The page of the package %s-webapps.</p>\n' "${name}" \
    >"${tree}/var/lib/tomcat/webapps/ROOT/index.html"
  done_with_package
}

case "${major}" in
  7) ;;
  10)
    tomcat tomcat 10
    tomcat tomcat9 9
    ;;
  *) tomcat tomcat 9 ;;
esac
