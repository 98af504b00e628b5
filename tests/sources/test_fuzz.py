"""Whatever the bytes of a snapshot or an export: a Snapshot or an AuditorError, in time, and no row is lost."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.errors import AuditorError
from auditor.model import canonical
from auditor.model.snapshot import Complete, Partial, Snapshot, Unavailable, items
from auditor.sources.snapshot_file import decode, encode
from tests.sources.exports import OF_ROOMS, ROOMS, assignment, lay, read, rooms, whole

EACH = timedelta(seconds=2)
FEW = settings(max_examples=200, deadline=EACH, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=20_000)

FILES = {name: json.dumps(content).encode() for name, content in whole().items()}
FILES[f"{OF_ROOMS}/owners.json"] = b'[{"Id": "a", "AdditionalProperties": {"@odata.type": "#microsoft.graph.user"}}]'
FILES["auditLogs/directoryAudits.json"] = json.dumps(
    [
        {
            "id": "sample-event",
            "activityDisplayName": "Add delegated permission grant",
            "activityDateTime": "2026-11-02T13:05:40Z",
            "initiatedBy": {"user": {"userPrincipalName": "megan@contoso.example"}},
            "targetResources": [
                {"id": "a", "modifiedProperties": [{"displayName": "ServicePrincipal.ObjectID", "newValue": '"x"'}]}
            ],
        }
    ]
).encode()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Return `data` as something else: cut, overwritten, nested deeply, in another encoding, or any bytes at all."""
    at = draw(st.integers(0, len(data)))
    new = draw(st.binary(min_size=1, max_size=6) | st.sampled_from([b"null", b'"', b"{", b"]", b"\\u", b"-1"]))
    depth = draw(st.integers(1, 100_000))
    ways: dict[str, Callable[[], bytes]] = {
        "cut": lambda: data[:at],
        "overwrite": lambda: data[:at] + new + data[at + len(new) :],
        "insert": lambda: data[:at] + new + data[at:],
        "nest": lambda: b"[" * depth + data + b"]" * depth,
        "value": lambda: _with_a_value_replaced(draw, json.loads(data)),
        "utf-16": lambda: data.decode().encode("utf-16")[:at],
        "gzip": lambda: gzip.compress(data)[:at],
        "bytes": lambda: draw(st.binary(max_size=200)),
        "json": lambda: json.dumps(draw(JSON)).encode(),
    }
    return ways[draw(st.sampled_from(sorted(ways)))]()


def _with_a_value_replaced(draw: st.DrawFn, document: Any) -> bytes:
    """Return the document with one value, anywhere in it, replaced by any JSON."""
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        places += [(value, key) for key in keys]
        waiting += [value[key] for key in keys]
    if places:
        value, key = draw(st.sampled_from(places))
        value[key] = draw(JSON)
    return json.dumps(document).encode()


