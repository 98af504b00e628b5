"""A plan on a terminal: its steps, what is left and why, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from auditor.errors import RefusedError
from auditor.model.plan import Left, RevokePlan, Step
from auditor.model.text import count, listed
from auditor.remedy.planning import NOT_CHOSEN
from auditor.reporters.text import cut, prose, when

if TYPE_CHECKING:
    from rich.console import Console

    from auditor.workflow.revoke import Planned, Refreshed

_ACTIONS = {
    "remove-application-permission": "remove",
    "remove-delegated-scopes": "remove",
    "remove-user-consents": "remove",
    "replace-permission": "replace",
    "disable-app": "switch sign-in off",
    "undo": "grant again",
}
_COLUMNS = ("#", "action", "kind", "permission", "users", "noticed", "checks")
_NUMBERS = frozenset({"#", "users", "checks"})
_RECONFIGURED = "The configuration is not the one that the plan was made with."
_GIVE = "Give --config, --policy, --feature and --app-id as to run."
_LONGEST = 300
"""Characters of a reason that the terminal shows."""


def print_plan(planned: Planned, console: Console, *, judging: Sequence[str] = ()) -> None:
    """Print a plan, and the commands that come next; a plan without a step was not written.

    Args:
        planned: the plan.
        console: where to.
        judging: the options by which the audit was judged, for the rehearsal.

    Raises:
        RefusedError: nothing was planned, and an earlier file stands in the plan's place.
    """
    plan = planned.plan
    where = prose(plan.tenant_name or plan.tenant_id)
    _say(console, f"{where}, read {when(plan.created_at)}: {_summary(plan)}", style="bold")
    for warning in plan.warnings:
        _say(console, f"Warning: {prose(warning)}", style="yellow")
    if datetime.now(UTC) >= plan.expires:
        _say(console, f"Warning: the plan expired on {when(plan.expires)}: refresh it first.", style="yellow")
    for _, steps in groupby(plan.steps, key=lambda step: step.target.service_principal_id):
        console.print(_steps(tuple(steps)))
    _print_left(planned, console)
    if not plan.steps:
        _say(console, "Nothing is left to plan, so no plan was written.")
        if planned.standing:
            raise RefusedError(
                "Nothing was planned: what stands there is another plan.",
                where=str(planned.standing),
                advice="Move it away, or name another file, before you go on.",
            )
        return
    _say(console, f"Approve by this hash: {plan.approved_hash}")
    _say(console, f"Holds until {when(plan.expires)}.")
    for path in planned.paths:
        _say(console, f"Written: {prose(str(path))}")
    for line in _next(planned, judging):
        _say(console, line)


def _print_left(planned: Planned, console: Console) -> None:
    plan = planned.plan
    if others := sum(left.count for left in plan.left if left.why == NOT_CHOSEN):
        _say(console, f"Left because --only names something else: {count(others, 'grant')}.")
    for (app, why), left in _left(left for left in plan.left if left.why != NOT_CHOSEN).items():
        _say(console, f"Left of {prose(app)}: {prose(listed(left))}. {cut(prose(why), _LONGEST)}")
    for title, names in (("Came back", planned.back), ("New since the earlier plan", planned.new)):
        if names:
            _say(console, f"{title}: {prose(listed(names))}")
    for sentence in planned.stays:
        _say(console, prose(sentence))


def print_refreshed(refreshed: Refreshed, console: Console) -> None:
    """Print that the approval stands, or each step that moved.

    Raises:
        RefusedError: a step moved.
    """
    plan = refreshed.plan
    if refreshed.reconfigured:
        if plan is None and all(moved.how == "gone" for moved in refreshed.moved):
            raise RefusedError(f"{_RECONFIGURED} By this one nothing of the plan goes.", advice=_GIVE)
        _say(console, f"{_RECONFIGURED} {_GIVE}", style="yellow")
    for moved in refreshed.moved:
        fields = f" ({', '.join(moved.fields)})" if moved.fields else ""
        _say(console, f"{moved.how}: {prose(moved.title)}{fields}")
    if plan is None:
        again = "Give --config, --policy and --feature as to run, or make" if refreshed.reconfigured else "Make"
        raise RefusedError(
            f"{count(len(refreshed.moved), 'step')} moved since the plan was approved, so nothing was written.",
            advice=f"{again} the plan anew: entra-audit run, then entra-audit revoke plan",
        )
    _say(console, f"No step moved: the approval stands ({plan.approved_hash}).")
    for warning in plan.warnings:
        _say(console, f"Warning: {prose(warning)}", style="yellow")
    _say(console, f"Read {when(plan.created_at)}, holds until {when(plan.expires)}.")
    for path in refreshed.paths:
        _say(console, f"Written: {prose(str(path))}")


def _summary(plan: RevokePlan) -> str:
    apps = len({step.target.service_principal_id for step in plan.steps})
    if plan.purpose == "contain":
        return f"{count(len(plan.steps), 'step')} for {count(apps, 'app')}"
    gone = count(plan.grants_removed, "grant")
    return f"{count(len(plan.steps), 'step')} for {count(apps, 'app')}, {gone} of {plan.grants_held:,} go"


def _left(left: Iterable[Left]) -> dict[tuple[str, str], list[str]]:
    """Return what is left, by app and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in left:
        times = f", {count(one.count, 'grant')}" if one.count > 1 else ""
        found.setdefault((one.app_name, one.why), []).append(f"{one.permission} ({one.kind}{times})")
    return found


