"""The source `--graph-export`: Microsoft Graph's answers as any tool saved them, one file per Graph path.

    servicePrincipals.json                                required
    servicePrincipals/{id}.json                           a resource, when the list lacks its permissions
    servicePrincipals/{id}/appRoleAssignments.json        {id}: the app's object id, or its appId
    servicePrincipals/{id}/oauth2PermissionGrants.json    or, for all apps, oauth2PermissionGrants.json
    servicePrincipals/{id}/owners.json
    servicePrincipals/{id}/transitiveMemberOf.json        or memberOf.json
    organization.json, users.json
    reports/servicePrincipalSignInActivities.json
    auditLogs/directoryAudits.json

The audit log may also be what Log Analytics (the table AuditLogs) or a diagnostic setting exported.
Each file is one response, an array of pages, a bare array, a single item or JSON lines (also gzipped). What
is absent is Unavailable, never empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from auditor import __version__
from auditor.errors import InputError, UsageError
from auditor.graph import wire
from auditor.knowledge.identify import identify
from auditor.model.activity import is_change
from auditor.model.directory import (
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    Organization,
    ServicePrincipal,
)
from auditor.model.snapshot import Client, Collected, Complete, Partial, Snapshot, Source, Unavailable, items
from auditor.sources import SourceKind, SourceRequest
from auditor.sources.export_collections import Saved, collect
from auditor.sources.export_folder import Folder
from auditor.sources.export_resources import resources
from auditor.sources.export_users import USERS, enabled_members
from auditor.sources.files import named, shown

T = TypeVar("T")
E = TypeVar("E", AppRoleAssignment, OAuth2PermissionGrant, DirectoryObject)

_SERVICE_PRINCIPALS = Saved(
    path="servicePrincipals",
    call="GET /v1.0/servicePrincipals?$top=999",
    decode=wire.service_principal,
    key=lambda sp: sp.id,
)
_ORGANIZATION = Saved(path="organization", call="GET /v1.0/organization", decode=wire.organization, key=lambda o: o.id)
_GRANTS = Saved(
    path="oauth2PermissionGrants",
    call="GET /v1.0/oauth2PermissionGrants?$top=999",
    decode=wire.oauth2_permission_grant,
    key=lambda grant: grant.id,
)
_SIGN_INS = Saved(
    path="reports/servicePrincipalSignInActivities",
    call="GET /beta/reports/servicePrincipalSignInActivities",
    decode=wire.sign_in_activity,
    key=lambda activity: activity.app_id,
)
_AUDITS = Saved(
    path="auditLogs/directoryAudits",
    call="GET /v1.0/auditLogs/directoryAudits?$filter=category eq 'ApplicationManagement'",
    decode=lambda row: wire.decode(row.get("properties") or row, GrantEvent),
    key=lambda event: event.id,
)
_OF_A_CLIENT = frozenset({"approleassignments", "oauth2permissiongrants", "owners", "transitivememberof", "memberof"})
_OF_THE_TENANT = frozenset(
    kind.path.lower() for kind in (_SERVICE_PRINCIPALS, _ORGANIZATION, _GRANTS, _SIGN_INS, _AUDITS, USERS)
)
_NOT_IDENTITY = dict.fromkeys(
    ("app_roles", "oauth2_permission_scopes", "password_credentials", "key_credentials"), UNSET
)
_ADVICE = (
    f"An export needs at least {_SERVICE_PRINCIPALS.path}.json: save there every page that "
    f"{_SERVICE_PRINCIPALS.call} answers. For each app, save what "
    "GET /v1.0/servicePrincipals/{id}/appRoleAssignments answers as "
    "servicePrincipals/{id}/appRoleAssignments.json, "
    "and oauth2PermissionGrants, owners and transitiveMemberOf in the same way; "
    f"then {_ORGANIZATION.call} as organization.json and {USERS.call} as users.json."
)
_NO_GROUPS = ("#microsoft.graph.directoryrole", "#microsoft.graph.administrativeunit")


class _Export:
    """One export while it is read."""

    def __init__(self, request: SourceRequest) -> None:
        self.where = shown(request.location)
        self.folder = Folder(Path(request.location), where=self.where)
        self.service_principals = self._service_principals()
        self._names = Counter(sp.display_name for sp in self.service_principals.items if sp.display_name)
        self.organization = collect(self.folder, _ORGANIZATION)
        self.tenant_id = _tenant(self.organization, self.where)
        self.grants = collect(self.folder, _GRANTS)
        self.sign_ins = collect(self.folder, _SIGN_INS)
        self.audits = collect(self.folder, _AUDITS)

    def _service_principals(self) -> Complete[ServicePrincipal] | Partial[ServicePrincipal]:
        found = collect(self.folder, _SERVICE_PRINCIPALS)
        if isinstance(found, Unavailable) or (isinstance(found, Partial) and not found.items):
            raise InputError(
                f"{found.why.removesuffix('.')}.",
                where=self.where,
                advice=_ADVICE,
            )
        return found

    def client(self, app: ServicePrincipal) -> Client:
        """Return everything that the export holds of one app."""
        return Client(
            service_principal=replace(app, app_roles=UNSET, oauth2_permission_scopes=UNSET),
            app_role_assignments=self._of(
                app, "appRoleAssignments", wire.app_role_assignment, lambda a: _foreign(a.principal_id, app)
            ),
            oauth2_permission_grants=self._delegated(app),
            owners=self._of(app, "owners", wire.directory_object),
            member_of=self._member_of(app),
            sign_in_activity=_those(self.sign_ins, lambda a: a.app_id == app.app_id),
            grant_events=_those(self.audits, lambda event: is_change(event) and self._about(event, app)),
        )

    def _about(self, event: GrantEvent, app: ServicePrincipal) -> bool:
        """Tell whether a record is about an app, or about its registration: that is of this tenant, and has its name.

        The log names a registration by an object id that no service principal carries.
        """
        own = app.app_owner_organization_id == self.tenant_id and self._names[app.display_name or ""] == 1
        return event.target_id == app.id or (own and event.application == app.display_name)

    def _of(
        self,
        app: ServicePrincipal,
        leaf: str,
        decode: Callable[[Mapping[str, object]], E],
        refuse: Callable[[E], str] = lambda _: "",
    ) -> Collected[E]:
        call = f"GET /v1.0/servicePrincipals/{app.id}/{leaf}?$top=999"
        path = self._path(app, leaf)
        return collect(self.folder, Saved(path=path, call=call, decode=decode, key=lambda item: item.id, refuse=refuse))

    def _path(self, app: ServicePrincipal, leaf: str) -> str:
        """Return where the answer of an app stands: under its object id, unless only its appId has it."""
        by_id, by_app_id = (f"servicePrincipals/{name}/{leaf}" for name in (app.id, app.app_id))
        return by_app_id if not self.folder.has(by_id) and self.folder.has(by_app_id) else by_id

    def _delegated(self, app: ServicePrincipal) -> Collected[OAuth2PermissionGrant]:
        if self.folder.has(_GRANTS.path) and not self.folder.has(self._path(app, "oauth2PermissionGrants")):
            return _those(self.grants, lambda grant: grant.client_id == app.id)
        return self._of(
            app,
            "oauth2PermissionGrants",
            wire.oauth2_permission_grant,
            lambda grant: _foreign(grant.client_id, app),
        )

    def _member_of(self, app: ServicePrincipal) -> Collected[DirectoryObject]:
        direct = self._path(app, "memberOf")
        if self.folder.has(self._path(app, "transitiveMemberOf")) or not self.folder.has(direct):
            return self._of(app, "transitiveMemberOf", wire.directory_object)
        found = self._of(app, "memberOf", wire.directory_object)
        groups = [o for o in items(found) if (o.odata_type or "").lower() not in _NO_GROUPS]
        if isinstance(found, Complete) and groups:
            why = f"{direct}.json: roles held through groups were not exported (transitiveMemberOf.json)."
            return Partial(items=found.items, why=why, pages=found.pages, faults=found.faults)
        return found

    def notes(self) -> tuple[str, ...]:
        """Return the remarks on the folder, and the files in it that were not understood."""
        strange = [self.folder.name(path) for path in self.folder.paths() if not _understood(path)]
        return (
            *dict.fromkeys(self.folder.remarks),
            *((f"Files that were not understood: {named(strange)}.",) if strange else ()),
        )


def read_export(request: SourceRequest) -> Snapshot:
    """Return the snapshot that the folder `request.location` gives.

    Raises:
        InputError: no folder, or no service principals in it.
        UsageError: an appId of `only` is not in the export.
    """
    export = _Export(request)
    listed = export.service_principals.items
    _check(request.only, listed, export.where)
    identified = identify(
        listed,
        profile=request.profile,
        configuration=request.configuration,
        tenant_id=export.tenant_id,
        with_application_permissions=(),
        only=request.only,
    )
    clients: list[Client] = []
    for number, app in enumerate(identified.apps):
        request.progress("apps", number, len(identified.apps))
        clients.append(export.client(app.service_principal))
    request.progress("apps", len(clients), len(clients))
    held = {sp.id: sp for sp in listed}
    members, needed = enabled_members(export.folder), resources(export.folder, held, clients)
    return Snapshot(
        tool_version=__version__,
        taken_at=request.taken_at or export.folder.newest,
        taken_at_basis="given" if request.taken_at else "assumed",
        profile=request.profile.id,
        source=Source(kind="graph-export"),
        tenant_id=export.tenant_id,
        organization=export.organization,
        enabled_members=members,
        service_principals=replace(
            export.service_principals, items=tuple(replace(sp, **_NOT_IDENTITY) for sp in listed)
        ),
        resources=needed,
        clients=tuple(clients),
        audit_log_since=min((e.activity_date_time for e in items(export.audits)), default=None),
        notes=export.notes(),
    )


SOURCE = SourceKind(
    name="graph-export",
    option="--graph-export",
    metavar="DIR",
    help="Read saved Microsoft Graph answers, one file per Graph path (servicePrincipals.json, ...).",
    read=read_export,
)


def _check(only: frozenset[str], listed: Sequence[ServicePrincipal], where: str) -> None:
    held = {sp.app_id.lower() for sp in listed}
    if missing := sorted(app_id for app_id in only if app_id.lower() not in held):
        raise UsageError(
            f"The export {where} holds no app {named(missing)}.",
            where="--app-id",
            advice=f"Give the appId of one of the {len(held)} apps in {_SERVICE_PRINCIPALS.path}.json.",
        )


def _tenant(organization: Collected[Organization], where: str) -> str:
    found = items(organization)
    if len(found) > 1:
        raise InputError(
            f"{_ORGANIZATION.path}.json names {len(found)} tenants.",
            where=where,
            advice="Save each tenant into a folder of its own.",
        )
    return found[0].id if found else ""


def _those(collected: Collected[T], wanted: Callable[[T], bool]) -> Collected[T]:
    if isinstance(collected, Unavailable):
        return collected
    return replace(collected, items=tuple(item for item in collected.items if wanted(item)))


def _foreign(owner: str, app: ServicePrincipal) -> str:
    return "" if owner == app.id else f"it belongs to {shown(owner)}, another service principal"


def _understood(path: str) -> bool:
    name = path.rpartition("/")[2]
    if path in _OF_THE_TENANT or name.startswith((".", "readme")):
        return True
    head, _, rest = path.partition("/")
    _, slash, leaf = rest.partition("/")
    return head == "serviceprincipals" and (leaf in _OF_A_CLIENT if slash else bool(rest) and "." not in rest)
