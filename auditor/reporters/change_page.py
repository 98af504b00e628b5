"""change.html, change.md and testplan.md: what a change board reads, and what is tried before and after."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.plan import Purpose, RevokePlan
from auditor.model.text import listed
from auditor.reporters import plan_facts
from auditor.reporters.change_sheet import BLANK, Case, Sheet, cases, sheet
from auditor.reporters.environment import rendered
from auditor.reporters.markdown import block, code, items, text
from auditor.reporters.plan_page import STYLES
from auditor.reporters.text import day, when

_BEFORE = "Before: right before the change. It shows what worked, and what did not work anyway."
_RUN_OUT = "when tokens that were issued before have run out, as far as they live 60 to 90 minutes"
TIMES: dict[Purpose, tuple[str, ...]] = {
    "revoke": (
        _BEFORE,
        f"After: 2 hours after the last step, {_RUN_OUT}.",
        "Again: 4 hours after it, for what reads mailboxes: Exchange Online may remember for up to 2 hours more.",
    ),
    "contain": (_BEFORE, f"After: 2 hours after the last step, {_RUN_OUT}."),
    "undo": (_BEFORE, "After: 2 hours after the last step, when the apps have fetched new tokens."),
}
"""When each test is run."""
MANY = 3
"""Numbers in a row from which on a list says `1 to 3`."""
BLANK_LINE = BLANK.replace("_", "\\_")


def change_html(plan: RevokePlan, *, change: str = "", approved_by: str = "") -> bytes:
    """Return the page for the board; without a change id or a name the line is left blank."""
    shown = sheet(plan, change=change, approved_by=approved_by)
    times = TIMES[plan.purpose]
    return rendered("change.html.j2", styles=STYLES, s=shown, p=plan, facts=plan_facts, times=times, numbered=numbered)


def change_markdown(plan: RevokePlan, *, change: str = "", approved_by: str = "") -> bytes:
    """Return the same as Markdown, for a ticket: lists only, no link, no table, no HTML."""
    shown = sheet(plan, change=change, approved_by=approved_by)
    parts = [f"# Change: {text(shown.title)} in {code(plan.tenant_name)}", _meta(plan), *_warnings(plan)]
    for head, body in _sections(shown):
        parts += [f"## {head}", body]
    return _document(parts)


def testplan_markdown(plan: RevokePlan) -> bytes:
    """Return the tests as Markdown with boxes to tick; those that no step concerns come last and say so."""
    found = cases(plan)
    parts = [
        f"# Tests for the change in {code(plan.tenant_name)}",
        _meta(plan),
        f"Plan {code(plan.sha256)}",
        "When:",
        items(TIMES[plan.purpose]),
    ]
    if not found:
        parts.append(
            f"The profile {code(plan.profile)} names no tests; write down what the apps are used for, and try it."
        )
    for number, case in enumerate(found, 1):
        parts += _test(number, case, [one.partition(":")[0].lower() for one in TIMES[plan.purpose]])
    return _document(parts)


def numbered(numbers: Iterable[int]) -> str:
    """Return `step 1`, `steps 1, 2 and 4`, `steps 1 to 4 and 7`; the numbers are ascending."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [word for run in runs for word in (map(str, run) if len(run) < MANY else (f"{run[0]} to {run[-1]}",))]
    return f"step{'s' if len(runs) > 1 or len(runs[0]) > 1 else ''} {listed(words)}"


def _document(parts: Iterable[str]) -> bytes:
    return ("\n\n".join(parts) + "\n").encode()


def _meta(plan: RevokePlan) -> str:
    state = "complete" if plan.complete else "**INCOMPLETE**"
    made = f"reading of {when(plan.created_at)} ({state})"
    if plan.purpose == "undo":
        made = f"made from a journal {when(plan.created_at)}"
    return f"Tenant {code(plan.tenant_id)}, {made}, plan expires {when(plan.expires)}."


def _warnings(plan: RevokePlan) -> list[str]:
    reasons = [*(() if plan.complete else plan.incomplete_reasons), *plan.warnings]
    return ["**Before you go on:**", items(map(text, reasons))] if reasons else []


def _sections(shown: Sheet) -> list[tuple[str, str]]:
    plan = shown.plan
    whose = [f"{label}: {text(value)}" for label, value in shown.touched]
    found = [
        ("What", items(f"Step {step.number}: {text(step.title)}" for step in plan.steps) or "Nothing."),
        ("Why", items(f"{text(why)} ({numbered(steps)})" for why, steps in shown.why) or "Nothing is changed."),
        ("Who is touched", items([*whose, f"Rooms: {text(shown.rooms)}"])),
        ("Risk", items(_risk(shown)) or "None: nothing is changed."),
        (
            "First, by a person",
            items(f"[ ] {text(check)} ({numbered(steps)})" for check, steps in shown.checks),
        ),
        ("Tests (testplan.md)", items(_tried(case) for case in shown.cases) or "The profile names none."),
        ("Rollback", items(map(text, shown.rollback))),
        ("Timing, and what is not proven", items(map(text, plan_facts.AFTER[plan.purpose]))),
        ("What the plan leaves", items(_left(plan)) or "Nothing whose decision is to go."),
        ("For the service desk", block(shown.desk)),
        ("Approval", items(f"{label}: {code(value) if value else BLANK_LINE}" for label, value in shown.sign)),
    ]
    absent = {
        "First, by a person": not shown.checks,
        "What the plan leaves": not plan.left and plan.purpose != "revoke",
    }
    return [(head, body) for head, body in found if not absent.get(head)]


def _risk(shown: Sheet) -> list[str]:
    return [
        f"{risk.when}: {text(risk.who)}. {text(risk.what)} ({risk.basis}"
        f"{', ' + code(risk.source) if risk.source else ''}; {numbered(risk.steps)})"
        for risk in shown.risks
    ]


def _tried(case: Case) -> str:
    return f"{text(case.trial.title)}: {f'concerned by {numbered(case.steps)}' if case.steps else 'not concerned'}"


def _left(plan: RevokePlan) -> list[str]:
    return [
        f"{code(one.permission)} ({one.kind}, {one.count:,}) of {code(one.app_name)}: {text(one.why)}"
        for one in plan.left
    ]


def _test(number: int, case: Case, times: Iterable[str]) -> list[str]:
    trial = case.trial
    state = f"Concerned by {numbered(case.steps)}." if case.steps else "Not concerned by this plan; run it if in doubt."
    return [
        f"## {number}. {text(trial.title)}",
        state,
        items(map(text, trial.steps), mark="1."),
        f"Expected: {text(trial.expected)}",
        items([f"[ ] {name}: passed by {BLANK_LINE} at {BLANK_LINE}" for name in times]),
        f"Basis: {trial.basis}, from {code(trial.source)}, read {day(trial.date)}.",
    ]
