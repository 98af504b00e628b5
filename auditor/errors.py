"""Everything that can go wrong, as one tree.

    AuditorError                      exit 2
    ├── UsageError                    a wrong option or argument
    ├── ConfigurationError            entra-audit.yaml, a rule, an app profile or a permission family is wrong
    ├── InputError                    a snapshot, an export or an audit.json cannot be read
    ├── OutputError                   a result cannot be written
    ├── MissingPartError              an optional dependency is not installed
    ├── SignInError                   no token could be had
    ├── GraphError                    Microsoft Graph could not be reached or answered in a way we do not accept
    ├── RefusedError                  exit 4: a plan that may not be carried out
    └── UnfinishedError               exit 5: a plan that was carried out in part

An error says what is wrong, where, and what to do next; the command line prints exactly that.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; anything else is a defect."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    REFUSED = 4
    UNVERIFIED = 5
    INTERRUPTED = 130


class AuditorError(Exception):
    """An error that a user can act on.

    Args:
        what: one sentence: what is wrong.
        where: the file (with line and column), option or address concerned; empty when there is none.
        advice: what to do next.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, where: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.advice = advice

    def __str__(self) -> str:
        """Return the one paragraph that a user reads."""
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{place}{self.what}{advice}"


class UsageError(AuditorError):
    """A wrong option or argument."""


class ConfigurationError(AuditorError):
    """The configuration, a rule, an app profile or a permission family is wrong."""


class InputError(AuditorError):
    """A snapshot, an export or an audit.json cannot be read."""


class OutputError(AuditorError):
    """A result cannot be written where it was asked for."""


class MissingPartError(AuditorError):
    """An optional dependency is not installed."""


class SignInError(AuditorError):
    """No access token could be had."""


class GraphError(AuditorError):
    """Microsoft Graph could not be reached, or answered in a way that is not accepted."""


class RefusedError(AuditorError):
    """A plan that may not be carried out: edited, aged, for another tenant, over a limit, or the tenant has moved."""

    exit_code = ExitCode.REFUSED


class UnfinishedError(AuditorError):
    """A plan that was carried out in part; its journal says how far."""

    exit_code = ExitCode.UNVERIFIED
