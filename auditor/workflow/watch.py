"""The watch: tenants read side by side, judged and reported one by one; one that fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from typing import TypeVar

from msgspec import Struct

from auditor import __version__
from auditor.errors import AuditorError, GraphError, SignInError
from auditor.model.configuration import AppConfiguration, Retention
from auditor.model.drift import Drift
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Snapshot
from auditor.model.watch import Watch, WatchedAudit
from auditor.reporters import Reporter
from auditor.reporters.watch_page import watch_files
from auditor.sources import Progress, SourceRequest, silent
from auditor.workflow.keep import check_history
from auditor.workflow.prepare import Prepared
from auditor.workflow.run import judge, report
from auditor.workflow.watch_rows import audited, failed
from auditor.workflow.watch_tenants import WatchedTenant, check_tenant
from auditor.workflow.writing import check_folder, write_files

T = TypeVar("T")
LOG = logging.getLogger("auditor.watch")
JOBS = 4
"""Tenants that are read at the same time."""
DEFECT = "A defect of the program ended the reading; its traceback stands on stderr."
_TICK = 0.5
"""Seconds after which a wait looks for Ctrl-C, which interrupts no wait without an end on Windows."""


class Watched(Struct, frozen=True, kw_only=True):
    """A finished watch."""

    watch: Watch
    drifts: tuple[Drift | None, ...]
    """Of each audit, in the order of `watch.audits`; None where there is nothing to compare with."""
    paths: tuple[Path, ...]
    """The combined report's files."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What is made of what was read."""

    out: Path
    """The folder of the combined report; each tenant's reports lie in a folder below it."""
    reporters: tuple[Reporter, ...]
    """The formats of each tenant's report."""
    judged: Callable[[AuditResult], int]
    """Gives the exit code of one audit: 0, 1 or 3."""
    history: str = ""
    """Where runs are kept; empty: nowhere."""
    retention: Retention = Retention()


class Reading(Struct, frozen=True, kw_only=True):
    """How tenants are read."""

    jobs: int = JOBS
    retries: int = 0
    """New attempts for a tenant that could not be signed in to or reached, after 1, 2, 4 ... minutes."""
    wait: float = 60.0
    """Seconds before the first of them."""
    taken_at: datetime | None = None
    """When an export was made."""
    strict_identity: bool = False
    progress: Progress = silent


class _Task(Struct, frozen=True, kw_only=True):
    """The audit of one app in one tenant."""

    number: int
    tenant: WatchedTenant
    app: str
    prepared: Prepared


class _StoppedError(BaseException):
    """Nobody waits for what this thread reads any more; it is none of the errors that anybody handles."""


def watch(
    tenants: Sequence[WatchedTenant], wanted: Wanted, reading: Reading, *, told: Callable[[WatchedAudit], None]
) -> Watched:
    """Read every tenant, judge it, keep the run, and write its reports; then the combined report.

    Reading is side by side, each tenant in a thread of its own; everything else happens here, one after the other, so
    that Ctrl-C leaves nothing half-written.

    Args:
        tenants: what is read, in the order of the combined report.
        wanted: what is made of it.
        reading: how.
        told: is called with each audit as it ends, from the thread that called.

    Raises:
        AuditorError: the history or the folder cannot be used at all, or the combined report cannot be written. What
            goes wrong with one tenant is told in the report.
    """
    check_folder(wanted.out)
    if wanted.history:
        check_history(wanted.history)
    pairs = [(tenant, app, prepared) for tenant in tenants for app, prepared in tenant.apps]
    tasks = [_Task(number=n, tenant=tenant, app=app, prepared=what) for n, (tenant, app, what) in enumerate(pairs)]
    ended: dict[int, tuple[WatchedAudit, Drift | None]] = {}
    with closing(_side_by_side(tasks, reading)) as outcomes:
        for task, outcome in outcomes:
            ended[task.number] = _ended(task, outcome, wanted)
            told(ended[task.number][0])
    rows, drifts = zip(*(ended[task.number] for task in tasks), strict=True)
    whole = Watch(tool_version=__version__, exit_code=max(row.exit_code for row in rows), audits=rows)
    return Watched(watch=whole, drifts=drifts, paths=write_files(wanted.out, watch_files(whole)))


