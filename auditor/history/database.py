"""A connection to the database of a history: SQLite or PostgreSQL, every transaction whole.

SQLite keeps its rollback journal, not a write-ahead log: at rest a history is one file, which can be copied, and read
where nothing can be written.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from auditor.errors import InputError, MissingPartError, OutputError
from auditor.history.location import Postgres, parse, password
from auditor.history.migrations import MIGRATIONS, migrate, version

PATIENCE = 60
"""Seconds to wait for another process that is writing."""
_SILENCE = 2 * PATIENCE
"""Seconds without an answer of PostgreSQL after which it is given up."""
_SIGN_IN = " The password comes from PGPASSWORD, or the file that PGPASSFILE names."
_WRITES = "entra_audit_writes"


class Database:
    """A history's database, open.

    Args:
        engine: SQLAlchemy's.
        where: what an error calls it.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine = engine
        self.where = where
        self._postgres = engine.dialect.name == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one moment of the database throughout.

        Raises:
            InputError: it cannot be read.
        """
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if self._postgres else {}
        try:
            with self._connect(options) as connection, connection.begin():
                yield connection
        except (sa.exc.SQLAlchemyError, TimeoutError) as error:
            raise InputError(
                f"The history cannot be read: {_reason(error)}.",
                where=self.where,
                advice=f"Check the place and your right to it.{_SIGN_IN if self._postgres else ''}",
            ) from None

    @contextmanager
    def writing(self, lock: str) -> Iterator[sa.Connection]:
        """Yield a connection whose transaction is committed whole at the end, or not at all.

        No other process is inside a block with the same `lock` at the same time; with SQLite in none at all.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self._connect({_WRITES: True}) as connection, connection.begin():
                if self._postgres:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                    key = int.from_bytes(hashlib.sha256(lock.encode()).digest()[:8], signed=True)
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
                yield connection
        except (sa.exc.SQLAlchemyError, TimeoutError) as error:
            raise OutputError(
                f"The history cannot be written: {_reason(error)}.",
                where=self.where,
                advice="Check the place, its free space and your right to write there.",
            ) from None

    def _connect(self, options: dict[str, Any]) -> sa.Connection:
        try:
            return self._engine.connect().execution_options(**options)
        except OSError as error:  # pg8000 passes on what a TLS handshake raises.
            raise InputError(
                f"The history cannot be reached: {error.strerror or error}.",
                where=self.where,
                advice="Check the host, its certificate and PGSSLROOTCERT.",
            ) from None


@contextmanager
def opened(location: str, *, create: bool) -> Iterator[Database]:
    """Yield the database that `location` names, of the newest version.

    Args:
        location: see location.parse.
        create: make it where there is none, and refuse one that cannot be written.

    Raises:
        UsageError: the location is none.
        InputError: there is none, it cannot be read, is no history, or of a newer version.
        OutputError: it cannot be written.
        MissingPartError: PostgreSQL's driver is not installed.
    """
    place = parse(location, os.environ)
    engine = _postgres(place) if isinstance(place, Postgres) else _sqlite(place, create=create)
    database = Database(engine, place.where if isinstance(place, Postgres) else str(place))
    try:
        with database.reading() as connection:
            found = version(connection, where=database.where, newest=len(MIGRATIONS))
        if not found and not create:
            raise _absent(database.where)
        if create or found < len(MIGRATIONS):
            with database.writing("schema") as connection:
                migrate(connection, where=database.where, migrations=MIGRATIONS)
        yield database
    finally:
        engine.dispose()


def _absent(where: str) -> InputError:
    return InputError(
        "There is no history here.", where=where, advice="Keep runs in it first: entra-audit run --history LOCATION"
    )


def _sqlite(path: Path, *, create: bool) -> sa.Engine:
    _make_file(path, create=create)
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": PATIENCE, "isolation_level": None})

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # What was pruned is to be gone from the file.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_file(path: Path, *, create: bool) -> None:
    """Make an empty file that only its owner can read, where there is none; SQLite would let others read it."""
    try:
        if path.is_dir():
            raise InputError("A folder stands where the history should be.", where=str(path), advice="Name a file.")
        if create:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        elif not path.exists():
            raise _absent(str(path))
        else:
            os.close(os.open(path, os.O_RDONLY))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no valid file name"
        raise OutputError(
            f"The history cannot be opened: {reason}.",
            where=str(path)[:200],
            advice="Name another file, or change its permissions.",
        ) from None


def _postgres(to: Postgres) -> sa.Engine:
    try:
        import_module("pg8000")
    except ImportError as error:
        raise MissingPartError(
            f"A history in PostgreSQL needs '{error.name}', which is not installed.",
            advice='Install it: pip install "entra-auditor[postgresql]"',
        ) from error
    arguments: dict[str, Any] = {"ssl_context": _tls(to), "timeout": _SILENCE, "application_name": "entra-audit"}
    arguments["password"] = password(to, os.environ) or ""  # None makes the driver stumble where it is asked for one.
    if to.socket:
        arguments["unix_sock"] = to.socket
    url = sa.URL.create(
        "postgresql+pg8000",
        username=to.user,
        host=to.host if not to.socket else None,
        port=to.port if not to.socket else None,
        database=to.database,
    )
    return sa.create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)


def _tls(to: Postgres) -> ssl.SSLContext | bool:
    """Return what pg8000 takes: False for none, True for encryption without a look at the certificate."""
    if to.ssl_mode == "verify-full":
        try:
            return ssl.create_default_context(cafile=os.environ.get("PGSSLROOTCERT") or None)
        except OSError as error:
            raise InputError(
                f"The certificates cannot be read: {error.strerror}.", where="PGSSLROOTCERT", advice="Name a PEM file."
            ) from None
    return to.ssl_mode == "require"


def _reason(error: BaseException) -> str:
    """Return the database's own words, on one line.

    Where PostgreSQL refuses a sign-in, the driver stumbles over the closed connection, and what the server said is
    only the context of that.
    """
    words = ""
    cause: BaseException | None = getattr(error, "orig", None) or error
    while cause is not None:
        told = cause.args[0] if cause.args else ""
        if isinstance(told, dict):
            words = str(told.get("M", ""))
            break
        if isinstance(cause, OSError):
            words = cause.strerror or str(cause)
        words = words or str(told)
        cause = cause.__cause__ or cause.__context__
    return " ".join(words.split()).rstrip(".") or type(error).__name__
