"""What `--graph-export` promises: any tool's form is read alike, and what is missing is never read as empty."""

from __future__ import annotations

import codecs
import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from auditor.errors import InputError, UsageError
from auditor.model.directory import ServicePrincipal
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    EXCHANGE,
    Collected,
    Complete,
    LedgerEntry,
    Partial,
    Snapshot,
    Unavailable,
    items,
    ledger,
)
from auditor.sources import export_folder
from tests.sources.exports import (
    GRAPH,
    OF_ROOMS,
    ROOMS,
    ROOMS_APP,
    TENANT,
    assignment,
    grant,
    lay,
    read,
    rooms,
    service_principals,
    user,
    whole,
)

ASSIGNMENTS = f"{OF_ROOMS}/appRoleAssignments.json"
LINK = "https://graph.microsoft.com/v1.0/next?$skiptoken="
CONTOSO = Path(__file__).parent.parent / "exports" / "contoso"


def assignments(root: Path, content: object) -> Collected[Any]:
    """Return what the rooms app's assignments are when their file has this content."""
    return rooms(read(lay(root, {**whole(), ASSIGNMENTS: content}))).app_role_assignments


def page(*numbers: int, link: str = "") -> dict[str, Any]:
    """Return a page of assignments."""
    return {"value": [assignment(n) for n in numbers], **({"@odata.nextLink": LINK + link} if link else {})}


def gaps(snapshot: Snapshot) -> list[LedgerEntry]:
    """Return what is not complete, but for Exchange's side, which no Graph answer holds."""
    return [e for e in ledger(snapshot) if e.state != "complete" and e.collection != EXCHANGE]


def ids(collected: Collected[Any]) -> list[str]:
    """Return the numbers of the assignments that were read."""
    return sorted(item.id.removeprefix("sample-assignment-") for item in items(collected))


def pascal(value: object) -> object:
    """Return a value as PowerShell's Graph SDK prints it."""
    if isinstance(value, list):
        return [pascal(inner) for inner in value]
    if isinstance(value, dict):
        return {k if k.startswith("@") else k[:1].upper() + k[1:]: pascal(v) for k, v in value.items()}
    return value


def lines(*values: object) -> bytes:
    """Return values as JSON lines with CRLF."""
    return b"".join(json.dumps(value).encode() + b"\r\n" for value in values)


def test_a_whole_export_gives_a_complete_snapshot(tmp_path: Path) -> None:
    """With every file there, every line of the ledger is complete and nothing is remarked on."""
    snapshot = read(lay(tmp_path, whole()))
    assert gaps(snapshot) == []
    assert snapshot.source.kind == "graph-export"
    assert snapshot.tenant_id == TENANT
    assert snapshot.profile == "zoom"
    assert snapshot.notes == ()
    assert [sp.id for sp in items(snapshot.resources)] == [GRAPH]
    assert all(sp.app_roles is UNSET for sp in items(snapshot.service_principals))


