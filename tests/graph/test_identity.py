"""What is promised of an identity: nothing that could write passes for a reader, and the fewest permissions suffice."""

from __future__ import annotations

import base64
import csv
import random
import re
from itertools import combinations
from pathlib import Path

import pytest

from auditor.errors import SignInError
from auditor.graph.auth import Claims, claims
from auditor.graph.clouds import CLOUDS, PUBLIC
from auditor.graph.endpoints import (
    ENDPOINTS,
    OAUTH2_PERMISSION_GRANTS,
    ORGANIZATION,
    SERVICE_PRINCIPALS,
    SIGN_IN_ACTIVITY,
)
from auditor.graph.identity import (
    ROLES,
    directory_roles,
    exists,
    held,
    kind,
    minimal,
    opener,
    reads_only,
    require_read_only,
    writes,
)
from auditor.knowledge.permissions import load_permissions

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
EVERYBODY = "b79fbf4d-3ef9-4689-8143-76b194e85509"
CHANGES = re.compile(
    r"Write|Manage|Send|Create|Update|Delete|Remove|FullControl|AccessAsUser|Export|Import|Invite|Approve|Upload|Start"
)


@pytest.mark.parametrize(
    "name",
    [
        "Application.Read.All",
        "User.Read",
        "User.ReadBasic.All",
        "RoleManagement.Read.Directory",
        "Mail.Read.Shared",
        "CallRecord-PstnCalls.Read.All",
        "openid",
        "offline_access",
    ],
)
def test_a_permission_that_reads_is_told(name: str) -> None:
    """An identity made for reading is not warned of."""
    assert reads_only(name)


@pytest.mark.parametrize(
    "name",
    [
        "Directory.ReadWrite.All",
        "Mail.Send",
        "Directory.AccessAsUser.All",
        "Sites.Selected",
        "Application.ReadUpdate.All",
        "User.Read.Write",
        "Read.All",
        "user_impersonation",
        "Made.Up",
        "User.Read.All ",
        "user.read\n",
        "",
    ],
)
def test_what_is_not_known_to_read_counts_as_writing(name: str) -> None:
    """A new or unknown permission never passes for a reading one."""
    assert not reads_only(name)


@pytest.mark.parametrize("table", ["GraphAppRoles.csv", "GraphDelegateRoles.csv"])
def test_no_permission_of_microsofts_catalogue_that_changes_passes_for_a_reading_one(
    table: str, reference_data: Path
) -> None:
    """Over Graph's whole catalogue; what is neither a plain reader nor a change counts as writing too."""
    with (reference_data / "graph" / table).open(encoding="utf-8-sig", newline="") as file:
        names = {row["Value"] for row in csv.DictReader(file)}
    readers = {name for name in names if reads_only(name)}
    assert len(names) > 700
    assert len(readers) > 300
    assert [name for name in readers if CHANGES.search(name.partition(".")[2])] == []


def test_the_permission_tables_agree() -> None:
    """What rules/permissions says changes, sends or opens in full never counts as reading."""
    entries = [
        entry
        for family in load_permissions().families
        for entry in family.permissions
        if entry.resource == "graph" and entry.access not in ("read", "sign-in")
    ]
    assert len(entries) > 50
    assert [entry.permission for entry in entries if reads_only(entry.permission)] == []


def test_writing_permissions_are_named_once_and_in_order() -> None:
    """Of an app and of a person alike."""
    claims = Claims(appid="a", roles=("Mail.Send", "User.Read.All", "Directory.ReadWrite.All", "Mail.Send"))
    assert writes(claims) == ("Directory.ReadWrite.All", "Mail.Send")
    assert writes(Claims(scp="openid profile User.Read Mail.ReadWrite")) == ("Mail.ReadWrite",)
    assert writes(Claims(scp="openid profile email offline_access Directory.Read.All")) == ()


def test_a_directory_role_of_an_app_can_write_and_one_of_a_person_cannot_beyond_the_scopes() -> None:
    """An app acts by its roles without any permission, a role that nobody knows counts; a person by the scopes only."""
    roles = (GLOBAL_ADMINISTRATOR.upper(), GLOBAL_READER, EVERYBODY, "99999999-0000-4000-8000-000000000000")
    app = Claims(appid="a", roles=("Directory.Read.All",), wids=roles)
    person = Claims(appid="a", scp="Directory.Read.All", wids=roles)
    assert writes(app) == ("directory role 99999999-0000-4000-8000-000000000000", "directory role Global Administrator")
    assert writes(person) == ()
    assert directory_roles(app) == ("99999999-0000-4000-8000-000000000000", "Global Administrator", "Global Reader")


