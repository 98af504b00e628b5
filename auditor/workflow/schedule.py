"""Schedules: written, installed, and how one stands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from filelock import Timeout
from msgspec import Struct
from msgspec.structs import replace

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION, NO_SECRET, Request, check, check_name
from auditor.delivery.schedules.timetable import Timetable
from auditor.errors import InputError, UsageError
from auditor.model.canonical import from_json, to_json
from auditor.model.text import moment
from auditor.workflow.guarded import Guard, LastRun, held, last_run
from auditor.workflow.watch_tenants import read_team
from auditor.workflow.writing import write_file, write_files

PLAN = "schedule.json"
_ATTENDED = ("device-code", "browser")
GRACE = timedelta(hours=1)
"""How late a run may begin, beyond its random wait, before it counts as overdue."""


class Installed(Struct, frozen=True, kw_only=True):
    """schedule.json in the folder of the reports: what begins a run there."""

    platform: str
    name: str
    timetable: Timetable
    jitter: int
    """Seconds."""
    since: datetime


class Standing(Struct, frozen=True, kw_only=True):
    """How a schedule stands."""

    installed: Installed | None
    """None: it was not installed from here, and nobody said when it is due."""
    last: LastRun | None
    """None: there has been no run."""
    running: bool
    """A living process holds the lock."""
    next_due: datetime | None
    overdue: bool
    """A run was due, and none has begun since."""

    @property
    def sound(self) -> bool:
        """The watch keeps watching: a run is under way in time, or the last one was complete."""
        if self.overdue or self.last is None:
            return False
        return self.running or self.last.exit_code in (0, 1)


def program() -> tuple[str, ...]:
    """Return how this program is called on this machine."""
    beside = Path(sys.executable).with_name("entra-audit")
    found = str(beside) if beside.exists() else shutil.which("entra-audit")
    return (found,) if found else (sys.executable, "-m", "auditor")


def render(schedule: Schedule, request: Request) -> Mapping[str, bytes]:
    """Return the files of a schedule by name.

    Raises:
        UsageError: a value cannot stand there, or the platform does not offer it.
        ConfigurationError: the unit's sandbox depends on a configuration that is wrong.
    """
    check(request)
    if request.auth not in schedule.auth:
        raise UsageError(
            f"{schedule.name} does not sign in by {request.auth}.",
            where="--auth",
            advice=f"One of {', '.join(schedule.auth)}.",
        )
    if schedule.container != bool(request.image):
        raise UsageError(
            "A container needs an image, and nothing else does.",
            where="--image",
            advice="Name yours: docs/schedule.md says how it is built." if schedule.container else "Leave it out.",
        )
    if request.account and Path(request.config).is_file():
        request = _as_configured(request)
    return schedule.render(request)


def write(schedule: Schedule, request: Request, out: Path) -> tuple[Path, ...]:
    """Write the files of a schedule into a folder, and return their paths.

    Raises:
        OutputError: they cannot be written.
        UsageError: as `render`.
    """
    return write_files(out, render(schedule, request))


def install(schedule: Schedule, request: Request) -> tuple[str, ...]:
    """Put a schedule in force on this machine, note it beside the reports, and say what was done.

    Raises:
        AuditorError: the platform cannot, or refuses.
    """
    request = _as_configured(request)
    render(schedule, request)
    if schedule.install is None:
        raise UsageError(
            f"{schedule.name} is not of this machine.",
            where="--install",
            advice="Leave it out, and carry the files there.",
        )
    said = schedule.install(request)
    noted = Installed(
        platform=schedule.name,
        name=request.name,
        timetable=request.timetable,
        jitter=request.jitter,
        since=datetime.now(UTC),
    )
    path = write_file(Path(request.reports) / PLAN, to_json(noted))
    if request.account:
        shutil.chown(path, user=request.account)
    return (*said, f"noted: {path}")


def _as_configured(request: Request) -> Request:
    """Return the request with the history of the configuration, which a sandbox has to leave writable.

    Raises:
        ConfigurationError: the configuration cannot be read, or is wrong.
        UsageError: every run would fail, or wait for somebody: it does not go with the sign-in.
    """
    configuration = read_team(Path(request.config), None).configuration
    by_configuration = request.auth == BY_CONFIGURATION
    if bool(configuration.tenants) != by_configuration:
        has = "says itself how its tenants are read" if configuration.tenants else "names no tenants"
        advice = f"Say --auth {BY_CONFIGURATION}." if configuration.tenants else "Name a method, or write `tenants:`."
        raise UsageError(f"The configuration {has}: no run would begin.", where="--auth", advice=advice)
    for name, tenant in configuration.tenants.items():
        if tenant.sign_in.method in _ATTENDED:
            raise UsageError(
                f"Signing in by {tenant.sign_in.method} waits for a person.",
                where=f"tenants.{name}",
                advice=f"One of {', '.join(NO_SECRET)}, or client-secret.",
            )
    if request.account and not request.history:
        return replace(request, history=configuration.history)
    return request


def standing(
    reports: Path, *, lock: Path | None = None, plan: Timetable | None = None, now: datetime | None = None
) -> Standing:
    """Return how the schedule stands whose runs report into the folder `reports`.

    Args:
        reports: the folder.
        lock: the file that a run locks; None: the usual one.
        plan: when it is due, where it was not installed from here.
        now: None: the clock's.

    Raises:
        InputError: a file of the folder cannot be read.
    """
    present = now or datetime.now(UTC)
    installed, last = _installed(reports), last_run(reports)
    running = _is_held(Guard(out=reports, lock=lock).lock_file)
    table = plan or (installed.timetable if installed else None)
    if table is None:
        return Standing(installed=installed, last=last, running=running, next_due=None, overdue=False)
    due, following = table.due(present)
    late = due + GRACE + timedelta(seconds=installed.jitter if installed else 0)
    expected = installed is None or installed.since < due
    overdue = expected and present > late and (last is None or last.started < due)
    return Standing(installed=installed, last=last, running=running, next_due=following, overdue=overdue)


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with held(path, wait=0):
            return False
    except Timeout:
        return True


def _installed(reports: Path) -> Installed | None:
    path = reports / PLAN
    try:
        return msgspec.convert(from_json(path.read_bytes()), Installed)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"This does not say what is scheduled: {error}.", where=str(path), advice="Install the schedule again."
        ) from None


def remove(schedule: Schedule, name: str, *, system: bool) -> tuple[str, ...]:
    """Take an installed schedule away, and say what was done.

    Raises:
        AuditorError: there is none of that name, or the platform refuses.
    """
    if schedule.remove is None:
        raise UsageError(f"{schedule.name} is not of this machine.", advice="Remove it there.")
    check_name(name)
    return schedule.remove(name, "system" if system else "")


def lines(found: Standing) -> Iterator[tuple[str, str]]:
    """Yield what a person reads of a standing: a word and a text each."""
    plan = found.installed
    yield "schedule", f"{plan.platform} {plan.name}, {plan.timetable.words}" if plan else "not installed from here"
    last = found.last
    if last is None:
        yield "last run", "none"
    elif last.ended is None:
        holder = f"process {last.pid} on {last.host}"
        how = f"under way, {holder}" if found.running else f"cut: {holder} ended without a word"
        yield "last run", f"number {last.run}, begun {moment(last.started)}, {how}"
    else:
        why = f": {last.message}" if last.message else ""
        yield "last run", f"number {last.run}, ended {moment(last.ended)} with exit code {last.exit_code}{why}"
    yield "lock", f"held{_holder(last)}" if found.running else "free"
    yield "next run", moment(found.next_due) if found.next_due else "unknown"
    yield "overdue", "yes" if found.overdue else "no" if found.next_due else "unknown"


def _holder(last: LastRun | None) -> str:
    return f" by process {last.pid} on {last.host}" if last and last.ended is None else ""
