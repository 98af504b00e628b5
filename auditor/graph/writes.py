"""Every call that changes a tenant, with the least permission that each one needs; `writer` alone sends them.

Least permissions and roles: the page of each call under https://learn.microsoft.com/graph/api (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from auditor.model.plan import Write

GRAPH = "00000003-0000-0000-c000-000000000000"
"""appId of Microsoft Graph."""
CLOUD_APPLICATION_ADMINISTRATOR = "Cloud Application Administrator"
PRIVILEGED_ROLE_ADMINISTRATOR = "Privileged Role Administrator"


class WriteEndpoint(Struct, frozen=True, kw_only=True):
    """One call that writes; version v1.0."""

    method: Literal["POST", "PATCH", "DELETE"]
    path: str
    """With `{owner}` for the service principal that it is below, and `{id}` for the object."""
    permission: str
    """The least permission, the same for an app and for a person."""
    role: str
    """The least directory role of a person."""
    page: str
    """Its documentation."""


_API = "https://learn.microsoft.com/graph/api"
WRITES: Mapping[Write, WriteEndpoint] = {
    "delete-assignment": WriteEndpoint(
        method="DELETE",
        path="/servicePrincipals/{owner}/appRoleAssignedTo/{id}",
        permission="AppRoleAssignment.ReadWrite.All",
        role=CLOUD_APPLICATION_ADMINISTRATOR,
        page=f"{_API}/serviceprincipal-delete-approleassignedto",
    ),
    "add-assignment": WriteEndpoint(
        method="POST",
        path="/servicePrincipals/{owner}/appRoleAssignedTo",
        permission="AppRoleAssignment.ReadWrite.All",
        role=PRIVILEGED_ROLE_ADMINISTRATOR,
        page=f"{_API}/serviceprincipal-post-approleassignedto",
    ),
    "delete-grant": WriteEndpoint(
        method="DELETE",
        path="/oauth2PermissionGrants/{id}",
        permission="DelegatedPermissionGrant.ReadWrite.All",
        role=CLOUD_APPLICATION_ADMINISTRATOR,
        page=f"{_API}/oauth2permissiongrant-delete",
    ),
    "update-grant": WriteEndpoint(
        method="PATCH",
        path="/oauth2PermissionGrants/{id}",
        permission="DelegatedPermissionGrant.ReadWrite.All",
        role=CLOUD_APPLICATION_ADMINISTRATOR,
        page=f"{_API}/oauth2permissiongrant-update",
    ),
    "add-grant": WriteEndpoint(
        method="POST",
        path="/oauth2PermissionGrants",
        permission="DelegatedPermissionGrant.ReadWrite.All",
        role=CLOUD_APPLICATION_ADMINISTRATOR,
        page=f"{_API}/oauth2permissiongrant-post",
    ),
    "update-service-principal": WriteEndpoint(
        method="PATCH",
        path="/servicePrincipals/{id}",
        permission="Application.ReadWrite.All",
        role=CLOUD_APPLICATION_ADMINISTRATOR,
        page=f"{_API}/serviceprincipal-update",
    ),
}


def role_for(write: Write, resource_app_id: str) -> str:
    """Return the least directory role of a person for a write on a resource.

    To grant an application permission of Microsoft Graph takes Privileged Role Administrator; of another resource,
    Cloud Application Administrator does.
    """
    if write == "add-assignment" and resource_app_id != GRAPH:
        return CLOUD_APPLICATION_ADMINISTRATOR
    return WRITES[write].role