TWO = [assignment(1), assignment(2)]
FORMS: dict[str, object] = {
    "response": {"value": TWO},
    "response with a null error": {"error": None, "value": TWO},
    "response with count": {"@odata.count": 2, "value": TWO},
    "pages": [page(1, link="a"), page(2)],
    "pages backwards": [page(2), page(1, link="a")],
    "the same page twice": [page(1, link="a"), page(1, link="a"), page(2)],
    "an empty page between": [page(1, link="a"), page(link="b"), page(2)],
    "array": TWO,
    "lines of items": lines(*TWO),
    "lines of pages": lines(page(1, link="a"), page(2)),
    "a line of an array": lines(TWO),
    "windows powershell": {"value": TWO, "Count": 2},
    "pages with one item unwrapped": [
        {"value": assignment(1), "@odata.nextLink": LINK},
        {"value": assignment(2)},
    ],
    "PascalCase": pascal(TWO),
    "PascalCase response": pascal({"value": TWO, "@odata.context": "sample"}),
    "repeated item": [*TWO, assignment(2)],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_items(form: str, tmp_path: Path) -> None:
    """Response, pages in any order, bare array, JSON lines and PowerShell objects all say the same."""
    found = assignments(tmp_path, FORMS[form])
    assert isinstance(found, Complete), found
    same = assignments(tmp_path, {"value": TWO})
    assert sorted(items(found), key=lambda a: a.id) == list(items(same))


@pytest.mark.parametrize("form", [{"value": assignment(1)}, assignment(1), pascal(assignment(1))])
def test_one_item_need_not_be_in_an_array(form: object, tmp_path: Path) -> None:
    """PowerShell unwraps an array of one; the item alone is that array."""
    found = assignments(tmp_path, form)
    assert isinstance(found, Complete)
    assert ids(found) == ["1"]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: gzip.compress(text.encode(), mtime=0),
    ],
    ids=["utf-8-bom", "utf-16-le-bom", "utf-16-be-bom", "utf-16-le", "utf-16-be", "gzip"],
)
@pytest.mark.parametrize("name", ["Zoom", "Zoom für 会議 🎥"])
def test_every_encoding_gives_the_same_text(encode: Callable[[str], bytes], name: str, tmp_path: Path) -> None:
    """UTF-8 and UTF-16, with and without byte order mark, and gzip whatever the file is called."""
    listed = [{**service_principals()[0], "displayName": name}, service_principals()[1]]
    content = encode(json.dumps({"value": listed}, ensure_ascii=False))
    snapshot = read(lay(tmp_path, {**whole(), "servicePrincipals.json": content}))
    assert rooms(snapshot).service_principal.display_name == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/Date(1581439340227)/", datetime(2020, 2, 11, 16, 42, 20, 227000, tzinfo=UTC)),
        ("/Date(1581439340227+0000)/", datetime(2020, 2, 11, 16, 42, 20, 227000, tzinfo=UTC)),
        ("/Date(1581439340227-0800)/", datetime(2020, 2, 11, 16, 42, 20, 227000, tzinfo=UTC)),
        ({"value": "/Date(0)/", "DisplayHint": 2, "DateTime": "x"}, datetime(1970, 1, 1, tzinfo=UTC)),
        ("/Date(-1000)/", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_of_windows_powershell_are_read(written: object, meant: datetime, tmp_path: Path) -> None:
    """The milliseconds count from 1970 in UTC; the offset only says how they were shown."""
    [found] = items(assignments(tmp_path, {"value": [{**assignment(1), "createdDateTime": written}]}))
    assert found.created_date_time == meant


def test_a_time_that_no_calendar_holds_is_a_rejected_row(tmp_path: Path) -> None:
    """A date out of range is not guessed at."""
    found = assignments(tmp_path, [{**assignment(1), "createdDateTime": "/Date(999999999999999)/"}])
    assert isinstance(found, Partial)
    assert "createdDateTime" in found.why


def test_powershell_null_is_not_known(tmp_path: Path) -> None:
    """The SDK prints null for what was not asked for, so it says neither "none" nor "empty"; Graph's null does."""
    fields = {"publisherName": None, "verifiedPublisher": {"displayName": None}, "tags": None, "homepage": ""}
    plain = {**service_principals()[0], **fields}
    for content, publisher in (([plain], None), ([pascal(plain)], UNSET)):
        files = {**whole(), "servicePrincipals.json": [*content, service_principals()[1]]}
        app = rooms(read(lay(tmp_path, files))).service_principal
        assert app.publisher_name is publisher
        assert (app.verified_publisher is UNSET) == (publisher is UNSET)
        assert app.homepage == ""


def test_additional_properties_are_part_of_the_object(tmp_path: Path) -> None:
    """PowerShell's SDK keeps type and name of an owner in a dictionary of their own."""
    owner = {
        "Id": TENANT,
        "DeletedDateTime": None,
        "AdditionalProperties": {"@odata.type": "#microsoft.graph.user", "displayName": "Megan Sample"},
    }
    snapshot = read(lay(tmp_path, {**whole(), f"{OF_ROOMS}/owners.json": owner}))
    [found] = items(rooms(snapshot).owners)
    assert (found.odata_type, found.display_name) == ("#microsoft.graph.user", "Megan Sample")
    assert snapshot.notes == (
        f"{OF_ROOMS}/owners.json: written from PowerShell objects; a null there is taken as not known.",
    )


@pytest.mark.parametrize("cut", ["System.Object[]", ["@{Id=1}"], ["System.Collections.Hashtable"]])
def test_values_that_convertto_json_cut_off_make_it_partial(cut: object, tmp_path: Path) -> None:
    """Text where Graph has objects is no answer; the field is not known, and the way to save it is said."""
    listed = [service_principals()[0], {**service_principals()[1], "appRoles": cut}]
    snapshot = read(lay(tmp_path, {**whole(), "servicePrincipals.json": listed}))
    assert isinstance(snapshot.service_principals, Partial)
    assert "-Depth 10" in snapshot.service_principals.why
    assert isinstance(snapshot.resources, Partial)


@pytest.mark.parametrize(
    ("content", "got", "why"),
    [
        (page(1, link="a"), ["1"], "leads nowhere"),
        ([page(1, link="a"), page(2, link="b")], ["1", "2"], "leads nowhere"),
        (lines(page(1, link="a"), page(2, link="b")), ["1", "2"], "leads nowhere"),
        ([page(1, link="a"), page(2, link="a"), page(3)], ["1", "2", "3"], "the same nextLink"),
        ({**page(1), "odataNextLink": LINK}, ["1"], "leads nowhere"),
        ({**page(1), "@odata.count": 2}, ["1"], "counted 2, the file holds 1"),
        ([page(1, link="a"), {"error": {"code": "TooManyRequests"}}], ["1"], "answered TooManyRequests"),
        ([page(1), {"value": None}], ["1"], "page 2: its value is no list"),
        ([assignment(1), 7], ["1"], "1 of 2 rows"),
        ([assignment(1), {"id": "x"}], ["1"], "item 1: Object missing required field"),
        ([assignment(1), {**assignment(1), "appRoleId": GRAPH}], ["1"], "differs from an earlier item"),
        ([assignment(1), assignment(2, principal=GRAPH)], ["1"], "belongs to"),
        (lines(assignment(1)) + b'{"id": "cut', ["1"], "line 2: Input data was truncated"),
        ([{"id": n} for n in range(9)], [], "; and 4 more"),
        (None, [], "1 of 1 rows"),
        ({"foo": 1}, [], "1 of 1 rows"),
    ],
)
def test_what_may_be_missing_makes_it_partial(content: object, got: list[str], why: str, tmp_path: Path) -> None:
    """Pages that are not there, rows that cannot be read and counts that are not reached are never complete."""
    found = assignments(tmp_path, content)
    assert isinstance(found, Partial)
    assert ids(found) == got
    assert why in found.why
    assert "appRoleAssignments.json" in found.why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (codecs.BOM_UTF16_LE, "empty"),
        (b" \r\n ", "empty"),
        (b"Connect-MgGraph : not signed in", "not JSON"),
        (json.dumps(TWO, indent=2).encode()[:-9], "not JSON"),
        (b'{"value": "\xff\xfe"}', "not UTF-8"),
        (codecs.BOM_UTF16_LE + b"[", "not UTF-16"),
        (b"[" * 50_000, "nested too deeply"),
        (gzip.compress(b"[]", mtime=0)[:-3], "cut off"),
        ({"error": {"code": "Authorization_RequestDenied", "message": "No."}}, "RequestDenied: No."),
        ({"error": "invalid_grant"}, "answered invalid_grant"),
        ({"error": {}}, "answered an error without a code"),
    ],
)
def test_what_says_nothing_is_unavailable(content: object, why: str, tmp_path: Path) -> None:
    """An empty, damaged or refused answer is no empty collection, and the call that would answer is named."""
    found = assignments(tmp_path, content)
    assert isinstance(found, Unavailable)
    assert why in found.why
    assert f"GET /v1.0/servicePrincipals/{ROOMS}/appRoleAssignments" in found.opens


