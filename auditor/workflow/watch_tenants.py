"""Which tenants a watch reads, each with its own sign-in, cloud, policy, answers and waivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import cast

from msgspec import Struct

from auditor.engine.rulebook import Rulebook, load_rulebook
from auditor.errors import InputError, UsageError
from auditor.graph.auth import SIMULATOR_TOKEN, SIMULATOR_URL, Connection, SignIn, connection
from auditor.graph.clouds import CLOUDS
from auditor.graph.secret import (
    CERTIFICATE_PASSWORD,
    SECRET_VARIABLES,
    Secret,
    secret_from_environment,
    secret_from_file,
)
from auditor.graph.ways import Method, uses
from auditor.knowledge.configuration import for_tenant
from auditor.knowledge.permissions import GUID
from auditor.model.configuration import Configuration, TenantConfiguration
from auditor.model.snapshot import Complete, Snapshot, items
from auditor.sources import SourceKind, sources
from auditor.workflow.prepare import Prepared, check, configured, prepared

DEFAULT_APP = "zoom"
CLIENT_SECRET = SECRET_VARIABLES[0]
OWN = (CLIENT_SECRET, CERTIFICATE_PASSWORD, SIMULATOR_URL, SIMULATOR_TOKEN)
"""Variables that a tenant has of its own: `ENTRA_AUDIT_CLIENT_SECRET_CONTOSO_EU` for the tenant `contoso-eu`."""
NEVER_SHARED = (*SECRET_VARIABLES, CERTIFICATE_PASSWORD)
"""Variables that hold for no tenant of several: a secret goes to nobody whose name it does not bear."""

Connect = Callable[[], AbstractContextManager[Connection | None]]


class WatchedTenant(Struct, frozen=True, kw_only=True):
    """One tenant to read."""

    name: str
    kind: SourceKind
    location: str = ""
    """The file or folder of a source that is none of a live tenant."""
    connect: Connect
    """Yields how to reach it, None for a file; raises AuditorError. It is called in the thread that reads."""
    tenant_id: str = ""
    """What the configuration calls it: id or domain; empty: nothing to compare with."""
    apps: tuple[tuple[str, Prepared], ...]
    """App profile, and what it is judged by."""

    def folder(self, app: str) -> str:
        """Return the folder of an app's reports, relative to that of all."""
        return str(PurePosixPath(self.name, app)) if len(self.apps) > 1 else self.name


class Team(Struct, frozen=True, kw_only=True):
    """The whole configuration, checked, and what its audits are judged by."""

    configuration: Configuration
    rulebooks: Mapping[str, Rulebook]
    """Of every app that a tenant audits, each loaded once."""

    def apps(self, held: Configuration) -> tuple[tuple[str, Prepared], ...]:
        """Return each app of what holds for one tenant, with what it is judged by.

        Raises:
            InputError: the register of attestations cannot be read.
        """
        return tuple((app, prepared(self.rulebooks[app], held)) for app in _apps(held))


def read_team(config: Path | None, sample: Configuration | None) -> Team:
    """Return the configuration with its relative paths taken from its folder, and its rulebooks.

    Args:
        config: the file; None: entra-audit.yaml of the current folder if there is one, else `sample`.
        sample: the configuration of a sample tenant.

    Raises:
        ConfigurationError: it cannot be read, or is wrong.
    """
    configuration, where = configured(config, sample)
    rulebook = load_rulebook(DEFAULT_APP)
    check(configuration, DEFAULT_APP, rulebook, where)
    helds = [for_tenant(configuration, tenant) for tenant in configuration.tenants.values()] or [configuration]
    others = {app for held in helds for app in _apps(held)} - {DEFAULT_APP}
    return Team(
        configuration=configuration,
        rulebooks={DEFAULT_APP: rulebook, **{app: load_rulebook(app) for app in sorted(others)}},
    )


