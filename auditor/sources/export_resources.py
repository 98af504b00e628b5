"""The resources that the clients of an export hold grants on, with the permissions that they publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from auditor.graph import wire
from auditor.model.directory import ServicePrincipal
from auditor.model.snapshot import Client, Collected, Complete, Partial, items
from auditor.sources.export_collections import Saved, collect
from auditor.sources.export_folder import Folder
from auditor.sources.files import named


def resources(
    folder: Folder, listed: Mapping[str, ServicePrincipal], clients: Sequence[Client]
) -> Collected[ServicePrincipal]:
    """Return the resources that the clients' grants point to, by object id.

    Partial where one is not in the export, or is without the permissions of the kind that is held on it.

    Args:
        folder: the export; a resource that `listed` tells too little of is read on its own.
        listed: every service principal of the export, by object id.
        clients: the audited apps with the grants that were read.
    """
    found: dict[str, ServicePrincipal] = {}
    lacking: dict[str, None] = {}
    for resource_id, field in _needed(clients):
        resource = found.get(resource_id) or listed.get(resource_id)
        if resource is None or getattr(resource, field) is UNSET:
            resource = _saved(folder, resource_id) or resource
        if resource is not None:
            found[resource_id] = resource
        if resource is None or getattr(resource, field) is UNSET:
            lacking[resource_id] = None
    if not lacking:
        return Complete(items=tuple(found.values()))
    return Partial(
        items=tuple(found.values()),
        why=f"The export lacks the permissions that these resources publish: {named(list(lacking))}.",
    )


def _needed(clients: Sequence[Client]) -> list[tuple[str, str]]:
    """Return each resource id with the field that names the permissions held on it."""
    roles = {(a.resource_id, "app_roles") for c in clients for a in items(c.app_role_assignments)}
    scopes = {(g.resource_id, "oauth2_permission_scopes") for c in clients for g in items(c.oauth2_permission_grants)}
    return sorted(roles | scopes)


def _saved(folder: Folder, resource_id: str) -> ServicePrincipal | None:
    kind = Saved(
        path=f"servicePrincipals/{resource_id}",
        call=f"GET /v1.0/servicePrincipals/{resource_id}",
        decode=wire.service_principal,
        key=lambda sp: sp.id,
        refuse=lambda sp: "" if sp.id == resource_id else "it is another service principal",
    )
    return next(iter(items(collect(folder, kind))), None)
