#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The demonstration in a lab of its own; KEEP=1 leaves the lab for a look around.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
exec "${root}/tools/lab.sh" with python "${root}/lab/demo.py"
