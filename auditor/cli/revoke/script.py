"""`entra-audit revoke script`: a plan as scripts."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.remedy.scripts import scripts


@click.command(epilog="Example: entra-audit revoke script plan.json --lang powershell --out scripts")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option("--lang", "language", type=click.Choice(list(scripts())), required=True, help="The scripts' language.")
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the two scripts.")
@click.option("--max-steps", type=click.IntRange(1), default=25, show_default=True, help="Refuse a larger plan.")
def command(plan: Path, language: str, out: Path, max_steps: int) -> int:
    """Write scripts that carry the plan out without this program, and undo it.

    Each is a dry run unless told to commit. It checks the tenant and every object before it writes, verifies each
    write, and keeps the journal that `revoke apply` would.
    """
    from auditor.workflow.script import script

    for path in script(plan, language=scripts()[language], out=out, most_steps=max_steps):
        click.echo(path)
    return 0
