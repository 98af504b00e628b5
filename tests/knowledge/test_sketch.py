"""A tenant in a few lines: the outline of a case stands for a whole snapshot, the same in every run."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from auditor.errors import ConfigurationError
from auditor.knowledge.documents import load_text
from auditor.knowledge.permissions import RESOURCES, PermissionTable, load_permissions
from auditor.knowledge.sketch import SAMPLE_TENANT, SAMPLE_VENDOR, AppOutline, Outline, ScopeOutline, sketch, without
from auditor.model.canonical import to_json
from auditor.model.directory import NO_ROLE
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    TENANT_COLLECTIONS,
    Client,
    Complete,
    LedgerEntry,
    Partial,
    Snapshot,
    Unavailable,
    items,
    ledger,
)

APP = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
NOBODYS = "99999999-9999-4999-8999-999999999999"
USER = "cccccccc-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def permissions() -> PermissionTable:
    """Return the project's own tables."""
    return load_permissions()


def one(permissions: PermissionTable, /, **fields: Any) -> Client:
    """Return the only client of a tenant with one app."""
    return sketch(Outline(apps=(AppOutline(app_id=APP, **fields),)), permissions=permissions).clients[0]


def test_from_yaml(permissions: PermissionTable) -> None:
    """A case writes an outline in YAML, and every line of it shows in the snapshot."""
    outline = load_text(
        f"""
        taken_at: 2026-12-01T00:00:00Z
        enabled_members: 12
        apps:
          - app_id: {APP}
            name: Zoom for calendars
            owner_tenant: null
            roles: [Calendars.ReadWrite, exchange/full_access_as_app]
            scopes:
              - scope: openid Calendars.Read
              - {{resource: exchange, scope: EWS.AccessAsUser.All, principal: {USER}}}
            owners: [alex@contoso.example]
            directory_roles: [Directory Readers]
            groups: [Sales]
            last_sign_in: 2026-06-01
            granted_by: robin@contoso.example
            granted_at: 2026-05-01
            service_principal: {{accountEnabled: false, verifiedPublisher: null}}
        other_service_principals:
          - {{app_id: {OTHER}, name: Zoom Tools}}
        """,
        Outline,
        "case",
    )
    snapshot = sketch(outline, permissions=permissions)
    (client,) = snapshot.clients
    principal = client.service_principal
    assert (snapshot.taken_at, items(snapshot.enabled_members)) == (datetime(2026, 12, 1, tzinfo=UTC), (12,))
    assert (principal.display_name, principal.app_owner_organization_id) == ("Zoom for calendars", None)
    assert (principal.account_enabled, principal.verified_publisher) == (False, None)
    assert principal.publisher_name
    roles = items(client.app_role_assignments)
    assert [role.app_role_id for role in roles] == [
        "ef54d2bf-783f-4e0f-bca1-3210c0444d99",
        "dc890d15-9560-4a4c-9b7f-a736ec74ec40",
    ]
    tenant_wide, personal = items(client.oauth2_permission_grants)
    assert (tenant_wide.scope, tenant_wide.consent_type) == ("openid Calendars.Read", "AllPrincipals")
    assert (personal.consent_type, personal.principal_id) == ("Principal", USER)
    assert [owner.user_principal_name for owner in items(client.owners)] == ["alex@contoso.example"]
    assert [(m.odata_type, m.display_name) for m in items(client.member_of)] == [
        ("#microsoft.graph.directoryRole", "Directory Readers"),
        ("#microsoft.graph.group", "Sales"),
    ]
    (activity,) = items(client.sign_in_activity)
    assert activity.last_sign_in == datetime(2026, 6, 1, tzinfo=UTC)
    events = items(client.grant_events)
    assert [event.permissions for event in events] == [
        ("Calendars.ReadWrite",),
        ("full_access_as_app",),
        ("openid", "Calendars.Read"),
        ("EWS.AccessAsUser.All",),
    ]
    assert {(event.actor, event.target_id) for event in events} == {("robin@contoso.example", principal.id)}
    assert {event.activity_date_time for event in events} == {datetime(2026, 5, 1, tzinfo=UTC)}
    assert {sp.display_name for sp in items(snapshot.service_principals)} == {
        "Zoom for calendars", "Zoom Tools", "Microsoft Graph", "Office 365 Exchange Online",
    }  # fmt: skip


