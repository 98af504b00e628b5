"""What stays of a run when its contents are pruned: the run in short, and which findings had gone when it was kept."""

from __future__ import annotations

from msgspec import Struct

from auditor.history.summary import summarized
from auditor.model.outcome import AuditResult, Finding, Waived
from auditor.model.trend import RunSummary


class Short(Struct, frozen=True, kw_only=True):
    """A run in short. Its entry holds its hash, so it holds neither number nor hash of its entry."""

    summary: RunSummary
    gone: tuple[str, ...] = ()
    """Ids of the findings that the run before had and this one has not, waived ones included."""


def shortened(result: AuditResult, before: AuditResult | None) -> Short:
    """Return a run in short; `before` is the run before it, None for the first."""
    gone = finding_ids(before) - finding_ids(result) if before is not None else frozenset()
    return Short(summary=summarized(result, number=0, sha256=""), gone=tuple(sorted(gone)))


def finding_ids(result: AuditResult) -> frozenset[str]:
    """Return the ids of an audit's findings, waived ones included."""
    found = (one.finding if isinstance(one, Waived) else one for one in result.outcomes)
    return frozenset(one.finding_id for one in found if isinstance(one, Finding))
