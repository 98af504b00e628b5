"""`schedule --install` and `schedule remove`, before programs that stand in for the system's own: what a crontab keeps,
and what is said when the system refuses. The real ones are in tests/delivery/test_schedules_installed.py."""

from __future__ import annotations

import getpass
import os
import stat
from pathlib import Path

import pytest

from auditor.delivery.schedules import systemd
from auditor.workflow.schedule import PLAN
from tests.cli.conftest import Run

CRONTAB = """\
#!/bin/sh
[ ! -e "$TAB.broken" ] || { echo "crontab: you may not" >&2; exit 1; }
case $1 in
-l) [ -e "$TAB" ] && cat "$TAB" || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$TAB" ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "$TAB"
[ ! -e "$TAB.broken" ] || { echo "Failed to connect to bus" >&2; exit 1; }
"""
CRON = ("schedule", "cron", "--config", "entra-audit.yaml", "--reports", "reports", "--auth", "managed-identity")
SYSTEMD = (CRON[0], "systemd", *CRON[2:])
OTHERS = b"# mine\nPATH=/bin\n\xff not UTF-8\n1 2 3 4 5 true # no line end"


@pytest.fixture
def tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-ins keep what they are told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TAB", str(tmp_path / "tab"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "entra-audit.yaml").write_text("history: kept/runs.db\n")
    return tmp_path / "tab"


def test_a_crontab_keeps_everything_else_byte_for_byte(run: Run, tab: Path) -> None:
    """A second install takes the place of the first, a second name stands beside it, and removing both leaves what was
    there, but for the line end that the last line lacked."""
    tab.write_bytes(OTHERS)
    assert run(*CRON, "--install").code == 0
    assert run(*CRON, "--install", "--every", "day", "--at", "23:05").code == 0
    assert run(*CRON, "--install", "--name", "other").code == 0
    text = tab.read_bytes()
    assert text.startswith(OTHERS + b"\n# BEGIN entra-audit entra-audit\n")
    assert text.count(b"# BEGIN entra-audit ") == 2
    assert b"5,20,35,50 * * * * test" in text
    assert run("schedule", "remove", "cron").code == 0
    assert run("schedule", "remove", "cron", "--name", "other").code == 0
    assert tab.read_bytes() == OTHERS + b"\n"
    again = run("schedule", "remove", "cron")
    assert again.code == 2
    assert "no such schedule" in again.err


def test_without_a_crontab_one_is_made_and_the_plan_is_noted(run: Run, tab: Path, tmp_path: Path) -> None:
    ran = run(*CRON, "--install")
    assert ran.out.splitlines() == [
        "installed: entra-audit in your crontab, every week on monday at 06:17 UTC",
        f"noted: {tmp_path}/reports/{PLAN}",
    ]
    assert tab.read_bytes().startswith(b"# BEGIN")
    status = run("schedule", "status", "--reports", "reports")
    assert status.code == 3
    assert "cron entra-audit, every week on monday at 06:17 UTC" in status.out
    assert "last run   none" in status.out
    assert "overdue    no" in status.out


@pytest.mark.parametrize("arguments", [(*CRON, "--install"), ("schedule", "remove", "cron")])
def test_half_a_block_is_left_for_a_person(arguments: tuple[str, ...], run: Run, tab: Path) -> None:
    half = b"# BEGIN entra-audit entra-audit\n1 2 3 4 5 true\n"
    tab.write_bytes(half)
    ran = run(*arguments)
    assert ran.code == 2
    assert "has no end" in ran.err
    assert tab.read_bytes() == half


@pytest.mark.parametrize("platform", [CRON, SYSTEMD], ids=["cron", "systemd"])
def test_what_the_system_refuses_is_said_in_its_own_words(platform: tuple[str, ...], run: Run, tab: Path) -> None:
    tab.with_name("tab.broken").touch()
    ran = run(*platform, "--install")
    assert ran.code == 2
    assert ("you may not" if platform is CRON else "Failed to connect to bus") in ran.err
    assert not Path("reports", PLAN).exists()


