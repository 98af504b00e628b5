"""trends.html: every kept run at once: what is held against what is allowed, what is open how long, what went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from auditor.model.attestation import State
from auditor.model.outcome import Severity
from auditor.model.trend import AppSummary, OpenFinding, RunSummary
from auditor.reporters.chart import Chart, chart
from auditor.reporters.environment import rendered

MOST_FINDINGS = 200
"""Open findings that a tenant's table lists; the others are counted."""
MOST_RUNS = 400
"""Runs that a tenant's table lists, newest first; the lines hold all."""
_STATES: tuple[State, ...] = ("current", "due-soon", "overdue", "changed", "missing", "to-remove")
_LOUD = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM)


class Aged(Struct, frozen=True, kw_only=True):
    """An open finding and since when."""

    finding: OpenFinding
    app_id: str
    """Of the app that it is about: several apps can have one name."""
    since: datetime
    run: int
    days: int
    at_least: bool
    """It was there in the first run that is kept."""


class AppTrend(Struct, frozen=True, kw_only=True):
    """One app over time."""

    now: AppSummary
    first_held: int
    chart: Chart
    gone: bool
    """The newest run does not audit it."""


class Trend(Struct, frozen=True, kw_only=True):
    """One tenant and profile over time."""

    newest: RunSummary
    first: RunSummary
    runs: tuple[RunSummary, ...]
    """Newest first, at most MOST_RUNS."""
    number: int
    policies: tuple[str, ...]
    """By which the runs were judged, the first one first."""
    incomplete: int
    apps: tuple[AppTrend, ...]
    findings: Chart
    open: tuple[Aged, ...]
    left_out: int
    oldest: int
    """Days of the oldest open finding; -1 where none is open."""
    closed: tuple[RunSummary, ...]
    """Runs that were told of a plan that closed findings, newest first."""
    closed_now: int
    """Findings that plans closed, by the newest run that was told of each plan."""
    attestations: Chart | None


def trends_html(runs: Iterable[RunSummary]) -> bytes:
    """Return the page of runs of any number of tenants and profiles; there has to be one."""
    ordered = sorted(runs, key=lambda run: (run.tenant_name, run.tenant_id, run.profile, run.number))
    streams = [tuple(group) for _, group in groupby(ordered, key=lambda run: (run.tenant_id, run.profile))]
    return rendered(
        "trends.html.j2",
        styles=("report.css", "trends.css"),
        trends=[_trend(stream) for stream in streams],
        total=len(ordered),
        since=min(run.taken_at for run in ordered),
        until=max(run.taken_at for run in ordered),
        whole=all(stream[-1].complete for stream in streams),
    )


def _trend(kept: Sequence[RunSummary]) -> Trend:
    # A chain is in the order of keeping; a snapshot that was judged later can be older.
    runs = sorted(kept, key=lambda run: (run.taken_at, run.number))
    newest = runs[-1]
    aged = _aged(runs)
    moments, incomplete = [run.taken_at for run in runs], [run.taken_at for run in runs if not run.complete]
    return Trend(
        newest=newest,
        first=runs[0],
        runs=tuple(reversed(runs))[:MOST_RUNS],
        number=len(runs),
        policies=tuple(dict.fromkeys(run.policy_name for run in runs)),
        incomplete=len(incomplete),
        apps=tuple(_app(key, runs) for key in _apps(runs)),
        findings=chart(moments, [_level(severity, runs) for severity in _LOUD], incomplete),
        open=aged[:MOST_FINDINGS],
        left_out=max(0, len(aged) - MOST_FINDINGS),
        oldest=max((one.days for one in aged), default=-1),
        closed=tuple(run for run in reversed(runs) if run.closed),
        closed_now=sum({plan: number for run in runs for plan, number in run.closed.items()}.values()),
        attestations=_attestations(runs),
    )


def _apps(runs: Sequence[RunSummary]) -> list[str]:
    """Return the apps of every run: those that hold most in the newest run first, those that are gone last."""
    held = {app.service_principal_id: app.held for app in runs[-1].apps}
    every = dict.fromkeys(app.service_principal_id for run in runs for app in run.apps)
    return sorted(every, key=lambda key: (key not in held, -held.get(key, 0), key))


def _app(key: str, runs: Sequence[RunSummary]) -> AppTrend:
    seen = [(run, app) for run in runs for app in run.apps if app.service_principal_id == key]
    moments = [run.taken_at for run, _ in seen]
    unread = [run.taken_at for run, app in seen if not app.whole]
    lines = [
        ("held", "held", [app.held for _, app in seen]),
        ("allowed by the policy", "allowed", [app.allowed for _, app in seen]),
    ]
    return AppTrend(
        now=seen[-1][1],
        first_held=seen[0][1].held,
        chart=chart(moments, lines, unread),
        gone=seen[-1][0] is not runs[-1],
    )


def _level(severity: Severity, runs: Sequence[RunSummary]) -> tuple[str, str, list[int]]:
    return severity.value, severity.value, [_number(run, severity) for run in runs]


def _number(run: RunSummary, severity: Severity) -> int:
    return sum(1 for one in run.findings if one.severity is severity and not one.waived)


def _aged(runs: Sequence[RunSummary]) -> tuple[Aged, ...]:
    """Return what is open in the newest run, the worst and oldest first.

    A run that does not show a finding does not end it where it was incomplete, or did not audit the app.
    """
    since: dict[tuple[str, ...], RunSummary] = {}
    for run in runs:
        looked_at = {app.service_principal_id for app in run.apps} if run.complete else set()
        there = {one.key: since.get(one.key, run) for one in run.findings if not one.waived}
        since = {key: began for key, began in since.items() if key[1] not in looked_at} | there
    newest = runs[-1]
    app_ids = {app.service_principal_id: app.app_id for app in newest.apps}
    aged = [
        Aged(
            finding=one,
            app_id=app_ids.get(one.service_principal_id, ""),
            since=began.taken_at,
            run=began.number,
            days=(newest.taken_at - began.taken_at).days,
            at_least=began is runs[0],
        )
        for one in newest.findings
        if not one.waived
        for began in (since[one.key],)
    ]
    return tuple(sorted(aged, key=lambda one: (one.finding.severity.rank, one.since, one.finding.key)))


def _attestations(runs: Sequence[RunSummary]) -> Chart | None:
    asked = [run for run in runs if run.attestations]
    if not asked:
        return None
    names = [name for name in _STATES if any(name in run.attestations for run in asked)]
    lines = [(name, name, [run.attestations.get(name, 0) for run in asked]) for name in names]
    return chart([run.taken_at for run in asked], lines)