def export_with(name: str, data: bytes) -> Snapshot | AuditorError:
    """Return what an export gives in which one file holds `data`."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(lay(Path(folder), {**FILES, name: data}))
        except AuditorError as error:
            return error


def snapshot_of(data: bytes) -> Snapshot | AuditorError:
    """Return what a snapshot file with these bytes gives."""
    try:
        return decode(data, "sample.json")
    except AuditorError as error:
        return error


def holds(result: Snapshot | AuditorError) -> None:
    """Check the promise: a snapshot that can be written again, or an error with a place and advice."""
    if isinstance(result, Snapshot):
        assert decode(encode(result), "again") == result
    else:
        assert result.what
        assert result.where
        assert result.advice
        assert str(result).isprintable()


EXPORT = st.sampled_from(sorted(FILES)).flatmap(lambda name: st.tuples(st.just(name), mutated(FILES[name])))


with tempfile.TemporaryDirectory() as _folder:
    SNAPSHOT = encode(read(lay(Path(_folder), dict(FILES))))
ANY_SNAPSHOT = mutated(SNAPSHOT) | mutated(SNAPSHOT).map(canonical.to_gzip)


@FEW
@given(EXPORT)
def test_any_export_is_read_or_refused(changed: tuple[str, bytes]) -> None:
    """Any bytes in any file of an export give a snapshot or an error, within two seconds."""
    holds(export_with(*changed))


@FEW
@given(ANY_SNAPSHOT)
def test_any_snapshot_is_read_or_refused(data: bytes) -> None:
    """Any bytes in a snapshot file give a snapshot or an error, within two seconds."""
    holds(snapshot_of(data))


@pytest.mark.slow
@MANY
@given(EXPORT, ANY_SNAPSHOT)
def test_many_files_are_read_or_refused(changed: tuple[str, bytes], data: bytes) -> None:
    """The same for a hundred times as many."""
    holds(export_with(*changed))
    holds(snapshot_of(data))


GOOD = st.integers(0, 5).map(assignment)
BAD = JSON.filter(lambda value: not isinstance(value, dict)) | st.just({"id": "no assignment"})
WAYS: list[Callable[[list[Any]], bytes]] = [
    lambda rows: json.dumps(rows).encode(),
    lambda rows: json.dumps({"value": rows}).encode("utf-16"),
    lambda rows: json.dumps([{"value": rows[:2], "@odata.nextLink": "x"}, {"value": rows[2:]}]).encode(),
]


@FEW
@given(st.lists(GOOD | BAD, max_size=12), st.sampled_from(WAYS))
def test_every_row_is_an_item_a_repetition_or_a_rejection(rows: list[Any], way: Callable[[list[Any]], bytes]) -> None:
    """Rows in = items + repeated + rejected, and one rejected row makes the collection partial and is counted."""
    good = [row["id"] for row in rows if isinstance(row, dict) and "appRoleId" in row]
    rejected = len(rows) - len(good)
    snapshot = export_with(f"{OF_ROOMS}/appRoleAssignments.json", way(rows))
    assert isinstance(snapshot, Snapshot)
    found = rooms(snapshot).app_role_assignments
    assert not isinstance(found, Unavailable)
    assert {a.id for a in items(found)} == set(good)
    assert len(items(found)) == len(set(good))
    repeated = len(good) - len(set(good))
    assert [fault.partition(": ")[2] for fault in found.faults] == (
        [f"{repeated} repeated rows, taken once"] if repeated else []
    )
    if rejected:
        assert isinstance(found, Partial)
        assert f"{rejected} of {len(rows)} rows could not be read" in found.why
    else:
        assert isinstance(found, Complete)


@pytest.mark.parametrize("copies", [10_000])
def test_ten_thousand_service_principals_are_read_in_seconds(copies: int, tmp_path: Path) -> None:
    """A large tenant's export, with a folder for each app, takes seconds and is read whole."""
    listed = json.loads(FILES["servicePrincipals.json"])["value"]
    roles = [{"id": f"role-{n}", "value": f"Role.{n}", "isEnabled": True} for n in range(5)]
    others = [
        {
            **{f"field{n}": None for n in range(30)},
            "id": f"sp-{number}",
            "appId": f"app-{number}",
            "displayName": f"Sample app {number}",
            "replyUrls": [f"https://app{number}.contoso.example/callback"],
            "createdDateTime": "2024-01-01T00:00:00Z",
            "appRoles": roles,
        }
        for number in range(copies)
    ]
    lay(tmp_path, {**FILES, "servicePrincipals.json": {"value": [*listed, *others]}})
    lay(tmp_path, {f"servicePrincipals/sp-{number}/owners.json": b"[]" for number in range(0, copies, 10)})
    start = perf_counter()
    snapshot = read(tmp_path)
    took = perf_counter() - start
    assert len(items(snapshot.service_principals)) == copies + 2
    assert rooms(snapshot).service_principal.id == ROOMS
    assert took < 15, f"{took:.1f} s"
    start = perf_counter()
    assert decode(encode(snapshot), "again") == snapshot
    assert perf_counter() - start < 15
