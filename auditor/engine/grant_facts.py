"""What a rule may ask of a grant."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from auditor.engine.fact import ABSENT, Absent, GrantFact, Value, complete
from auditor.engine.identity_facts import integration
from auditor.engine.policy import key_of, keys
from auditor.engine.view import Answered, AppView, Context
from auditor.knowledge.permissions import RESOURCES, Permission
from auditor.model.attestation import Attestation
from auditor.model.grant import Grant
from auditor.model.snapshot import items

COLLECTION_OF = {"application": "appRoleAssignments", "delegated": "oauth2PermissionGrants"}
"""Where the grants of each kind come from."""
_NAMES = {app_id: name for name, app_id in RESOURCES.items()}
_NAMED_BY = ("resources", "servicePrincipals")
_NOT_IN_TABLES = "The permission tables do not describe it: add an entry to rules/permissions/."
NOBODY_ATTESTS = "off"
_NOT_READ = "The resource's own list of permissions was not read, and the permission tables do not name it."


def _read_in_full(context: Context, grant: Grant) -> bool:
    """Return whether the resource's published permissions of the grant's kind were read."""
    for resource in items(context.snapshot.resources):
        if resource.id == grant.resource_id:
            published = resource.app_roles if grant.kind == "application" else resource.oauth2_permission_scopes
            return published is not UNSET
    return False


def _resolved(context: Context, grant: Grant) -> bool:
    """Return whether it is settled which permission this is, or that the resource publishes no such one."""
    return bool(grant.resource_app_id) and (grant.known or _read_in_full(context, grant))


def _permission(context: Context, _: AppView, answered: Answered) -> Value | Absent:
    # A delegated grant names its scopes itself; an application permission is an id until resolved.
    grant = answered.grant
    return grant.permission if grant.kind == "delegated" or _resolved(context, grant) else ABSENT


def _known(context: Context, _: AppView, answered: Answered) -> Value | Absent:
    return answered.grant.known if answered.grant.known or _read_in_full(context, answered.grant) else ABSENT


def _resource(_: Context, __: AppView, answered: Answered) -> Value | Absent:
    app_id = answered.grant.resource_app_id
    return _NAMES.get(app_id, "other") if app_id else ABSENT


def _described(read: Callable[[Permission], Value]) -> Callable[[Context, AppView, Answered], Value | Absent]:
    return lambda _, __, answered: read(answered.permission) if answered.permission else ABSENT


def _settled(read: Callable[[Answered], Value]) -> Callable[[Context, AppView, Answered], Value | Absent]:
    """Make a fact of an answer that hangs on which permission this is, and on what the app is for."""

    def value(context: Context, view: AppView, answered: Answered) -> Value | Absent:
        settled = _resolved(context, answered.grant) and integration(context, view) is not ABSENT
        return read(answered) if settled else ABSENT

    return value


def _covered_by(context: Context, view: AppView, answered: Answered) -> Value | Absent:
    if answered.covered_by:
        return answered.covered_by
    whole = complete(context, view, COLLECTION_OF[answered.grant.kind]) and _resolved(context, answered.grant)
    return "" if whole else ABSENT


def _attested(read: Callable[[Attestation], str]) -> Callable[[Context, AppView, Answered], Value | Absent]:
    def value(context: Context, view: AppView, answered: Answered) -> Value | Absent:
        if context.attestations is None:
            return NOBODY_ATTESTS
        settled = _resolved(context, answered.grant) and integration(context, view) is not ABSENT
        return read(context.attestations[answered.grant]) if settled else ABSENT

    return value


def _basic(context: Context, _: AppView, answered: Answered) -> Value | Absent:
    if not _resolved(context, answered.grant):
        return ABSENT
    return key_of(answered.grant) in keys(context.profile.basics, "delegated", context.profile.id)


GRANT_FACTS = (
    GrantFact(
        name="grant.permission",
        type="string",
        doc="The permission's value, such as `Mail.Read`; its id where the resource publishes no such one.",
        collections=_NAMED_BY,
        unknown=_NOT_READ,
        value=_permission,
    ),
    GrantFact(
        name="grant.permission_known",
        type="bool",
        doc="The resource publishes the permission, or the permission tables name it.",
        collections=_NAMED_BY,
        unknown=_NOT_READ,
        value=_known,
    ),
    GrantFact(
        name="grant.described",
        type="bool",
        doc="The permission tables describe it: its family, tier and sensitivity are known.",
        collections=_NAMED_BY,
        unknown=_NOT_READ,
        value=lambda context, _, a: True if a.permission else False if _resolved(context, a.grant) else ABSENT,
    ),
    GrantFact(
        name="grant.kind",
        type="string",
        doc="`application` or `delegated`.",
        collections=(),
        value=lambda _, __, answered: answered.grant.kind,
    ),
    GrantFact(
        name="grant.consent",
        type="string",
        doc="`AllPrincipals`, `Principal`, or empty for an application permission.",
        collections=(),
        value=lambda _, __, answered: answered.grant.consent,
    ),
    GrantFact(
        name="grant.resource",
        type="string",
        doc="`graph`, `exchange`, `sharepoint`, `aad-graph`, or `other`.",
        collections=_NAMED_BY,
        unknown="The resource is not among the service principals that were read.",
        value=_resource,
    ),
    GrantFact(
        name="grant.family",
        type="string",
        doc="The file of rules/permissions/ that describes it, such as `mail`.",
        collections=_NAMED_BY,
        unknown=_NOT_IN_TABLES,
        value=_described(lambda permission: permission.family),
    ),
    GrantFact(
        name="grant.access",
        type="string",
        doc="`read`, `write`, `send`, `full` or `sign-in`.",
        collections=_NAMED_BY,
        unknown=_NOT_IN_TABLES,
        value=_described(lambda permission: permission.access),
    ),
    GrantFact(
        name="grant.sensitivity",
        type="string",
        doc="How sensitive the data is that it opens: `high`, `medium` or `low`.",
        collections=_NAMED_BY,
        unknown=_NOT_IN_TABLES,
        value=_described(lambda permission: permission.sensitivity),
    ),
    GrantFact(
        name="grant.tier",
        type="int",
        doc="Takeover tier: 0 can become Global Administrator, 1 broad control or content, 2 the rest.",
        collections=_NAMED_BY,
        unknown=_NOT_IN_TABLES,
        value=_described(lambda permission: permission.tier),
    ),
    GrantFact(
        name="grant.reach",
        type="string",
        doc="Whose data: `organization`, `organization-at-most`, `signed-in-users`, `one-user` or `none`.",
        collections=_NAMED_BY,
        unknown=_NOT_IN_TABLES,
        value=lambda _, __, answered: ABSENT if answered.reach == "unknown" else answered.reach,
    ),
    GrantFact(
        name="grant.policy",
        type="string",
        doc="What the team's policy says: `allowed`, `conditional`, `outside`, or `undetermined` (no list).",
        collections=("appRoleAssignments", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_settled(lambda answered: answered.policy),
    ),
    GrantFact(
        name="grant.vendor_says",
        type="string",
        doc="What the vendor says of it: `needed`, `optional`, `conditional`, `removable` or `silent`.",
        collections=("appRoleAssignments", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_settled(lambda answered: answered.vendor_says),
    ),
    GrantFact(
        name="grant.needed_by",
        type="string",
        doc="The declared feature that needs it, whatever the policy; empty when none does.",
        collections=("appRoleAssignments", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_settled(lambda answered: answered.needed_by),
    ),
    GrantFact(
        name="grant.covered_by",
        type="string",
        doc="Another permission of the app that stays and gives the same; empty when none does.",
        collections=("appRoleAssignments", "oauth2PermissionGrants", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_covered_by,
    ),
    GrantFact(
        name="grant.seen",
        type="string",
        doc="Whether the logs show it in use: `used`, `unused`, `not-provable` or `no-logs`.",
        collections=(),
        value=lambda _, __, answered: answered.seen,
    ),
    GrantFact(
        name="grant.basic",
        type="bool",
        doc="One of the delegated sign-in permissions that every app of the vendor may hold.",
        collections=_NAMED_BY,
        unknown=_NOT_READ,
        value=_basic,
    ),
    GrantFact(
        name="grant.attestation",
        type="string",
        doc=(
            "How it stands with its business owner: `current`, `due-soon`, `overdue`, `changed` (another grant was "
            "signed), `missing`, `to-remove` (signed away), `not-asked` (not kept), or `off`: nobody attests."
        ),
        collections=("appRoleAssignments", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_attested(lambda attestation: attestation.state),
    ),
    GrantFact(
        name="grant.attestation_text",
        type="string",
        doc="The same in a sentence that names the signer; `off` where nobody attests.",
        collections=("appRoleAssignments", *_NAMED_BY),
        unknown=_NOT_READ,
        value=_attested(lambda attestation: attestation.text),
    ),
)
