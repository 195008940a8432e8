#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The images of the lab's hosts. `image.sh build [OS...]` makes sure that they are there, `image.sh name [OS]` prints
# the name of one, `image.sh kind [OS...]` a line for reports, `image.sh remove` deletes what was built here. An OS is
# debian11, debian12 or debian13, or an EL system: el7, el8, el9, el10 (CentOS) or rocky9. Without one, those that the
# environment asks for:
#
# HA_PAIR_LAB_OS          the OS of all hosts, debian12 unless said; HA_PAIR_LAB_OS_NODE_A, HA_PAIR_LAB_OS_NODE_B and
#                         HA_PAIR_LAB_OS_OBSERVER the OS of one
# HA_PAIR_LAB_IMAGE       a ready image of your own instead, for the hosts that have HA_PAIR_LAB_OS (systemd as PID 1,
#                         python3)
# HA_PAIR_LAB_BASE_IMAGE  the base to build from for these hosts, instead of debian:12 and its like
#
# An EL system is a stand-in made of Debian packages (lab/images/el), so that a result means the same wherever it was
# obtained. With HA_PAIR_LAB_BASE_IMAGE=quay.io/centos/centos:stream9 and HA_PAIR_LAB_OS=el9 it is the real one.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

context=${root}/lab/images
# What keepalived of EL 7 knows.
keywords=${root}/plugins/plugin_utils/_vrrp/keywords/1.3.5.txt
repository=ha-pair-lab
pull_timeout=${HA_PAIR_LAB_PULL_TIMEOUT:-120}
label=duplex.ha_pair.image
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
lab_os=${HA_PAIR_LAB_OS:-debian12}

present() { docker image inspect "$1" >/dev/null 2>&1; }

# The release of Debian that an OS is, or that its stand-in is made of: the nearest one.
release() {
  case "$1" in
    debian11 | el7 | el8) printf '11\n' ;;
    debian12 | el9 | rocky9) printf '12\n' ;;
    debian13 | el10) printf '13\n' ;;
    *)
      die "'$1' is no OS of the lab; say debian11, debian12, debian13, el7, el8, el9, el10 or rocky9" \
        "(HA_PAIR_LAB_OS, lab_os)"
      ;;
  esac
}

suite() {
  case "$(release "$1")" in
    11) printf 'bullseye\n' ;;
    12) printf 'bookworm\n' ;;
    13) printf 'trixie\n' ;;
  esac
}

# What a stand-in calls itself.
shape() {
  case "$1" in
    el7) printf 'CentOS 7\n' ;;
    rocky9) printf 'Rocky Linux 9\n' ;;
    el*) printf 'CentOS Stream %s\n' "${1#el}" ;;
  esac
}

# What a reader of a result wants to know of a stand-in: the programs whose versions decide.
programs() {
  case "$1" in
    el7) printf 'keepalived 2.1.5 with the interface of 1.3.5, nginx 1.18.0\n' ;;
    el8) printf 'keepalived 2.1.5, nginx 1.18.0\n' ;;
    el9 | rocky9) printf 'keepalived 2.2.7, nginx 1.22.1\n' ;;
    el10) printf 'keepalived 2.3.3, nginx 1.26.3\n' ;;
  esac
}

# The operating systems that the environment asks for, each once.
wanted() {
  local host
  for host in "$@"; do
    host=HA_PAIR_LAB_OS_${host}
    printf '%s\n' "${!host:-${lab_os}}"
  done | sort -u
}

# The user's own image or base, which is for one OS only.
own() { [ "$1" != "${lab_os}" ] || printf '%s' "$2"; }

# What an image is made of.
ingredients() {
  case "$1" in
    debian*) cat "${context}/Dockerfile" ;;
    *)
      (cd "${context}" && find el real -type f | LC_ALL=C sort | xargs tail -n +1)
      cat "${keywords}"
      ;;
  esac
  own "$1" "${HA_PAIR_LAB_BASE_IMAGE:-}"
}

# Named after its content: a changed Dockerfile or base is another image, an unchanged one is never rebuilt.
image_name() {
  local os=$1 image
  release "${os}" >/dev/null
  image=$(own "${os}" "${HA_PAIR_LAB_IMAGE:-}")
  if [ -n "${image}" ]; then
    printf '%s\n' "${image}"
    return
  fi
  printf '%s:%s-%s\n' "${repository}" "${os}" "$(ingredients "${os}" | sha256sum | cut -c1-12)"
}

