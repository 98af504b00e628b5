"""Two audits of one made-up tenant, drawn from a seed, and what a drift makes of the first."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditor.history.drift import Side
from auditor.history.drift_apps import facts
from auditor.history.drift_grants import ANSWERS
from auditor.model.configuration import Configuration
from auditor.model.directory import (
    DirectoryObject,
    OAuth2PermissionGrant,
    PasswordCredential,
    ServicePrincipal,
    VerifiedPublisher,
)
from auditor.model.drift import Drift
from auditor.model.grant import Grant
from auditor.model.outcome import AuditResult, Finding, JudgedGrant, Waived, Waiver
from auditor.model.snapshot import Client, Collected, Complete, Partial, Snapshot, Unavailable, items
from tests.engine.world import judged, team
from tests.workflow.tenants import SCOPES, drawn

GAP = timedelta(days=7)
RULES = ("outside-policy", "owners", "unconfirmed-app", "per-user-consents")
_Key = tuple[str, str, str, str, str]


def pair(seed: int, *, incomplete: bool) -> tuple[Side, Side]:
    """Return two audits of one tenant, a week apart; of an incomplete pair collections were not read to the end."""
    chance = random.Random(seed)
    first = drawn(1000 + seed)
    while not first.clients:
        first = drawn(chance.randrange(10_000))
    second = replace(_changed(chance, first), taken_at=first.taken_at + GAP)
    if incomplete:
        first, second = _gaps(chance, first), _gaps(chance, second)
    words = [_team(chance) for _ in range(2)]
    return tuple(  # type: ignore[return-value]
        Side(snapshot=one, result=judged(one, word)) for one, word in zip((first, second), words, strict=True)
    )


def _team(chance: random.Random) -> Configuration:
    waivers = tuple(
        Waiver(
            rule=chance.choice(RULES),
            app="aaaaaaaa-0000-4000-8000-000000000000",
            owner=chance.choice(("Ada Admin (sample)", "Bo Boss (sample)")),
            reason="Sample",
            expires=date(2026, 11, chance.choice((22, 24, 30))),
            permission=chance.choice(("", "", "Mail.Read")),
        )
        for _ in range(chance.randrange(4))
    )
    return team(waivers=waivers, policy=chance.choice(("minimal", "minimal", "minimal", "required")))


def _changed(chance: random.Random, snapshot: Snapshot) -> Snapshot:
    clients = [_client(chance, client) for client in snapshot.clients]
    if chance.random() < 0.2:
        clients.pop(chance.randrange(len(clients)))
    donors = [c for c in drawn(chance.randrange(10_000)).clients if c.service_principal.id not in _ids(snapshot)]
    if donors and chance.random() < 0.3:
        clients.append(donors[0])
    held = {client.service_principal.id: client.service_principal for client in clients}
    others = [sp for sp in items(snapshot.service_principals) if sp.id not in _ids(snapshot)]
    if chance.random() < 0.15 and len(clients) > 1:
        clients.pop()  # Still in the tenant's list, and no more read.
    return replace(
        snapshot,
        clients=tuple(clients),
        service_principals=Complete(items=(*others, *held.values())),
    )


def _ids(snapshot: Snapshot) -> set[str]:
    return {client.service_principal.id for client in snapshot.clients}


def _client(chance: random.Random, client: Client) -> Client:
    if chance.random() < 0.15:
        return client
    app = _app(chance, client.service_principal)
    roles = [r for r in items(client.app_role_assignments) if chance.random() < 0.75]
    roles = [replace(r, id=_new(chance)) if chance.random() < 0.2 else r for r in roles]
    if roles and chance.random() < 0.5:
        one = chance.choice(roles)
        roles.append(replace(one, id=_new(chance), app_role_id=_new(chance)))
    grants = [_grant(chance, g) for g in items(client.oauth2_permission_grants) if chance.random() < 0.75]
    if grants and chance.random() < 0.4:
        one_grant = chance.choice(grants)
        if not any(g.consent_type == "AllPrincipals" and g.resource_id == one_grant.resource_id for g in grants):
            grants.append(replace(one_grant, id=_new(chance), consent_type="AllPrincipals", principal_id=None))
    owners = [o for o in items(client.owners) if chance.random() < 0.7]
    if chance.random() < 0.3:
        owners.append(DirectoryObject(id=_new(chance), user_principal_name="new@contoso.example"))
    return replace(
        client,
        service_principal=app,
        app_role_assignments=Complete(items=_shuffled(chance, roles)),
        oauth2_permission_grants=Complete(items=_shuffled(chance, grants)),
        owners=Complete(items=_shuffled(chance, owners)),
        member_of=Complete(items=tuple(m for m in items(client.member_of) if chance.random() < 0.8)),
    )


def _grant(chance: random.Random, grant: OAuth2PermissionGrant) -> OAuth2PermissionGrant:
    way = chance.random()
    if way < 0.4:
        return grant
    if way < 0.6:
        return replace(grant, id=_new(chance))
    if way < 0.7 and grant.consent_type == "Principal":
        return replace(grant, id=_new(chance), principal_id=_new(chance))
    return replace(grant, scope=" ".join(chance.sample(SCOPES, chance.randrange(1, len(SCOPES)))))


def _app(chance: random.Random, app: ServicePrincipal) -> ServicePrincipal:
    changes: dict[str, Any] = {
        "display_name": "Zoom, renamed",
        "account_enabled": chance.choice((True, False, UNSET)),
        "reply_urls": chance.choice(((), ("https://zoom.us/a", "http://fabrikam.example"), UNSET)),
        "verified_publisher": chance.choice(
            (None, VerifiedPublisher(display_name="Fabrikam", verified_publisher_id="1"))
        ),
        "publisher_name": chance.choice((None, "Fabrikam (sample)")),
        "app_owner_organization_id": _new(chance),
        "disabled_by_microsoft_status": "DisabledDueToViolationOfServicesAgreement",
        "password_credentials": (PasswordCredential(key_id=_new(chance), display_name="sample"),),
    }
    chosen = [name for name in changes if chance.random() < 0.2]
    return replace(app, **{name: changes[name] for name in chosen})


def _new(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def _shuffled(chance: random.Random, values: list[Any]) -> tuple[Any, ...]:
    return tuple(chance.sample(values, len(values)))


def _gaps(chance: random.Random, snapshot: Snapshot) -> Snapshot:
    def less(collected: Collected[Any]) -> Collected[Any]:
        way = chance.random()
        if way < 0.6:
            return collected
        if way < 0.75:
            return Unavailable(why="sample: 403")
        return Partial(items=tuple(one for one in items(collected) if chance.random() < 0.6), why="sample: cut")

    names = ("app_role_assignments", "oauth2_permission_grants", "owners", "member_of", "grant_events")
    clients = tuple(replace(c, **{name: less(getattr(c, name)) for name in names}) for c in snapshot.clients)
    listing = snapshot.service_principals
    if chance.random() < 0.2:
        listing = Partial(items=items(listing), why="sample: cut")
    return replace(snapshot, clients=clients, service_principals=listing, resources=less(snapshot.resources))


class State(Struct, kw_only=True):
    """What a drift tells of: everything of an audit that it must not lose."""

    grants: dict[_Key, tuple[object, ...]]
    """Key to answers and what the grant is of."""
    apps: dict[str, dict[str, tuple[str, ...]]]
    findings: dict[str, bool]
    """Id to whether it is waived."""
    waivers: Counter[tuple[str, ...]]


def state_of(side: Side) -> State:
    """Return the state that an audit shows."""
    findings: dict[str, bool] = {}
    for outcome in side.result.outcomes:
        if isinstance(outcome, Finding):
            findings[outcome.finding_id] = False
        elif isinstance(outcome, Waived):
            findings[outcome.finding.finding_id] = True
    return State(
        grants={_key(one.grant): _told(one) for one in side.result.grants},
        apps={id_: {what: known or () for what, (known, _) in facts(side, id_).items()} for id_ in side.apps},
        findings=findings,
        waivers=Counter(_waiver(one) for one in _waivers(side.result)),
    )


def applied(state: State, drift: Drift, *, came: Callable[[str], dict[str, tuple[str, ...]]]) -> State:
    """Return what a drift makes of a state.

    Args:
        state: of the earlier audit.
        drift: what changed.
        came: the facts of an app that appeared, which a drift names and does not list.
    """
    grants = dict(state.grants)
    for change in drift.grants:
        old = dict(zip(ANSWERS, grants.get(_key(change.before), ())[1:], strict=False)) if change.before else {}
        if change.before:
            del grants[_key(change.before)]
        if change.after:
            for field in change.fields:
                if field.field in ANSWERS:
                    assert old.get(field.field, "") == field.before
                    old[field.field] = field.after
            grants[_key(change.after)] = (_held(change.after), *(old.get(name, "") for name in ANSWERS))
    apps = {id_: dict(known) for id_, known in state.apps.items()}
    for app in drift.apps:
        if app.what in {"appeared", "audited"}:
            apps[app.service_principal_id] = came(app.service_principal_id)
        elif app.what in {"gone", "no-longer-audited"}:
            del apps[app.service_principal_id]
        else:
            assert apps[app.service_principal_id][app.what] == app.before
            apps[app.service_principal_id][app.what] = app.after
    return State(grants=grants, apps=apps, findings=_findings(state, drift), waivers=_waived(state, drift))


def _findings(state: State, drift: Drift) -> dict[str, bool]:
    findings = dict(state.findings)
    for finding in drift.findings:
        if finding.replaces:
            del findings[finding.replaces]
        if finding.what in {"closed", "no-longer-evaluated"}:
            del findings[finding.finding_id]
        else:
            findings[finding.finding_id] = finding.what == "waived"
    return findings


def _waived(state: State, drift: Drift) -> Counter[tuple[str, ...]]:
    waivers = state.waivers.copy()
    for one in drift.waivers:
        now = (one.rule, one.app, one.permission, one.owner, one.reason, one.expires)
        before = {field.field: field.before for field in one.fields}
        was = (
            *now[:3],
            *(before.get(name, value) for name, value in zip(("owner", "reason", "expires"), now[3:], strict=True)),
        )
        if one.what in {"removed", "changed"}:
            assert waivers[was]
            waivers[was] -= 1
        if one.what in {"added", "changed"}:
            waivers[now] += 1
    return +waivers


def _key(grant: Grant) -> _Key:
    return grant.service_principal_id, grant.kind, grant.grant_id, grant.permission, grant.principal_id


def _held(grant: Grant) -> tuple[str, ...]:
    return grant.app_id, grant.consent, grant.resource_id


def _told(one: JudgedGrant) -> tuple[object, ...]:
    return _held(one.grant), *(str(getattr(one, name)) for name in ANSWERS)


def _waivers(result: AuditResult) -> tuple[Waiver, ...]:
    return (*result.waivers, *result.expired_waivers)


def _waiver(one: Waiver) -> tuple[str, ...]:
    return one.rule, one.app, one.permission, one.owner, one.reason, str(one.expires)
