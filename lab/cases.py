# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of a scenario that break something and look what came of it, one after the other.

CASES = Cases()

@CASES.add
def a_service_that_hangs() -> None:
    "The service answers nobody any more."
    ...
    expect(moved, "the VIP stayed")

sys.exit(CASES.run(settle))
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from labkit import LabError

Case = Callable[[], None]


class CaseError(Exception):
    """A case did not end as it should."""


def expect(condition: object, what: str) -> None:
    """Refuse anything else; raises CaseError with what went wrong."""
    if not condition:
        raise CaseError(what)


class Cases:
    """Functions that are cases, in the order in which they were added."""

    def __init__(self) -> None:
        self._cases: list[Case] = []

    def add(self, function: Case) -> Case:
        """Mark a function as a case; its docstring says what it proves."""
        self._cases.append(function)
        return function

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [function.__name__ for function in self._cases]

    def run(self, settle: Callable[[], None], words: list[str] | None = None) -> int:
        """Run all cases, or those that are named, each on a pair that has settled.

        Returns 0, 1 when a case failed, 2 when one is named that does not exist. HA_PAIR_CASES_STOP=1 ends at the first
        failure and leaves everything as it is then.
        """
        names = self.names
        wanted = (sys.argv[1:] if words is None else words) or names
        unknown = set(wanted) - set(names)
        if unknown:
            print(f"no such case: {', '.join(sorted(unknown))}; the cases are: {', '.join(names)}", file=sys.stderr)
            return 2
        failed = 0
        for function in self._cases:
            if function.__name__ not in wanted:
                continue
            print(f"{function.__name__}: {(function.__doc__ or '').strip()}", flush=True)
            try:
                settle()
                function()
            except Exception as problem:  # noqa: BLE001 - whatever it was, the other cases are run
                failed += 1
                print(f"FAILED {function.__name__}: {type(problem).__name__}: {problem}", flush=True)
                if os.environ.get("HA_PAIR_CASES_STOP"):
                    return 1
        try:
            settle()
        except LabError as problem:
            failed += 1
            print(f"FAILED at the end: {problem}")
        print(f"{len(wanted)} cases, {failed} failed")
        return 1 if failed else 0
