# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller needs: libraries that are not Ansible's own."""

from __future__ import annotations

import sys

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Problem, Reader

try:
    import netaddr
except ImportError:
    netaddr = None  # type: ignore[assignment]
try:
    # For the filter community.general.json_query, which would say so in the middle of a run.
    import jmespath  # type: ignore[import-untyped]
except ImportError:
    jmespath = None


def reader_with_library() -> Reader:
    """A reader, when what the collection needs is there; raises InputError with the cure otherwise."""
    missing = [name for name, found in (("netaddr", netaddr), ("jmespath", jmespath)) if found is None]
    if missing:
        raise InputError(
            Problem(
                "this controller",
                f"lacks the Python library {name}",
                f"install it into the Python that runs Ansible: {sys.executable} -m pip install {name}; for AWX build "
                "the execution environment of execution-environment.yml, which has it",
            )
            for name in missing
        )
    return Reader()
