"""A tenant between two writes: the snapshot of it, and what is known of it beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from auditor.model.directory import GrantEvent, ServicePrincipal
from auditor.model.snapshot import Client, Collected, Snapshot, Unavailable, items
from auditor.simulator.query import Json


class Record(NamedTuple):
    """A record of the audit log that tells of no grant, so that a snapshot has no place for it."""

    when: datetime
    body: Json


class State(Struct, frozen=True, kw_only=True):
    """A tenant between two writes; never changed, a write makes a new one."""

    snapshot: Snapshot
    apps: Mapping[str, ServicePrincipal]
    """Every service principal, by its id in lower case, with what any part of the snapshot knows of it."""
    resources: tuple[ServicePrincipal, ...]
    """The resources that anybody holds or once held a grant on, as the snapshot shows them."""
    records: tuple[Record, ...] = ()
    writes: int = 0
    """How many writes led here."""

    @property
    def next_moment(self) -> datetime:
        """When the next write is carried out: one second after the one before."""
        return self.snapshot.taken_at + timedelta(seconds=self.writes + 1)

    def client(self, key: str) -> Client | None:
        """Return the audited app whose service principal has the id `key`, in lower case."""
        return next((c for c in self.snapshot.clients if c.service_principal.id.lower() == key), None)

    def with_client(self, client: Client, resource: str) -> State:
        """Return the tenant with another state of an audited app, after a write about its grants on `resource`.

        A resource that nobody holds a grant on any more leaves the snapshot, and comes back with the next grant: who
        reads the tenant reads the resources that are held.
        """
        clients = tuple(client if _same(c, client) else c for c in self.snapshot.clients)
        snapshot, known = replace(self.snapshot, clients=clients), self.resources
        shown = snapshot.resources
        if not isinstance(shown, Unavailable):
            if resource in self.apps and not any(app.id.lower() == resource for app in known):
                known = (*known, self.apps[resource])
            ids = {app.id.lower() for app in shown.items} - {resource}
            if any(resource in held(c) for c in clients):
                ids |= {resource}
            listed = replace(shown, items=tuple(app for app in known if app.id.lower() in ids))
            snapshot = replace(snapshot, resources=listed)
        return replace(self, snapshot=snapshot, resources=known, writes=self.writes + 1)

    def with_account(self, key: str, *, enabled: bool) -> State:
        """Return the tenant with an app's sign-in switched on or off, wherever the app stands."""

        def switched(app: ServicePrincipal) -> ServicePrincipal:
            return replace(app, account_enabled=enabled) if app.id.lower() == key else app

        def each(apps: Collected[ServicePrincipal]) -> Collected[ServicePrincipal]:
            return apps if isinstance(apps, Unavailable) else replace(apps, items=tuple(map(switched, apps.items)))

        clients = (replace(c, service_principal=switched(c.service_principal)) for c in self.snapshot.clients)
        snapshot = replace(
            self.snapshot,
            service_principals=each(self.snapshot.service_principals),
            resources=each(self.snapshot.resources),
            clients=tuple(clients),
        )
        return replace(
            self,
            snapshot=snapshot,
            apps={**self.apps, key: switched(self.apps[key])},
            resources=tuple(map(switched, self.resources)),
            writes=self.writes + 1,
        )

    def with_events(self, key: str, events: tuple[GrantEvent, ...], records: tuple[Record, ...]) -> State:
        """Return the tenant with new records about an app in the audit log, unless the app's may not be read."""
        client = self.client(key)
        if client and isinstance(client.grant_events, Unavailable):
            return self
        snapshot = self.snapshot
        if client and events:
            log = replace(client.grant_events, items=(*events, *items(client.grant_events)))
            heard = replace(client, grant_events=log)
            clients = tuple(heard if _same(c, heard) else c for c in snapshot.clients)
            snapshot = replace(snapshot, clients=clients)
        return replace(self, snapshot=snapshot, records=(*records, *self.records))


def state_of(snapshot: Snapshot) -> State:
    """Return the tenant of a snapshot, before any write."""
    return State(snapshot=snapshot, apps=_merged(snapshot), resources=items(snapshot.resources))


def held(client: Client) -> set[str]:
    """Return the ids, in lower case, of the resources that an app holds grants on."""
    roles = {role.resource_id.lower() for role in items(client.app_role_assignments)}
    return roles | {grant.resource_id.lower() for grant in items(client.oauth2_permission_grants)}


def _same(one: Client, other: Client) -> bool:
    return one.service_principal.id == other.service_principal.id


def _merged(snapshot: Snapshot) -> dict[str, ServicePrincipal]:
    merged: dict[str, dict[str, Any]] = {}
    clients = (client.service_principal for client in snapshot.clients)
    for app in chain(items(snapshot.service_principals), items(snapshot.resources), clients):
        known = {name: value for name, value in asdict(app).items() if value is not UNSET}
        merged.setdefault(app.id.lower(), {}).update(known)
    return {key: ServicePrincipal(**values) for key, values in merged.items()}
