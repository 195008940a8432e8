# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes that Ansible forks find loaded already.

Ansible forks a process for each task of each host. One that needs a filter of a collection reads the files of all its
filters, and what they import, until it has found the one: every time, because the process ends with the task. What was
loaded by the process that forks them they inherit. Of a collection that process loads the action plugins itself, before
it forks for a task that uses one; so an action plugin calls this.
"""

from __future__ import annotations

import importlib
import pkgutil

FILTERS = "ansible_collections.duplex.ha_pair.plugins.filter"


def load_filters() -> list[str]:
    """Load all filters of the collection; their names, without those that cannot be loaded.

    Of those Ansible tells when somebody uses them.
    """
    loaded = []
    package = importlib.import_module(FILTERS)
    for found in pkgutil.iter_modules(package.__path__):
        try:
            importlib.import_module(f"{FILTERS}.{found.name}")
        except Exception:  # noqa: BLE001, S112  # whatever is wrong with one, the others can be had
            continue
        loaded.append(found.name)
    return loaded
