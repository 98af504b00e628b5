"""`entra-audit permissions`: what a permission opens."""

from __future__ import annotations

import click


@click.group(epilog="Example: entra-audit permissions show Mail.ReadWrite")
def command() -> None:
    """Show what a permission opens."""


@command.command(epilog="Example: entra-audit permissions show Calendars.ReadWrite")
@click.argument("name", metavar="NAME")
def show(name: str) -> int:
    """Show a permission of every resource and kind: what it opens, how far, its tier, and what it covers.

    NAME is a value (Mail.ReadWrite) or an id.
    """
    from auditor.knowledge.permissions import RESOURCES, load_permissions
    from auditor.workflow.lookup import find_permissions

    table = load_permissions()
    for number, entry in enumerate(find_permissions(table, name)):
        covers = sorted(table.covers(RESOURCES[entry.resource], entry.permission, entry.kind))
        rows = (
            ("resource", f"{entry.resource} ({RESOURCES[entry.resource]})"),
            ("kind", entry.kind),
            ("id", entry.id or "no source gives it"),
            ("opens", entry.opens),
            ("access", entry.access),
            ("reach", entry.reach),
            ("tier", f"{entry.tier}: {entry.tier_reason}"),
            ("sensitivity", entry.sensitivity),
            ("covers", ", ".join(covers) or "nothing"),
            ("note", entry.note),
        )
        click.echo(("\n" if number else "") + entry.permission)
        for label, text in rows:
            if text:
                click.echo(f"  {label:<12} {text}")
    return 0
