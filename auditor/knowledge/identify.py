"""Which service principals are the vendor's, which only look so, and why.

An appId cannot be forged; names, publishers and reply URLs can, so they make candidates and never more. A doubtful
candidate (foreign reply URLs, no application permission) gets no integration, and without one no list speaks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args

from msgspec import Struct

from auditor.knowledge.evidence import brand_word, clean, host_of, imitated_word, on_domain, on_loopback
from auditor.knowledge.permissions import GUID
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import ServicePrincipal
from auditor.model.outcome import Match, SeenApp

MICROSOFT_TENANTS = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
"""Home tenants of Microsoft's own apps (appOwnerOrganizationId)."""
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
                named = self.configured.get(app_id)
                return self._app(
                    sp, "documented", known.text, named or known.integration, "configured" if named else "documented"
                )
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
        if _owner(sp) in MICROSOFT_TENANTS:
            return self._seen(sp, "Microsoft's own app: its home is Microsoft's tenant.") if named else None
        evidence = _Evidence(sp, self.profile)
        own = bool(self.tenant_id) and _owner(sp) == self.tenant_id
        if not (evidence.vendor_hosts or named):
            return self._by_name(sp, evidence, own=own)
        if not own and evidence.looks_alike:
            return self._app(sp, "look-alike", evidence.looks_alike, "", "")
        reasons = evidence.found or ["Named by --app-id; nothing else ties it to the vendor"]
        if own:
            reasons = [*reasons, "the app's home is this tenant, so it is not one that the vendor publishes"]
        return self._candidate(sp, reasons, doubtful=own or evidence.has_foreign_host)

    def _by_name(self, sp: ServicePrincipal, evidence: _Evidence, *, own: bool) -> IdentifiedApp | SeenApp | None:
        """What is left when no reply URL lies on the vendor's hosts and nobody asked for the app."""
        for other in self.identity.not_this_vendor:
            if not other.app_id and _squeezed(other.name) == _squeezed(sp.display_name or ""):
                return self._seen(sp, other.text)
        if own and (evidence.found or evidence.looks_alike):
            return self._seen(sp, "An app of this tenant's own that only carries the vendor's name.", include=True)
        if evidence.looks_alike:
            return self._app(sp, "look-alike", evidence.looks_alike, "", "")
        return self._candidate(sp, evidence.found) if evidence.found else None

    def _candidate(self, sp: ServicePrincipal, reasons: Sequence[str], *, doubtful: bool = False) -> IdentifiedApp:
        inferred = sp.id in self.with_application_permissions and not doubtful
        reason = "; ".join(reasons)
        return self._app(
            sp,
            "candidate",
            f"{reason}.",
            self.identity.inferred_integration if inferred else "",
            "inferred" if inferred else "",
        )

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
        return f"apps.{self.profile.id}.{rest}" if GUID.fullmatch(sp.app_id.lower()) else ""


class _Evidence:
    """What one service principal's name, publisher and reply URLs say."""

    def __init__(self, sp: ServicePrincipal, profile: AppProfile) -> None:
        identity = profile.identity
        name = sp.display_name or ""
        urls = sp.reply_urls if isinstance(sp.reply_urls, tuple) else ()
        hosts = sorted({host_of(url) for url in urls} - {""})
        self.vendor_hosts = [host for host in hosts if on_domain(host, identity.hosts)]
        self.foreign_hosts = [host for host in hosts if host not in self.vendor_hosts]
        # Developers leave localhost behind; any other foreign host beside the vendor's may be where the answers go.
        self.has_foreign_host = not all(map(on_loopback, self.foreign_hosts))
        word = brand_word(name, identity.names)
        publisher = next((p for p in _publishers(sp) if brand_word(p, identity.publishers)), "")
        self.found = [
            *([f"the name holds '{word}' as a word"] if word else []),
            *([f"a reply URL lies on {clean(self.vendor_hosts[0])}"] if self.vendor_hosts else []),
            *([f"the publisher calls itself '{clean(publisher)}'"] if publisher else []),
        ]
        if self.found and self.foreign_hosts:
            self.found.append(f"but a reply URL lies on {clean(self.foreign_hosts[0])}, which is not the vendor's")
        self.looks_alike = self._look_alike(name, word, urls, profile)

    def _look_alike(self, name: str, word: str, urls: Sequence[str], profile: AppProfile) -> str:
        imitated = imitated_word(name, profile.identity.names)
        if imitated:
            return f"The name '{clean(name)}' imitates '{imitated}' with look-alike or hidden characters."
        if word and urls and not self.vendor_hosts:
            where = f"they lie on {clean(self.foreign_hosts[0])}" if self.foreign_hosts else "they have no web host"
            return (
                f"The name holds '{word}', the appId is not one that {profile.title} documents, and none of its "
                f"reply URLs lies on the vendor's hosts ({where})."
            )
        return ""


def _publishers(sp: ServicePrincipal) -> list[str]:
    verified = sp.verified_publisher.display_name if sp.verified_publisher else None
    return [name for name in (verified, sp.publisher_name) if name]


def _owner(sp: ServicePrincipal) -> str:
    return _lower(sp.app_owner_organization_id)


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _squeezed(name: str) -> str:
    return "".join(name.split()).casefold()
