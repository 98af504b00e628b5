"""The permission tables: every id is the one that Microsoft publishes, and every cover has evidence or a reason."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from auditor.errors import ConfigurationError
from auditor.knowledge.permissions import (
    RESOURCES,
    Family,
    Permission,
    PermissionTable,
    load_permissions,
    parse_reference,
)
from auditor.model.grant import Kind

GRAPH, EXCHANGE = RESOURCES["graph"], RESOURCES["exchange"]
SHARED_ID = "ef54d2bf-783f-4e0f-bca1-3210c0444d99"

Pair = tuple[str, Kind, str, str]
"""Resource, kind, stronger permission, weaker permission."""


@pytest.fixture(scope="module")
def table() -> PermissionTable:
    """Return the project's own tables."""
    return load_permissions()


@pytest.fixture(scope="module")
def entries(table: PermissionTable) -> list[Permission]:
    """Return every entry of every family."""
    return [entry for family in table.families for entry in family.permissions]


# Loading


ENTRY = """
  - permission: {value}
    resource: graph
    kind: application
    id: {id}
    opens: read a sample
    access: read
    reach: organization
    tier: 2
    tier_reason: It is a sample.
    sensitivity: low
    covers: [{covers}]
"""


def entry_text(value: str, number: int, covers: str = "") -> str:
    """Return an entry with an id made of `number`."""
    return ENTRY.format(value=value, id=f"{number:08d}-0000-4000-8000-000000000000", covers=covers)


