"""A private PostgreSQL server for tests: in a folder of its own, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from msgspec import Struct

from tests.conftest import IN_CI

USER = "auditor"
PASSWORD = "a made-up word: with \\ and colons"
_NUMBERS = itertools.count(1)


class Cluster(Struct, frozen=True):
    """A server that runs."""

    folder: Path
    port: int
    certificates: Path
    """PEM file of the authority that signed its certificate."""

    def database(self) -> str:
        """Make an empty database and return its name."""
        name = f"history{next(_NUMBERS)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name

    def location(self, database: str) -> str:
        """Return where a database is, through the Unix socket, which asks for no password."""
        return f"postgresql://{USER}@:{self.port}/{database}?host={self.folder}"

    def sql(self, database: str, statement: str) -> str:
        """Run a statement as psql does, and return what it printed."""
        at = ["-h", str(self.folder), "-p", str(self.port), "-U", USER, "-d", database]
        psql = _program("psql")
        assert psql
        command = [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *at, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def why_absent() -> str:
    """Return why no server can be started here; empty when one can."""
    missing = [name for name in ("initdb", "pg_ctl", "psql") if not _program(name)]
    if missing:
        return f"PostgreSQL is not installed: no {', '.join(missing)}"
    if os.geteuid() == 0 and not _other_user():
        return "PostgreSQL refuses to run as root, and there is no user postgres"
    return ""


@contextmanager
def running() -> Iterator[Cluster]:
    """Yield a new server; it is stopped and its folder is deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="history-pg-"))
    data = folder / "data"
    try:
        (folder / "password").write_text(PASSWORD)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        (folder / "server.pem").chmod(0o600)
        if other := _other_user():
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, *other)
        new = ["-U", USER, "-A", "scram-sha-256", "--auth-local=trust", f"--pwfile={folder / 'password'}"]
        _run("initdb", "-D", data, *new, "-E", "UTF8", "--locale=C", "--no-sync")
        port = _free_port()
        pem = folder / "server.pem"
        settings = f"-k {folder} -p {port} -h 127.0.0.1 -F -c ssl=on -c ssl_cert_file={pem} -c ssl_key_file={pem}"
        _run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
        try:
            folder.chmod(0o755)
            yield Cluster(folder, port, folder / "authority.pem")
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def failed_in_ci() -> bool:
    """Tell whether an absent server is a failure."""
    return IN_CI


def _program(name: str) -> str | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))


def _other_user() -> tuple[int, int] | None:
    """Return user and group id to run the server as, where this is root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _run(name: str, *arguments: str | Path) -> None:
    other = _other_user()
    ids: dict[str, int] = {"user": other[0], "group": other[1]} if other else {}
    program = _program(name)
    assert program
    done = subprocess.run(
        [program, *map(str, arguments)],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        **ids,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{name}: {done.stderr.decode()}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