@pytest.mark.parametrize("name", sorted(whole()))
def test_an_absent_file_is_unavailable_and_never_empty(name: str, tmp_path: Path) -> None:
    """Taking a file away takes away exactly what it says, and the snapshot names file and Graph call."""
    files = whole()
    del files[name]
    if name == "servicePrincipals.json":
        with pytest.raises(InputError, match=r"GET /v1.0/servicePrincipals\?\$top=999"):
            read(lay(tmp_path, files))
        return
    entries = gaps(read(lay(tmp_path, files)))
    assert [entry.state for entry in entries] == ["unavailable"]
    assert name in entries[0].why
    assert name in entries[0].opens
    assert "GET /" in entries[0].opens


@pytest.mark.parametrize("content", [b"", {"error": {"code": "Forbidden"}}, {"foo": 1}, [7]])
def test_an_export_without_readable_service_principals_is_refused(content: object, tmp_path: Path) -> None:
    """Without them nobody can say which apps are there."""
    with pytest.raises(InputError, match=r"servicePrincipals\.json") as caught:
        read(lay(tmp_path, {**whole(), "servicePrincipals.json": content}))
    assert "appRoleAssignments" in caught.value.advice


@pytest.mark.parametrize("name", ["absent", "organization.json", "null\0byte"])
def test_a_folder_that_cannot_be_listed_is_refused(name: str, tmp_path: Path) -> None:
    """No folder, or a file in its place."""
    with pytest.raises(InputError, match="The folder cannot be read"):
        read(lay(tmp_path, whole()) / name)


