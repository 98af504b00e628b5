"""Sources: each module turns one kind of input into a Snapshot and holds one constant, `SOURCE`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, cast

from msgspec import Struct

from auditor.graph.auth import Connection
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import Snapshot
from auditor.registry import discover


class Progress(Protocol):
    """What a source tells of its progress; the command line shows it on stderr."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Say that `done` of `total` (None: not known yet) requests or files of `what` are finished."""


def silent(what: str, done: int, total: int | None) -> None:
    """Show no progress."""


class SourceRequest(Struct, frozen=True, kw_only=True):
    """Everything that a source may need; each takes what it understands."""

    profile: AppProfile
    configuration: AppConfiguration
    location: str = ""
    """The value of the source's option: a file or a folder."""
    only: frozenset[str] = frozenset()
    """appIds to audit; empty: every app that the profile identifies."""
    taken_at: datetime | None = None
    connection: Connection | None = None
    """How to reach and sign in to Microsoft Graph; None: as the environment says."""
    strict_identity: bool = False
    """Refuse to read as an identity that could also write."""
    progress: Progress = silent


class SourceKind(Struct, frozen=True, kw_only=True):
    """One kind of input."""

    name: str
    option: str
    """Command-line option that chooses it: `--snapshot`; empty for the default source."""
    metavar: str
    help: str
    read: Callable[[SourceRequest], Snapshot]
    """Returns the snapshot; raises InputError, SignInError or GraphError."""


def sources() -> dict[str, SourceKind]:
    """Return every source by its name, in name order."""
    return {kind.name: kind for kind in cast("dict[str, SourceKind]", discover(__name__, "SOURCE")).values()}
