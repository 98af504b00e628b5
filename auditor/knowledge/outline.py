"""A tenant in a few lines: what the rules' own cases, tests, the demo and benchmarks write."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct

SAMPLE_TENANT = "11111111-1111-4111-8111-111111111111"
SAMPLE_VENDOR = "22222222-2222-4222-8222-222222222222"
"""The tenant that owns the vendor's apps, where an outline does not say otherwise."""
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
"""The tenant that owns Microsoft's resources."""


class ScopeOutline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One delegated grant."""

    resource: str = "graph"
    """A key of RESOURCES."""
    scope: str
    """Values with spaces between; one that the tables do not have is a scope that the resource does not publish."""
    principal: str = ""
    """The user's object id; empty: all principals."""


class AppOutline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One app; by default a healthy vendor app."""

    app_id: str
    name: str = "Zoom"
    service_principal_id: str = ""
    """Empty: derived from the appId."""
    owner_tenant: str | None = SAMPLE_VENDOR
    roles: tuple[str, ...] = ()
    """`[RESOURCE/]VALUE`, `[RESOURCE/]GUID` (an id that nobody publishes), or `default-access`."""
    scopes: tuple[ScopeOutline, ...] = ()
    owners: tuple[str, ...] = ()
    """User principal names."""
    directory_roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    last_sign_in: date | None = date(2026, 11, 19)
    """None: the report has no line for the app."""
    granted_by: str = ""
    """Who consented, as the audit log tells it; empty: it tells nothing of these grants."""
    granted_at: date = date(2026, 11, 2)
    service_principal: dict[str, Any] = {}
    """Other fields of the service principal under Graph's names: `publisherName`, `replyUrls`, ..."""


class Outline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant; everything is complete unless `unavailable` or `partial` names it."""

    apps: tuple[AppOutline, ...] = ()
    """The audited clients."""
    other_service_principals: tuple[AppOutline, ...] = ()
    """Listed in the tenant, not audited."""
    tenant_id: str = SAMPLE_TENANT
    tenant_name: str = "Contoso (sample)"
    taken_at: datetime = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
    enabled_members: int = 4210
    unavailable: tuple[str, ...] = ()
    """Names of TENANT_COLLECTIONS or CLIENT_COLLECTIONS of which nothing was read."""
    partial: tuple[str, ...] = ()
    """The same, of which only these items were read."""
    unset: tuple[str, ...] = ()
    """Fields of the clients' service principals, under Graph's names, that the answers did not carry."""
    undescribed_scopes: tuple[str, ...] = ()
    """Delegated scopes that Microsoft Graph publishes and that no permission table describes."""
    profile: str = "zoom"
