"""Model values as Microsoft Graph writes them: the bodies that the simulator answers with."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from uuid import NAMESPACE_URL, uuid5

from msgspec import UNSET, Struct
from msgspec.structs import fields

from auditor.model.directory import AppRoleAssignment, DirectoryObject, ServicePrincipal, SignInActivity
from auditor.simulator.query import Json

_ALSO: dict[str, Json] = {
    "AppRole": {"description": None, "origin": "Application"},
    "PermissionScope": {
        "adminConsentDescription": None,
        "origin": "Application",
        "userConsentDescription": None,
        "userConsentDisplayName": None,
    },
    "PasswordCredential": {"customKeyIdentifier": None, "hint": None, "secretText": None},
    "KeyCredential": {"customKeyIdentifier": None, "key": None},
    "VerifiedDomain": {"capabilities": "Email, OfficeCommunicationsOnline", "type": "Managed"},
}
"""Properties that Microsoft Graph sends and the model does not keep."""


def uuid(*parts: object) -> str:
    """Return an id that depends on `parts` alone."""
    name = "entra-auditor:" + ":".join(map(str, parts))
    return str(uuid5(NAMESPACE_URL, name.encode(errors="backslashreplace").decode()))


def moment(value: datetime) -> str:
    """Return a moment as Microsoft Graph writes it: `2026-11-22T09:14:00Z`."""
    return value.isoformat().replace("+00:00", "Z")


def body(value: Struct) -> Json:
    """Return a model value as JSON: camelCase, null where it is None, absent where it is not known."""
    known = {written: getattr(value, name) for name, written in _names(type(value))}
    return {
        **{name: _json(inner) for name, inner in known.items() if inner is not UNSET},
        **_ALSO.get(type(value).__name__, {}),
    }


@cache
def _names(type_: type[Struct]) -> tuple[tuple[str, str], ...]:
    """Return the names of a type's fields, and how they are written."""
    return tuple((field.name, field.encode_name) for field in fields(type_))


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, datetime):
        return moment(value)
    return body(value) if isinstance(value, Struct) else value


def service_principal(app: ServicePrincipal) -> Json:
    """Return a servicePrincipal; its names are its appId alone."""
    return {**body(app), "servicePrincipalNames": [app.app_id]}


def assignment(value: AppRoleAssignment) -> Json:
    """Return an appRoleAssignment."""
    return {**body(value), "deletedDateTime": None}


def directory_object(value: DirectoryObject) -> Json:
    """Return a user, group, directory role or app with its @odata.type, and only the properties that are known."""
    made = {name: inner for name, inner in body(value).items() if inner is not None and name != "odataType"}
    return {"@odata.type": value.odata_type, **made} if value.odata_type else made


def user(number: int, tenant_id: str) -> Json:
    """Return the made-up enabled member account of that number."""
    name = f"user{number + 1:06}@contoso.example"
    return {
        "id": uuid(tenant_id, "user", number),
        "displayName": f"Sample user {number + 1}",
        "userPrincipalName": name,
        "mail": name,
        "accountEnabled": True,
        "userType": "Member",
    }


def sign_in_activity(value: SignInActivity) -> Json:
    """Return a servicePrincipalSignInActivity of the beta reports."""
    made: Json = {"id": uuid("sign-in", value.app_id), "appId": value.app_id}
    for name, when in (
        ("lastSignInActivity", value.last_sign_in),
        ("delegatedClientSignInActivity", value.delegated_client),
        ("delegatedResourceSignInActivity", value.delegated_resource),
        ("applicationAuthenticationClientSignInActivity", value.application_client),
        ("applicationAuthenticationResourceSignInActivity", value.application_resource),
    ):
        request = uuid("request", value.app_id, name) if when else None
        made[name] = {"lastSignInDateTime": when and moment(when), "lastSignInRequestId": request}
    return made
