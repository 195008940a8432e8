# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys of sites: read, tried with each other, named after what they hold.

No message holds any of their text, and neither does the model of the sites: only `tls_files` gives it away.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import sys
import tempfile
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .._problems import Reader, kind, shown

TLS_KEYS = ("certificate", "key")
TLS_CURE = "give {certificate: /path/web.crt, key: /path/web.key}, of files on the controller, or PEM text"
PEM_CURE = "give PEM text, or the absolute path of a PEM file on the controller"

CERTIFICATE = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")
KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
ENCRYPTED = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """A certificate (or chain) and its private key, both as PEM text that ends with a line break."""

    certificate: str
    key: str

    def paths(self, directory: str, site: str) -> tuple[str, str]:
        """Where the two lie on a node.

        Named after the certificate, which determines the key: a new pair gets new files, and until the configuration
        names those, nginx has the old ones.
        """
        digest = hashlib.sha256(self.certificate.encode()).hexdigest()[:16]
        return f"{directory}/{site}-{digest}.crt", f"{directory}/{site}-{digest}.key"


def readable_paths(sites: object) -> list[str]:
    """The files on the controller that `tls` of sites names and that can be read; `read_pair` refuses the others."""
    found: list[str] = []
    for entry in sites if isinstance(sites, (list, tuple)) else ():
        tls = entry.get("tls") if isinstance(entry, Mapping) else None
        if not isinstance(tls, Mapping):
            continue
        for name in TLS_KEYS:
            text = _text(tls.get(name)) or ""
            if _is_path(text) and text not in found and os.path.isfile(text) and os.access(text, os.R_OK):
                found.append(text)
    return found


def read_pair(reader: Reader, place: str, site: str, given: object, files: Mapping[str, str]) -> Pair | None:
    """The pair, or None after a refusal. `files` has the text of the files that `readable_paths` named, by path."""
    if not isinstance(given, Mapping):
        reader.refuse(place, f"is {kind(given)}, not a dictionary", TLS_CURE)
        return None
    reader.keys(place, given, TLS_KEYS)
    certificate = _pem(reader, f"{place}.certificate", given.get("certificate"), files, CERTIFICATE, "certificate")
    key = _pem(reader, f"{place}.key", given.get("key"), files, KEY, "private key")
    if certificate is not None and KEY.search(certificate):
        reader.refuse(
            f"{place}.certificate",
            "holds a private key beside the certificate",
            "give the key in key only, which is written for root alone",
        )
        return None
    if key is not None and ENCRYPTED.search(key):
        reader.refuse(
            f"{place}.key",
            "is encrypted, and nobody is there to type the pass phrase when nginx starts",
            'remove the pass phrase with "openssl pkey", and keep the key in a vault',
        )
        return None
    if certificate is None or key is None:
        return None
    return Pair(certificate, key) if _usable(reader, place, site, certificate, key) else None


def _text(given: object) -> str | None:
    # A value that the inventory holds encrypted is, with older ansible-core, an object that is no string.
    if isinstance(given, str) or getattr(given, "__ENCRYPTED__", False):
        return str(given)
    return None


def _is_path(text: str) -> bool:
    return text.startswith("/") and "\n" not in text


def _pem(
    reader: Reader, place: str, given: object, files: Mapping[str, str], block: re.Pattern[str], what: str
) -> str | None:
    if given is None:
        reader.refuse(place, "is missing", PEM_CURE)
        return None
    text = _text(given)
    if text is None:
        reader.refuse(place, f"is {kind(given)}, not a string", PEM_CURE)
        return None
    name = ""
    if _is_path(text):
        if text not in files:
            reader.refuse(place, f"{shown(text)} is no file that can be read on the controller", PEM_CURE)
            return None
        name = f"{shown(text)} "
        text = str(files[text])
    elif "-----BEGIN " not in text:
        reader.refuse(place, "is neither PEM text nor an absolute path", PEM_CURE)
        return None
    if not block.search(text):
        reader.refuse(place, f"{name}holds no {what} in PEM form", PEM_CURE)
        return None
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _usable(reader: Reader, place: str, site: str, certificate: str, key: str) -> bool:
    """Whether the two can be loaded together, by the library that nginx itself uses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError) as exc:
        reader.refuse(
            f"{place}.certificate",
            f"is damaged ({_reason(exc)})",
            "give the certificate as the authority issued it",
        )
        return False
    try:
        with _private_file(certificate) as certificate_file, _private_file(key) as key_file:
            # Without an answer of our own, a key that is encrypted after all would make the library ask the terminal.
            context.load_cert_chain(certificate_file, key_file, password=lambda: "")
    except (ssl.SSLError, ValueError) as exc:
        # Of the same kind and not the same, or of a kind of which there is no certificate.
        if getattr(exc, "reason", None) in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            reader.refuse(
                f"{place}.key",
                f"does not belong to {place}.certificate of site {shown(site)}",
                "give the key that the certificate was issued for; in a chain, the server's own certificate is first",
            )
        else:
            reader.refuse(
                f"{place}.key",
                f"cannot be used with {place}.certificate of site {shown(site)} ({_reason(exc)})",
                "give both as nginx is to read them",
            )
        return False
    return True


def _reason(problem: Exception) -> str:
    reason = getattr(problem, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else "no reason given"


@contextmanager
def _private_file(text: str) -> Iterator[str]:
    """A path by which the library reads the text and nobody else does; in memory where the system can do that."""
    if sys.platform == "linux" and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create("ha-pair", os.MFD_CLOEXEC), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            yield f"/proc/self/fd/{stream.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            yield stream.name


def tls_files(sites: object, *, files: object, tls_directory: str) -> list[dict[str, t.Any]]:
    """What is to lie on a node: dictionaries with `path`, `mode` and the secret `content`.

    Of the sites, only what leads to that is read; `build_sites` judges the rest.
    """
    reader = Reader()
    known = files if isinstance(files, Mapping) else {}
    found: list[dict[str, t.Any]] = []
    for index, entry in enumerate(sites if isinstance(sites, (list, tuple)) else ()):
        if not isinstance(entry, Mapping) or entry.get("tls") is None:
            continue
        name = str(entry.get("name"))
        pair = read_pair(reader, f"nginx_sites[{index}].tls", name, entry["tls"], known)
        if pair is not None:
            certificate, key = pair.paths(tls_directory, name)
            found.append({"path": certificate, "mode": "0644", "content": pair.certificate})
            found.append({"path": key, "mode": "0600", "content": pair.key})
    reader.finish()
    return found