def _steps(steps: Sequence[Step]) -> object:
    """Return the table of one app's steps."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    target = steps[0].target
    title = Text(f"{prose(target.app_name)} ({prose(target.app_id)})", style="bold")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in _COLUMNS:
        table.add_column(
            name, justify="right" if name in _NUMBERS else "left", overflow="fold", no_wrap=name == "permission"
        )
    for step in steps:
        table.add_row(*map(Text, _row(step)))
    return table


def _row(step: Step) -> tuple[str, ...]:
    target = step.target
    permissions = [*target.permissions, *([f"by {target.replaced_by}"] if target.replaced_by else [])]
    return (
        str(step.number),
        _ACTIONS[step.action],
        "app" if target.kind == "application" else target.kind,
        "\n".join(map(prose, permissions)) or "sign-in",
        f"{target.users:,}" if target.users else "",
        "not known" if step.impact.when == "unknown" else step.impact.when,
        f"{len(step.checks)}" if step.checks else "",
    )


def _next(planned: Planned, judging: Sequence[str]) -> Iterator[str]:
    """Give the commands that come next; a rehearsal needs the snapshot, which a containment leaves nowhere."""
    plan = shlex.quote(str(planned.paths[0]))
    snapshot = shlex.quote(str(planned.snapshot)) if planned.snapshot else ""
    yield "Next:"
    yield f"  entra-audit revoke change {plan} --out change   # the page for the change board"
    if snapshot:
        how = "".join(f" {shlex.quote(option)}" for option in judging)
        yield f"  entra-audit revoke rehearse {plan} --snapshot {snapshot}{how} --out rehearsal   # on a simulated copy"
    yield f"  entra-audit revoke script {plan} --lang powershell --out scripts   # carry it out without this program"
    sign_in = "" if planned.simulated else f" --auth device-code --tenant-id {shlex.quote(planned.plan.tenant_id)}"
    if planned.simulated:
        made = snapshot or "report/snapshot.json.gz"
        yield f"  entra-audit simulate {made} --env-file sim.env   # elsewhere: it is gone, this serves it"
        yield "  . ./sim.env   # here, so that what follows reaches it"
    yield f"  entra-audit revoke apply {plan}{sign_in}   # or with it"
    yield f"  entra-audit revoke verify {plan}{sign_in}   # and look again"


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)
