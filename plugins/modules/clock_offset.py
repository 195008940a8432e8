#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By how much the clocks of other hosts differ from that of this one."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: clock_offset
short_description: Measure by how much the clocks of other hosts differ from this one's
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Asks the kernels of other hosts for their time by ICMP timestamps, several times each, and takes the quickest
    answer. Nothing has to be installed there and nobody logs in.
  - Moments that different hosts wrote down can be put on one time axis by it, to within RV(clock_offset.uncertainty).
  - Changes nothing.
options:
  addresses:
    description: An IPv4 address of each host. IPv6 has no such question.
    type: list
    elements: str
    required: true
  samples:
    description: How often each host is asked, 1 to 100.
    type: int
    default: 8
  timeout:
    description: Seconds to wait for one answer, at most 10. A host that leaves the first three unanswered is given up.
    type: float
    default: 0.5
attributes:
  check_mode:
    description: Can run in check mode and returns the same.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing, however often it runs.
    support: full
  platform:
    description: Linux.
    support: full
    platforms: linux
notes:
  - Needs root or CAP_NET_RAW on the host that it runs on.
  - The hosts that are asked must let ICMP type 13 in and type 14 out. Some firewalls of cloud providers do not.
  - The answer is a time of day. A clock that is wrong by whole days looks right.
seealso:
  - module: duplex.ha_pair.owner_watch
    description: Writes down the moments that are to be compared.
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: Compare the clocks of both nodes with the observer's
  duplex.ha_pair.clock_offset:
    addresses:
      - 192.0.2.11
      - 192.0.2.12
  become: true
  delegate_to: observer
  register: clocks
"""

RETURN = r"""
clock_offset:
  description: What was measured, by address.
  returned: success
  type: dict
  contains:
    offset:
      description: The clock of that host minus the clock of this one, in seconds. V(null) when not measured.
      type: float
    uncertainty:
      description:
        - By how much RV(clock_offset.offset) may be wrong, in seconds. It is half of the way there and back, and the
          millisecond to which the answer is cut.
      type: float
    round_trip:
      description: How long the quickest answer took, in seconds.
      type: float
    samples:
      description: How many answers came.
      type: int
    problem:
      description: Why nothing was measured, and what helps, else V(null).
      type: str
  sample:
    192.0.2.11: {offset: -0.0021, uncertainty: 0.00112, round_trip: 0.00024, samples: 8, problem: null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.clock import SAMPLES, TIMEOUT, measure
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

ARGUMENT_SPEC = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "samples": {"type": "int", "default": SAMPLES},
    "timeout": {"type": "float", "default": TIMEOUT},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        measured = measure(module.params["addresses"], module.params["samples"], module.params["timeout"])
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, clock_offset=measured)


if __name__ == "__main__":
    main()
