"""Tampering is found: any bit of what five runs left, and runs swapped, doubled, dropped, exchanged, falsely pruned."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import InputError
from auditor.history.chain import Fault, Head, Link, check, decoded, linked, noted
from auditor.history.store import open_store
from auditor.model.canonical import sha256, to_gzip
from auditor.model.history import Entry
from tests.history.kept import STREAM, keep

DAYS = (0, 4, 8, 12, 16)
"""Days on which the tenant holds one permission, so that a run is as small as may be."""


class Whole:
    """A sound stream of five runs, read out of a database."""

    def __init__(self, links: Sequence[Link], contents: Mapping[str, bytes]) -> None:
        self.links = tuple(links)
        self.contents = dict(contents)
        self.found = {name: sha256(data) for name, data in contents.items()}
        self.head = Head(number=links[-1].number, sha256=links[-1].sha256)

    def check(
        self, *, links: Sequence[Link] | None = None, found: Mapping[str, str] | None = None, head: Head | None = None
    ) -> tuple[Fault, ...]:
        """Check the stream with some of it in place of what was kept."""
        links = self.links if links is None else links
        return check(STREAM, links, head or self.head, self.found if found is None else found)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    with open_store(str(tmp_path_factory.mktemp("history") / "history.db")) as store:
        keep(store, *DAYS)
        links = store.links(STREAM)
        names = {
            name
            for entry in map(decoded, links)
            for name in (entry.snapshot_sha256, entry.result_sha256, entry.summary_sha256)
        }
        with store._database.reading() as connection:
            from auditor.history.rows import Rows

            return Whole(links, Rows(connection, STREAM).contents(names))


def flipped(data: bytes, every: int) -> Iterator[bytes]:
    """Yield `data` with one bit of it flipped, each n-th bit in turn."""
    for bit in range(0, 8 * len(data), every):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        yield bytes(other)


def flips_missed(whole: Whole, every: int) -> tuple[int, int]:
    """Flip each n-th bit of every entry and content alone; return how many bits that were, and how many went unseen."""
    tried = missed = 0
    for place, link in enumerate(whole.links):
        for data in flipped(link.data, every):
            links = [*whole.links[:place], Link(number=link.number, data=data), *whole.links[place + 1 :]]
            tried += 1
            missed += not whole.check(links=links)
    for name, content in whole.contents.items():
        for data in flipped(content, every):
            tried += 1
            missed += not whole.check(found={**whole.found, name: sha256(data)})
    return tried, missed


def test_what_was_kept_is_sound(whole: Whole) -> None:
    assert whole.check() == ()
    assert len(whole.contents) == 3 * len(DAYS)


def test_a_flipped_bit_is_found(whole: Whole) -> None:
    tried, missed = flips_missed(whole, every=211)
    assert tried > 3000
    assert missed == 0


@pytest.mark.slow
def test_every_flipped_bit_is_found(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    """Every bit of the canonical bytes of five runs: entries, snapshots, results, and the runs in short."""
    tried, missed = flips_missed(whole, every=1)
    with capsys.disabled():
        told = f"{tried:,} bits of five kept runs flipped one at a time: {tried - missed:,} found, {missed} missed"
        sys.stdout.write(f"\n{told}\n")
    expected = 8 * sum(map(len, [*(link.data for link in whole.links), *whole.contents.values()]))
    assert (tried, missed) == (expected, 0)


def moved(link: Link, number: int) -> Link:
    """Return a link that is stored under another number."""
    return Link(number=number, data=link.data)


def renumbered(link: Link, number: int) -> Link:
    """Return a link whose entry says another number too."""
    return linked(replace(decoded(link), number=number))


def test_two_swapped_runs_are_found(whole: Whole) -> None:
    for one, two in combinations(range(len(DAYS)), 2):
        for move in (moved, renumbered):
            links = list(whole.links)
            links[one] = move(whole.links[two], one + 1)
            links[two] = move(whole.links[one], two + 1)
            assert whole.check(links=links), (one, two, move)


def test_a_doubled_run_is_found(whole: Whole) -> None:
    for doubled in whole.links:
        for place in range(len(DAYS) + 1):
            plain = [*whole.links[:place], doubled, *whole.links[place:]]
            for links in (
                plain,
                [moved(link, number) for number, link in enumerate(plain, 1)],
                [renumbered(link, number) for number, link in enumerate(plain, 1)],
            ):
                assert whole.check(links=links), (doubled.number, place)


def test_a_dropped_run_is_found(whole: Whole) -> None:
    """Also the last one: the database says where the chain ends."""
    for place in range(len(DAYS)):
        plain = [*whole.links[:place], *whole.links[place + 1 :]]
        for links in (
            plain,
            [moved(link, number) for number, link in enumerate(plain, 1)],
            [renumbered(link, number) for number, link in enumerate(plain, 1)],
        ):
            assert whole.check(links=links), place
    assert {fault.what for fault in whole.check(links=())} >= {"head", "stray"}


def test_an_inserted_run_is_found_unless_the_chain_is_written_anew(whole: Whole) -> None:
    for place in range(1, len(DAYS)):
        before = whole.links[place - 1]
        entry = replace(decoded(whole.links[place]), previous=before.sha256, profile="zoom", number=place + 1)
        forged = linked(replace(entry, result_sha256=entry.snapshot_sha256))
        after = [moved(link, link.number + 1) for link in whole.links[place:]]
        assert whole.check(links=[*whole.links[:place], forged, *after]), place


def test_exchanged_contents_are_found(whole: Whole) -> None:
    for one, two in combinations(whole.contents, 2):
        found = {**whole.found, one: whole.found[two], two: whole.found[one]}
        assert len(whole.check(found=found)) == 2


def test_contents_that_went_without_being_pruned_are_found(whole: Whole) -> None:
    for name in whole.contents:
        found = {other: hashed for other, hashed in whole.found.items() if other != name}
        (fault,) = whole.check(found=found)
        assert (fault.what, fault.number > 0) == ("missing", True)


def pruned(whole: Whole, *numbers: int) -> Link:
    """Return the entry that would prune runs now."""
    entry = Entry(
        tenant_id=STREAM.tenant_id,
        profile=STREAM.profile,
        number=whole.head.number + 1,
        previous=whole.head.sha256,
        kind="pruned",
        pruned=numbers,
    )
    return linked(entry)


def test_a_faked_pruning_is_found(whole: Whole) -> None:
    """One entry more, without the head; contents that are said to be gone; runs that never were."""
    first = decoded(whole.links[0])
    gone = {name: h for name, h in whole.found.items() if name not in {first.snapshot_sha256, first.result_sha256}}
    true = pruned(whole, 1)
    end = Head(number=true.number, sha256=true.sha256)
    assert whole.check(links=[*whole.links, true], found=gone, head=end) == ()
    assert {f.what for f in whole.check(links=[*whole.links, true], found=gone)} == {"head"}
    assert {f.what for f in whole.check(links=[*whole.links, true], head=end)} == {"stray"}
    for never in (0, 6, 7):
        false = pruned(whole, never)
        end = Head(number=false.number, sha256=false.sha256)
        assert {f.what for f in whole.check(links=[*whole.links, false], head=end)} == {"entry"}


def test_an_entry_of_another_tenant_is_found(whole: Whole) -> None:
    other = replace(STREAM, tenant_id="22222222-2222-4222-8222-222222222222")
    faults = check(other, whole.links, whole.head, whole.found)
    assert len(faults) == len(DAYS)


def test_a_cut_tail_is_found_by_a_hash_that_was_noted(whole: Whole) -> None:
    """Whoever also writes the head anew leaves a chain that is sound in itself."""
    cut = whole.links[:3]
    wanted = {n for link in cut for n in (decoded(link).snapshot_sha256, decoded(link).result_sha256)}
    wanted |= {decoded(link).summary_sha256 for link in cut}
    found = {name: hashed for name, hashed in whole.found.items() if name in wanted}
    assert whole.check(links=cut, found=found, head=Head(number=3, sha256=cut[-1].sha256)) == ()
    (fault,) = noted(STREAM, cut, number=5, head=whole.head.sha256)
    assert fault.text == "Entry 5 is gone."
    assert noted(STREAM, whole.links, number=5, head=whole.head.sha256) == ()


def test_a_chain_written_anew_is_found_by_a_hash_that_was_noted(whole: Whole) -> None:
    before, anew = Head(), []
    for link in whole.links:
        entry = replace(decoded(link), previous=before.sha256)
        made = linked(replace(entry, result_sha256=entry.snapshot_sha256) if link.number == 2 else entry)
        before = Head(number=made.number, sha256=made.sha256)
        anew.append(made)
    kinds = {fault.what for fault in whole.check(links=anew, head=before)}
    assert kinds == {"stray"}, "only the result that no entry names any more is left to be found"
    (fault,) = noted(STREAM, anew, number=5, head=whole.head.sha256)
    assert "has the hash" in fault.text


TAMPERINGS = {
    "an entry": "UPDATE entra_audit_entries SET data = (SELECT data FROM entra_audit_entries WHERE number = 2)"
    " WHERE number = 3",
    "an entry dropped": "DELETE FROM entra_audit_entries WHERE number = 3",
    "the last entry dropped": "DELETE FROM entra_audit_entries WHERE number = 5",
    "all entries dropped": "DELETE FROM entra_audit_entries",
    "the head": "UPDATE entra_audit_heads SET number = 4",
    "the head dropped": "DELETE FROM entra_audit_heads",
    "an entry's number": "UPDATE entra_audit_entries SET number = 9 WHERE number = 5",
    "an entry's tenant": "UPDATE entra_audit_entries SET tenant_id = 'x' WHERE number = 5",
    "a content dropped": "DELETE FROM entra_audit_contents WHERE sha256 IN"
    " (SELECT MIN(sha256) FROM entra_audit_contents)",
    "all contents dropped": "DELETE FROM entra_audit_contents",
    "a content's name": "UPDATE entra_audit_contents SET sha256 = 'x' WHERE sha256 IN"
    " (SELECT MIN(sha256) FROM entra_audit_contents)",
    "a content exchanged": "UPDATE entra_audit_contents SET packed = (SELECT packed FROM entra_audit_contents"
    " WHERE sha256 IN (SELECT MAX(sha256) FROM entra_audit_contents))"
    " WHERE sha256 IN (SELECT MIN(sha256) FROM entra_audit_contents)",
    "a content added": "INSERT INTO entra_audit_contents SELECT tenant_id, profile, 'x', packed FROM"
    " entra_audit_contents WHERE sha256 IN (SELECT MAX(sha256) FROM entra_audit_contents)",
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_database_that_was_tampered_with_is_found(place: str, statement: str) -> None:
    with open_store(place) as store:
        keep(store, *DAYS)
        with store._database.writing("test") as connection:
            assert connection.exec_driver_sql(statement).rowcount > 0
    with open_store(place, create=False) as store:
        assert store.check()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entra_audit_entries SET number = 'x' WHERE number = 1",
        "UPDATE entra_audit_entries SET data = 'x' WHERE number = 1",
        "UPDATE entra_audit_entries SET data = 12 WHERE number = 1",
        "UPDATE entra_audit_entries SET profile = x'00ff' WHERE number = 1",
        "UPDATE entra_audit_heads SET number = 'x', sha256 = x'00'",
        "UPDATE entra_audit_contents SET sha256 = x'00' WHERE sha256 IN (SELECT MIN(sha256) FROM entra_audit_contents)",
        "UPDATE entra_audit_contents SET packed = 'x'",
        "UPDATE entra_audit_contents SET packed = x'1f8b'",
    ],
)
def test_what_an_sqlite_file_may_hold_in_place_of_ours_is_found(tmp_path: Path, statement: str) -> None:
    """SQLite keeps any type in any column; reading it gives an error of ours, or none."""
    with open_store(str(tmp_path / "history.db")) as store:
        keep(store, 0, 1)
        with store._database.writing("test") as connection:
            assert connection.exec_driver_sql(statement).rowcount > 0
        assert store.check()
        for stream in store.streams():
            for read in (store.entries, store.summaries, store.run):
                with suppress(InputError):
                    read(stream)
            with suppress(InputError):
                keep(store, 2, stream=stream)
        assert store.check()


def test_a_flipped_bit_in_a_database_is_found_or_alters_nothing(tmp_path: Path) -> None:
    """What is stored is packed: a bit of the archive's own header may change without any change of what it holds."""
    place = str(tmp_path / "history.db")
    with open_store(place) as store:
        keep(store, 0)
        name = store.entries(STREAM)[0].summary_sha256
        with store._database.reading() as connection:
            packed = connection.exec_driver_sql(
                "SELECT packed FROM entra_audit_contents WHERE sha256 = ?", (name,)
            ).scalar_one()
        found = 0
        for data in flipped(packed, every=97):
            with store._database.writing("test") as connection:
                connection.exec_driver_sql("UPDATE entra_audit_contents SET packed = ? WHERE sha256 = ?", (data, name))
            faults = store.check()
            found += bool(faults)
            if not faults:
                with store._database.reading() as connection:
                    from auditor.history.rows import Rows

                    assert sha256(Rows(connection, STREAM).contents({name})[name]) == name
        assert found > 0.9 * len(range(0, 8 * len(packed), 97))


def test_a_flipped_bit_of_a_content_is_found_through_the_database(place: str) -> None:
    with open_store(place) as store:
        keep(store, 0)
        entry = store.entries(STREAM)[0]
        kept = store.run(STREAM)
        assert kept is not None
        for name, content in ((entry.snapshot_sha256, kept.snapshot), (entry.result_sha256, kept.result)):
            for data in flipped(content, every=9973):
                with store._database.writing("test") as connection:
                    from auditor.history.rows import _CONTENTS

                    connection.execute(
                        _CONTENTS.update().where(_CONTENTS.c.sha256 == name).values(packed=to_gzip(data))
                    )
                assert {fault.what for fault in store.check()} >= {"content"}