@pytest.fixture
def family(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a family of entries and returns its folder."""

    def write(*texts: str, name: str = "samples", file: str = "") -> Path:
        head = f"family: {name}\ntitle: Samples\nsource: https://contoso.example\nchecked: 2026-11-22\npermissions:\n"
        (tmp_path / f"{file or name}.yaml").write_text(head + "".join(texts), "utf-8")
        return tmp_path

    return write


def refused(directory: Path) -> ConfigurationError:
    """Return the error that loading a folder gives."""
    with pytest.raises(ConfigurationError) as caught:
        load_permissions(directory)
    assert caught.value.advice
    return caught.value


def test_folder(family: Callable[..., Path]) -> None:
    """Families load in the order of their file names, and each entry knows its family."""
    family(entry_text("B.Read", 1), name="b")
    table = load_permissions(family(entry_text("A.Read", 2, "B.Read"), name="a"))
    assert [f.family for f in table.families] == ["a", "b"]
    assert [e.family for f in table.families for e in f.permissions] == ["a", "b"]
    assert [e.family for e in table.named("B.Read")] == ["b"]


def test_covers_is_transitive(family: Callable[..., Path]) -> None:
    """What a covered permission covers is covered too; an unknown permission covers nothing."""
    table = load_permissions(
        family(entry_text("C", 1), entry_text("B", 2, "C"), entry_text("A", 3, "B"), entry_text("D", 4, "B, C"))
    )
    assert table.covers(GRAPH, "A", "application") == {"B", "C"}
    assert table.covers(GRAPH, "D", "application") == {"B", "C"}
    assert table.covers(GRAPH, "C", "application") == frozenset()
    assert table.covers(GRAPH, "A", "delegated") == frozenset()


def test_covers_ends_in_a_circle() -> None:
    """Even a table that was not loaded from files, and covers in a circle, gives an answer."""
    entry = Permission(
        permission="A", resource="graph", kind="application", id="", opens="", access="read", reach="own",
        tier=2, tier_reason="", sensitivity="low", covers=("B",),
    )  # fmt: skip
    back = Permission(
        permission="B", resource="graph", kind="application", id="", opens="", access="read", reach="own",
        tier=2, tier_reason="", sensitivity="low", covers=("A",),
    )  # fmt: skip
    table = PermissionTable((Family(family="f", title="", source="", checked="", permissions=(entry, back)),))
    assert table.covers(GRAPH, "A", "application") == {"B"}


def test_duplicates(family: Callable[..., Path]) -> None:
    """A value or an id stands once per resource and kind, over all families; the error names both places."""
    family(entry_text("A.Read", 1), name="a")
    error = refused(family(entry_text("A.Read", 2), name="b"))
    assert "'A.Read' of graph is there already" in error.what
    assert error.where.endswith("b.yaml:7:5")
    assert "a.yaml:7:5" in error.advice
    assert "is there already" in refused(family(entry_text("B.Read", 1), name="b")).what


def test_covers_must_name_an_entry(family: Callable[..., Path]) -> None:
    """`covers` names entries of the same resource and kind."""
    error = refused(family(entry_text("A.Read", 1, "Mail.Read")))
    assert "covers 'Mail.Read', which is no application permission of graph" in error.what
    assert error.where.endswith("samples.yaml:7:5")


@pytest.mark.parametrize("covers", [("A", "B"), ("B", "A"), ("B", "C")])
def test_circles(covers: tuple[str, str], family: Callable[..., Path]) -> None:
    """No permission covers itself, directly or through others."""
    first, second = covers
    texts = (entry_text("A", 1, first), entry_text("B", 2, second), entry_text("C", 3, "A"))
    assert "cover each other" in refused(family(*texts)).what


def test_ids_are_guids(family: Callable[..., Path]) -> None:
    """An id is a GUID in lower case, or empty where no source gives it."""
    for wrong in ("x", "1", SHARED_ID.upper(), SHARED_ID + "0"):
        error = refused(family(ENTRY.format(value="A", id=f'"{wrong}"', covers="")))
        assert "is not a GUID" in error.what
    table = load_permissions(
        family(ENTRY.format(value="A", id='""', covers=""), ENTRY.format(value="B", id='""', covers=""))
    )
    assert table.by_value(GRAPH, "B", "application")
    assert table.by_id(GRAPH, "", "application") is None


def test_names(family: Callable[..., Path]) -> None:
    """A family is called as its file, and a resource is one that the program knows."""
    error = refused(family(entry_text("A", 1), name="mails", file="mail"))
    assert (error.where.rsplit("/", 1)[-1], "family: mail" in error.advice) == ("mail.yaml:1:9", True)
    (Path(error.where.rsplit(":", 2)[0])).unlink()
    assert "'entra' is not a resource" in refused(family(entry_text("A", 1).replace("graph", "entra"))).what


def test_references() -> None:
    """Lists name permissions by resource, value and kind; Zoom's own spelling is understood; the rest is refused."""
    full = parse_reference("exchange/full_access_as_app@application", kind="delegated", where="x")
    assert (full.resource, full.value, full.kind) == ("exchange", "full_access_as_app", "application")
    assert parse_reference("User.Read@delegated", kind="application", where="x").kind == "delegated"
    short = parse_reference("Calendar.ReadWrite", kind="application", where="x")
    assert (short.resource, short.value, short.kind) == ("graph", "Calendars.ReadWrite", "application")
    for wrong in ("", "graph/", "outlook/Mail.Read", "Mail.Read@", "Mail.Read@both"):
        with pytest.raises(ConfigurationError, match="is not a permission"):
            parse_reference(wrong, kind="application", where="x")


# The tables themselves


def test_every_family_is_there(table: PermissionTable) -> None:
    """The families that apps of a meeting or calendar vendor touch are there, each with its source and date."""
    assert " ".join(family.family for family in table.families) == (
        "applications azure-ad-graph calendars chat contacts directory exchange-online files groups mail "
        "mailbox-settings online-meetings places presence roles sharepoint-online sign-in sites users"
    )
    for family in table.families:
        assert family.source.startswith("https://")
        assert date.fromisoformat(family.checked) <= date(2026, 11, 22)


def test_entries_are_whole(entries: list[Permission]) -> None:
    """Each entry reads as reports use it: a verb phrase, a reason in a sentence, an id, a reach that fits its kind."""
    verbs = (
        "add administer call change create delete do export grant hear hide invite issue join keep listen move read "
        "reach see send set sign switch watch"
    )
    for entry in entries:
        assert entry.id, entry
        assert entry.opens.split(" ")[0].rstrip(",") in verbs.split(), entry
        assert not entry.opens.endswith("."), entry
        assert entry.tier_reason.endswith("."), entry
        assert not entry.note or entry.note.endswith("."), entry
        assert (entry.kind == "delegated") == (entry.reach == "own"), entry
        assert all(line.isprintable() for line in (entry.opens, entry.tier_reason, entry.note))


def test_names_that_mislead(table: PermissionTable) -> None:
    """Graph's Calendars.*.All are work hours and locations: they cover no calendar permission, and none covers them."""
    hours = {"Calendars.Read.All", "Calendars.ReadWrite.All"}
    for value in hours:
        entry = table.by_value(GRAPH, value, "application")
        assert entry
        assert "work hours" in entry.opens
        assert "opens no calendar" in entry.note
        assert table.covers(GRAPH, value, "application") <= hours
    for value in ("Calendars.Read", "Calendars.ReadWrite"):
        assert not table.covers(GRAPH, value, "application") & hours
    assert table.covers(GRAPH, "Calendars.ReadWrite", "application") == {"Calendars.Read", "Calendars.ReadBasic.All"}


def test_writing_mail_is_not_sending(table: PermissionTable) -> None:
    """No mail permission of Graph covers Mail.Send, and Mail.ReadWrite covers every way to read."""
    kinds: tuple[Kind, ...] = ("application", "delegated")
    for kind in kinds:
        for entry in table.named("Mail.ReadWrite"):
            assert "Mail.Send" not in table.covers(GRAPH, entry.permission, kind)
    assert table.covers(GRAPH, "Mail.ReadWrite", "application") == {"Mail.Read", "Mail.ReadBasic", "Mail.ReadBasic.All"}


def test_one_id_two_permissions(table: PermissionTable) -> None:
    """An id means something on one resource only: this one is two permissions."""
    names = {r: table.by_id(app_id, SHARED_ID, "application") for r, app_id in RESOURCES.items()}
    assert {r: e.permission for r, e in names.items() if e} == {
        "graph": "Calendars.ReadWrite",
        "exchange": "Calendars.ReadWrite.All",
    }
    assert table.by_id(GRAPH, SHARED_ID, "delegated") is None


def test_what_exchange_can_narrow(entries: list[Permission]) -> None:
    """`mailboxes` stands only where Exchange's application roles, access policies or mailbox rights apply."""
    graph = (
        "Mail.Read Mail.ReadBasic Mail.ReadBasic.All Mail.ReadWrite Mail.Send MailboxSettings.Read "
        "MailboxSettings.ReadWrite Calendars.Read Calendars.ReadWrite Contacts.Read Contacts.ReadWrite "
        "MailboxFolder.Read.All MailboxFolder.ReadWrite.All MailboxItem.Read.All MailboxItem.ReadWrite.All "
        "MailboxItem.Export.All MailboxItem.ImportExport.All MailboxConfigItem.Read MailboxConfigItem.ReadWrite "
        "MailTips.ReadBasic.All Mail-Advanced.ReadWrite.All"
    )
    exchange = (
        "full_access_as_app SMTP.SendAsApp IMAP.AccessAsApp POP.AccessAsApp Mail.Read Mail.ReadWrite Mail.Send "
        "Calendars.Read Calendars.Read.All Calendars.ReadWrite.All Contacts.Read Contacts.ReadWrite "
        "MailboxSettings.Read MailboxSettings.ReadWrite"
    )
    expected = {("graph", value) for value in graph.split()} | {("exchange", value) for value in exchange.split()}
    assert {(e.resource, e.permission) for e in entries if e.reach == "mailboxes"} == expected


def test_tiers(table: PermissionTable) -> None:
    """What leads to Global Administrator is tier 0; what reads mail or files is not, however sensitive."""
    for value in ("RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All"):
        assert {entry.tier for entry in table.named(value)} == {0}
    for value in ("Mail.ReadWrite", "Files.ReadWrite.All", "full_access_as_app", "Chat.Read.All"):
        found = table.named(value)
        assert found
        assert all((entry.tier, entry.sensitivity) != (0, "high") for entry in found)
    assert {entry.sensitivity for entry in table.named("full_access_as_app")} == {"high"}


HIGH = (
    "Mail.Read Mail.ReadWrite Mail.Send MailboxItem.Read.All MailboxSettings.ReadWrite Files.Read.All "
    "Files.ReadWrite.All Sites.Read.All Sites.ReadWrite.All Sites.FullControl.All Chat.Read.All Chat.ReadWrite.All "
    "ChannelMessage.Read.All OnlineMeetingRecording.Read.All OnlineMeetingTranscript.Read.All CallRecordings.Read.All "
    "CallTranscripts.Read.All User.ReadWrite.All User.ReadUpdate.All User.Create User.DeleteRestore.All "
    "User.EnableDisableAccount.All User.ManageIdentities.All User-Mail.ReadWrite.All IMAP.AccessAsApp POP.AccessAsApp "
    "SMTP.SendAsApp full_access_as_app"
)
"""What everybody would call sensitive: content of mail, files, sites, chats and meetings, and people's accounts."""


def test_what_is_sensitive(table: PermissionTable) -> None:
    """Content and changes to accounts are of high sensitivity on every resource; lists and settings are not."""
    for value in HIGH.split():
        found = [entry for entry in table.named(value) if entry.kind == "application"]
        assert found
        assert {entry.sensitivity for entry in found} == {"high"}, value
    for value in (
        "Directory.Read.All",
        "User.Read.All",
        "Place.Read.All",
        "MailboxSettings.Read",
        "TeamSettings.Read.All",
    ):
        assert "high" not in {entry.sensitivity for entry in table.named(value)}, value


def test_tier_0_in_both_hands(table: PermissionTable, entries: list[Permission]) -> None:
    """Where a tier 0 application role has a delegated twin of its name, the tables have the twin, of tier 0 or 1."""
    alone = {"Application.ReadWrite.OwnedBy"}
    for entry in entries:
        if entry.resource == "graph" and entry.kind == "application" and entry.tier == 0:
            twin = table.by_value(GRAPH, entry.permission, "delegated")
            assert twin or entry.permission in alone, entry.permission
            assert not twin or twin.tier < 2, entry.permission


# Against what others publish


def ids_of(file: Path) -> dict[str, str]:
    """Return value to id of a list of Microsoft Graph's permissions."""
    with file.open(encoding="utf-8", newline="") as text:
        return {row["Value"]: row["Id"] for row in csv.DictReader(text)}


@pytest.mark.reference
def test_graph_ids(reference_data: Path, entries: list[Permission]) -> None:
    """Every id of Microsoft Graph is the one that a tenant's own Graph service principal shows."""
    lists = {
        "application": ids_of(reference_data / "graph/GraphAppRoles.csv"),
        "delegated": ids_of(reference_data / "graph/GraphDelegateRoles.csv"),
    }
    graph = [entry for entry in entries if entry.resource == "graph"]
    assert {(e.kind, e.permission): e.id for e in graph} == {
        (e.kind, e.permission): lists[e.kind].get(e.permission) for e in graph
    }


@pytest.mark.reference
def test_ids_of_the_other_resources(reference_data: Path, entries: list[Permission]) -> None:
    """Every id of Exchange, SharePoint and Azure AD Graph stands in a public list under the same name."""
    published: dict[tuple[str, Kind, str], str] = {}
    roles = json.loads((reference_data / "graph/EntraOps-Classification_AppRoles.json").read_bytes())
    for role in roles:
        published[role["AppId"], "application", role["AppRoleId"]] = role["AppRoleDisplayName"]
    risky = json.loads((reference_data / "graph/ScubaGear-RiskyAppPermissions.json").read_bytes())
    for app_id, resource in risky["resources"].items():
        kinds: tuple[tuple[str, Kind], ...] = (("Application", "application"), ("Delegated", "delegated"))
        for key, kind in kinds:
            for permission_id, permission in risky["permissions"][resource].get(key, {}).items():
                known = published.setdefault((app_id, kind, permission_id), permission["Name"])
                assert known == permission["Name"] or app_id not in RESOURCES.values()
    others = [entry for entry in entries if entry.resource != "graph"]
    assert {(e.resource, e.kind, e.id): e.permission for e in others} == {
        (e.resource, e.kind, e.id): published.get((RESOURCES[e.resource], e.kind, e.id)) for e in others
    }


@pytest.mark.reference
def test_tier_0_is_control_plane(reference_data: Path, entries: list[Permission]) -> None:
    """Everything that we call tier 0 is control plane to an independent classification as well."""
    roles = json.loads((reference_data / "graph/EntraOps-Classification_AppRoles.json").read_bytes())
    levels = {(role["AppId"], role["AppRoleId"]): role["EAMTierLevelName"] for role in roles}
    ours = {e.permission: levels.get((RESOURCES[e.resource], e.id)) for e in entries
            if e.kind == "application" and e.tier == 0}  # fmt: skip
    assert len(ours) > 15
    assert set(ours.values()) == {"ControlPlane"}, ours


@pytest.mark.reference
def test_every_cover_was_reviewed(reference_data: Path, entries: list[Permission]) -> None:
    """What a permission covers has evidence in the published path data, or stands below with the reason."""
    with (reference_data / "graph/derived-covers.csv").open(encoding="utf-8", newline="") as text:
        derived = {(row["broader"], row["narrower"]) for row in csv.DictReader(text)}
    claimed: set[Pair] = {(e.resource, e.kind, e.permission, c) for e in entries for c in e.covers}
    evident = {p for p in claimed if p[:2] == ("graph", "application") and p[2:] in derived}
    assert claimed - evident == set(reviewed())


def reviewed() -> list[Pair]:
    """Return the pairs of REVIEWED."""
    pairs: list[Pair] = []
    for block in REVIEWED.values():
        for line in filter(str.strip, block.splitlines()):
            place, _, claim = line.strip().partition(": ")
            resource, kind = place.split(" ")
            stronger, _, weaker = claim.partition(" > ")
            pairs += [(resource, "delegated" if kind == "delegated" else "application", stronger, w)
                      for w in weaker.split(" ")]  # fmt: skip
    assert len(set(pairs)) == len(pairs)
    return pairs


REVIEWED = {
    "The app role is called ReadBasic.All, the path data knows it as ReadBasic; writing and reading include it.": """
        graph application: Calendars.ReadWrite > Calendars.ReadBasic.All
        graph application: Calendars.Read > Calendars.ReadBasic.All
        graph application: Mail.ReadWrite > Mail.ReadBasic.All
    """,
    "Settings of a channel or team include its name, which is all that ReadBasic opens.": """
        graph application: ChannelSettings.Read.All > Channel.ReadBasic.All
        graph application: ChannelSettings.ReadWrite.All > Channel.ReadBasic.All
        graph application: TeamSettings.Read.All > Team.ReadBasic.All
        graph application: TeamSettings.ReadWrite.All > Team.ReadBasic.All
        graph delegated: ChannelSettings.Read.All > Channel.ReadBasic.All
        graph delegated: ChannelSettings.ReadWrite.All > Channel.ReadBasic.All
        graph delegated: TeamSettings.Read.All > Team.ReadBasic.All
        graph delegated: TeamSettings.ReadWrite.All > Team.ReadBasic.All
    """,
    "Two steps of the ladder Group.ReadWrite, GroupMember.ReadWrite, GroupMember.Read.": """
        graph application: Group.ReadWrite.All > GroupMember.Read.All
    """,
    "Delegated twins of reviewed application pairs: Microsoft describes the stronger as reading too.": """
        graph delegated: Application.ReadWrite.All > Application.Read.All
        graph delegated: Calendars.ReadWrite > Calendars.Read Calendars.ReadBasic
        graph delegated: Calendars.Read > Calendars.ReadBasic
        graph delegated: ChannelMember.ReadWrite.All > ChannelMember.Read.All
        graph delegated: ChannelSettings.ReadWrite.All > ChannelSettings.Read.All
        graph delegated: Chat.Read > Chat.ReadBasic
        graph delegated: Chat.ReadWrite > Chat.Read Chat.ReadBasic
        graph delegated: Contacts.ReadWrite > Contacts.Read
        graph delegated: Directory.Read.All > OrgContact.Read.All AdministrativeUnit.Read.All
        graph delegated: Directory.ReadWrite.All > Directory.Read.All
        graph delegated: Domain-InternalFederation.ReadWrite.All > Domain-InternalFederation.Read.All
        graph delegated: Domain.ReadWrite.All > Domain.Read.All
        graph delegated: Files.ReadWrite > Files.Read
        graph delegated: Files.ReadWrite.Selected > Files.Read.Selected
        graph delegated: Files.ReadWrite.All > Files.Read.All
        graph delegated: Group.Read.All > GroupMember.Read.All
        graph delegated: GroupMember.ReadWrite.All > GroupMember.Read.All
        graph delegated: Group.ReadWrite.All > Group.Read.All GroupMember.ReadWrite.All GroupMember.Read.All
        graph delegated: Mail.ReadWrite > Mail.Read Mail.ReadBasic
        graph delegated: Mail.Read > Mail.ReadBasic
        graph delegated: MailboxConfigItem.ReadWrite > MailboxConfigItem.Read
        graph delegated: MailboxFolder.ReadWrite > MailboxFolder.Read
        graph delegated: MailboxItem.ImportExport > MailboxItem.Export
        graph delegated: MailboxItem.ReadWrite > MailboxItem.Read
        graph delegated: MailboxSettings.ReadWrite > MailboxSettings.Read
        graph delegated: OnlineMeetings.ReadWrite > OnlineMeetings.Read
        graph delegated: Organization.ReadWrite.All > Organization.Read.All
        graph delegated: Place.ReadWrite.All > Place.Read.All
        graph delegated: PlaceDevice.ReadWrite.All > PlaceDevice.Read.All
        graph delegated: Presence.ReadWrite > Presence.Read
        graph delegated: RoleManagement.ReadWrite.Directory > RoleManagement.Read.Directory
        graph delegated: Sites.ReadWrite.All > Sites.Read.All
        graph delegated: Sites.Manage.All > Sites.ReadWrite.All Sites.Read.All
        graph delegated: Sites.FullControl.All > Sites.Manage.All Sites.ReadWrite.All Sites.Read.All
        graph delegated: TeamMember.ReadWrite.All > TeamMember.Read.All
        graph delegated: TeamSettings.ReadWrite.All > TeamSettings.Read.All
        graph delegated: User.Read.All > User.ReadBasic.All
        graph delegated: User.ReadWrite.All > User.Read.All User.ReadBasic.All
        graph delegated: UserAuthenticationMethod.ReadWrite > UserAuthenticationMethod.Read
        graph delegated: UserAuthenticationMethod.ReadWrite.All > UserAuthenticationMethod.Read.All
        graph delegated: VirtualEvent.ReadWrite > VirtualEvent.Read
    """,
    "Delegated `.Shared` and `.All` include what is the user's own: Microsoft describes them so.": """
        graph delegated: Calendars.ReadWrite.Shared > Calendars.ReadWrite Calendars.Read.Shared
        graph delegated: Calendars.ReadWrite.Shared > Calendars.Read Calendars.ReadBasic
        graph delegated: Calendars.Read.Shared > Calendars.Read Calendars.ReadBasic
        graph delegated: Contacts.ReadWrite.Shared > Contacts.ReadWrite Contacts.Read.Shared Contacts.Read
        graph delegated: Contacts.Read.Shared > Contacts.Read
        graph delegated: Files.Read.All > Files.Read
        graph delegated: Files.ReadWrite.All > Files.ReadWrite Files.Read
        graph delegated: Mail.ReadWrite.Shared > Mail.ReadWrite Mail.Read.Shared Mail.Read
        graph delegated: Mail.ReadWrite.Shared > Mail.ReadBasic.Shared Mail.ReadBasic
        graph delegated: Mail.Read.Shared > Mail.Read Mail.ReadBasic.Shared Mail.ReadBasic
        graph delegated: Mail.ReadBasic.Shared > Mail.ReadBasic
        graph delegated: Mail.Send.Shared > Mail.Send
        graph delegated: Mail-Advanced.ReadWrite.Shared > Mail-Advanced.ReadWrite
        graph delegated: People.Read.All > People.Read
        graph delegated: Presence.Read.All > Presence.Read
        graph delegated: User.ReadWrite.All > User.ReadWrite
    """,
    "Exchange Web Services reads, writes and sends everything in a mailbox, and the app may use it on all of them.": """
        exchange application: full_access_as_app > Calendars.Read Calendars.Read.All Calendars.ReadWrite.All
        exchange application: full_access_as_app > Mail.Read Mail.ReadWrite Mail.Send
        exchange application: full_access_as_app > Contacts.Read Contacts.ReadWrite Tasks.Read Tasks.ReadWrite
    """,
    "The same for the mailboxes that the signed-in user may open.": """
        exchange delegated: EWS.AccessAsUser.All > Calendars.Read Calendars.ReadWrite Calendars.ReadWrite.Shared
        exchange delegated: EWS.AccessAsUser.All > Mail.Read Mail.ReadBasic Mail.ReadWrite Mail.Read.Shared
        exchange delegated: EWS.AccessAsUser.All > Mail.ReadWrite.Shared Mail.Send Contacts.Read Contacts.ReadWrite
    """,
    "One resource's own ladder of reading and writing, with the same scope on both sides.": """
        exchange application: Calendars.ReadWrite.All > Calendars.Read Calendars.Read.All
        exchange application: Contacts.ReadWrite > Contacts.Read
        exchange application: Mail.ReadWrite > Mail.Read
        exchange application: MailboxSettings.ReadWrite > MailboxSettings.Read
        exchange application: Organization.ReadWrite.All > Organization.Read.All
        exchange application: PeopleSettings.ReadWrite.All > PeopleSettings.Read.All
        exchange application: Tasks.ReadWrite > Tasks.Read
        exchange application: User.Read.All > User.ReadBasic.All
        exchange delegated: Calendars.ReadWrite > Calendars.Read
        exchange delegated: Calendars.ReadWrite.All > Calendars.Read.All
        exchange delegated: Contacts.ReadWrite > Contacts.Read
        exchange delegated: Contacts.ReadWrite.All > Contacts.Read.All
        exchange delegated: Mail.Read > Mail.ReadBasic
        exchange delegated: Mail.ReadWrite > Mail.Read Mail.ReadBasic
        exchange delegated: Mail.ReadWrite.All > Mail.Read.All
        exchange delegated: Mail.ReadWrite.Shared > Mail.Read.Shared
        exchange delegated: MailboxSettings.ReadWrite > MailboxSettings.Read
        exchange delegated: User.Read.All > User.ReadBasic.All
        aad-graph application: Application.ReadWrite.All > Application.Read.All
        aad-graph application: Directory.ReadWrite.All > Directory.Read.All
        sharepoint application: TermStore.ReadWrite.All > TermStore.Read.All
        sharepoint application: User.ReadWrite.All > User.Read.All
        sharepoint delegated: User.ReadWrite.All > User.Read.All
    """,
    "SharePoint's levels lie inside each other: full control, manage, write, read.": """
        sharepoint application: Sites.ReadWrite.All > Sites.Read.All
        sharepoint application: Sites.Manage.All > Sites.ReadWrite.All Sites.Read.All
        sharepoint application: Sites.FullControl.All > Sites.Manage.All Sites.ReadWrite.All Sites.Read.All
        sharepoint delegated: AllSites.Write > AllSites.Read
        sharepoint delegated: AllSites.Manage > AllSites.Write AllSites.Read
        sharepoint delegated: AllSites.FullControl > AllSites.Manage AllSites.Write AllSites.Read
    """,
}
"""Why, and what: `RESOURCE KIND: STRONGER > WEAKER ...`."""
