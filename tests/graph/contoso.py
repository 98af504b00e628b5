"""A made-up tenant (contoso) with four of Zoom's apps, two resources and as many other apps as a test asks for."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from auditor.model.directory import (
    AppRole,
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    KeyCredential,
    OAuth2PermissionGrant,
    Organization,
    PasswordCredential,
    PermissionScope,
    ServicePrincipal,
    SignInActivity,
    VerifiedDomain,
    VerifiedPublisher,
)
from auditor.model.snapshot import Client, Complete, Snapshot, Source

TAKEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
TENANT = "5a0c1d1e-0000-4000-8000-00000000c0de"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
ZOOM_APPS = (
    "f56e91e5-5a82-452f-b435-d4d78aeaf064",
    "a651cfda-cbdd-4a39-bd03-fa829c3c1b29",
    "11111111-aaaa-4aaa-8aaa-000000000001",
    "11111111-aaaa-4aaa-8aaa-000000000002",
)
"""The two appIds that Zoom documents, and two of our own."""


def guid(name: str) -> str:
    """Return a sample GUID, the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://contoso.example/{name}"))


MAIL_ROLE, CALENDAR_ROLE, EWS_ROLE, USER_SCOPE = (guid(n) for n in ("mail", "calendar", "ews", "user"))
PUBLISHER = VerifiedPublisher(display_name=None, verified_publisher_id=None, added_date_time=None)


def app(app_id: str, name: str, **fields: Any) -> ServicePrincipal:
    """Return a service principal with the fields that a listing has."""
    listed = ServicePrincipal(
        id=guid(f"object of {app_id}"),
        app_id=app_id,
        display_name=name,
        app_owner_organization_id=guid("vendor tenant"),
        application_template_id=None,
        account_enabled=True,
        service_principal_type="Application",
        publisher_name="Sample Publisher",
        verified_publisher=PUBLISHER,
        reply_urls=(),
        homepage=None,
        tags=("WindowsAzureActiveDirectoryIntegratedApp",),
        disabled_by_microsoft_status=None,
        preferred_single_sign_on_mode=None,
        app_role_assignment_required=False,
    )
    return replace(listed, **fields)


def resources() -> tuple[ServicePrincipal, ...]:
    """Return Microsoft Graph and Exchange Online with the permissions that the sample uses."""
    graph = app(
        GRAPH_APP,
        "Microsoft Graph",
        app_roles=(
            AppRole(id=MAIL_ROLE, value="Mail.ReadWrite", allowed_member_types=("Application",)),
            AppRole(id=CALENDAR_ROLE, value="Calendars.ReadWrite", allowed_member_types=("Application",)),
        ),
        oauth2_permission_scopes=(PermissionScope(id=USER_SCOPE, value="User.Read", type="User"),),
    )
    role = AppRole(id=EWS_ROLE, value="full_access_as_app", allowed_member_types=("Application",))
    exchange = app(EXCHANGE_APP, "Office 365 Exchange Online", app_roles=(role,), oauth2_permission_scopes=())
    return graph, exchange


def assignment(client: ServicePrincipal, resource: ServicePrincipal, role: str) -> AppRoleAssignment:
    """Return an app-role assignment; its id is opaque and case-sensitive, as Graph's are."""
    return AppRoleAssignment(
        id=f"AsSiGn-{client.id[:8]}-{role[:8]}",
        app_role_id=role,
        principal_id=client.id,
        principal_type="ServicePrincipal",
        principal_display_name=client.display_name,
        resource_id=resource.id,
        resource_display_name=resource.display_name,
        created_date_time=datetime(2025, 3, 1, 10, tzinfo=UTC),
    )


def client(app_id: str, number: int) -> Client:
    """Return one of Zoom's apps with something in every collection."""
    graph, exchange = resources()
    sp = app(
        app_id,
        f"Zoom {number}",
        reply_urls=("https://zoom.us/oauth",),
        created_date_time=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        password_credentials=(PasswordCredential(key_id=guid(f"secret {number}"), display_name="sample"),),
        key_credentials=(KeyCredential(key_id=guid(f"key {number}"), type="AsymmetricX509Cert", usage="Verify"),),
    )
    grant = OAuth2PermissionGrant(
        id=f"GrAnT-{number}",
        client_id=sp.id,
        consent_type="AllPrincipals",
        resource_id=graph.id,
        scope="User.Read offline_access",
    )
    event = GrantEvent(
        id=f"Directory_{number}",
        activity_date_time=datetime(2026, 11, number + 1, 8, tzinfo=UTC),
        activity="Add app role assignment to service principal",
        result="success",
        actor="admin@contoso.example",
        target_id=sp.id,
        resource_id=graph.id,
        permissions=("Mail.ReadWrite",),
    )
    return Client(
        service_principal=sp,
        app_role_assignments=Complete(
            items=(
                assignment(sp, graph, MAIL_ROLE),
                assignment(sp, graph, CALENDAR_ROLE),
                assignment(sp, exchange, EWS_ROLE),
            )
        ),
        oauth2_permission_grants=Complete(items=(grant,)),
        owners=Complete(
            items=(
                DirectoryObject(
                    id=guid(f"owner {number}"),
                    odata_type="#microsoft.graph.user",
                    display_name="Sample Owner",
                    user_principal_name="owner@contoso.example",
                ),
            )
        ),
        member_of=Complete(
            items=(
                DirectoryObject(
                    id=guid(f"role {number}"),
                    odata_type="#microsoft.graph.directoryRole",
                    display_name="Directory Readers",
                    role_template_id="88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
                ),
            )
        ),
        sign_in_activity=Complete(
            items=(SignInActivity(app_id=app_id, last_sign_in=datetime(2026, 11, 20, 7, 30, tzinfo=UTC)),)
        ),
        grant_events=Complete(items=(event,)),
    )


def contoso(*, others: int = 5, members: int = 4210) -> Snapshot:
    """Return the tenant: four audited apps, two resources, and `others` that nobody asks for."""
    clients = tuple(client(app_id, number) for number, app_id in enumerate(ZOOM_APPS))
    rest = tuple(app(guid(f"app {n}"), f"Sample app {n}") for n in range(others))
    organization = Organization(
        id=TENANT,
        display_name="Contoso (sample)",
        verified_domains=(VerifiedDomain(name="contoso.example", is_default=True, is_initial=True),),
    )
    return Snapshot(
        tool_version="0.0.0",
        taken_at=TAKEN,
        taken_at_basis="clock",
        profile="zoom",
        source=Source(kind="sample"),
        tenant_id=TENANT,
        organization=Complete(items=(organization,)),
        enabled_members=Complete(items=(members,)),
        service_principals=Complete(items=(*(c.service_principal for c in clients), *resources(), *rest)),
        resources=Complete(items=resources()),
        clients=clients,
        audit_log_since=datetime(2026, 10, 24, tzinfo=UTC),
    )
