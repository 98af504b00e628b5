"""Is the audit complete? Every gap that could hide something, unless the team accepted it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from auditor.engine.summary import TITLES
from auditor.engine.view import Context
from auditor.model.directory import ServicePrincipal
from auditor.model.grant import GrantKey
from auditor.model.outcome import AcceptedGap, Finding, NotEvaluated, Outcome, Waived
from auditor.model.snapshot import Collected, Complete, Unavailable, client_collections, tenant_collections
from auditor.model.text import count

GRANT_COLLECTIONS = ("appRoleAssignments", "oauth2PermissionGrants")
NOT_DESCRIBED = ("unknown-permission", "undescribed-permission")
"""Rules whose findings stand for everything that cannot be judged of a permission that nobody describes."""


def incomplete_reasons(context: Context, outcomes: Sequence[Outcome], gaps: tuple[AcceptedGap, ...]) -> Iterable[str]:
    """Return why the audit is incomplete, one line per app and gap; gaps that the team accepted do not count."""
    accepted = {gap.collection for gap in gaps}
    listing = context.snapshot.service_principals
    if not isinstance(listing, Complete) and "servicePrincipals" not in accepted:
        yield _gap("servicePrincipals", listing)
    yield from _absent_apps(context)
    missed: dict[tuple[str, str], set[str]] = defaultdict(set)
    labels = _labels([view.client.service_principal for view in context.audited])
    for view in context.audited:
        for collection in GRANT_COLLECTIONS:
            collected = client_collections(view.client)[collection]
            if not isinstance(collected, Complete) and collection not in accepted:
                missed[labels[view.client.service_principal.id], _gap(collection, collected)] = set()
    told = {o.subject.key for o in outcomes if isinstance(o, Finding | Waived) and o.rule_id in NOT_DESCRIBED}
    for outcome in outcomes:
        if isinstance(outcome, NotEvaluated) and not _stands_elsewhere(outcome, accepted, told):
            label = labels.get(outcome.subject.service_principal_id, "Every app")
            missed[label, _why(context, outcome)].add(outcome.rule_id)
    for (app, why), rules in missed.items():
        unmade = f"{count(len(rules), 'rule')} not evaluated. " if rules else ""
        yield f"{app}: {unmade}{why}"


def _labels(apps: Sequence[ServicePrincipal]) -> dict[str, str]:
    """Return what each app is called, by its object id: its name, with the appId where others have the same name."""
    names = Counter(app.display_name or app.app_id for app in apps)
    return {
        app.id: name if names[name] == 1 else f"{name} ({app.app_id})"
        for app in apps
        for name in (app.display_name or app.app_id,)
    }


def _gap(collection: str, collected: Collected[object]) -> str:
    """Return what could not be read and why, with what would open it."""
    why = "" if isinstance(collected, Complete) else collected.why
    opens = collected.opens if isinstance(collected, Unavailable) else ""
    return f"{TITLES[collection]}: {why}{f' (needs: {opens})' if opens else ''}"


def _why(context: Context, outcome: NotEvaluated) -> str:
    """Return why a rule was not evaluated, by collection where collections are the reason."""
    if not outcome.collections:
        return outcome.why
    clients = {v.client.service_principal.id: v.client for v in context.audited}
    client = clients.get(outcome.subject.service_principal_id)
    known = tenant_collections(context.snapshot) | (client_collections(client) if client else {})
    gaps = ((name, known[name]) for name in outcome.collections if name in known)
    return " ".join(_gap(name, gap) for name, gap in gaps if not isinstance(gap, Complete)) or outcome.why


def _absent_apps(context: Context) -> Iterable[str]:
    """Return a line for each app that the configuration confirms and the tenant does not have."""
    listing = context.snapshot.service_principals
    if isinstance(listing, Complete) and not context.only:
        there = {sp.app_id.lower() for sp in listing.items}
        for app_id in context.configuration.integrations:
            if app_id.lower() not in there:
                yield f"The configuration confirms {app_id}, which this tenant does not have: is it the right tenant?"


def _stands_elsewhere(outcome: NotEvaluated, accepted: set[str], told: set[GrantKey]) -> bool:
    """Tell whether the team accepted the gap, or a finding of its own says that nothing describes the permission."""
    if outcome.collections:
        return set(outcome.collections) <= accepted
    return bool(outcome.missing) and outcome.subject.key in told
