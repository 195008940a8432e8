# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the other scripts of this directory: where things are, and how a script speaks.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${root}/.cache
# A lane is a tool chain beside the usual one, with the ansible-core and the controller's Python of its name, for example
# HA_PAIR_LANE=2.16-py3.12.
venv=${HA_PAIR_LANE:+${cache}/lanes/${HA_PAIR_LANE}}
venv=${venv:-${root}/.venv}
script=$(basename "$0" .sh)

say() { printf '%s: %s\n' "${script}" "$*"; }

die() {
  printf '%s: error: %s\n' "${script}" "$*" >&2
  exit 1
}

# The scenarios whose molecule.yml names this command; tests/unit/tools/test_matrix.py sees that each names one.
scenarios_of() {
  grep -lx "# run by: $1" "${root}"/molecule/*/molecule.yml | sed 's|/molecule.yml$||; s|.*/||'
}

# Everything that Ansible keeps between runs stays inside the checkout, so two checkouts share nothing.
project_environment() {
  export ANSIBLE_HOME=${root}/.ansible
  export ANSIBLE_COLLECTIONS_PATH=${root}/collections
  export ANSIBLE_CONFIG=${root}/ansible.cfg
  export ANSIBLE_PIPELINING=true
  export ANSIBLE_LOCALHOST_WARNING=false
  # The scenarios are at the top level on purpose; Molecule would warn at every call.
  export MOLECULE_GLOB='molecule/*/molecule.yml'
  # A terminal without a UTF-8 locale makes Ansible refuse to start.
  case "$(locale charmap 2>/dev/null)" in
    UTF-8) ;;
    *) export LC_ALL=C.UTF-8 ;;
  esac
  case ":${PATH}:" in
    *":${venv}/bin:"*) ;;
    *) export PATH=${venv}/bin:${PATH} ;;
  esac
}

# Packages of this machine's own distribution, for what the lab cannot do without; the last lines say what went wrong.
apt_install() {
  mkdir -p "${cache}/packages"
  if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"; } \
    >"${cache}/packages/apt.log" 2>&1; then
    tail -n 5 "${cache}/packages/apt.log" >&2
    return 1
  fi
}

dnf_install() {
  mkdir -p "${cache}/packages"
  if ! dnf --assumeyes install "$@" >"${cache}/packages/dnf.log" 2>&1; then
    tail -n 3 "${cache}/packages/dnf.log" >&2
    return 1
  fi
}

# The scenarios with Tomcat compile their application.
need_compiler() {
  command -v javac >/dev/null && return
  local cure="install a JDK: Debian, Ubuntu: sudo apt-get install default-jdk-headless; EL, Fedora: sudo dnf install \
java-21-openjdk-devel (java-17-openjdk-devel on EL 8)"
  [ "$(id -u)" -eq 0 ] || die "there is no javac, and only root can install one; ${cure}"
  # On standard error: what the callers print is a path.
  say "installing a JDK from the distribution's packages" >&2
  if command -v apt-get >/dev/null; then
    apt_install default-jdk-headless || die "there is no javac, and none could be installed; ${cure}"
  elif command -v dnf >/dev/null; then
    dnf_install java-21-openjdk-devel || dnf_install java-17-openjdk-devel \
      || die "there is no javac, and none could be installed; ${cure}"
  fi
  command -v javac >/dev/null || die "there is no javac; ${cure}"
}
