"""From grants that go to steps: one for each thing that a person decides on, and never two for one object.

- An application permission is a step of its own.
- A tenant-wide delegated grant is one step: its named scopes leave by PATCH and the others stay in their order; the
  grant is deleted only when none is left.
- The consents of single users to one app on one resource are one step, with a change for each grant.
- What is replaced is one step: the narrower comes before the wider goes. A delegated grant swaps its scope
  in one PATCH.

Order: least harmful first (noticed never, at the next connect, not known when, now), grouped by app. Apps stand in the
order of their most harmful step, then of name and id; the steps of an app in the order of harm, then of resource, kind
and permissions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from msgspec.structs import replace

from auditor.graph.writes import WRITES, role_for
from auditor.knowledge.permissions import PermissionTable
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.grant import GrantKey
from auditor.model.outcome import Basis, Finding, Impact, Statement
from auditor.model.plan import Action, AssignmentChange, Change, Closes, GrantChange, Needs, Step, Target, inverse
from auditor.model.text import count, listed, steps
from auditor.remedy.planning_holdings import Holding
from auditor.remedy.seal import step_id

HARM: Sequence[str] = ("never", "at the next connect", "unknown", "now")
"""When somebody notices, least harmful first."""
_Parts = dict[tuple[str, ...], list[Holding]]


def steps_of(
    going: Sequence[Holding], *, permissions: PermissionTable, closes: Mapping[GrantKey, Sequence[Finding]]
) -> tuple[Step, ...]:
    """Return the numbered steps that take grants away.

    Args:
        going: what goes, all guards passed.
        permissions: gives the id of what is granted instead.
        closes: the findings on each grant.
    """
    made = [_step(part, permissions, closes) for part in _parts(going).values()]
    apps: dict[str, list[Step]] = defaultdict(list)
    for step in sorted(made, key=_order):
        apps[step.target.service_principal_id].append(step)
    in_order = [step for own in sorted(apps.values(), key=_app_order) for step in own]
    return tuple(replace(step, number=number) for number, step in enumerate(in_order, 1))


def _parts(going: Iterable[Holding]) -> _Parts:
    """Return the grants of each step: what must be written together is together."""
    parts: _Parts = defaultdict(list)
    for holding in going:
        grant, judged = holding.grant, holding.judged
        place = (grant.service_principal_id, grant.resource_id, grant.kind)
        if grant.kind == "application":
            replaced = judged.decision == "replace"
            parts[(*place, "replace", judged.replace_with) if replaced else (*place, grant.grant_id)].append(holding)
        else:
            parts[(*place, grant.consent, grant.grant_id if grant.consent == "AllPrincipals" else "")].append(holding)
    return parts


def _step(part: Sequence[Holding], permissions: PermissionTable, closes: Mapping[GrantKey, Sequence[Finding]]) -> Step:
    part = sorted(part, key=lambda h: (h.grant.permission, h.grant.principal_id, h.grant.grant_id))
    target = _target(part)
    changes = tuple(_assignments(part, permissions) if target.kind == "application" else _consents(part))
    action = _action(target)
    return Step(
        id=step_id(changes),
        number=0,
        action=action,
        title=_title(action, target),
        target=target,
        changes=changes,
        why=_each((h.grant.permission, h.judged.reason) for h in part),
        checks=tuple(dict.fromkeys(check for h in part if h.judged.check for check in steps(h.judged.check))),
        impact=_impact(part),
        closes=tuple(_closes(finding for holding in part for finding in closes.get(holding.grant.key, ()))),
        needs=needs_of(changes, target.resource_app_id),
        undo_needs=needs_of([inverse(change) for change in reversed(changes)], target.resource_app_id),
    )


def _target(part: Sequence[Holding]) -> Target:
    grant = part[0].grant
    gone = dict.fromkeys((h.grant.permission, h.grant.permission_id) for h in part)
    own = grant.consent == "Principal"
    return Target(
        app_id=grant.app_id,
        service_principal_id=grant.service_principal_id,
        app_name=part[0].app.name,
        kind=grant.kind,
        resource_id=grant.resource_id,
        resource_app_id=grant.resource_app_id,
        resource_name=grant.resource_name,
        permissions=tuple(value for value, _ in gone),
        permission_ids=tuple(id_ for _, id_ in gone),
        replaced_by=", ".join(sorted({h.judged.replace_with for h in part if h.judged.decision == "replace"})),
        users=len({h.grant.principal_id for h in part}) if own else 0,
    )


def _action(target: Target) -> Action:
    if target.replaced_by:
        return "replace-permission"
    if target.kind == "application":
        return "remove-application-permission"
    return "remove-user-consents" if target.users else "remove-delegated-scopes"


def _title(action: Action, target: Target) -> str:
    what = listed(target.permissions)
    where = f"{target.app_name} on {target.resource_name or target.resource_app_id}"
    people = f"the consents of {count(target.users, 'user')}" if target.users else ""
    if action == "replace-permission":
        return f"Replace {what} by {target.replaced_by} ({target.kind}){f' in {people}' if people else ''} for {where}"
    if action == "remove-application-permission":
        return f"Remove the application permission {what} of {where}"
    return f"Remove {what} from {people or 'the consent for every user'} to {where}"


def _assignments(part: Sequence[Holding], permissions: PermissionTable) -> Iterator[Change]:
    held = [(h, h.object) for h in part if isinstance(h.object, AppRoleAssignment)]
    for holding, wider in held[:1]:
        grant, value = holding.grant, holding.judged.replace_with
        narrower = permissions.by_value(grant.resource_app_id, value, "application")
        if holding.judged.decision == "replace" and narrower is not None:
            after = replace(wider, id="", app_role_id=narrower.id, created_date_time=None)
            yield AssignmentChange(before=None, after=after)
    for _, wider in held:
        yield AssignmentChange(before=wider, after=None)


def _consents(part: Sequence[Holding]) -> Iterator[Change]:
    """Give one change for each grant, in the order of people and ids."""
    swaps: dict[str, dict[str, str]] = defaultdict(dict)
    objects: dict[str, OAuth2PermissionGrant] = {}
    for holding in part:
        if isinstance(holding.object, OAuth2PermissionGrant):
            objects[holding.object.id] = holding.object
            replaced = holding.judged.decision == "replace"
            swaps[holding.object.id][holding.grant.permission.lower()] = holding.judged.replace_with if replaced else ""
    for held in sorted(objects.values(), key=lambda held: (held.principal_id or "", held.id)):
        scope = " ".join(_left((held.scope or "").split(), swaps[held.id]))
        yield GrantChange(before=held, after=replace(held, scope=scope) if scope else None)


def _left(scopes: Iterable[str], swaps: Mapping[str, str]) -> Iterator[str]:
    """Give the scopes that stay, as they are, and once each that comes, where the first went that it replaces."""
    come = set()
    for scope in scopes:
        new = swaps.get(scope.lower())
        if new is None:
            yield scope
        elif new and new not in come:
            come.add(new)
            yield new


def needs_of(changes: Iterable[Change], resource_app_id: str) -> Needs:
    """Return the least permissions and directory roles for changes, each named once."""
    writes = tuple(dict.fromkeys(change.write for change in changes))
    return Needs(
        permission=", ".join(dict.fromkeys(WRITES[write].permission for write in writes)),
        role=", ".join(dict.fromkeys(role_for(write, resource_app_id) for write in writes)),
    )


def _impact(part: Sequence[Holding]) -> Impact:
    """Return what goes with a step: the only impact there is, or all of them under the worst one's moment.

    Several are joined with the permissions that each is about and its own source, and rest on the weakest basis.
    """
    own = [(h.grant.permission, _own_impact(h)) for h in part]
    worst = sorted(own, key=lambda pair: -HARM.index(pair[1].when))
    impacts = list(dict.fromkeys(impact for _, impact in worst))
    if len(impacts) == 1:
        return impacts[0]
    bases = get_args(Basis)
    return Impact(
        what=Statement(
            text=_each((permission, _sourced(impact.what)) for permission, impact in worst),
            basis=max((impact.what.basis for impact in impacts), key=bases.index),
            source=impacts[0].what.source,
            date=impacts[0].what.date,
        ),
        who_notices="; ".join(dict.fromkeys(impact.who_notices for impact in impacts)),
        when=impacts[0].when,
        way_back=" ".join(dict.fromkeys(impact.way_back for impact in impacts)),
    )


def _own_impact(holding: Holding) -> Impact:
    """Return what goes with one grant; where a narrower one comes, the audit's words are of both being gone."""
    judged = holding.judged
    what = judged.impact.what
    if judged.decision != "replace":
        return judged.impact
    text = f"{judged.replace_with} is granted first, so what it covers goes on. With neither of the two: {what.text}"
    basis: Basis = "inferred" if what.basis == "documented" else what.basis
    return replace(judged.impact, what=replace(what, text=text, basis=basis))


