"""Permission families: what each permission opens, how far it reaches, and what it covers.

The tables are rules/permissions/*.yaml, one file per family. A permission is keyed by (resource appId, permission id,
kind); its name is not unique across resources and its id is not unique across them either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import load_with_lines
from auditor.model.grant import Kind

RESOURCES: Mapping[str, str] = {
    "graph": "00000003-0000-0000-c000-000000000000",
    "exchange": "00000002-0000-0ff1-ce00-000000000000",
    "sharepoint": "00000003-0000-0ff1-ce00-000000000000",
    "aad-graph": "00000002-0000-0000-c000-000000000000",
}
"""Short names of Microsoft's resources and their appIds."""

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A permission id, in lower case."""


class Permission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One permission of one kind on one resource, as rules/permissions/ states it."""

    permission: str
    """Graph's value: `Mail.ReadWrite`."""
    resource: str
    """A key of RESOURCES."""
    kind: Kind
    id: str
    """Empty only where no source gives the id."""
    opens: str
    """Verb phrase in our words: `read, change and delete mail in every mailbox`."""
    access: Literal["read", "write", "send", "full", "sign-in"]
    reach: Literal["mailboxes", "organization", "own"]
    """`mailboxes`: every mailbox, and Exchange can narrow it; `organization`: tenant-wide, Exchange cannot narrow it;
    `own`: only what the signed-in user reaches (delegated)."""
    tier: Literal[0, 1, 2]
    tier_reason: str
    sensitivity: Literal["high", "medium", "low"]
    """How sensitive the data is that it opens."""
    covers: tuple[str, ...] = ()
    """Values of weaker permissions of the same resource and kind that this one makes redundant, reviewed by hand."""
    note: str = ""
    family: str = ""
    """Filled in from the file."""


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of rules/permissions/."""

    family: str
    title: str
    """As a report says it: `Mail`."""
    source: str
    checked: str
    """When the source was read, YYYY-MM-DD."""
    permissions: tuple[Permission, ...]


class PermissionReference(Struct, frozen=True, kw_only=True):
    """A permission as lists name it: `[RESOURCE/]VALUE[@KIND]`, with Graph and the list's own kind as defaults."""

    resource: str
    """A key of RESOURCES."""
    value: str
    kind: Kind


def parse_reference(text: str, *, kind: Kind, where: str) -> PermissionReference:
    """Read `[RESOURCE/]VALUE[@KIND]`; `Calendar.ReadWrite`, as Zoom's guide spells it, becomes Calendars.ReadWrite.

    Raises:
        ConfigurationError: an unknown resource or kind, or an empty value; `where` names the place.
    """
    resource, slash, rest = text.partition("/")
    if not slash:
        resource, rest = "graph", text
    value, at, named_kind = rest.partition("@")
    if resource not in RESOURCES or not value or (at and named_kind not in ("application", "delegated")):
        raise ConfigurationError(
            f"'{text}' is not a permission.",
            where=where,
            advice="Write [RESOURCE/]PERMISSION[@KIND], with RESOURCE one of "
            f"{', '.join(RESOURCES)} and KIND application or delegated: exchange/full_access_as_app@application.",
        )
    value = "Calendars.ReadWrite" if value == "Calendar.ReadWrite" else value
    return PermissionReference(
        resource=resource,
        value=value,
        kind="delegated" if named_kind == "delegated" else "application" if named_kind == "application" else kind,
    )


