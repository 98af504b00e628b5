"""Which service principals are the vendor's, which only look so, and why.

An appId cannot be forged; names, publishers and reply URLs can, so they make candidates and never more. A doubtful
candidate (foreign reply URLs, no application permission) gets no integration, and without one no list speaks for it.
What a documented id is for is the vendor's word; auditor/knowledge/configuration.py refuses a line that says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args

from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditor.knowledge.evidence import brand_word, clean, host_of, imitated_word, is_foreign, on_domain
from auditor.knowledge.permissions import GUID
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import ServicePrincipal
from auditor.model.outcome import Match, SeenApp

MICROSOFT_SERVICES = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
MICROSOFT_CORPORATE = "72f988bf-86f1-41af-91ab-2d7cd011db47"
MICROSOFT_TENANTS = {
    MICROSOFT_SERVICES: "Its home is the tenant of Microsoft's own services, so it is Microsoft's app.",
    MICROSOFT_CORPORATE: "Its home is Microsoft's corporate tenant, so it is taken for Microsoft's app; that tenant "
    "may also hold apps that Microsoft's own staff registered (inferred).",
}
"""Home tenants of Microsoft's own apps (appOwnerOrganizationId), and what that says of an app."""
ASKED_FOR = "named by --app-id; nothing else ties it to the vendor"
CHOOSE = "INTEGRATION"
"""Stands in a confirm line where only the team can say which integration it is."""


class IdentifiedApp(Struct, frozen=True, kw_only=True):
    """A service principal that is audited, and how it was told."""

    service_principal: ServicePrincipal
    match: Match
    reason: str
    integration: str
    integration_basis: Literal["documented", "configured", "inferred", ""]
    confirm_line: str
    exclude_line: str
    may_be_look_alike: bool = False
    """A candidate of which it is not known whether it is a look-alike: its reply URLs were not read, or they are
    foreign and it may be the tenant's own."""

    @property
    def confirmed(self) -> bool:
        """A documented id or a configuration line says which integration this is."""
        return self.integration_basis in ("documented", "configured") and self.match != "look-alike"


class Identification(Struct, frozen=True, kw_only=True):
    """All apps to audit, in order of match, name and id, and those considered and left out."""

    apps: tuple[IdentifiedApp, ...]
    seen: tuple[SeenApp, ...]


def identify(
    service_principals: Sequence[ServicePrincipal],
    *,
    profile: AppProfile,
    configuration: AppConfiguration,
    tenant_id: str,
    with_application_permissions: Collection[str],
    only: frozenset[str] = frozenset(),
) -> Identification:
    """Tell which service principals to audit; each lands in `apps`, in `seen`, or in neither.

    Args:
        service_principals: all of the tenant, with their identity fields; a field that is UNSET is no evidence.
        profile: the vendor's app profile.
        configuration: the team's word on it.
        tenant_id: the audited tenant; empty when unknown, and then no app counts as the tenant's own.
        with_application_permissions: object ids of the service principals that hold application permissions.
        only: appIds to audit; empty for all. One that nothing else ties to the vendor becomes a candidate.
    """
    wanted = frozenset(app_id.lower() for app_id in only)
    judge = _Judge(profile, configuration, tenant_id, frozenset(with_application_permissions), wanted)
    results = [judge(sp) for sp in service_principals if not wanted or sp.app_id.lower() in wanted]
    order = get_args(Match)
    return Identification(
        apps=tuple(
            sorted(
                (r for r in results if isinstance(r, IdentifiedApp)),
                key=lambda app: (
                    order.index(app.match),
                    app.service_principal.display_name or "",
                    app.service_principal.id,
                    app.service_principal.app_id,
                ),
            )
        ),
        seen=tuple(
            sorted(
                (r for r in results if isinstance(r, SeenApp)),
                key=lambda app: (app.name, app.service_principal_id, app.app_id, app.reason),
            )
        ),
    )


