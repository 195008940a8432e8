# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connector's attributes, and trusted proxies in the words of Tomcat."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, shown

# Attributes of an HTTP connector that Tomcat 9 to 11 know alike. What has a variable of its own, and TLS, which ends
# at the Nginx in front, are none of these.
INTEGERS = frozenset(
    (
        "acceptCount",
        "asyncTimeout",
        "compressionMinSize",
        "connectionLinger",
        "connectionTimeout",
        "connectionUploadTimeout",
        "keepAliveTimeout",
        "maxConnections",
        "maxCookieCount",
        "maxExtensionSize",
        "maxHttpHeaderSize",
        "maxHttpRequestHeaderSize",
        "maxHttpResponseHeaderSize",
        "maxKeepAliveRequests",
        "maxParameterCount",
        "maxPartCount",
        "maxPartHeaderSize",
        "maxPostSize",
        "maxSavePostSize",
        "maxSwallowSize",
        "maxThreads",
        "maxTrailerSize",
        "minSpareThreads",
        "processorCache",
        "proxyPort",
        "redirectPort",
        "threadPriority",
    )
)
BOOLEANS = frozenset(
    (
        "allowBackslash",
        "allowTrace",
        "disableUploadTimeout",
        "enableLookups",
        "enforceEncodingInGetWriter",
        "rejectSuspiciousURIs",
        "secure",
        "serverRemoveAppProvidedValues",
        "tcpNoDelay",
        "useBodyEncodingForURI",
        "useKeepAliveResponseHeader",
        "xpoweredBy",
    )
)
TEXTS = frozenset(
    (
        "URIEncoding",
        "allowedTrailerHeaders",
        "compressibleMimeType",
        "compression",
        "encodedSolidusHandling",
        "encodedReverseSolidusHandling",
        "noCompressionUserAgents",
        "parseBodyMethods",
        "proxyName",
        "relaxedPathChars",
        "relaxedQueryChars",
        "restrictedUserAgents",
        "scheme",
        "server",
    )
)
# What the role decides, with the variable by which.
OURS = {
    "port": "tomcat_port",
    "address": "tomcat_address",
    "protocol": None,
    "bindOnInit": None,
    "SSLEnabled": None,
}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_connector(reader: Reader, given: object, node_name: str) -> tuple[tuple[str, str], ...]:
    """(attribute, value) in the order in which they are given, and the name of the node in place of the server's."""
    place = "tomcat_connector"
    entry = reader.mapping(place, {} if given is None else given, "give a dictionary such as {maxThreads: 400}")
    if entry is None:
        return ()
    known = {*INTEGERS, *BOOLEANS, *TEXTS}
    reader.keys(place, {name: value for name, value in entry.items() if name not in OURS}, known)
    found = []
    for name, value in entry.items():
        if name in OURS:
            cure = f"give {OURS[name]}" if OURS[name] else "leave it out"
            reader.refuse(f"{place}.{name}", "is decided by the role", cure)
        elif name in known:
            text = _value(reader, f"{place}.{name}", str(name), value)
            if text is not None:
                found.append((str(name), text))
    # By this header whoever asks knows which node answered; Tomcat has no other that needs no program.
    return (*found, ("server", node_name)) if "server" not in entry else tuple(found)


def _value(reader: Reader, place: str, name: str, value: object) -> str | None:
    if name in INTEGERS:
        number = reader.integer(place, value, -1, 2**31 - 1, "give a number such as 200")
        return None if number is None else str(number)
    if name in BOOLEANS:
        word = str(value).lower() if isinstance(value, (bool, str)) else ""
        if word not in ("true", "false"):
            reader.refuse(place, f"{shown(value)} is not true or false", "give true or false")
            return None
        return word
    # compression is on, off, or a number of bytes.
    if isinstance(value, bool) and name == "compression":
        return "on" if value else "off"
    return plain(reader, place, value)


def plain(reader: Reader, place: str, value: object, *, secret: bool = False) -> str | None:
    """A text without control characters, which XML would not keep; numbers and booleans as Java writes them."""
    cure = "give a text of one line"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        what = f"is {kind(value)}" if secret else f"is {kind(value)} ({shown(value)})"
        reader.refuse(place, f"{what}, not a string", cure)
        return None
    if CONTROL.search(value):
        reader.refuse(place, "holds a line break or another control character", cure)
        return None
    return value


def trusted(reader: Reader, given: object) -> str:
    """The regular expression of the proxies' addresses as Tomcat sees them; empty for none."""
    place = "tomcat_trusted_proxies"
    cure = "give a list of networks such as [192.0.2.0/24]"
    found: list[str] = []
    for index, entry in enumerate(reader.sequence(place, given, cure) or []):
        try:
            # An integer would be taken for an address.
            network = ipaddress.ip_network(entry if isinstance(entry, str) else "", strict=False)
        except ValueError:
            reader.refuse(f"{place}[{index}]", f"{shown(entry)} is not a network", cure)
            continue
        if network.prefixlen == 0:
            reader.refuse(f"{place}[{index}]", f"{entry} is everybody, who could then claim any address", cure)
        elif isinstance(network, ipaddress.IPv4Network):
            found.append(_ipv4(network))
        elif network.prefixlen % 16:
            reader.refuse(
                f"{place}[{index}]",
                f"{entry} ends in the middle of a group of the address, which Tomcat cannot be told",
                "give a prefix that 16 divides, such as /64 or /128",
            )
        else:
            found.append(_ipv6(network))
    return "|".join(dict.fromkeys(found))


def _ipv4(network: ipaddress.IPv4Network) -> str:
    octets = []
    for place, octet in enumerate(network.network_address.packed):
        fixed = min(8, max(0, network.prefixlen - 8 * place))
        if fixed == 8:
            octets.append(str(octet))
        elif fixed == 0:
            octets.append(r"\d{1,3}")
        else:
            octets.append(f"(?:{'|'.join(str(number) for number in range(octet, octet + 2 ** (8 - fixed)))})")
    return r"\.".join(octets)


def _ipv6(network: ipaddress.IPv6Network) -> str:
    # As Java prints it: eight groups, none left out, no leading zeros.
    groups = [f"{int(group, 16):x}" for group in network.network_address.exploded.split(":")]
    fixed = network.prefixlen // 16
    return ":".join([*groups[:fixed], *["[0-9a-f]{1,4}"] * (8 - fixed)])
