# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a node: used by the modules and copied to the node as the package ha_pair.

Standard library only, Python 2.7, 3.6 and newer; siblings are imported relatively so that both homes work.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
