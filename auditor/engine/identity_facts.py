"""What a rule may ask of an app about who it is: match, publisher, home, credentials, reply URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from msgspec import UNSET, UnsetType

from auditor.engine.fact import ABSENT, Absent, AppFact, Value, complete
from auditor.engine.reply_urls import is_insecure, is_loopback, is_wildcard
from auditor.engine.view import AppView, Context
from auditor.knowledge.evidence import is_foreign
from auditor.model.directory import KeyCredential, ServicePrincipal

T = TypeVar("T")
Read = Callable[[Context, AppView], Value | Absent]

_LISTED = ("servicePrincipals",)
_NOT_CARRIED = "What was read of the service principal does not carry the field."
_NO_TENANT = "What was read does not carry the app's home tenant, or the audited tenant's own id is not known."


def _field(read: Callable[[ServicePrincipal], T | UnsetType | None], say: Callable[[T | None], Value | Absent]) -> Read:
    """Make a fact of one field; the field not being carried is ABSENT, and null is a value for `say`."""

    def value(_: Context, view: AppView) -> Value | Absent:
        found = read(view.identified.service_principal)
        return ABSENT if isinstance(found, UnsetType) else say(found)

    return value


def integration(context: Context, view: AppView) -> str | Absent:
    """Return the app's integration, or ABSENT while what it would be inferred from is not known."""
    app = view.identified
    # A candidate is taken for an integration because of the application permissions that it holds.
    settled = app.integration or app.match != "candidate" or complete(context, view, "appRoleAssignments")
    return app.integration if settled else ABSENT


def _integration_known(context: Context, view: AppView) -> Value | Absent:
    known = integration(context, view)
    return ABSENT if known is ABSENT else bool(known)


def _look_alike(_: Context, view: AppView) -> Value | Absent:
    app = view.identified
    return ABSENT if app.may_be_look_alike else app.match == "look-alike"


def _own_tenant(context: Context, view: AppView) -> bool | Absent:
    owner = view.identified.service_principal.app_owner_organization_id
    if isinstance(owner, UnsetType) or not context.tenant_id:
        return ABSENT
    return owner is not None and owner.lower() == context.tenant_id.lower()


def _home_tenant_differs(context: Context, view: AppView) -> Value | Absent:
    if view.identified.match in ("template", "look-alike"):
        return False
    own = _own_tenant(context, view)
    if own is not False:
        return ABSENT if own is ABSENT else False
    home = view.identified.service_principal.app_owner_organization_id
    others = {
        other.identified.service_principal.app_owner_organization_id
        for other in context.apps
        if other is not view and _measures(context, other, view)
    }
    if home and others - {home, None, UNSET}:
        return True
    settled = home and complete(context, view, *_LISTED) and not others & {None, UNSET}
    return False if settled else ABSENT


def _measures(context: Context, other: AppView, view: AppView) -> bool:
    """Return whether one app's home says where another's is; a candidate says nothing of a better known app."""
    if other.identified.match in ("template", "look-alike") or _own_tenant(context, other) is True:
        return False
    return other.identified.match != "candidate" or view.identified.match == "candidate"


def _credentials(sp: ServicePrincipal) -> int | Absent:
    """Return how many credentials the service principal has, without those that only sign SAML tokens."""
    keys, passwords = sp.key_credentials, sp.password_credentials
    if isinstance(keys, UnsetType) or isinstance(passwords, UnsetType):
        return ABSENT
    saml = _signs_saml(sp)
    if saml is ABSENT:
        return len(passwords) if not keys else ABSENT
    if not saml:
        return len(keys) + len(passwords)
    # A signing certificate shows as a key to sign, one to verify, and a password under the signing key's id,
    # https://learn.microsoft.com/graph/api/serviceprincipal-addtokensigningcertificate
    signing = {key.key_id for key in keys if key.usage == "Sign"}
    spare = _count(keys, "Verify") - max(_count(keys, "Sign"), 1)
    others = len(keys) - _count(keys, "Sign") - _count(keys, "Verify")
    return others + max(spare, 0) + sum(1 for password in passwords if password.key_id not in signing)


def _signs_saml(sp: ServicePrincipal) -> bool | Absent:
    mode, thumbprint = sp.preferred_single_sign_on_mode, sp.preferred_token_signing_key_thumbprint
    if mode == "saml" or isinstance(thumbprint, str):
        return True
    return ABSENT if UNSET in (mode, thumbprint) else False


def _count(keys: Iterable[KeyCredential], usage: str) -> int:
    return sum(1 for key in keys if key.usage == usage)


def _has_credentials(_: Context, view: AppView) -> Value | Absent:
    sp = view.identified.service_principal
    count = _credentials(sp)
    if count is not ABSENT:
        return count > 0
    seen = {sp.key_credentials, sp.password_credentials} - {UNSET, ()}
    return True if seen and _signs_saml(sp) is False else ABSENT


def _urls(chosen: Callable[[Context, str], bool]) -> Read:
    def value(context: Context, view: AppView) -> Value | Absent:
        urls = view.identified.service_principal.reply_urls
        return ABSENT if isinstance(urls, UnsetType) else tuple(url for url in urls if chosen(context, url))

    return value


