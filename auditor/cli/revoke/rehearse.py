"""`entra-audit revoke rehearse`: a plan tried out on a copy of its tenant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import Target
from auditor.errors import ExitCode
from auditor.model.text import count, visible

if TYPE_CHECKING:
    from auditor.model.outcome import Finding
    from auditor.workflow.rehearse import Rehearsed


@click.command(epilog="Example: entra-audit revoke rehearse plan.json --config entra-audit.yaml --out rehearsal")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option(
    "--snapshot", type=click.Path(path_type=Path), help="The plan's snapshot; default: snapshot.json.gz beside it."
)
@click.option("--policy", metavar="P", help="As it was given to `run`.")
@click.option("--feature", "features", multiple=True, metavar="F", help="As it was given to `run`.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--demo", is_flag=True, help="Use the demo tenant's made-up configuration.")
@click.option("--format", "formats", default="html,json", show_default=True, help="Formats, comma-separated.")
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the reports before and after.")
def command(plan: Path, snapshot: Path | None, out: Path, *, demo: bool, **values: Any) -> int:
    """Carry the plan out on a simulated copy of the tenant and audit it again.

    Nothing leaves this machine. Exit code 0: every step was done and every finding that the plan names is closed.
    """
    from auditor.cli.run import choose_formats
    from auditor.workflow.demo import demo_configuration
    from auditor.workflow.prepare import prepare
    from auditor.workflow.rehearse import rehearse
    from auditor.workflow.revoke import read_plan

    reporters = choose_formats(values["formats"])
    made = read_plan(plan)
    prepared = prepare(
        made.profile,
        config=values["config"],
        policy=values["policy"],
        features=values["features"],
        sample=demo_configuration(made.created_at) if demo else None,
    )
    rehearsed = rehearse(plan, prepared, snapshot=snapshot, reporters=reporters, out=out)
    _tell(rehearsed)
    done = rehearsed.applied.done and not rehearsed.promised and not rehearsed.opened
    return int(ExitCode.CLEAN if done else ExitCode.UNVERIFIED)


def _tell(rehearsed: Rehearsed) -> None:
    applied = rehearsed.applied
    done = sum(outcome.outcome == "done" for outcome in applied.steps)
    click.echo(f"Rehearsed on a simulated copy: {done} of {count(len(applied.steps), 'step')} done.")
    for outcome in applied.steps:
        if outcome.outcome != "done":
            click.echo(f"  {outcome.step.number}. {outcome.outcome}: {visible(outcome.why)}")
    _list("Findings that close", rehearsed.closed)
    _list("Findings that are new", rehearsed.opened)
    if rehearsed.promised:
        click.echo(f"The plan says that it closes {count(len(rehearsed.promised), 'finding')} that stay.")
    click.echo("What remains possible afterwards:")
    for app in rehearsed.after.apps:
        for sentence in app.still_possible:
            click.echo(f"  {visible(app.name)} ({visible(app.app_id)}): {visible(sentence)}")
    if not rehearsed.same_configuration:
        click.echo("Judged with another configuration than the plan's audit: give the same --config.", err=True)
    for path in rehearsed.paths:
        click.echo(f"Written: {path}")


def _list(title: str, findings: tuple[Finding, ...]) -> None:
    click.echo(f"{title}: {len(findings)}")
    lines: dict[str, int] = {}
    for finding in findings:
        about = f" ({visible(finding.subject.permission)})" if finding.subject.permission else ""
        line = f"  {finding.severity}: {visible(finding.title)}{about}, {visible(finding.subject.app_name)}"
        lines[line] = lines.get(line, 0) + 1
    for line, number in lines.items():
        click.echo(line + (f", {number} times" if number > 1 else ""))
