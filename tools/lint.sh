#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All linters over the working tree. Every one runs, then the failed ones are named: one call shows all there is to do.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

failed=()
check() {
  local name=$1
  shift
  say "${name}"
  "$@" || failed+=("${name}")
}

typed=()
for room in filter action plugin_utils; do
  [ -d "plugins/${room}" ] && typed+=(-p "ansible_collections.duplex.ha_pair.plugins.${room}")
done

check yamllint yamllint --strict .
check 'ruff check' ruff check --quiet
check 'ruff format' ruff format --check --quiet
# By its full name, as Ansible imports it: the tree under plugins/ would be found twice.
check 'mypy (plugins)' mypy "${typed[@]}"
check 'mypy (lab, tools, awx, benchmarks, scenarios)' mypy lab tools awx $(find benchmarks molecule -name '*.py' 2>/dev/null)
check antsibull-changelog antsibull-changelog lint
check ansible-lint ansible-lint --strict --nocolor -q

if [ ${#failed[@]} -gt 0 ]; then
  die "failed: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
fi
say "all passed"
