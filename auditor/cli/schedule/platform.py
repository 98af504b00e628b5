"""`entra-audit schedule PLATFORM`: one command for each platform, all with the same options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import click

from auditor.cli.logs import verbose_option
from auditor.cli.options import Target
from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import SQLITE, Request
from auditor.delivery.schedules.timetable import DAYS, Every, timetable
from auditor.graph.clouds import CLOUDS

HELP = """{help}

Without --out{install} it is printed and nothing else is done. {where} Lock, new attempts, random wait and log are
the program's own, the same on every platform. No secret stands in what is written.
"""
TIMES = (
    click.Option(["--every"], type=click.Choice(get_args(Every)), default="week", show_default=True, help="How often."),
    click.Option(
        ["--at"], metavar="HH:MM", default="06:17", show_default=True, help="At which minute of the day, UTC."
    ),
    click.Option(
        ["--on"], type=click.Choice(DAYS), default="monday", show_default=True, help="On which day of each week."
    ),
)
"""When."""


def platform_command(schedule: Schedule) -> click.Command:
    """Return the command of a platform."""

    def callback(**values: Any) -> int:
        return _run(schedule, values)

    here = schedule.install is not None
    where = "Paths are those of this machine." if here else "Paths are those where it runs."
    return click.Command(
        schedule.name,
        callback=callback,
        help=HELP.format(help=schedule.help, install=" and --install" if here else "", where=where),
        epilog=f"Example: entra-audit schedule {_example(schedule)}",
        params=[*_what(schedule), *TIMES, *_how(schedule), verbose_option()],
    )


def _example(schedule: Schedule) -> str:
    if schedule.install:
        return f"{schedule.name} --config entra-audit.yaml --reports reports --auth managed-identity"
    who = "--client-id 00000000-0000-0000-0000-000000000000"
    if schedule.auth[0] != "managed-identity":
        who = f"--tenant-id contoso.example {who}"
    return f"{schedule.name} {'--image registry.example/entra-audit:1 ' if schedule.container else ''}{who}"


def _what(schedule: Schedule) -> list[click.Parameter]:
    config, reports = schedule.config, schedule.reports
    return [
        click.Option(
            ["--config"], metavar="FILE", default=config or None, required=not config, show_default=True,
            help="The configuration.",
        ),
        click.Option(
            ["--reports"], metavar="DIR", default=reports or None, required=not reports, show_default=True,
            help="Where the reports go: --out of `watch`.",
        ),
        click.Option(["--history"], metavar="WHERE", default="", help="Where runs are kept; else as configured."),
        click.Option(["--notify-file"], metavar="FILE", default="", help="File with the addresses of notifications."),
        *([click.Option(["--image"], required=True, help="The container's image.")] if schedule.container else []),
    ]  # fmt: skip


def _how(schedule: Schedule) -> list[click.Parameter]:
    methods = schedule.auth
    alone = len(methods) == 2  # noqa: PLR2004 - the platform's own and the configuration
    options: list[click.Parameter] = [
        click.Option(
            ["--auth"], type=click.Choice(methods), default=methods[0] if alone else None, required=not alone,
            show_default=True, help="How to sign in; `configuration`: as each of its tenants says.",
        ),
        click.Option(["--cloud"], type=click.Choice(list(CLOUDS)), help="The tenant's cloud."),
        click.Option(["--tenant-id"], metavar="ID", default="", help="The tenant's id or domain."),
        click.Option(["--client-id"], metavar="ID", default="", help="appId of the identity that reads."),
        click.Option(["--retries"], type=click.IntRange(0, 5), default=3, show_default=True, help="New attempts."),
        click.Option(
            ["--jitter"], type=click.IntRange(0, 86_400), default=300, show_default=True, metavar="SECONDS",
            help="Longest random wait before a run.",
        ),
        click.Option(["--log"], metavar="FILE", help="The log; default entra-audit.log in --reports."),
        click.Option(["--lock"], metavar="FILE", default="", help="The lock; default .entra-audit.lock in --reports."),
        click.Option(["--name"], default="entra-audit", show_default=True, help="What the schedule is called."),
        click.Option(["--out"], type=Target(), metavar="DIR", help="Folder to write to, in place of printing."),
    ]  # fmt: skip
    if schedule.install:
        options.append(click.Option(["--certificate"], metavar="FILE", default="", help="Certificate to sign in by."))
        options.append(click.Option(["--install"], is_flag=True, help="Put it in force on this machine."))
    if schedule.name == "systemd":
        options.append(
            click.Option(["--run-as"], metavar="USER", default="", help="A unit of the system, run as this user.")
        )
    return options


def _run(schedule: Schedule, values: dict[str, Any]) -> int:
    from auditor.errors import UsageError
    from auditor.workflow.schedule import install, render, write

    request = _request(schedule, values)
    out: Path | None = values["out"]
    if values.get("install"):
        if out is not None:
            raise UsageError("One of the two.", where="--install and --out", advice="Leave one out.")
        for line in install(schedule, request):
            click.echo(line)
    elif out is not None:
        for path in write(schedule, request, out):
            click.echo(path)
    else:
        files = render(schedule, request)
        for name, content in files.items():
            if len(files) > 1:
                click.echo(f"# ----- {name}")
            click.echo(content.decode(), nl=False)
    return 0


def _request(schedule: Schedule, values: dict[str, Any]) -> Request:
    from auditor.workflow.schedule import program

    def place(value: str | None) -> str:
        """Return a path as it is called where the schedule runs; on this machine it does not hang on the folder."""
        if not value or not schedule.install or value == "default":
            return value or ""
        if value.startswith(SQLITE):
            return SQLITE + place(value.removeprefix(SQLITE))
        if "://" in value:
            return value
        return os.path.abspath(value)  # noqa: PTH100 - resolve() would follow links, which may move

    reports = place(values["reports"])
    return Request(
        timetable=timetable(values["every"], values["at"], values["on"]),
        name=values["name"],
        command=(*(schedule.program or program()), "watch"),
        config=place(values["config"]),
        reports=reports,
        history=place(values["history"]),
        notify_file=place(values["notify_file"]),
        log=place(values["log"]) or f"{reports}/entra-audit.log",
        lock=place(values["lock"]),
        retries=values["retries"],
        jitter=values["jitter"],
        auth=values["auth"],
        tenant_id=values["tenant_id"],
        client_id=values["client_id"],
        cloud=values["cloud"] or "",
        certificate=place(values.get("certificate")),
        image=values.get("image") or "",
        account=values.get("run_as") or "",
    )
