"""What a chat is told of a watch: a title and a few lines of plain text, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from msgspec import Struct

from auditor.delivery.inert import inert, permission
from auditor.model.drift import Act, AppChange, Drift, FindingChange, GrantChange
from auditor.model.outcome import Decision, Severity
from auditor.model.text import count, listed, moment, visible
from auditor.model.watch import CAME, WENT, Watch, WatchedAudit, missed

TITLE = 80
"""Characters of a title at most."""
BODY = 1_800
"""Characters of a body at most."""
_WHY = 300
"""Characters of a reason at most."""
_PATH = 300
_FIRST: tuple[Decision, ...] = ("revoke", "replace", "revoke-after", "ask", "keep-and-scope", "keep")
"""Decisions on what came, the worst first."""

Told = tuple[WatchedAudit, Drift | None]
Ranked = tuple[int, int, int, str]
"""Kind of line, rank within it, place of the audit, and the line."""


class Digest(Struct, frozen=True, kw_only=True):
    """A message."""

    title: str
    body: str
    tone: Literal["failure", "warning", "info"]


def worth_telling(watch: Watch, *, unchanged: bool) -> bool:
    """Tell whether anybody has to know: something failed, is not known, changed, or is watched for the first time."""
    begun = any(audit.begun for audit in watch.audits)
    return bool(unchanged or watch.unknown or watch.changed or begun)


def digest(told: Sequence[Told], *, exit_code: int, where: str, names: bool) -> Digest:
    """Return the message about a watch.

    Args:
        told: each audit with what changed in it.
        exit_code: of the watch.
        where: where the report lies, as the team wrote it.
        names: people may be named.
    """
    audits = [audit for audit, _ in told]
    new = _new(audits)
    bad = [audit for audit in audits if audit.state != "complete"]
    lost = any(audit.change.missed for audit in audits if audit.change)
    # Many people's consents to one permission are as many changes, which read alike.
    ranked = Counter(sorted(_ranked(told, names=names)))
    lines = [f"{line} ({number:,} times)" if number > 1 else line for (*_, line), number in ranked.items()]
    tail = f"Exit code {exit_code}. Report: {_path(where)}"
    return Digest(
        title=_title(audits, new),
        body=_body(lines or ["Nothing changed."], tail),
        tone="failure" if bad else "warning" if new or lost else "info",
    )


def digest_of_error(words: str, *, exit_code: int, names: bool) -> Digest:
    """Return the message about a watch that came to no report at all; `words` say why."""
    line = f"The watch could not run: {inert(words, names=names, longest=_WHY)}"
    return Digest(title="entra-audit: the watch failed", body=_body([line], f"Exit code {exit_code}."), tone="failure")


def _title(audits: Sequence[WatchedAudit], new: dict[Severity, int]) -> str:
    changes = [audit.change for audit in audits if audit.change]
    came, may_have_come, went, may_have_gone, lost = (
        sum(getattr(change, name) for change in changes)
        for name in ("granted", "maybe_granted", "gone", "maybe_gone", "missed")
    )
    found = sum(new.values())
    counted = (
        (sum(audit.state == "failed" for audit in audits), "failed"),
        (sum(audit.state == "incomplete" for audit in audits), "INCOMPLETE"),
        (lost, "lost unplanned"),
        (found, f"new {'finding' if found == 1 else 'findings'}, worst {next(iter(new), '')}"),
        (came - may_have_come, "came"),
        (went - may_have_gone, "went"),
        (may_have_come, "may have come"),
        (may_have_gone, "may have gone"),
    )
    parts = [f"{number:,} {what}" for number, what in counted if number]
    title = f"entra-audit: {', '.join(parts) or _nothing(audits)}"
    return title if len(title) <= TITLE else f"{title[: TITLE - 1]}…"


def _nothing(audits: Sequence[WatchedAudit]) -> str:
    """Return the title's words where there is nothing to count; what was not compared is not called unchanged."""
    if any(audit.change and not audit.change.none for audit in audits):
        return "changes"
    if any(audit.begun for audit in audits):
        return "watching has begun"
    compared = [audit.change is not None for audit in audits]
    return "nothing changed" if all(compared) else "not all could be compared" if any(compared) else "not compared"


def _new(audits: Iterable[WatchedAudit]) -> dict[Severity, int]:
    """Return the number of new findings by severity, the worst first."""
    changes = [audit.change for audit in audits if audit.change]
    counted = {severity: sum(change.new_findings.get(severity, 0) for change in changes) for severity in Severity}
    return {severity: number for severity, number in counted.items() if number}


def _body(lines: Sequence[str], tail: str) -> str:
    """Return as many lines as fit, how many did not, and the last line."""
    left = BODY - len(tail) - len("\n\nand 1,000,000 more lines: see the report\n")
    fitting: list[str] = []
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            break
        fitting.append(line)
    more = len(lines) - len(fitting)
    return "\n".join([*fitting, *([f"and {count(more, 'more line')}: see the report"] if more else []), "", tail])


