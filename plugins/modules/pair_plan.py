#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: pair_plan
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Build the model of a pair once for all tasks of a run
description:
  - Returns what the filters P(duplex.ha_pair.pair_model#filter) and P(duplex.ha_pair.pair_inventory#filter) build. They
    would build it anew in every task that reads it.
  - Runs on the controller, and asks no host.
  - Passwords are not in what it returns.
options:
  facts:
    description:
      - Whether to return the complete model of this node, for which its facts are needed. Otherwise only the pair as
        the inventory describes it.
    type: bool
    default: true
  hosts:
    description:
      - Return all pairs with one of these members instead, as the inventory describes them. Asked once for all hosts of
        a play, by one of them.
    type: list
    elements: str
  others:
    description:
      - Whether to refuse also what clashes with or between other pairs of the inventory, such as a VIP that two pairs
        have. All of them are read for that; it is enough that one host of a play does so.
      - Without facts only; the complete model never looks at other pairs.
    type: bool
    default: true
  own:
    description: The C(keepalived_*) variables of this host as a role sees them; they win over the inventory's.
    type: dict
  version:
    description: What C(keepalived --version) printed on the host, or the version itself.
    type: str
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Build the model of the pair
  duplex.ha_pair.pair_plan:
  register: plan

- name: Show what this node is to do
  ansible.builtin.debug:
    var: plan.model

- name: Check all pairs, once
  duplex.ha_pair.pair_plan:
    hosts: "{{ ansible_play_hosts_all }}"
  when: inventory_hostname == ansible_play_hosts_all | first
"""

RETURN = r"""
model:
  description: As P(duplex.ha_pair.pair_model#filter) describes it, without C(secrets).
  returned: with facts
  type: dict
secret:
  description: Whether the model has passwords.
  returned: with facts
  type: bool
fingerprint:
  description: The same text as long as the model is the same.
  returned: with facts
  type: str
pair:
  description: The pair as P(duplex.ha_pair.pair_inventory#filter) describes it.
  returned: without facts
  type: dict
pairs:
  description: The pairs as P(duplex.ha_pair.pair_inventory#filter) describes them.
  returned: with hosts
  type: list
  elements: dict
remarks:
  description: What works, but not as one might think.
  returned: with hosts
  type: list
  elements: str
"""
