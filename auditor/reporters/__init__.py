"""Reporters: each module turns an AuditResult into the files of one format and holds one constant, `REPORTER`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from msgspec import Struct

from auditor.model.outcome import AuditResult
from auditor.registry import discover


class Reporter(Struct, frozen=True, kw_only=True):
    """One format."""

    name: str
    """As `--format` takes it: `html`."""
    help: str
    render: Callable[[AuditResult], Mapping[str, bytes]]
    """File name to content; pure: no clock, locale, file or network."""


def reporters() -> dict[str, Reporter]:
    """Return every reporter by its name, in name order."""
    return {r.name: r for r in cast("dict[str, Reporter]", discover(__name__, "REPORTER")).values()}