def _path(where: str) -> str:
    shown = visible(" ".join(where.split()))
    return shown if len(shown) <= _PATH else f"…{shown[1 - _PATH :]}"


def _ranked(told: Sequence[Told], *, names: bool) -> Iterator[Ranked]:
    for place, (audit, drift) in enumerate(told):
        name = f"{audit.tenant} ({inert(audit.app_title, names=names)})"
        if audit.state == "failed":
            yield 0, 0, place, f"FAILED {name}: {inert(' '.join(audit.why), names=names, longest=_WHY)}"
            continue
        if audit.state == "incomplete":
            more = f" and {count(len(audit.why) - 1, 'more reason')}" if len(audit.why) > 1 else ""
            why = inert("".join(audit.why[:1]), names=names, longest=_WHY)
            yield 1, 0, place, f"INCOMPLETE {name}: {why}{more}"
        if audit.change is None:
            what = "watching has begun" if audit.begun else "nothing to compare with"
            yield 9, 0, place, f"{name}: {what}. Findings: {audit.found}."
        elif not audit.change.none:
            yield 2, 0, place, f"{name}: {_changed(audit)}"
        if drift and not drift.empty:
            for note in drift.notes[:1]:  # What concerns everything comes first: other rules, another policy.
                yield 2, 1, place, f"{audit.tenant}: {inert(note, names=names, longest=_WHY)}"
            yield from _details(drift, place, audit.tenant, names=names)


def _changed(audit: WatchedAudit) -> str:
    assert audit.change  # noqa: S101 - what it is called for
    new = listed([f"{number:,} {severity}" for severity, number in audit.change.new_findings.items()])
    return "; ".join(filter(None, (f"new findings: {new}" if new else "", audit.change.words)))


def _details(drift: Drift, place: int, tenant: str, *, names: bool) -> Iterator[Ranked]:
    for found in drift.findings:
        if found.what in ("new", "returned"):
            yield 4, Severity(found.severity).rank, place, f"{tenant}: {_finding(found, names=names)}"
    for change in drift.grants:
        shown = _grant(change, names=names)
        if change.what in CAME:
            decision = change.decision if change.decision in get_args(Decision) else ""
            rank = _FIRST.index(decision) if decision else 0
            yield 5, rank, place, f"{tenant}: {_may(change, 'came')}: {shown}{f', {decision}' if decision else ''}"
        elif missed(change):
            why = "Nobody had decided to take it" if change.decision == "ask" else "It was to stay"
            yield 3, 0, place, f"{tenant}: went: {shown}. {why}: meetings that need it may fail"
        elif change.what in WENT:
            yield 7, 0, place, f"{tenant}: {_may(change, 'went')}: {shown}"
    for app in drift.apps:
        yield 6, 0, place, f"{tenant}: {_app(app, names=names)}"
    for waiver in drift.waivers:
        about = ", ".join(inert(part, names=names) for part in (waiver.rule, waiver.app, waiver.permission) if part)
        yield 8, 0, place, f"{tenant}: waiver {waiver.what}: {about}"


def _may(change: GrantChange, word: str) -> str:
    """Return the word for a change, or one that leaves it open where a side was not read to the end."""
    return word if change.certain else {"came": "may have come", "went": "may have gone"}[word]


def _finding(found: FindingChange, *, names: bool) -> str:
    what = f", {permission(found.permission, names=names)}" if found.permission else ""
    of = f"{inert(found.title, names=names)} ({inert(found.app_name, names=names)}{what})"
    unsure = "" if found.certain else ", not certain: it may have been open before"
    return f"{found.what}, {found.severity}: {of}{unsure}"


def _app(change: AppChange, *, names: bool) -> str:
    unsure = "" if change.certain else ", not certain"
    of = inert(change.app_name, names=names)
    return f"app {of}: {inert(change.what, names=names)}{_who(change.acts, names=names)}{unsure}"


def _grant(change: GrantChange, *, names: bool) -> str:
    grant = change.after or change.before
    assert grant  # noqa: S101 - a change is of something
    how = "" if change.what in ("added", "removed") else f" ({change.what.replace('-', ' ')})"
    value = permission(grant.permission, names=names)
    return f"{value} ({grant.kind}) of {inert(grant.app_name, names=names)}{how}{_who(change.acts, names=names)}"


def _who(acts: Sequence[Act], *, names: bool) -> str:
    """Return when it was done, and by whom where people may be named."""
    if not acts:
        return ""
    act = max(acts, key=lambda act: (act.at, act.id))
    by = f" by {inert(act.actor, names=True)}" if names and act.actor else ""
    return f"{by} on {moment(act.at).replace(':', chr(0xA789))}"
