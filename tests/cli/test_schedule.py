"""`schedule` as a user calls it: printed, written, refused; and how a schedule stands."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from auditor.cli.schedule import VERBS
from auditor.delivery.schedules import schedules
from auditor.delivery.schedules.timetable import Timetable
from auditor.errors import OutputError
from auditor.model.canonical import to_json
from auditor.workflow.guarded import STATE, Guard, LastRun, guarded
from auditor.workflow.schedule import PLAN, Installed, standing
from tests.cli.conftest import Run
from tests.delivery.planned import GUID

TENANT = ("--tenant-id", "contoso.example", "--client-id", GUID)
CALLS = {
    "azure-container-job": ("--image", "registry.example/entra-audit:1", "--client-id", GUID),
    "cron": ("--config", "entra-audit.yaml", "--reports", "reports", "--auth", "managed-identity"),
    "github-actions": TENANT,
    "kubernetes": ("--image", "registry.example/entra-audit:1", *TENANT),
    "systemd": ("--config", "entra-audit.yaml", "--reports", "reports", "--auth", "azure-cli"),
}
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)  # A Wednesday.
ENDED = LastRun(run=7, started=NOW, ended=NOW, exit_code=0, pid=4711, host="watcher")
PLANNED = Installed(
    platform="cron", name="entra-audit", timetable=Timetable(every="day"), jitter=0, since=NOW - timedelta(days=9)
)


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_help_is_the_commands_own(verb: str) -> None:
    command: click.Command = import_module(f"auditor.cli.schedule.{verb}").command
    assert command.help
    assert command.help.split("\n\n")[0].replace("\n", " ") == VERBS[verb]


@pytest.mark.parametrize("platform", CALLS)
def test_what_is_printed_is_what_is_written(platform: str, run: Run, tmp_path: Path) -> None:
    """Printing does nothing else; --out writes the same for its owner alone and names the files."""
    assert set(CALLS) == set(schedules())
    printed = run("schedule", platform, *CALLS[platform])
    assert printed.code == 0
    assert list(tmp_path.iterdir()) == []
    written = run("schedule", platform, *CALLS[platform], "--out", "there")
    paths = [Path(line) for line in written.out.splitlines()]
    assert sorted(paths) == sorted(Path("there").iterdir())
    for path in paths:
        assert path.read_text() in printed.out
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_command_line_is_that_of_watch_on_this_machine(run: Run, tmp_path: Path) -> None:
    """The program by its path, other paths from the root, whatever folder cron starts it in."""
    line = run("schedule", "cron", *CALLS["cron"], "--history", "history.db").out
    program = Path(sys.executable).with_name("entra-audit")
    assert f" exec {program} watch --config {tmp_path}/entra-audit.yaml --out {tmp_path}/reports " in line
    assert f"--history {tmp_path}/history.db --log {tmp_path}/reports/entra-audit.log" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("github-actions", *TENANT, "--history", "postgresql://me:made-up@db.example/x"),
            "The address holds a password",
        ),
        (("cron", *CALLS["cron"][:-1], "client-secret"), "Invalid value for '--auth'"),
        (("cron", *CALLS["cron"], "--at", "25:00"), "no time of a day"),
        (("cron", *CALLS["cron"], "--install", "--out", "x"), "One of the two"),
        (("cron", *CALLS["cron"], "--name", "A"), "--name"),
        (("kubernetes", *TENANT), "Missing option '--image'"),
        (("kubernetes", *CALLS["kubernetes"], "--install"), "No such option"),
        (("remove", "kubernetes"), "Invalid value"),
        (("remove", "cron", "--name", "x;y"), "cannot be a schedule's name"),
        (("remove", "cron", "--system"), "A crontab is its user's"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    ran = run("schedule", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert "made-up" not in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("platform", ["cron", "systemd"])
def test_without_the_platforms_program_nothing_is_installed(
    platform: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "entra-audit.yaml").write_text("history: runs.db\n")
    ran = run("schedule", platform, *CALLS[platform], "--install")
    assert ran.code == 2
    assert "There is no " in ran.err
    assert not (tmp_path / "reports" / PLAN).exists()


# How it stands


@pytest.mark.parametrize(
    ("last", "planned", "sound", "overdue"),
    [
        (None, None, False, False),
        (ENDED, None, True, False),
        (replace(ENDED, exit_code=1), None, True, False),
        (replace(ENDED, exit_code=2), None, False, False),
        (replace(ENDED, exit_code=3), None, False, False),
        (replace(ENDED, ended=None, exit_code=None), None, False, False),
        (ENDED, PLANNED, True, False),
        (replace(ENDED, started=NOW - timedelta(hours=5)), PLANNED, True, False),
        (replace(ENDED, started=NOW - timedelta(hours=6)), PLANNED, False, True),
        (replace(ENDED, started=NOW - timedelta(hours=6)), replace(PLANNED, jitter=5 * 3600), True, False),
        (None, PLANNED, False, True),
        (None, replace(PLANNED, since=NOW - timedelta(hours=1)), False, False),
    ],
)
def test_a_schedule_stands_as_its_files_say(
    last: LastRun | None, planned: Installed | None, sound: bool, overdue: bool, tmp_path: Path
) -> None:
    """Due at 06:17, seen at 12:00: sound only with a complete run, and overdue once none began in time."""
    for name, value in ((STATE, last), (PLAN, planned)):
        if value is not None:
            (tmp_path / name).write_bytes(to_json(value))
    found = standing(tmp_path, now=NOW)
    assert (found.sound, found.overdue, found.running) == (sound, overdue, False)
    assert found.next_due == (datetime(2026, 11, 26, 6, 17, tzinfo=UTC) if planned else None)


def test_status_says_what_a_person_asks(run: Run, tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(to_json(replace(ENDED, exit_code=2, message="No answer.\x1b[2J")))
    (tmp_path / PLAN).write_bytes(to_json(PLANNED))
    ran = run("schedule", "status", "--reports", tmp_path)
    assert ran.code == 3
    lines = dict(line.split(maxsplit=1) for line in ran.out.replace("last run", "last").splitlines())
    assert lines["schedule"] == "cron entra-audit, every day at 06:17 UTC"
    assert lines["last"].startswith("number 7, ended 25 Nov 2026 12:00 UTC with exit code 2: No answer.")
    assert lines["lock"] == "free"
    assert "\x1b" not in ran.out


def test_a_schedule_of_elsewhere_is_overdue_by_the_times_that_are_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(to_json(replace(ENDED, started=datetime.now(UTC) - timedelta(days=30))))
    known = run("schedule", "status", "--reports", tmp_path, "--every", "day", "--at", "00:00")
    assert known.code == 3
    assert "overdue    yes" in known.out
    assert "overdue    unknown" in run("schedule", "status", "--reports", tmp_path).out


@pytest.mark.parametrize("name", [STATE, PLAN])
def test_a_file_that_cannot_be_read_is_an_error(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{")
    ran = run("schedule", "status", "--reports", tmp_path)
    assert ran.code == 2
    assert name in ran.err


HOLDER = """
import sys, time
from pathlib import Path
from auditor.workflow.guarded import Guard, guarded
guarded(lambda: print("under way", flush=True) or time.sleep(120), Guard(out=Path(sys.argv[1])))
"""


def test_status_tells_a_living_run_from_a_cut_one(run: Run, tmp_path: Path) -> None:
    """While a run lives, who holds the lock is said and asking does not disturb it; after kill -9 it is called cut."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "under way\n"
        living = run("schedule", "status", "--reports", tmp_path)
        with pytest.raises(OutputError):
            guarded(lambda: 0, Guard(out=tmp_path))
        process.send_signal(signal.SIGKILL)
    cut = run("schedule", "status", "--reports", tmp_path)
    holder = f"process {process.pid} on {json.loads((tmp_path / STATE).read_bytes())['host']}"
    assert living.code == 0
    assert f"under way, {holder}" in living.out
    assert f"lock       held by {holder}" in living.out
    assert cut.code == 3
    assert f"cut: {holder} ended without a word" in cut.out
    assert "lock       free" in cut.out
    assert guarded(lambda: 0, Guard(out=tmp_path)) == 0
    assert run("schedule", "status", "--reports", tmp_path).code == 0
