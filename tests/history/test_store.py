"""A history in SQLite and in a real PostgreSQL: what is kept comes back whole, and goes only on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from auditor.errors import AuditorError, InputError, OutputError, UsageError
from auditor.history import database
from auditor.history.chain import decoded
from auditor.history.store import Contents, Kept, Store, open_store
from auditor.model.canonical import sha256, to_json
from auditor.model.history import FIRST, Stream
from tests.history.kept import STREAM, TAKEN, contents, keep

OTHER = Stream(tenant_id="22222222-2222-4222-8222-222222222222", profile="zoom")


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


def test_what_was_kept_comes_back_byte_for_byte(place: str) -> None:
    with open_store(place) as store:
        first, second = keep(store, 0, 1)
    with open_store(place, create=False) as again:
        assert again.streams() == (STREAM,)
        assert again.entries(STREAM) == (first.entry, second.entry)
        assert again.run(STREAM) == again.run(STREAM, 2) == second
        assert again.run(STREAM, 1) == first
        assert again.run(STREAM, 3) is None
        assert again.check() == ()
    assert (first.snapshot, first.result) == (contents(0).snapshot, contents(0).result)
    assert first.entry.taken_at == TAKEN


def test_each_entry_holds_the_hash_of_the_one_before(store: Store) -> None:
    runs = keep(store, 0, 1, 2)
    assert [run.entry.previous for run in runs] == [FIRST, runs[0].sha256, runs[1].sha256]
    assert [sha256(to_json(run.entry)) for run in runs] == [run.sha256 for run in runs]
    assert [link.sha256 for link in store.links(STREAM)] == [run.sha256 for run in runs]


def test_the_same_runs_give_the_same_chain_wherever_they_are_kept(
    place: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = str(tmp_path_factory.mktemp("other") / "history.db")
    with open_store(place) as one, open_store(elsewhere) as two:
        assert [run.sha256 for run in keep(one, 0, 1, 0)] == [run.sha256 for run in keep(two, 0, 1, 0)]


def test_the_builder_sees_the_newest_run_of_its_own_stream(store: Store) -> None:
    seen: list[Kept | None] = []

    def build(previous: Kept | None) -> Contents:
        seen.append(previous)
        return contents(0)

    first = store.append(STREAM, build)
    store.append(OTHER, build)
    store.append(STREAM, build)
    assert seen == [None, None, first]
    assert store.streams() == (STREAM, OTHER)
    assert store.check() == ()


def test_equal_contents_are_kept_once_and_stay_while_a_run_needs_them(store: Store) -> None:
    keep(store, 0, 0, 1)
    store.prune(STREAM, [1])
    assert store.check() == ()
    again = store.run(STREAM, 2)
    assert again is not None
    assert again.snapshot == contents(0).snapshot
    store.prune(STREAM, [2])
    assert store.run(STREAM, 2) is None
    assert store.check() == ()


def test_a_builder_that_fails_leaves_nothing(store: Store) -> None:
    keep(store, 0)

    def build(_previous: Kept | None) -> Contents:
        raise InputError("It could not be built.")

    with pytest.raises(InputError, match="could not be built"):
        store.append(STREAM, build)
    assert len(store.entries(STREAM)) == 1
    assert store.check() == ()
    keep(store, 1)


def test_pruning_takes_contents_and_says_so_in_the_chain(store: Store) -> None:
    runs = keep(store, 0, 1, 2)
    entry = store.prune(STREAM, [2, 1])
    assert entry is not None
    assert (entry.kind, entry.number, entry.previous, entry.pruned) == ("pruned", 4, runs[2].sha256, (1, 2))
    assert store.run(STREAM, 1) is None
    assert store.run(STREAM) == runs[2]
    assert store.check() == ()
    assert [run.number for run in store.summaries(STREAM)] == [1, 2, 3]
    assert keep(store, 3)[0].entry.number == 5


@pytest.mark.parametrize("numbers", [[3], [1, 3], [4], [0], [-1]])
def test_the_newest_run_and_what_is_no_run_cannot_be_pruned(store: Store, numbers: list[int]) -> None:
    keep(store, 0, 1, 2)
    with pytest.raises(UsageError, match="newest, or is not there"):
        store.prune(STREAM, numbers)
    assert len(store.entries(STREAM)) == 3


def test_a_run_is_pruned_once_though_two_processes_chose_it(store: Store) -> None:
    """Both looked before either had pruned: the second takes what is left, and no run of it is at fault."""
    keep(store, 0, 1, 2)
    assert store.prune(STREAM, []) is None
    store.prune(STREAM, [1])
    assert store.prune(STREAM, [1]) is None
    later = store.prune(STREAM, [1, 2])
    assert later is not None
    assert later.pruned == (2,)
    assert store.check() == ()


def test_a_run_in_short_tells_its_findings_and_its_place(store: Store) -> None:
    runs = keep(store, 0, 1)
    shorts = store.summaries(STREAM)
    assert [(short.number, short.sha256, short.taken_at) for short in shorts] == [
        (run.entry.number, run.sha256, run.entry.taken_at) for run in runs
    ]
    assert [short.apps[0].held for short in shorts] == [1, 2]


def test_findings_that_went_are_remembered_after_pruning(store: Store) -> None:
    """Day 3 holds four permissions, day 4 one: what was found of the other three is known to have been there."""
    keep(store, 3, 4, 4)
    gone = store.found_earlier(STREAM, 2)
    assert gone
    assert store.found_earlier(STREAM, 1) == frozenset()
    store.prune(STREAM, [1, 2])
    assert store.found_earlier(STREAM, 3) == gone


def test_two_writers_wait_for_each_other(place: str) -> None:
    """The second sees the run of the first, which was still being built when it came."""
    inside, seen = threading.Event(), []

    def slowly(_previous: Kept | None) -> Contents:
        inside.set()
        threading.Event().wait(0.3)
        return contents(0)

    def first() -> None:
        with open_store(place) as store:
            store.append(STREAM, slowly)

    def second(previous: Kept | None) -> Contents:
        seen.append(previous and previous.entry.number)
        return contents(1)

    with open_store(place) as store:
        writer = threading.Thread(target=first)
        writer.start()
        assert inside.wait(10)
        store.append(STREAM, second)
        writer.join()
        assert seen == [1]
        assert store.check() == ()


def test_nothing_is_added_to_a_chain_that_is_not_sound(store: Store) -> None:
    keep(store, 0, 1)
    with store._database.writing("test") as connection:
        connection.exec_driver_sql("DELETE FROM entra_audit_entries WHERE number = 1")
    for change in (lambda: keep(store, 2), lambda: store.prune(STREAM, [1])):
        with pytest.raises(InputError, match="chain of this history is broken") as error:
            change()
        assert error.value.advice == "Run: entra-audit history verify"


def test_an_altered_run_is_not_given_out(store: Store) -> None:
    keep(store, 0)
    with store._database.writing("test") as connection:
        connection.exec_driver_sql("UPDATE entra_audit_contents SET packed = (SELECT data FROM entra_audit_entries)")
    for read in (store.run, store.summaries):
        with pytest.raises(AuditorError, match="altered"):
            read(STREAM)
    assert {fault.what for fault in store.check()} == {"content"}


def test_what_another_version_kept_leaves_two_ways_to_go_on(store: Store) -> None:
    with pytest.raises(InputError, match="cannot be read") as error:
        store.append(STREAM, lambda _: replace(contents(0), result=b'{"schema":"entra-auditor/later"}'))
    assert "take that one, or keep new runs in another place" in error.value.advice
    assert store.entries(STREAM) == ()


def test_times_are_kept_in_utc(store: Store) -> None:
    keep(store, 0)
    (link,) = store.links(STREAM)
    assert b'"taken_at":"2026-11-22T09:14:00Z"' in link.data
    assert decoded(link).taken_at == datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


def test_who_waits_too_long_is_told_so(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 1)

    def second(_previous: Kept | None) -> Contents:
        raise AssertionError("Two are inside at once.")

    def first(_previous: Kept | None) -> Contents:
        with (
            open_store(place, create=False) as other,
            pytest.raises(OutputError, match=r"(?i)lock") as error,
        ):
            other.append(STREAM, second)
        assert error.value.advice
        return contents(0)

    with open_store(place) as store:
        store.append(STREAM, first)
        assert len(store.entries(STREAM)) == 1
