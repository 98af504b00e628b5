"""A kept run as its reports show it: its place in the chain, and what changed since the run before."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditor.errors import InputError
from auditor.history.store import open_store
from auditor.model.canonical import to_json
from auditor.model.configuration import Retention
from auditor.model.history import HistoryHead
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Unavailable
from auditor.reporters.json import decode_audit
from auditor.sources.snapshot_file import encode
from auditor.workflow.keep import as_reported, kept
from tests.history.kept import ROLES, STREAM, audited, snapshot


def keep_day(place: str, day: int, permissions: int, retention: Retention | None = None) -> AuditResult:
    """Keep the run of a day on which the tenant's app holds so many permissions."""
    of = snapshot(day, *ROLES[:permissions])
    return kept(audited(of), encode(of), place, retention=retention)


def head(result: AuditResult) -> HistoryHead:
    assert result.history is not UNSET
    return result.history


def test_a_run_knows_its_place_and_the_run_before(place: str) -> None:
    first, second = keep_day(place, 0, 1), keep_day(place, 1, 2)
    with open_store(place, create=False) as store:
        hashes = [link.sha256 for link in store.links(STREAM)]
    assert first.drift is UNSET
    assert head(first) == HistoryHead(number=1, sha256=hashes[0], previous_run=0)
    assert head(second) == HistoryHead(
        number=2, sha256=hashes[1], previous_run=1, previous_taken_at=snapshot(0, *ROLES[:1]).taken_at
    )
    assert second.drift is not UNSET
    assert [(change.what, change.after and change.after.permission) for change in second.drift.grants] == [
        ("added", "Mail.Read")
    ]


def test_what_is_kept_is_the_audit_without_drift_and_history(place: str) -> None:
    """So it can be judged again to the same bytes, whatever was kept before."""
    keep_day(place, 0, 1)
    shown = keep_day(place, 1, 2)
    with open_store(place, create=False) as store:
        run = store.run(STREAM)
    assert run is not None
    of = snapshot(1, *ROLES[:2])
    assert (run.snapshot, run.result) == (encode(of), to_json(audited(of)))
    assert to_json(replace(shown, drift=UNSET, history=UNSET)) == run.result
    again = kept(shown, encode(of), place)
    assert head(again).number == 3
    with open_store(place, create=False) as store:
        assert store.run(STREAM, 3) is not None
        assert decode_audit(run.result, "here").history is UNSET


def test_a_kept_run_is_reported_later_as_it_was(place: str) -> None:
    shown = [keep_day(place, day, permissions) for day, permissions in ((0, 4), (1, 1), (2, 4))]
    with open_store(place, create=False) as store:
        for number, result in enumerate(shown, 1):
            run = store.run(STREAM, number)
            assert run is not None
            assert to_json(as_reported(store, STREAM, run)) == to_json(result)


def test_a_finding_that_comes_back_has_returned_even_when_the_run_that_had_it_was_pruned(place: str) -> None:
    """Four permissions, one, four again; the contents of the first run are gone by then."""
    keep = Retention(days=1, at_least=1)
    for day, permissions in ((0, 4), (10, 1)):
        keep_day(place, day, permissions, keep)
    with open_store(place, create=False) as store:
        assert store.run(STREAM, 1) is None
    back = keep_day(place, 20, 4, keep)
    assert back.drift is not UNSET
    assert {change.what for change in back.drift.findings if change.permission == "Mail.Read"} == {"returned"}
    assert head(back).number == 4, "the pruning is an entry too"
    assert head(back).previous_run == 2


def test_what_a_run_could_not_read_has_not_returned_when_it_is_read_again(place: str) -> None:
    """Nobody took it away: the run in between only did not see it."""
    keep_day(place, 0, 4)
    whole = snapshot(1, *ROLES)
    blind = replace(whole.clients[0], app_role_assignments=Unavailable(why="403"))
    of = replace(whole, clients=(blind, *whole.clients[1:]))
    unread = kept(audited(of), encode(of), place)
    assert unread.drift
    assert {one.what for one in unread.drift.findings if one.permission == "Mail.Read"} == {"no-longer-evaluated"}
    again = keep_day(place, 2, 4)
    assert again.drift
    told = {(one.what, one.certain) for one in again.drift.findings if one.permission == "Mail.Read"}
    assert told == {("new", False)}


def test_a_result_that_names_no_tenant_is_not_kept(place: str) -> None:
    of = snapshot(0, *ROLES[:1])
    with pytest.raises(InputError, match="which tenant") as error:
        kept(replace(audited(of), tenant_id=""), encode(of), place)
    assert "--no-history" in error.value.advice
