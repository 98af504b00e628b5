"""Schedules: what starts the watch each day or week, for one platform in each module.

Each module holds one constant, `SCHEDULE`. A platform only starts the program: lock, retries, random wait and log are
the program's own and the same everywhere. No secret stands in what is written: the platform says who runs there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from msgspec import Struct

from auditor.delivery.schedules.request import Request
from auditor.registry import discover


class Schedule(Struct, frozen=True, kw_only=True):
    """One platform."""

    name: str
    """As the command line takes it: `github-actions`."""
    help: str
    auth: tuple[str, ...]
    """The sign-ins that it offers; one alone is taken without being named."""
    program: tuple[str, ...] = ()
    """How the program is called there; empty: as it is installed on this machine."""
    config: str = ""
    """Where the configuration lies there; empty: on this machine, and has to be named."""
    reports: str = ""
    """Where the reports go there; empty: on this machine, and has to be named."""
    container: bool = False
    """It runs an image."""
    render: Callable[[Request], Mapping[str, bytes]]
    """Request to file name and content; pure; UsageError for what the platform cannot say."""
    install: Callable[[Request], tuple[str, ...]] | None = None
    """Puts it in force on this machine, and says in lines what was done; None: cannot."""
    remove: Callable[[str, str], tuple[str, ...]] | None = None
    """Takes the schedule of a name away; the second text is the account of a system's unit, else empty."""


def schedules() -> dict[str, Schedule]:
    """Return every platform by its name, in name order."""
    return {s.name: s for s in cast("dict[str, Schedule]", discover(__name__, "SCHEDULE")).values()}
