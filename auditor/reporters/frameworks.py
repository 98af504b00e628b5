"""Frameworks: per control of a published standard the rules that support it, and what they found.

frameworks.html is one self-contained page without any script; frameworks.csv has a row for each control and rule. A
rule *supports* a control: its outcomes are evidence for or against it in the audited apps. Whether a control is met is
not said here, and a rule that was not evaluated never reads as a pass. Where the audit is incomplete, the page says so
in its head and the file in its first rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from auditor.knowledge.frameworks import Control, Framework, known_frameworks
from auditor.model.outcome import (
    AuditResult,
    Finding,
    NotEvaluated,
    Outcome,
    Passed,
    RuleInfo,
    Severity,
    Waived,
)
from auditor.reporters import Reporter
from auditor.reporters.csv import Row, table
from auditor.reporters.environment import rendered

State = Literal["findings", "not-evaluated", "waived", "no-finding", "nothing-judged"]
STATES: tuple[State, ...] = ("findings", "not-evaluated", "waived", "no-finding", "nothing-judged")
"""From worst to mildest; a control has the worst state of its rules."""
COLUMNS = (
    "framework", "framework_version", "control", "control_title", "control_state", "rule_id", "rule_title",
    "rule_state", "worst_severity", "findings", "waived", "not_evaluated", "passed", "finding_ids", "reason", "source",
    "checked", "tenant_id", "taken_at", "snapshot_sha256", "rules_sha256",
)  # fmt: skip
_STRANGE = Framework(
    framework="",
    title="Controls that this version does not know",
    version="",
    publisher="",
    source="",
    checked="",
    supports="The audit was made with other rules: they name these controls, and no file of this version does.",
    controls=(),
)


class Support(Struct, frozen=True, kw_only=True):
    """One rule under a control, and its outcomes."""

    rule: RuleInfo
    findings: tuple[Finding, ...]
    waived: int
    open: tuple[NotEvaluated, ...]
    passed: int

    @property
    def state(self) -> State:
        """The worst of its outcomes; a pass counts only where nothing worse is there."""
        counts = (self.findings, self.open, self.waived, self.passed, True)
        return next(state for state, count in zip(STATES, counts, strict=True) if count)

    @property
    def worst(self) -> Severity | None:
        """The worst finding; None without a finding."""
        return min((f.severity for f in self.findings), key=lambda severity: severity.rank, default=None)

    @property
    def whys(self) -> tuple[str, ...]:
        """Why the rule was not evaluated, each reason once."""
        return tuple(dict.fromkeys(outcome.why for outcome in self.open))


class Line(Struct, frozen=True, kw_only=True):
    """One control with the rules that support it, the worst first."""

    control: Control
    supports: tuple[Support, ...]

    @property
    def state(self) -> State:
        """The worst state of its rules."""
        return min((support.state for support in self.supports), key=STATES.index)

    @property
    def worst(self) -> Severity | None:
        """The worst finding of its rules."""
        found = [support.worst for support in self.supports if support.worst]
        return min(found, key=lambda severity: severity.rank, default=None)

    @property
    def whys(self) -> tuple[str, ...]:
        """Why its rules were not evaluated, each reason once."""
        return tuple(dict.fromkeys(why for one in self.supports for why in one.whys))

    def count(self, state: State) -> int:
        """Return the number of outcomes of a kind over all of its rules."""
        return sum(
            {
                "findings": len(one.findings),
                "not-evaluated": len(one.open),
                "waived": one.waived,
                "no-finding": one.passed,
                "nothing-judged": 0,
            }[state]
            for one in self.supports
        )


class View(Struct, frozen=True, kw_only=True):
    """One framework with its controls, the worst first."""

    framework: Framework
    lines: tuple[Line, ...]

    def number(self, state: State) -> int:
        """Return the number of controls in a state."""
        return sum(line.state == state for line in self.lines)


def views(result: AuditResult, frameworks: Sequence[Framework] | None = None) -> tuple[View, ...]:
    """Return every framework that the audit's rules name, then the controls that none of them holds.

    Args:
        result: the audit.
        frameworks: those of the rules that judged; None: the program's own.
    """
    by_control: dict[str, list[Support]] = defaultdict(list)
    for support in _supports(result):
        for name in dict.fromkeys(support.rule.controls):
            by_control[name].append(support)
    made = [_view(framework, by_control) for framework in (known_frameworks() if frameworks is None else frameworks)]
    known = {f"{view.framework.framework}:{line.control.id}" for view in made for line in view.lines}
    strange = tuple(Control(id=name, title="", basis="documented") for name in by_control if name not in known)
    lines = [Line(control=control, supports=_worst_first(by_control[control.id])) for control in strange]
    made.append(View(framework=_STRANGE, lines=tuple(sorted(lines, key=_order))))
    return tuple(view for view in made if view.lines)


def _view(framework: Framework, by_control: Mapping[str, Sequence[Support]]) -> View:
    named = ((control, by_control.get(f"{framework.framework}:{control.id}")) for control in framework.controls)
    lines = [Line(control=control, supports=_worst_first(supports)) for control, supports in named if supports]
    return View(framework=framework, lines=tuple(sorted(lines, key=_order)))


def _supports(result: AuditResult) -> Iterator[Support]:
    by_rule: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in result.outcomes:
        by_rule[outcome.rule_id].append(outcome)
    for rule in result.rules:
        outcomes = by_rule.get(rule.id, [])
        yield Support(
            rule=rule,
            findings=tuple(outcome for outcome in outcomes if isinstance(outcome, Finding)),
            waived=sum(isinstance(outcome, Waived) for outcome in outcomes),
            open=tuple(outcome for outcome in outcomes if isinstance(outcome, NotEvaluated)),
            passed=sum(isinstance(outcome, Passed) for outcome in outcomes),
        )


def _worst_first(supports: Iterable[Support]) -> tuple[Support, ...]:
    return tuple(sorted(supports, key=lambda one: (STATES.index(one.state), _rank(one.worst), one.rule.id)))


def _order(line: Line) -> tuple[int, int, str]:
    return (STATES.index(line.state), _rank(line.worst), line.control.id)


def _rank(severity: Severity | None) -> int:
    return len(Severity) if severity is None else severity.rank


def render(result: AuditResult, frameworks: Sequence[Framework] | None = None) -> dict[str, bytes]:
    """Return frameworks.html and frameworks.csv, by these frameworks or by the program's own."""
    found = views(result, frameworks)
    page = rendered("frameworks.html.j2", styles=("report.css", "frameworks.css"), r=result, views=found, states=STATES)
    return {"frameworks.csv": table(COLUMNS, list(_rows(result, found))), "frameworks.html": page}


