"""Directory audit records in the shape of Microsoft's log, built back from grant events.

A grant of an app role or a scope names the resource first and the client in a modified property; a consent names the
client first and carries its permissions in one text. The outer shape is documented
(https://learn.microsoft.com/graph/api/resources/directoryaudit); the names of the modified properties are inferred from
published queries over the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from auditor.model.directory import GrantEvent, ServicePrincipal
from auditor.simulator.bodies import moment, uuid
from auditor.simulator.query import Json

UPDATED_APP = "Update service principal"
Apps = Mapping[str, ServicePrincipal]
"""Service principals by object id."""


def directory_audit(event: GrantEvent, apps: Apps) -> Json:
    """Return the audit record that tells of `event`."""
    shape = _SHAPES.get(event.activity.casefold(), _other)
    return {
        **_record(event.id, event.activity_date_time, event.activity, event.result or "success"),
        "initiatedBy": _initiator(event.actor, event.actor_id),
        "targetResources": shape(event, apps),
    }


def account(event: GrantEvent, app: ServicePrincipal, *, enabled: bool) -> Json:
    """Return the audit record of an app whose sign-in was switched on or off; `app` is as it was before."""
    was = [app.account_enabled] if isinstance(app.account_enabled, bool) else []
    changes = [
        {"displayName": "AccountEnabled", "oldValue": json.dumps(was), "newValue": json.dumps([enabled])},
        {"displayName": "Included Updated Properties", "oldValue": None, "newValue": json.dumps("AccountEnabled")},
    ]
    target = {**_target(app.id, app.display_name, "ServicePrincipal", {}), "modifiedProperties": changes}
    return {**directory_audit(event, {}), "targetResources": [target]}


def oldest(when: datetime, tenant_id: str) -> Json:
    """Return a made-up record of another kind that marks how far back the log reaches."""
    return {
        **_record(uuid(tenant_id, "oldest audit record"), when, "Update user", "success"),
        "category": "UserManagement",
        "initiatedBy": _initiator("admin@contoso.example"),
        "targetResources": [_target(uuid(tenant_id, "user", 0), "Sample user 1", "User", {})],
    }


def _record(record_id: str, when: datetime, activity: str, result: str) -> Json:
    return {
        "id": record_id,
        "category": "ApplicationManagement",
        "correlationId": uuid("correlation", record_id),
        "result": result,
        "resultReason": "",
        "activityDisplayName": activity,
        "activityDateTime": moment(when),
        "loggedByService": "Core Directory",
        "operationType": activity.split(" ", 1)[0],
        "additionalDetails": [],
    }


def _initiator(actor: str | None, actor_id: str | None = None) -> Json:
    if actor is None:
        return {"user": None, "app": None}
    if "@" in actor:
        user = {
            "id": actor_id,
            "displayName": None,
            "userPrincipalName": actor,
            "ipAddress": None,
        }
        return {"user": user, "app": None}
    app = {
        "appId": None,
        "displayName": actor,
        "servicePrincipalId": uuid("actor", actor),
        "servicePrincipalName": None,
    }
    return {"user": None, "app": app}


def _target(object_id: str | None, name: str | None, kind: str, changes: Mapping[str, str | None]) -> Json:
    return {
        "id": object_id,
        "displayName": name,
        "type": kind,
        "userPrincipalName": None,
        "groupType": None,
        "modifiedProperties": [
            {
                "displayName": key,
                "oldValue": None,
                "newValue": None if value is None else json.dumps(value, ensure_ascii=False),
            }
            for key, value in changes.items()
        ],
    }


def _app(object_id: str | None, apps: Apps, changes: Mapping[str, str | None]) -> Json:
    app = apps.get(object_id or "")
    return _target(object_id, app.display_name if app else None, "ServicePrincipal", changes)


def _client(event: GrantEvent, apps: Apps) -> dict[str, str | None]:
    client, resource = apps.get(event.target_id or ""), apps.get(event.resource_id or "")
    return {
        "ServicePrincipal.ObjectID": event.target_id,
        "ServicePrincipal.DisplayName": client.display_name if client else None,
        "ServicePrincipal.AppId": client.app_id if client else None,
        "ServicePrincipal.Name": client.app_id if client else None,
        "TargetId.ServicePrincipalNames": resource.app_id if resource else None,
    }


def _role(event: GrantEvent, apps: Apps) -> list[Json]:
    named = event.permissions[0] if event.permissions else None
    resource = apps.get(event.resource_id or "")
    roles = (resource.app_roles or ()) if resource else ()
    role = next((role for role in roles if named in (role.id, role.value)), None)
    changes = {
        "AppRole.Id": role.id if role else named,
        "AppRole.Value": role.value if role else named,
        "AppRole.DisplayName": role.display_name if role else None,
        "AppRoleAssignment.CreatedDateTime": moment(event.activity_date_time),
        **_client(event, apps),
    }
    return [_app(event.resource_id, apps, changes), _app(event.target_id, apps, {})]


def _delegated(event: GrantEvent, apps: Apps) -> list[Json]:
    changes = {
        "DelegatedPermissionGrant.Scope": " " + " ".join(event.permissions),
        "DelegatedPermissionGrant.ConsentType": "AllPrincipals",
        **_client(event, apps),
    }
    return [_app(event.resource_id, apps, changes), _app(event.target_id, apps, {})]


def _consent(event: GrantEvent, apps: Apps) -> list[Json]:
    scope = " ".join(event.permissions)
    entry = ", ".join(
        (
            f"Id: {uuid('consent', event.id)}",
            f"ClientId: {event.target_id}",
            "PrincipalId: ",
            f"ResourceId: {event.resource_id}",
            "ConsentType: AllPrincipals",
            f"Scope: {scope}",
            "CreatedDateTime: ",
            "LastModifiedDateTime ",
        )
    )
    changes = {
        "ConsentContext.IsAdminConsent": "True",
        "ConsentContext.IsAppOnly": "False",
        "ConsentContext.OnBehalfOfAll": "True",
        "ConsentContext.Tags": "WindowsAzureActiveDirectoryIntegratedApp",
        "ConsentAction.Permissions": f"[] => [[{entry}]]; ",
        "TargetId.ServicePrincipalNames": _client(event, apps)["ServicePrincipal.AppId"],
    }
    return [_app(event.target_id, apps, changes)]


def _other(event: GrantEvent, apps: Apps) -> list[Json]:
    updated = {"Included Updated Properties": ", ".join(event.changed)} if event.changed else {}
    target = _app(event.target_id, apps, updated)
    if event.application is not None:
        target |= {"type": "Application", "displayName": event.application}
    return [target]


def _owner(event: GrantEvent, apps: Apps) -> list[Json]:
    owner = _target(event.resource_id, None, "User", _client(event, apps))
    return [owner, _app(event.target_id, apps, {})]


def _removed(shape: Callable[[GrantEvent, Apps], list[Json]]) -> Callable[[GrantEvent, Apps], list[Json]]:
    """Return the shape of a record that tells of the opposite: its values are the old ones."""

    def targets(event: GrantEvent, apps: Apps) -> list[Json]:
        made = shape(replace(event, permissions=event.removed), apps)
        for target in made:
            changes = target["modifiedProperties"]
            assert isinstance(changes, list)  # noqa: S101 - made by _target
            target["modifiedProperties"] = [
                {**change, "oldValue": change["newValue"], "newValue": None} for change in changes
            ]
        return made

    return targets


_SHAPES = {
    "add app role assignment to service principal": _role,
    "add delegated permission grant": _delegated,
    "add owner to service principal": _owner,
    "remove owner from service principal": _removed(_owner),
    "consent to application": _consent,
    "remove app role assignment from service principal": _removed(_role),
    "remove delegated permission grant": _removed(_delegated),
}
