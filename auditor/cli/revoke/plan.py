"""`entra-audit revoke plan`: from an audit to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import Target, app_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.model.outcome import AuditResult


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
@click.option("--app-id", "app_ids", multiple=True, metavar="ID", help="As it was given to `run`.")
@click.option("--policy", metavar="P", help="As it was given to `run`.")
@click.option("--feature", "features", multiple=True, metavar="F", help="As it was given to `run`.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--attestations", type=click.Path(path_type=Path), metavar="FILE", help="As it was given to `run`.")
@click.option("--demo", is_flag=True, help="Use the demo tenant's made-up configuration.")
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
def command(
    audit: Path,
    out: Path,
    *,
    config: Path | None,
    policy: str | None,
    features: tuple[str, ...],
    attestations: Path | None,
    demo: bool,
    **values: Any,
) -> int:
    """Make a plan from an audit: the exact objects, what goes, and what is left.

    Nothing in the tenant is changed. A plan holds what the audit decided to revoke or to replace, each object with the
    state in which it has to be found. Where nothing is left to plan, no file is written.

    With the configuration of the audit, its snapshot is judged again, and an audit that was edited is refused. With
    another one, or none, the decisions are taken as they stand, and the plan's first warning says so.
    """
    from rich.console import Console

    from auditor.cli.revoke.shown import print_plan
    from auditor.workflow.demo import demo_configuration
    from auditor.workflow.prepare import Prepared, prepare
    from auditor.workflow.rejudge import Judging
    from auditor.workflow.revoke import Wish, make_plan

    def prepared(result: AuditResult) -> Prepared:
        sample = demo_configuration(result.taken_at) if demo else None
        return prepare(
            result.profile,
            config=config,
            policy=policy,
            features=features,
            sample=sample,
            attestations=attestations,
        )

    judging = Judging(prepared=prepared, only=app_ids(values.pop("app_ids")), config=config)
    snapshot, again = values.pop("snapshot"), values.pop("again")
    planned = make_plan(audit, snapshot=snapshot, again=again, wish=Wish(**values), judging=judging, out=out)
    print_plan(planned, Console(), judging=tuple(_judging(config, policy, features, demo=demo)))
    return 0


def _judging(config: Path | None, policy: str | None, features: tuple[str, ...], *, demo: bool) -> Iterator[str]:
    """Give the options that a rehearsal needs to judge as this plan was judged."""
    if config:
        yield from ("--config", str(config))
    if demo:
        yield "--demo"
    if policy:
        yield from ("--policy", policy)
    for feature in features:
        yield from ("--feature", feature)
