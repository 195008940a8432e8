# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All packet filters of a node, put together: nftables, and iptables of both kinds."""

from __future__ import absolute_import, division, print_function

import json
import re

from .nft import Ruleset
from .xtables import Saved

__metaclass__ = type

_FAMILIES = ((4, "ip", "iptables", "/proc/net/ip_tables_names"), (6, "ip6", "ip6tables", "/proc/net/ip6_tables_names"))
_NOT_INSTALLED = 127
_BY_NFT = "(nf_tables)"
_DEVICES = re.compile(r"\bhook \S+ devices? =? ?(\{[^}]*\}|\S+) priority\b")
_DORMANT = re.compile(r"^\s*flags [^\n]*\bdormant\b", re.MULTILINE)


class Filters(object):
    """The chains of a node, and what of its rules could not be read.

    run: takes argv, gives (return code, stdout, stderr). read: takes a path, gives the text or None.
    """

    def __init__(self, run, read):
        self._run = run
        self._read = read
        self.chains = []
        self.unread = []
        nft = self._nft()
        self.chains += nft.chains if nft else []
        for family, table_family, program, names in _FAMILIES:
            self._iptables(nft, family, table_family, program, (read(names) or "").split())

    def _nft(self):
        """The Ruleset of nftables, None where nft is missing or prints no JSON."""
        code, out, err = self._run(["nft", "-j", "list", "ruleset"])[:3]
        if code == _NOT_INSTALLED:
            return None
        try:
            ruleset = Ruleset(json.loads(out)["nftables"]) if code == 0 else None
        except (ValueError, KeyError, TypeError):
            ruleset = None
        if ruleset is None:
            # Versions before 0.9 print text only; most of those nodes have no rules of nftables either.
            tables = self._run(["nft", "list", "tables"])[1].strip()
            if tables:
                first = (err or out).strip().splitlines() or ["nothing"]
                self.unread.append(
                    "nftables: its rules cannot be read (`nft -j list ruleset` says: %s), and it has tables (%s)"
                    % (first[0], ", ".join(tables.splitlines()))
                )
            return None
        for chain in ruleset.chains:
            if chain.devices == []:
                chain.devices = self._devices(chain)
        asleep = [place for place in ruleset.flagged if self._is_dormant(place)]
        ruleset.chains = [chain for chain in ruleset.chains if tuple(chain.table.split(" ", 1)) not in asleep]
        return ruleset

    def _devices(self, chain):
        # Asked as text: nft 1.0.6 leaves them out of JSON.
        listed = self._run(["nft", "list", "chain"] + chain.table.split(" ", 1) + [chain.name])[1]
        found = _DEVICES.search(listed)
        return [name.strip(' "') for name in re.split("[,{}]", found.group(1)) if name.strip(' "')] if found else []

    def _is_dormant(self, place):
        # Asked as text: nft 1.0.6 prints the flags of a table wrong in JSON.
        return bool(_DORMANT.search(self._run(["nft", "list", "table", place[0], place[1]])[1]))

    def _iptables(self, nft, family, table_family, program, legacy):
        """Add the tables of iptables or ip6tables. legacy: the tables that the kernel has of the old kind."""
        saved = self._saved(family, program + "-save", program)
        if saved is not None and (saved.by_nft or not saved.tables):
            self._take_over(nft, table_family, saved)
            saved = None
        if saved is None and legacy:
            saved = self._saved(family, program + "-legacy-save", program + "-legacy")
            if saved is None:
                self.unread.append(
                    "%s: the kernel has tables of the old kind (%s), and no %s-legacy-save is installed to read them"
                    % (program, ", ".join(legacy), program)
                )
        if saved is not None:
            self.chains += saved.chains()

    def _saved(self, family, save, program):
        code, out = self._run([save])[:2]
        if code != 0:
            return None
        # Versions before 1.8.8 tell their kind only when they are asked for it.
        by_nft = _BY_NFT in out or (bool(out.strip()) and _BY_NFT in self._run([save, "--version"])[1])
        return Saved(out, family, program, by_nft)

    def _take_over(self, nft, table_family, saved):
        """iptables spells out what nft cannot of the tables that it made itself."""
        if nft is None:
            self.chains += saved.chains()
            return
        spelled = [table for table in saved.tables if nft.tables.get((table_family, table))]
        names = ["%s %s" % (table_family, table) for table in spelled]
        self.chains = [chain for chain in self.chains if chain.program != "nft" or chain.table not in names]
        self.chains += saved.chains(spelled)

    def text_of(self, chain, rule):
        """A rule as a person would find it; the policy of the chain when there is no rule."""
        if rule is None:
            return "policy drop"
        if rule.text:
            return "rule `%s`" % rule.text
        listed = self._run(["nft", "-a", "list", "chain"] + chain.table.split(" ", 1) + [chain.name])[1]
        for line in listed.splitlines():
            words, _mark, handle = line.strip().rpartition(" # handle ")
            if handle == "%s" % rule.handle:
                return "rule `%s`" % words
        return "rule with handle %s" % rule.handle
