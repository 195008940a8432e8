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

# Asked of the library: `ansible --version | head -n 1` prints a traceback when head has gone before all is written.
ansible_core_version() {
  "${venv}/bin/python" -c 'from ansible.release import __version__; print(__version__)'
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

need_version() {
  [[ "$1" =~ ^[A-Za-z0-9._-]+$ ]] || die "'$1' is no version; give letters, digits, . _ and -"
}

# Whether a file is newer than the sources it is made of, and than the script that makes it.
is_built() {
  local target=$1
  shift
  [ -f "${target}" ] && [ -z "$(find "$@" "$0" -newer "${target}" -type f)" ]
}

# `pack ARCHIVE DIRECTORY [FIRST]`: a war or jar of a manifest or descriptor, which comes first, and the classes; one
# time for all and one order, so that the same files have the same bytes.
pack() {
  python3 - "$@" <<'PYTHON'
import os
import sys
import zipfile
from pathlib import Path

target, directory = Path(sys.argv[1]), Path(sys.argv[2])
files = [directory / name for name in sys.argv[3:]] + sorted(directory.rglob("*.class"))
temporary = directory / "packed"
with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in files:
        entry = zipfile.ZipInfo(path.relative_to(directory).as_posix(), (2020, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, path.read_bytes())
os.replace(temporary, target)
PYTHON
}
