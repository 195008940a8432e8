# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the evidence of a program says: when it worked, and when two of it did."""

from __future__ import annotations

from pathlib import Path

import evidence
import pytest
from evidence import BEAT, END, START, Pause, Sign, Stretch


def line(kind: str, run: str, number: int, wall: float, monotonic: float | None = None) -> str:
    return f"{kind} {run} {number} {round(wall * 1e9)} {round((wall if monotonic is None else monotonic) * 1e9)}\n"


def working(run: str, begin: float, end: float) -> list[Sign]:
    """Beats every 20 ms."""
    count = round((end - begin) / 0.02)
    return [Sign(BEAT, run, number, begin + number * 0.02, begin + number * 0.02) for number in range(count + 1)]


def test_lines_are_signs() -> None:
    text = line(START, "a-1", 0, 100.0, 7.0) + line(BEAT, "a-1", 1, 100.02, 7.02) + line(END, "a-1", 2, 100.04, 7.04)
    assert evidence.parse(text) == [
        Sign(START, "a-1", 0, 100.0, 7.0),
        Sign(BEAT, "a-1", 1, 100.02, 7.02),
        Sign(END, "a-1", 2, 100.04, 7.04),
    ]


@pytest.mark.parametrize("missing", range(1, 40))
def test_a_torn_last_line_says_nothing(missing: int) -> None:
    whole, torn = line(BEAT, "a-1", 1, 1700000000.5), line(BEAT, "a-1", 2, 1700000000.52)
    # However little is missing: also a number that has lost its last digit is none.
    assert [sign.number for sign in evidence.parse(whole + torn[:-missing])] == [1]


@pytest.mark.parametrize("left", range(1, 45))
def test_what_a_next_run_wrote_behind_a_torn_line_says_nothing_false(left: int) -> None:
    torn = line(BEAT, "a-1", 2, 1700000000.52)[:-1]
    text = torn[:left] + line(START, "a-2", 0, 1700000005.0) + line(BEAT, "a-2", 1, 1700000005.02)
    assert [(sign.run, sign.number) for sign in evidence.parse(text)] == [("a-2", 1)]


def test_nothing_is_no_evidence() -> None:
    assert evidence.parse("") == []
    assert evidence.parse("beat a-1 1 17") == []
    assert evidence.stretches("node-a", []) == []


def test_a_silence_ends_a_stretch() -> None:
    signs = working("a-1", 10.0, 11.0) + working("a-1", 11.3, 12.0)
    assert [(round(one.start, 2), round(one.end, 2)) for one in evidence.stretches("node-a", signs)] == [
        (10.0, 11.0),
        (11.3, 12.0),
    ]
    # A machine that is busy for nine beats.
    signs = working("a-1", 10.0, 11.0) + working("a-1", 11.18, 12.0)
    assert len(evidence.stretches("node-a", signs)) == 1


def test_signs_in_no_order_are_the_same_stretch() -> None:
    signs = working("a-1", 10.0, 11.0)
    assert evidence.stretches("node-a", signs[::-1]) == evidence.stretches("node-a", signs)


def test_one_after_the_other_is_no_overlap() -> None:
    found = [Stretch("node-a", "a-1", 10.0, 20.0), Stretch("node-b", "b-1", 20.01, 30.0)]
    assert evidence.overlaps(found) == []


def test_two_at_a_time_are_one_whoever_began() -> None:
    first, second = Stretch("node-a", "a-1", 10.0, 20.0), Stretch("node-b", "b-1", 18.5, 30.0)
    for found in ([first, second], [second, first]):
        (overlap,) = evidence.overlaps(found)
        assert (overlap.start, overlap.end, overlap.seconds) == (18.5, 20.0, 1.5)
        assert (overlap.runs, overlap.nodes) == (("a-1", "b-1"), ("node-a", "node-b"))
    assert str(overlap) == "a-1 and b-1 for 1.500 s"


def test_a_single_sign_of_another_run_is_an_overlap() -> None:
    found = [Stretch("node-a", "a-1", 10.0, 20.0), Stretch("node-b", "b-1", 15.0, 15.0)]
    (overlap,) = evidence.overlaps(found)
    assert overlap.seconds == 0.0


