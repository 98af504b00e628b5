"""What a write makes of a tenant: one state in, another out, or a refusal in Microsoft Graph's words.

Statuses and messages follow what tools that write to Graph have met in public: a permission that is there already (400
for a role, 409 for a delegated grant), a role that is not there, a body that does not fit its path, an object that does
not exist. docs/sources.md says what is chosen where nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct
from msgspec.structs import replace

from auditor.graph.auth import Claims
from auditor.graph.writes import WRITES
from auditor.model.canonical import from_json
from auditor.model.directory import NO_ROLE, AppRoleAssignment, GrantEvent, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.plan import Write
from auditor.model.snapshot import Client, Collected, Complete, Partial, Unavailable, items
from auditor.simulator import audits, bodies
from auditor.simulator.bodies import uuid
from auditor.simulator.query import Json
from auditor.simulator.refused import Refused, absent
from auditor.simulator.state import Record, State

T = TypeVar("T")
Held = TypeVar("Held", AppRoleAssignment, OAuth2PermissionGrant)
ADDED_ROLE = "Add app role assignment to service principal"
ADDED_SCOPES = "Add delegated permission grant"
REMOVED_ROLE = "Remove app role assignment from service principal"
REMOVED_SCOPES = "Remove delegated permission grant"
_REMOVALS = (REMOVED_ROLE, REMOVED_SCOPES)
_BAD = "Request_BadRequest"
_OWNER = r"(?P<owner>servicePrincipals(?:/[^/]+|\(appId='[^']*'\)))"
_ROLES = rf"(?P<collection>{_OWNER}/(?P<side>appRoleAssignedTo|appRoleAssignments))"
_GRANTS = "(?P<collection>oauth2PermissionGrants)"
_ID = "/(?P<id>[^/]+)"
_PATHS: Mapping[Write, re.Pattern[str]] = {
    "delete-assignment": re.compile(_ROLES + _ID),
    "add-assignment": re.compile(_ROLES),
    "delete-grant": re.compile(_GRANTS + _ID),
    "update-grant": re.compile(_GRANTS + _ID),
    "add-grant": re.compile(_GRANTS),
    "update-service-principal": re.compile(_OWNER),
}
Scope = Annotated[str, Meta(max_length=3850)]
"""As long as Microsoft's OpenAPI description lets it be."""
Guid = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]


class Place(Struct, frozen=True, kw_only=True):
    """A write, and the part of the tenant that its path names."""

    write: Write
    owner: str = ""
    """The path of the service principal; empty: the path names none."""
    collection: str = ""
    """The path of the collection; empty: the service principal itself is written."""
    side: str = ""
    """`appRoleAssignedTo` or `appRoleAssignments`; empty for other collections."""
    id: str = ""
    """The object in the collection; empty: a new one."""


class Order(Struct, frozen=True, kw_only=True):
    """A write that is to be carried out; what its path names is there."""

    place: Place
    owner: str = ""
    """Id, in lower case, of the service principal that the path names."""
    body: bytes = b""
    actor: str
    """Who does it, as the audit log says."""


