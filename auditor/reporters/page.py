"""What the HTML page shows, put in order: grants in lines, findings by rule, the picture of before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from auditor.model.attestation import OPEN, key_of
from auditor.model.outcome import (
    AuditedApp,
    AuditResult,
    Decision,
    Finding,
    JudgedGrant,
    NotChecked,
    NotEvaluated,
    Passed,
    Severity,
    Waived,
    tally,
)
from auditor.reporters.glance import Notice, Shared, notices, shared
from auditor.reporters.text import odd_letters

_ORDER: tuple[Decision, ...] = ("revoke", "revoke-after", "replace", "ask", "keep-and-scope", "keep")
_STAYS = frozenset({"keep", "keep-and-scope"})
_HELD = frozenset({"appRoleAssignments", "oauth2PermissionGrants"})


class Line(Struct, frozen=True, kw_only=True):
    """One line of the table: a grant, or many equal per-user consents."""

    judged: JudgedGrant
    members: tuple[JudgedGrant, ...]
    """Every grant of the line, `judged` first; more than one only for per-user consents."""
    scopes: int = 0
    """Scopes of its delegated grant, where this one may go and another one stays; 0 otherwise."""


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
    number: int
    """Its place on the page, from 1."""
    title: str
    """Its name, with the look-alike letters spelled out."""
    whole: bool
    """Its application permissions and delegated grants were read to the end."""
    lines: tuple[Line, ...]
    basics: tuple[Line, ...]
    """What signing in takes and stays: shown folded, below the lines."""
    worst: Severity | None
    """The worst finding on the basics."""
    not_checked: tuple[NotChecked, ...]
    """What the first app's list does not hold; for the first app, all."""
    counts: tuple[tuple[str, int], ...]
    families: tuple[Family, ...]
    shared: tuple[Shared, ...]
    """What several of its lines say; paper says it once."""
    again: frozenset[str]
    """The sentences of `shared`."""


class FindingRow(Struct, frozen=True, kw_only=True):
    """One finding, or equal ones on many people's consents to one permission."""

    first: Finding
    number: int


class FindingGroup(Struct, frozen=True, kw_only=True):
    """Findings of one rule that differ in subject and reason only."""

    first: Finding
    why: str
    rows: tuple[FindingRow, ...]


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
    severities: tuple[tuple[Severity, int, int], ...]
    """Severity, its rows under `findings`, and its findings with each person counted."""
    whole: bool
    """Every app's grants were read to the end."""
    notices: tuple[Notice, ...]
    unread: int
    """Collections that were not read to the end."""
    findings: tuple[FindingGroup, ...]
    gaps: tuple[Gap, ...]
    not_evaluated: int
    """NotEvaluated outcomes, as findings.csv has rows."""
    passed: tuple[tuple[str, int], ...]
    """Rule title and number of passes."""
    waived: tuple[Waived, ...]
    names: dict[str, str]
    """Object id of each audited app to its number and name: `1. Zoom`."""
    numbers: dict[str, int]
    """Object id of each audited app to its place on the page, from 1."""
    attestations: tuple[tuple[str, int], ...]
    """State and number of permissions that owners are asked for; empty where nobody attests."""


def page(result: AuditResult) -> Page:
    """Return the page of `result`."""
    titles = {rule.id: rule.title for rule in result.rules}
    found = [outcome for outcome in result.outcomes if isinstance(outcome, Finding)]
    groups = _findings(found, {rule.id: rule.why for rule in result.rules})
    passed = Counter(outcome.rule_id for outcome in result.outcomes if isinstance(outcome, Passed))
    blocks = _blocks(result)
    return Page(
        blocks=blocks,
        counts=_counts(result.grants, every=True),
        severities=_severities(groups),
        whole=all(block.whole for block in blocks),
        notices=notices(result.grants),
        unread=sum(entry.state != "complete" for entry in result.ledger),
        findings=groups,
        gaps=_gaps(result, titles),
        not_evaluated=sum(isinstance(outcome, NotEvaluated) for outcome in result.outcomes),
        passed=tuple(sorted((titles.get(rule, rule), number) for rule, number in passed.items())),
        waived=tuple(outcome for outcome in result.outcomes if isinstance(outcome, Waived)),
        names={block.app.service_principal_id: f"{block.number}. {block.title}" for block in blocks},
        numbers={block.app.service_principal_id: block.number for block in blocks},
        attestations=_attestations(result.grants),
    )


def _attestations(held: Iterable[JudgedGrant]) -> tuple[tuple[str, int], ...]:
    """Return the number of permissions by state; the same consent of many people that stands alike counts once."""
    distinct = {(key_of(one.grant), one.attestation.state) for one in held if one.attestation}
    numbers = Counter(state for _, state in distinct)
    return tuple((state, numbers[state]) for state in (*OPEN, "due-soon", "current") if numbers[state])


