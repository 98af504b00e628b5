"""Whatever the bytes of a snapshot or an export: a Snapshot or an AuditorError, in time, and no row is lost."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.errors import AuditorError
from auditor.graph import wire
from auditor.model import canonical
from auditor.model.snapshot import Complete, Partial, Snapshot, Unavailable, items
from auditor.sources.export_collections import Saved, collected
from auditor.sources.export_collections import rows as rows_of
from auditor.sources.export_folder import Folder
from auditor.sources.export_users import USERS
from auditor.sources.graph_export import _AUDITS, _GRANTS, _ORGANIZATION, _SERVICE_PRINCIPALS, _SIGN_INS
from auditor.sources.snapshot_file import decode, encode
from tests.fuzz.mutation import VALUES, archive, places
from tests.fuzz.targets import export
from tests.sources.exports import OF_ROOMS, ROOMS, assignment, grant, lay, read, rooms, whole

EACH = timedelta(seconds=2)
FEW = settings(max_examples=200, deadline=EACH, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=4_000)

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
    """The same for many more; tests/fuzz gives the importers further inputs by seed."""
    holds(export_with(*changed))
    holds(snapshot_of(data))


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_an_export_with_a_changed_structure_is_read_or_refused(seed: int) -> None:
    """The export of tests/exports with one file changed: types, keys, nesting, numbers, encodings, archives."""
    export(seed)


def kinds() -> Iterator[tuple[str, Saved[Any], list[Any]]]:
    """Yield every kind of saved answer, with the file that holds it and rows of it that are fine."""
    of_an_app = {
        "appRoleAssignments": wire.app_role_assignment,
        "oauth2PermissionGrants": wire.oauth2_permission_grant,
        "owners": wire.directory_object,
        "transitiveMemberOf": wire.directory_object,
    }
    saved: list[Saved[Any]] = [_SERVICE_PRINCIPALS, _ORGANIZATION, _GRANTS, _SIGN_INS, _AUDITS, USERS]
    saved += [
        Saved(path=f"{OF_ROOMS}/{leaf}", call="GET x", decode=decode_one, key=lambda item: item.id)
        for leaf, decode_one in of_an_app.items()
    ]
    more: dict[str, list[Any]] = {
        _GRANTS.path: [grant(1), grant(2)],
        _SIGN_INS.path: [{"appId": "a", "lastSignInActivity": {"lastSignInDateTime": "2026-11-19T00:00:00Z"}}],
        f"{OF_ROOMS}/transitiveMemberOf": [{"id": "a", "@odata.type": "#microsoft.graph.group"}],
    }
    for kind in saved:
        rows = json.loads(FILES.get(f"{kind.path}.json", b"[]"))
        yield f"{kind.path}.json", kind, more.get(kind.path) or (rows["value"] if isinstance(rows, dict) else rows)


@pytest.mark.parametrize(("name", "kind", "good"), [pytest.param(*kind, id=kind[1].path) for kind in kinds()])
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_rows_of_every_kind_are_items_repetitions_or_rejections(
    name: str, kind: Saved[Any], good: list[Any], seed: int
) -> None:
    """Rows in = items + repeated + rejected, and whatever is rejected or told as a fault makes the answer Partial."""
    random = Random(seed)
    assert good
    rows = [random.choice(good) if random.random() < 0.5 else changed_row(random, good) for _ in range(8)]
    data = json.dumps({"value": rows}).encode("utf-8", "surrogatepass")
    with tempfile.TemporaryDirectory() as folder:
        export_folder = Folder(lay(Path(folder), {name: data}), where="sample")
        answer = export_folder.answer(kind.path)
        assert answer is not None
        told = rows_of(answer, kind)
        found = collected(answer, told)
    assert len(rows) == len(answer.items) == len(told.items) + told.repeated + len(told.rejected)
    assert all(reason.partition(": ")[2] for reason in told.rejected)
    assert isinstance(found, Partial if told.rejected else Complete)
    if isinstance(found, Partial):
        assert f"{len(told.rejected)} of {len(rows)} rows could not be read" in found.why


def changed_row(random: Random, good: list[Any]) -> Any:
    """Return a good row with one change, or a value that is no row."""
    if random.random() < 0.2:
        return deepcopy(random.choice(VALUES[:30]))
    row = deepcopy(random.choice(good))
    inner, key = random.choice(places(row))
    if isinstance(inner, dict) and random.random() < 0.3:
        del inner[key]
    else:
        inner[key] = deepcopy(random.choice(VALUES[:30]))
    return row


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'[{"Id":' * 100_000,
        b'{"value":' * 5_000 + b"[]" + b"}" * 5_000,
        b'[{"id": "a", "accountEnabled": 1' + b"0" * 5_000 + b"}]",
        b'[{"id": "a", "n": 1e999}]',
        gzip.compress(b"[" + b" " * 2**26 + b"]" + b" " * 2**26),
        gzip.compress(b'[{"id": "a"}]')[:-4],
        archive({"../../users.json": b"[]"}),
        "[]".encode("utf-32"),
        b"\x00",
        b'[{"id": "a"}]\n\xff\n',
    ],
    ids=["lists", "objects", "pages", "digits", "infinity", "bomb", "cut", "zip", "UTF-32", "NUL", "bytes"],
)
def test_named_files_leave_their_collection_unavailable(data: bytes) -> None:
    """What cannot be read at all is told with the file's name, and everything else is read."""
    snapshot = export_with("users.json", data)
    assert isinstance(snapshot, Snapshot)
    assert isinstance(snapshot.enabled_members, Unavailable)
    assert snapshot.enabled_members.why.startswith("users.json: ")
    assert isinstance(rooms(snapshot).app_role_assignments, Complete)


def test_an_audit_record_that_is_nested_deeply_loses_its_text_only() -> None:
    """A property whose text is JSON, 100,000 lists deep, is taken as text; the record stays."""
    [event] = json.loads(FILES["auditLogs/directoryAudits.json"])
    event["targetResources"][0]["modifiedProperties"][0]["newValue"] = "[" * 100_000
    assert wire.grant_event(event).target_id == "[" * 100_000


def test_links_and_names_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    """A link to a file or folder elsewhere, itself included, is told and not read."""
    place = lay(tmp_path / "export", {k: v for k, v in FILES.items() if k != "users.json"})
    lay(tmp_path / "other", {"users.json": FILES["users.json"]})
    (place / "users.json").symlink_to(tmp_path / "other" / "users.json")
    (place / "loop").symlink_to(place)
    snapshot = read(place)
    assert isinstance(snapshot.enabled_members, Unavailable)
    assert sum("a link, which is not followed" in note for note in snapshot.notes) == 2


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
