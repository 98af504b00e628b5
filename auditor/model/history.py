"""Kept runs: one chain of entries for each tenant and profile, each holding the hash of the one before it.

A run is an entry with its snapshot and its result; pruning is an entry too, so that what was taken away on purpose is
told from what was removed. No entry holds the time of its writing: the same snapshot after the same history gives the
same entry.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

SCHEMA = "entra-auditor/history"
VERSION = 1
FIRST = "0" * 64
"""What stands for the hash before the first entry."""


class Stream(Struct, frozen=True, kw_only=True, order=True):
    """What one chain is about."""

    tenant_id: str
    profile: str


class Entry(Struct, frozen=True, kw_only=True):
    """One link of a chain. Its hash is the SHA-256 of its canonical JSON."""

    schema: str = SCHEMA
    version: int = VERSION
    tenant_id: str
    profile: str
    number: int
    """1 for the first of its chain, without gaps."""
    previous: str
    """Hash of the entry before; FIRST for the first."""
    kind: Literal["run", "pruned"]
    taken_at: datetime | None = None
    """Of the run's snapshot; None for `pruned`."""
    snapshot_sha256: str = ""
    """Of the canonical snapshot, not packed."""
    result_sha256: str = ""
    """Of audit.json as it is without history and drift."""
    summary_sha256: str = ""
    """Of the run in short, which stays when the contents go."""
    pruned: tuple[int, ...] = ()
    """Numbers of the runs whose contents were taken away, for `pruned`."""


class HistoryHead(Struct, frozen=True, kw_only=True):
    """Where a run stands in its chain, as its reports show it."""

    number: int
    """Of this run's entry."""
    sha256: str
    """Hash of this run's entry: the head of the chain when the report was made."""
    previous_run: int
    """Number of the run before; 0 where this is the first that is kept."""
    previous_taken_at: datetime | None = None
