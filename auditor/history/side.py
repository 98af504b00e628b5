"""One of two audits that are compared, and what each of them could know."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from auditor.model.directory import ServicePrincipal
from auditor.model.grant import Grant
from auditor.model.outcome import AuditedApp, AuditResult, NotEvaluated
from auditor.model.snapshot import Client, Complete, Snapshot, client_collections, items

COLLECTION_OF = {"application": "appRoleAssignments", "delegated": "oauth2PermissionGrants"}


class Side(Struct, frozen=True, kw_only=True, dict=True):
    """One of the two audits: what was read, and what was made of it."""

    snapshot: Snapshot
    result: AuditResult

    @cached_property
    def clients(self) -> dict[str, Client]:
        """What was read of each app, by object id."""
        return {client.service_principal.id: client for client in self.snapshot.clients}

    @cached_property
    def apps(self) -> dict[str, AuditedApp]:
        """The audited apps by object id."""
        return {app.service_principal_id: app for app in self.result.apps}

    @cached_property
    def not_evaluated(self) -> frozenset[tuple[str, str]]:
        """Rule and object id of the app, where a rule could not be evaluated for an app or a grant of it."""
        gaps = (one for one in self.result.outcomes if isinstance(one, NotEvaluated))
        return frozenset((gap.rule_id, gap.subject.service_principal_id) for gap in gaps)

    @cached_property
    def listed(self) -> dict[str, ServicePrincipal]:
        """Every service principal that was read, by object id."""
        return {sp.id: sp for sp in items(self.snapshot.service_principals)}

    def knows_absent(self, service_principal_id: str) -> bool:
        """Tell whether this audit shows that the tenant has no such service principal."""
        return isinstance(self.snapshot.service_principals, Complete) and service_principal_id not in self.listed

    def read_whole(self, service_principal_id: str, collection: str) -> bool:
        """Tell whether a collection of an audited app is Complete; of an app that is not there, it is empty."""
        if service_principal_id not in self.apps:
            return self.knows_absent(service_principal_id)
        client = self.clients.get(service_principal_id)
        return client is not None and isinstance(client_collections(client)[collection], Complete)

    def shows_absent(self, grant: Grant) -> bool:
        """Tell whether this audit, which does not hold a grant, shows that it is not there."""
        return self.read_whole(grant.service_principal_id, COLLECTION_OF[grant.kind])
