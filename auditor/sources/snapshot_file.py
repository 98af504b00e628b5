"""The source `--snapshot`: a snapshot that `entra-audit collect` or `run` wrote.

The format is ours, so reading is strict: what this program would not have written is refused, with its path.
A file of an older version is upgraded in memory, one version at a time; one of a newer version is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from auditor.errors import InputError, UsageError
from auditor.model import canonical
from auditor.model.snapshot import SCHEMA, VERSION, Snapshot
from auditor.sources import SourceKind, SourceRequest
from auditor.sources.files import MIB, named, read, shown, unpack

Document = dict[str, object]
Upgrade = Callable[[Document], Document]

LIMIT = 2048 * MIB
"""Bytes of JSON above which a snapshot is refused."""
UPGRADES: Mapping[int, Upgrade] = {}
"""Version to the function that makes the next version's JSON of it; version 1 is the first, so there is none.

A step gets parsed JSON that nobody has checked; it changes what it can and leaves judging to `decode`.
"""

_COUNT_LIMIT = 2**53
"""Pages, versions and numbers of accounts are never negative, and every JSON reader keeps them exactly."""
_AGAIN = "Copy the file again, or write a new one with: entra-audit collect --out FILE"


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as canonical JSON; the same snapshot gives the same bytes."""
    return canonical.to_json(snapshot)


def decode(data: bytes, where: str) -> Snapshot:
    """Return the snapshot that `data` holds, as JSON or as gzipped JSON.

    Raises:
        InputError: cut, damaged, no snapshot, of a newer version, or holding what no snapshot of ours holds;
            its place is `where`.
    """
    document = _parse(unpack(data, where=where, limit=LIMIT), where)
    document = upgraded(document, where=where)
    try:
        snapshot = msgspec.convert(document, Snapshot)
    except msgspec.ValidationError as error:
        raise InputError(
            f"This snapshot is not well formed: {shown(str(error))}.", where=where, advice=_AGAIN
        ) from None
    if problem := _stray(document, snapshot, "$"):
        raise InputError(f"This snapshot is not well formed: {problem}.", where=where, advice=_AGAIN)
    return snapshot


def upgraded(
    document: Document, *, where: str, newest: int = VERSION, upgrades: Mapping[int, Upgrade] = UPGRADES
) -> Document:
    """Return the JSON of a snapshot in version `newest`, upgraded step by step.

    Raises:
        InputError: no snapshot, a newer version, or an old version without a step.
    """
    if document.get("schema") != SCHEMA:
        raise InputError(
            f"This is not a snapshot: its schema is {shown(repr(document.get('schema')))}.",
            where=where,
            advice="Give what entra-audit collect wrote; an audit.json is read by: entra-audit report",
        )
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InputError("This snapshot does not say its version.", where=where, advice=_AGAIN)
    if version > newest:
        raise InputError(
            f"This snapshot was made by a newer version (format {version}; this one reads up to {newest}).",
            where=where,
            advice="Update entra-audit.",
        )
    while version < newest:
        if version not in upgrades:
            raise InputError(f"This snapshot has the unknown format {version}.", where=where, advice=_AGAIN)
        document = {**upgrades[version](document), "version": version + 1}
        version += 1
    return document


def read_snapshot(request: SourceRequest) -> Snapshot:
    """Return the snapshot in the file `request.location`, limited to the clients of `request.only` if any.

    Raises:
        InputError: as `decode`, and where the file cannot be read.
        UsageError: `taken_at` is given, an appId of `only` is missing, or another app profile made it.
    """
    where = shown(request.location)
    if request.taken_at is not None:
        raise UsageError(
            "A snapshot knows when it was taken.",
            where="--taken-at",
            advice="Leave --taken-at out with --snapshot.",
        )
    request.progress("files", 0, 1)
    snapshot = decode(read(Path(request.location), where=where, limit=LIMIT), where)
    request.progress("files", 1, 1)
    if snapshot.profile != request.profile.id:
        raise UsageError(
            f"The snapshot {where} was made for --app {shown(snapshot.profile)}.",
            where="--app",
            advice=f"It holds nothing of {request.profile.id}: collect again, or name that app.",
        )
    return _limited(snapshot, request.only)


SOURCE = SourceKind(
    name="snapshot",
    option="--snapshot",
    metavar="FILE",
    help="Read a snapshot that 'entra-audit collect' or an earlier run wrote (JSON or gzipped JSON).",
    read=read_snapshot,
)


def _parse(data: bytes, where: str) -> Document:
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cut = "truncated" in str(error)
        what = "The snapshot is cut off." if cut else f"This is not JSON: {shown(str(error))}."
        raise InputError(what, where=where, advice=_AGAIN) from None
    if not isinstance(document, dict):
        raise InputError("This is not a snapshot: it is JSON, but no object.", where=where, advice=_AGAIN)
    return cast("Document", document)


def _stray(raw: object, value: object, path: str) -> str:
    """Return the first thing in `raw` that its decoded `value` does not account for; empty if none."""
    match value:
        case Struct():
            known = _attributes(type(value))
            for key, inner in cast("Document", raw).items():
                if key not in known:
                    return f"unknown field - at `{path}.{shown(key)}`"
                if known[key] and (problem := _stray(inner, getattr(value, known[key]), f"{path}.{key}")):
                    return problem
        case tuple():
            for index, (inner, item) in enumerate(zip(cast("list[object]", raw), value, strict=True)):
                if problem := _stray(inner, item, f"{path}[{index}]"):
                    return problem
        case datetime() if value.tzinfo is None:
            return f"a time without its zone - at `{path}`"
        case int() if not 0 <= value < _COUNT_LIMIT:
            return f"a number out of range - at `{path}`"
    return ""


@cache
def _attributes(type_: type[Struct]) -> Mapping[str, str]:
    """Return JSON key to attribute of a Struct; the key that tells its type has no attribute."""
    names = {field.encode_name: field.name for field in fields(type_)}
    return {**names, type_.__struct_config__.tag_field: ""} if type_.__struct_config__.tag_field else names


def _limited(snapshot: Snapshot, only: frozenset[str]) -> Snapshot:
    held = {client.service_principal.app_id.lower() for client in snapshot.clients}
    wanted = {app_id.lower() for app_id in only}
    if missing := sorted(wanted - held):
        raise UsageError(
            f"The snapshot holds no app {named(missing)}.",
            where="--app-id",
            advice=f"It holds: {named(sorted(held)) or 'no app'}.",
        )
    if not wanted:
        return snapshot
    return replace(snapshot, clients=tuple(c for c in snapshot.clients if c.service_principal.app_id.lower() in wanted))
