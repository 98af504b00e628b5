"""One run over several tenants: how the audit of each tenant and app ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from auditor.model.history import HistoryHead
from auditor.model.outcome import Decision, Severity
from auditor.model.text import count, listed

SCHEMA = "entra-auditor/watch"
VERSION = 1

State = Literal["complete", "incomplete", "failed"]
"""`failed`: there is no audit, and `why` says so."""


class Change(Struct, frozen=True, kw_only=True):
    """What changed since the run before, in numbers."""

    granted: int
    """Permissions that came, came again or were widened."""
    gone: int
    """Permissions that went or were narrowed."""
    judged_anew: int
    apps: int
    """Apps that came, went or changed otherwise."""
    new_findings: dict[Severity, int]
    """New ones and returned ones."""
    closed_findings: int
    waived_findings: int
    """Findings that a waiver covers now."""
    no_longer_evaluated: int
    """Findings that were there, and of which the newer audit cannot say."""
    waivers: int
    """Waivers that came, went, changed or lapsed."""

    @property
    def none(self) -> bool:
        """Nothing changed."""
        return not any(getattr(self, name) for name in self.__struct_fields__)

    @property
    def words(self) -> str:
        """What changed, new findings left out: `2 permissions came and 1 permission went; 1 change of apps`."""
        moved = [
            *([f"{count(self.granted, 'permission')} came"] if self.granted else []),
            *([f"{count(self.gone, 'permission')} went"] if self.gone else []),
            *([f"{count(self.judged_anew, 'permission')} judged anew"] if self.judged_anew else []),
        ]
        others = (
            (self.closed_findings, "finding", "closed"),
            (self.waived_findings, "finding", "waived"),
            (self.no_longer_evaluated, "finding", "no longer evaluated"),
            (self.apps, "change", "of apps"),
            (self.waivers, "change", "of waivers"),
        )
        told = [f"{count(number, noun)} {what}" for number, noun, what in others if number]
        return "; ".join([*([listed(moved)] if moved else []), *told])


class WatchedAudit(Struct, frozen=True, kw_only=True):
    """The audit of one app profile in one tenant."""

    tenant: str
    """Its name in the configuration."""
    app: str
    """The app profile: `zoom`."""
    app_title: str
    state: State
    exit_code: int
    """0, 1 or 3."""
    why: tuple[str, ...] = ()
    """Why it is incomplete, or why it failed."""
    tenant_id: str = ""
    """Empty where it failed."""
    tenant_name: str = ""
    taken_at: datetime | None = None
    """None where it failed."""
    decisions: dict[Decision, int] = {}
    """Permissions held, by decision; see `tally`."""
    findings: dict[Severity, int] = {}
    """Findings without a waiver."""
    change: Change | None = None
    """None where there is nothing to compare with: no history, no earlier run in it, or no audit."""
    history: HistoryHead | None = None
    """None without a history, or where it failed."""
    report: str = ""
    """Path of its report, or of the folder where there is no HTML, relative to watch.json; empty where it failed."""

    @property
    def begun(self) -> bool:
        """The run is the first that its history holds."""
        return self.history is not None and self.history.previous_run == 0


class Watch(Struct, frozen=True, kw_only=True):
    """watch.json: every audit of one run, in the order of the configuration."""

    schema: str = SCHEMA
    version: int = VERSION
    tool_version: str
    exit_code: int
    """The worst of all: 3 before 1 before 0."""
    audits: tuple[WatchedAudit, ...]

    @property
    def unknown(self) -> tuple[WatchedAudit, ...]:
        """Those that failed, and those that are not complete."""
        return tuple(audit for audit in self.audits if audit.state != "complete")

    @property
    def changed(self) -> tuple[WatchedAudit, ...]:
        """Those in which something changed since the run before."""
        return tuple(audit for audit in self.audits if audit.change is not None and not audit.change.none)

    @property
    def taken_at(self) -> datetime | None:
        """When the newest was taken; None where every one failed."""
        return max((audit.taken_at for audit in self.audits if audit.taken_at), default=None)
