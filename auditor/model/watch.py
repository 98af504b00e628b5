"""One run over several tenants: how the audit of each tenant and app ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from auditor.model.drift import GrantChange, GrantDrift
from auditor.model.history import HistoryHead
from auditor.model.outcome import Decision, Severity
from auditor.model.text import count, listed

SCHEMA = "entra-auditor/watch"
VERSION = 1

State = Literal["complete", "incomplete", "failed"]
"""`failed`: there is no audit, and `why` says so."""
CAME: tuple[GrantDrift, ...] = ("added", "granted-again", "widened")
WENT: tuple[GrantDrift, ...] = ("removed", "narrowed")


def missed(change: GrantChange) -> bool:
    """Tell whether a permission went for certain that nobody had decided to take: what needs it may fail."""
    went = change.what in WENT and change.certain and change.decision in ("keep", "keep-and-scope", "ask")
    return went and not (change.before and change.before.default_access)


class Change(Struct, frozen=True, kw_only=True):
    """What changed since the run before, in numbers."""

    granted: int
    """Permissions that came, came again or were widened."""
    gone: int
    """Permissions that went or were narrowed."""
    maybe_granted: int
    """Of `granted`: those that may have been there before, as the earlier run did not read them all."""
    maybe_gone: int
    """Of `gone`: those that may be there still, as this run did not read them all."""
    missed: int
    """Of `gone`: those that went for certain though nobody had decided to take them."""
    judged_anew: int
    apps: int
    """Apps that came, went or changed otherwise."""
    uncertain: int
    """Of `apps` and `new_findings`: those that rest on what a run did not read or judge."""
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
            f"{count(number, 'permission')} {what}"
            for number, what in (
                (self.granted - self.maybe_granted, "came"),
                (self.maybe_granted, "may have come"),
                (self.gone - self.maybe_gone, "went"),
                (self.maybe_gone, "may have gone"),
                (self.judged_anew, "judged anew"),
            )
            if number
        ]
        missed = [f"{self.missed:,} of them without a decision to take it, so meetings may fail"] if self.missed else []
        others = (
            (self.closed_findings, "finding", "closed"),
            (self.waived_findings, "finding", "waived"),
            (self.no_longer_evaluated, "finding", "no longer evaluated"),
            (self.apps, "change", "of apps"),
            (self.waivers, "change", "of waivers"),
        )
        told = [f"{count(number, noun)} {what}" for number, noun, what in others if number]
        if self.uncertain:
            told.append(f"{self.uncertain:,} of the new findings and changes of apps not certain")
        return "; ".join([*([listed(moved)] if moved else []), *missed, *told])


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
    """Findings without a waiver, as the report counts them: those on many people's consents count once."""
    change: Change | None = None
    """None where there is nothing to compare with: no history, no earlier run in it, or no audit."""
    history: HistoryHead | None = None
    """None without a history, or where it failed."""
    report: str = ""
    """Path of its report, or of the folder where there is no HTML, relative to watch.json; empty where it failed."""

    @property
    def found(self) -> str:
        """The findings by severity: `2 high, 1 low`; none of an incomplete audit is none in what was read."""
        none = "none" if self.state == "complete" else "none in what was read"
        return ", ".join(f"{number:,} {severity}" for severity, number in self.findings.items()) or none

    @property
    def unchanged(self) -> str:
        """The words where nothing changed."""
        return "nothing changed" if self.state == "complete" else "nothing changed in what was read"

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