class _Body(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a request says; annotations are left out before."""


class _NewRole(_Body, frozen=True):
    principal_id: Guid
    resource_id: Guid
    app_role_id: Guid


class _NewGrant(_Body, frozen=True):
    client_id: Guid
    consent_type: Literal["AllPrincipals", "Principal"]
    resource_id: Guid
    principal_id: Guid | None = None
    scope: Scope | None = None
    start_time: str | None = None
    expiry_time: str | None = None


class _Scopes(_Body, frozen=True):
    scope: Scope


class _Account(_Body, frozen=True):
    account_enabled: bool


def place(method: str, path: str) -> Place | None:
    """Return what a call below the version writes, or None where it writes nothing that may be written."""
    for write, pattern in _PATHS.items():
        found = pattern.fullmatch(path)
        if found and WRITES[write].method == method:
            return Place(write=write, **found.groupdict())
    return None


def require_permission(claims: Claims, write: Write) -> None:
    """Refuse a token that carries no permission to write.

    Raises:
        Refused: as said.
    """
    if WRITES[write].permission not in (*claims.roles, *claims.scp.split()):
        raise Refused(403)


def require_json(content_type: str) -> None:
    """Refuse a body that does not say that it is JSON.

    Raises:
        Refused: as said.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(400, "Entity only allows writes with a JSON Content-Type header.", code="BadRequest")


def carried_out(state: State, order: Order) -> tuple[State, Json | None]:
    """Return the tenant after a write, and the object that it made; None where it made none.

    Raises:
        Refused: the body is of the wrong shape, names what is not there, or doubles what is.
    """
    return _WAYS[order.place.write](state, order)


def _add_role(state: State, order: Order) -> tuple[State, Json]:
    wanted = _read(order.body, _NewRole)
    principal_id, resource_id = wanted.principal_id.lower(), wanted.resource_id.lower()
    if order.owner != (principal_id if order.place.side == "appRoleAssignments" else resource_id):
        raise Refused(400, "Not a valid reference update.", code=_BAD)
    principal, resource = _app(state, principal_id), _app(state, resource_id)
    client = _client(state, principal_id)
    collected = _open(client.app_role_assignments)
    key = (resource_id, wanted.app_role_id.lower())
    if any((a.resource_id.lower(), a.app_role_id.lower()) == key for a in collected.items):
        raise Refused(400, "Permission being assigned already exists on the object", code=_BAD)
    _require_role(resource, key[1])
    made = AppRoleAssignment(
        id=uuid("assignment", state.writes + 1, principal_id, *key),
        app_role_id=key[1],
        principal_id=principal.id,
        principal_type="ServicePrincipal",
        principal_display_name=principal.display_name,
        resource_id=resource.id,
        resource_display_name=resource.display_name,
        created_date_time=state.next_moment,
    )
    event = _event(state, order, ADDED_ROLE, principal.id, resource.id, (_named(resource, key[1]),))
    changed = replace(client, app_role_assignments=replace(collected, items=(*collected.items, made)))
    after = state.with_client(changed, resource_id).with_events(principal_id, (event,), ())
    return after, bodies.assignment(made)


def _delete_role(state: State, order: Order) -> tuple[State, None]:
    client, collected, old = _holder(state, order.place.id, lambda client: client.app_role_assignments)
    target, resource_id = client.service_principal.id, old.resource_id
    left = tuple(assignment for assignment in collected.items if assignment is not old)
    named = _named(state.apps.get(resource_id.lower()), old.app_role_id)
    event = _event(state, order, REMOVED_ROLE, target, resource_id, (named,))
    changed = replace(client, app_role_assignments=replace(collected, items=left))
    after = state.with_client(changed, resource_id.lower())
    return after.with_events(target.lower(), (), (_record(state, event),)), None


def _add_grant(state: State, order: Order) -> tuple[State, Json]:
    wanted = _read(order.body, _NewGrant)
    if (wanted.consent_type == "Principal") != (wanted.principal_id is not None):
        raise Refused(400, "principalId belongs to the consentType 'Principal' alone.", code=_BAD)
    app, resource = _app(state, wanted.client_id.lower()), _app(state, wanted.resource_id.lower())
    client = _client(state, app.id.lower())
    collected = _open(client.oauth2_permission_grants)
    made = OAuth2PermissionGrant(
        id=uuid("grant", state.writes + 1, app.id, resource.id, wanted.principal_id, wanted.scope),
        client_id=app.id,
        consent_type=wanted.consent_type,
        principal_id=wanted.principal_id and wanted.principal_id.lower(),
        resource_id=resource.id,
        scope=wanted.scope,
    )
    if any(_whose(grant) == _whose(made) for grant in collected.items):
        raise Refused(409, "Permission entry already exists.")
    changed = replace(client, oauth2_permission_grants=replace(collected, items=(*collected.items, made)))
    return _granted(state, order, changed, None, made), bodies.body(made)


def _change_grant(state: State, order: Order) -> tuple[State, None]:
    client, collected, old = _holder(state, order.place.id, lambda client: client.oauth2_permission_grants)
    new = None
    if order.place.write == "update-grant":
        new = replace(old, scope=_read(order.body, _Scopes).scope)
    left = tuple(new if grant is old else grant for grant in collected.items)
    kept = tuple(grant for grant in left if grant)
    changed = replace(client, oauth2_permission_grants=replace(collected, items=kept))
    return _granted(state, order, changed, old, new), None


def _switch_account(state: State, order: Order) -> tuple[State, None]:
    enabled = _read(order.body, _Account).account_enabled
    app = state.apps[order.owner]
    event = _event(state, order, audits.UPDATED_APP, app.id, None, ())
    record = Record(state.next_moment, audits.account(event, app, enabled=enabled))
    return state.with_account(order.owner, enabled=enabled).with_events(order.owner, (), (record,)), None


_WAYS: Mapping[Write, Callable[[State, Order], tuple[State, Json | None]]] = {
    "delete-assignment": _delete_role,
    "add-assignment": _add_role,
    "delete-grant": _change_grant,
    "update-grant": _change_grant,
    "add-grant": _add_grant,
    "update-service-principal": _switch_account,
}


def _granted(
    state: State,
    order: Order,
    client: Client,
    old: OAuth2PermissionGrant | None,
    new: OAuth2PermissionGrant | None,
) -> State:
    """Return the tenant where a delegated grant has become another, with what the audit log says of its scopes."""
    grant = new or old
    assert grant  # noqa: S101 - one of them is given
    had, has = _scopes(old), _scopes(new)
    target, resource = client.service_principal.id, grant.resource_id
    gained = tuple(scope for scope in has if scope not in had)
    lost = tuple(scope for scope in had if scope not in has)
    events = (_event(state, order, ADDED_SCOPES, target, resource, gained),) if gained or old is None else ()
    gone = (_event(state, order, REMOVED_SCOPES, target, resource, lost),) if lost or new is None else ()
    records = tuple(_record(state, event) for event in gone)
    return state.with_client(client, resource.lower()).with_events(target.lower(), events, records)


def _scopes(grant: OAuth2PermissionGrant | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((grant.scope or "").split())) if grant else ()


def _whose(grant: OAuth2PermissionGrant) -> tuple[str, str, str]:
    return grant.resource_id.lower(), grant.consent_type, (grant.principal_id or "").lower()


def _event(
    state: State, order: Order, activity: str, target: str, resource: str | None, permissions: tuple[str, ...]
) -> GrantEvent:
    return GrantEvent(
        id=uuid("event", state.snapshot.tenant_id, state.writes + 1, activity, target),
        activity_date_time=state.next_moment,
        activity=activity,
        result="success",
        actor=order.actor or None,
        target_id=target.lower(),
        resource_id=resource and resource.lower(),
        permissions=() if activity in _REMOVALS else permissions,
        removed=permissions if activity in _REMOVALS else (),
    )


def _record(state: State, event: GrantEvent) -> Record:
    return Record(event.activity_date_time, audits.directory_audit(event, state.apps))


def _app(state: State, key: str) -> ServicePrincipal:
    if key not in state.apps:
        raise absent(key)
    return state.apps[key]


def _client(state: State, key: str) -> Client:
    client = state.client(key)
    if client is None:
        raise Refused(403, "The snapshot does not hold the permissions of this service principal.")
    return client


def _holder(
    state: State, id_: str, part: Callable[[Client], Collected[Held]]
) -> tuple[Client, Complete[Held] | Partial[Held], Held]:
    """Return the app that holds the object with this id, the collection that it is in, and the object."""
    for client in state.snapshot.clients:
        for item in items(part(client)):
            if item.id == id_:
                return client, _open(part(client)), item
    raise absent(id_)


def _open(collected: Collected[T]) -> Complete[T] | Partial[T]:
    if isinstance(collected, Unavailable):
        raise Refused(403)
    return collected


def _require_role(resource: ServicePrincipal, role_id: str) -> None:
    """Refuse a role that the resource does not publish for apps; what it publishes may be unknown."""
    if resource.app_roles is UNSET or role_id == NO_ROLE:
        return
    for role in resource.app_roles:
        if role.id.lower() == role_id and role.is_enabled and "Application" in role.allowed_member_types:
            return
    raise Refused(400, "Permission being assigned was not found on application", code=_BAD)


def _named(resource: ServicePrincipal | None, role_id: str) -> str:
    """Return a role's value, or its id where it has none or nothing is known of it."""
    roles = (resource.app_roles or ()) if resource else ()
    return next((role.value for role in roles if role.id.lower() == role_id.lower() and role.value), role_id)


def _read(body: bytes, type_: type[T]) -> T:
    """Return what a body says.

    Raises:
        Refused: it is no JSON object, lacks a property, has another one, or one of another type.
    """
    try:
        said: Any = from_json(body)
        if isinstance(said, dict):
            said = {name: value for name, value in said.items() if "@" not in name}
        return msgspec.convert(said, type_)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"Invalid request body: {error}.", code=_BAD) from None