def test_names_of_files_and_folders_have_no_case(tmp_path: Path) -> None:
    """An export that went through another file system is the same export."""
    lower = {name.lower(): content for name, content in whole().items()}
    snapshot = read(lay(tmp_path, lower))
    assert gaps(snapshot) == []
    assert snapshot.notes == ()


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".JSON", ".json.gz"])
def test_the_usual_endings_are_known(ending: str, tmp_path: Path) -> None:
    """JSON lines and archives may be called what they are."""
    files = whole()
    files[ASSIGNMENTS.removesuffix(".json") + ending] = files.pop(ASSIGNMENTS)
    assert ids(rooms(read(lay(tmp_path, files))).app_role_assignments) == ["1"]


def test_two_files_for_one_answer_are_not_chosen_between(tmp_path: Path) -> None:
    """Nobody can say which of the two holds."""
    files = {**whole(), ASSIGNMENTS.removesuffix("json") + "jsonl": lines(assignment(2))}
    found = rooms(read(lay(tmp_path, files))).app_role_assignments
    assert isinstance(found, Unavailable)
    assert "Two files" in found.why


def test_a_folder_may_be_called_by_the_app_id(tmp_path: Path) -> None:
    """Tools that know only the appId name the folder by it."""
    files = {name.replace(ROOMS, ROOMS_APP): content for name, content in whole().items()}
    snapshot = read(lay(tmp_path, files))
    assert ids(rooms(snapshot).app_role_assignments) == ["1"]
    assert gaps(snapshot) == []


def test_delegated_grants_of_the_tenant_serve_every_app(tmp_path: Path) -> None:
    """Without a file of its own an app has the grants whose client it is, as completely as they were read."""
    files = whole()
    del files[f"{OF_ROOMS}/oauth2PermissionGrants.json"]
    files["oauth2PermissionGrants.json"] = [grant(1), grant(2, client=GRAPH)]
    found = rooms(read(lay(tmp_path, files))).oauth2_permission_grants
    assert isinstance(found, Complete)
    assert [g.id for g in found.items] == ["sample-grant-1"]
    files["oauth2PermissionGrants.json"] = {"value": [grant(1)], "@odata.nextLink": LINK}
    assert isinstance(rooms(read(lay(tmp_path, files))).oauth2_permission_grants, Partial)


def test_an_apps_own_grants_come_before_those_of_the_tenant(tmp_path: Path) -> None:
    """The file of the app is the closer one; a grant of another client in it is rejected."""
    own = [grant(1), grant(3, client=GRAPH)]
    files = {
        **whole(),
        f"{OF_ROOMS}/oauth2PermissionGrants.json": own,
        "oauth2PermissionGrants.json": [grant(2)],
    }
    found = rooms(read(lay(tmp_path, files))).oauth2_permission_grants
    assert isinstance(found, Partial)
    assert [g.id for g in found.items] == ["sample-grant-1"]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("#microsoft.graph.directoryRole", Complete),
        ("#microsoft.graph.administrativeUnit", Complete),
        ("#microsoft.graph.group", Partial),
        (None, Partial),
    ],
)
def test_direct_memberships_are_whole_only_without_groups(kind: str | None, state: type, tmp_path: Path) -> None:
    """A group can carry a directory role, which only transitiveMemberOf shows."""
    files = whole()
    files[f"{OF_ROOMS}/memberOf.json"] = [{"id": TENANT, "@odata.type": kind}]
    assert rooms(read(lay(tmp_path, files))).member_of == Complete(items=())
    del files[f"{OF_ROOMS}/transitiveMemberOf.json"]
    (tmp_path / f"{OF_ROOMS}/transitiveMemberOf.json").unlink()
    assert isinstance(rooms(read(lay(tmp_path, files))).member_of, state)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([user(1), user(2, accountEnabled=False), user(3, userType="Guest")], Complete(items=(1,))),
        ([user(1, userType=None), user(2, userType="member")], Complete(items=(2,))),
        ([{"id": "a", "accountEnabled": True}], Complete(items=(1,))),
        ({"@odata.count": 4210, "@odata.nextLink": LINK, "value": [user(1)]}, Complete(items=(4210,))),
        ({"@odata.count": 3, "value": [{"id": "a"}]}, Complete(items=(3,))),
        ({"@odata.count": 2, "value": [user(1), user(2, accountEnabled=False)]}, Complete(items=(1,))),
    ],
)
def test_enabled_members_are_counted(content: object, expected: Complete[int], tmp_path: Path) -> None:
    """Guests and disabled accounts do not count; an account without userType does; Graph's count serves too."""
    assert read(lay(tmp_path, {**whole(), "users.json": content})).enabled_members == expected


