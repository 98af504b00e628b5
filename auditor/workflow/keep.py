"""A run kept in a history, and a kept run as its reports show it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from auditor.errors import AuditorError, InputError
from auditor.model.canonical import to_json
from auditor.model.configuration import Retention
from auditor.model.history import Entry, HistoryHead, Stream
from auditor.model.outcome import AuditResult
from auditor.model.text import count, listed, visible
from auditor.reporters.json import decode_audit
from auditor.sources.snapshot_file import decode

if TYPE_CHECKING:
    from auditor.history.store import Kept, Store

LOG = logging.getLogger("auditor.history")


def check_history(location: str) -> None:
    """Open a history, and make it where there is none, before any work is done for it.

    Raises:
        AuditorError: no run could be kept there.
    """
    from auditor.history.store import open_store

    with open_store(location):
        pass


def kept(result: AuditResult, snapshot: bytes, location: str, *, retention: Retention | None = None) -> AuditResult:
    """Keep a run, and return its audit with its place in the history and what changed since the run before.

    Args:
        result: the audit; what it says of drift and history is not kept.
        snapshot: the canonical bytes that it judged.
        location: see location.parse.
        retention: the contents of older runs that go now, which is said in the log; None: none.

    Raises:
        AuditorError: the run could not be kept; nothing was changed then.
    """
    from auditor.history.store import Contents, open_store

    stream = stream_of(result)
    contents = Contents(
        snapshot=snapshot, result=to_json(replace(result, drift=UNSET, history=UNSET)), taken_at=result.taken_at
    )
    with open_store(location) as store:
        run = store.append(stream, lambda _previous: contents)
        shown = as_reported(store, stream, run)
        if retention is not None:
            _prune(store, stream, retention)
    return shown


def _prune(store: Store, stream: Stream, retention: Retention) -> None:
    """Take outdated contents away. Where that fails the run is kept all the same, and its reports are to be written."""
    from auditor.history.retention import outdated

    try:
        entry = store.prune(stream, outdated(store.entries(stream), retention))
    except AuditorError as error:
        LOG.warning("The run is kept, but what `retention:` lets go could not be pruned: %s", visible(str(error)))
        return
    if entry:
        which = listed([str(number) for number in entry.pruned])
        LOG.warning("`retention:` took the contents of %s away: %s.", count(len(entry.pruned), "older run"), which)


def stream_of(result: AuditResult) -> Stream:
    """Return the chain that an audit belongs to.

    Raises:
        InputError: nothing says which tenant was read.
    """
    if not result.tenant_id:
        raise InputError(
            "What was read does not say which tenant it is of, so it cannot be kept beside others of it.",
            where="history",
            advice="Read the organization too, or leave the history out with --no-history.",
        )
    return Stream(tenant_id=result.tenant_id, profile=result.profile)


def as_reported(store: Store, stream: Stream, run: Kept) -> AuditResult:
    """Return a kept run's audit as its reports showed it: with its place in the chain, and its drift.

    The drift is left out where the contents of the run before were pruned since.

    Raises:
        InputError: what was kept cannot be read, or was altered.
    """
    from auditor.history.drift import Side, drift

    before = run_before(store.entries(stream), run.entry.number)
    head = HistoryHead(
        number=run.entry.number,
        sha256=run.sha256,
        previous_run=before.number if before else 0,
        previous_taken_at=before.taken_at if before else None,
    )
    result = replace(_result(run), history=head)
    previous = store.run(stream, before.number) if before else None
    if previous is None:
        return result
    sides = [Side(snapshot=decode(one.snapshot, _where(one)), result=_result(one)) for one in (previous, run)]
    earlier = store.found_earlier(stream, previous.entry.number)
    return replace(result, drift=drift(*sides, found_earlier=earlier))


def run_before(entries: Sequence[Entry], number: int) -> Entry | None:
    """Return the run before the entry `number`; None for the first run."""
    return next((one for one in reversed(entries) if one.kind == "run" and one.number < number), None)


def _result(run: Kept) -> AuditResult:
    return decode_audit(run.result, _where(run))


def _where(run: Kept) -> str:
    return f"run {run.entry.number} of the history"
