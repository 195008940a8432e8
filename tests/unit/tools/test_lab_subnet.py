# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab refuses a subnet that this machine routes elsewhere."""

from __future__ import annotations

import re
import sys
from ipaddress import IPv4Network, IPv6Network

import lab_subnet
import pytest

HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
CURE = "set HA_PAIR_LAB_SUBNET to a free subnet, for example HA_PAIR_LAB_SUBNET="


def line(interface: str, network: str) -> str:
    """One line of the kernel's table, in this machine's byte order."""
    parsed = IPv4Network(network)
    destination, mask = (
        f"{int.from_bytes(address.packed, sys.byteorder):08X}" for address in (parsed.network_address, parsed.netmask)
    )
    return f"{interface}\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


def routes(*entries: tuple[str, str]) -> list[lab_subnet.Route]:
    return lab_subnet.parse_routes(HEADER + "".join(line(*entry) for entry in entries))


def line6(interface: str, network: str) -> str:
    """One line of the kernel's IPv6 table."""
    parsed = IPv6Network(network)
    zero = "0" * 32
    destination = parsed.network_address.packed.hex()
    return f"{destination} {parsed.prefixlen:02x} {zero} 00 {zero} 00000100 00000001 00000000 00000001 {interface:>8}\n"


def routes6(*entries: tuple[str, str]) -> list[lab_subnet.Route]:
    return lab_subnet.parse_routes6("".join(line6(*entry) for entry in entries))


def test_reads_the_kernels_table() -> None:
    assert routes(("eth0", "0.0.0.0/0"), ("eth1", "172.29.0.0/16")) == [
        lab_subnet.Route(IPv4Network("0.0.0.0/0"), "eth0"),
        lab_subnet.Route(IPv4Network("172.29.0.0/16"), "eth1"),
    ]


@pytest.mark.parametrize(
    ("value", "known", "problem"),
    [
        (
            "172.29.77.0/24",
            [("tun0", "172.29.0.0/16")],
            "HA_PAIR_LAB_SUBNET=172.29.77.0/24 overlaps the route 172.29.0.0/16 on tun0 of this machine; "
            + CURE
            + "10.213.77.0/24",
        ),
        (
            "172.29.77.0/24",
            [("eth1", "172.29.77.128/25")],
            "HA_PAIR_LAB_SUBNET=172.29.77.0/24 overlaps the route 172.29.77.128/25 on eth1 of this machine; "
            + CURE
            + "172.29.0.0/24",
        ),
        (
            "172.29.77.0/28",
            [],
            "HA_PAIR_LAB_SUBNET=172.29.77.0/28 is too small, the lab needs at least a /25; " + CURE + "172.29.78.0/24",
        ),
        (
            "172.29.77.1/24",
            [],
            "HA_PAIR_LAB_SUBNET=172.29.77.1/24: 172.29.77.1/24 has host bits set; " + CURE + "172.29.78.0/24",
        ),
        (
            "here",
            [],
            "HA_PAIR_LAB_SUBNET=here: Expected 4 octets in 'here'; " + CURE + "172.29.78.0/24",
        ),
    ],
)
def test_refuses(value: str, known: list[tuple[str, str]], problem: str) -> None:
    with pytest.raises(lab_subnet.SubnetError, match=f"^{re.escape(problem)}$"):
        lab_subnet.check(value, routes(*known), None)


@pytest.mark.parametrize(
    ("known", "own"),
    [
        ([("eth0", "0.0.0.0/0")], None),
        ([("eth0", "172.29.78.0/24")], None),
        ([("br-0123456789ab", "172.29.77.0/24")], "br-0123456789ab"),
    ],
)
def test_accepts(known: list[tuple[str, str]], own: str | None) -> None:
    assert lab_subnet.check("172.29.77.0/24", routes(*known), own) == IPv4Network("172.29.77.0/24")


