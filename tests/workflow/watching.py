"""What tests of the watch share: small tenants on simulators of their own, read over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.engine.audit import exit_code
from auditor.engine.rulebook import Rulebook
from auditor.graph.auth import Connection, simulator_connection
from auditor.model.configuration import Configuration
from auditor.model.outcome import Severity
from auditor.model.snapshot import Snapshot
from auditor.model.watch import WatchedAudit
from auditor.reporters import reporters
from auditor.simulator.server import Running
from auditor.sources import sources
from auditor.workflow.prepare import prepared
from auditor.workflow.watch import Wanted
from auditor.workflow.watch_tenants import WatchedTenant
from tests.engine.world import app, rulebook, tenant

IDS = {name: f"{number}0000000-0000-4000-8000-00000000000{number}" for number, name in enumerate("abc", 1)}
"""Made-up tenants."""
Before = Callable[[], None]


def small(name: str = "a", *roles: str) -> Snapshot:
    """A tenant with one app."""
    return tenant(app("Calendars.ReadWrite", *roles), tenant_id=IDS[name], tenant_name=f"Sample {name}")


def nothing() -> None:
    """Wait for nothing."""


def on(simulator: Running, name: str, *, before: Before = nothing, book: Rulebook | None = None) -> WatchedTenant:
    """A tenant that a simulator serves; `before` is called in the thread that reads, before it does."""

    @contextmanager
    def connect() -> Iterator[Connection]:
        before()
        yield simulator_connection(simulator.url, simulator.token)

    book = book or rulebook()
    return WatchedTenant(
        name=name,
        kind=sources()["tenant"],
        connect=connect,
        apps=((book.profile.id, prepared(book, Configuration())),),
    )


def wanted(out: Path, history: str = "") -> Wanted:
    """Every tenant's audit.json and report.html, exit code 1 from `high` on."""
    formats = (reporters()["json"], reporters()["html"])
    return Wanted(out=out, reporters=formats, judged=lambda result: exit_code(result, Severity.HIGH), history=history)


def unheard(_audit: WatchedAudit) -> None:
    """Tell nobody."""
