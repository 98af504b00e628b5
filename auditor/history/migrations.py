"""The schema of a history's database, as a numbered list of steps that is only ever added to.

A database says its version in a table of its own. Each step runs in one transaction with the version that it leads
to, so a cut migration leaves the version before.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from auditor.errors import InputError

Migration = tuple[str, ...]
"""Statements; `{bytes}` stands for the database's type for bytes."""

VERSION_TABLE = "entra_audit_version"
MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE entra_audit_entries (
            tenant_id TEXT NOT NULL, profile TEXT NOT NULL, number INTEGER NOT NULL, data {bytes} NOT NULL,
            PRIMARY KEY (tenant_id, profile, number))""",
        """CREATE TABLE entra_audit_heads (
            tenant_id TEXT NOT NULL, profile TEXT NOT NULL, number INTEGER NOT NULL, sha256 TEXT NOT NULL,
            PRIMARY KEY (tenant_id, profile))""",
        """CREATE TABLE entra_audit_contents (
            tenant_id TEXT NOT NULL, profile TEXT NOT NULL, sha256 TEXT NOT NULL, packed {bytes} NOT NULL,
            PRIMARY KEY (tenant_id, profile, sha256))""",
    ),
)


def version(connection: sa.Connection, *, where: str, newest: int) -> int:
    """Return the version of a database; 0 for an empty one.

    Raises:
        InputError: it is newer than `newest`, or an SQLite file that belongs to another program.
    """
    tables = sa.inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables and connection.dialect.name == "sqlite":
            raise InputError("This database belongs to another program.", where=where, advice="Name another file.")
        return 0
    found = int(connection.execute(sa.text(f"SELECT version FROM {VERSION_TABLE}")).scalar_one())  # noqa: S608
    if found > newest:
        raise InputError(
            f"This history has version {found}; this program knows up to {newest}.",
            where=where,
            advice="Update entra-audit.",
        )
    return found


def migrate(connection: sa.Connection, *, where: str, migrations: Sequence[Migration]) -> None:
    """Bring a database to the version that the last migration leads to, inside the transaction of `connection`.

    Raises:
        InputError: it is newer, or belongs to another one.
    """
    found = version(connection, where=where, newest=len(migrations))
    if found == len(migrations):
        return
    kind = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    if not found:
        connection.execute(sa.text(f"CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL)"))
        connection.execute(sa.text(f"INSERT INTO {VERSION_TABLE} VALUES (0)"))  # noqa: S608
    for migration in migrations[found:]:
        for statement in migration:
            connection.execute(sa.text(statement.format(bytes=kind)))
    connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version = :new"), {"new": len(migrations)})  # noqa: S608