# Where this machine gets Debian's suites of a kind from: '' for the release itself, '-security'.
own_mirror() {
  command -v apt-get >/dev/null || return 0
  # shellcheck disable=SC2016  # $(...) is apt's own notation
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null \
    | awk -v kind="$1" '$1 == "Debian" && $4 == "main" && $3 ~ "^[a-z]+" kind "$" {print $2; exit}'
}

# Debian's suite as sources lines. Signatures are checked, always; an archived suite is past its date by nature.
sources() {
  local suite=$1 main=$2 security=$3 options="signed-by=${keyring}"
  printf 'deb [%s] %s %s main\n' "${options}" "${main}" "${suite}" "${options}" "${security}" "${suite}-security"
}

install_mmdebstrap() {
  if ! command -v apt-get >/dev/null; then
    die "no registry could be reached for $1, and this system has no mmdebstrap, which would build the base from" \
      "packages: see that 'docker pull $1' works, or set HA_PAIR_LAB_BASE_IMAGE to an image of $1 that this engine has"
  fi
  if [ "$(id -u)" -ne 0 ]; then
    die "no registry could be reached for $1, and mmdebstrap or ${keyring}, which would build the base from" \
      "packages, is missing: install mmdebstrap and debian-archive-keyring, or set HA_PAIR_LAB_BASE_IMAGE to an image" \
      "of $1 that this engine has"
  fi
  say "installing mmdebstrap" >&2
  apt_install mmdebstrap debian-archive-keyring || die "mmdebstrap could not be installed"
}

base_from_packages() {
  local os=$1 suite name main security tar log attempt from
  suite=$(suite "${os}")
  name=${repository}-base:${suite}
  if present "${name}"; then
    printf '%s\n' "${name}"
    return
  fi
  mkdir -p "${cache}"
  if ! command -v mmdebstrap >/dev/null || [ ! -e "${keyring}" ]; then
    install_mmdebstrap "debian:$(release "${os}")"
  fi
  say "building the base of ${os}, ${suite}, from Debian packages (about half a minute)" >&2
  tar=${cache}/base-${suite}.tar
  log=${cache}/base-${suite}.log
  main=$(own_mirror '')
  security=$(own_mirror '-security')
  : >"${log}"
  # This machine's own mirror may have the machine's own suite only; then mmdebstrap takes its default.
  for attempt in own default; do
    from=()
    if [ "${attempt}" = own ]; then
      [ -n "${main}" ] && [ -n "${security}" ] || continue
      from=(-)
    fi
    sources "${suite}" "${main}" "${security}" >"${tar}.sources"
    if mmdebstrap --quiet --variant=minbase "${suite}" "${tar}" "${from[@]}" <"${tar}.sources" >>"${log}" 2>&1; then
      docker import "${tar}" "${name}" >&2
      rm -f "${tar}" "${tar}.sources"
      printf '%s\n' "${name}"
      return
    fi
  done
  rm -f "${tar}" "${tar}.sources"
  tail -n 20 "${log}" >&2
  die "no base of ${os} could be built from any mirror; the whole log is ${log#"${root}"/}. Where it speaks of" \
    "NO_PUBKEY, ${keyring} is older than ${suite}: upgrade debian-archive-keyring"
}

choose_base() {
  local os=$1 base registry
  registry=debian:$(release "${os}")
  base=$(own "${os}" "${HA_PAIR_LAB_BASE_IMAGE:-}")
  if [ -n "${base}" ]; then
    present "${base}" || timeout "${pull_timeout}" docker pull --quiet "${base}" >&2 \
      || die "HA_PAIR_LAB_BASE_IMAGE=${base} is neither here nor could it be pulled; name an image that is"
    printf '%s\n' "${base}"
  elif present "${registry}" || timeout "${pull_timeout}" docker pull --quiet "${registry}" >&2; then
    printf '%s\n' "${registry}"
  else
    say "no registry can be reached for ${registry}" >&2
    base_from_packages "${os}"
  fi
}

# What an image is by its own word, for example "debian 12" or "centos 9".
identity() {
  docker run --rm --entrypoint /bin/cat "$1" /etc/os-release | awk -F= '
    {gsub(/"/, "", $2)} $1 == "ID" {id = $2} $1 == "VERSION_ID" {sub(/\..*/, "", $2); version = $2}
    END {print id == "" ? "no system by its own word" : id " " version}'
}

# What is made of a base for an OS: debian, el (a stand-in) or real (EL on its own image).
recipe() {
  local os=$1 base=$2 identity
  case "${os}" in
    debian*)
      printf 'debian\n'
      return
      ;;
  esac
  identity=$(identity "${base}")
  case "${os}:${identity}" in
    *":debian $(release "${os}")")
      printf 'el\n'
      return
      ;;
    *':debian '*) ;;
    rocky9:'rocky 9' | el*:*" ${os#el}")
      printf 'real\n'
      return
      ;;
  esac
  die "HA_PAIR_LAB_BASE_IMAGE=${base} is ${identity}, and ${os} is built on an image of" \
    "$(shape "${os}"), or on debian $(release "${os}") as a stand-in"
}

