#!/bin/sh
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Stands in for the Python of a node: Ansible pipes a module into it, and it answers with what is written for that module
# beside the name by which it was called, after the time that `seconds` says. It runs nothing of what it is given.
node=$(dirname "$0")
module=$(grep -aoE -m 1 "(module_fqn|mod_name)='[A-Za-z0-9_.]+'")
module=${module%\'}
module=${module##*.}
echo "${module:-unknown}" >>"${node}/asked"
read -r seconds <"${node}/../seconds"
[ "${seconds}" = 0 ] || sleep "${seconds}"
if [ -f "${node}/${module}.json" ]; then
  exec cat "${node}/${module}.json"
fi
echo "{\"failed\": true, \"msg\": \"benchmarks/scale/simulated_pairs.py has no answer for the module '${module}'; add it\"}"
