# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services that manage a node's network would do to a VIP."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence


def network_warnings(found: Sequence[Mapping[str, t.Any]], interfaces: Collection[str]) -> list[str]:
    """What would take a VIP away although nothing is wrong, and what to do about it, one text each.

    found: `survey.network` of the module node_survey: `[{interface, manager, file, keeps}, ...]`.
    interfaces: the interfaces on which VIPs stand.
    Sources: systemd.network(5) on KeepConfiguration; keepalived issues 836, 1385, 2479 (networkd), 2564 (nmcli).
    No setting of NetworkManager keeps an address that it did not bring; the figures stand in docs/failover.md.
    """
    warnings = []
    for entry in found:
        if entry["interface"] not in interfaces or entry["keeps"]:
            continue
        if entry["manager"] == "systemd-networkd":
            warnings.append(
                f"{entry['interface']} is managed by systemd-networkd, which takes the VIPs away when it is restarted, "
                "until keepalived notices and puts them back; "
                f"set KeepConfiguration=static in the section [Network] of {entry['file']}"
            )
        else:
            warnings.append(
                f"{entry['interface']} is managed by {entry['manager']}, which takes the VIPs away for some "
                "hundredths of a second when its connection is brought up again or reapplied, until keepalived puts "
                "them back; change the connection while the other node owns the VIPs"
            )
    return warnings
