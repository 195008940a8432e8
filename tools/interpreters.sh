# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced: finds the Pythons of this machine, on PATH or kept by pyenv.

# Prints the path of the interpreter of that version, fails when there is none. A name on PATH is run, not believed.
find_interpreter() {
  local version=$1 candidate
  for candidate in "python${version}" "${PYENV_ROOT:-${HOME}/.pyenv}/versions/${version}".*/bin/python; do
    if "${candidate}" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '${version}')" >/dev/null 2>&1; then
      "${candidate}" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}