def test_two_runs_of_one_node_are_two() -> None:
    found = [Stretch("node-a", "a-1", 10.0, 20.0), Stretch("node-a", "a-2", 19.0, 30.0)]
    assert len(evidence.overlaps(found)) == 1


def test_a_long_stretch_overlaps_with_each_that_falls_into_it() -> None:
    found = [
        Stretch("node-a", "a-1", 10.0, 50.0),
        Stretch("node-b", "b-1", 12.0, 13.0),
        Stretch("node-b", "b-2", 40.0, 60.0),
    ]
    assert [one.runs[1] for one in evidence.overlaps(found)] == ["b-1", "b-2"]


def test_a_frozen_run_that_goes_on_overlaps_from_its_first_sign_on() -> None:
    frozen = working("a-1", 10.0, 15.0) + working("a-1", 27.0, 27.3)
    other = working("b-1", 22.0, 40.0)
    signs, held = {"node-a": frozen, "node-b": other}, [Pause("node-a", 15.0, 27.1)]
    found = evidence.account(signs, 10.0, 40.0, held)
    (overlap,) = found.overlaps
    assert overlap.start == pytest.approx(27.0)
    assert overlap.seconds == pytest.approx(0.3)
    assert found.longest_pause == pytest.approx(7.0)
    assert found.runs == 2
    # Without anybody who held it, it worked all the time, or nobody knows.
    (overlap,) = evidence.account(signs, 10.0, 40.0).overlaps
    assert overlap.seconds == pytest.approx(5.3)
    (overlap,) = evidence.account(signs, 10.0, 40.0, [Pause("node-b", 15.0, 27.1)]).overlaps
    assert overlap.seconds == pytest.approx(5.3)


def test_two_that_write_seldom_side_by_side_are_two() -> None:
    first = [Sign(BEAT, "a-1", number, 10 + number * 0.25, number * 0.25) for number in range(20)]
    second = [Sign(BEAT, "b-1", number, 10.1 + number * 0.25, number * 0.25) for number in range(20)]
    found = evidence.account({"node-a": first, "node-b": second}, 10.0, 20.0)
    (overlap,) = found.overlaps
    assert overlap.seconds == pytest.approx(4.65)
    assert found.doubts() == [
        "evidence too thin: a-1 wrote every 0.25 s",
        "evidence too thin: b-1 wrote every 0.25 s",
    ]


def test_what_a_pause_does_not_cover_was_work() -> None:
    signs = working("a-1", 10.0, 12.0) + working("a-1", 20.0, 21.0)

    def found(*held: Pause) -> list[tuple[float, float]]:
        return [(round(one.start, 2), round(one.end, 2)) for one in evidence.spans("node-a", signs, held)]

    assert found() == [(10.0, 21.0)]
    assert found(Pause("node-a", 13.0, 18.0)) == [(10.0, 13.0), (18.0, 21.0)]
    assert found(Pause("node-a", 16.0, 17.0), Pause("node-a", 13.0, 14.0)) == [(10.0, 13.0), (14.0, 16.0), (17.0, 21.0)]
    # It writes a moment after it was let go.
    assert found(Pause("node-a", 12.0, 19.9)) == [(10.0, 12.0), (20.0, 21.0)]
    # Written while it was held: systemd lets go of what it stops.
    assert found(Pause("node-a", 10.5, 30.0)) == [(10.0, 12.0), (20.0, 21.0)]
    assert found(Pause("node-a", 30.0, 31.0)) == [(10.0, 21.0)]


def test_a_process_that_was_held_excuses_no_other() -> None:
    signs = working("node-a-17-5", 10.0, 12.0) + working("node-a-17-5", 20.0, 21.0)
    assert len(evidence.spans("node-a", signs, [Pause("node-a", 12.0, 20.0, "17")])) == 2
    assert len(evidence.spans("node-a", signs, [Pause("node-a", 12.0, 20.0, "1")])) == 1


def test_a_run_that_writes_often_but_for_some_times_is_not_thin() -> None:
    signs = working("a-1", 10.0, 11.0) + working("a-1", 13.0, 14.0)
    assert evidence.thin(signs) == []
    # One that was killed before it had done anything.
    assert evidence.thin([Sign(BEAT, "a-1", number, number, number) for number in range(4)]) == []