class _Judge:
    """The tests in their order; the first that says something decides."""

    def __init__(
        self,
        profile: AppProfile,
        configuration: AppConfiguration,
        tenant_id: str,
        with_application_permissions: frozenset[str],
        wanted: frozenset[str],
    ) -> None:
        self.profile = profile
        self.identity = profile.identity
        self.excluded = frozenset(app_id.lower() for app_id in configuration.exclude)
        self.configured = {app_id.lower(): name for app_id, name in configuration.integrations.items()}
        self.tenant_id = tenant_id.lower()
        self.with_application_permissions = with_application_permissions
        self.wanted = wanted

    def __call__(self, sp: ServicePrincipal) -> IdentifiedApp | SeenApp | None:
        return self._by_id(sp) or self._by_evidence(sp)

    def _by_id(self, sp: ServicePrincipal) -> IdentifiedApp | SeenApp | None:
        """What ids and the team's own word decide."""
        app_id = sp.app_id.lower()
        if app_id in self.excluded:
            return self._seen(sp, f"Excluded by apps.{self.profile.id}.exclude in the configuration.")
        for other in self.identity.not_this_vendor:
            if other.app_id and other.app_id.lower() == app_id:
                return self._seen(sp, other.text)
        for known in self.identity.app_ids:
            if known.app_id.lower() == app_id:
                return self._app(sp, "documented", known.text, known.integration, "documented")
        if app_id in self.configured:
            reason = f"Named in apps.{self.profile.id}.integrations of the configuration."
            return self._app(sp, "configured", reason, self.configured[app_id], "configured")
        for template in self.identity.templates:
            if _lower(sp.application_template_id) == template.template_id.lower():
                away = _owner(sp) and self.tenant_id and _owner(sp) != self.tenant_id
                unusual = " Its home is another tenant, which is unusual for a gallery app." if away else ""
                return self._app(sp, "template", template.text + unusual, template.integration, "inferred")
        return None

    def _by_evidence(self, sp: ServicePrincipal) -> IdentifiedApp | SeenApp | None:
        """What name, publisher and reply URLs suggest."""
        named = sp.app_id.lower() in self.wanted
        evidence = _Evidence(sp, self.profile)
        tied = named or bool(evidence.vendor_hosts)
        if not tied and (other := self._other_vendor(sp)):
            return other
        if not (named or evidence.says):
            return None
        if home := MICROSOFT_TENANTS.get(_owner(sp)):
            reason = f"{evidence.says or _sentence([ASKED_FOR])} {home}"
            return self._seen(sp, reason, include=_owner(sp) == MICROSOFT_CORPORATE)
        own = self._own(sp)
        if own and not tied:
            return self._seen(sp, "An app of this tenant's own that only carries the vendor's name.", include=True)
        look_alike = "" if own else evidence.imitates or (evidence.leads_away if own is False else "")
        if look_alike:
            return self._app(sp, "look-alike", look_alike, "", "")
        return self._candidate(sp, evidence, own=own)

    def _other_vendor(self, sp: ServicePrincipal) -> SeenApp | None:
        for other in self.identity.not_this_vendor:
            if not other.app_id and _squeezed(other.name) == _squeezed(sp.display_name or ""):
                return self._seen(sp, other.text)
        return None

    def _own(self, sp: ServicePrincipal) -> bool | None:
        """Return whether the app's home is the audited tenant; None while either of the two is not known."""
        known = self.tenant_id and sp.app_owner_organization_id is not UNSET
        return _owner(sp) == self.tenant_id if known else None

    def _candidate(self, sp: ServicePrincipal, evidence: _Evidence, *, own: bool | None) -> IdentifiedApp:
        reasons = [*evidence.found] or [ASKED_FOR]
        if own:
            reasons.append("the app's home is this tenant, so it is not one that the vendor publishes")
        stray = own is None and bool(evidence.leads_away)
        if stray:
            reasons.append("its home tenant is not known, so it may be a look-alike or the team's own app")
        inferred = sp.id in self.with_application_permissions and not own and not evidence.foreign
        app = self._app(
            sp,
            "candidate",
            _sentence(reasons),
            self.identity.inferred_integration if inferred else "",
            "inferred" if inferred else "",
        )
        return replace(app, may_be_look_alike=stray or (not own and sp.reply_urls is UNSET))

    def _app(
        self,
        sp: ServicePrincipal,
        match: Match,
        reason: str,
        integration: str,
        basis: Literal["documented", "configured", "inferred", ""],
    ) -> IdentifiedApp:
        open_question = basis not in ("documented", "configured")
        return IdentifiedApp(
            service_principal=sp,
            match=match,
            reason=reason,
            integration=integration,
            integration_basis=basis if integration else "",
            confirm_line=self._confirm(sp, integration) if open_question else "",
            exclude_line=self._line(sp, f'exclude: ["{sp.app_id}"]') if open_question else "",
        )

    def _seen(self, sp: ServicePrincipal, reason: str, *, include: bool = False) -> SeenApp:
        return SeenApp(
            app_id=sp.app_id,
            service_principal_id=sp.id,
            name=sp.display_name or "",
            reason=reason,
            include_line=self._confirm(sp, "") if include else "",
        )

    def _confirm(self, sp: ServicePrincipal, integration: str) -> str:
        return self._line(sp, f'integrations: {{"{sp.app_id}": {integration or CHOOSE}}}')

    def _line(self, sp: ServicePrincipal, rest: str) -> str:
        return rest if GUID.fullmatch(sp.app_id.lower()) else ""


