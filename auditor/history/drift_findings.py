"""Findings that came, went, came back or could not be looked for again; waivers that changed or lapsed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from auditor.history.side import Side
from auditor.model.drift import FieldChange, FindingChange, FindingDrift, GrantChange, WaiverChange, WaiverDrift
from auditor.model.outcome import AuditResult, Finding, Severity, Waived, Waiver


def finding_changes(
    before: Side, after: Side, grants: Iterable[GrantChange], found_earlier: Collection[str]
) -> tuple[FindingChange, ...]:
    """Return what became of the findings, the worst first."""
    changes = _Findings(before, after, grants, found_earlier).changes()
    ranks = {severity.value: severity.rank for severity in Severity}
    return tuple(sorted(changes, key=lambda one: (ranks[one.severity], one.rule_id, one.app_id, one.finding_id)))


class _Findings:
    """The findings of two audits."""

    def __init__(
        self, before: Side, after: Side, grants: Iterable[GrantChange], found_earlier: Collection[str]
    ) -> None:
        self._before, self._after = before, after
        self._old, self._new = _by_id(before.result), _by_id(after.result)
        closed = (*before.result.closed, *after.result.closed)
        self._held = {one.grant.key for one in after.result.grants}
        self._earlier = {*found_earlier, *(id_ for one in closed for id_ in (one.finding_id, one.found_as) if id_)}
        self._anew = {one.after.key: (one.before.key, one.what) for one in grants if one.before and one.after}

    def changes(self) -> Iterator[FindingChange]:
        """Yield each finding that is not as it was, once."""
        by_subject = {(one.rule_id, one.subject.key): id_ for id_, (one, _) in self._old.items()}
        replaced: set[str] = set()
        for id_, (finding, waived) in self._new.items():
            if id_ in self._old:
                if waived != self._old[id_][1]:
                    yield _change("waived" if waived else "returned", finding)
                continue
            subject, what = self._anew.get(finding.subject.key, (None, ""))
            replaces = by_subject.get((finding.rule_id, subject), "") if subject else ""
            replaces = "" if replaces in self._new or replaces in replaced else replaces
            replaced.add(replaces)
            back = what == "granted-again" if replaces else id_ in self._earlier
            judged = self._judged(self._before, finding)
            yield _change(
                "waived" if waived else "returned" if back else "new",
                finding,
                certain=bool(replaces) or back or judged,
                replaces=replaces,
            )
        for id_, (finding, _) in self._old.items():
            if id_ not in self._new and id_ not in replaced:
                closed = self._judged(self._after, finding)
                held = closed and finding.subject.key in self._held
                yield _change("closed" if closed else "no-longer-evaluated", finding, certain=closed, held=held)

    @staticmethod
    def _judged(side: Side, finding: Finding) -> bool:
        """Tell whether an audit that does not have a finding shows that it was not open."""
        subject = finding.subject
        if subject.service_principal_id not in side.apps:
            return side.knows_absent(subject.service_principal_id)
        if finding.rule_id not in {rule.id for rule in side.result.rules}:
            return False
        return (finding.rule_id, subject.service_principal_id) not in side.not_evaluated


def _by_id(result: AuditResult) -> dict[str, tuple[Finding, bool]]:
    """Return the findings by id, each with whether a waiver covers it."""
    found: dict[str, tuple[Finding, bool]] = {}
    for outcome in result.outcomes:
        if isinstance(outcome, Finding):
            found[outcome.finding_id] = (outcome, False)
        elif isinstance(outcome, Waived):
            found[outcome.finding.finding_id] = (outcome.finding, True)
    return found


def _change(
    what: FindingDrift, finding: Finding, *, certain: bool = True, replaces: str = "", held: bool = False
) -> FindingChange:
    subject = finding.subject
    return FindingChange(
        what=what,
        finding_id=finding.finding_id,
        rule_id=finding.rule_id,
        severity=finding.severity.value,
        axis=finding.axis,
        title=finding.title,
        app_id=subject.app_id,
        app_name=subject.app_name,
        service_principal_id=subject.service_principal_id,
        permission=subject.permission,
        certain=certain,
        replaces=replaces,
        held=held,
    )


def waiver_changes(before: AuditResult, after: AuditResult) -> tuple[WaiverChange, ...]:
    """Return what became of the waivers, in the order of rule, app and permission."""
    old = [*before.waivers, *before.expired_waivers]
    new = [*after.waivers, *after.expired_waivers]
    changes: list[WaiverChange] = []
    for waiver in list(new):
        if waiver not in old:
            continue
        old.remove(waiver)
        new.remove(waiver)
        if waiver in after.expired_waivers and waiver in before.waivers:
            changes.append(_waiver("lapsed", waiver))
    for waiver in list(new):
        was = next((one for one in old if _about(one) == _about(waiver)), None)
        if was:
            old.remove(was)
            new.remove(waiver)
            changes.append(_waiver("changed", waiver, was))
    changes += [_waiver("added", one) for one in new]
    changes += [_waiver("removed", one) for one in old]
    return tuple(sorted(changes, key=lambda one: (one.rule, one.app, one.permission, one.what, one.expires, one.owner)))


def _about(waiver: Waiver) -> tuple[str, str, str]:
    return waiver.rule, waiver.app.lower(), waiver.permission


def _waiver(what: WaiverDrift, waiver: Waiver, was: Waiver | None = None) -> WaiverChange:
    names = ("owner", "reason", "expires")
    pairs = [(name, str(getattr(was, name)), str(getattr(waiver, name))) for name in names] if was else []
    return WaiverChange(
        what=what,
        rule=waiver.rule,
        app=waiver.app,
        permission=waiver.permission,
        owner=waiver.owner,
        expires=str(waiver.expires),
        reason=waiver.reason,
        fields=tuple(FieldChange(field=name, before=old, after=new) for name, old, new in pairs if old != new),
    )
