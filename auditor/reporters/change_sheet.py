"""What a change board is told of a plan, before it becomes HTML or Markdown: sentences made of the plan alone."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from auditor.knowledge.permissions import PermissionTable, load_permissions
from auditor.knowledge.profile import AppProfile, Selector, Trial, load_profile, profile_names
from auditor.model.plan import RevokePlan, Step
from auditor.model.text import count, listed
from auditor.reporters import plan_facts
from auditor.reporters.text import prose, when

BLANK = "________________"
_WHEN = {
    "now": "From the change on:",
    "at the next connect": "When somebody next connects:",
    "unknown": "It is not known when:",
}
_SOURCED = re.compile(r" \((?:documented|inferred|unknown)(?:, \S*?)?\)(?=[\s.;,]|$)")
_ADDRESS = re.compile(r"(?<!\S)\S*(?:://|\bwww\.)\S*", re.IGNORECASE)
_NOBODY = re.compile(r"(^|; )not known(?=;|$)")
LONGEST_LINE = 1000
"""Characters of a line of the service desk's text; a longer one goes on in the next line."""


class Risk(Struct, frozen=True, kw_only=True):
    """Who notices what, and with which steps."""

    when: str
    who: str
    what: str
    basis: str
    source: str
    steps: tuple[int, ...]


class Case(Struct, frozen=True, kw_only=True):
    """A test, and why it is run."""

    trial: Trial
    steps: tuple[int, ...]
    """The steps that concern it; empty: none does."""


class Sheet(Struct, frozen=True, kw_only=True):
    """Everything that the page for the board says."""

    plan: RevokePlan
    change: str
    """Empty: to be filled in."""
    approved_by: str
    vendor: str
    title: str
    what: tuple[str, ...]
    why: tuple[tuple[str, tuple[int, ...]], ...]
    """Each reason with its steps."""
    touched: tuple[tuple[str, str], ...]
    rooms: str
    risks: tuple[Risk, ...]
    checks: tuple[tuple[str, tuple[int, ...]], ...]
    """What a person ticks first, each with its steps."""
    cases: tuple[Case, ...]
    """Those that are concerned first."""
    rollback: tuple[str, ...]
    desk: tuple[str, ...]
    """Lines for the service desk, to be pasted as they are."""
    sign: tuple[tuple[str, str], ...]
    """Label and value of each line of the approval; an empty value is left blank."""


def sheet(plan: RevokePlan, *, change: str = "", approved_by: str = "") -> Sheet:
    """Return what a board is told of a plan."""
    profile = _profile(plan.profile)
    vendor = profile.title if profile else plan.profile
    tried = cases(plan)
    risks = _risks(plan.steps)
    return Sheet(
        plan=plan,
        change=change,
        approved_by=approved_by,
        vendor=vendor,
        title=plan_facts.TITLES[plan.purpose],
        what=_what(plan),
        why=_grouped((step.why, step.number) for step in plan.steps),
        touched=_touched(plan),
        rooms=_rooms(tried, vendor),
        risks=risks,
        checks=_grouped((check, step.number) for step in plan.steps for check in step.checks),
        cases=tried,
        rollback=_rollback(plan),
        desk=_desk(plan, vendor, risks, change),
        sign=(
            ("Change id", change),
            ("Approved by", approved_by),
            ("Approved on", ""),
            ("Carried out by (not who read the tenant)", ""),
            ("Approved hash, over the steps", plan.approved_hash),
            ("To carry it out", f"entra-audit revoke apply PLAN.json --approved {plan.approved_hash}"),
            ("Plan SHA-256", plan.sha256),
            ("Expires", when(plan.expires)),
        ),
    )


def cases(plan: RevokePlan) -> tuple[Case, ...]:
    """Return every test of the plan's profile, those that a step concerns first; none for an unknown profile."""
    profile = _profile(plan.profile)
    found = [
        Case(
            trial=trial,
            steps=tuple(step.number for step in plan.steps if profile and _concerns(profile, trial, step)),
        )
        for trial in (profile.tests if profile else ())
    ]
    return tuple(sorted(found, key=lambda case: not case.steps))


def _concerns(profile: AppProfile, trial: Trial, step: Step) -> bool:
    """Tell whether a step may change what a test tries.

    An app with a published appId serves the integration that it is published for; any other may serve each integration
    for which no appId is published.
    """
    published = {app.app_id: app.integration for app in profile.identity.app_ids}
    serves = published.get(step.target.app_id)
    ours = {serves} if serves else set(profile.integrations) - set(published.values())
    return not ours.isdisjoint(trial.integrations) and _selected(trial.about, step)


def _selected(about: Selector, step: Step) -> bool:
    """Tell whether a step takes something that a selector names; what is in no table may be anything."""
    target = step.target
    if not target.kind:
        return True
    if about.kind not in ("any", target.kind):
        return False
    entries = [_table().by_value(target.resource_app_id, value, target.kind) for value in target.permissions]
    return not (about.families or about.permissions) or any(
        entry is None or entry.family in about.families or entry.permission in about.permissions for entry in entries
    )


def _what(plan: RevokePlan) -> tuple[str, ...]:
    return tuple(f"{step.number}. {prose(step.title)}" for step in plan.steps)