def _rows(result: AuditResult, found: Iterable[View]) -> Iterator[Row]:
    every: Row = dict.fromkeys(COLUMNS, "") | {
        "tenant_id": result.tenant_id,
        "taken_at": result.taken_at,
        "snapshot_sha256": result.provenance.snapshot_sha256,
        "rules_sha256": result.provenance.rules_sha256,
    }
    for reason in result.incomplete_reasons:
        yield every | {"control_state": "INCOMPLETE", "reason": reason}
    for view in found:
        for line in view.lines:
            for one in line.supports:
                yield every | {
                    "framework": view.framework.framework,
                    "framework_version": view.framework.version,
                    "control": line.control.id,
                    "control_title": line.control.title,
                    "control_state": line.state,
                    "rule_id": one.rule.id,
                    "rule_title": one.rule.title,
                    "rule_state": one.state,
                    "worst_severity": one.worst,
                    "findings": len(one.findings),
                    "waived": one.waived,
                    "not_evaluated": len(one.open),
                    "passed": one.passed,
                    "finding_ids": tuple(finding.finding_id for finding in one.findings),
                    "reason": one.whys,
                    "source": line.control.source,
                    "checked": view.framework.checked,
                }


REPORTER = Reporter(
    name="frameworks",
    help="frameworks.html and frameworks.csv, which rules support which control of a standard, and what they found",
    render=render,
)
