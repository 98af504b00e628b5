"""A tenant at one moment: what was read, how completely, and what could not be read.

No collection is a bare list. `Collected[T]` says whether the items are all there are, so that "none" is never read out
of a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from auditor.model.canonical import shared
from auditor.model.directory import (
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    Organization,
    ServicePrincipal,
    SignInActivity,
)

DIRECTORY_ROLE = "#microsoft.graph.directoryrole"
"""`@odata.type` of a directory role, in lower case."""
SCHEMA = "entra-auditor/snapshot"
VERSION = 1

T_co = TypeVar("T_co", covariant=True)


class Complete(Struct, Generic[T_co], frozen=True, kw_only=True, tag="complete", tag_field="state"):
    """All items that there are."""

    items: tuple[T_co, ...]
    pages: int = 1
    faults: tuple[str, ...] = ()
    """Faults that were overcome on the way, in the order met: `429 after 2 s`."""


class Partial(Struct, Generic[T_co], frozen=True, kw_only=True, tag="partial", tag_field="state"):
    """Some of the items; there may be more."""

    items: tuple[T_co, ...]
    why: str
    pages: int = 1
    faults: tuple[str, ...] = ()


class Unavailable(Struct, frozen=True, kw_only=True, tag="unavailable", tag_field="state"):
    """Nothing could be read. Says nothing of what is there."""

    why: str
    opens: str = ""
    """What would open it: the least Graph application permission, a licence, or the file that is absent."""
    faults: tuple[str, ...] = ()


Collected = Complete[T_co] | Partial[T_co] | Unavailable


def items(collected: Collected[T_co]) -> tuple[T_co, ...]:
    """Return the items that were read, which are all only if `collected` is Complete."""
    return () if isinstance(collected, Unavailable) else collected.items


class Client(Struct, frozen=True, kw_only=True):
    """One audited app's service principal with everything read about it."""

    service_principal: ServicePrincipal
    app_role_assignments: Collected[AppRoleAssignment]
    oauth2_permission_grants: Collected[OAuth2PermissionGrant]
    owners: Collected[DirectoryObject]
    member_of: Collected[DirectoryObject]
    """Transitive memberships: directory roles and the groups that carry them."""
    sign_in_activity: Collected[SignInActivity]
    """At most one item; Complete without an item means that the report has no line for the app."""
    grant_events: Collected[GrantEvent]


class Source(Struct, frozen=True, kw_only=True):
    """Where the snapshot came from."""

    kind: str
    """`tenant`, `graph-export`, `sample`, ... (a snapshot file keeps the kind of the source that wrote it)."""
    cloud: str = "public"
    reader_app_id: str = ""
    """appId of the identity that read, as its token says; empty when unknown."""
    reader_object_id: str = ""


@shared
class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that one audit judges."""

    schema: str = SCHEMA
    version: int = VERSION
    tool_version: str
    taken_at: datetime
    taken_at_basis: str
    """`clock` (read live), `given` (--taken-at) or `assumed` (the newest file's time)."""
    profile: str
    """The app profile that chose which clients were read: `zoom`."""
    source: Source
    tenant_id: str = ""
    """Empty when no organization could be read and no other answer named it."""
    organization: Collected[Organization]
    enabled_members: Collected[int]
    """One item: the number of enabled member accounts, an upper bound of the mailboxes."""
    service_principals: Collected[ServicePrincipal]
    """Every service principal of the tenant, with identity fields only."""
    resources: Collected[ServicePrincipal]
    """The resources that the clients hold grants on, with app_roles and oauth2_permission_scopes."""
    clients: tuple[Client, ...]
    audit_log_since: datetime | None = None
    """How far back the directory audit log reaches, as far as the answers show; None when unknown."""
    notes: tuple[str, ...] = ()
    """Remarks of the source: files not understood, assumptions made."""


def directory_roles(client: Client) -> tuple[DirectoryObject, ...]:
    """Return the directory roles among the app's memberships, as far as they were read."""
    return tuple(m for m in items(client.member_of) if (m.odata_type or "").lower() == DIRECTORY_ROLE)


def last_sign_in(client: Client) -> datetime | None:
    """Return the app's last sign-in of any kind, as far as it was read."""
    return max((m for m in (activity.latest for activity in items(client.sign_in_activity)) if m), default=None)


CLIENT_COLLECTIONS = (
    "appRoleAssignments",
    "oauth2PermissionGrants",
    "owners",
    "memberOf",
    "signInActivity",
    "grantEvents",
)
TENANT_COLLECTIONS = ("organization", "enabledMembers", "servicePrincipals", "resources")
EXCHANGE = "exchangeRoleAssignments"
"""What Exchange grants by roles of its own: in the ledger, and read by no source in this version."""
_EXCHANGE = Unavailable(
    why="Exchange role assignments and application access policies are not read in this version",
    opens="Exchange Online PowerShell, View-Only Organization Management",
)


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One line of the coverage ledger: what was asked for, and what came."""

    collection: str
    """A name of TENANT_COLLECTIONS or CLIENT_COLLECTIONS, or EXCHANGE."""
    app_id: str
    """The client concerned; empty for a collection of the tenant."""
    service_principal_id: str
    state: str
    """`complete`, `partial` or `unavailable`."""
    got: int
    pages: int
    faults: tuple[str, ...]
    why: str
    opens: str


def client_collections(client: Client) -> dict[str, Collected[object]]:
    """Return the client's collections under their names in the ledger."""
    return {
        "appRoleAssignments": client.app_role_assignments,
        "oauth2PermissionGrants": client.oauth2_permission_grants,
        "owners": client.owners,
        "memberOf": client.member_of,
        "signInActivity": client.sign_in_activity,
        "grantEvents": client.grant_events,
    }


def tenant_collections(snapshot: Snapshot) -> dict[str, Collected[object]]:
    """Return the tenant's collections under their names in the ledger."""
    return {
        "organization": snapshot.organization,
        "enabledMembers": snapshot.enabled_members,
        "servicePrincipals": snapshot.service_principals,
        "resources": snapshot.resources,
        EXCHANGE: _EXCHANGE,
    }


def ledger(snapshot: Snapshot) -> tuple[LedgerEntry, ...]:
    """Return the coverage ledger: one entry per collection of the tenant and of each client."""
    return tuple(_entries(snapshot))


def _entries(snapshot: Snapshot) -> Iterator[LedgerEntry]:
    for name, collected in tenant_collections(snapshot).items():
        yield _entry(name, None, collected)
    yield from ledger_of(snapshot.clients)


def ledger_of(clients: Iterable[Client]) -> Iterator[LedgerEntry]:
    """Return the ledger lines of clients."""
    for client in clients:
        for name, collected in client_collections(client).items():
            yield _entry(name, client.service_principal, collected)


def _entry(name: str, app: ServicePrincipal | None, collected: Collected[object]) -> LedgerEntry:
    return LedgerEntry(
        collection=name,
        app_id=app.app_id if app else "",
        service_principal_id=app.id if app else "",
        state=str(collected.__struct_config__.tag),
        got=len(items(collected)),
        pages=0 if isinstance(collected, Unavailable) else collected.pages,
        faults=collected.faults,
        why="" if isinstance(collected, Complete) else collected.why,
        opens=collected.opens if isinstance(collected, Unavailable) else "",
    )
