"""A small made-up export, laid out by the tests in many forms."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import load
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import Client, Snapshot
from auditor.sources import SourceRequest, silent
from auditor.sources.graph_export import read_export

PROFILE = load(data_dir("rules") / "apps" / "zoom.yaml", AppProfile)
TENANT = "11111111-1111-4111-8111-111111111111"
ROOMS_APP = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
ROOMS = "5ab1e000-0000-4000-8000-000000000003"
GRAPH = "5ab1e000-0000-4000-8000-000000000001"
ROLE = "ef54d2bf-783f-4e0f-bca1-3210c0444d99"
OF_ROOMS = f"servicePrincipals/{ROOMS}"


def assignment(number: int, principal: str = ROOMS) -> dict[str, Any]:
    """Return an appRoleAssignment; numbers tell them apart."""
    return {
        "id": f"sample-assignment-{number}",
        "appRoleId": ROLE,
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "resourceId": GRAPH,
        "createdDateTime": "2025-03-03T10:00:00Z",
    }


def grant(number: int, client: str = ROOMS) -> dict[str, Any]:
    """Return an oauth2PermissionGrant; numbers tell them apart."""
    return {
        "id": f"sample-grant-{number}",
        "clientId": client,
        "consentType": "AllPrincipals",
        "principalId": None,
        "resourceId": GRAPH,
        "scope": "openid profile",
    }


def user(number: int, **fields: object) -> dict[str, Any]:
    """Return an enabled member account, changed by `fields`."""
    return {"id": f"user-{number}", "accountEnabled": True, "userType": "Member", **fields}


def service_principals() -> list[dict[str, Any]]:
    """Return Zoom's rooms app and Microsoft Graph."""
    return [
        {"id": ROOMS, "appId": ROOMS_APP, "displayName": "Zoom", "replyUrls": ["https://zoom.us/sample"]},
        {
            "id": GRAPH,
            "appId": "00000003-0000-0000-c000-000000000000",
            "displayName": "Microsoft Graph",
            "appRoles": [{"id": ROLE, "value": "Calendars.ReadWrite", "allowedMemberTypes": ["Application"]}],
            "oauth2PermissionScopes": [],
        },
    ]


def whole() -> dict[str, Any]:
    """Return an export in which nothing is missing: file name to content."""
    return {
        "servicePrincipals.json": {"value": service_principals()},
        f"{OF_ROOMS}/appRoleAssignments.json": {"value": [assignment(1)]},
        f"{OF_ROOMS}/oauth2PermissionGrants.json": {"value": [grant(1)]},
        f"{OF_ROOMS}/owners.json": {"value": []},
        f"{OF_ROOMS}/transitiveMemberOf.json": {"value": []},
        "organization.json": {"value": [{"id": TENANT, "displayName": "Contoso (sample)"}]},
        "users.json": {"value": [user(1), user(2)]},
        "reports/servicePrincipalSignInActivities.json": {"value": []},
        "auditLogs/directoryAudits.json": {"value": []},
    }


def lay(root: Path, files: dict[str, Any]) -> Path:
    """Write files, JSON or bytes, below `root` and return it."""
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return root


def read(root: Path, *, only: frozenset[str] = frozenset(), taken_at: datetime | None = None) -> Snapshot:
    """Read an export with Zoom's profile."""
    return read_export(request(root, only=only, taken_at=taken_at))


def request(
    location: Path | str, *, only: frozenset[str] = frozenset(), taken_at: datetime | None = None
) -> SourceRequest:
    """Return a request for Zoom's apps without a configuration."""
    return SourceRequest(
        profile=PROFILE,
        configuration=AppConfiguration(),
        location=str(location),
        only=only,
        taken_at=taken_at,
        progress=silent,
    )


def rooms(snapshot: Snapshot) -> Client:
    """Return the one client of the small export."""
    [client] = snapshot.clients
    return client
