"""What the HTML page shows, put in order: grants in lines, findings by rule, the picture of before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from auditor.model.outcome import (
    AuditedApp,
    AuditResult,
    Decision,
    Finding,
    JudgedGrant,
    NotEvaluated,
    Passed,
    Severity,
    Waived,
    tally,
)

_ORDER: tuple[Decision, ...] = ("revoke", "revoke-after", "replace", "ask", "keep-and-scope", "keep")


class Line(Struct, frozen=True, kw_only=True):
    """One line of the table: a grant, or many equal per-user consents."""

    judged: JudgedGrant
    members: tuple[JudgedGrant, ...]
    """Every grant of the line, `judged` first; more than one only for per-user consents."""


class Family(Struct, frozen=True, kw_only=True):
    """One line of the picture: a permission family before and after."""

    name: str
    now: str
    """Empty: no access."""
    after: str
    state: str
    """`stays`, `changes`, `goes` or `new`."""


class AppBlock(Struct, frozen=True, kw_only=True):
    """One app's part of the first screen."""

    app: AuditedApp
    lines: tuple[Line, ...]
    counts: tuple[tuple[str, int], ...]
    families: tuple[Family, ...]


class FindingGroup(Struct, frozen=True, kw_only=True):
    """Findings of one rule that differ in subject and reason only."""

    first: Finding
    why: str
    findings: tuple[Finding, ...]


class Gap(Struct, frozen=True, kw_only=True):
    """Equal NotEvaluated outcomes of one rule on one app."""

    first: NotEvaluated
    title: str
    permissions: tuple[str, ...]


class Page(Struct, frozen=True, kw_only=True):
    """Everything that the template needs beside the result itself."""

    blocks: tuple[AppBlock, ...]
    counts: tuple[tuple[str, int], ...]
    """Decision and number of permissions, every decision, in the order in which a reader acts."""
    severities: tuple[tuple[Severity, int], ...]
    findings: tuple[FindingGroup, ...]
    gaps: tuple[Gap, ...]
    passed: tuple[tuple[str, int], ...]
    """Rule title and number of passes."""
    waived: tuple[Waived, ...]
    names: dict[str, str]
    """Object id of each audited app to its name."""
    numbers: dict[str, int]
    """Object id of each audited app to its place on the page, from 1."""


def page(result: AuditResult) -> Page:
    """Return the page of `result`."""
    titles = {rule.id: rule.title for rule in result.rules}
    found = [outcome for outcome in result.outcomes if isinstance(outcome, Finding)]
    severities = Counter(finding.severity for finding in found)
    passed = Counter(outcome.rule_id for outcome in result.outcomes if isinstance(outcome, Passed))
    return Page(
        blocks=tuple(_block(app, result) for app in result.apps),
        counts=_counts(result.grants, every=True),
        severities=tuple((severity, severities[severity]) for severity in Severity),
        findings=_findings(found, {rule.id: rule.why for rule in result.rules}),
        gaps=_gaps(result, titles),
        passed=tuple(sorted((titles.get(rule, rule), number) for rule, number in passed.items())),
        waived=tuple(outcome for outcome in result.outcomes if isinstance(outcome, Waived)),
        names={app.service_principal_id: app.name for app in result.apps},
        numbers={app.service_principal_id: number for number, app in enumerate(result.apps, 1)},
    )


def families(before: Iterable[str], after: Iterable[str]) -> tuple[Family, ...]:
    """Return one Family per name of `before` and `after`, whose entries read `Mail: read and change`."""
    now, then = (dict(_split(entry) for entry in entries) for entries in (before, after))
    return tuple(_family(name, now.get(name, ""), then.get(name, "")) for name in now | then)


def _split(entry: str) -> tuple[str, str]:
    name, _, access = entry.partition(": ")
    return name, access or "access"


def _family(name: str, now: str, after: str) -> Family:
    gone = not after or after.startswith("nothing")
    state = "stays" if now == after else "goes" if gone else "changes" if now else "new"
    return Family(name=name, now=now, after=after, state=state)


def _block(app: AuditedApp, result: AuditResult) -> AppBlock:
    held = [judged for judged in result.grants if judged.grant.service_principal_id == app.service_principal_id]
    grouped: dict[Hashable, list[JudgedGrant]] = {}
    for judged in sorted(held, key=_urgency):
        grouped.setdefault(_key(judged), []).append(judged)
    return AppBlock(
        app=app,
        lines=tuple(Line(judged=group[0], members=tuple(group)) for group in grouped.values()),
        counts=_counts(held, every=False),
        families=families(app.before, app.after),
    )


def _urgency(judged: JudgedGrant) -> tuple[int, int]:
    return _ORDER.index(judged.decision), judged.severity.rank if judged.severity else len(Severity)


def _key(judged: JudgedGrant) -> Hashable:
    """Return what grants must share to stand in one line: everything, but for per-user consents only what it shows."""
    if judged.grant.consent != "Principal":
        return judged
    grant = replace(judged.grant, principal_id="", grant_id="", granted_at=None, granted_by="")
    return replace(judged, grant=grant, last_used=None, reach_text="", graph_request="")


def _counts(held: Iterable[JudgedGrant], *, every: bool) -> tuple[tuple[str, int], ...]:
    numbers = tally(held)
    return tuple((decision, numbers[decision]) for decision in _ORDER if every or numbers[decision])


def _findings(found: list[Finding], whys: dict[str, str]) -> tuple[FindingGroup, ...]:
    grouped: dict[Hashable, list[Finding]] = {}
    for finding in sorted(found, key=lambda finding: (finding.severity.rank, finding.axis, finding.rule_id)):
        text = (finding.title, finding.remediation, finding.basis, finding.references, finding.controls)
        grouped.setdefault((finding.severity, finding.axis, finding.rule_id, text), []).append(finding)
    return tuple(
        FindingGroup(first=group[0], why=whys.get(group[0].rule_id, ""), findings=tuple(group))
        for group in grouped.values()
    )


def _gaps(result: AuditResult, titles: dict[str, str]) -> tuple[Gap, ...]:
    grouped: dict[Hashable, list[NotEvaluated]] = {}
    for outcome in result.outcomes:
        if isinstance(outcome, NotEvaluated):
            key = (
                outcome.rule_id,
                outcome.subject.service_principal_id,
                outcome.missing,
                outcome.collections,
                outcome.why,
            )
            grouped.setdefault(key, []).append(outcome)
    return tuple(
        Gap(
            first=group[0],
            title=titles.get(group[0].rule_id, ""),
            permissions=tuple(outcome.subject.permission for outcome in group if outcome.subject.permission),
        )
        for group in grouped.values()
    )
