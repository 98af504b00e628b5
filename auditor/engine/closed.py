"""Closed findings: what a plan's journal says is done, held against an audit made afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from auditor.model.outcome import AuditResult, ClosedFinding, Finding, NotEvaluated, Waived
from auditor.model.plan import Begin, Intent, Line, Result


class _Step(Struct, kw_only=True):
    """What a journal says of one step."""

    intents: dict[int, Intent]
    results: dict[int, Result]
    plan: str
    left: bool = False
    """Something came after it: a step is left only when all of its changes were tried."""

    @property
    def done(self) -> bool:
        """Every change that was begun is done, and none is missing."""
        outcomes = [self.results[change].outcome for change in self.intents if change in self.results]
        tried = self.intents.keys() | self.results.keys()
        return self.left and len(outcomes) == len(tried) and set(outcomes) == {"done"}


def closed_by(
    lines: Iterable[Line], result: AuditResult, titles: Mapping[str, str], *, journal: str
) -> tuple[ClosedFinding, ...]:
    """Return the findings that the steps of a journal closed, each once, in the order of their closing.

    Args:
        lines: the journal, in order; of several runs the last result of a change counts. An undo closes nothing.
        result: an audit made afterwards, which says what is still open.
        titles: titles of the rules by id; a rule that is not among them goes by its id.
        journal: SHA-256 of the journal.
    """
    open_ids = {_finding_id(outcome) for outcome in result.outcomes if isinstance(outcome, Finding | Waived)}
    gaps = {(o.rule_id, o.subject.app_id) for o in result.outcomes if isinstance(o, NotEvaluated)}
    names = {app.app_id: app.name for app in result.apps}
    found: dict[str, ClosedFinding] = {}
    for step in _steps(lines):
        if not step.done:
            continue
        at = max(one.at for one in step.results.values())
        for intent in step.intents.values():
            for closes in intent.closes:
                known = intent.app_id in names and (closes.rule_id, intent.app_id) not in gaps
                found[closes.finding_id] = ClosedFinding(
                    finding_id=closes.finding_id,
                    rule_id=closes.rule_id,
                    title=titles.get(closes.rule_id, closes.rule_id),
                    app_name=names.get(intent.app_id, ""),
                    app_id=intent.app_id,
                    permission=", ".join(intent.permissions),
                    resource_app_id=intent.resource_app_id,
                    closed_at=at,
                    plan=step.plan,
                    journal=journal,
                    still_open=closes.finding_id in open_ids,
                    evaluated=known or closes.finding_id in open_ids,
                )
    return tuple(sorted(found.values(), key=lambda one: (one.closed_at, one.finding_id)))


def _finding_id(outcome: Finding | Waived) -> str:
    return (outcome.finding if isinstance(outcome, Waived) else outcome).finding_id


def _steps(lines: Iterable[Line]) -> Iterable[_Step]:
    """Return the steps of the runs that take away, each with the last word on each of its changes."""
    steps: dict[str, _Step] = {}
    begin: Begin | None = None
    for line in lines:
        if isinstance(line, Begin):
            begin = line
        elif isinstance(line, Intent | Result) and begin is not None and begin.purpose != "undo":
            step = steps.setdefault(line.step, _Step(intents={}, results={}, plan=begin.plan))
            for other in steps.values():
                other.left = other.left or other is not step
            if isinstance(line, Intent):
                step.left = False
                step.intents[line.change] = line
                step.results.pop(line.change, None)
            elif line.outcome != "refused" or line.change not in step.results:
                step.results[line.change] = line
        elif not isinstance(line, Intent | Result):
            for step in steps.values():
                step.left = True
    return steps.values()
