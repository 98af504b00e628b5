"""Graph objects of a made-up tenant, from the lines of an outline; ids not named there are uuid5 of their names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import fields, replace

from auditor.errors import ConfigurationError
from auditor.knowledge.outline import MICROSOFT, AppOutline, ScopeOutline
from auditor.knowledge.permissions import GUID, RESOURCES, PermissionTable, parse_reference
from auditor.model.directory import (
    NO_ROLE,
    AppRole,
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    PermissionScope,
    ServicePrincipal,
)

DEFAULT_ACCESS = "default-access"
"""How an outline writes the appRoleId of all zeros."""

_NAMESPACE = UUID("5b1f6c0e-3d58-4c39-9d0b-6a1f0c7e2a44")
_NAMES = {
    "graph": "Microsoft Graph",
    "exchange": "Office 365 Exchange Online",
    "sharepoint": "Office 365 SharePoint Online",
    "aad-graph": "Windows Azure Active Directory",
}
_FIELDS = tuple(field.encode_name for field in fields(ServicePrincipal))
_HEALTHY: dict[str, Any] = {
    "applicationTemplateId": None,
    "accountEnabled": True,
    "servicePrincipalType": "Application",
    "publisherName": "Zoom (sample)",
    "verifiedPublisher": {
        "displayName": "Zoom (sample)",
        "verifiedPublisherId": "1000001",
        "addedDateTime": "2021-03-01T00:00:00Z",
    },
    "replyUrls": ["https://zoom.us/sample/oauth/callback"],
    "homepage": "https://zoom.us",
    "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
    "createdDateTime": "2023-05-04T08:00:00Z",
    "disabledByMicrosoftStatus": None,
    "preferredSingleSignOnMode": None,
    "preferredTokenSigningKeyThumbprint": None,
    "appRoleAssignmentRequired": False,
    "passwordCredentials": [],
    "keyCredentials": [],
}
"""What a service principal is unless its outline says otherwise; publisher and URLs are samples."""


def sample_id(*names: str) -> str:
    """Return the GUID that stands for something of these names, the same in every run."""
    return str(uuid5(_NAMESPACE, "\n".join(names)))


def resource_id(resource: str) -> str:
    """Return the object id of a resource's service principal; `resource` is a key of RESOURCES."""
    return sample_id("service principal", RESOURCES[resource])


def moment(day: date) -> datetime:
    """Return a moment as it is, and a day as its first moment in UTC."""
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def unknown(what: str, name: str, allowed: tuple[str, ...]) -> ConfigurationError:
    """Return the error for a name that an outline uses and that does not exist."""
    return ConfigurationError(f"'{name}' is not a {what}.", where="outline", advice=f"Use one of {', '.join(allowed)}.")


def service_principal(app: AppOutline, unset: tuple[str, ...] = ()) -> ServicePrincipal:
    """Return the app's service principal, without the fields of `unset`.

    Raises:
        ConfigurationError: a field that Graph does not have, or a value that it cannot hold.
    """
    for name in (*app.service_principal, *unset):
        if name not in _FIELDS:
            raise unknown("field of a service principal", name, _FIELDS)
    values = {
        **_HEALTHY,
        "id": app.service_principal_id or sample_id("service principal", app.app_id),
        "appId": app.app_id,
        "displayName": app.name,
        "appOwnerOrganizationId": app.owner_tenant,
        **app.service_principal,
    }
    where = f"service_principal of {app.name}"
    try:
        principal = msgspec.convert({k: v for k, v in values.items() if k not in unset}, ServicePrincipal)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{error}.", where=where, advice="Write the field as Graph does.") from error
    for when in _moments(principal):
        check_moment(when, where)
    return principal


def check_moment(when: datetime, where: str) -> None:
    """Refuse a time that cannot be held against others.

    Raises:
        ConfigurationError: it has no zone, or lies in the first or last year that a date can name.
    """
    if when.tzinfo is None or not MINYEAR < when.year < MAXYEAR:
        raise ConfigurationError(
            f"The time {when.isoformat()} has no zone, or is out of range.",
            where=where,
            advice="Write it as 2026-11-20T09:14:00Z.",
        )


