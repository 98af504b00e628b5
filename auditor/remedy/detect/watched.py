"""What an alert query watches for: each permission that a plan takes from an app, once, in ids and known names."""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

from auditor.errors import RefusedError
from auditor.knowledge.permissions import GUID, PermissionTable, load_permissions
from auditor.model.grant import Kind
from auditor.model.plan import RevokePlan, Step

READ = "2026-11-22"
"""When the pages that the queries name were read."""
ACTIVITIES = (
    "Add app role assignment to service principal",
    "Add delegated permission grant",
    "Add OAuth2PermissionGrant",
    "Consent to application",
)
"""Activities of the directory audit log that give an app a permission."""
CONSENT = r"ClientId: ([0-9a-f-]{36})[^\]]*?ResourceId: ([0-9a-f-]{36})[^\]]*?Scope: *([^,\]]*)"
"""An entry in the text that a consent's record carries: client, resource and scopes, whatever the case of its letters.
The shape is inferred from published records, not documented."""

_SHA256 = re.compile("[0-9a-f]{64}")


class Watched(Struct, frozen=True, kw_only=True, order=True):
    """One permission of one app as a log names it; each field is a GUID, a name of the permission tables, or empty."""

    service_principal_id: str
    kind: Kind
    resource_app_id: str
    resource_id: str
    """Empty, and resource_app_id too: on any resource."""
    key: str
    """Lower case: the permission's id (application) or value (delegated). Empty: any permission of that kind, where a
    plan takes one whose id or name is in no table."""
    permission: str
    """Its value; empty for one that is in no table."""


def watched(plan: RevokePlan) -> tuple[Watched, ...]:
    """Return what a plan takes away, without repeats, in order.

    Raises:
        RefusedError: the plan takes no permission away, or names an app by something that is no GUID.
    """
    steps = [step for step in plan.steps if step.target.kind] if plan.purpose != "undo" else []
    found = {one for step in steps for one in _of(step)}
    if not found:
        raise RefusedError(
            "This plan takes no permission away, so there is nothing to watch for.",
            advice="Give a plan that `entra-audit revoke plan` made.",
        )
    return tuple(sorted(found))


def facts(plan: RevokePlan, number: int) -> tuple[str, ...]:
    """Return the lines that head a query: what it is for, and what it is not proven to do."""
    tenant = plan.tenant_id if GUID.fullmatch(plan.tenant_id) else "not known"
    return (
        "An app was given a permission again that was taken from it.",
        f"Plan {plan.sha256 if _SHA256.fullmatch(plan.sha256) else 'without a hash'}.",
        f"Tenant {tenant}; permissions watched: {number}.",
        "This query was not run against a live workspace. Try it on a test grant before you rely on it.",
        "Start it once the plan has been carried out: a grant that is as old as the plan is no alert.",
    )


def _of(step: Step) -> list[Watched]:
    target = step.target
    if not GUID.fullmatch(target.service_principal_id) or not target.kind:
        raise RefusedError("A step names its app by something that is no GUID.", where=f"step {step.number}")
    ids = [*target.permission_ids, *[""] * len(target.permissions)]
    return [_one(step, value, permission_id) for value, permission_id in zip(target.permissions, ids, strict=False)]


def _one(step: Step, value: str, permission_id: str) -> Watched:
    target = step.target
    kind: Kind = "application" if target.kind == "application" else "delegated"
    table = _table()
    entry = table.by_id(target.resource_app_id, permission_id, kind) or table.by_value(
        target.resource_app_id, value, kind
    )
    known = entry.permission if entry else ""
    key = permission_id if kind == "application" else known
    return Watched(
        service_principal_id=target.service_principal_id,
        kind=kind,
        resource_app_id=_guid(target.resource_app_id),
        resource_id=_guid(target.resource_id),
        key=_guid(key) if kind == "application" else key.lower(),
        permission=known,
    )


def _guid(text: str) -> str:
    return text if GUID.fullmatch(text) else ""


@cache
def _table() -> PermissionTable:
    return load_permissions()