def _days_since_created(context: Context, view: AppView) -> Value | Absent:
    created = view.identified.service_principal.created_date_time
    return (context.snapshot.taken_at - created).days if isinstance(created, datetime) else ABSENT


def _other_integrations(view: AppView, apps: Iterable[AppView]) -> tuple[str, ...]:
    others = (app.identified for app in apps if app is not view)
    return tuple(sorted({app.integration for app in others if app.integration and app.match != "look-alike"}))


IDENTITY_FACTS = (
    AppFact(
        name="app.match",
        type="string",
        doc="How the app was told: `documented`, `template`, `configured`, `candidate` or `look-alike`.",
        collections=_LISTED,
        value=lambda _, view: view.identified.match,
    ),
    AppFact(
        name="app.look_alike",
        type="bool",
        doc="The app bears the vendor's name, or one that imitates it, and is not known to be the vendor's.",
        collections=(*_LISTED, "organization"),
        unknown="The reply URLs were not read, or they lie elsewhere and the app may be the tenant's own.",
        value=_look_alike,
    ),
    AppFact(
        name="app.integration",
        type="string",
        doc="The integration that the app is, such as `rooms-application`; empty when none is established.",
        collections=(*_LISTED, "appRoleAssignments"),
        value=integration,
    ),
    AppFact(
        name="app.integration_known",
        type="bool",
        doc="It is established or inferred which integration the app is.",
        collections=(*_LISTED, "appRoleAssignments"),
        value=_integration_known,
    ),
    AppFact(
        name="app.confirmed",
        type="bool",
        doc="A documented id or the team's configuration says which integration the app is.",
        collections=_LISTED,
        value=lambda _, view: view.identified.confirmed,
    ),
    AppFact(
        name="app.other_integrations",
        type="list(string)",
        doc="The integrations of the vendor's other apps in the tenant, look-alikes left out.",
        collections=_LISTED,
        value=lambda context, view: (
            _other_integrations(view, context.apps) if complete(context, view, *_LISTED) else ABSENT
        ),
    ),
    AppFact(
        name="app.account_enabled",
        type="bool",
        doc="The app may sign in.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_field(lambda sp: sp.account_enabled, lambda enabled: ABSENT if enabled is None else enabled),
    ),
    AppFact(
        name="app.disabled_by_microsoft",
        type="bool",
        doc="Microsoft has switched the app off.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_field(
            lambda sp: sp.disabled_by_microsoft_status, lambda status: status not in (None, "", "NotDisabled")
        ),
    ),
    AppFact(
        name="app.publisher_verified",
        type="bool",
        doc="Microsoft has verified the publisher.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_field(
            lambda sp: sp.verified_publisher,
            lambda p: bool(p and (p.verified_publisher_id or p.display_name)),
        ),
    ),
    AppFact(
        name="app.owner_tenant_known",
        type="bool",
        doc="Graph names the tenant that the app is registered in.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_field(lambda sp: sp.app_owner_organization_id, bool),
    ),
    AppFact(
        name="app.own_tenant",
        type="bool",
        doc="The app is registered in the audited tenant itself.",
        collections=(*_LISTED, "organization"),
        unknown=_NO_TENANT,
        value=_own_tenant,
    ),
    AppFact(
        name="app.home_tenant_differs",
        type="bool",
        doc="The app's home tenant is not that of the vendor's other apps; gallery and own apps are left out.",
        collections=(*_LISTED, "organization"),
        unknown=_NO_TENANT,
        value=_home_tenant_differs,
    ),
    AppFact(
        name="app.credentials",
        type="int",
        doc="Secrets and certificates on the service principal, without those that only sign SAML tokens.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=lambda _, view: _credentials(view.identified.service_principal),
    ),
    AppFact(
        name="app.has_credentials",
        type="bool",
        doc="Some secret or certificate, other than for signing SAML tokens, is on the service principal.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_has_credentials,
    ),
    AppFact(
        name="app.reply_urls_insecure",
        type="list(string)",
        doc="Reply URLs in clear text (http), loopback left out.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_urls(lambda _, url: is_insecure(url)),
    ),
    AppFact(
        name="app.reply_urls_wildcard",
        type="list(string)",
        doc="Reply URLs with a wildcard.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_urls(lambda _, url: is_wildcard(url)),
    ),
    AppFact(
        name="app.reply_urls_loopback",
        type="list(string)",
        doc="Reply URLs on the user's own device (localhost, 127.0.0.1, ::1).",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_urls(lambda _, url: is_loopback(url)),
    ),
    AppFact(
        name="app.reply_urls_foreign",
        type="list(string)",
        doc="Web reply URLs outside the vendor's domains, or without a host that readers would agree on.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_urls(lambda context, url: is_foreign(url, context.profile.identity.hosts)),
    ),
    AppFact(
        name="app.days_since_created",
        type="int",
        doc="Whole days between the service principal's creation and the moment of the audit.",
        collections=_LISTED,
        unknown=_NOT_CARRIED,
        value=_days_since_created,
    ),
)
