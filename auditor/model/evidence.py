"""The manifest of an evidence package: what is in it, what it was made from, and where the run stands in a history."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

SCHEMA = "entra-auditor/evidence"
VERSION = 1


class Member(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the package."""

    name: str
    size: int
    """Bytes."""
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """manifest.json: canonical JSON, over which a signature is made."""

    schema: str = SCHEMA
    version: int = VERSION
    tool_version: str
    """Of the program that made the package; the same version renders the same reports."""
    tenant_id: str
    profile: str
    taken_at: Annotated[datetime, Meta(tz=True)]
    snapshot_sha256: str
    result_sha256: str
    """Of audit.json without history and drift."""
    rules_sha256: str
    configuration_sha256: str = ""
    """Empty where nothing was configured."""
    attestations_sha256: str = ""
    only: tuple[str, ...] = ()
    """appIds that the audit was limited to; empty: to none."""
    closed: bool = False
    """The audit shows findings that the packaged journal closed."""
    run: int = 0
    """Number of the run in its history; 0 where none is known."""
    head: str = ""
    """Hash of that run's entry."""
    previous_run: int = 0
    """Number of the run before whose contents are packaged; 0: of none."""
    members: tuple[Member, ...]
    """Every file but the manifest and its signature, by name."""
