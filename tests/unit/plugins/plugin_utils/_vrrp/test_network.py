# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about services that would take a VIP away."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.network import network_warnings


def found(**changes: t.Any) -> list[dict[str, t.Any]]:
    """What a survey finds on one interface."""
    entry = {
        "interface": "eth0",
        "manager": "systemd-networkd",
        "file": "/etc/systemd/network/10-eth0.network",
        "keeps": False,
    }
    return [{**entry, **changes}]


def test_networkd_is_told_with_its_cure() -> None:
    assert network_warnings(found(), {"eth0"}) == [
        "eth0 is managed by systemd-networkd, which takes the VIPs away when it is restarted, until keepalived notices "
        "and puts them back; set KeepConfiguration=static in the section [Network] of "
        "/etc/systemd/network/10-eth0.network"
    ]


def test_network_manager_is_told_with_its_cure() -> None:
    assert network_warnings(found(manager="NetworkManager", file=None), {"eth0"}) == [
        "eth0 is managed by NetworkManager, which takes the VIPs away for some hundredths of a second when its "
        "connection is brought up again or reapplied, until keepalived puts them back; change the connection while the "
        "other node owns the VIPs"
    ]


@pytest.mark.parametrize(("entries", "interfaces"), [(found(keeps=True), {"eth0"}), (found(), {"eth1"}), ([], set())])
def test_nothing_is_said_where_nothing_will_surprise(entries: list[dict[str, t.Any]], interfaces: set[str]) -> None:
    assert network_warnings(entries, interfaces) == []
