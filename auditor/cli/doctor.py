"""`entra-audit doctor`: which sign-in is used, what it may read, and what an audit would lack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import choose, request, source_options
from auditor.errors import UsageError
from auditor.graph.clouds import CLOUDS, PUBLIC
from auditor.model.configuration import AppConfiguration

if TYPE_CHECKING:
    from rich.text import Text

    from auditor.workflow.doctor import Bearer, Diagnosis, Row

_STYLES = {"held": "green", "missing": "red", "refused": "red", "unknown": "yellow"}


@click.command(
    epilog="Examples: entra-audit doctor --auth azure-cli --tenant-id contoso.example   |   "
    "entra-audit doctor --print-setup certificate"
)
@click.option("--app", default="zoom", show_default=True, help="The app profile that would be audited.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--print-setup",
    type=click.Choice(["certificate", "federated"]),
    help="Print the commands that make a least-permission identity, and do nothing else.",
)
@source_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Try the sign-in, and say what an audit could read with it and what it would leave not evaluated.

    Shows method, cloud, tenant and client id with where each came from, the permissions of the token, what Microsoft
    Graph answers, and for each permission of the table of calls whether it is held, by which one, and what lacks
    without it. Exit codes: 0 everything is there, 3 an audit would be incomplete, 2 no sign-in, or a refused one.
    """
    kind, app = values.pop("print_setup"), values.pop("app")
    as_json, tenant = values.pop("format_") == "json", values["tenant_id"]
    if kind:
        from auditor.workflow.setup import setup_script

        click.echo(setup_script(kind, cloud=CLOUDS.get(values["cloud"] or "", PUBLIC), tenant=tenant), nl=False)
        return 0
    from auditor.engine.rulebook import load_rulebook
    from auditor.workflow.doctor import examine
    from auditor.workflow.signing import describe

    given = _given(context)
    chosen = choose(values)
    if chosen.kind.option or chosen.taken_at:
        raise UsageError(
            "The doctor looks at a live tenant.",
            where=chosen.kind.option or "--taken-at",
            advice="Leave it out; for the made-up tenant, say --demo.",
        )
    rulebook = load_rulebook(app)
    with request(chosen, profile=rulebook.profile, configuration=AppConfiguration()) as asked:
        assert asked.connection is not None  # noqa: S101 - what a live source has
        diagnosis = examine(
            asked.connection,
            rulebook.rules,
            sign_in=describe(chosen.sign_in, asked.connection, given, os.environ),
            tenant=tenant,
            strict=chosen.strict_identity,
            progress=asked.progress,
        )
    _show(diagnosis, as_json=as_json)
    return diagnosis.exit_code


def _given(context: click.Context) -> frozenset[str]:
    """Return the options that stand on the command line: `--tenant-id`."""
    source = click.core.ParameterSource.COMMANDLINE
    given = (name for name in context.params if context.get_parameter_source(name) is source)
    return frozenset(f"--{name.rstrip('_').replace('_', '-')}" for name in given)


def _show(diagnosis: Diagnosis, *, as_json: bool) -> None:
    from rich.console import Console

    from auditor.cli.main import printable
    from auditor.model.canonical import to_json

    if as_json:
        click.echo(to_json(diagnosis), nl=False)
    else:
        console = Console()
        for line in _lines(diagnosis):
            console.print(line, soft_wrap=True)
    if diagnosis.error:
        click.echo(f"entra-audit: {printable(diagnosis.error)}", err=True)


def _lines(diagnosis: Diagnosis) -> Iterator[Text]:
    yield _line(("Sign-in", "bold"))
    for said in diagnosis.sign_in:
        yield _pair(said.what, said.value, said.origin)
    if diagnosis.token is None:
        return
    yield _line()
    yield _line(("Token", "bold"))
    yield from _bearer(diagnosis.token)
    yield _line()
    yield _line(("Microsoft Graph", "bold"))
    name = diagnosis.tenant_name or "unnamed"
    named = f"{name} ({diagnosis.tenant_id})" if diagnosis.tenant_id else "not read: the organization is closed to it"
    yield _pair("tenant", named)
    yield _line()
    yield _line(("Permissions that an audit needs", "bold"))
    for row in diagnosis.permissions:
        yield from _row(row)
    if diagnosis.not_in_cloud:
        yield _pair("not in this cloud", ", ".join(diagnosis.not_in_cloud))
    yield _line()
    for warning in diagnosis.warnings:
        yield _line(("Warning: ", "bold yellow"), (warning, ""))
    yield _verdict(diagnosis)


def _bearer(token: Bearer) -> Iterator[Text]:
    yield _pair("of", token.person or token.app_name or token.app_id or "it does not say")
    yield _pair(
        "app", " ".join(filter(None, (token.app_name, f"({token.app_id})" if token.app_id else ""))) or "unknown"
    )
    yield _pair("object", token.object_id or "unknown")
    yield _pair("tenant", token.tenant_id or "unknown")
    if token.valid_until:
        yield _pair("valid until", token.valid_until)
    what = "scopes" if token.kind == "delegated" else "application permissions"
    yield _pair(what, ", ".join(token.permissions) or "none")
    if token.directory_roles or token.kind == "delegated":
        yield _pair("directory roles", ", ".join(token.directory_roles) or "none")
    if token.kind == "delegated":
        yield _line(("  At most: a scope reaches no further than the person's own roles.", "dim"))


def _row(row: Row) -> Iterator[Text]:
    from auditor.model.text import count

    by = f" by {', '.join(row.by)}" if row.by else ""
    yield _line((f"  {row.state:<8}", _STYLES[row.state]), (f" {row.permission}", ""), (by, "dim"))
    if row.why:
        yield _line((f"           {row.why}", "dim"))
    if row.collections:
        yield _line(
            (f"           {count(len(row.collections), 'collection')} unread: {', '.join(row.collections)}", "")
        )
        rules = f"{count(len(row.rules), 'rule')} not evaluated"
        yield _line((f"           {rules}{': ' if row.rules else ''}{', '.join(row.rules)}", ""))


def _verdict(diagnosis: Diagnosis) -> Text:
    if diagnosis.error:
        return _line(("Refused.", "bold red"))
    if diagnosis.rules_left:
        left = f": {len(diagnosis.rules_left)} of {diagnosis.rules} rules would be left not evaluated for some app."
        return _line(("INCOMPLETE", "bold yellow"), (left, ""))
    rest = f" Only context stays unread: {', '.join(diagnosis.unread)}." if diagnosis.unread else ""
    return _line(("Nothing that a rule asks is closed to this identity.", "bold green"), (rest, ""))


def _pair(label: str, value: str, origin: str = "") -> Text:
    return _line((f"  {label:<24}", ""), (value, ""), (f"  ({origin})" if origin else "", "dim"))


def _line(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    from auditor.model.text import visible

    return Text.assemble(*((visible(text), style) for text, style in parts))
