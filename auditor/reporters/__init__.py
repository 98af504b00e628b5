"""Reporters: each module turns an AuditResult into the files of one format and holds one constant, `REPORTER`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import cast

from msgspec import Struct

from auditor.errors import MissingPartError
from auditor.model.outcome import AuditResult
from auditor.registry import discover


class Reporter(Struct, frozen=True, kw_only=True):
    """One format."""

    name: str
    """As `--format` takes it: `html`."""
    help: str
    render: Callable[[AuditResult], Mapping[str, bytes]]
    """File name to content; pure: no clock, locale, file or network."""
    needs: tuple[str, ...] = ()
    """Modules that a plain installation lacks."""
    extra: str = ""
    """The extra of entra-auditor that brings them."""

    def check(self) -> None:
        """Raise MissingPartError where a module that the format needs is not installed."""
        for module in self.needs:
            if find_spec(module) is None:
                raise MissingPartError(
                    f"The format '{self.name}' needs '{module}', which is not installed.",
                    where="--format",
                    advice=f'Install it: pip install "entra-auditor[{self.extra}]"',
                )


def reporters() -> dict[str, Reporter]:
    """Return every reporter by its name, in name order."""
    return {r.name: r for r in cast("dict[str, Reporter]", discover(__name__, "REPORTER")).values()}
