"""`entra-audit report`: an audit rendered again."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.cli.run import FORMATS, choose_formats


@click.command(epilog="Example: entra-audit report report/audit.json --format html --out again")
@click.argument("audit", type=click.Path(path_type=Path), metavar="AUDIT.json")
@click.option("--format", "formats", default="html,csv,json", show_default=True, help=FORMATS)
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the reports.")
def command(audit: Path, formats: str, out: Path) -> int:
    """Render an audit.json again, byte for byte the same."""
    from auditor.workflow.report import report

    _, paths = report(audit, reporters=choose_formats(formats), out=out)
    for path in paths:
        click.echo(path)
    return 0
