"""Where a history is: what is understood, what is refused, and where the password comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.history.location import Postgres, parse, password

NOBODY: dict[str, str] = {"PGUSER": "auditor"}


def postgres(location: str, environment: dict[str, str] | None = None) -> Postgres:
    place = parse(location, NOBODY if environment is None else environment)
    assert isinstance(place, Postgres)
    return place


def test_a_file_is_taken_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for location in ("runs.db", "sqlite:///runs.db", str(tmp_path / "runs.db"), f"sqlite:///{tmp_path / 'runs.db'}"):
        assert parse(location, {}) == tmp_path / "runs.db"


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/entra-audit/history.db"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "HOME/.local/share/entra-audit/history.db"),
        ("linux", {}, "HOME/.local/share/entra-audit/history.db"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "HOME/Library/Application Support/entra-audit/history.db"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/entra-audit/history.db"),
        ("win32", {}, "HOME/AppData/Local/entra-audit/history.db"),
    ],
)
def test_the_default_lies_where_the_platform_keeps_a_users_data(
    platform: str, environment: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert parse("default", environment) == Path(expected.replace("HOME", str(tmp_path)))


def test_a_database_on_this_machine_needs_no_tls_and_any_other_needs_a_certificate() -> None:
    near = ("localhost", "127.0.0.1", "[::1]")
    assert {postgres(f"postgresql://{host}/audits").ssl_mode for host in near} == {"disable"}
    assert postgres("postgresql:///audits?host=/run/postgresql").ssl_mode == "disable"
    assert postgres("postgresql://db.contoso.example/audits").ssl_mode == "verify-full"
    assert postgres("postgresql://db.contoso.example/audits?sslmode=require").ssl_mode == "require"
    assert postgres("postgresql://localhost/audits?sslmode=verify-full").ssl_mode == "verify-full"


def test_a_url_says_host_port_user_and_database() -> None:
    place = postgres("postgresql://kim%40contoso@db.contoso.example:6432/audit%20runs")
    assert (place.host, place.port, place.user) == ("db.contoso.example", 6432, "kim@contoso")
    assert place.database == "audit runs"
    assert place.where == "postgresql://db.contoso.example:6432/audit runs"
    assert postgres("postgresql://localhost/audits").port == 5432
    assert postgres("postgresql:///audits?host=/run/pg", {"PGUSER": "x"}).socket == "/run/pg/.s.PGSQL.5432"


SECRET = "hunter2-made-up"


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://kim:{SECRET}@localhost/audits",
        f"postgresql://kim:@{SECRET}/audits",
        f"postgresql://localhost/audits?password={SECRET}",
        f"mysql://kim:{SECRET}@localhost/audits",
    ],
)
def test_a_password_in_the_location_is_refused_and_not_repeated(location: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(location, NOBODY)
    assert SECRET not in str(error.value)
    assert "PGPASSWORD" in error.value.advice


@pytest.mark.parametrize(
    "location",
    [
        "",
        "  ",
        "runs\0.db",
        "mysql://localhost/audits",
        "https://contoso.example/runs.db",
        "postgresql://localhost",
        "postgresql://localhost/",
        "postgresql://localhost:port/audits",
        "postgresql://localhost:99999/audits",
        "postgresql://[::1/audits",
        "postgresql://localhost/audits?sslmode=prefer",
        "postgresql://localhost/audits?options=-csearch_path",
    ],
)
def test_what_is_no_place_is_refused(location: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(location, NOBODY)
    assert error.value.advice


def test_the_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text(
        "# a comment: with: four: colons: in it\n"
        "other.example:5432:*:kim:wrong\n"
        "too:few\n"
        "db.contoso.example:*:audits:kim:it\\:is\\\\made:up\n"
        "*:*:*:*:last\n"
    )
    place = postgres("postgresql://kim@db.contoso.example/audits")
    assert password(place, {"PGPASSFILE": str(file)}) == "it:is\\made:up"
    assert password(place, {"PGPASSFILE": str(file), "PGPASSWORD": "first"}) == "first"
    near = postgres("postgresql://kim@/audits?host=/run/pg")
    assert password(near, {"PGPASSFILE": str(file)}) == "last"
    assert password(place, {"PGPASSFILE": str(tmp_path / "absent")}) is None
    file.write_bytes(b"\xff\xfe")
    assert password(place, {"PGPASSFILE": str(file)}) is None


def test_a_password_file_of_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".pgpass").write_text("localhost:5432:audits:auditor:made-up\n")
    assert password(postgres("postgresql://localhost/audits"), {}) == "made-up"
