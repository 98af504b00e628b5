"""What changed before the sample audit: every kind of change once, all made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from auditor.model.drift import (
    Act,
    AppChange,
    Drift,
    FieldChange,
    FindingChange,
    GrantChange,
    WaiverChange,
)
from auditor.model.history import HistoryHead
from auditor.model.outcome import Finding, JudgedGrant, Waiver

BEFORE = datetime(2026, 11, 15, 9, 14, tzinfo=UTC)
ACT = Act(
    id="Directory_sample_1",
    at=datetime(2026, 11, 20, 11, 2, tzinfo=UTC),
    activity="Add app role assignment to service principal",
    actor="megan@contoso.example",
    result="success",
)


def sample_drift(
    held: Sequence[JudgedGrant], found: Sequence[Finding], waiver: Waiver, *, tenant_id: str, after: datetime
) -> Drift:
    """Return a drift that speaks of the audit's own grants and findings; each kind of change is in it."""
    one, two, three = (judged.grant for judged in held[:3])
    fields = (FieldChange(field="decision", before="keep", after="revoke"),)
    finding = found[0]
    about = finding.subject
    changes = (("new", True), ("returned", True), ("closed", True), ("waived", True), ("no-longer-evaluated", False))
    return Drift(
        tenant_id=tenant_id,
        profile="zoom",
        before_taken_at=BEFORE,
        before_snapshot_sha256="12" * 32,
        after_taken_at=after,
        after_snapshot_sha256="ab" * 32,
        grants=(
            GrantChange(what="added", certain=True, before=None, after=one, decision="revoke", acts=(ACT,)),
            GrantChange(what="removed", certain=False, before=two, after=None, decision="revoke"),
            GrantChange(what="granted-again", certain=True, before=three, after=three, after_revoke=True),
            GrantChange(what="judged-anew", certain=True, before=two, after=two, fields=fields, decision="revoke"),
        ),
        apps=(
            AppChange(
                app_id=one.app_id,
                service_principal_id=one.service_principal_id,
                app_name=one.app_name,
                what="credentials",
                certain=True,
                before=("1 certificate",),
                after=("1 certificate", "1 secret"),
                acts=(ACT,),
            ),
        ),
        findings=tuple(
            FindingChange(
                what=what,  # type: ignore[arg-type]
                finding_id=found[number % len(found)].finding_id,
                rule_id=finding.rule_id,
                severity=finding.severity,
                axis=finding.axis,
                title=finding.title,
                app_id=about.app_id,
                app_name=about.app_name,
                permission=about.permission,
                certain=certain,
            )
            for number, (what, certain) in enumerate(changes)
        ),
        waivers=(
            WaiverChange(
                what="changed",
                rule=waiver.rule,
                app=waiver.app,
                permission=waiver.permission,
                owner=waiver.owner,
                expires=waiver.expires.isoformat(),
                reason=waiver.reason,
                fields=(FieldChange(field="expires", before="2026-12-31", after=waiver.expires.isoformat()),),
            ),
        ),
        notes=("The rules are others than before.",),
    )


def sample_head() -> HistoryHead:
    """Return the place of the audit in a history."""
    return HistoryHead(number=4, sha256="34" * 32, previous_run=3, previous_taken_at=BEFORE)