def _side_by_side(tasks: Sequence[_Task], reading: Reading) -> Generator[tuple[_Task, Snapshot | AuditorError | None]]:
    """Yield what each task read, as it ends; None for one that ended by a defect of the program."""
    done: SimpleQueue[tuple[_Task, Snapshot | AuditorError | None]] = SimpleQueue()
    stop, slots = Event(), Semaphore(reading.jobs)
    turns = {task.tenant.name: Lock() for task in tasks}

    def work(task: _Task) -> None:
        outcome: Snapshot | AuditorError | None = None
        try:
            with turns[task.tenant.name], slots:
                outcome = _read(task, reading, stop)
        except AuditorError as error:
            outcome = error
        except _StoppedError:
            pass
        finally:
            done.put((task, outcome))

    try:
        for task in tasks:
            # A daemon: a program that was interrupted does not wait for answers that nobody needs.
            Thread(target=work, args=(task,), name=task.tenant.name, daemon=True).start()
        for _ in tasks:
            yield _next(done)
    finally:
        stop.set()


def _next(done: SimpleQueue[T]) -> T:
    while True:
        with suppress(Empty):
            return done.get(timeout=_TICK)


def _read(task: _Task, reading: Reading, stop: Event) -> Snapshot:
    """Return the tenant as it is now, in another attempt where signing in or reaching it failed."""
    wait = reading.wait
    for _ in range(reading.retries):
        try:
            return _read_once(task, reading, stop)
        except (GraphError, SignInError) as error:
            LOG.warning("%s failed, and is tried again in %.0f s: %s", task.tenant.name, wait, error)
        if stop.wait(wait):
            raise _StoppedError
        wait *= 2
    return _read_once(task, reading, stop)


def _read_once(task: _Task, reading: Reading, stop: Event) -> Snapshot:
    tenant, prepared = task.tenant, task.prepared

    def progress(what: str, done: int, total: int | None) -> None:
        if stop.is_set():
            raise _StoppedError
        reading.progress(f"{tenant.name}: {what}", done, total)

    if stop.is_set():
        raise _StoppedError
    with tenant.connect() as connection:
        request = SourceRequest(
            profile=prepared.rulebook.profile,
            configuration=prepared.configuration.apps.get(task.app, AppConfiguration()),
            location=tenant.location,
            taken_at=reading.taken_at,
            connection=connection,
            strict_identity=reading.strict_identity and connection is not None,
            progress=progress,
        )
        snapshot = tenant.kind.read(request)
    check_tenant(snapshot, tenant.tenant_id)
    return snapshot


def _ended(task: _Task, outcome: Snapshot | AuditorError | None, wanted: Wanted) -> tuple[WatchedAudit, Drift | None]:
    """Return how a task ended, with its reports written where it was read."""
    name, profile = task.tenant.name, task.prepared.rulebook.profile
    if isinstance(outcome, Snapshot):
        try:
            return _reported(task, outcome, wanted)
        except AuditorError as error:
            outcome = error
    why = str(outcome) if outcome else DEFECT
    return failed(name, profile, why), None


def _reported(task: _Task, snapshot: Snapshot, wanted: Wanted) -> tuple[WatchedAudit, Drift | None]:
    result, data = judge(snapshot, task.prepared)
    folder = task.tenant.folder(task.app)
    done = report(
        result,
        data,
        reporters=wanted.reporters,
        out=wanted.out / folder,
        history=wanted.history,
        retention=wanted.retention,
    )
    page = next((path.name for path in done.paths if path.name == "report.html"), "")
    row = audited(task.tenant.name, done.result, code=int(wanted.judged(done.result)), report=f"{folder}/{page}")
    return row, done.result.drift or None
