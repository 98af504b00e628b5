"""The emergency: the tenant is read, and the plan that switches one app's sign-in off is written."""

from __future__ import annotations

from pathlib import Path

from auditor.model.configuration import AppConfiguration
from auditor.remedy.planning import DAYS
from auditor.remedy.planning_contain import build_containment
from auditor.sources import SourceKind, SourceRequest
from auditor.workflow.prepare import Prepared
from auditor.workflow.revoke import Planned, write_plan
from auditor.workflow.writing import check_folder


def contain(kind: SourceKind, request: SourceRequest, prepared: Prepared, *, app: str, out: Path) -> Planned | None:
    """Read a source and write the plan that contains one of its apps; None where its sign-in is off already.

    Raises:
        AuditorError: the source cannot be read, or the app may not be contained; nothing is written.
    """
    check_folder(out.parent)
    profile = prepared.rulebook.profile
    plan = build_containment(
        kind.read(request),
        app=app,
        rulebook=prepared.rulebook,
        configuration=prepared.configuration.apps.get(profile.id, AppConfiguration()),
        configuration_sha256=prepared.configuration_sha256,
        days=DAYS,
    )
    return Planned(plan=plan, paths=write_plan(plan, out)) if plan else None
