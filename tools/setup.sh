#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes .venv, exactly as requirements/*.txt lock it. Does nothing when that is already so.
#
# HA_PAIR_PYTHON  the interpreter to use; otherwise the newest of 3.13, 3.12, 3.11 that is found
# HA_PAIR_LANE    makes .cache/lanes/NAME instead, for example 2.16-py3.12: requirements/core-2.16.txt on Python 3.12;
#                 where that Python is not on this machine, the exit code is 3
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/interpreters.sh
source "$(dirname "$0")/interpreters.sh"

lane=${HA_PAIR_LANE:-}
core=${lane%%-py*}
[ -z "${lane}" ] || [[ ${lane} =~ ^2\.[0-9]+-py3\.[0-9]+$ ]] \
  || die "HA_PAIR_LANE=${lane} is no lane: name ansible-core and Python, for example 2.16-py3.12"
# The newest ansible-core for a Python is what the usual lock has.
lock=${root}/requirements/core-${core}.txt
[ -n "${lane}" ] && [ -e "${lock}" ] || lock=${root}/requirements/dev.txt
locks=("${root}/requirements/uv.txt" "${lock}")
place=${venv#"${root}"/}
stamp=${venv}/.synchronised
log=${cache}/setup${lane:+-${lane}}.log

# A name on PATH may be a version manager's stand-in that only prints an error, so it is run, not looked up.
suitable() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
  local candidate
  if [ -n "${lane}" ]; then
    find_interpreter "${lane##*-py}" && return
    say "skipped: lane ${lane}: this machine has no Python ${lane##*-py} (neither on PATH nor in pyenv)" >&2
    exit 3
  fi
  if [ -n "${HA_PAIR_PYTHON:-}" ]; then
    suitable "${HA_PAIR_PYTHON}" \
      || die "HA_PAIR_PYTHON=${HA_PAIR_PYTHON} is not Python 3.11, 3.12 or 3.13: name one that is, or unset it"
    printf '%s\n' "${HA_PAIR_PYTHON}"
    return
  fi
  for candidate in python3.13 python3.12 python3.11 python3; do
    if suitable "${candidate}"; then
      printf '%s\n' "${candidate}"
      return
    fi
  done
  die "no Python 3.11, 3.12 or 3.13 on PATH (python3 is $(python3 -V 2>&1 || printf 'missing')):" \
    "install one, or name it: HA_PAIR_PYTHON=/path/to/python3.12 make setup"
}

make_environment() {
  local python=$1
  rm -rf "${venv}"
  if ! "${python}" -c 'import ensurepip' 2>/dev/null; then
    # Debian and Ubuntu keep this part of the standard library in a package of its own.
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
      say "installing python3-venv"
      apt_install python3-venv || die "python3-venv could not be installed"
    else
      die "${python} cannot make virtual environments (its ensurepip is missing):" \
        "install it (Debian, Ubuntu: sudo apt-get install python3-venv), then run this again"
    fi
  fi
  "${python}" -m venv "${venv}"
}

synchronise() {
  if "${venv}/bin/python" -m pip install --quiet --require-hashes -r "${locks[0]}" >>"${log}" 2>&1 \
    && "${venv}/bin/uv" pip sync --quiet --require-hashes --python "${venv}/bin/python" "${locks[@]}" >>"${log}" 2>&1; then
    return
  fi
  # An index that only pip's own configuration knows, or a platform without uv.
  say "uv is of no use here, going on with pip (slower)"
  [ -x "${venv}/bin/pip" ] || "${venv}/bin/python" -m ensurepip >>"${log}" 2>&1
  "${venv}/bin/python" -m pip install --quiet --require-hashes -r "${locks[1]}" >>"${log}" 2>&1
}

wanted=$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)
mkdir -p "${cache}"
if [ "$(cat "${stamp}" 2>/dev/null)" = "${wanted}" ] && "${venv}/bin/python" -c '' 2>/dev/null; then
  say "the tool chain in ${place} is up to date, nothing to do"
  exit 0
fi
: >"${log}"
if [ -x "${venv}/bin/python" ] && suitable "${venv}/bin/python"; then
  say "the lock has changed, bringing ${place} up to date"
else
  python=$(find_python)
  say "making ${place} with $("${python}" -V 2>&1) from ${lock#"${root}"/}"
  mkdir -p "$(dirname "${venv}")"
  make_environment "${python}"
fi
if ! synchronise; then
  tail -n 15 "${log}" >&2
  die "the tool chain could not be installed; the whole log is ${log#"${root}"/}"
fi
found=$(ansible_core_version)
if [ -n "${lane}" ] && [[ ${found} != "${core}".* ]]; then
  rm -rf "${venv}"
  die "HA_PAIR_LANE=${lane}: ${lock#"${root}"/} has ansible-core ${found} for Python ${lane##*-py}; name a lane of" \
    "molecule/matrix/rows.yml"
fi
printf '%s\n' "${wanted}" >"${stamp}"
say "done: ansible-core ${found}"