def _moments(value: object) -> Iterator[datetime]:
    """Yield every time in a value of the model."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _moments(item)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _moments(getattr(value, name))


def assignment(
    principal: ServicePrincipal, role: str, granted_at: date, permissions: PermissionTable
) -> AppRoleAssignment:
    """Return the assignment of one application permission, as AppOutline.roles writes it.

    Raises:
        ConfigurationError: no table has it, and it is no GUID.
    """
    reference = parse_reference(role, kind="application", where="roles")
    entry = permissions.by_value(RESOURCES[reference.resource], reference.value, "application")
    role_id = entry.id if entry else NO_ROLE if reference.value == DEFAULT_ACCESS else reference.value
    if not GUID.fullmatch(role_id):
        raise ConfigurationError(
            f"No permission table has an id for the application permission '{role}'.",
            where="roles",
            advice="Correct the name, or write a lower-case GUID for an id that nobody publishes.",
        )
    return AppRoleAssignment(
        id=sample_id("assignment", principal.id, reference.resource, role_id),
        app_role_id=role_id,
        principal_id=principal.id,
        principal_type="ServicePrincipal",
        principal_display_name=principal.display_name,
        resource_id=resource_id(reference.resource),
        resource_display_name=_NAMES[reference.resource],
        created_date_time=moment(granted_at),
    )


def delegated_grant(principal: ServicePrincipal, outline: ScopeOutline) -> OAuth2PermissionGrant:
    """Return one delegated grant.

    Raises:
        ConfigurationError: the resource is no key of RESOURCES.
    """
    if outline.resource not in RESOURCES:
        raise unknown("resource", outline.resource, tuple(RESOURCES))
    return OAuth2PermissionGrant(
        id=sample_id("grant", principal.id, outline.resource, outline.principal),
        client_id=principal.id,
        consent_type="Principal" if outline.principal else "AllPrincipals",
        principal_id=outline.principal or None,
        resource_id=resource_id(outline.resource),
        scope=outline.scope,
    )


def grant_events(
    app: AppOutline, roles: tuple[AppRoleAssignment, ...], grants: tuple[OAuth2PermissionGrant, ...]
) -> Iterator[GrantEvent]:
    """Give the audit records of the app's grants, in their order."""
    added = "Add app role assignment to service principal"
    for text, role in zip(app.roles, roles, strict=True):
        yield _event(app, role.id, role.principal_id, role.resource_id, added, (text.rpartition("/")[2],))
    for grant in grants:
        values = tuple((grant.scope or "").split())
        yield _event(app, grant.id, grant.client_id, grant.resource_id, "Add delegated permission grant", values)


def _event(
    app: AppOutline, held: str, target: str, resource: str, activity: str, permissions: tuple[str, ...]
) -> GrantEvent:
    return GrantEvent(
        id=sample_id("event", held),
        activity_date_time=moment(app.granted_at),
        activity=activity,
        result="success",
        actor=app.granted_by,
        target_id=target,
        resource_id=resource,
        permissions=permissions,
    )


def directory_object(kind: str, name: str) -> DirectoryObject:
    """Return a `user`, `group` or `directoryRole` of that name."""
    return DirectoryObject(
        id=sample_id(kind, name),
        odata_type=f"#microsoft.graph.{kind}",
        display_name=name,
        user_principal_name=name if kind == "user" else None,
    )


@cache
def resource_principal(resource: str, permissions: PermissionTable) -> ServicePrincipal:
    """Return the service principal of a resource, which publishes what the tables have of it."""
    entries = [e for f in permissions.families for e in f.permissions if e.resource == resource and e.id]
    return ServicePrincipal(
        id=resource_id(resource),
        app_id=RESOURCES[resource],
        display_name=_NAMES[resource],
        app_owner_organization_id=MICROSOFT,
        account_enabled=True,
        service_principal_type="Application",
        publisher_name="Microsoft Services",
        app_roles=tuple(
            AppRole(id=e.id, value=e.permission, display_name=e.permission, allowed_member_types=("Application",))
            for e in entries
            if e.kind == "application"
        ),
        oauth2_permission_scopes=tuple(
            PermissionScope(id=e.id, value=e.permission, admin_consent_display_name=e.permission, type="User")
            for e in entries
            if e.kind == "delegated"
        ),
    )


def publishing(resource: ServicePrincipal, scopes: tuple[str, ...]) -> ServicePrincipal:
    """Return a resource that publishes delegated scopes which no permission table describes."""
    published = () if resource.oauth2_permission_scopes is UNSET else resource.oauth2_permission_scopes
    more = (PermissionScope(id=sample_id("scope", scope), value=scope, type="User") for scope in scopes)
    return replace(resource, oauth2_permission_scopes=(*published, *more))