def watched(team: Team, environ: Mapping[str, str], only: tuple[str, ...]) -> tuple[WatchedTenant, ...]:
    """Return the tenants of a configuration, in its order.

    Args:
        team: its paths are absolute, or relative to the current folder.
        environ: the process's environment.
        only: names of tenants; empty: all.

    Raises:
        UsageError: there is no such tenant.
        InputError: the register of attestations cannot be read.
    """
    tenants = team.configuration.tenants
    for name in only:
        if name not in tenants:
            known = ", ".join(tenants) or "none"
            raise UsageError(f"There is no tenant '{name}'.", where="--only", advice=f"Tenants: {known}.")
    return tuple(
        _watched(name, tenant, team.apps(for_tenant(team.configuration, tenant)), tenant_environment(environ, name))
        for name, tenant in tenants.items()
        if not only or name in only
    )


def _apps(held: Configuration) -> tuple[str, ...]:
    return tuple(held.apps) or (DEFAULT_APP,)


def tenant_environment(environ: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the environment of one tenant: its own secrets and no others, each under its usual name."""
    own = {variable: environ[own_name(variable, name)] for variable in OWN if environ.get(own_name(variable, name))}
    return {key: value for key, value in environ.items() if key not in NEVER_SHARED} | own


def own_name(variable: str, tenant: str) -> str:
    """Return the name under which a tenant has a variable of its own."""
    return f"{variable}_{tenant.upper().replace('-', '_')}"


def check_tenant(snapshot: Snapshot, tenant_id: str) -> None:
    """Refuse what was read of another tenant than the configuration names.

    Raises:
        InputError: its id is another, or the domain is none of its own.
    """
    domains = {domain.name.lower() for one in items(snapshot.organization) for domain in one.verified_domains}
    known = isinstance(snapshot.organization, Complete)
    wanted = tenant_id.lower()
    is_id = bool(GUID.fullmatch(wanted))
    if wanted and (snapshot.tenant_id.lower() != wanted if is_id else known and wanted not in domains):
        found = snapshot.tenant_id or "one without an id"
        raise InputError(
            f"What was read is of another tenant than the configuration says: {found}.",
            where=tenant_id,
            advice="Check tenant_id, and that the identity that reads is one of this tenant.",
        )


def _watched(
    name: str, tenant: TenantConfiguration, apps: tuple[tuple[str, Prepared], ...], environ: Mapping[str, str]
) -> WatchedTenant:
    if tenant.tenant_id:
        kind, location = "tenant", ""
    else:
        kind, location = ("snapshot", tenant.snapshot) if tenant.snapshot else ("graph-export", tenant.graph_export)

    @contextmanager
    def connect() -> Iterator[Connection | None]:
        try:
            to = connection(_sign_in(tenant, environ), environ) if tenant.tenant_id else None
        except UsageError as error:
            secrets = " and ".join(own_name(variable, name) for variable in (CLIENT_SECRET, CERTIFICATE_PASSWORD))
            advice = f"Give it under sign_in in the configuration; a secret and a password stand in {secrets}."
            raise UsageError(error.what, where=f"tenants.{name}", advice=advice) from None
        yield to

    return WatchedTenant(
        name=name, kind=sources()[kind], location=location, connect=connect, tenant_id=tenant.tenant_id, apps=apps
    )


def _sign_in(tenant: TenantConfiguration, environ: Mapping[str, str]) -> SignIn:
    """Return as whom a tenant is read; its id goes to the sign-in where the method uses one.

    Raises:
        SignInError: a file with a secret cannot be read.
    """
    own = tenant.sign_in
    method = cast("Method", own.method)
    password = environ.get(CERTIFICATE_PASSWORD)
    secret = None
    if method == "client-secret":
        secret = secret_from_file(Path(own.secret_file)) if own.secret_file else secret_from_environment(environ)
    return SignIn(
        method=method,
        cloud=CLOUDS.get(tenant.cloud),
        tenant_id=tenant.tenant_id if "tenant_id" in uses(method) else "",
        client_id=own.client_id,
        secret=secret,
        certificate_path=own.certificate,
        certificate_password=Secret(password) if password else None,
        token_file=own.token_file,
    )