@pytest.mark.parametrize(
    ("content", "state", "why"),
    [
        ([user(1), {"id": "a"}], Unavailable, "do not say whether they are enabled"),
        ([user(1, accountEnabled=None)], Unavailable, "do not say whether they are enabled"),
        ({"@odata.nextLink": LINK, "value": [user(1)]}, Partial, "leads nowhere"),
        ([user(1), {"accountEnabled": True}], Partial, "1 of 2 rows"),
        (
            {"@odata.count": 9, "@odata.nextLink": LINK, "value": [user(1, userType="Guest")]},
            Partial,
            "includes disabled accounts or guests",
        ),
    ],
)
def test_accounts_that_cannot_be_counted_are_not(content: object, state: type, why: str, tmp_path: Path) -> None:
    """Accounts of which nobody knows whether they are enabled give no number, or not a whole one."""
    found = read(lay(tmp_path, {**whole(), "users.json": content})).enabled_members
    assert isinstance(found, state)
    assert isinstance(found, Partial | Unavailable)
    assert why in found.why


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ([{"id": "a", "accountEnabled": True}], "accounts without userType are counted"),
        ({"@odata.count": 9, "value": [{"id": "a"}]}, "count is assumed to be of enabled members"),
    ],
)
def test_a_number_that_rests_on_an_assumption_says_so(content: object, note: str, tmp_path: Path) -> None:
    """What the file does not show stands in the notes."""
    [found] = read(lay(tmp_path, {**whole(), "users.json": content})).notes
    assert note in found


def test_a_resource_of_its_own_file_completes_a_list_without_permissions(tmp_path: Path) -> None:
    """A list saved with $select lacks appRoles; the resource saved alone has them."""
    listed = [{k: sp[k] for k in ("id", "appId", "displayName")} for sp in service_principals()]
    files = {**whole(), "servicePrincipals.json": listed}
    snapshot = read(lay(tmp_path, files))
    assert isinstance(snapshot.resources, Partial)
    assert GRAPH in snapshot.resources.why
    assert [sp.app_roles for sp in items(snapshot.resources)] == [UNSET]
    files[f"servicePrincipals/{GRAPH}.json"] = service_principals()[1]
    snapshot = read(lay(tmp_path, files))
    assert isinstance(snapshot.resources, Complete)
    assert snapshot.notes == ()


def test_a_resource_that_is_not_in_the_export_is_named(tmp_path: Path) -> None:
    """A grant on an unknown resource makes the resources partial, and hostile ids stay harmless."""
    evil = "../../etc/passwd\x1b[31m\u202e" + "x" * 65536
    snapshot = read(lay(tmp_path, {**whole(), ASSIGNMENTS: [{**assignment(1), "resourceId": evil}]}))
    assert isinstance(snapshot.resources, Partial)
    assert snapshot.resources.why.isprintable()
    assert len(snapshot.resources.why) < 300


