# -*- coding: utf-8 -*-
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs say comes without control characters into what modules and programs say."""

from __future__ import absolute_import, division, print_function

import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.target import UnsupportedError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.wording import cleaned

__metaclass__ = type


class TestCleaned(unittest.TestCase):
    def test_colours_and_control_characters(self):
        self.assertEqual(cleaned("\x1b[1;31mred\x1b[0m\a\x00"), "red??")
        self.assertEqual(cleaned(u"a\x9b\x7fé"), u"a??é")

    def test_lines_stay_lines(self):
        self.assertEqual(cleaned("a\r\nb\rc\n\td"), "a\nb c\n d")

    def test_bytes_are_text(self):
        # In Python 2 they are what str() gives.
        self.assertEqual(cleaned(b"caf\xc3\xa9"), u"café" if str is not bytes else b"caf\xc3\xa9")

    def test_what_is_no_text(self):
        self.assertEqual(cleaned(5), 5)
        self.assertIsNone(cleaned(None))


class TestErrors(unittest.TestCase):
    def test_every_error_is_clean(self):
        for kind in (NodeError, UnsupportedError):
            said = str(kind("nft: failed (%s); install it" % "\x1b[31mno\x07\x1b[0m"))
            self.assertEqual(said, "nft: failed (no?); install it")

    def test_an_error_without_words(self):
        self.assertEqual(str(NodeError()), "")