def families(before: Iterable[str], after: Iterable[str]) -> tuple[Family, ...]:
    """Return one Family per name of `before` and `after`, whose entries read `Mail: read and change`."""
    now, then = (dict(_split(entry) for entry in entries) for entries in (before, after))
    return tuple(_family(name, now.get(name, ""), then.get(name, "")) for name in now | then)


def _split(entry: str) -> tuple[str, str]:
    name, _, access = entry.partition(": ")
    return name, access or "access"


def _family(name: str, now: str, after: str) -> Family:
    gone = not after or after.startswith(("nothing", "no "))
    state = "stays" if now == after else "goes" if gone else "changes" if now else "new"
    return Family(name=name, now=now, after=after, state=state)


def _blocks(result: AuditResult) -> tuple[AppBlock, ...]:
    read = {
        (entry.service_principal_id, entry.collection)
        for entry in result.ledger
        if entry.state == "complete" and entry.collection in _HELD
    }
    held: dict[str, list[JudgedGrant]] = {}
    for judged in result.grants:
        held.setdefault(judged.grant.service_principal_id, []).append(judged)
    shared = result.apps[0].not_checked if result.apps else ()
    return tuple(
        _block(
            app,
            number,
            held.get(app.service_principal_id, []),
            whole=all((app.service_principal_id, collection) in read for collection in _HELD),
            known=() if number == 1 else shared,
        )
        for number, app in enumerate(result.apps, 1)
    )


def _block(
    app: AuditedApp, number: int, held: Sequence[JudgedGrant], *, whole: bool, known: Sequence[NotChecked]
) -> AppBlock:
    grouped: dict[Hashable, list[JudgedGrant]] = {}
    for judged in sorted(held, key=_urgency):
        grouped.setdefault(_key(judged), []).append(judged)
    scopes = _scopes(held)
    lines = [
        Line(judged=group[0], members=tuple(group), scopes=max(_left(judged, scopes) for judged in group))
        for group in grouped.values()
    ]
    basics = tuple(line for line in lines if _basic(line.judged))
    worst = [line.judged.severity for line in basics if line.judged.severity]
    repeated = shared([line.judged for line in lines])
    return AppBlock(
        app=app,
        number=number,
        title=app.name + odd_letters(app.name),
        whole=whole,
        lines=tuple(line for line in lines if not _basic(line.judged)),
        basics=basics,
        worst=min(worst, key=lambda severity: severity.rank, default=None),
        not_checked=tuple(item for item in app.not_checked if item not in known),
        counts=_counts(held, every=False),
        families=families(app.before, app.after),
        shared=repeated,
        again=frozenset(one.text for one in repeated),
    )


def _basic(judged: JudgedGrant) -> bool:
    return judged.access == "sign-in" and judged.decision == "keep" and not judged.grant.default_access


def _scopes(held: Iterable[JudgedGrant]) -> dict[str, list[Decision]]:
    """Return the decisions on each delegated grant's scopes, by the grant's id."""
    found: dict[str, list[Decision]] = {}
    for judged in held:
        if judged.grant.kind == "delegated":
            found.setdefault(judged.grant.grant_id, []).append(judged.decision)
    return found


def _left(judged: JudgedGrant, scopes: dict[str, list[Decision]]) -> int:
    beside = scopes.get(judged.grant.grant_id, []) if judged.grant.kind == "delegated" else []
    return len(beside) if judged.decision not in _STAYS and not _STAYS.isdisjoint(beside) else 0


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
        FindingGroup(first=group[0], why=whys.get(group[0].rule_id, ""), rows=_rows(group))
        for group in grouped.values()
    )


def _rows(findings: Iterable[Finding]) -> tuple[FindingRow, ...]:
    """Return a row per finding; those on many people's consents that differ in the person alone make one."""
    grouped: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        about = finding.subject
        place = (about.service_principal_id, about.permission, about.resource_app_id, finding.reason)
        grouped.setdefault(place if about.principal_id else finding, []).append(finding)
    return tuple(FindingRow(first=group[0], number=len(group)) for group in grouped.values())


def _severities(groups: Iterable[FindingGroup]) -> tuple[tuple[Severity, int, int], ...]:
    rows: Counter[Severity] = Counter()
    each: Counter[Severity] = Counter()
    for group in groups:
        rows[group.first.severity] += len(group.rows)
        each[group.first.severity] += sum(row.number for row in group.rows)
    return tuple((severity, rows[severity], each[severity]) for severity in Severity)


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