def test_the_sign_in_report_is_read_per_app(tmp_path: Path) -> None:
    """A line belongs to its appId; a report without one is complete and says that there was none."""
    name = "reports/servicePrincipalSignInActivities.json"
    line = {
        "appId": ROOMS_APP.upper(),
        "lastSignInActivity": {"lastSignInDateTime": "2026-11-01T00:00:00Z"},
    }
    other = {"appId": TENANT, "lastSignInActivity": None}
    [found] = items(rooms(read(lay(tmp_path, {**whole(), name: [line, other]}))).sign_in_activity)
    assert found.last_sign_in == datetime(2026, 11, 1, tzinfo=UTC)
    assert rooms(read(lay(tmp_path, {**whole(), name: [other]}))).sign_in_activity == Complete(items=())


def test_the_audit_log_is_read_per_app_and_says_how_far_back_it_reaches(tmp_path: Path) -> None:
    """Only changes of the app are its events; every record tells the reach of the log."""

    def event(number: int, activity: str, target: str, day: int) -> dict[str, Any]:
        return {
            "id": f"event-{number}",
            "activityDisplayName": activity,
            "activityDateTime": f"2026-11-{day:02}T00:00:00Z",
            "targetResources": [{"id": target}],
        }

    events = [
        event(1, "Consent to application", ROOMS, 9),
        event(2, "Consent to application", GRAPH, 8),
        event(3, "Update service principal", ROOMS, 8),
        event(4, "Add policy to service principal", ROOMS, 7),
    ]
    snapshot = read(lay(tmp_path, {**whole(), "auditLogs/directoryAudits.json": events}))
    assert [e.id for e in items(rooms(snapshot).grant_events)] == ["event-1", "event-3"]
    assert snapshot.audit_log_since == datetime(2026, 11, 7, tzinfo=UTC)


def test_without_an_organization_the_tenant_is_not_known(tmp_path: Path) -> None:
    """The tenant id is read and not guessed; two tenants in one export are refused."""
    files = {**whole(), "organization.json": []}
    assert read(lay(tmp_path, files)).tenant_id == ""
    two = [{"id": TENANT}, {"id": GRAPH}]
    with pytest.raises(InputError, match="names 2 tenants"):
        read(lay(tmp_path, {**files, "organization.json": two}))


def test_the_time_is_given_or_assumed_from_the_newest_file_read(tmp_path: Path) -> None:
    """--taken-at rules; else the newest file that was read counts, in whole seconds."""
    lay(tmp_path, {**whole(), "notes.txt": b"newer, and not read"})
    for place in tmp_path.rglob("*"):
        os.utime(place, (1_700_000_000.9, 1_700_000_000.9))
    os.utime(tmp_path / "users.json", (1_700_000_123.7, 1_700_000_123.7))
    os.utime(tmp_path / "notes.txt", (1_800_000_000, 1_800_000_000))
    snapshot = read(tmp_path)
    assert (snapshot.taken_at, snapshot.taken_at_basis) == (
        datetime.fromtimestamp(1_700_000_123, UTC),
        "assumed",
    )
    given = datetime(2026, 11, 20, tzinfo=UTC)
    snapshot = read(tmp_path, taken_at=given)
    assert (snapshot.taken_at, snapshot.taken_at_basis) == (given, "given")


def test_files_that_are_not_understood_are_noted(tmp_path: Path) -> None:
    """Nothing in the folder is passed over in silence, and names are made harmless."""
    extra = {
        "groups.json": [],
        "evil\x1b[31m\u202e.json": [],
        f"{OF_ROOMS}/claimsPolicies.json": [],
        f"servicePrincipals/{GRAPH}/owners.json": [],
        "README.md": b"not data",
        ".hidden": b"not data",
        "a/b/c/d/e/too-deep.json": [],
    }
    extra.update({f"z{number:02}.csv": b"" for number in range(30)})
    lay(tmp_path, {**whole(), **extra})
    os.mkfifo(tmp_path / "users.jsonl")
    deep, pipe, note = read(tmp_path).notes
    assert (deep.partition(":")[0], pipe.partition(":")[0]) == ("a/b/c/d", "users.jsonl")
    assert note.isprintable()
    assert "groups.json" in note
    assert "claimsPolicies.json" in note
    assert "owners.json" not in note
    assert "README" not in note
    assert note.endswith("and 13 more.")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in the folder, to a file or a folder, gives nothing away of what lies elsewhere."""
    outside = lay(tmp_path / "outside", {"assignments.json": [assignment(1)], "owners.json": []})
    root = lay(tmp_path / "export", whole())
    (root / ASSIGNMENTS).unlink()
    (root / ASSIGNMENTS).symlink_to(outside / "assignments.json")
    (root / f"servicePrincipals/{GRAPH}").symlink_to(outside)
    snapshot = read(root)
    assert isinstance(rooms(snapshot).app_role_assignments, Unavailable)
    assert [note.partition(": ")[2] for note in snapshot.notes] == ["a link, which is not followed."] * 2


def test_a_file_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file too large to be an answer makes its collection unavailable and is not read whole."""
    monkeypatch.setattr(export_folder, "LIMIT", 2**20)
    found = assignments(tmp_path, b" " * (2**20 + 1))
    assert isinstance(found, Unavailable)
    assert "too large (more than 1 MiB)" in found.why


