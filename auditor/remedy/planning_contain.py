"""The emergency plan: one app's sign-in is switched off, which stops what a removal of permissions leaves running."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

from msgspec.structs import replace

from auditor.engine.answers import identify_in, matches
from auditor.engine.policy import keys
from auditor.engine.rulebook import Rulebook
from auditor.errors import InputError, RefusedError, UsageError
from auditor.knowledge.permissions import PermissionTable
from auditor.knowledge.profile import ImpactStatement, Integration
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import ServicePrincipal
from auditor.model.grant import Grant
from auditor.model.outcome import Basis, Impact, Statement
from auditor.model.plan import Account, AccountChange, RevokePlan, Step, Target, inverse
from auditor.model.snapshot import Complete, Snapshot, items
from auditor.remedy.guards import MICROSOFT, OWN, is_guid, is_microsofts, stands_on
from auditor.remedy.planning import warnings
from auditor.remedy.seal import sealed, step_id
from auditor.remedy.steps import needs_of

_LIFETIMES = "https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes"
_STOPS = (
    "No new access token is issued for the app: not for the app itself, and not for people who sign in to it, whose "
    "sign-in fails. Tokens that were issued before live on until they expire; when is unknown, and Microsoft's default "
    "is 60 to 90 minutes. Refresh tokens and every grant stay as they are, and work again once the app is enabled."
)
_WAY_BACK = "Enable its sign-in again (accountEnabled: true): the undo of this plan does, or the Entra portal."


def build_containment(
    snapshot: Snapshot,
    *,
    app: str,
    rulebook: Rulebook,
    configuration: AppConfiguration,
    configuration_sha256: str = "",
    days: int,
) -> RevokePlan | None:
    """Return the plan that switches one app's sign-in off; None where it is off already.

    Args:
        snapshot: the tenant.
        app: appId or object id of any service principal in it.
        rulebook: gives the app profile, whose impacts are told where the app is confirmed.
        configuration: the team's word on that profile.
        configuration_sha256: of the configuration as used.
        days: how long the plan holds, counted from the reading of the tenant.

    Raises:
        UsageError: `app` is no id, or the tenant has no such app.
        InputError: the tenant is not named, or whether the app is enabled was not read.
        RefusedError: the app is Microsoft's own, or the identity that read the tenant.
    """
    principal = _principal(snapshot, app)
    if not is_guid(snapshot.tenant_id):
        raise InputError("The snapshot does not say which tenant it is.", advice="Read it with the organization.")
    if stands_on(snapshot.source, principal.app_id, principal.id):
        raise RefusedError(OWN, where="--app", advice="Name another app.")
    if is_microsofts(principal):
        raise RefusedError(MICROSOFT, where="--app", advice="Ask Microsoft's support before you switch it off.")
    if not isinstance(principal.account_enabled, bool):
        raise InputError("Whether the app is enabled was not read.", where="--app", advice="Read the tenant itself.")
    if not principal.account_enabled:
        return None
    organizations = items(snapshot.organization)
    step = _step(principal, _impact(snapshot, principal, rulebook, configuration))
    plan = RevokePlan(
        purpose="contain",
        tool_version=snapshot.tool_version,
        tenant_id=snapshot.tenant_id,
        tenant_name=(organizations[0].display_name or "") if organizations else "",
        cloud=snapshot.source.cloud,
        profile=rulebook.profile.id,
        created_at=snapshot.taken_at,
        expires=snapshot.taken_at + timedelta(days=days),
        snapshot_sha256=sha256(to_json(snapshot)),
        rules_sha256=rulebook.sha256,
        configuration_sha256=configuration_sha256,
        reader_app_id=snapshot.source.reader_app_id,
        reader_object_id=snapshot.source.reader_object_id,
        complete=True,
        only=(f"app:{principal.app_id}",),
        steps=(step,),
    )
    return sealed(replace(plan, warnings=tuple(warnings(plan))))


def _principal(snapshot: Snapshot, app: str) -> ServicePrincipal:
    if not is_guid(app):
        raise UsageError(
            f"'{app}' is neither an appId nor an object id.", where="--app", advice="Write 8-4-4-4-12 hex digits."
        )
    clients = (client.service_principal for client in snapshot.clients)
    everyone = {sp.id: sp for sp in (*items(snapshot.service_principals), *clients)}
    found = [sp for sp in everyone.values() if app.lower() in (sp.id.lower(), sp.app_id.lower())]
    if len(found) != 1 or not is_guid(found[0].app_id) or not is_guid(found[0].id):
        listing = snapshot.service_principals
        whole = "" if isinstance(listing, Complete) else " among what could be read"
        raise UsageError(
            f"The tenant has no single app '{app}'{whole}.",
            where="--app",
            advice="Name an enterprise app's Application ID or Object ID, as the Entra portal shows them.",
        )
    return found[0]


def _step(principal: ServicePrincipal, impact: Impact) -> Step:
    before = Account(id=principal.id, app_id=principal.app_id, account_enabled=True)
    changes = (AccountChange(before=before, after=replace(before, account_enabled=False)),)
    name = principal.display_name or principal.app_id
    return Step(
        id=step_id(changes),
        number=1,
        action="disable-app",
        title=f"Switch off the sign-in of {name}",
        target=Target(app_id=principal.app_id, service_principal_id=principal.id, app_name=name),
        changes=changes,
        why="Somebody asked for it to be contained.",
        impact=impact,
        needs=needs_of(changes, ""),
        undo_needs=needs_of([inverse(change) for change in changes], ""),
    )


def _impact(
    snapshot: Snapshot, principal: ServicePrincipal, rulebook: Rulebook, configuration: AppConfiguration
) -> Impact:
    """Return what stops; of a confirmed app of the profile also what its people notice, on the weaker basis."""
    known = identify_in(snapshot, profile=rulebook.profile, configuration=configuration).apps
    confirmed = [a.integration for a in known if a.confirmed and a.service_principal.id == principal.id]
    integration = rulebook.profile.integrations.get(confirmed[0]) if confirmed else None
    stops = Statement(text=_STOPS, basis="inferred", source=_LIFETIMES, date="2026-11-22")
    if integration is None:
        notice = "whoever signs in to the app, and whatever it does on its own; who that is, is not known here"
        return Impact(what=stops, who_notices=notice, when="now", way_back=_WAY_BACK)
    told = tuple(dict.fromkeys(_of_what_is_needed(integration, rulebook.permissions)))
    texts = [impact.what for impact in told] or ["everything that it does with this app's permissions stops."]
    bases = get_args(Basis)
    basis: Basis = max((stops.basis, *(impact.basis for impact in told)), key=bases.index)
    return Impact(
        what=replace(stops, text=" ".join((f"{_STOPS} {integration.title}:", *texts)), basis=basis),
        who_notices="; ".join(dict.fromkeys(impact.who_notices for impact in told))
        or "whoever uses it; who that is, is not known here",
        when="now",
        way_back=_WAY_BACK,
    )


def _of_what_is_needed(integration: Integration, permissions: PermissionTable) -> Iterator[ImpactStatement]:
    """Give what goes with each permission that an integration cannot do without.

    What is said of another one, that the rest goes on without it, is not true when everything stops.
    """
    for resource, value, kind in keys(integration.policies["required"].allowed, integration.kind, integration.title):
        grant = Grant(
            service_principal_id="",
            app_id="",
            app_name="",
            kind=kind,
            consent="",
            principal_id="",
            resource_id="",
            resource_app_id=resource,
            resource_name="",
            permission=value,
            permission_id="",
            known=True,
            grant_id="",
        )
        permission = permissions.by_value(resource, value, kind)
        yield from [i for i in integration.impacts if matches(i.about, grant, permission, integration)][:1]
