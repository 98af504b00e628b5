"""Which findings a plan closes: those on the grants that go, and those on an app that no longer hold without them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from auditor.engine.answers import build_context
from auditor.engine.completeness import GRANT_COLLECTIONS
from auditor.engine.facts import FACTS, app_facts
from auditor.engine.rulebook import Rulebook
from auditor.engine.rules import CompiledRule, activation
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.grant import GrantKey
from auditor.model.outcome import AuditedApp, AuditResult, Finding
from auditor.model.plan import AssignmentChange, Change, Closes, GrantChange, Step
from auditor.model.snapshot import Client, Collected, Complete, Snapshot, Unavailable

_T = TypeVar("_T", AppRoleAssignment, OAuth2PermissionGrant)


def findings_on_grants(result: AuditResult) -> Mapping[GrantKey, Sequence[Finding]]:
    """Return the findings of an audit by the grant that they are on."""
    found: dict[GrantKey, list[Finding]] = defaultdict(list)
    for outcome in result.outcomes:
        if isinstance(outcome, Finding) and outcome.subject.grant_id:
            found[outcome.subject.key].append(outcome)
    return found


def with_app_findings(
    steps: Sequence[Step], result: AuditResult, snapshot: Snapshot, rulebook: Rulebook
) -> tuple[Step, ...]:
    """Return the steps, each also closing the findings on its app that no longer hold after it and those before it.

    A finding counts only where its rule holds now and does not hold afterwards, on the facts that the snapshot gives.
    """
    apps = {app.service_principal_id: app for app in result.apps}
    closing: dict[str, list[Finding]] = defaultdict(list)
    for app_id, findings in _app_findings(result, rulebook).items():
        own = [step for step in steps if step.target.service_principal_id == app_id]
        if own:
            after = _After(apps[app_id], own, result, snapshot, rulebook)
            for finding, rule in findings:
                number = after.closed_by(rule)
                if number:
                    closing[own[number - 1].id].append(finding)
    return tuple(replace(step, closes=(*step.closes, *_closes(closing[step.id]))) for step in steps)


def _closes(findings: Sequence[Finding]) -> Iterator[Closes]:
    for finding in sorted(findings, key=lambda f: (f.severity.rank, f.rule_id, f.finding_id)):
        yield Closes(finding_id=finding.finding_id, rule_id=finding.rule_id, severity=finding.severity)


def _app_findings(result: AuditResult, rulebook: Rulebook) -> Mapping[str, Sequence[tuple[Finding, CompiledRule]]]:
    """Return the findings on each app whose rule asks something of its grants."""
    rules = {
        rule.id: rule
        for rule in rulebook.rules
        if rule.subject == "app"
        and {name for fact in rule.facts for name in FACTS[fact].collections} & set(GRANT_COLLECTIONS)
    }
    found: dict[str, list[tuple[Finding, CompiledRule]]] = defaultdict(list)
    for outcome in result.outcomes:
        if isinstance(outcome, Finding) and outcome.rule_id in rules:
            found[outcome.subject.service_principal_id].append((outcome, rules[outcome.rule_id]))
    return found


class _After:
    """One app as it stands after the first of its steps."""

    def __init__(
        self, app: AuditedApp, own: Sequence[Step], result: AuditResult, snapshot: Snapshot, rulebook: Rulebook
    ) -> None:
        (self._client,) = (c for c in snapshot.clients if c.service_principal.id == app.service_principal_id)
        self._own = own
        self._rulebook = rulebook
        listing = snapshot.service_principals
        alone = Complete(items=(self._client.service_principal,)) if isinstance(listing, Complete) else listing
        self._snapshot = replace(snapshot, service_principals=alone)
        part = AppConfiguration(
            integrations={app.app_id: app.integration} if app.match == "configured" else {}, features=result.features
        )
        self._configuration = Configuration(apps={result.profile: part})

    def closed_by(self, rule: CompiledRule) -> int:
        """Return after how many steps a rule no longer holds; 0 where it does not hold now, or holds to the end."""
        if self._holds(rule, 0) is not True or self._holds(rule, len(self._own)) is not False:
            return 0
        done = range(len(self._own) + 1)
        return bisect_left(done, 1, key=lambda number: int(self._holds(rule, number) is False))

    def _holds(self, rule: CompiledRule, done: int) -> object:
        client = _changed(self._client, [change for step in self._own[:done] for change in step.changes])
        context = build_context(
            replace(self._snapshot, clients=(client,)),
            profile=self._rulebook.profile,
            permissions=self._rulebook.permissions,
            configuration=self._configuration,
        )
        (view,) = context.apps
        facts = app_facts(context, view)
        return rule.judge(activation(facts), facts)


def _changed(client: Client, changes: Sequence[Change]) -> Client:
    """Return a client as changes leave it."""
    assignments: dict[str, AppRoleAssignment | None] = {}
    consents: dict[str, OAuth2PermissionGrant | None] = {}
    for change in changes:
        if isinstance(change, AssignmentChange):
            assignments[change.before.id if change.before else f"new {len(assignments)}"] = change.after
        elif isinstance(change, GrantChange) and change.before:
            consents[change.before.id] = change.after
    return replace(
        client,
        app_role_assignments=_replaced(client.app_role_assignments, assignments),
        oauth2_permission_grants=_replaced(client.oauth2_permission_grants, consents),
    )


def _replaced(collected: Collected[_T], by: Mapping[str, _T | None]) -> Collected[_T]:
    """Return a collection with the objects of some ids in another state, or gone; those that come stand last."""
    if isinstance(collected, Unavailable):
        return collected
    there = {item.id for item in collected.items}
    left: list[_T | None] = [by.get(item.id, item) for item in collected.items]
    left += [item for id_, item in by.items() if id_ not in there]
    return replace(collected, items=tuple(item for item in left if item is not None))
