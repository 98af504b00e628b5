"""What the combined report says of one audit."""

from __future__ import annotations

from collections import Counter

from auditor.errors import ExitCode
from auditor.knowledge.profile import AppProfile
from auditor.model.drift import Drift
from auditor.model.outcome import AuditResult, Severity, tally
from auditor.model.watch import CAME, WENT, Change, WatchedAudit, missed
from auditor.reporters.page import page


def audited(tenant: str, result: AuditResult, *, code: int, report: str) -> WatchedAudit:
    """Return the row of an audit: the tenant's name in the configuration, its exit code, where its report lies."""
    decisions = tally(result.grants)
    return WatchedAudit(
        tenant=tenant,
        app=result.profile,
        app_title=result.profile_title,
        state="complete" if code != ExitCode.INCOMPLETE else "incomplete",
        exit_code=code,
        why=result.incomplete_reasons,
        tenant_id=result.tenant_id,
        tenant_name=result.tenant_name,
        taken_at=result.taken_at,
        decisions={decision: decisions[decision] for decision in sorted(decisions)},
        findings={severity: rows for severity, rows, _ in page(result).severities if rows},
        change=_change(result.drift) if result.drift else None,
        history=result.history or None,
        report=report,
    )


def failed(tenant: str, profile: AppProfile, why: str) -> WatchedAudit:
    """Return the row of a tenant that could not be audited: what was not read is not known to be fine."""
    return WatchedAudit(
        tenant=tenant,
        app=profile.id,
        app_title=profile.title,
        state="failed",
        exit_code=int(ExitCode.INCOMPLETE),
        why=(why,),
    )


def _change(drift: Drift) -> Change:
    came, went = ([change for change in drift.grants if change.what in words] for words in (CAME, WENT))
    opened = [change for change in drift.findings if change.what in ("new", "returned")]
    findings = Counter(change.what for change in drift.findings)
    new = Counter(change.severity for change in opened)
    return Change(
        granted=len(came),
        gone=len(went),
        maybe_granted=sum(not change.certain for change in came),
        maybe_gone=sum(not change.certain for change in went),
        missed=sum(map(missed, went)),
        judged_anew=sum(change.what == "judged-anew" for change in drift.grants),
        apps=len(drift.apps),
        uncertain=sum(not change.certain for change in drift.apps) + sum(not change.certain for change in opened),
        new_findings={severity: new[severity] for severity in Severity if new[severity]},
        closed_findings=findings["closed"],
        waived_findings=findings["waived"],
        no_longer_evaluated=findings["no-longer-evaluated"],
        waivers=len(drift.waivers),
    )
