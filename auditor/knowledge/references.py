"""Names that a file uses, held against the names that there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from auditor.errors import ConfigurationError
from auditor.knowledge.permissions import (
    RESOURCES,
    PermissionReference,
    PermissionTable,
    load_permissions,
    parse_reference,
)
from auditor.model.grant import Kind


@cache
def known_permissions() -> PermissionTable:
    """Return the program's own permission tables, read once."""
    return load_permissions()


def suggestion(name: str, known: Iterable[str], kind: str) -> str:
    """Return advice for a name that is not `known`: the one that it resembles, and all of them."""
    known = tuple(known)
    close = get_close_matches(name, known, n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    return f"{meant}Known {kind}: {', '.join(known) or 'none'}."


def check_name(name: str, known: Iterable[str], *, what: str, kind: str, where: str) -> None:
    """Refuse a name that is not among `known`.

    Args:
        name: what the file says.
        known: what there is, in the order to show.
        what: the noun for one of them, with its article: `an integration`.
        kind: the same in the plural: `integrations`.
        where: the place in the file.

    Raises:
        ConfigurationError: the name is not known.
    """
    known = tuple(known)
    if name not in known:
        raise ConfigurationError(f"'{name}' is not {what}.", where=where, advice=suggestion(name, known, kind))


def check_reference(text: str, *, kind: Kind, permissions: PermissionTable, where: str) -> PermissionReference:
    """Read a permission reference and refuse a name that the tables, which know its resource, do not have.

    Raises:
        ConfigurationError: the reference does not parse, or names no permission.
    """
    reference = parse_reference(text, kind=kind, where=where)
    entries = [e for f in permissions.families for e in f.permissions if e.resource == reference.resource]
    if entries and not permissions.by_value(RESOURCES[reference.resource], reference.value, reference.kind):
        names = [entry.permission for entry in entries if entry.kind == reference.kind]
        close = get_close_matches(reference.value, names, n=1, cutoff=0.5)
        meant = f"Did you mean '{close[0]}'? " if close else ""
        raise ConfigurationError(
            f"'{reference.value}' is no {reference.kind} permission of {reference.resource} in rules/permissions/.",
            where=where,
            advice=f"{meant}If the resource does publish it, add an entry to the file of its family.",
        )
    return reference
