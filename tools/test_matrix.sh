#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `test_matrix.sh [ROWS [OS]]`: the rows of molecule/matrix/rows.yml, each in its own tool chain, and what only another
# ansible-core can test. See tools/matrix.py.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
# A row says itself in which lane it runs, and the whole is led from the usual tool chain.
unset HA_PAIR_LANE
project_environment
cd "${root}"

exec "${root}/.venv/bin/python" tools/matrix.py --rows "${1:-}" --system "${2:-}"