def _touched(plan: RevokePlan) -> tuple[tuple[str, str], ...]:
    single, wide = plan_facts.consents(plan)
    persons = plan_facts.people(plan)
    names = [f"{prose(app.name)} ({app.app_id})" for app in plan_facts.apps(plan)]
    size = f"{count(len(plan.steps), 'step')}, {count(plan_facts.writes(plan), 'write')}"
    grants = f"{count(plan.grants_removed, 'grant')} of {plan.grants_held:,} that the audited apps hold"
    return (
        ("Apps", listed(names)),
        ("Size", f"{size}; {grants}" if plan.purpose == "revoke" else size),
        ("People", f"{count(persons, 'person', 'people')} with a consent of their own" if persons else "no single one"),
        ("Consents", f"{count(single, 'consent')} of single people, {wide:,} for everybody"),
        *((("Findings closed", _closed(plan)),) if plan.purpose == "revoke" else ()),
    )


def _closed(plan: RevokePlan) -> str:
    return ", ".join(f"{number:,} {severity}" for severity, number in plan_facts.closed(plan.steps)) or "none"


def _rooms(tried: Iterable[Case], vendor: str) -> str:
    steps = sorted({number for case in tried if case.trial.place == "room" for number in case.steps})
    ask = f"Which rooms is not known from Entra ID; ask the {vendor} administrator for the list."
    if not steps:
        return f"No step is about an app that is published for meeting rooms. {ask}"
    named = f"{'Step' if len(steps) == 1 else 'Steps'} {listed([str(number) for number in steps])}"
    return f"{named} may touch meeting rooms. {ask}"


def _risks(steps: Iterable[Step]) -> tuple[Risk, ...]:
    """Return who notices what, soonest first; equal ones once."""
    order = ("now", "at the next connect", "unknown", "never")
    found: dict[tuple[str, str, str, str, str], list[int]] = {}
    for step in steps:
        impact = step.impact
        key = (impact.when, impact.who_notices, impact.what.text, impact.what.basis, impact.what.source)
        found.setdefault(key, []).append(step.number)
    risks = (
        Risk(when=key[0], who=key[1], what=key[2], basis=key[3], source=key[4], steps=tuple(numbers))
        for key, numbers in found.items()
    )
    return tuple(sorted(risks, key=lambda risk: (order.index(risk.when), risk.steps)))


def _rollback(plan: RevokePlan) -> tuple[str, ...]:
    role, permission = (listed(found(plan, undo=True)) for found in (plan_facts.roles, plan_facts.permissions))
    return (
        f"It takes {plan_facts.duration(plan_facts.writes(plan))}.",
        f"A person needs the role {role or 'none'}; an app needs {permission or 'none'}.",
        *plan_facts.UNDO[plan.purpose],
    )


def _desk(plan: RevokePlan, vendor: str, risks: Iterable[Risk], change: str) -> tuple[str, ...]:
    names = listed([app.name for app in plan_facts.apps(plan)])
    done = {
        "revoke": f"some of the access that {vendor}'s apps ({names}) have to Microsoft 365 is taken away",
        "contain": f"these apps are switched off: {names}",
        "undo": f"access that was taken from these apps is given back: {names}",
    }[plan.purpose]
    later = "4 hours" if plan.purpose == "revoke" else "2 hours"
    lines = (
        f"Subject: change {change or BLANK}, {vendor} and Microsoft 365",
        f"On {BLANK} from {BLANK} on, {done}.",
        f"Effects may come up to {later} later.",
        "What people may notice:",
        *(_notices(risks) or ["- Nothing, as far as is known."]),
        f"If somebody reports a missing meeting, a calendar that does not sync, or {vendor} asking for consent:",
        "- note the person, the time, the device or room, and the exact message;",
        f"- do not approve anything in {vendor}'s portal or in a consent window;",
        f"- call {BLANK} (phone {BLANK}) and name the change.",
    )
    return tuple(part for line in lines for part in _whole(line))


def _notices(risks: Iterable[Risk]) -> list[str]:
    """Return who notices what under each moment, soonest first: without sources, which the board's page has."""
    found: dict[str, list[str]] = {}
    for risk in risks:
        if risk.when != "never":
            who = _NOBODY.sub(r"\1who notices is not known", risk.who)
            found.setdefault(_WHEN[risk.when], []).append(f"- {who}: {_SOURCED.sub('', risk.what)}")
    return [line for moment, lines in found.items() for line in (moment, *lines)]


def _whole(line: str) -> list[str]:
    """Return a line without addresses, as lines that no page cuts."""
    plain = _ADDRESS.sub("(an address: see the change)", " ".join(line.split()))
    return [prose(part) for part in textwrap.wrap(plain, LONGEST_LINE, break_on_hyphens=False)]


def _grouped(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found: dict[str, list[int]] = {}
    for text, number in pairs:
        found.setdefault(text, []).append(number)
    return tuple((text, tuple(numbers)) for text, numbers in found.items())


@cache
def _profile(name: str) -> AppProfile | None:
    return load_profile(name) if name in profile_names() else None


@cache
def _table() -> PermissionTable:
    return load_permissions()
