"""Databases that are not as they should be: each is a clear error, and none is changed."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.errors import AuditorError, InputError, MissingPartError, OutputError
from auditor.history import database
from auditor.history.database import opened
from auditor.history.migrations import MIGRATIONS, migrate, version
from auditor.history.store import open_store
from auditor.model.configuration import Retention
from auditor.sources.snapshot_file import encode
from auditor.workflow.keep import kept
from tests.history.cluster import PASSWORD, USER, Cluster
from tests.history.kept import STREAM, audited, keep, snapshot

ROOT = Path(__file__).resolve().parent.parent.parent
LATER = (
    *MIGRATIONS,
    ("ALTER TABLE entra_audit_heads ADD COLUMN seen TEXT", "CREATE TABLE entra_audit_more (x {bytes})"),
)
"""What a later version of this program could do to a database."""


def error_of(location: str, *, create: bool = True) -> AuditorError:
    with pytest.raises(AuditorError) as error, open_store(location, create=create):
        pass
    assert error.value.exit_code == 2
    assert error.value.advice
    assert error.value.where
    return error.value


def test_a_history_is_read_by_its_owner_only(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "new" / "history.db")):
        pass
    assert stat.S_IMODE((tmp_path / "new" / "history.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["history.db"]


def test_reading_makes_no_history(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    assert "There is no history here" in error_of(str(path), create=False).what
    assert not path.exists()
    path.touch()
    assert "There is no history here" in error_of(str(path), create=False).what
    assert path.stat().st_size == 0


def test_a_postgresql_database_without_a_history_is_not_made_one_by_reading(cluster: Cluster) -> None:
    name = cluster.database()
    assert "There is no history here" in error_of(cluster.location(name), create=False).what
    assert cluster.sql(name, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'entra%'") == "0"


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, long enough to be taken for a file of pages.\n" * 100)
    before = file.read_bytes()
    for create in (True, False):
        assert "not a database" in error_of(str(file), create=create).what
    assert "A folder stands" in error_of(str(tmp_path)).what
    assert "cannot be opened" in error_of(str(file / "history.db")).what
    assert "cannot be opened" in error_of("x" * 300).what
    assert file.read_bytes() == before


def test_a_damaged_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with open_store(str(path)) as store:
        keep(store, 0, 1)
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(len(data) - 4096))
    with pytest.raises(AuditorError, match="cannot be read"), open_store(str(path), create=False) as store:
        store.check()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (x)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in error_of(str(path)).what
    assert path.read_bytes() == before


def test_a_history_of_a_newer_version_is_refused_and_left_alone(place: str) -> None:
    with open_store(place) as store:
        keep(store, 0)
    with opened(place, create=True) as old, old.writing("schema") as connection:
        migrate(connection, where=place, migrations=LATER)
    for create in (True, False):
        assert f"version {len(LATER)}" in error_of(place, create=create).what


def test_a_history_of_an_older_version_is_brought_up_to_date_with_all_it_holds(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(place) as store:
        kept = keep(store, 0, 1)
    monkeypatch.setattr(database, "MIGRATIONS", LATER)
    for create in (False, True):
        with open_store(place, create=create) as store:
            assert store.run(STREAM) == kept[-1]
            assert store.check() == ()
    with opened(place, create=False) as old, old.reading() as connection:
        assert version(connection, where=place, newest=len(LATER)) == len(LATER)
        assert connection.exec_driver_sql("SELECT seen FROM entra_audit_heads").all() == [(None,)]


def test_a_migration_that_fails_leaves_the_version_before(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(place) as store:
        keep(store, 0)
    broken = (*LATER, ("CREATE TABLE entra_audit_half (x INTEGER)", "CREATE NONSENSE"))
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    assert "cannot be written" in error_of(place).what
    monkeypatch.undo()
    with open_store(place, create=False) as store:
        assert store.check() == ()
    with opened(place, create=False) as old, old.reading() as connection:
        assert version(connection, where=place, newest=9) == len(MIGRATIONS)


def test_a_history_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """Root may write anywhere, so the history lies on a disk that is mounted read-only, in a namespace of its own."""
    path = tmp_path / "history.db"
    with open_store(str(path)) as store:
        keep(store, 0)
    program = (
        "from auditor.errors import AuditorError\n"
        "from auditor.history.store import open_store\n"
        f"with open_store({str(path)!r}, create=False) as store:\n    print(store.check())\n"
        f"try:\n    open_store({str(path)!r}).__enter__()\n"
        "except AuditorError as error:\n    print(type(error).__name__, error)\n"
    )
    done = read_only(tmp_path, program)
    assert done.stdout.startswith("()\n"), done.stderr
    assert "OutputError" in done.stdout
    assert "cannot be" in done.stdout


def read_only(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program for which a folder cannot be written to."""
    if os.geteuid() != 0:
        for path in (folder, *folder.iterdir()):
            path.chmod(path.stat().st_mode & ~0o222)
        command = [sys.executable, "-c", program]
    else:
        if not shutil.which("unshare"):
            pytest.skip("there is no unshare")
        mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
        command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", program]
        if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
            pytest.skip("this machine lets nobody mount")
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def test_a_full_disk_keeps_no_half_run(tmp_path: Path) -> None:
    """The file may not grow, as on a disk that is full: the run is refused, and those before it are whole."""
    path = tmp_path / "history.db"
    with open_store(str(path)) as store:
        keep(store, 0)
    size = path.stat().st_size
    program = (
        "import os, signal, resource\n"
        "from auditor.errors import AuditorError\n"
        "from auditor.history.store import open_store, Contents\n"
        "from tests.history.kept import STREAM, contents\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "made = contents(1)\n"
        "big = Contents(snapshot=os.urandom(200_000), result=made.result, taken_at=made.taken_at)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        f"with open_store({str(path)!r}) as store:\n"
        "    try:\n        store.append(STREAM, lambda _: big)\n"
        "    except AuditorError as error:\n        print(type(error).__name__, error)\n"
        "    print(len(store.entries(STREAM)), store.check())\n"
    )
    assert resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("OutputError"), done.stderr
    assert "cannot be written" in done.stdout
    assert done.stdout.endswith("1 ()\n")
    with open_store(str(path)) as store:
        assert keep(store, 1)[0].entry.number == 2


