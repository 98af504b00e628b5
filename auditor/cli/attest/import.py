"""`entra-audit attest import`: the answers of business owners."""  # noqa: N999 - the name of the verb

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.model.text import count, visible
from auditor.workflow.attest_import import DAYS


@click.command(
    epilog="Example: entra-audit attest import review/attestation-01-dana-reyes.xlsx --audit report/audit.json "
    "--register attestations.json --removed-by sam.rivera@contoso.example"
)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--audit",
    type=click.Path(path_type=Path),
    required=True,
    metavar="AUDIT.json",
    help="The audit that the sheets were made from.",
)
@click.option("--register", type=Target(), required=True, metavar="FILE", help="The register; made where none is.")
@click.option(
    "--removed-by",
    multiple=True,
    metavar="NAME",
    help="Who took permissions away, by name or address, and may not sign; may be repeated.",
)
@click.option(
    "--journal",
    "journals",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Journal of a plan: the ids that wrote there may not sign; may be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=DAYS,
    show_default=True,
    help="Days from today to the farthest next_review.",
)
def command(
    files: tuple[Path, ...],
    *,
    audit: Path,
    register: Path,
    removed_by: tuple[str, ...],
    journals: tuple[Path, ...],
    days: int,
) -> int:
    """Check the sheets that came back, and write their answers into the register.

    All or none: a row that is edited, added, removed, doubled or not answered is named with its file, sheet and row,
    and nothing is imported then. A signer's name is what somebody wrote, and no cryptographic signature.
    """
    from auditor.workflow.attest_import import import_answers

    imported = import_answers(
        files, audit=audit, register=register, removed_by=removed_by, journals=journals, days=days
    )
    kept = sum(answer.decision == "keep" for answer in imported.answers)
    click.echo(f"{count(len(imported.answers), 'answer')}: {kept} keep, {len(imported.answers) - kept} remove.")
    click.echo(f"Written: {visible(str(register))} (SHA-256 {imported.sha256})")
    if imported.unanswered > 0:
        click.echo(f"Of what the audit keeps, these files leave {count(imported.unanswered, 'row')} unanswered.")
    click.echo("A signer's name is a claim: it was compared with nobody but those who were named here.")
    return 0
