"""The rows of one stream in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from auditor.errors import InputError
from auditor.history.chain import Head, Link
from auditor.model.canonical import sha256
from auditor.model.history import Stream
from auditor.sources.files import MIB, unpack

LIMIT = 2048 * MIB
"""Bytes above which an unpacked content is refused."""
_AT_ONCE = 500
"""Names in one question; SQLite takes a bounded number of values."""


def _columns(name: str, *own: str) -> sa.TableClause:
    """Return a table without types: SQLite lets anything stand in a column, so what comes out is looked at here."""
    return sa.table(name, *map(sa.column, ("tenant_id", "profile", *own)))


_ENTRIES = _columns("entra_audit_entries", "number", "data")
_HEADS = _columns("entra_audit_heads", "number", "sha256")
_CONTENTS = _columns("entra_audit_contents", "sha256", "packed")


def streams(connection: sa.Connection) -> tuple[Stream, ...]:
    """Return every stream that any table names, in order."""
    named = [sa.select(table.c.tenant_id, table.c.profile) for table in (_ENTRIES, _HEADS, _CONTENTS)]
    rows = connection.execute(sa.union(*named))
    return tuple(sorted(Stream(tenant_id=_text(tenant), profile=_text(profile)) for tenant, profile in rows))


class Rows:
    """What the database holds of one stream.

    Args:
        connection: inside a transaction.
        stream: which one.
    """

    def __init__(self, connection: sa.Connection, stream: Stream) -> None:
        self._connection = connection
        self._key = {"tenant_id": stream.tenant_id, "profile": stream.profile}

    def links(self) -> tuple[Link, ...]:
        """Return the entries in the order of their numbers."""
        rows = self._connection.execute(
            sa.select(_ENTRIES.c.number, _ENTRIES.c.data).where(*self._of(_ENTRIES)).order_by(_ENTRIES.c.number)
        )
        return tuple(Link(number=_number(number), data=_bytes(data)) for number, data in rows)

    def head(self) -> Head:
        """Return where the database says that the chain ends."""
        row = self._connection.execute(
            sa.select(_HEADS.c.number, _HEADS.c.sha256).where(*self._of(_HEADS))
        ).one_or_none()
        return Head(number=_number(row[0]), sha256=_text(row[1])) if row else Head()

    def contents(self, names: Collection[str]) -> dict[str, bytes]:
        """Return those contents of `names` that are there, unpacked.

        Raises:
            InputError: one is damaged.
        """
        found: dict[str, bytes] = {}
        wanted = sorted(names)
        for start in range(0, len(wanted), _AT_ONCE):
            some = _CONTENTS.c.sha256.in_(wanted[start : start + _AT_ONCE])
            rows = self._connection.execute(
                sa.select(_CONTENTS.c.sha256, _CONTENTS.c.packed).where(*self._of(_CONTENTS), some)
            )
            found |= {_text(name): _unpacked(_text(name), packed) for name, packed in rows}
        return found

    def hashes(self) -> dict[str, str]:
        """Return the name of every content to the SHA-256 of what is there; empty where it is damaged."""
        names = self._connection.execute(sa.select(_CONTENTS.c.sha256).where(*self._of(_CONTENTS))).scalars().all()
        return {_text(name): self._hash(_text(name)) for name in names}

    def add(self, link: Link, packed: Mapping[str, bytes]) -> None:
        """Add an entry and those of its contents that are not there yet, and make it the head."""
        known = self._connection.execute(
            sa.select(_CONTENTS.c.sha256).where(*self._of(_CONTENTS), _CONTENTS.c.sha256.in_(packed))
        ).scalars()
        new = [{**self._key, "sha256": name, "packed": packed[name]} for name in packed.keys() - set(known)]
        if new:
            self._connection.execute(sa.insert(_CONTENTS), new)
        self._connection.execute(sa.insert(_ENTRIES), {**self._key, "number": link.number, "data": link.data})
        self._connection.execute(sa.delete(_HEADS).where(*self._of(_HEADS)))
        self._connection.execute(sa.insert(_HEADS), {**self._key, "number": link.number, "sha256": link.sha256})

    def remove(self, names: Collection[str]) -> None:
        """Take contents away."""
        for name in names:
            self._connection.execute(sa.delete(_CONTENTS).where(*self._of(_CONTENTS), _CONTENTS.c.sha256 == name))

    def _hash(self, name: str) -> str:
        try:
            found = self.contents({name})
        except InputError:
            return ""
        return sha256(found[name]) if name in found else ""

    def _of(self, table: sa.TableClause) -> tuple[sa.ColumnElement[bool], ...]:
        return tuple(table.c[column] == value for column, value in self._key.items())


def _unpacked(name: str, packed: object) -> bytes:
    return unpack(_bytes(packed), where=f"content {name[:12]} of the history", limit=LIMIT)


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()
