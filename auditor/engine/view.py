"""What the engine looks at: a snapshot with everything known about it, app by app and grant by grant."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from auditor.knowledge.identify import IdentifiedApp
from auditor.knowledge.permissions import Permission, PermissionReference, PermissionTable
from auditor.knowledge.profile import AppProfile, ConditionalPermission
from auditor.model.attestation import Attestation
from auditor.model.configuration import AppConfiguration
from auditor.model.grant import Grant
from auditor.model.outcome import Impact, Policy, Reach, Seen, SeenApp, Statement, VendorSays
from auditor.model.snapshot import Client, Snapshot


class Narrower(Struct, frozen=True, kw_only=True):
    """A permission that would do in place of a wider one: the app's list holds it, and the app does not."""

    permission: Permission
    question: str
    """The id of the question that it hangs on, where it is allowed under a condition; empty where it is needed."""


class Answered(Struct, frozen=True, kw_only=True):
    """A grant with the five answers, before any rule and any decision."""

    grant: Grant
    permission: Permission | None
    """The permission tables' entry; None where they have none."""
    policy: Policy
    policy_reason: str
    condition: ConditionalPermission | None
    """For `conditional`: what it hangs on."""
    needed_by: str
    """The declared feature that needs this permission, whatever the policy; empty otherwise."""
    vendor_says: VendorSays
    vendor: Statement
    seen: Seen
    seen_reason: str
    covered_by: str
    reach: Reach
    reach_text: str
    impact: Impact
    narrower: Narrower | None
    """What would do in its place, where it is outside; None where nothing would, or more is held than was read."""


class AppView(Struct, frozen=True, kw_only=True):
    """One audited app with what was read of it and its answered grants."""

    identified: IdentifiedApp
    client: Client
    answered: tuple[Answered, ...]
    """Permissions held, without default access; in a fixed order."""
    default_access: tuple[Grant, ...]
    list_name: str
    """What the list is called that the app is held against: `policy 'minimal'`, `your own list`."""
    needed: tuple[PermissionReference, ...]
    """What the app's integration needs (allowed by the policy's list and said needed); empty when undetermined."""
    lacking: tuple[PermissionReference, ...]
    """Of `needed`, what was not seen among the grants."""


class Context(Struct, frozen=True, kw_only=True):
    """One audit's whole view."""

    snapshot: Snapshot
    profile: AppProfile
    permissions: PermissionTable
    configuration: AppConfiguration
    policy_name: str
    tenant_id: str
    apps: tuple[AppView, ...]
    only: frozenset[str] = frozenset()
    """appIds that the audit is limited to; empty: all. The others stay in `apps`, because facts ask of them."""
    seen_apps: tuple[SeenApp, ...] = ()
    """Service principals that were considered and are not audited."""
    attestations: Mapping[Grant, Attestation] | None = None
    """How each grant stands with those who answer for it; None where no register of attestations is in use."""

    @property
    def audited(self) -> tuple[AppView, ...]:
        """The apps that this audit judges."""
        return tuple(
            view for view in self.apps if not self.only or view.identified.service_principal.app_id.lower() in self.only
        )
