"""JSON to model: what Microsoft Graph answers, as the values of auditor.model.directory.

Tolerant of what does not matter (further fields, annotations, seven-digit fractions, offsets like `-8:00`,
null collections) and strict on what does: a value without its ids, or with one of another type, is refused,
never guessed. Pure functions: the live reader and the reader of saved answers share them. The types have no
place for credential values, so none survive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import TypeVar, cast

import msgspec
from msgspec import ValidationError, inspect
from msgspec.structs import fields

from auditor.model.canonical import from_json
from auditor.model.directory import (
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    Organization,
    ServicePrincipal,
    SignInActivity,
)

T = TypeVar("T")
Json = Mapping[str, object]

_GUIDS = frozenset(
    {
        "appId",
        "appOwnerOrganizationId",
        "appRoleId",
        "applicationTemplateId",
        "clientId",
        "id",
        "keyId",
        "principalId",
        "resourceId",
        "roleTemplateId",
    },
)
_OPAQUE_IDS = (AppRoleAssignment, OAuth2PermissionGrant)
"""Types whose own `id` is no GUID but a case-sensitive string."""

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12}))?\s*(?:([Zz])|([+-])(\d{1,2}):?(\d\d))?",
    re.ASCII,
)


def moment(value: object) -> datetime | None:
    """Return a Graph time in UTC; None for null and for Graph's stand-in of null, the year 1.

    A time without an offset is UTC; digits beyond the microsecond are cut.

    Raises:
        ValidationError: `value` is no time.
    """
    if value is None or (isinstance(value, str) and value.startswith("0001-01-01")):
        return None
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValidationError("Expected a date and time")
    day, clock, fraction, _, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone)
        return local.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0"))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValidationError("Expected a date and time") from None


def service_principal(obj: Json) -> ServicePrincipal:
    """Return a servicePrincipal; fields that the answer does not carry stay UNSET."""
    return _convert(obj, ServicePrincipal)


def app_role_assignment(obj: Json) -> AppRoleAssignment:
    """Return an appRoleAssignment; its opaque id is kept as it is."""
    return _convert(obj, AppRoleAssignment)


def oauth2_permission_grant(obj: Json) -> OAuth2PermissionGrant:
    """Return an oAuth2PermissionGrant; one for a single principal must name it."""
    grant = _convert(obj, OAuth2PermissionGrant)
    if grant.consent_type not in ("AllPrincipals", "Principal"):
        raise ValidationError("Expected `AllPrincipals` or `Principal` - at `$.consentType`")
    if grant.consent_type == "Principal" and not grant.principal_id:
        raise ValidationError("A grant for one principal names none - at `$.principalId`")
    return grant


def directory_object(obj: Json) -> DirectoryObject:
    """Return an owner, group or directory role; `@odata.type` becomes odata_type."""
    return _convert({**obj, "odataType": obj.get("@odata.type")}, DirectoryObject)


def organization(obj: Json) -> Organization:
    """Return an organization."""
    return _convert(obj, Organization)


def sign_in_activity(obj: Json) -> SignInActivity:
    """Return a servicePrincipalSignInActivity with its nested activities made flat."""
    return SignInActivity(
        app_id=_text(obj, "appId").lower(),
        last_sign_in=_last(obj, "lastSignInActivity"),
        delegated_client=_last(obj, "delegatedClientSignInActivity"),
        delegated_resource=_last(obj, "delegatedResourceSignInActivity"),
        application_client=_last(obj, "applicationAuthenticationClientSignInActivity"),
        application_resource=_last(obj, "applicationAuthenticationResourceSignInActivity"),
    )


def grant_event(obj: Json) -> GrantEvent:
    """Return a directoryAudit record, reduced to who gave or took what of which app; see also `is_grant`.

    The record of a role, a scope or an owner has the resource or the owner as its first target and names the app in
    `ServicePrincipal.ObjectID`; any other record has the app itself as its first target.
    """
    when = moment(obj.get("activityDateTime"))
    if when is None:
        raise ValidationError("Object missing required field `activityDateTime`")
    targets = _objects(obj.get("targetResources"))
    new, old = _values(targets, "newValue"), _values(targets, "oldValue")
    about = targets[0] if targets else {}
    first = _name(about, "id")
    receiver = _unquoted(new.get("ServicePrincipal.ObjectID", "")) or _unquoted(
        old.get("ServicePrincipal.ObjectID", "")
    )
    given, taken = _permissions(new), _permissions(old)
    return GrantEvent(
        id=_text(obj, "id"),
        activity_date_time=when,
        activity=_text(obj, "activityDisplayName").strip(),
        result=_name(obj, "result"),
        actor=_actor(obj.get("initiatedBy")),
        target_id=(receiver or first or "").lower() or None,
        resource_id=first.lower() if first and receiver else None,
        permissions=tuple(name for name in given if name not in taken),
        removed=tuple(name for name in taken if name not in given),
        changed=tuple(_unquoted(new.get("Included Updated Properties", "")).replace(",", " ").split()),
        actor_id=_actor_id(obj.get("initiatedBy")),
        application=_name(about, "displayName") if about.get("type") == "Application" else None,
    )


DECODERS: Mapping[type, Callable[[Json], object]] = {
    ServicePrincipal: service_principal,
    AppRoleAssignment: app_role_assignment,
    OAuth2PermissionGrant: oauth2_permission_grant,
    DirectoryObject: directory_object,
    Organization: organization,
    SignInActivity: sign_in_activity,
    GrantEvent: grant_event,
}


def decode(raw: object, type_: type[T]) -> T:
    """Return one value of a type of DECODERS from JSON bytes or from parsed JSON.

    Raises:
        msgspec.DecodeError: not JSON (or, as its subclass ValidationError: not in a shape that is accepted).
    """
    parsed = from_json(raw) if isinstance(raw, bytes) else raw
    if not isinstance(parsed, Mapping):
        raise ValidationError("Expected `object`")
    return cast("T", DECODERS[type_](parsed))


@cache
def _plan(type_: type) -> tuple[tuple[str, Callable[[object], object]], ...]:
    """Return the fields of a Struct whose JSON needs a change before msgspec takes it, with the change."""
    plan: list[tuple[str, Callable[[object], object]]] = []
    for field in fields(type_):
        kinds = _kinds(inspect.type_info(field.type))
        nested = next(
            (
                k.item_type.cls
                for k in kinds
                if isinstance(k, inspect.VarTupleType) and isinstance(k.item_type, inspect.StructType)
            ),
            None,
        )
        single = next((k.cls for k in kinds if isinstance(k, inspect.StructType)), None)
        if any(isinstance(kind, inspect.DateTimeType) for kind in kinds):
            plan.append((field.encode_name, moment))
        elif nested is not None:
            plan.append((field.encode_name, _each(nested)))
        elif single is not None:
            plan.append((field.encode_name, _one(single)))
        elif any(isinstance(kind, inspect.VarTupleType) for kind in kinds):
            plan.append((field.encode_name, _list))
        elif field.encode_name in _GUIDS and not (field.encode_name == "id" and type_ in _OPAQUE_IDS):
            plan.append((field.encode_name, _guid))
    return tuple(plan)


def _kinds(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _convert(obj: Json, type_: type[T]) -> T:
    ready = _prepare(obj, type_)
    value = msgspec.convert(ready, type_)
    for name in ("id", "app_id", "app_role_id", "principal_id", "resource_id", "client_id"):
        if getattr(value, name, None) == "":
            raise ValidationError(f"Expected an id - at `{name}`")
    return value


def _prepare(obj: Json, type_: type) -> dict[str, object]:
    ready = dict(obj)
    for name, change in _plan(type_):
        if name in ready:
            try:
                ready[name] = change(ready[name])
            except ValidationError as error:
                raise ValidationError(f"{error} - at `{name}`") from None
    return ready


def _each(type_: type) -> Callable[[object], object]:
    return lambda value: [_prepare(o, type_) if isinstance(o, Mapping) else o for o in _list(value)]


def _one(type_: type) -> Callable[[object], object]:
    return lambda value: _prepare(value, type_) if isinstance(value, Mapping) else value


def _list(value: object) -> Iterable[object]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise ValidationError("Expected `array`")
    return value


def _guid(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _objects(value: object) -> list[Json]:
    return [o for o in _list(value) if isinstance(o, Mapping)]


def _text(obj: Json, name: str) -> str:
    value = _name(obj, name)
    if value is None:
        raise ValidationError(f"Object missing required field `{name}`")
    return value


def _name(obj: Json, name: str) -> str | None:
    value = obj.get(name)
    if value is not None and not isinstance(value, str):
        raise ValidationError(f"Expected `str | null` - at `{name}`")
    return (value or "").strip() or None


def _last(obj: Json, name: str) -> datetime | None:
    activity = obj.get(name)
    if activity is None:
        return None
    if not isinstance(activity, Mapping):
        raise ValidationError(f"Expected `object | null` - at `{name}`")
    return moment(activity.get("lastSignInDateTime"))


def _actor(initiator: object) -> str | None:
    """Return who did it: the user's principal name, else the app's name; either part may be null."""
    parts = initiator if isinstance(initiator, Mapping) else {}
    user, app = parts.get("user"), parts.get("app")
    if isinstance(user, Mapping):
        return _name(user, "userPrincipalName") or _name(user, "displayName") or _name(user, "id")
    if isinstance(app, Mapping):
        return _name(app, "displayName") or _name(app, "servicePrincipalName") or _name(app, "servicePrincipalId")
    return None


def _actor_id(initiator: object) -> str | None:
    user = initiator.get("user") if isinstance(initiator, Mapping) else None
    found = _name(user, "id") if isinstance(user, Mapping) else None
    return found.lower() if found else None


def _values(targets: Iterable[Json], side: str) -> Mapping[str, str]:
    """Return one side of what a record says was modified, by name."""
    return {
        str(change.get("displayName")): str(change.get(side) or "")
        for target in targets
        for change in _objects(target.get("modifiedProperties"))
    }


def _permissions(changes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the permissions that a record names, without repeats; a role that has no value by its id."""
    role = _unquoted(changes.get("AppRole.Value", "")) or _unquoted(changes.get("AppRole.Id", "")).lower()
    scopes = _unquoted(changes.get("DelegatedPermissionGrant.Scope", ""))
    added = changes.get("ConsentAction.Permissions", "").rpartition("=>")[2]
    consented = " ".join(re.findall(r"\bScope: ([^,\]]*)", added))
    return tuple(dict.fromkeys(f"{role} {scopes} {consented}".split()))


def _unquoted(text: str) -> str:
    """Return what a modified property says: its values are JSON strings inside JSON strings."""
    try:
        value = from_json(text)
    except msgspec.DecodeError:
        value = text
    return value.strip() if isinstance(value, str) else ""
