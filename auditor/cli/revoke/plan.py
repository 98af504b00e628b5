"""`entra-audit revoke plan`: from an audit to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.options import Target


@click.command(
    epilog="Examples: entra-audit revoke plan report/audit.json --out plan.json   |   "
    "entra-audit revoke plan report/audit.json --only permission:Mail.Send --with-checks --out plan.json"
)
@click.argument("audit", type=click.Path(path_type=Path), metavar="AUDIT.json")
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The snapshot that the audit judged; default snapshot.json.gz beside it.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="WHAT",
    help="permission:[RESOURCE/]VALUE[@KIND], rule:RULE or app:APPID; may be repeated: any of one kind, all kinds.",
)
@click.option("--with-checks", is_flag=True, help="Also plan what waits for a check; each check is a box to tick.")
@click.option(
    "--days",
    type=click.IntRange(1, 90),
    default=14,
    show_default=True,
    help="Days after the reading for which the plan holds.",
)
@click.option("--allow-incomplete", is_flag=True, help="Plan from an incomplete audit; the plan says so.")
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="OLD.json",
    help="After a vendor's reconnect: only what this earlier plan removed and is there again.",
)
@click.option("--out", type=Target(), required=True, metavar="FILE", help="The plan; its page is written beside it.")
def command(audit: Path, out: Path, **values: Any) -> int:
    """Make a plan from an audit: the exact objects, what goes, and what is left.

    Nothing in the tenant is changed. A plan holds what the audit decided to revoke or to replace, each object with the
    state in which it has to be found. Where nothing is left to plan, no file is written.
    """
    from rich.console import Console

    from auditor.cli.revoke.shown import print_plan
    from auditor.workflow.revoke import make_plan

    planned = make_plan(audit, out=out, **values)
    print_plan(planned, Console())
    return 0
