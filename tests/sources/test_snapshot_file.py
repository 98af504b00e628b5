"""What `--snapshot` promises: what was written is read back byte for byte, and nothing else is taken for a snapshot."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from msgspec.structs import replace

from auditor.errors import InputError, UsageError
from auditor.model import canonical
from auditor.model.snapshot import VERSION, Snapshot
from auditor.sources import files, sources
from auditor.sources.snapshot_file import decode, encode, read_snapshot, upgraded
from tests.sources.exports import OF_ROOMS, ROOMS_APP, TENANT, lay, read, request, whole

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


LEAVES: dict[type, st.SearchStrategy[Any]] = {
    inspect.DateTimeType: TIMES.map(lambda time: time.isoformat().replace("+00:00", "Z")),
    inspect.StrType: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    inspect.IntType: st.integers(0, 2**53 - 1),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
}


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return a strategy for the JSON of any value of a type of the model: all fields, null and absent ones too."""
    match kind:
        case inspect.StructType():
            return _objects(kind)
        case inspect.UnionType():
            return st.one_of(*map(values, kind.types))
        case inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=2)
    return LEAVES[type(kind)]


def _objects(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    required = {f.encode_name: values(f.type) for f in kind.fields if f.required}
    optional = {f.encode_name: values(f.type) for f in kind.fields if not f.required}
    tag = {kind.tag_field: st.just(kind.tag)} if kind.tag_field else {}
    return st.fixed_dictionaries({**required, **tag}, optional=optional)


def snapshots() -> st.SearchStrategy[Snapshot]:
    """Return a strategy for snapshots of this format."""
    return (
        values(inspect.type_info(Snapshot))
        .map(lambda raw: {**raw, "schema": "entra-auditor/snapshot", "version": VERSION})
        .map(lambda raw: msgspec.convert(raw, Snapshot))
    )


@pytest.fixture
def sample(tmp_path: Path) -> Snapshot:
    """Return a snapshot with one client."""
    return read(lay(tmp_path / "export", whole()), taken_at=datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def document(sample: Snapshot) -> dict[str, Any]:
    """Return the JSON of a snapshot with one client."""
    parsed: dict[str, Any] = json.loads(encode(sample))
    return parsed


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        decode(data, "sample.json")
    assert caught.value.where == "sample.json"
    assert caught.value.advice
    return caught.value


@given(snapshots())
@settings(max_examples=150)
def test_what_was_written_is_read_back_byte_for_byte(snapshot: Snapshot) -> None:
    """Any snapshot, with whatever is null, absent or in any script, survives a round trip; gzipped as well."""
    data = encode(snapshot)
    assert decode(data, "here") == snapshot
    assert encode(decode(canonical.to_gzip(data), "here")) == data


def test_whitespace_and_key_order_do_not_matter(document: dict[str, Any], sample: Snapshot) -> None:
    """A file that another tool has indented or reordered is the same snapshot."""
    again = dict(reversed(document.items()))
    assert decode(json.dumps(again, indent=3).encode(), "here") == sample


def test_every_prefix_of_a_snapshot_is_refused(sample: Snapshot) -> None:
    """A file that was cut off anywhere is never read as a smaller snapshot."""
    data = encode(sample).rstrip()
    for end in range(0, len(data), 37):
        refused(data[:end])
    assert "cut off" in refused(data[:-1]).what


def test_every_prefix_of_an_archive_is_refused(sample: Snapshot) -> None:
    """A gzip archive that was cut off anywhere is never read as a smaller snapshot."""
    data = canonical.to_gzip(encode(sample))
    for end in range(2, len(data), 29):
        assert "gzip archive is" in refused(data[:end]).what


def test_a_damaged_archive_is_refused(sample: Snapshot) -> None:
    """A changed byte is found by the archive's own checksum."""
    data = bytearray(canonical.to_gzip(encode(sample)))
    data[-5] ^= 0xFF
    assert "damaged" in refused(bytes(data)).what


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive made to fill memory is stopped by its ratio before it is unpacked whole."""
    monkeypatch.setattr(files, "_SWOLLEN", 2 * files.MIB)
    bomb = gzip.compress(b" " * (20 * files.MIB))
    assert "times the archive" in refused(bomb).what


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    """The limit holds for the file itself, and for what it unpacks to."""
    place = tmp_path / "large"
    place.write_bytes(b"x" * (2 * files.MIB))
    with pytest.raises(InputError, match="more than 1 MiB"):
        files.read(place, where="large", limit=files.MIB)
    with pytest.raises(InputError, match="The unpacked archive is too large"):
        files.unpack(gzip.compress(b"x" * (2 * files.MIB)), where="large", limit=files.MIB)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "cut off"),
        (b"hello", "not JSON"),
        (b"\xff\xfe{\x00", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"schema": "\\ud800, and more"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "no object"),
        (b"{}", "its schema is None"),
        (b'{"schema": "entra-auditor/audit", "version": 1}', "its schema is 'entra-auditor/audit'"),
        (b'{"schema": "entra-auditor/snapshot"}', "does not say its version"),
        (b'{"schema": "entra-auditor/snapshot", "version": true}', "does not say its version"),
        (b'{"schema": "entra-auditor/snapshot", "version": 0}', "unknown format 0"),
        (b'{"schema": "entra-auditor/snapshot", "version": 99}', "newer version"),
        (b'{"schema": "entra-auditor/snapshot", "version": 1}', "missing required field"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_a_reason(data: bytes, what: str) -> None:
    """Whatever the file holds, the error names it, says what is wrong and what to do."""
    assert what in refused(data).what


def test_a_field_of_the_wrong_type_is_named_by_its_path(document: dict[str, Any]) -> None:
    """An error in the shape says where it is."""
    document["clients"][0]["service_principal"]["id"] = 3
    assert "$.clients[0].service_principal.id" in refused(json.dumps(document).encode()).what


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def test_an_unknown_field_is_refused_wherever_it_stands(document: dict[str, Any]) -> None:
    """The format is ours: a field that this version does not know is never passed over."""
    places = list(objects(document))
    assert len(places) > 10
    for place in places:
        place["surprise"] = 1
        assert "unknown field" in refused(json.dumps(document).encode()).what
        del place["surprise"]
    decode(json.dumps(document).encode(), "here")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.update(taken_at="2026-11-20T09:14:00"), "a time without its zone - at `$.taken_at`"),
        (lambda d: d["enabled_members"].update(items=[-1]), "out of range - at `$.enabled_members.items[0]`"),
        (lambda d: d["enabled_members"].update(items=[2**60]), "out of range"),
    ],
)
def test_values_that_nobody_could_reckon_with_are_refused(
    document: dict[str, Any], change: Callable[[dict[str, Any]], None], what: str
) -> None:
    """Times have a zone and numbers are counts."""
    change(document)
    assert what in refused(json.dumps(document).encode()).what


def test_older_versions_are_upgraded_one_step_at_a_time() -> None:
    """Each step gets what the one before it made, and the result carries the newest version."""
    steps = {
        1: lambda d: {**d, "added": [d["version"]]},
        2: lambda d: {**d, "added": [*d["added"], d["version"]]},
    }
    old = {"schema": "entra-auditor/snapshot", "version": 1}
    assert upgraded(old, where="here", newest=3, upgrades=steps) == {**old, "version": 3, "added": [1, 2]}
    assert upgraded({**old, "version": 3}, where="here", newest=3, upgrades=steps)["version"] == 3
    with pytest.raises(InputError, match="unknown format 0"):
        upgraded({**old, "version": 0}, where="here", newest=3, upgrades=steps)


def test_the_source_reads_a_file_and_limits_it_to_the_apps_asked_for(sample: Snapshot, tmp_path: Path) -> None:
    """With --app-id only those clients stay; without it all do."""
    other = replace(sample.clients[0], service_principal=replace(sample.clients[0].service_principal, app_id=TENANT))
    both = replace(sample, clients=(sample.clients[0], other))
    place = tmp_path / "snapshot.json.gz"
    place.write_bytes(canonical.to_gzip(encode(both)))
    told: list[tuple[str, int, int | None]] = []
    asked = replace(request(place), progress=lambda *args: told.append(args))
    assert read_snapshot(asked) == both
    assert told == [("files", 0, 1), ("files", 1, 1)]
    assert read_snapshot(request(place, only=frozenset({ROOMS_APP.upper()}))) == sample
    with pytest.raises(UsageError, match=f"holds no app nobody. It holds: {TENANT}, {ROOMS_APP}"):
        read_snapshot(request(place, only=frozenset({"nobody", ROOMS_APP})))


def test_a_snapshot_of_another_profile_is_refused(sample: Snapshot, tmp_path: Path) -> None:
    """Clients that another profile chose are not judged by this one."""
    place = tmp_path / "snapshot.json"
    place.write_bytes(encode(replace(sample, profile="other")))
    with pytest.raises(UsageError, match="made for --app other"):
        read_snapshot(request(place))


def test_taken_at_is_refused(tmp_path: Path) -> None:
    """A snapshot's own time cannot be replaced."""
    with pytest.raises(UsageError, match="knows when it was taken"):
        read_snapshot(request(tmp_path / "none", taken_at=datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("name", ["absent.json", OF_ROOMS, "null\0byte", "n" * 5000])
def test_a_file_that_cannot_be_read_is_named(sample: Snapshot, tmp_path: Path, name: str) -> None:
    """No file, a folder, or no possible name: one error, with a printable name of bounded length."""
    assert sample.clients
    with pytest.raises(InputError, match="The file cannot be read") as caught:
        read_snapshot(request(tmp_path / "export" / name))
    assert caught.value.where.isprintable()
    assert len(caught.value.where) < 200


def test_the_registry_finds_both_file_sources() -> None:
    """A source is found by its one constant."""
    found = sources()
    assert (found["snapshot"].option, found["graph-export"].option) == ("--snapshot", "--graph-export")
