"""`entra-audit evidence make`: a run packed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import Target, app_ids
from auditor.errors import UsageError
from auditor.model.text import count

if TYPE_CHECKING:
    from auditor.model.outcome import AuditResult
    from auditor.workflow.evidence import Found
    from auditor.workflow.prepare import Prepared

_KEPT = re.compile(r"history:([1-9][0-9]{0,8})")


@click.command(
    epilog="Examples: entra-audit evidence make report --out evidence.zip   |   "
    "entra-audit evidence make history:12 --history default --sign-key team.pem --out evidence.zip"
)
@click.argument("run", metavar="RUN")
@click.option("--history", metavar="LOCATION", help="The history that holds the run; else as configured.")
@click.option("--no-history", is_flag=True, help="Pack no chain and no earlier run, whatever the configuration says.")
@click.option("--tenant", metavar="ID", default="", help="For history:N: the run of this tenant.")
@click.option("--profile", metavar="P", default="", help="For history:N: the run of this app profile.")
@click.option("--app-id", "app_ids", multiple=True, metavar="ID", help="As it was given to `run`.")
@click.option("--policy", metavar="P", help="As it was given to `run`.")
@click.option("--feature", "features", multiple=True, metavar="F", help="As it was given to `run`.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--attestations", type=click.Path(path_type=Path), metavar="FILE", help="As it was given to `run`.")
@click.option("--demo", is_flag=True, help="Use the demo tenant's made-up configuration.")
@click.option("--plan", type=click.Path(path_type=Path), metavar="FILE", help="Pack this plan too.")
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="Pack this plan's journal too.")
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path),
    metavar="KEY.pem",
    help="Sign with this private Ed25519 key; its password is read from ENTRA_AUDIT_SIGN_KEY_PASSWORD.",
)
@click.option("--out", type=Target(), required=True, metavar="FILE.zip", help="The package.")
def command(run: str, **values: Any) -> int:
    """Pack a run with everything that it takes to judge it again elsewhere.

    RUN is a folder that `run` wrote, with audit.json and snapshot.json.gz, or history:N for a kept run. Packed are
    snapshot, audit, reports, rules, configuration (without places and addresses), attestations, what could not be read,
    a sample to look up by hand, and from a history the chain and the run before. The snapshot is judged again first:
    what does not follow from it is refused.
    """
    from auditor.graph.secret import Secret
    from auditor.workflow.demo import demo_configuration
    from auditor.workflow.evidence import Extras, make_package
    from auditor.workflow.evidence_sign import PASSWORD_VARIABLE
    from auditor.workflow.prepare import prepare

    def prepared(result: AuditResult) -> Prepared:
        return prepare(
            result.profile,
            config=values["config"],
            policy=values["policy"],
            features=values["features"],
            sample=demo_configuration(result.taken_at) if values["demo"] else None,
            attestations=values["attestations"],
        )

    password = os.environ.get(PASSWORD_VARIABLE)
    extras = Extras(
        plan=values["plan"],
        journal=values["journal"],
        key=values["sign_key"],
        password=Secret(password) if password else None,
    )
    made = make_package(_found(run, values), prepared, extras, only=app_ids(values["app_ids"]), out=values["out"])
    signed = "signed" if made.signed else "not signed"
    click.echo(f"{made.path}: {count(len(made.manifest.members), 'file')}, {signed}", err=True)
    click.echo(f"Note elsewhere: SHA-256 of the manifest {made.sha256}", err=True)
    if made.manifest.head:
        click.echo(f"Note elsewhere: head of run {made.manifest.run} {made.manifest.head}", err=True)
    click.echo(made.path)
    return 0


def _found(run: str, values: dict[str, Any]) -> Found:
    from auditor.workflow.evidence import in_folder, in_history
    from auditor.workflow.history import Chosen
    from auditor.workflow.prepare import configured

    named = values["history"]
    if named is not None and values["no_history"]:
        raise UsageError("--history and --no-history exclude each other.", advice="Leave one out.")
    history = "" if values["no_history"] else configured(values["config"])[0].history if named is None else named
    kept = _KEPT.fullmatch(run)
    if kept is None:
        found = in_folder(Path(run), history)
        if named and not found.head:
            what = "This run was kept in no history."
            raise UsageError(what, where="--history", advice="Leave --history out.")
        return found
    if not history:
        raise UsageError("No history is named.", where="--history", advice="Name the one that holds the run.")
    return in_history(history, int(kept[1]), Chosen(tenant_id=values["tenant"], profile=values["profile"]))