class _Evidence:
    """What one service principal's name, publisher and reply URLs say."""

    def __init__(self, sp: ServicePrincipal, profile: AppProfile) -> None:
        identity = profile.identity
        name = sp.display_name or ""
        urls = sp.reply_urls if isinstance(sp.reply_urls, tuple) else ()
        self.vendor_hosts = sorted({host for host in map(host_of, urls) if on_domain(host, identity.hosts)})
        hosts = sorted({host_of(url) for url in urls if is_foreign(url, identity.hosts)})
        self.foreign = next(filter(None, hosts), "an address without a plain host name") if hosts else ""
        word = brand_word(name, identity.names)
        publisher = next((p for p in _publishers(sp) if brand_word(p, identity.publishers)), "")
        self.found = [
            *([f"the name holds '{word}' as a word"] if word else []),
            *([f"a reply URL lies on {clean(self.vendor_hosts[0])}"] if self.vendor_hosts else []),
            *([f"the publisher calls itself '{clean(publisher)}'"] if publisher else []),
        ]
        if self.found and self.foreign:
            self.found.append(f"but a reply URL lies on {clean(self.foreign)}, which is not the vendor's")
        imitated = imitated_word(name, identity.names)
        self.imitates = (
            f"The name '{clean(name)}' imitates '{imitated}' with look-alike or hidden characters." if imitated else ""
        )
        self.leads_away = (
            f"The name holds '{word}', the appId is not one that {profile.title} documents, and of its reply URLs none "
            f"lies on the vendor's hosts and one lies on {clean(self.foreign)}."
            if word and self.foreign and not self.vendor_hosts
            else ""
        )
        self.says = self.imitates or (_sentence(self.found) if self.found else "")


def _sentence(reasons: Sequence[str]) -> str:
    text = "; ".join(reasons)
    return f"{text[0].upper()}{text[1:]}."


def _publishers(sp: ServicePrincipal) -> list[str]:
    verified = sp.verified_publisher.display_name if sp.verified_publisher else None
    return [name for name in (verified, sp.publisher_name) if name]


def _owner(sp: ServicePrincipal) -> str:
    return _lower(sp.app_owner_organization_id)


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _squeezed(name: str) -> str:
    return "".join(name.split()).casefold()
