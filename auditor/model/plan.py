"""A change to a tenant, planned: what will be done to which object, from which state, and what becomes of it.

A plan is made of steps, one for each thing that a person decides on, and a step of changes, one for each object that is
written. A change names the object as it has to be found and as it has to be left, so that the same value says what to
check before, what to write, what to verify after, and what undoes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from auditor.model.directory import AppRoleAssignment, Entity, OAuth2PermissionGrant
from auditor.model.grant import Kind
from auditor.model.outcome import Impact, Severity

SCHEMA = "entra-auditor/plan"
VERSION = 1
JOURNAL_SCHEMA = "entra-auditor/journal"
JOURNAL_VERSION = 1

Purpose = Literal["revoke", "contain", "undo"]
Action = Literal[
    "remove-application-permission",
    "remove-delegated-scopes",
    "remove-user-consents",
    "replace-permission",
    "disable-app",
    "undo",
]
Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its zone."""
Write = Literal[
    "delete-assignment", "add-assignment", "delete-grant", "update-grant", "add-grant", "update-service-principal"
]
By = Literal["apply", "powershell", "az", "sh"]


class Account(Entity, frozen=True, kw_only=True):
    """Whether an app may sign in: the part of a servicePrincipal that containing it changes."""

    id: str
    app_id: str
    account_enabled: bool


class AssignmentChange(Struct, frozen=True, kw_only=True, tag="app-role-assignment", tag_field="object"):
    """An application permission that goes or comes."""

    before: AppRoleAssignment | None
    """As it has to be found; None: nobody has given it."""
    after: AppRoleAssignment | None
    """As it has to be left; None: gone. Its id is empty where Graph will give one."""

    @property
    def write(self) -> Write:
        """What is sent."""
        return "delete-assignment" if self.after is None else "add-assignment"


class GrantChange(Struct, frozen=True, kw_only=True, tag="oauth2-permission-grant", tag_field="object"):
    """A delegated grant that goes, comes, or keeps other scopes."""

    before: OAuth2PermissionGrant | None
    after: OAuth2PermissionGrant | None

    @property
    def write(self) -> Write:
        """What is sent."""
        if self.after is None:
            return "delete-grant"
        return "add-grant" if self.before is None else "update-grant"


class AccountChange(Struct, frozen=True, kw_only=True, tag="service-principal", tag_field="object"):
    """An app whose sign-in is switched off or on."""

    before: Account
    after: Account

    @property
    def write(self) -> Write:
        """What is sent."""
        return "update-service-principal"


Change = AssignmentChange | GrantChange | AccountChange


class Target(Struct, frozen=True, kw_only=True):
    """What a step is about, in words and ids."""

    app_id: str
    service_principal_id: str
    app_name: str
    kind: Kind | Literal[""] = ""
    """Empty where the app itself is the target."""
    resource_id: str = ""
    resource_app_id: str = ""
    resource_name: str = ""
    permissions: tuple[str, ...] = ()
    """Values of the permissions that go (of an undo: that come back); an id where no value is known."""
    permission_ids: tuple[str, ...] = ()
    """Their ids, in the same order; empty where the resource does not publish one."""
    replaced_by: str = ""
    """Of `replace-permission`: the narrower permission that is granted first."""
    users: int = 0
    """People whose consent is concerned; 0 where it is not a matter of single people."""


class Closes(Struct, frozen=True, kw_only=True):
    """A finding that is closed once the step is done."""

    finding_id: str
    rule_id: str
    severity: Severity


class Needs(Struct, frozen=True, kw_only=True):
    """What whoever carries it out has to hold."""

    permission: str
    """The least Microsoft Graph permission, application or delegated."""
    role: str
    """The least directory role, for a person who signs in."""


class Step(Struct, frozen=True, kw_only=True):
    """One thing that is decided, done, verified and undone as a whole."""

    id: str
    """uuid5 of its changes: the same in every plan that does the same."""
    number: int
    """From 1, in the order of carrying out."""
    action: Action
    title: str
    """One sentence: what is done."""
    target: Target
    changes: tuple[Change, ...]
    """In order; each is verified before the next is sent."""
    why: str
    checks: tuple[str, ...] = ()
    """What a person has to tick first; only in a plan with checks."""
    impact: Impact
    closes: tuple[Closes, ...] = ()
    needs: Needs
    undo_needs: Needs


class Left(Struct, frozen=True, kw_only=True):
    """A grant whose decision is to go and that the plan leaves alone, with the reason."""

    app_id: str
    app_name: str
    permission: str
    kind: Kind
    count: int = 1
    why: str


