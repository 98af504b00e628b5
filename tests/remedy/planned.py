"""Plans as the builder makes them, from tenants in a few lines."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import Rulebook
from auditor.model.canonical import sha256
from auditor.model.configuration import Configuration
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.outcome import AuditResult
from auditor.model.plan import RevokePlan, Step
from auditor.model.snapshot import Snapshot, items
from auditor.remedy.planning import build_plan
from auditor.sources.snapshot_file import encode
from tests.engine.world import rulebook, team

PERSON = "bbbbbbbb-0000-4000-8000-00000000000{}"
"""A user's object id, with a digit to fill in."""
READER = "dddddddd-0001-4000-8000-000000000001"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"


def audited(
    snapshot: Snapshot, configuration: Configuration | None = None, rules: Rulebook | None = None
) -> AuditResult:
    """Return the audit of a snapshot, bound to it."""
    return audit(
        snapshot,
        rulebook=rules or rulebook(),
        configuration=configuration or team(),
        hashes=Hashes(snapshot=sha256(encode(snapshot))),
    )


def planned(snapshot: Snapshot, configuration: Configuration | None = None, **options: Any) -> RevokePlan:
    """Return the plan for a snapshot; an incomplete one is let through."""
    return of_audit(audited(snapshot, configuration), snapshot, **options)


def of_audit(result: AuditResult, snapshot: Snapshot, **options: Any) -> RevokePlan:
    """Return the plan that an audit gives, edited or not."""
    return build_plan(result, snapshot, **{"rulebook": rulebook(), "allow_incomplete": True, **options})


def lax(**answers: bool) -> Configuration:
    """A team that has answered everything so that nothing waits."""
    said = {
        "upn_equals_zoom_email": True,
        "no_user_sign_in": True,
        "no_other_user_sign_in": True,
        "no_ews_connection": True,
        "no_files_through_calendar_app": True,
    }
    return team(answers={**said, **answers})


def only_step(plan: RevokePlan) -> Step:
    (step,) = plan.steps
    return step


def objects(snapshot: Snapshot) -> dict[tuple[str, str], AppRoleAssignment | OAuth2PermissionGrant]:
    """Return everything that apps hold, by app and id."""
    found: dict[tuple[str, str], AppRoleAssignment | OAuth2PermissionGrant] = {}
    for client in snapshot.clients:
        for assignment in items(client.app_role_assignments):
            found[client.service_principal.id, assignment.id] = assignment
        for grant in items(client.oauth2_permission_grants):
            found[client.service_principal.id, grant.id] = grant
    return found


def read_by(snapshot: Snapshot, *, app_id: str = "", object_id: str = "") -> Snapshot:
    """Return the snapshot as read by some identity."""
    return replace(snapshot, source=replace(snapshot.source, reader_app_id=app_id, reader_object_id=object_id))


def with_every(result: AuditResult, **fields: Any) -> AuditResult:
    """Return the audit with these fields in every row of its grants, as an editor could write them."""
    return replace(result, grants=tuple(replace(judged, **fields) for judged in result.grants))
