"""Which contents are outdated: counted from the newest snapshot, never the newest run, and no clock is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auditor.history.retention import outdated
from auditor.model.configuration import Retention
from auditor.model.history import Entry
from tests.history.kept import STREAM, TAKEN


def run(number: int, day: int) -> Entry:
    return Entry(
        tenant_id=STREAM.tenant_id,
        profile=STREAM.profile,
        number=number,
        previous="",
        kind="run",
        taken_at=TAKEN + timedelta(days=day),
    )


def pruned(number: int, *numbers: int) -> Entry:
    return Entry(
        tenant_id=STREAM.tenant_id,
        profile=STREAM.profile,
        number=number,
        previous="",
        kind="pruned",
        pruned=numbers,
    )


RUNS = (run(1, 0), run(2, 10), run(3, 20), run(4, 30))


@pytest.mark.parametrize(
    ("days", "at_least", "expected"),
    [
        (0, 1, ()),
        (10, 1, (1, 2)),
        (9, 1, (1, 2, 3)),
        (1, 1, (1, 2, 3)),
        (1, 0, (1, 2, 3)),
        (1, 2, (1, 2)),
        (1, 12, ()),
        (30, 1, ()),
        (29, 1, (1,)),
        (999_999_999_999, 1, ()),
    ],
)
def test_what_is_older_than_the_days_and_not_among_the_newest_may_go(
    days: int, at_least: int, expected: tuple[int, ...]
) -> None:
    assert outdated(RUNS, Retention(days=days, at_least=at_least)) == expected


def test_what_went_before_does_not_go_again() -> None:
    assert outdated((*RUNS, pruned(5, 1)), Retention(days=10, at_least=1)) == (2,)


def test_the_newest_run_stays_though_an_older_one_has_a_later_snapshot() -> None:
    assert outdated((run(1, 50), run(2, 0)), Retention(days=1, at_least=0)) == ()
    assert outdated((), Retention(days=1)) == ()
