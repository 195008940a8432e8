#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-test sanity of the ansible-core in .venv or in the lane, on the built and installed artifact: what is shipped is
# what is tested, and the checkout's links, which ansible-test refuses, are not in it.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=tools/interpreters.sh
source "$(dirname "$0")/interpreters.sh"
project_environment

log=${cache}/sanity${HA_PAIR_LANE:+-${HA_PAIR_LANE}}.log
# ansible-test keeps its virtual environments under the home directory; here they go with `make clean`.
home=${cache}/home
seeds=${home}/.ansible/test/cache
mkdir -p "${seeds}" "${home}/.config"
# Only pip's files are read there, and ansible-test hides pip's environment variables.
for settings in .config/pip .pip; do
  if [ -e "${HOME}/${settings}" ] && [ ! -e "${home}/${settings}" ]; then
    ln -s "${HOME}/${settings}" "${home}/${settings}"
  fi
done

# ansible-test would download pip's bootstrap script, outside the package index. Python has the same thing inside.
python - "${seeds}" <<'PYTHON'
import pathlib
import re
import sys

import ansible_test

SCRIPT = '''\
import ensurepip
import os
import subprocess
import sys

environment = os.environ.copy()  # ensurepip changes pip's variables
ensurepip.bootstrap()
wanted = [word for word in sys.argv[1:] if "==" in word]
if wanted:
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.check_call(command + wanted, env=environment)
'''
source = pathlib.Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
for version in set(re.findall(r"""pip['"]?\s*[=:]\s*['"]([0-9.]+)""", source)):
    pathlib.Path(sys.argv[1], f"get_pip_{version.replace('.', '_')}.py").write_text(SCRIPT, encoding="utf-8")
PYTHON

# One directory with the interpreters under their plain names; a version manager's stand-ins would only print errors.
pythons=${cache}/pythons
rm -rf "${pythons}"
mkdir -p "${pythons}"
known=$(python -c 'from ansible_test._util.target.common import constants
print(*constants.REMOTE_ONLY_PYTHON_VERSIONS, *constants.CONTROLLER_PYTHON_VERSIONS)')
missing=()
for version in ${known}; do
  if interpreter=$(find_interpreter "${version}"); then
    # Not a link: Python would take the link's place for its own and not find its library.
    printf '#!/bin/sh\nexec %s "$@"\n' "${interpreter}" >"${pythons}/python${version}"
    chmod +x "${pythons}/python${version}"
  else
    missing+=("${version}")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  say "skipped: compile and import tests on Python ${missing[*]}: this machine has none (neither on PATH nor in pyenv)"
fi
case " ${known} " in
  *' 2.7 '*) ;;
  *)
    say "skipped: ansible-test on Python 2.7 and 3.6: this ansible-core has left them; make test-matrix tests there with" \
      "ansible-core 2.16"
    ;;
esac
if [ -x "${pythons}/python2.7" ]; then
  # Python 2 cannot make virtual environments by itself.
  HOME=${home} "${pythons}/python2.7" -m pip install --quiet --user --no-warn-script-location --require-hashes \
    -r "${root}/requirements/virtualenv.txt" >"${log}" 2>&1 \
    || { tail -n 5 "${log}" >&2; die "virtualenv could not be installed for Python 2.7"; }
fi

"${root}/tools/artifact.sh" install
cd "${cache}/installed/ansible_collections/duplex/ha_pair"
# ansible-test asks git which files there are. Here it would find the checkout around this copy, which ignores it, and
# pass without having looked at anything.
git init --quiet
unset ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG ANSIBLE_HOME
code=0
HOME=${home} PATH=${venv}/bin:${pythons}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  ansible-test sanity --local --color no >"${log}" 2>&1 || code=$?
grep -E '^(Running sanity test|ERROR|FATAL|WARNING: (Skipping|All))' "${log}" || code=1
if [ "${code}" -ne 0 ]; then
  tail -n 8 "${log}" >&2
  die "failed; the whole log is ${log#"${root}"/}"
fi
if grep -q 'All targets skipped' "${log}"; then
  die "ansible-test found nothing to test in $(pwd)"
fi
say "passed, with ansible-core $(ansible_core_version)"