def _sourced(statement: Statement) -> str:
    return f"{statement.text} ({statement.basis}{', ' if statement.source else ''}{statement.source})"


def _each(said: Iterable[tuple[str, str]]) -> str:
    """Return one text for all permissions, or each text after the permissions that it is about."""
    about: dict[str, list[str]] = defaultdict(list)
    for permission, text in said:
        about[text].append(permission)
    if len(about) == 1:
        return next(iter(about))
    return " ".join(f"{', '.join(dict.fromkeys(permissions))}: {text}" for text, permissions in about.items())


def _closes(findings: Iterable[Finding]) -> Iterator[Closes]:
    found = {finding.finding_id: finding for finding in findings}.values()
    for one in sorted(found, key=lambda finding: (finding.severity.rank, finding.rule_id, finding.finding_id)):
        yield Closes(finding_id=one.finding_id, rule_id=one.rule_id, severity=one.severity)


def _order(step: Step) -> tuple[object, ...]:
    target = step.target
    return (
        HARM.index(step.impact.when),
        target.resource_name,
        target.resource_id,
        target.kind,
        target.users,
        target.permissions,
        step.id,
    )


def _app_order(own: Sequence[Step]) -> tuple[object, ...]:
    target = own[-1].target
    return (HARM.index(own[-1].impact.when), target.app_name, target.app_id, target.service_principal_id)