def test_pauses_are_those_of_all_together() -> None:
    found = [
        Stretch("node-a", "a-1", 10.0, 20.0),
        Stretch("node-b", "b-1", 23.0, 30.0),
        Stretch("node-a", "a-2", 29.0, 29.5),
    ]
    assert evidence.pauses(found, 10.0, 30.0) == [(20.0, 23.0)]
    # Before the first and after the last one as well.
    assert evidence.pauses(found, 8.0, 33.0) == [(8.0, 10.0), (20.0, 23.0), (30.0, 33.0)]
    assert evidence.pauses(found, 21.0, 22.0) == [(21.0, 22.0)]
    assert evidence.pauses([], 1.0, 2.0) == [(1.0, 2.0)]
    assert evidence.longest_pause(found, 12.0, 18.0) == 0.0


def test_a_start_alone_is_no_work_and_yet_may_be_a_second_run() -> None:
    slow = [Sign(START, "b-1", 0, 12.0, 12.0), *working("b-1", 25.0, 30.0)]
    found = evidence.account({"node-a": working("a-1", 10.0, 15.0), "node-b": slow}, 10.0, 30.0)
    assert [one.runs for one in found.overlaps] == [("a-1", "b-1")]
    assert found.longest_pause == pytest.approx(10.0)


def test_only_what_falls_into_the_time_counts() -> None:
    signs = {"node-a": working("a-1", 10.0, 20.0), "node-b": working("b-1", 19.0, 30.0)}
    assert evidence.account(signs, 21.0, 30.0).overlaps == []
    assert evidence.account(signs, 21.0, 30.0).runs == 1
    assert len(evidence.account(signs, 19.5, 30.0).overlaps) == 1


def test_a_run_begins_with_its_first_sign() -> None:
    signs = [Sign(START, "a-2", 0, 12.0, 1.0), *working("a-1", 10.0, 11.0), *working("a-2", 15.0, 16.0)]
    assert evidence.beginnings(signs) == {"a-1": 10.0, "a-2": 12.0}
    assert evidence.beginnings(signs[::-1]) == {"a-1": 10.0, "a-2": 12.0}


def test_a_clock_that_was_set_is_told() -> None:
    signs = evidence.parse(line(BEAT, "a-1", 0, 100.0, 7.0) + line(BEAT, "a-1", 1, 99.0, 7.02))
    ((run, step),) = evidence.clock_steps(signs)
    assert (run, round(step, 2)) == ("a-1", -1.02)
    # Time that passed while nothing ran is none.
    assert evidence.clock_steps(working("a-1", 1.0, 2.0) + working("a-1", 9.0, 9.5)) == []


def test_files_that_were_kept_are_told_line_by_line() -> None:
    assert evidence.tell({"node-a": []}) == ["nobody wrote anything down"]
    assert evidence.tell({"node-a": working("a-1", 0.0, 10.0), "node-b": working("b-1", 9.5, 20.0)}) == [
        "00:00:00.000    10.000 s  node-a  a-1",
        "00:00:09.500    10.500 s  node-b  b-1",
        "00:00:09.500 two worked, a-1 and b-1 for 0.500 s",
        "2 runs, 1 times two, 0.000 s at most with none",
    ]


def test_files_that_were_kept_say_what_was_held(tmp_path: Path) -> None:
    held = [Pause("node-a", 5.0, 8.0, "17"), Pause("node-b", 1.5, 2.25)]
    assert evidence.parse_pauses(evidence.write_pauses(held)) == held
    beats = [line(BEAT, "node-a-17-1", 1, at) for at in (4.9, 5.0, 8.0, 8.1)]
    (tmp_path / "node-a.evidence").write_text("".join(beats), encoding="ascii")
    (tmp_path / "held.pauses").write_text(evidence.write_pauses(held[:1]), encoding="ascii")
    assert evidence.tell_files(sorted(tmp_path.iterdir())) == [
        "00:00:04.900     0.100 s  node-a  node-a-17-1",
        "00:00:08.000     0.100 s  node-a  node-a-17-1",
        "00:00:05.000     3.000 s  node-a  held 17",
        "1 runs, 0 times two, 3.000 s at most with none",
    ]
