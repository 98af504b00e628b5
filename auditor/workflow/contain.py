"""The emergency: the tenant is read, and the plan that switches one app's sign-in off is written."""

from __future__ import annotations

from pathlib import Path

from auditor.errors import RefusedError
from auditor.model.configuration import AppConfiguration
from auditor.remedy.planning import DAYS
from auditor.remedy.planning_contain import build_containment
from auditor.sources import SourceKind, SourceRequest
from auditor.workflow.prepare import Prepared
from auditor.workflow.revoke import Planned, is_simulated, plan_target, write_plan


def contain(kind: SourceKind, request: SourceRequest, prepared: Prepared, *, app: str, out: Path) -> Planned | None:
    """Read a source and write the plan that contains one of its apps; None where its sign-in is off already.

    Raises:
        RefusedError: that, and an earlier file stands where the plan would have been written.
        AuditorError: the source cannot be read, or the app may not be contained; nothing is written.
    """
    plan_target(out, Path(request.location) if request.location else None)
    profile = prepared.rulebook.profile
    snapshot = kind.read(request)
    plan = build_containment(
        snapshot,
        app=app,
        rulebook=prepared.rulebook,
        configuration=prepared.configuration.apps.get(profile.id, AppConfiguration()),
        configuration_sha256=prepared.configuration_sha256,
        days=DAYS,
    )
    if plan is None and out.exists():
        raise RefusedError(
            "The app's sign-in is off already, so no plan was written: what stands there is another one.",
            where=str(out),
            advice="Move it away, or look at it: entra-audit revoke verify",
        )
    return Planned(plan=plan, paths=write_plan(plan, out), simulated=is_simulated(snapshot)) if plan else None
