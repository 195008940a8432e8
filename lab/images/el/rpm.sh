# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced: makes an RPM of a staged tree. A package is begun with `package`, described by the other functions, its files
# are put below $tree, and `done_with_package` writes its spec file; `build_packages` builds all at once.

specs=/build/specs
trees=/build/trees
rpms=/repository/appstream
mkdir -p "${specs}" "${trees}" "${rpms}"

debian=/build/debian

debian_version() { cat "${debian}/$1.version"; }

# package NAME VERSION [EPOCH [RELEASE]]: what is staged in $tree from now on is in NAME.
package() {
  package_name=$1 package_version=$2 package_epoch=${3:-0} package_release=${4:-1.standin.el${major}}
  package_arch=noarch package_header=() package_scripts='' tree=${trees}/$1-${package_release}
  declare -gA file_attributes=() owned_directories=() ghosts=()
  rm -rf "${tree}"
  mkdir -p "${tree}"
}

binary() { package_arch=$(uname -m); }
header() { package_header+=("$1: $2"); }
summary() { header Summary "$* (EL-shaped stand-in)"; }

requires() {
  local word
  for word; do header Requires "${word}"; done
}

provides() {
  local word
  for word; do header Provides "${word}"; done
}

# Other packages in the same version and release.
requires_same() {
  local word
  for word; do requires "${word} = ${package_epoch}:${package_version}-${package_release}"; done
}

# attributes MODE USER GROUP PATH...
attributes() {
  local mode=$1 user=$2 group=$3 path
  shift 3
  for path; do file_attributes[${path}]="%attr(${mode},${user},${group}) "; done
}

# Directories of the package itself; those of others are only passed through.
directory() {
  local path
  for path; do
    mkdir -p "${tree}${path}"
    owned_directories[${path}]=%dir
  done
}

# Belongs to the package and is not in it.
ghost() {
  local path
  for path; do ghosts[${path}]=%ghost; done
}

# script WHEN: the text on stdin runs then.
script() { package_scripts+=$(printf '%%%s\n%s\n' "$1" "$(cat)")$'\n'; }

# account NAME HOME COMMENT [NUMBER]: made before the files are there that belong to it.
account() {
  local name=$1 home=$2 comment=$3 number=${4:-}
  script pre <<EOF
getent group ${name} >/dev/null || groupadd --system ${number:+--gid ${number}} ${name}
getent passwd ${name} >/dev/null || useradd --system ${number:+--uid ${number}} --gid ${name} --home-dir ${home} \\
  --shell /sbin/nologin --comment '${comment}' ${name}
EOF
}

# What EL's macros do for the unit: enabled or not as the preset says, never started at installation, restarted by an
# upgrade. A system that is not booted has no manager that could be told, hence the last word of each line.
unit() {
  # shellcheck disable=SC2016  # the scriptlet's own
  local number='$1'
  script post <<EOF
[ ${number} -ne 1 ] || systemctl --no-reload preset $1 >/dev/null 2>&1 || :
systemctl daemon-reload >/dev/null 2>&1 || :
EOF
  script preun <<EOF
[ ${number} -ne 0 ] || systemctl --no-reload disable --now $1 >/dev/null 2>&1 || :
EOF
  script postun <<EOF
systemctl daemon-reload >/dev/null 2>&1 || :
[ ${number} -eq 0 ] || systemctl try-restart $1 >/dev/null 2>&1 || :
EOF
}

# One line for each file, link and owned directory.
file_list() {
  local path kind
  while IFS= read -r path; do
    kind=
    case "${path}" in
      /etc/pki/rpm-gpg/* | /etc/*-release) ;;
      /etc/*) kind='%config(noreplace) ' ;;
    esac
    printf '%s%s%s\n' "${file_attributes[${path}]:-}" "${kind}" "${path}"
  done < <(cd "${tree}" && find . ! -type d -printf '/%P\n' | sort)
  for path in "${!owned_directories[@]}"; do
    printf '%s%%dir %s\n' "${file_attributes[${path}]:-}" "${path}"
  done
  for path in "${!ghosts[@]}"; do
    printf '%s%%ghost %s\n' "${file_attributes[${path}]:-}" "${path}"
  done
}

# The head of a spec file, up to where files or other packages follow.
spec_head() {
  # The files are built already, and rpmbuild must not touch them.
  printf '%%global %s %%{nil}\n' debug_package __os_install_post
  printf '%s: %s\n' Name "${package_name}" Epoch "${package_epoch}" Version "${package_version}" \
    Release "${package_release}" License 'as in Debian' Vendor 'EL-shaped stand-in' BuildArch "${package_arch}" \
    AutoReqProv no
  printf '%s\n' "${package_header[@]}"
  printf '%%description\nDebian binaries in EL layout, for tests.\n'
}

done_with_package() {
  {
    spec_head
    printf '%%install\ncp -a %s/. %%{buildroot}/\n' "${tree}"
    printf '%s' "${package_scripts}"
    printf '%%files\n%%defattr(-,root,root,-)\n'
    file_list
  } >"${specs}/${package_name}-${package_release}.spec"
}

# Packages that every machine has, for provision.sh.
from_the_beginning() { printf '%s\n' "$@" >>"${rpms}/installed"; }

build_packages() {
  # Two at once that find none of it would both make it.
  rpmdb --initdb
  mkdir /build/rpmbuild
  # Hardly compressed: they are read once, from the same disk.
  # shellcheck disable=SC2016  # the inner shell's own
  printf '%s\n' "${specs}"/*.spec | xargs -P "$(nproc)" -I SPEC sh -c 'rpmbuild -bb --quiet --define "_rpmdir $2" \
    --define "_topdir /build/rpmbuild/$(basename "$1")" --define "_binary_payload w1.gzdio" \
    --define "_build_id_links none" --define "_empty_manifest_terminate_build 0" \
    --define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "$1"' sh SPEC "${rpms}"
}