@pytest.mark.parametrize("missing", ["sqlalchemy", "pg8000"])
def test_a_missing_part_is_named(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from auditor.errors import MissingPartError\n"
        "try:\n"
        "    from auditor.history.store import open_store\n"
        "    open_store('postgresql://kim@localhost/audits').__enter__()\n"
        "except MissingPartError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert f"needs '{missing}'" in done.stdout
    extra = "history" if missing == "sqlalchemy" else "postgresql"
    assert f'pip install "entra-auditor[{extra}]"' in done.stdout
    assert MissingPartError.exit_code == 2


def over_tcp(cluster: Cluster, **options: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"postgresql://{USER}@localhost:{cluster.port}/{cluster.database()}?{query}"


def test_the_password_is_taken_from_the_environment(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    place = over_tcp(cluster)
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    assert "PGPASSWORD" in error_of(place).advice
    monkeypatch.setenv("PGPASSWORD", "wrong, and made up")
    wrong = error_of(place)
    assert "password authentication failed" in wrong.what
    assert "wrong, and made up" not in str(wrong)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with open_store(place) as store:
        keep(store, 0)


def test_a_servers_certificate_is_checked(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    checked = over_tcp(cluster, sslmode="verify-full")
    assert "certificate" in error_of(checked).what
    monkeypatch.setenv("PGSSLROOTCERT", str(cluster.certificates))
    for place in (checked, over_tcp(cluster, sslmode="require")):
        with open_store(place) as store:
            keep(store, 0)
    assert "certificate" in error_of(checked.replace("localhost", "127.0.0.1")).what, "it is for another name"
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "absent.pem"))
    assert error_of(checked).where == "PGSSLROOTCERT"


def test_a_server_that_is_not_there_and_a_database_that_is_not_are_named(cluster: Cluster) -> None:
    gone = error_of("postgresql://kim@127.0.0.1:1/audits")
    assert isinstance(gone, InputError)
    assert "127.0.0.1" in gone.where
    absent = error_of(cluster.location("absent"))
    assert 'database "absent" does not exist' in absent.what


def test_a_reader_of_postgresql_needs_no_right_to_write(cluster: Cluster) -> None:
    name = cluster.database()
    with open_store(cluster.location(name)) as store:
        keep(store, 0)
    cluster.sql(name, "DROP ROLE IF EXISTS reader")
    cluster.sql(name, "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    place = cluster.location(name).replace(f"//{USER}@", "//reader@")
    with open_store(place, create=False) as store:
        assert store.check() == ()
        with pytest.raises(OutputError, match="permission denied"):
            keep(store, 1)


def test_who_only_appends_needs_no_right_to_change_or_delete_an_entry(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """The rights that the documentation names are enough to keep runs, and too few to prune or to tamper."""
    name = cluster.database()
    with open_store(cluster.location(name)) as store:
        keep(store, 0)
    cluster.sql(name, "DROP ROLE IF EXISTS keeper")
    rights = (
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO keeper",
        "GRANT INSERT ON entra_audit_entries, entra_audit_contents TO keeper",
        "GRANT INSERT, DELETE ON entra_audit_heads TO keeper",
    )
    cluster.sql(name, f"CREATE ROLE keeper LOGIN; {'; '.join(rights)}")
    documented = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    assert all(right in documented for right in rights)
    with open_store(cluster.location(name).replace(f"//{USER}@", "//keeper@")) as store:
        keep(store, 1)
        with pytest.raises(OutputError, match="permission denied"):
            store.prune(STREAM, [1])
        assert store.check() == ()
    of = snapshot(9, "Mail.Read")
    location = cluster.location(name).replace(f"//{USER}@", "//keeper@")
    shown = kept(audited(of), encode(of), location, retention=Retention(days=1, at_least=1))
    assert shown.history, "what retention may not take away costs no report"
    assert "could not be pruned" in caplog.text
