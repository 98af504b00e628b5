"""Markdown: report.md, a summary that fits into a pull request, an issue, a wiki or a build's summary page.

It is shorter than GitHub's 65,536 characters for one comment, whatever the audit holds: tables end early and say how
many rows were left out. The other formats hold the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.model.drift import Drift, GrantChange
from auditor.model.outcome import AuditResult, JudgedGrant, Waived
from auditor.model.text import count
from auditor.reporters import Reporter
from auditor.reporters.changes import called
from auditor.reporters.markdown import cell, code, table, text
from auditor.reporters.page import Line, Page, page
from auditor.reporters.text import cut, when

MOST_SENTENCES = 10
"""Reasons for being incomplete that are listed, and notes on what changed."""
LONGEST_SENTENCE = 300
"""Characters of a sentence; twice as many with what escaping adds."""
LONGEST_ID = 80
LENGTHS = {"apps": 7_000, "grants": 13_000, "findings": 9_000, "gaps": 5_000, "ledger": 4_000, "drift": 5_000}
"""Characters of each table, with what escaping adds."""
_ACTS = ("revoke", "revoke-after", "replace", "ask", "keep-and-scope")


def render(result: AuditResult) -> dict[str, bytes]:
    """Return report.md."""
    return {"report.md": ("\n\n".join(_parts(result, page(result))) + "\n").encode()}


def _parts(result: AuditResult, shown: Page) -> Iterator[str]:
    tenant = result.tenant_name or result.tenant_id or "an unnamed tenant"
    head = "" if result.complete else "INCOMPLETE: "
    yield f"# {head}Permissions of {_short(result.profile_title)} in {_short(tenant)}"
    yield f"Taken {when(result.taken_at)}, policy {_short(result.policy_name)}."
    yield from _incomplete(result)
    yield _short(result.headline)
    yield from _apps(shown)
    yield from _grants(shown)
    yield from _findings(result, shown)
    yield from _unread(result, shown)
    if result.drift:
        yield from _drift(result.drift)
    yield from _provenance(result)


def _incomplete(result: AuditResult) -> Iterator[str]:
    if result.complete:
        return
    yield "**INCOMPLETE**: what is missing is not known to be fine."
    reasons = [f"- {_short(reason)}" for reason in result.incomplete_reasons[:MOST_SENTENCES]]
    if left := len(result.incomplete_reasons) - len(reasons):
        reasons.append(f"- and {count(left, 'more reason')}: see the other reports")
    yield "\n".join(reasons)


def _apps(shown: Page) -> Iterator[str]:
    yield "## Decisions"
    names = [decision for decision, _ in shown.counts]
    rows = []
    for block in shown.blocks:
        numbers = dict(block.counts)
        counts = [str(numbers.get(name, 0)) for name in names]
        read = "to the end" if block.whole else "NOT in full"
        rows.append([f"{block.number}. {cell(block.title)}", cell(block.app.app_id), *counts, read])
    every = ["All", "", *(str(number) for _, number in shown.counts), "to the end" if shown.whole else "NOT in full"]
    yield table(("App", "App id", *names, "Read"), [*rows, every] if rows else [], LENGTHS["apps"])


def _grants(shown: Page) -> Iterator[str]:
    yield "## Permissions to change"
    lines = [
        (_ACTS.index(line.judged.decision), block.number, line)
        for block in shown.blocks
        for line in (*block.lines, *block.basics)
        if line.judged.decision in _ACTS
    ]
    if not lines:
        yield "None that was read." if not shown.whole else "None."
        return
    lines.sort(key=lambda one: one[:2])
    head = ("Decision", "App", "Permission", "On", "Kind", "Severity", "What comes first, or why")
    yield table(head, [_grant(number, line) for _, number, line in lines], LENGTHS["grants"])


def _grant(number: int, line: Line) -> Sequence[str]:
    judged = line.judged
    held = judged.grant
    people = f" ({count(len(line.members), 'consent')})" if len(line.members) > 1 else ""
    return (
        judged.decision,
        f"{number}. {cell(held.app_name)}",
        cell(held.permission),
        cell(held.resource_name or held.resource_app_id),
        f"{held.kind}{people}",
        judged.severity or "",
        cell(_next(judged)),
    )


def _next(judged: JudgedGrant) -> str:
    if judged.decision == "replace" and judged.replace_with:
        return f"Take {judged.replace_with} instead."
    whom = f"Ask {judged.ask_whom}: " if judged.ask_whom else ""
    return judged.check or f"{whom}{judged.reason}"


def _findings(result: AuditResult, shown: Page) -> Iterator[str]:
    yield "## Findings"
    waived = sum(isinstance(outcome, Waived) for outcome in result.outcomes)
    numbers = [f"{rows:,} {severity}" for severity, rows, _ in shown.severities if rows]
    yield f"{', '.join(numbers) or 'None'}; {waived:,} waived; {count(shown.not_evaluated, 'outcome')} not evaluated."
    rows = []
    for group in shown.findings:
        for row in group.rows:
            about = row.first.subject
            people = f" ({row.number:,} consents)" if row.number > 1 else ""
            name = shown.names.get(about.service_principal_id, about.app_name)
            what = (group.first.severity, group.first.axis, cell(row.first.title))
            rows.append((*what, cell(name), f"{cell(about.permission)}{people}"))
    if rows:
        yield table(("Severity", "Axis", "Finding", "App", "Permission"), rows, LENGTHS["findings"])


def _unread(result: AuditResult, shown: Page) -> Iterator[str]:
    yield "## What was not read"
    missing = [line for line in result.ledger if line.state != "complete"]
    rows = [(cell(line.collection), cell(line.app_id), cell(line.state), cell(line.why)) for line in missing]
    if rows:
        yield table(("Collection", "App id", "State", "Why"), rows, LENGTHS["ledger"])
    else:
        yield "Everything that was asked for was read to the end."
    gaps = [
        (cell(gap.title or gap.first.rule_id), cell(gap.first.subject.app_name), cell(gap.first.why))
        for gap in shown.gaps
    ]
    if gaps:
        yield "Not evaluated for want of it, and never a pass:"
        yield table(("Rule", "App", "Why"), gaps, LENGTHS["gaps"])


def changes(drift: Drift) -> bytes:
    """Return what changed, alone."""
    return ("\n\n".join(_drift(drift)) + "\n").encode()


def _drift(drift: Drift) -> Iterator[str]:
    yield f"## Since {when(drift.before_taken_at)}"
    rows: list[tuple[str, str, str, str]] = [(change.what, *_changed(change)) for change in drift.grants]
    rows += [
        (cell(app.what), cell(called(app.app_name, app.app_id)), "", _sure(certain=app.certain)) for app in drift.apps
    ]
    rows += [
        (
            f"finding {finding.what}",
            cell(called(finding.app_name, finding.app_id)),
            cell(f"{finding.title} {finding.permission}{' (held still, judged otherwise)' if finding.held else ''}"),
            _sure(certain=finding.certain),
        )
        for finding in drift.findings
    ]
    rows += [(f"waiver {waiver.what}", cell(waiver.app), cell(waiver.rule), "yes") for waiver in drift.waivers]
    if rows:
        yield table(("Change", "App", "What", "Certain"), rows, LENGTHS["drift"])
    else:
        yield "Nothing changed, as far as could be compared."
    if drift.notes:
        yield "\n".join(f"- {_short(note)}" for note in drift.notes[:MOST_SENTENCES])


def _changed(change: GrantChange) -> tuple[str, str, str]:
    held = change.after or change.before
    fields = ", ".join(f"{one.field}: {one.before} to {one.after}" for one in change.fields)
    named = f"{held.permission} ({fields})" if held and fields else held.permission if held else ""
    return cell(called(held.app_name, held.app_id) if held else ""), cell(named), _sure(certain=change.certain)


def _sure(*, certain: bool) -> str:
    return "yes" if certain else "NO: one side was not read to the end"


def _provenance(result: AuditResult) -> Iterator[str]:
    yield "## Provenance"
    made = result.provenance
    lines = [
        f"entra-auditor {_code(made.tool_version)}, source {_code(made.source_kind)}",
        f"snapshot SHA-256 {_code(made.snapshot_sha256)}",
        f"rules SHA-256 {_code(made.rules_sha256)}",
    ]
    if made.configuration_sha256:
        lines.append(f"configuration SHA-256 {_code(made.configuration_sha256)}")
    if made.attestations_sha256:
        lines.append(f"attestations SHA-256 {_code(made.attestations_sha256)}")
    if result.history:
        lines.append(f"run {result.history.number:,} of its history, entry SHA-256 {_code(result.history.sha256)}")
    yield "\n".join(f"- {line}" for line in lines)


def _short(sentence: str) -> str:
    shown = text(cut(sentence, LONGEST_SENTENCE))
    while len(shown) > LONGEST_SENTENCE * 2:  # A character that hides is shown by eight.
        sentence = sentence[: min(len(sentence), LONGEST_SENTENCE) // 2]
        shown = f"{text(sentence)}…"
    return shown or "(empty)"


def _code(value: str) -> str:
    return code(cut(value, LONGEST_ID))


REPORTER = Reporter(name="md", help="report.md, a summary for a pull request, an issue or a wiki", render=render)
