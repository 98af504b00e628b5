"""Closed findings: what a plan's journal says is done, held against an audit made afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from auditor.engine.evaluate import finding_id
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.grant import Kind
from auditor.model.outcome import AuditResult, ClosedFinding, Finding, NotEvaluated, Subject, Waived
from auditor.model.plan import Begin, Intent, Line, Result

_Key = tuple[str, str, str, str, str, str]
"""Rule, appId, appId of the resource, kind, permission in small letters, person."""


class _Step(Struct, kw_only=True):
    """What a journal says of one step."""

    intents: dict[int, Intent]
    results: dict[int, Result]
    plan: str
    left: bool = False
    """Something came after it: a step is left only when all of its changes were tried."""

    @property
    def done(self) -> bool:
        """Every change that was begun is done, and none is missing."""
        outcomes = [self.results[change].outcome for change in self.intents if change in self.results]
        tried = self.intents.keys() | self.results.keys()
        return self.left and len(outcomes) == len(tried) and set(outcomes) == {"done"}


def closed_by(
    lines: Iterable[Line], result: AuditResult, titles: Mapping[str, str], *, journal: str
) -> tuple[ClosedFinding, ...]:
    """Return the findings that the steps of a journal closed, each once, in the order of their closing.

    Args:
        lines: the journal, in order; of several runs the last result of a change counts. An undo closes nothing.
        result: an audit made afterwards, which says what is still open: the finding itself, or the same rule's on the
            permission that the step took where that was granted anew, which makes a grant and so a finding of its own.
        titles: titles of the rules by id; a rule that is not among them goes by its id.
        journal: SHA-256 of the journal.
    """
    there = [_finding(outcome) for outcome in result.outcomes if isinstance(outcome, Finding | Waived)]
    open_ids = {finding.finding_id for finding in there}
    held = _held(there)
    gaps = {(o.rule_id, o.subject.app_id) for o in result.outcomes if isinstance(o, NotEvaluated)}
    names = {app.app_id: app.name for app in result.apps}
    found: dict[str, ClosedFinding] = {}
    for step in _steps(lines):
        if not step.done:
            continue
        at = max(one.at for one in step.results.values())
        taken = [subject for intent in step.intents.values() for subject in _taken(intent)]
        rules = {closes.rule_id for intent in step.intents.values() for closes in intent.closes}
        own = {finding_id(rule, result.tenant_id, subject): subject for rule in rules for subject in taken}
        for intent in step.intents.values():
            for closes in intent.closes:
                id_ = closes.finding_id
                about = [own[id_]] if id_ in own else taken
                anew = "" if id_ in open_ids else _anew(closes.rule_id, intent.app_id, about, held)
                still_open = bool(anew) or id_ in open_ids
                known = intent.app_id in names and (closes.rule_id, intent.app_id) not in gaps
                found[id_] = ClosedFinding(
                    finding_id=id_,
                    rule_id=closes.rule_id,
                    title=titles.get(closes.rule_id, closes.rule_id),
                    app_name=names.get(intent.app_id, ""),
                    app_id=intent.app_id,
                    permission=", ".join(intent.permissions),
                    resource_app_id=intent.resource_app_id,
                    closed_at=at,
                    plan=step.plan,
                    journal=journal,
                    still_open=still_open,
                    found_as=anew,
                    evaluated=known or still_open,
                    kind=next((subject.kind for subject in _taken(intent)), ""),
                )
    return tuple(sorted(found.values(), key=lambda one: (one.closed_at, one.finding_id)))


def _finding(outcome: Finding | Waived) -> Finding:
    return outcome.finding if isinstance(outcome, Waived) else outcome


def _held(findings: Iterable[Finding]) -> dict[_Key, str]:
    """Return the id of the finding on each permission, and on each app, that an audit found."""
    return {_key(one.rule_id, one.subject): one.finding_id for one in findings}


def _key(rule_id: str, subject: Subject, *, principal_id: str | None = None) -> _Key:
    """Return what stays the same of a subject when its permission is granted anew."""
    person = subject.principal_id if principal_id is None else principal_id
    return rule_id, subject.app_id, subject.resource_app_id, subject.kind, subject.permission.lower(), person


def _anew(rule_id: str, app_id: str, taken: Iterable[Subject], held: Mapping[_Key, str]) -> str:
    """Return the id of a rule's finding on what was taken; a person's scope is held again when everybody's is.

    A finding on the app itself is the app's, whatever was taken of it.
    """
    keys = [_key(rule_id, subject, principal_id=who) for subject in taken for who in (subject.principal_id, "")]
    keys.append((rule_id, app_id, "", "", "", ""))
    return next((held[key] for key in keys if key in held), "")


def _taken(intent: Intent) -> Iterator[Subject]:
    """Yield each permission that a change took, as the subject of a finding on it."""
    before, after = intent.doing.before, intent.doing.after
    kind: Kind
    names = {name.lower(): name for name in intent.permissions} | dict(
        zip(intent.permission_ids, intent.permissions, strict=False)
    )
    if isinstance(before, AppRoleAssignment) and after is None:
        kind, owner, went, person = "application", before.principal_id, [before.app_role_id], ""
    elif isinstance(before, OAuth2PermissionGrant):
        kept = (after.scope or "").split() if isinstance(after, OAuth2PermissionGrant) else []
        went = [scope for scope in (before.scope or "").split() if scope not in kept]
        kind, owner, person = "delegated", before.client_id, before.principal_id or ""
    else:
        return
    for one in went:
        yield Subject(
            app_id=intent.app_id,
            service_principal_id=owner,
            app_name="",
            grant_id=before.id,
            permission=names.get(one, names.get(one.lower(), one)),
            principal_id=person,
            kind=kind,
            resource_app_id=intent.resource_app_id,
        )


def _steps(lines: Iterable[Line]) -> Iterable[_Step]:
    """Return the steps of the runs that take away, each with the last word on each of its changes."""
    steps: dict[str, _Step] = {}
    begin: Begin | None = None
    for line in lines:
        if isinstance(line, Begin):
            begin = line
        elif isinstance(line, Intent | Result) and begin is not None and begin.purpose != "undo":
            step = steps.setdefault(line.step, _Step(intents={}, results={}, plan=begin.plan))
            for other in steps.values():
                other.left = other.left or other is not step
            if isinstance(line, Intent):
                step.left = False
                step.intents[line.change] = line
                step.results.pop(line.change, None)
            elif line.outcome != "refused" or line.change not in step.results:
                step.results[line.change] = line
        elif not isinstance(line, Intent | Result):
            for step in steps.values():
                step.left = True
    return steps.values()
