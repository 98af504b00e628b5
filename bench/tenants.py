"""The made-up tenants that the benchmarks read."""

from __future__ import annotations

from auditor.knowledge.outline import AppOutline, Outline, ScopeOutline
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.sketch import sketch
from auditor.model.snapshot import Snapshot

APPS = (
    "f56e91e5-5a82-452f-b435-d4d78aeaf064",
    "a651cfda-cbdd-4a39-bd03-fa829c3c1b29",
    "aaaaaaaa-0001-4000-8000-000000000001",
    "aaaaaaaa-0001-4000-8000-000000000002",
)
ROLES = ("Calendars.ReadWrite", "Mail.ReadWrite", "Directory.Read.All", "exchange/full_access_as_app")


def tenant(service_principals: int, *, users: int = 20) -> Snapshot:
    """Return a tenant with four Zoom apps and `service_principals` in all; `users` consented to each app."""
    scope = "Calendars.ReadWrite Mail.Read"
    consents = tuple(ScopeOutline(scope=scope, principal=f"user-{number:06}") for number in range(users))
    apps = tuple(AppOutline(app_id=app_id, roles=ROLES, scopes=consents) for app_id in APPS)
    others = tuple(
        AppOutline(
            app_id=f"cccccccc-0000-4000-8000-{number:012}",
            name=f"Fabrikam app {number} (sample)",
            service_principal={"publisherName": "Fabrikam (sample)", "verifiedPublisher": None, "replyUrls": []},
        )
        for number in range(service_principals - len(apps) - 2)
    )
    return sketch(Outline(apps=apps, other_service_principals=others), permissions=load_permissions())
