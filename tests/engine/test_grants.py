"""Grants: one row per permission held, named as the resource publishes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from auditor.engine.grants import Resources, grants_of
from auditor.knowledge.outline import ScopeOutline
from auditor.model.directory import AppRoleAssignment, GrantEvent, OAuth2PermissionGrant
from auditor.model.grant import Grant
from auditor.model.snapshot import Complete, Snapshot, Unavailable
from tests.engine.world import app, rulebook, tenant

CALENDARS_READWRITE = "ef54d2bf-783f-4e0f-bca1-3210c0444d99"


def grants(snapshot: Snapshot) -> tuple[Grant, ...]:
    return grants_of(snapshot.clients[0], Resources(snapshot, rulebook().permissions))


def test_one_id_means_another_permission_on_another_resource() -> None:
    """The id of Graph's Calendars.ReadWrite is Exchange's Calendars.ReadWrite.All."""
    held = grants(tenant(app("Calendars.ReadWrite", "exchange/Calendars.ReadWrite.All")))
    assert {(g.resource_name, g.permission, g.permission_id) for g in held} == {
        ("Microsoft Graph", "Calendars.ReadWrite", CALENDARS_READWRITE),
        ("Office 365 Exchange Online", "Calendars.ReadWrite.All", CALENDARS_READWRITE),
    }


def test_an_id_that_the_resource_does_not_publish_is_shown_by_its_id() -> None:
    (grant,) = grants(tenant(app("12345678-1234-4234-8234-123456789abc")))
    assert (grant.permission, grant.known) == ("12345678-1234-4234-8234-123456789abc", False)


def test_default_access_is_shown_and_is_no_permission() -> None:
    (grant,) = grants(tenant(app("default-access")))
    assert grant.default_access
    assert grant.permission == "default access"


def test_a_delegated_grant_gives_one_row_per_scope_under_one_grant_id() -> None:
    snapshot = tenant(app(scopes=(ScopeOutline(scope="openid profile Calendars.ReadWrite"),)))
    held = grants(snapshot)
    assert [g.permission for g in held] == ["Calendars.ReadWrite", "openid", "profile"]
    assert len({g.grant_id for g in held}) == 1
    assert {g.consent for g in held} == {"AllPrincipals"}


def test_scopes_are_spelled_as_published_and_listed_once() -> None:
    snapshot = tenant(
        app(scopes=(ScopeOutline(scope="calendars.READWRITE Calendars.ReadWrite no.such", principal="u-1"),))
    )
    held = grants(snapshot)
    assert [(g.permission, g.known, g.principal_id) for g in held] == [
        ("Calendars.ReadWrite", True, "u-1"),
        ("no.such", False, "u-1"),
    ]


def test_unread_resources_are_named_by_the_permission_tables() -> None:
    """A resource that could not be read still has its appId in the listing, and the tables know its permissions."""
    snapshot = tenant(
        app("Mail.Read", "12345678-1234-4234-8234-123456789abc", scopes=(ScopeOutline(scope="Mail.Send what.ever"),))
    )
    unread = replace(snapshot, resources=Unavailable(why="refused"))
    assert {(g.permission, g.known) for g in grants(unread)} == {
        ("Mail.Read", True),
        ("12345678-1234-4234-8234-123456789abc", False),
        ("Mail.Send", True),
        ("what.ever", False),
    }


def test_nothing_names_a_resource_that_is_in_no_listing() -> None:
    snapshot = tenant(app("Mail.Read", scopes=(ScopeOutline(scope="Mail.Send"),)))
    unlisted = replace(snapshot, resources=Unavailable(why="refused"), service_principals=Unavailable(why="refused"))
    assert {(g.known, g.resource_app_id) for g in grants(unlisted)} == {(False, "")}


def test_a_users_role_on_a_resource_is_no_application_permission() -> None:
    snapshot = tenant(app("Mail.Read"))
    client = snapshot.clients[0]
    (held,) = client.app_role_assignments.items  # type: ignore[union-attr]
    people = replace(held, id="people", principal_type="User")
    unsaid = replace(held, id="unsaid", principal_type=None)
    client = replace(client, app_role_assignments=Complete(items=(people, unsaid)))
    found = grants_of(client, Resources(snapshot, rulebook().permissions))
    assert [g.grant_id for g in found] == ["unsaid"]


def event(
    when: datetime, *permissions: str, resource: str | None = None, actor: str | None = "ada@contoso.example"
) -> GrantEvent:
    return GrantEvent(
        id=f"e{when:%H%M%S}",
        activity_date_time=when,
        activity="Add app role assignment to service principal",
        actor=actor,
        resource_id=resource,
        permissions=permissions,
    )


def test_who_granted_comes_from_the_record_nearest_in_time() -> None:
    created = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    snapshot = tenant(app("Mail.Read"))
    client = snapshot.clients[0]
    assignment = replace(client.app_role_assignments.items[0], created_date_time=created)  # type: ignore[union-attr]

    def told(*events: GrantEvent, of: AppRoleAssignment = assignment) -> str:
        changed = replace(client, app_role_assignments=Complete(items=(of,)), grant_events=Complete(items=events))
        return grants_of(changed, Resources(snapshot, rulebook().permissions))[0].granted_by

    near = event(created + timedelta(seconds=3), "Mail.Read")
    assert (
        told(near, event(created + timedelta(minutes=4), "Mail.Read", actor="eve@contoso.example"))
        == "ada@contoso.example"
    )
    assert told(event(created + timedelta(minutes=6), "Mail.Read")) == ""
    assert told(event(created, "Mail.Send")) == ""
    assert told(event(created, "Mail.Read", resource="another")) == ""
    assert told(near, of=replace(assignment, created_date_time=None)) == ""
    assert told(event(created, "Mail.Read", actor=None)) == ""


def test_a_tenant_wide_consent_carries_the_time_of_its_last_record() -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    snapshot = tenant(app(scopes=(ScopeOutline(scope="Mail.Read"), ScopeOutline(scope="Mail.Read", principal="u-1"))))
    client = replace(
        snapshot.clients[0],
        grant_events=Complete(items=(event(last, "Mail.Read"), event(first, "Mail.Read", actor="eve@contoso.example"))),
    )
    everyone, one = grants_of(client, Resources(snapshot, rulebook().permissions))
    assert (everyone.granted_at, everyone.granted_by) == (last, "ada@contoso.example")
    assert (one.granted_at, one.granted_by) == (None, "")


def test_an_empty_scope_gives_no_row() -> None:
    snapshot = tenant(app())
    client = replace(
        snapshot.clients[0],
        oauth2_permission_grants=Complete(
            items=(OAuth2PermissionGrant(id="g", client_id="c", consent_type="AllPrincipals", resource_id="r"),)
        ),
    )
    assert grants_of(client, Resources(snapshot, rulebook().permissions)) == ()
