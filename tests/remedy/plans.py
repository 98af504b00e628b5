"""A plan with a step of every kind, made by hand from the sample tenant; what the builder makes is tested elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from auditor.graph.writes import WRITES, role_for
from auditor.knowledge.permissions import RESOURCES, load_permissions
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.outcome import Impact, Severity, Statement
from auditor.model.plan import (
    Account,
    AccountChange,
    Action,
    AssignmentChange,
    Change,
    Closes,
    GrantChange,
    Left,
    Needs,
    RevokePlan,
    Step,
    Target,
    inverse,
)
from auditor.model.snapshot import Client, Snapshot, items
from auditor.remedy.seal import sealed, step_id
from auditor.simulator.sample import CALENDAR, PILOT, sample

SNAPSHOT = sample()
GRAPH = RESOURCES["graph"]
TABLE = load_permissions()
NOBODY = "99999999-9999-4999-8999-999999999999"


def client(app_id: str, snapshot: Snapshot = SNAPSHOT) -> Client:
    return next(c for c in snapshot.clients if c.service_principal.app_id == app_id)


def resource_id(app_id: str = GRAPH, snapshot: Snapshot = SNAPSHOT) -> str:
    return next(r.id for r in items(snapshot.resources) if r.app_id == app_id)


def assignment(value: str, app_id: str = CALENDAR, snapshot: Snapshot = SNAPSHOT) -> AppRoleAssignment:
    """Return the app's assignment of a permission of Microsoft Graph."""
    id_ = role_id(value)
    held = items(client(app_id, snapshot).app_role_assignments)
    return next(a for a in held if a.app_role_id == id_ and a.resource_id == resource_id(snapshot=snapshot))


def role_id(value: str) -> str:
    entry = TABLE.by_value(GRAPH, value, "application")
    assert entry is not None
    assert entry.id
    return entry.id


def consents(app_id: str = CALENDAR, snapshot: Snapshot = SNAPSHOT) -> tuple[OAuth2PermissionGrant, ...]:
    held = items(client(app_id, snapshot).oauth2_permission_grants)
    return tuple(g for g in held if g.consent_type == "Principal")


def tenant_wide(app_id: str = CALENDAR, snapshot: Snapshot = SNAPSHOT) -> OAuth2PermissionGrant:
    held = items(client(app_id, snapshot).oauth2_permission_grants)
    return next(g for g in held if g.consent_type == "AllPrincipals")


def without(grant: OAuth2PermissionGrant, *scopes: str) -> GrantChange:
    """Return the change that takes scopes out of a grant."""
    left = " ".join(scope for scope in (grant.scope or "").split() if scope not in scopes)
    return GrantChange(before=grant, after=replace(grant, scope=left) if left else None)


def step(number: int, action: Action, changes: tuple[Change, ...], **target: Any) -> Step:
    app_id = target.pop("app_id", CALENDAR)
    app = client(app_id).service_principal
    name = " and ".join(target.get("permissions", ())) or "sign-in"
    impact = Impact(
        what=Statement(
            text="Calendar events keep working (sample).", basis="inferred", source="https://contoso.example"
        ),
        who_notices="nobody (sample)",
        when="never",
        way_back="An administrator grants it again (sample).",
    )
    return Step(
        id=step_id(changes),
        number=number,
        action=action,
        title=f"{action}: {name} of {app.display_name}",
        target=Target(app_id=app_id, service_principal_id=app.id, app_name=app.display_name or "", **target),
        changes=changes,
        why="Outside policy 'minimal' (sample).",
        impact=impact,
        closes=(Closes(finding_id=NOBODY, rule_id="outside-policy", severity=Severity.HIGH),),
        needs=needs(changes),
        undo_needs=needs(tuple(inverse(change) for change in reversed(changes))),
    )


def needs(changes: tuple[Change, ...]) -> Needs:
    return Needs(
        permission=", ".join(dict.fromkeys(WRITES[change.write].permission for change in changes)),
        role=", ".join(dict.fromkeys(role_for(change.write, GRAPH) for change in changes)),
    )


def on_graph(*permissions: str, kind: str = "application", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "resource_id": resource_id(),
        "resource_app_id": GRAPH,
        "resource_name": "Microsoft Graph",
        "permissions": permissions,
        "permission_ids": tuple(role_id(value) if kind == "application" else "" for value in permissions),
        **more,
    }


def steps() -> tuple[Step, ...]:
    """One step of each kind: application permission, tenant-wide scopes, a bulk of consents, replace, disable."""
    wide = assignment("Mail.ReadWrite")
    narrow = replace(wide, id="", app_role_id=role_id("Mail.Read"), created_date_time=None)
    pilot = client(PILOT).service_principal
    return (
        step(
            1,
            "remove-application-permission",
            (AssignmentChange(before=assignment("Calendars.Read"), after=None),),
            **on_graph("Calendars.Read"),
        ),
        step(
            2,
            "replace-permission",
            (AssignmentChange(before=None, after=narrow), AssignmentChange(before=wide, after=None)),
            **on_graph("Mail.ReadWrite", replaced_by="Mail.Read"),
        ),
        step(
            3,
            "remove-delegated-scopes",
            (without(tenant_wide(), "User.Read", "email"),),
            **on_graph("User.Read", "email", kind="delegated"),
        ),
        step(
            4,
            "remove-user-consents",
            tuple(
                without(grant, *(("Contacts.ReadWrite",) if n % 2 else (grant.scope or "").split()))
                for n, grant in enumerate(consents())
            ),
            **on_graph("Contacts.ReadWrite", kind="delegated", users=len(consents())),
        ),
        step(
            5,
            "disable-app",
            (
                AccountChange(
                    before=Account(id=pilot.id, app_id=pilot.app_id, account_enabled=False),
                    after=Account(id=pilot.id, app_id=pilot.app_id, account_enabled=True),
                ),
            ),
            app_id=PILOT,
        ),
    )


def plan(*chosen: Step, **overrides: Any) -> RevokePlan:
    """Return a sealed plan of these steps, else of `steps()`."""
    values: dict[str, Any] = {
        "purpose": "revoke",
        "tool_version": SNAPSHOT.tool_version,
        "tenant_id": SNAPSHOT.tenant_id,
        "tenant_name": "Contoso (sample)",
        "cloud": "public",
        "profile": "zoom",
        "created_at": SNAPSHOT.taken_at,
        "expires": SNAPSHOT.taken_at + timedelta(days=14),
        "snapshot_sha256": "0" * 64,
        "rules_sha256": "1" * 64,
        "configuration_sha256": "",
        "reader_app_id": "",
        "reader_object_id": "",
        "complete": True,
        "grants_held": 84,
        "grants_removed": 20,
        "steps": chosen or steps(),
        "left": (
            Left(
                app_id=PILOT,
                app_name="Zoom for Outlook (pilot)",
                permission="Mail.Read",
                kind="application",
                why="The app is not confirmed (sample).",
            ),
        ),
        "warnings": ("Made by hand (sample).",),
        **overrides,
    }
    return sealed(RevokePlan(**values))
