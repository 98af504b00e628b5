"""Where a history is: a file, `default`, or a PostgreSQL database. No password stands in it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from auditor.errors import UsageError

DEFAULT = "default"
FILE = "history.db"
SSL_MODES = ("disable", "require", "verify-full")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ADVICE = "Write a file path, `default`, or postgresql://[USER@]HOST[:PORT]/DATABASE."


class Postgres(Struct, frozen=True, kw_only=True):
    """A PostgreSQL database."""

    host: str
    """A name or address; a folder for the Unix socket in it."""
    port: int
    database: str
    user: str
    ssl_mode: str
    """`verify-full`: the server's certificate is checked; `require`: encrypted only; `disable`."""

    @property
    def where(self) -> str:
        """What an error calls it."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    @property
    def socket(self) -> str:
        """Path of the Unix socket; empty for TCP."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else ""


def parse(location: str, environment: Mapping[str, str]) -> Path | Postgres:
    """Return what a location names; a file's path is absolute.

    Raises:
        UsageError: it is empty, of an unknown kind, or holds a password.
    """
    if not location.strip() or "\0" in location:
        raise UsageError("This is no place for a history.", where="history", advice=_ADVICE)
    if location == DEFAULT:
        return data_folder(environment) / FILE
    if location.startswith("sqlite:///"):
        return Path(location.removeprefix("sqlite:///")).absolute()
    if "://" not in location:
        return Path(location).expanduser().absolute()
    return _postgres(location, environment)


def data_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for this user's data, as the platform has it."""
    if sys.platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        named = environment.get("XDG_DATA_HOME", "")
        base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "share"
    return base / "entra-audit"


def password(to: Postgres, environment: Mapping[str, str]) -> str | None:
    """Return the password for a database from PGPASSWORD, or from the file that PGPASSFILE names (~/.pgpass)."""
    if given := environment.get("PGPASSWORD"):
        return given
    file = Path(environment.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    host = "localhost" if to.socket else to.host
    asked = (host, str(to.port), to.database, to.user)
    for line in lines:
        *known, secret = _fields(line)
        pairs = zip(known, asked, strict=False)
        if len(known) == len(asked) and all(field in {"*", wanted} for field, wanted in pairs):
            return secret
    return None


def _fields(line: str) -> list[str]:
    r"""Return the fields of a line of .pgpass, where `\` makes a colon or itself part of a field."""
    if line.startswith("#"):
        return [""]
    fields, escaped = [""], False
    for letter in line:
        if letter == "\\" and not escaped:
            escaped = True
        elif letter == ":" and not escaped and len(fields) < 5:  # noqa: PLR2004 - host, port, database, user, password
            fields.append("")
        else:
            fields[-1] += letter
            escaped = False
    return fields


def _postgres(location: str, environment: Mapping[str, str]) -> Postgres:
    try:
        parts = urlsplit(location)
        port = parts.port or 5432
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        raise UsageError("This is no URL of a database.", where="history", advice=_ADVICE) from None
    if parts.password is not None or "password" in options:
        raise UsageError(
            "The URL of a history holds a password.",
            where="history",
            advice="Take it out: it comes from PGPASSWORD or the file that PGPASSFILE names. It may have been seen.",
        )
    if parts.scheme not in {"postgresql", "postgres"}:
        raise UsageError(f"There is no history of the kind '{parts.scheme}'.", where="history", advice=_ADVICE)
    database = unquote(parts.path.removeprefix("/"))
    unknown = [name for name in options if name not in {"host", "sslmode"}]
    if not database or unknown:
        what = f"There is no option '{unknown[0]}'." if unknown else "The URL names no database."
        raise UsageError(what, where="history", advice=f"{_ADVICE} Options: host, sslmode.")
    host = options.get("host") or parts.hostname or "localhost"
    near = host in _LOOPBACK or host.startswith("/")
    mode = options.get("sslmode") or ("disable" if near else "verify-full")
    if mode not in SSL_MODES:
        raise UsageError(
            f"There is no sslmode '{mode}'.", where="history", advice=f"Name one of: {', '.join(SSL_MODES)}."
        )
    user = unquote(parts.username or "") or environment.get("PGUSER") or _user()
    return Postgres(host=host, port=port, database=database, user=user, ssl_mode=mode)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UsageError("Nobody is named to sign in to the database.", where="history", advice=_ADVICE) from None