def test_reads_the_kernels_ipv6_table_without_its_own_addresses() -> None:
    assert routes6(("eth0", "::/0"), ("eth1", "fd00::/64"), ("lo", "fd00::2/128")) == [
        lab_subnet.Route(IPv6Network("::/0"), "eth0"),
        lab_subnet.Route(IPv6Network("fd00::/64"), "eth1"),
    ]


@pytest.mark.parametrize(
    ("value", "known", "problem"),
    [
        (
            "fd77:ac1d:4d00::/64",
            [("tun0", "fd77:ac1d:4d00::/48")],
            "HA_PAIR_LAB_SUBNET6=fd77:ac1d:4d00::/64 overlaps the route fd77:ac1d:4d00::/48 on tun0 of this machine; "
            "set HA_PAIR_LAB_SUBNET6 to a free subnet, for example HA_PAIR_LAB_SUBNET6=fd77:ac1d::/64",
        ),
        (
            "fd77:ac1d:4d00::/64",
            [("tun0", "fd77::/16")],
            "HA_PAIR_LAB_SUBNET6=fd77:ac1d:4d00::/64 overlaps the route fd77::/16 on tun0 of this machine; "
            "set HA_PAIR_LAB_SUBNET6 to a free subnet, for example HA_PAIR_LAB_SUBNET6=fdd5:4d00:ac1d::/64",
        ),
        (
            "fd77:ac1d:4d00::/80",
            [],
            "HA_PAIR_LAB_SUBNET6=fd77:ac1d:4d00::/80 is too small, the lab needs at least a /64; "
            "set HA_PAIR_LAB_SUBNET6 to a free subnet, for example HA_PAIR_LAB_SUBNET6=fd77:ac1d:4e00::/64",
        ),
        (
            "172.29.77.0/24",
            [],
            "HA_PAIR_LAB_SUBNET6=172.29.77.0/24: At least 3 parts expected in '172.29.77.0'; "
            "set HA_PAIR_LAB_SUBNET6 to a free subnet, for example HA_PAIR_LAB_SUBNET6=fd77:ac1d:4e00::/64",
        ),
    ],
)
def test_refuses_ipv6(value: str, known: list[tuple[str, str]], problem: str) -> None:
    with pytest.raises(lab_subnet.SubnetError, match=f"^{re.escape(problem)}$"):
        lab_subnet.check(value, routes6(*known), None, "HA_PAIR_LAB_SUBNET6", 6)


@pytest.mark.parametrize(
    ("known", "own"),
    [
        ([("eth0", "::/0"), ("eth0", "fe80::/64")], None),
        ([("br-0123456789ab", "fd77:ac1d:4d00::/64")], "br-0123456789ab"),
    ],
)
def test_accepts_ipv6(known: list[tuple[str, str]], own: str | None) -> None:
    wanted = "fd77:ac1d:4d00::/64"
    assert lab_subnet.check(wanted, routes6(*known), own, "HA_PAIR_LAB_SUBNET6", 6) == IPv6Network(wanted)


def test_says_on_standard_error_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: lab_subnet.Path
) -> None:
    table = tmp_path / "route"
    table.write_text(HEADER + line("br-0123456789ab", "172.29.77.0/24"), encoding="ascii")
    monkeypatch.setattr(lab_subnet, "ROUTES", table)
    assert lab_subnet.main(["172.29.77.0/24"]) == 1
    assert "overlaps the route 172.29.77.0/24 on br-0123456789ab" in capsys.readouterr().err
    assert lab_subnet.main(["172.29.77.0/24", "--own-network=0123456789abcdef"]) == 0


def test_prints_a_free_subnet_near_the_wanted_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: lab_subnet.Path
) -> None:
    table = tmp_path / "route"
    table.write_text(HEADER + line("eth0", "0.0.0.0/0") + line("eth1", "172.29.0.0/24"), encoding="ascii")
    monkeypatch.setattr(lab_subnet, "ROUTES", table)
    assert lab_subnet.main(["--free", "172.29.77.0/24"]) == 0
    assert capsys.readouterr().out == "172.29.1.0/24\n"
