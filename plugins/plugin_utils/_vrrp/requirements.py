# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller needs to build a model."""

from __future__ import annotations

import sys

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Problem, Reader

try:
    import netaddr
except ImportError:
    netaddr = None  # type: ignore[assignment]


def reader_with_library() -> Reader:
    """A reader, when what it needs is there; raises InputError with the cure otherwise."""
    if netaddr is None:
        raise InputError(
            [
                Problem(
                    "this controller",
                    "lacks the Python library netaddr",
                    f"install it into the Python that runs Ansible: {sys.executable} -m pip install netaddr",
                )
            ]
        )
    return Reader()
