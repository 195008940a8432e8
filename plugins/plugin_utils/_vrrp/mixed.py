# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two versions of keepalived cannot do together.

2.1.5, 2.2.7 and 2.3.3 were measured to go together with every way of speaking VRRP. 1.3.5 counts another checksum for
VRRPv3 by unicast. A newer keepalived could be told to count the old one (old_unicast_checksum), but only by a run that
knows the peer: one that is limited to the newer node, because the peer is dead, would print another configuration and
part the pair. So the inventory has to name a way that both speak.
"""

from __future__ import annotations

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from .capabilities import Capabilities
from .inputs import PairInput


def check_mixed(pair: PairInput, own: Capabilities, peers: Capabilities | None, reader: Reader) -> None:
    """Refuse instances by which the two would not hear each other; nothing is said while the peer is not known."""
    if peers is None or ("rfc_checksum" in own) == ("rfc_checksum" in peers):
        return
    old, new = (
        ((pair.node, own), (pair.peer, peers)) if "rfc_checksum" in peers else ((pair.peer, peers), (pair.node, own))
    )
    for instance in pair.instances:
        if instance.vrrp_version != 3 or instance.multicast:
            continue
        cure = "set multicast: true"
        if instance.family == 4:
            cure = "set vrrp_version: 2 (adverts at whole seconds), or multicast: true where the network lets it pass"
        reader.refuse(
            f"{instance.place}.vrrp_version",
            f"3 by unicast is not one protocol in this pair: keepalived {old[1].version} of {old[0]} drops the adverts "
            f"of {new[1].version} of {new[0]} for their checksum, and both would own the VIPs",
            f"{cure}; or bring both nodes to one release",
        )
