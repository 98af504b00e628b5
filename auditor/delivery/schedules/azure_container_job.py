"""Azure Container Apps: a scheduled job under a managed identity, as a template of Azure Resource Manager.

Names of properties are those of Microsoft.App/jobs 2024-03-01:
https://learn.microsoft.com/azure/templates/microsoft.app/2024-03-01/jobs (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.kubernetes import DATA, USER, require_inside, require_kept
from auditor.delivery.schedules.request import BY_CONFIGURATION, Request
from auditor.model.canonical import to_json

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_PARAMETERS = {
    "environmentId": "Resource id of the Container Apps environment.",
    "identityId": "Resource id of the user-assigned managed identity that reads Microsoft Graph.",
    "storageName": "Name of the environment's storage (Azure Files) that holds the configuration, reports and history.",
}
_MOUNT = f"uid={USER},gid={USER},dir_mode=0700,file_mode=0600,nobrl"
"""Files are their user's alone, and SQLite works: with the share's own locks it finds its database locked
(https://github.com/microsoft/azure-container-apps/issues/520, read 2026-11-28)."""


def render(request: Request) -> Mapping[str, bytes]:
    """Return the template.

    Raises:
        UsageError: a file does not lie in what is mounted.
    """
    require_inside(request, "--config", request.config, (DATA,))
    require_kept(request)
    template = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": {"description": f"entra-audit {request.timetable.words}"},
        "parameters": {
            **{name: _parameter(text) for name, text in _PARAMETERS.items()},
            "location": _parameter("Azure region.") | {"defaultValue": "[resourceGroup().location]"},
        },
        "resources": [_job(request)],
    }
    return {f"{request.name}.json": msgspec.json.format(to_json(template), indent=2) + b"\n"}


def _parameter(text: str) -> dict[str, Any]:
    return {"type": "string", "metadata": {"description": text}}


def _job(request: Request) -> dict[str, Any]:
    program, *arguments = (_literal(part) for part in request.argv)
    return {
        "type": "Microsoft.App/jobs",
        "apiVersion": "2024-03-01",
        "name": request.name,
        "location": "[parameters('location')]",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"[parameters('identityId')]": {}}},
        "properties": {
            "environmentId": "[parameters('environmentId')]",
            "configuration": {
                "triggerType": "Schedule",
                "scheduleTriggerConfig": {
                    "cronExpression": request.timetable.cron,
                    "parallelism": 1,
                    "replicaCompletionCount": 1,
                },
                "replicaTimeout": 21600,
                "replicaRetryLimit": 0,
                **_registries(request.image),
            },
            "template": {
                "containers": [
                    {
                        "name": "watch",
                        "image": request.image,
                        "command": [program],
                        "args": arguments,
                        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - the container's own
                        "resources": {"cpu": 1, "memory": "2Gi"},
                        "volumeMounts": [{"volumeName": "data", "mountPath": DATA}],
                    }
                ],
                "volumes": [
                    {
                        "name": "data",
                        "storageType": "AzureFile",
                        "storageName": "[parameters('storageName')]",
                        "mountOptions": _MOUNT,
                    }
                ],
            },
        },
    }


def _registries(image: str) -> dict[str, Any]:
    """Return how an image of an Azure registry is pulled: by the same identity."""
    host = image.partition("/")[0]
    if not host.endswith((".azurecr.io", ".azurecr.us", ".azurecr.cn")):
        return {}
    return {"registries": [{"server": host, "identity": "[parameters('identityId')]"}]}


def _literal(text: str) -> str:
    """Return a text that a template does not take for an expression."""
    return f"[{text}" if text.startswith("[") else text


SCHEDULE = Schedule(
    name="azure-container-job",
    help="A scheduled job of Azure Container Apps, by managed identity.",
    auth=("managed-identity", BY_CONFIGURATION),
    program=("entra-audit",),
    config=f"{DATA}/entra-audit.yaml",
    reports=f"{DATA}/report",
    container=True,
    render=render,
)