def test_default_app_is_healthy(permissions: PermissionTable) -> None:
    """An app of which nothing is said is enabled, verified, recently used, without credentials, owners or grants."""
    client = one(permissions)
    principal = client.service_principal
    assert principal.account_enabled is True
    assert principal.verified_publisher
    assert principal.verified_publisher.display_name
    assert (principal.password_credentials, principal.key_credentials) == ((), ())
    assert principal.app_owner_organization_id == SAMPLE_VENDOR != SAMPLE_TENANT
    assert (items(client.owners), items(client.member_of), items(client.app_role_assignments)) == ((), (), ())
    assert items(client.sign_in_activity)[0].last_sign_in == datetime(2026, 11, 19, tzinfo=UTC)
    assert items(client.grant_events) == ()


def test_resources_publish_the_tables(permissions: PermissionTable) -> None:
    """Each resource that a client touches, and no other, is there with the roles and scopes of the tables."""
    snapshot = sketch(
        Outline(apps=(AppOutline(app_id=APP, roles=("exchange/Mail.Read", "aad-graph/Directory.Read.All")),)),
        permissions=permissions,
    )
    resources = {resource.app_id: resource for resource in items(snapshot.resources)}
    assert set(resources) == {RESOURCES["exchange"], RESOURCES["aad-graph"]}
    exchange = resources[RESOURCES["exchange"]]
    assert exchange.app_roles
    assert exchange.oauth2_permission_scopes
    roles = {role.id: role.value for role in exchange.app_roles}
    assert roles["ef54d2bf-783f-4e0f-bca1-3210c0444d99"] == "Calendars.ReadWrite.All"
    assert "EWS.AccessAsUser.All" in {scope.value for scope in exchange.oauth2_permission_scopes}
    (held, _) = items(snapshot.clients[0].app_role_assignments)
    assert held.resource_id == exchange.id
    listed = {sp.id: sp for sp in items(snapshot.service_principals)}
    assert listed[exchange.id].app_roles is UNSET


def test_roles_without_a_permission(permissions: PermissionTable) -> None:
    """Default access and an id that nobody publishes can be held, on any resource."""
    client = one(permissions, roles=("default-access", NOBODYS, f"exchange/{NOBODYS}"))
    roles = items(client.app_role_assignments)
    assert [role.app_role_id for role in roles] == [NO_ROLE, NOBODYS, NOBODYS]
    assert len({role.resource_id for role in roles}) == 2
    assert len({role.id for role in roles}) == 3


def test_no_sign_in_line(permissions: PermissionTable) -> None:
    """`last_sign_in: null` is a report that has no line for the app, which is not an unread report."""
    assert one(permissions, last_sign_in=None).sign_in_activity == Complete(items=())
    at = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
    assert items(one(permissions, last_sign_in=at).sign_in_activity)[0].last_sign_in == at


def test_unset_fields(permissions: PermissionTable) -> None:
    """A field that is named `unset` is not known, which is neither null nor empty."""
    outline = Outline(apps=(AppOutline(app_id=APP),), unset=("verifiedPublisher", "replyUrls"))
    principal = sketch(outline, permissions=permissions).clients[0].service_principal
    assert principal.verified_publisher is UNSET
    assert principal.reply_urls is UNSET
    assert principal.account_enabled is True


FULL = Outline(
    apps=(
        AppOutline(
            app_id=APP,
            roles=("Mail.Read",),
            scopes=(ScopeOutline(scope="openid"),),
            owners=("alex@contoso.example",),
            groups=("Sales",),
            granted_by="robin@contoso.example",
        ),
        AppOutline(app_id=OTHER, name="Zoom Rooms", granted_at=date(2026, 1, 1)),
    )
)