class PermissionTable:
    """All permission families, looked up by id or by value."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        self.families = families
        self._by_value: dict[tuple[str, str, Kind], Permission] = {}
        self._by_id: dict[tuple[str, str, Kind], Permission] = {}
        for family in families:
            for entry in family.permissions:
                app_id = RESOURCES[entry.resource]
                self._by_value[app_id, entry.permission, entry.kind] = entry
                if entry.id:
                    self._by_id[app_id, entry.id, entry.kind] = entry

    def by_value(self, resource_app_id: str, value: str, kind: Kind) -> Permission | None:
        """Return the entry for a permission value on a resource, or None where no table has it."""
        return self._by_value.get((resource_app_id, value, kind))

    def by_id(self, resource_app_id: str, permission_id: str, kind: Kind) -> Permission | None:
        """Return the entry for a permission id on a resource, or None where no table has it."""
        return self._by_id.get((resource_app_id, permission_id, kind))

    def named(self, value: str) -> tuple[Permission, ...]:
        """Return every entry of that value, over all resources and kinds, in table order."""
        return tuple(e for f in self.families for e in f.permissions if e.permission == value)

    def covers(self, resource_app_id: str, value: str, kind: Kind) -> frozenset[str]:
        """Return the values of every weaker permission that this one makes redundant, directly or through others.

        Empty for a permission that no table has.
        """
        covered: set[str] = set()
        waiting = [value]
        while waiting:
            entry = self.by_value(resource_app_id, waiting.pop(), kind)
            new = set(entry.covers) - covered if entry else set()
            covered |= new
            waiting.extend(new)
        return frozenset(covered - {value})


def load_permissions(directory: Path | None = None) -> PermissionTable:
    """Read every family of a folder, rules/permissions/ unless told otherwise, in the order of the file names.

    Raises:
        ConfigurationError: a file is not a family; two entries share a value or an id on one resource and kind; an id
            is no GUID; a family is not named as its file; `covers` names no entry, or leads back to itself.
    """
    families: list[Family] = []
    places: dict[tuple[str, str, Kind], str] = {}
    for path in sorted((directory or data_dir("rules") / "permissions").glob("*.yaml")):
        family, lines = load_with_lines(path, Family)
        if family.family != path.stem:
            raise ConfigurationError(
                f"The family is called '{family.family}' and its file '{path.name}'.",
                where=lines.place(("family",)),
                advice=f"Write `family: {path.stem}`, or rename the file.",
            )
        for number, entry in enumerate(family.permissions):
            _add(entry, lines.place(("permissions", number)), places)
        named = tuple(replace(entry, family=family.family) for entry in family.permissions)
        families.append(replace(family, permissions=named))
    table = PermissionTable(tuple(families))
    for entry in (entry for family in families for entry in family.permissions):
        _check_covers(entry, table, places[entry.resource, entry.permission, entry.kind])
    return table


def _add(entry: Permission, place: str, places: dict[tuple[str, str, Kind], str]) -> None:
    """Note where an entry stands, under its value and under its id, after checking both."""
    if entry.resource not in RESOURCES:
        raise ConfigurationError(
            f"'{entry.resource}' is not a resource.",
            where=place,
            advice=f"Use one of {', '.join(RESOURCES)}.",
        )
    if entry.id and not GUID.fullmatch(entry.id):
        raise ConfigurationError(
            f"'{entry.id}', the id of {entry.permission}, is not a GUID.",
            where=place,
            advice="Write it as 8-4-4-4-12 lower-case hexadecimal digits, or leave it empty where no source gives it.",
        )
    for name in filter(None, (entry.permission, entry.id)):
        key = (entry.resource, name, entry.kind)
        if key in places:
            raise ConfigurationError(
                f"The {entry.kind} permission '{name}' of {entry.resource} is there already.",
                where=place,
                advice=f"Remove this entry or the one at {places[key]}.",
            )
        places[key] = place


def _check_covers(entry: Permission, table: PermissionTable, place: str) -> None:
    app_id = RESOURCES[entry.resource]
    for value in entry.covers:
        if table.by_value(app_id, value, entry.kind) is None:
            raise ConfigurationError(
                f"{entry.permission} covers '{value}', which is no {entry.kind} permission of {entry.resource} here.",
                where=place,
                advice="Correct the name, or add an entry for it.",
            )
        if value == entry.permission or entry.permission in table.covers(app_id, value, entry.kind):
            raise ConfigurationError(
                f"{entry.permission} and '{value}' cover each other.",
                where=place,
                advice="Leave `covers` only on the stronger one.",
            )