build() {
  local os=$1 name base made_of recipe arguments=() log=${cache}/image-$1.log
  name=$(image_name "${os}")
  if present "${name}"; then
    say "${name} is there, nothing to do"
    return
  fi
  if [ -n "$(own "${os}" "${HA_PAIR_LAB_IMAGE:-}")" ]; then
    timeout "${pull_timeout}" docker pull --quiet "${name}" \
      || die "HA_PAIR_LAB_IMAGE=${name} is neither here nor could it be pulled; build it, or unset the variable"
    return
  fi
  base=$(choose_base "${os}")
  recipe=$(recipe "${os}" "${base}")
  case "${base}" in
    "${repository}"-base:*) made_of="base built from Debian packages" ;;
    *) made_of="base ${base}" ;;
  esac
  [ "${recipe}" != el ] || arguments=(--build-arg "SYSTEM=${os}")
  say "building ${name} on ${base}"
  mkdir -p "${cache}"
  # BuildKit is not there with every engine, and these files need nothing of it.
  if ! tar -c -C "${context}/${recipe#debian}" . -C "${keywords%/*}" "${keywords##*/}" \
    | DOCKER_BUILDKIT=0 docker build --build-arg "BASE_IMAGE=${base}" "${arguments[@]}" --label "${label}=${made_of}" \
      --label "${label}.recipe=${recipe}" --tag "${name}" - >"${log}" 2>&1; then
    tail -n 20 "${log}" >&2
    die "the image could not be built; the whole log is ${log#"${root}"/}"
  fi
}

# labelled IMAGE LABEL WITHOUT ABSENT: the label's value, or what is said of an image without it, or of none.
labelled() {
  local value
  # Of an image that is not there, an empty line is said as well.
  value=$(docker image inspect --format "{{with index .Config.Labels \"$2\"}}{{.}}{{else}}$3{{end}}" "$1" 2>/dev/null) \
    || value=$4
  printf '%s\n' "${value}"
}

kind() {
  local os name image
  for os in "$@"; do
    name=$(image_name "${os}")
    image="image ${name} ($(labelled "${name}" "${label}" 'your own' 'not built yet'))"
    if [ -n "$(own "${os}" "${HA_PAIR_LAB_IMAGE:-}")" ]; then
      printf 'node kind: container of your own image %s\n' "${name}"
      continue
    fi
    case "${os}:$(labelled "${name}" "${label}.recipe" '' '')" in
      debian*) printf 'node kind: Debian %s container, systemd, keepalived and nginx from Debian; ' "${os#debian}" ;;
      *:real) printf 'node kind: container of a real EL image, programs from its own repositories; no SELinux; ' ;;
      *)
        printf 'node kind: EL-shaped stand-in: %s by names, paths, users, units, dnf, rpm and firewalld, ' "$(shape "${os}")"
        printf 'programs of Debian %s (%s); ' "$(release "${os}")" "$(programs "${os}")"
        printf 'shows what the roles do on EL, not that programs of EL do the same; no SELinux; '
        ;;
    esac
    printf '%s\n' "${image}"
  done
}

remove() {
  local names
  names=$({ docker images --quiet --filter "label=${label}"; docker images --quiet "${repository}-base"; } | sort -u)
  [ -z "${names}" ] || docker rmi --force ${names} >/dev/null
  say "the lab's images are gone"
}

word=${1:-build}
[ $# -eq 0 ] || shift
case "${word}" in
  build)
    [ $# -gt 0 ] || set -- $(wanted NODE_A NODE_B OBSERVER)
    for os in "$@"; do
      build "${os}"
    done
    ;;
  name) image_name "${1:-${lab_os}}" ;;
  kind)
    # The nodes are what results are about.
    [ $# -gt 0 ] || set -- $(wanted NODE_A NODE_B)
    kind "$@"
    ;;
  remove) remove ;;
  *) die "unknown word '${word}'; say build, name, kind or remove" ;;
esac