def read(snapshot: Snapshot) -> list[LedgerEntry]:
    """Return the ledger lines of what a source reads."""
    return [line for line in ledger(snapshot) if line.collection in (*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS)]


@pytest.mark.parametrize("collection", [*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS])
def test_collections_can_be_missing(collection: str, permissions: PermissionTable) -> None:
    """Every collection can be unavailable or cut, everywhere it occurs, while the others stay as they are."""
    whole = sketch(FULL, permissions=permissions)
    assert {entry.state for entry in read(whole)} == {"complete"}
    for outline, state in (
        (msgspec.structs.replace(FULL, unavailable=(collection,)), "unavailable"),
        (msgspec.structs.replace(FULL, partial=(collection,)), "partial"),
    ):
        entries = read(sketch(outline, permissions=permissions))
        assert {e.state for e in entries if e.collection == collection} == {state}
        assert {e.state for e in entries if e.collection != collection} == {"complete"}
        assert all(e.why for e in entries if e.collection == collection)
    removed = sketch(msgspec.structs.replace(FULL, unavailable=(collection,)), permissions=permissions)
    assert without(whole, collection) == removed
    assert (removed.audit_log_since is None) == (collection == "grantEvents")


def test_partial_keeps_what_was_read(permissions: PermissionTable) -> None:
    """A cut collection still holds its items: witnesses stay witnesses."""
    cut = sketch(msgspec.structs.replace(FULL, partial=("owners",)), permissions=permissions).clients[0].owners
    assert isinstance(cut, Partial)
    assert len(cut.items) == 1
    gone = without(sketch(FULL, permissions=permissions), "owners").clients[0].owners
    assert isinstance(gone, Unavailable)


@pytest.mark.parametrize(
    ("outline", "what"),
    [
        (Outline(apps=(AppOutline(app_id=APP, roles=("Calendars.Raed",)),)), "No permission table"),
        (Outline(apps=(AppOutline(app_id=APP, roles=("nowhere/Mail.Read",)),)), "is not a permission"),
        (Outline(apps=(AppOutline(app_id=APP, scopes=(ScopeOutline(resource="x", scope="a"),)),)), "not a resource"),
        (Outline(apps=(AppOutline(app_id=APP, service_principal={"replyUrl": []}),)), "'replyUrl' is not a field"),
        (Outline(apps=(AppOutline(app_id=APP, service_principal={"replyUrls": 1}),)), "Expected `array`"),
        (Outline(apps=(AppOutline(app_id=APP),), unset=("appId",)), "missing required field `appId`"),
        (Outline(unset=("colour",), apps=(AppOutline(app_id=APP),)), "'colour' is not a field"),
        (Outline(unavailable=("mailboxes",)), "'mailboxes' is not a collection"),
        (Outline(partial=("mailboxes",)), "'mailboxes' is not a collection"),
    ],
)
def test_mistakes_are_named(outline: Outline, what: str, permissions: PermissionTable) -> None:
    """An outline that names what does not exist is an error that says so, never a quietly different tenant."""
    with pytest.raises(ConfigurationError) as caught:
        sketch(outline, permissions=permissions)
    assert what in caught.value.what
    assert caught.value.advice


def test_same_outline_same_bytes(permissions: PermissionTable) -> None:
    """Equal outlines give equal bytes, the ids of a tenant differ from each other, and it reads back as it was."""
    first, second = (to_json(sketch(FULL, permissions=load)) for load in (permissions, load_permissions()))
    assert first == second
    assert msgspec.json.decode(first, type=Snapshot) == sketch(FULL, permissions=permissions)
    ids = [sp.id for sp in items(sketch(FULL, permissions=permissions).service_principals)]
    assert ids == sorted(set(ids))
