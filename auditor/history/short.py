"""What stays of a run when its contents are pruned: the run in short, and which findings had gone when it was kept."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from auditor.history.summary import summarized
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Waived
from auditor.model.trend import RunSummary


class Short(Struct, frozen=True, kw_only=True):
    """A run in short. Its entry holds its hash, so it holds neither number nor hash of its entry."""

    summary: RunSummary
    gone: tuple[str, ...] = ()
    """Ids of the findings that the run before had, waived ones included, and that this one shows to be open no more."""


def shortened(result: AuditResult, before: AuditResult | None) -> Short:
    """Return a run in short; `before` is the run before it, None for the first."""
    gone = _gone(before, result) if before is not None else ()
    return Short(summary=summarized(result, number=0, sha256=""), gone=tuple(sorted(gone)))


def _gone(before: AuditResult, result: AuditResult) -> Iterator[str]:
    """Yield the ids of findings of `before` whose rule was evaluated for their app, and gave none.

    A finding on an app that is not audited now is not among them: the result alone does not tell whether it is gone.
    """
    there = {one.finding_id for one in _findings(result)}
    rules, apps = {rule.id for rule in result.rules}, {app.service_principal_id for app in result.apps}
    gaps = (one for one in result.outcomes if isinstance(one, NotEvaluated))
    unknown = {(gap.rule_id, gap.subject.service_principal_id) for gap in gaps}
    for one in _findings(before):
        app = one.subject.service_principal_id
        judged = one.rule_id in rules and app in apps and (one.rule_id, app) not in unknown
        if judged and one.finding_id not in there:
            yield one.finding_id


def _findings(result: AuditResult) -> Iterator[Finding]:
    for outcome in result.outcomes:
        if isinstance(outcome, Finding | Waived):
            yield outcome.finding if isinstance(outcome, Waived) else outcome
