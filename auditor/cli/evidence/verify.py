"""`entra-audit evidence verify`: a package looked at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.errors import ExitCode, UsageError
from auditor.model.text import count, visible

if TYPE_CHECKING:
    from auditor.workflow.evidence_verify import Verified

_HASH = re.compile(r"[0-9a-fA-F]{64}")


@click.command(epilog="Example: entra-audit evidence verify evidence.zip --key team-public.pem")
@click.argument("package", type=click.Path(path_type=Path), metavar="FILE.zip")
@click.option("--key", type=click.Path(path_type=Path), metavar="PUBLIC.pem", help="The public key of who signed it.")
@click.option("--head", metavar="HASH", default="", help="The head of the run, as it was noted elsewhere.")
def command(package: Path, key: Path | None, head: str) -> int:
    """Look at a package: every byte, signature, chain, and the snapshot judged again.

    Asks no network. Exit code 0: verified. 1: a fault, each is named. 2: no package, or one that cannot be opened.
    """
    from auditor.workflow.evidence_verify import verify_package

    if head and not _HASH.fullmatch(head):
        raise UsageError("This is no head.", where="--head", advice="Give the 64 hexadecimal digits that were noted.")
    found = verify_package(package, key=key, head=head)
    for check in found.checks:
        click.echo(f"{check.state:<5}  {visible(check.what)}: {visible(check.text)}")
    if manifest := found.manifest:
        click.echo(f"       {visible(manifest.profile)}, tenant {visible(manifest.tenant_id)}, {manifest.taken_at}")
    click.echo(f"       SHA-256 of the manifest {found.manifest_sha256}")
    click.echo(_end(found))
    return int(ExitCode.FINDINGS if found.faults else ExitCode.CLEAN)


def _end(found: Verified) -> str:
    if found.faults:
        return f"NOT VERIFIED: {count(len(found.faults), 'fault')}."
    unchecked = "; ".join(found.unchecked)
    return f"Verified: it holds together. Not checked: {unchecked}." if unchecked else "Verified."
