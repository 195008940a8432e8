# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for CentOS and its relatives run on a node: used by them and never installed.

Standard library only, Python 2.7, 3.6 and newer.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
