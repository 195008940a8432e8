#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: health_gate
short_description: Pass only when a service answers well so many times in a row
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Asks a URL again and again, and ends when it has had O(consecutive) good answers in a row, or fails when O(timeout)
    is over. One bad answer, and counting begins anew.
  - Good is what the check script and the prober of a pair call good as well. With C(http) and C(https) that is 200 to
    399, without a look at the certificate, with C(tcp) that somebody accepts the connection.
options:
  url:
    description: What is asked, C(http://), C(https://) or C(tcp://HOST:PORT). One that the host itself answers.
    type: str
    required: true
  consecutive:
    description: How many good answers in a row are proof enough, 1 to 1000.
    type: int
    default: 10
  interval:
    description: Seconds from an answer to the next question, 0.01 to 60.
    type: float
    default: 0.2
  timeout:
    description: Seconds in which they have to come, 1 to 3600.
    type: float
    default: 60
attributes:
  check_mode:
    description: Asks nobody.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Linux.
    support: full
    platforms: linux
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: See that Tomcat is well
  duplex.ha_pair.health_gate:
    url: http://127.0.0.1:8080/ha-pair/health
"""

RETURN = r"""
gate:
  description: What was asked and answered.
  returned: when somebody was asked
  type: dict
  contains:
    passed:
      description: Whether there were enough good answers in a row.
      type: bool
    in_row:
      description: How many there were in a row at the end.
      type: int
    asked:
      description: How many questions there were.
      type: int
    bad:
      description: How many bad answers there were.
      type: int
    problem:
      description: What was wrong with the last bad one, V(null) without any.
      type: str
    seconds:
      description: How long it took.
      type: float
  sample: {passed: true, in_row: 10, asked: 12, bad: 2, problem: "http://127.0.0.1:8080/: answered 503", seconds: 2.4}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.check import problem_of, refuse_wrong
from ansible_collections.duplex.ha_pair.plugins.module_utils._release.gate import pass_gate

RANGES = {"consecutive": (1, 1000), "interval": (0.01, 60), "timeout": (1, 3600)}


def refusals(given):
    """What is wrong with the options."""
    found = [
        "%s: %g is not in %g..%g" % (name, given[name], low, high)
        for name, (low, high) in sorted(RANGES.items())
        if not low <= given[name] <= high
    ]
    try:
        refuse_wrong(given["url"])
    except ValueError as exc:
        found.append("url: %s" % exc)
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "consecutive": {"type": "int", "default": 10},
            "interval": {"type": "float", "default": 0.2},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    problems = refusals(given)
    if problems:
        module.fail_json(msg="; ".join(problems))
    if module.check_mode:
        module.exit_json(changed=False)
    gate = pass_gate(
        lambda timeout: problem_of(given["url"], timeout), given["consecutive"], given["interval"], given["timeout"]
    )
    if not gate["passed"]:
        module.fail_json(
            msg="%s: %d good answers in a row within %g s, not %d; the last bad one: %s"
            % (given["url"], gate["in_row"], given["timeout"], given["consecutive"], gate["problem"] or "none"),
            gate=gate,
        )
    module.exit_json(changed=False, gate=gate)


if __name__ == "__main__":
    main()
