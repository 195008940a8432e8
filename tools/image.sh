#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The image of the lab's nodes. `image.sh build` makes sure that it is there, `image.sh name` prints its name,
# `image.sh kind` one line for reports, `image.sh remove` deletes what was built here.
#
# HA_PAIR_LAB_IMAGE       a ready image of your own instead (systemd as PID 1, python3)
# HA_PAIR_LAB_BASE_IMAGE  the base to build from instead of debian:12
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

context=${root}/lab/images
repository=ha-pair-lab
wanted_base=${HA_PAIR_LAB_BASE_IMAGE:-}
pull_timeout=${HA_PAIR_LAB_PULL_TIMEOUT:-120}
label=duplex.ha_pair.image

present() { docker image inspect "$1" >/dev/null 2>&1; }

# Named after its content: a changed Dockerfile or base is another image, an unchanged one is never rebuilt.
image_name() {
  if [ -n "${HA_PAIR_LAB_IMAGE:-}" ]; then
    printf '%s\n' "${HA_PAIR_LAB_IMAGE}"
    return
  fi
  printf '%s:%s\n' "${repository}" "$({ cat "${context}/Dockerfile"; printf '%s' "${wanted_base}"; } \
    | sha256sum | cut -c1-12)"
}

# The Debian mirror that this machine uses itself, as sources lines; nothing when it is not a Debian 12.
own_sources() {
  command -v apt-get >/dev/null || return 0
  # shellcheck disable=SC2016  # $(...) is apt's own notation
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null \
    | awk '$1 == "Debian" && $3 ~ /^bookworm(-security|-updates)?$/ && $4 == "main" {print "deb", $2, $3, $4}' \
    | sort -u
}

base_from_packages() {
  local name=${repository}-base:bookworm sources
  if present "${name}"; then
    printf '%s\n' "${name}"
    return
  fi
  if ! command -v mmdebstrap >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
      die "no registry could be reached for debian:12, and mmdebstrap, which would build the base from packages, is" \
        "missing: install mmdebstrap, or set HA_PAIR_LAB_BASE_IMAGE to a Debian 12 image that this engine has"
    fi
    say "installing mmdebstrap" >&2
    mkdir -p "${cache}"
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
      mmdebstrap debian-archive-keyring; } >"${cache}/mmdebstrap-install.log" 2>&1 \
      || { tail -n 5 "${cache}/mmdebstrap-install.log" >&2; die "mmdebstrap could not be installed"; }
  fi
  say "building the base from Debian packages (about half a minute)" >&2
  sources=$(own_sources)
  mkdir -p "${cache}"
  if [ -n "${sources}" ]; then
    printf '%s\n' "${sources}" | mmdebstrap --quiet --variant=minbase bookworm "${cache}/base.tar" - >&2
  else
    mmdebstrap --quiet --variant=minbase bookworm "${cache}/base.tar" >&2
  fi
  docker import "${cache}/base.tar" "${name}" >&2
  rm -f "${cache}/base.tar"
  printf '%s\n' "${name}"
}

choose_base() {
  if [ -n "${wanted_base}" ]; then
    present "${wanted_base}" || timeout "${pull_timeout}" docker pull --quiet "${wanted_base}" >&2 \
      || die "HA_PAIR_LAB_BASE_IMAGE=${wanted_base} is neither here nor could it be pulled; name an image that is"
    printf '%s\n' "${wanted_base}"
  elif present debian:12 || timeout "${pull_timeout}" docker pull --quiet debian:12 >&2; then
    printf 'debian:12\n'
  else
    say "no registry can be reached for debian:12" >&2
    base_from_packages
  fi
}

build() {
  local name base kind
  name=$(image_name)
  if present "${name}"; then
    say "${name} is there, nothing to do"
    return
  fi
  if [ -n "${HA_PAIR_LAB_IMAGE:-}" ]; then
    timeout "${pull_timeout}" docker pull --quiet "${name}" \
      || die "HA_PAIR_LAB_IMAGE=${name} is neither here nor could it be pulled; build it, or unset the variable"
    return
  fi
  base=$(choose_base)
  case "${base}" in
    "${repository}"-base:*) kind="base built from Debian packages" ;;
    *) kind="base ${base}" ;;
  esac
  say "building ${name} on ${base}"
  mkdir -p "${cache}"
  # BuildKit is not there with every engine, and this file needs nothing of it.
  if ! DOCKER_BUILDKIT=0 docker build --build-arg "BASE_IMAGE=${base}" --label "${label}=${kind}" \
    --tag "${name}" "${context}" >"${cache}/image.log" 2>&1; then
    tail -n 20 "${cache}/image.log" >&2
    die "the image could not be built; the whole log is ${cache#"${root}"/}/image.log"
  fi
}

kind() {
  local name
  name=$(image_name)
  if [ -n "${HA_PAIR_LAB_IMAGE:-}" ]; then
    printf 'node kind: container of your own image %s\n' "${name}"
    return
  fi
  printf 'node kind: Debian 12 container, systemd, keepalived and nginx from Debian; image %s (%s)\n' "${name}" \
    "$(docker image inspect --format "{{with index .Config.Labels \"${label}\"}}{{.}}{{else}}your own{{end}}" "${name}")"
}

remove() {
  local names
  names=$(docker images --quiet --filter "label=${label}" | sort -u)
  [ -z "${names}" ] || docker rmi --force ${names} >/dev/null
  present "${repository}-base:bookworm" && docker rmi --force "${repository}-base:bookworm" >/dev/null
  say "the lab's images are gone"
}

case "${1:-build}" in
  build) build ;;
  name) image_name ;;
  kind) kind ;;
  remove) remove ;;
  *) die "unknown word '$1'; say build, name, kind or remove" ;;
esac