def test_role_names_are_microsofts(reference_data: Path) -> None:
    """Every well-known role is called what Microsoft's own list calls it."""
    with (reference_data / "graph" / "MicrosoftApps.csv").open(encoding="utf-8-sig", newline="") as file:
        published = {
            row["AppId"]: row["AppDisplayName"] for row in csv.DictReader(file) if row["Source"] == "EntraDocs"
        }
    assert {id_: published.get(id_) for id_ in ROLES} == dict(ROLES)


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (Claims(), "unknown"),
        (Claims(tid="t"), "unknown"),
        (Claims(appid="a"), "application"),
        (Claims(roles=("User.Read.All",)), "application"),
        (Claims(idtyp="app"), "application"),
        (Claims(appid="a", scp="User.Read"), "delegated"),
        (Claims(appid="a", idtyp="user"), "delegated"),
    ],
)
def test_whom_a_token_stands_for(token: Claims, told: str) -> None:
    """An app of its own, a person, or nobody that it names."""
    assert kind(token) == told


def test_strictness_refuses_what_writes_and_what_cannot_be_told() -> None:
    """A token that says nothing proves nothing; a reader passes."""
    require_read_only(Claims(appid="a", roles=("Directory.Read.All",)))
    with pytest.raises(SignInError, match=r"could also write: Mail\.Send\."):
        require_read_only(Claims(appid="a", roles=("Mail.Send",)))
    with pytest.raises(SignInError, match="does not say"):
        require_read_only(Claims())


def test_a_call_is_opened_by_the_least_permission_before_a_higher_one() -> None:
    """The permission that is named is one that the token carries."""
    assert (
        opener(SERVICE_PRINCIPALS, Claims(roles=("Directory.Read.All", "Application.Read.All")))
        == "Application.Read.All"
    )
    assert opener(SERVICE_PRINCIPALS, Claims(roles=("Directory.Read.All",))) == "Directory.Read.All"
    assert opener(OAUTH2_PERMISSION_GRANTS, Claims(roles=("Application.Read.All",))) == ""
    assert opener(ORGANIZATION, Claims(scp="openid Directory.Read.All")) == "Directory.Read.All"
    assert held(Claims(roles=("A", "B"), scp="B C")) == ("A", "B", "C")


def test_only_the_global_cloud_has_the_report_of_sign_ins() -> None:
    """The table of calls knows what a cloud lacks."""
    assert [name for name, cloud in CLOUDS.items() if exists(SIGN_IN_ACTIVITY, cloud)] == [PUBLIC.name]
    assert all(exists(SERVICE_PRINCIPALS, cloud) for cloud in CLOUDS.values())


def test_the_minimal_set_opens_every_call_reads_only_and_cannot_be_smaller() -> None:
    """What an administrator is told to grant is enough, and no permission in it could go."""
    found = minimal()
    calls = [e for e in ENDPOINTS if e.application]
    assert all(map(reads_only, found))
    assert all(opener(endpoint, Claims(roles=found)) for endpoint in calls)
    for smaller in combinations({name for e in calls for name in (e.application, *e.also)}, len(found) - 1):
        if all(map(reads_only, smaller)):
            assert not all(opener(endpoint, Claims(roles=smaller)) for endpoint in calls)


def test_the_minimal_set_does_not_hang_on_the_order_of_the_table() -> None:
    """The same table gives the same set."""
    shuffled = list(ENDPOINTS)
    random.Random(3).shuffle(shuffled)
    assert minimal(shuffled) == minimal(tuple(reversed(ENDPOINTS))) == minimal()
    assert minimal(()) == ()


def jwt(body: bytes) -> str:
    """Return an unsigned token with this body."""
    return f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}."


def test_half_a_character_in_a_token_costs_none_of_its_permissions() -> None:
    """Whoever names an app cannot hide what its token carries."""
    told = claims(jwt(b'{"appid":"a","app_displayname":"\\ud800","roles":["Mail.Send"],"wids":["w"],"exp":1}'))
    assert (told.app_displayname, writes(told), told.exp) == ("\ufffd", ("Mail.Send", "directory role w"), 1)


@pytest.mark.parametrize("body", [b'{"appid":"a","roles":5}', b"[]", b"no JSON", b""])
def test_a_token_of_another_shape_says_nothing(body: bytes) -> None:
    """So its bearer counts as unknown, which strictness refuses."""
    assert kind(claims(jwt(body))) == "unknown"
