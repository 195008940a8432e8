#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Writes requirements/*.txt anew: the newest versions that the *.in files allow, hashed, for Python 3.11 to 3.13.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
cd "${root}"

for name in uv dev core-2.16 virtualenv; do
  # No index in the output: which one to ask is the business of the machine that installs.
  "${venv}/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
    "requirements/${name}.in" --output-file "requirements/${name}.txt"
  say "wrote requirements/${name}.txt"
done