def test_units_go_to_the_users_own_folder_and_come_out_again(run: Run, tab: Path, tmp_path: Path) -> None:
    """Written, read anew by systemd, the timer started; removed in the opposite order. Anybody may read a unit."""
    folder = tmp_path / "config" / "systemd" / "user"
    assert run(*SYSTEMD, "--install").code == 0
    units = sorted(folder.iterdir())
    assert [unit.name for unit in units] == ["entra-audit.service", "entra-audit.timer"]
    assert all(stat.S_IMODE(unit.stat().st_mode) & 0o400 for unit in units)
    assert tab.read_text().splitlines() == ["--user daemon-reload", "--user enable --now entra-audit.timer"]
    tab.unlink()
    assert run("schedule", "remove", "systemd").code == 0
    assert list(folder.iterdir()) == []
    assert tab.read_text().splitlines() == ["--user disable --now entra-audit.timer", "--user daemon-reload"]
    assert "There is no such timer" in run("schedule", "remove", "systemd").err


@pytest.mark.parametrize("platform", [CRON, SYSTEMD], ids=["cron", "systemd"])
def test_a_file_in_the_way_of_the_reports_is_an_error(platform: tuple[str, ...], run: Run, tab: Path) -> None:
    Path("there").touch()
    words = ["there/reports" if word == "reports" else word for word in platform]
    ran = run(*words, "--install")
    assert ran.code == 2
    assert "Not a directory" in ran.err
    assert not tab.exists()


def test_a_user_of_the_machine_is_looked_up_before_anything_is_written(run: Run, tab: Path) -> None:
    """--run-as takes a name that there is; one that there is not is refused."""
    assert f"\nUser={getpass.getuser()}\n" in run(*SYSTEMD, "--run-as", getpass.getuser()).out
    refused = run(*SYSTEMD, "--run-as", "nobody-of-that-name", "--install")
    assert "There is no such user" in refused.err
    assert not tab.exists()


@pytest.mark.parametrize(
    ("text", "arguments", "what"),
    [
        ("tenants: {a: {}}", (), "entra-audit.yaml:1:14: Nothing says where this tenant is read"),
        ("tenants: {a: {tenant_id: contoso.example}}", (), "says itself how its tenants are read"),
        ("history: runs.db", ("--auth", "configuration"), "names no tenants"),
        (
            "tenants: {a: {tenant_id: contoso.example, sign_in: {method: device-code}}}",
            ("--auth", "configuration"),
            "tenants.a: Signing in by device-code waits for a person",
        ),
    ],
)
@pytest.mark.parametrize("platform", [CRON, SYSTEMD], ids=["cron", "systemd"])
def test_a_schedule_of_which_no_run_would_begin_is_not_installed(
    platform: tuple[str, ...], text: str, arguments: tuple[str, ...], what: str, run: Run, tab: Path
) -> None:
    """It is said today and not on Monday morning; nothing is written."""
    Path("entra-audit.yaml").write_text(text)
    ran = run(*platform, *arguments, "--install")
    assert ran.code == 2
    assert what in " ".join(ran.err.split())
    assert not tab.exists()
    assert not Path("reports").exists()
    assert "cannot be read" in run(*platform, "--config", "missing.yaml", "--install").err


def test_a_sandbox_has_every_folder_that_the_run_writes_to(
    run: Run, tab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history of the configuration is writable, and what is missing is made: else the unit would not start."""
    units = tmp_path / "units"
    monkeypatch.setattr(systemd, "SYSTEM", units)
    ran = run(*SYSTEMD, "--run-as", getpass.getuser(), "--log", "logs/watch.log", "--install")
    assert ran.code == 0, ran.err
    folders = [tmp_path / name for name in ("reports", "logs", "kept")]
    service = (units / "entra-audit.service").read_text()
    assert run(*SYSTEMD, "--run-as", getpass.getuser(), "--log", "logs/watch.log").out.count(str(folders[2])) == 2
    written = " ".join(f'"{folder}"' for folder in folders)
    assert f"ReadWritePaths={written}\n" in service
    assert f'"--history" "{folders[2]}/runs.db"' in service
    assert all(folder.is_dir() for folder in folders)
    assert tab.read_text().splitlines() == ["--system daemon-reload", "--system enable --now entra-audit.timer"]


def test_the_azure_cli_does_not_go_with_a_sandbox(run: Run) -> None:
    """Its home is read-only there."""
    ran = run(*SYSTEMD, "--auth", "azure-cli", "--run-as", getpass.getuser())
    assert ran.code == 2
    assert "read-only in the sandbox" in ran.err
