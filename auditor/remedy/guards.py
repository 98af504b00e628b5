"""What holds a grant back from a plan; the first guard that speaks gives the reason.

Asked of the snapshot, the app profile and the permission tables, so whatever the audit says: the identity that read,
Microsoft's apps, default access, an id that nobody publishes, an id or a name that could not stand in a script, and
something in place of a permission that is not narrower. Which app is confirmed and for what, which features are
declared and what is waived is the audit's word. An audit.json can be edited: whoever makes a plan of one judges the
snapshot again where the configuration is at hand, and warns where it is not (workflow/revoke.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from auditor.engine.policy import key_of, needed_by
from auditor.engine.rulebook import Rulebook
from auditor.engine.waivers import keeping
from auditor.knowledge.identify import MICROSOFT_TENANTS
from auditor.knowledge.permissions import GUID
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.grant import GrantKey
from auditor.model.outcome import AuditResult, Finding, Match, Waived
from auditor.model.snapshot import Complete, Source
from auditor.remedy.planning_holdings import Holding, Holdings

SCOPE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,119}")
"""A permission's name, as it may stand in a script."""
OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""Graph's id of an assignment or of a delegated grant, as it may stand in a script."""
UNCONFIRMED: Collection[Match] = ("candidate", "look-alike", "template")
OWN = "It is the identity that read the tenant: this program never takes away what it stands on."
MICROSOFT = "The app is Microsoft's own."
_UNSAFE = "An id or a name of it is of a form that is not written into a script: take it away by hand."


def is_guid(text: str | None) -> bool:
    """Tell whether a text is a GUID in any case."""
    return text is not None and GUID.fullmatch(text.lower()) is not None


def is_name(text: str) -> bool:
    """Tell whether a text is a permission's name, or its id, as it may stand in a script."""
    return SCOPE.fullmatch(text) is not None or is_guid(text)


def stands_on(source: Source, app_id: str, object_id: str) -> bool:
    """Tell whether an app is the identity that read the tenant."""
    own = {source.reader_app_id.lower(), source.reader_object_id.lower()} - {""}
    return bool(own & {app_id.lower(), object_id.lower()})


def is_microsofts(principal: ServicePrincipal) -> bool:
    """Tell whether an app's home is one of Microsoft's own tenants."""
    owner = principal.app_owner_organization_id
    return isinstance(owner, str) and owner.lower() in MICROSOFT_TENANTS


class Guards:
    """What holds a grant back from every plan of one audit."""

    def __init__(self, result: AuditResult, holdings: Holdings, rulebook: Rulebook) -> None:
        self._result = result
        self._holdings = holdings
        self._rulebook = rulebook
        self._deciding = {rule.id for rule in rulebook.rules if rule.decides}
        self._found: dict[GrantKey, list[Finding | Waived]] = defaultdict(list)
        for outcome in result.outcomes:
            if isinstance(outcome, Finding | Waived):
                self._found[outcome.subject.key].append(outcome)

    def __call__(self, holding: Holding) -> str:
        """Return why a grant may not stand in a plan; empty when it may."""
        return self._app(holding) or self._grant(holding) or self._form(holding) or self._replacement(holding)

    def _app(self, holding: Holding) -> str:
        app, principal = holding.app, holding.client.service_principal
        documented = {known.app_id.lower() for known in self._rulebook.profile.identity.app_ids}
        if stands_on(self._holdings.snapshot.source, principal.app_id, principal.id):
            return OWN
        if is_microsofts(principal):
            return MICROSOFT
        if not app.confirmed or app.match in UNCONFIRMED or holding.judged.match in UNCONFIRMED:
            return "Nobody has confirmed what this app is: a line in entra-audit.yaml has to say it first."
        if app.integration not in self._rulebook.profile.integrations or app.integration != holding.judged.integration:
            return "What the audit says this app is for is not settled, or is unknown to the app profile."
        if app.match == "documented" and principal.app_id.lower() not in documented:
            return "The audit calls the app documented, and the app profile does not."
        return ""

    def _grant(self, holding: Holding) -> str:
        grant = holding.grant
        features = needed_by(self._rulebook.profile, self._result.features, holding.app.integration)
        if grant.default_access:
            return "It is default access, and no permission."
        if not grant.known:
            return "Nobody publishes what this permission is."
        if feature := features.get(key_of(grant)):
            return f"The declared feature '{feature}' needs it."
        if waiver := keeping(self._found[grant.key], self._deciding):
            return f"Waived by {waiver.owner} until {waiver.expires.isoformat()}."
        return ""

    def _form(self, holding: Holding) -> str:
        """Return the reason where an id or a name could not stand in a script, or the object is another app's."""
        grant, held = holding.grant, holding.object
        if holding.twice:
            return "The snapshot shows two different objects under its id: read the tenant again."
        owner = held.principal_id if isinstance(held, AppRoleAssignment) else held.client_id
        if owner != grant.service_principal_id:
            return "The object that was read for it belongs to another app."
        guids = all(map(is_guid, (grant.service_principal_id, grant.app_id, grant.resource_id, grant.resource_app_id)))
        whole = _safe_assignment(held) if isinstance(held, AppRoleAssignment) else _safe_consent(held)
        safe = guids and whole and OBJECT_ID.fullmatch(grant.grant_id) and is_name(grant.permission)
        return "" if safe else _UNSAFE

    def _replacement(self, holding: Holding) -> str:
        """Return the reason where what is to be granted instead is not narrower, or cannot be granted."""
        judged, grant, permissions = holding.judged, holding.grant, self._rulebook.permissions
        if judged.decision != "replace":
            return ""
        narrower = permissions.by_value(grant.resource_app_id, judged.replace_with, grant.kind)
        if narrower is None or narrower.permission not in permissions.covers(
            grant.resource_app_id, grant.permission, grant.kind
        ):
            return f"That {judged.replace_with or 'nothing'} is the narrower permission is not established."
        if not self._grantable(holding, narrower.id, narrower.permission):
            return f"The resource was not seen to publish {narrower.permission}, so it cannot be granted instead."
        client = holding.client
        application = grant.kind == "application"
        whole = isinstance(client.app_role_assignments if application else client.oauth2_permission_grants, Complete)
        if not whole or self._holds(holding, narrower.permission):
            return f"The app may hold {narrower.permission} already: read the tenant again."
        return ""

    def _grantable(self, holding: Holding, permission_id: str, value: str) -> bool:
        grant = holding.grant
        if grant.kind == "delegated":
            return is_name(value) and self._holdings.publishes_scope(grant.resource_id, value)
        return is_guid(permission_id) and self._holdings.publishes(grant.resource_id, permission_id, value)

    def _holds(self, holding: Holding, value: str) -> bool:
        grant = holding.grant
        return any(
            (other.resource_id, other.kind, other.permission) == (grant.resource_id, grant.kind, value)
            and other.principal_id in ("", grant.principal_id)
            for other in self._holdings.of_app(grant.service_principal_id)
        )


def _safe_assignment(held: AppRoleAssignment) -> bool:
    return (
        is_guid(held.app_role_id) and is_guid(held.principal_id) and held.principal_type in (None, "ServicePrincipal")
    )


def _safe_consent(held: OAuth2PermissionGrant) -> bool:
    """Tell whether every scope, one that stays included, is a name, and whose consent it is."""
    of_all = held.consent_type == "AllPrincipals" and not held.principal_id
    of_one = held.consent_type == "Principal" and is_guid(held.principal_id)
    return (of_all or of_one) and all(is_name(scope) for scope in (held.scope or "").split(" ") if scope)
