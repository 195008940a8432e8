# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this package."""

from __future__ import absolute_import, division, print_function

from .wording import cleaned

__metaclass__ = type


class NodeError(Exception):
    """Something a person has to mend; the text names place, value and cure, and has no control characters.

    What it cites is what some program said.
    """

    def __init__(self, *words):
        super(NodeError, self).__init__(*[cleaned(word) for word in words])