def test_a_time_beyond_every_calendar_is_brought_within(tmp_path: Path) -> None:
    """Nonsense in a file's time does not stop the audit."""
    lay(tmp_path, whole())
    for time, year in ((-(2**34), 1970), (2**38, 9999)):
        for place in tmp_path.rglob("*.json"):
            os.utime(place, (time, time))
        assert 1970 <= read(tmp_path).taken_at.year <= year


def test_only_the_apps_asked_for_are_read(tmp_path: Path) -> None:
    """--app-id takes any app of the export, in any case, and an app that is not there is an error."""
    root = lay(tmp_path, whole())
    assert rooms(read(root, only=frozenset({ROOMS_APP.upper()}))).service_principal.id == ROOMS
    with pytest.raises(UsageError, match="holds no app nobody"):
        read(root, only=frozenset({"nobody"}))


def test_the_sample_export_is_read_whole() -> None:
    """Every form in the sample export of Contoso is read, and nothing in it is missing."""
    snapshot = read(CONTOSO)
    assert gaps(snapshot) == []
    held = {
        client.service_principal.display_name: (
            len(items(client.app_role_assignments)),
            sorted(len((g.scope or "").split()) for g in items(client.oauth2_permission_grants)),
            len(items(client.owners)),
            len(items(client.member_of)),
            len(items(client.sign_in_activity)),
            len(items(client.grant_events)),
        )
        for client in snapshot.clients
    }
    assert held == {
        "Zoom": (3, [3], 0, 0, 1, 0),
        "Zoom Calendar Integration": (6, [2, 7], 1, 1, 1, 0),
        "Z\u043e\u043em Meetings": (0, [3, 3], 0, 0, 0, 1),
    }
    assert items(snapshot.enabled_members) == (4,)
    [created, *_] = [a.created_date_time for c in snapshot.clients[1:2] for a in items(c.app_role_assignments)]
    assert created == datetime(2024, 6, 1, 9, tzinfo=UTC)


@pytest.mark.reference
def test_a_published_listing_is_resolved_to_its_role_names(reference_data: Path, tmp_path: Path) -> None:
    """Answers that another tool's tests hold give the role names that its own listing gives."""
    folder = reference_data / "fixtures" / "m365cli"
    mocks = json.loads((folder / "approleassignment-list.mocks.json").read_bytes())
    expected = json.loads((folder / "approleassignment-list.expected.json").read_bytes())
    [client] = mocks["spWith"]["value"]
    files = {
        "servicePrincipals.json": [client, mocks["customApi"], mocks["graphSp"]],
        f"servicePrincipals/{client['id']}/appRoleAssignments.json": mocks["appRoleAssignments"],
    }
    snapshot = read(lay(tmp_path, files), only=frozenset({client["appId"]}))
    [audited] = snapshot.clients
    assert isinstance(audited.app_role_assignments, Complete)
    assert isinstance(snapshot.resources, Complete)
    resources: dict[str, ServicePrincipal] = {sp.id: sp for sp in snapshot.resources.items}
    listing = [
        {
            "appRoleId": a.app_role_id,
            "resourceDisplayName": a.resource_display_name,
            "resourceId": a.resource_id,
            "roleName": next(r.value for r in resources[a.resource_id].app_roles or () if r.id == a.app_role_id),
        }
        for a in audited.app_role_assignments.items
    ]
    assert listing == [{key: row[key] for key in listing[0]} for row in expected]
    missing = {entry.collection for entry in gaps(snapshot)}
    assert missing >= set(CLIENT_COLLECTIONS) - {"appRoleAssignments"}
