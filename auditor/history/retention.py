"""Which runs' contents are older than a team keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from auditor.history.chain import held
from auditor.model.configuration import Retention
from auditor.model.history import Entry


def outdated(entries: Sequence[Entry], retention: Retention) -> tuple[int, ...]:
    """Return the numbers of the runs whose contents may go, in order.

    Days are counted back from the newest snapshot, and never from a clock: the same history gives the same answer.
    The newest run stays whatever `retention` says: the next one is compared with it.
    """
    runs = held(entries)
    moments = [run.taken_at for run in runs if run.taken_at]
    if retention.days <= 0 or not moments:
        return ()
    may_go = runs[: -max(retention.at_least, 1)]
    return tuple(run.number for run in may_go if run.taken_at and _days(max(moments) - run.taken_at) > retention.days)


def _days(age: timedelta) -> float:
    return age / timedelta(days=1)