class RevokePlan(Struct, frozen=True, kw_only=True):
    """What will be done, sealed: `sha256` is over the canonical JSON without that field."""

    schema: str = SCHEMA
    version: int = VERSION
    sha256: str = ""
    approved_hash: str = ""
    """SHA-256 of the canonical JSON of the steps: what a board approves, and a refresh keeps."""
    purpose: Purpose
    tool_version: str
    tenant_id: str
    tenant_name: str
    cloud: str
    profile: str
    created_at: Moment
    """When the tenant was read that the plan is made from."""
    expires: Moment
    snapshot_sha256: str
    """Empty for an undo, which is made from a journal."""
    rules_sha256: str
    configuration_sha256: str
    reader_app_id: str
    """Who read the tenant; empty when unknown. Who writes must be somebody else."""
    reader_object_id: str
    complete: bool
    incomplete_reasons: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    """As --only was given."""
    with_checks: bool = False
    follows: str = ""
    """sha256 of the plan that this one continues or undoes; empty for a first one."""
    grants_held: int = 0
    """Grants of the audited apps when the tenant was read."""
    grants_of_tenant: int | None = None
    """Grants of all service principals; None unless the snapshot holds every one's."""
    grants_removed: int = 0
    """Grants that go when all steps are done."""
    steps: tuple[Step, ...]
    left: tuple[Left, ...] = ()
    warnings: tuple[str, ...] = ()


class Begin(Struct, frozen=True, kw_only=True, tag="begin", tag_field="event"):
    """Somebody began to carry a plan out."""

    schema: str = JOURNAL_SCHEMA
    version: int = JOURNAL_VERSION
    at: Moment
    by: By
    purpose: Purpose
    plan: str
    """Its sha256."""
    approved_hash: str
    tenant_id: str
    cloud: str
    writer_app_id: str = ""
    writer_object_id: str = ""
    reader_app_id: str = ""
    reader_object_id: str = ""


class Intent(Struct, frozen=True, kw_only=True, tag="intent", tag_field="event"):
    """The next write; on disk before it is sent."""

    at: Moment
    step: str
    """Id of the step."""
    change: int
    """Index of the change in the step."""
    write: Write
    doing: Change
    """Reduced to ids, scopes and states: no name that a tenant chose."""
    app_id: str
    resource_app_id: str
    permissions: tuple[str, ...]
    permission_ids: tuple[str, ...]
    closes: tuple[Closes, ...] = ()


ResultOf = Literal["done", "refused", "failed", "unverified"]


class Result(Struct, frozen=True, kw_only=True, tag="result", tag_field="event"):
    """What became of a change.

    done: sent, and two reads show it. refused: not sent, the object was not as planned. failed: sent, and Graph said
    no. unverified: sent or not known to be, and no two reads agree.
    """

    at: Moment
    step: str
    change: int
    outcome: ResultOf
    status: int = 0
    """HTTP status of the write; 0 when there was none."""
    id: str = ""
    """The object's id afterwards, where the write made one."""
    why: str = ""


class End(Struct, frozen=True, kw_only=True, tag="end", tag_field="event"):
    """Nothing more came in this run; its absence says that the run was cut."""

    at: Moment
    done: int
    refused: int = 0
    failed: int = 0
    unverified: int = 0
    interrupted: bool = False


Line = Begin | Intent | Result | End
"""A line of a journal."""


def is_sound(change: Change) -> bool:
    """Tell whether a change is about one object, and does something to it that can be sent."""
    before, after = change.before, change.after
    if isinstance(before, Account) and isinstance(after, Account):
        return replace(before, account_enabled=after.account_enabled) == after != before
    if isinstance(before, OAuth2PermissionGrant) and isinstance(after, OAuth2PermissionGrant):
        return replace(before, scope=after.scope) == after != before
    return (before is None) != (after is None)


def takes(change: Change) -> bool:
    """Tell whether a change takes something away."""
    if isinstance(change, AccountChange):
        return not change.after.account_enabled
    if isinstance(change, GrantChange) and change.before and change.after:
        return not set((change.after.scope or "").split()) - set((change.before.scope or "").split())
    return change.after is None


def inverse(change: Change, *, new_id: str = "") -> Change:
    """Return the change that takes `change` back; `new_id` is the id that Graph gave to what it made.

    What is made again gets an id and a date from Graph, so the wanted state names neither.
    """
    if isinstance(change, AccountChange):
        return AccountChange(before=change.after, after=change.before)
    if isinstance(change, AssignmentChange):
        return AssignmentChange(
            before=change.after and replace(change.after, id=new_id or change.after.id),
            after=change.before and replace(change.before, id="", created_date_time=None),
        )
    before = change.after and replace(change.after, id=new_id or change.after.id)
    kept = before.id if before else ""
    return GrantChange(before=before, after=change.before and replace(change.before, id=kept))


def reduced(change: Change) -> Change:
    """Return a change without names and dates: ids, scopes and states alone."""
    if isinstance(change, AccountChange):
        return change
    if isinstance(change, GrantChange):
        return change
    return AssignmentChange(before=_reduced(change.before), after=_reduced(change.after))


def _reduced(assignment: AppRoleAssignment | None) -> AppRoleAssignment | None:
    return assignment and AppRoleAssignment(
        id=assignment.id,
        app_role_id=assignment.app_role_id,
        principal_id=assignment.principal_id,
        resource_id=assignment.resource_id,
        principal_type=assignment.principal_type,
    )
