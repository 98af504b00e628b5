"""What a rule may ask of an app about what it holds and does: grants, owners, directory roles, sign-ins."""

from __future__ import annotations

from collections.abc import Callable

from auditor.engine.fact import ABSENT, Absent, AppFact, Value, complete
from auditor.engine.identity_facts import integration
from auditor.engine.policy import key_of, key_of_reference
from auditor.engine.view import AppView, Context
from auditor.knowledge.permissions import GUID, RESOURCES, PermissionReference
from auditor.model.snapshot import EXCHANGE, directory_roles, items, last_sign_in

Read = Callable[[Context, AppView], Value | Absent]

_LISTED = ("servicePrincipals",)
_GRANTS = ("appRoleAssignments", "oauth2PermissionGrants")
_EXCHANGE = (
    "Exchange can grant it by a role of its own (RBAC for Applications) that Microsoft Graph does not show; "
    "so it cannot be said to be missing."
)


def _some(witnesses: Callable[[AppView], bool], *collections: str) -> Read:
    """Make a fact that says "some": true once a witness was read, false only where there can be no other."""

    def value(context: Context, view: AppView) -> Value | Absent:
        return True if witnesses(view) else False if complete(context, view, *collections) else ABSENT

    return value


def _whole(read: Callable[[AppView], Value], *collections: str) -> Read:
    """Make a fact that counts or lists all: ABSENT unless its collections are Complete."""
    return lambda context, view: read(view) if complete(context, view, *collections) else ABSENT


def _consenting(view: AppView) -> int:
    """Return how many users' own consents were seen."""
    return len({a.grant.principal_id or a.grant.grant_id for a in view.answered if a.grant.consent == "Principal"})


def _days_since_sign_in(context: Context, view: AppView) -> Value | Absent:
    last = last_sign_in(view.client)
    if last is None or not complete(context, view, "signInActivity"):
        return ABSENT
    return max((context.snapshot.taken_at - last).days, 0)


def _never_signed_in(context: Context, view: AppView) -> Value | Absent:
    if last_sign_in(view.client):
        return False
    return True if complete(context, view, "signInActivity") else ABSENT


def _roles(view: AppView) -> tuple[str, ...]:
    return tuple(sorted(role.display_name or role.role_template_id or role.id for role in directory_roles(view.client)))


def _role_keys(context: Context, view: AppView) -> Value | Absent:
    """Return what tells each role whatever its name: an unnamed role, or a member of no type, could be any."""
    members = items(view.client.member_of)
    keys = [role.role_template_id or role.display_name or "" for role in directory_roles(view.client)]
    if not complete(context, view, "memberOf") or not all(keys) or not all(member.odata_type for member in members):
        return ABSENT
    return tuple(sorted(key.lower() if GUID.fullmatch(key.lower()) else key for key in keys))


def _list_undetermined(context: Context, view: AppView) -> Value | Absent:
    if integration(context, view) is ABSENT:
        return ABSENT
    return _some(_holds_undetermined, *_GRANTS)(context, view)


def _holds_undetermined(view: AppView) -> bool:
    return any(answered.policy == "undetermined" and answered.grant.known for answered in view.answered)


def _missing(context: Context, view: AppView) -> tuple[list[str], bool]:
    """Return the needed permissions known not to be held, and whether every needed one is settled."""
    held = {key_of(answered.grant) for answered in view.answered}
    for resource, value, kind in tuple(held):
        held |= {(resource, weaker, kind) for weaker in context.permissions.covers(resource, value, kind)}
    missing, settled = [], True
    for reference in view.needed:
        if key_of_reference(reference) not in held:
            if _cannot_be_elsewhere(context, view, reference):
                missing.append(reference.value)
            else:
                settled = False
    return missing, settled


def _cannot_be_elsewhere(context: Context, view: AppView, reference: PermissionReference) -> bool:
    collection = "appRoleAssignments" if reference.kind == "application" else "oauth2PermissionGrants"
    if not complete(context, view, collection, "resources"):
        return False
    entry = context.permissions.by_value(RESOURCES[reference.resource], reference.value, reference.kind)
    # Exchange role assignments are not read in this version, and they can give what reaches mailboxes.
    return entry is not None and (reference.kind == "delegated" or entry.reach != "mailboxes")


def _needed_missing(context: Context, view: AppView) -> Value | Absent:
    missing, settled = _missing(context, view)
    if integration(context, view) is ABSENT:
        return ABSENT
    return True if missing else False if settled else ABSENT


def _missing_needed(context: Context, view: AppView) -> Value | Absent:
    missing, settled = _missing(context, view)
    return tuple(missing) if settled and integration(context, view) is not ABSENT else ABSENT


HOLDING_FACTS = (
    AppFact(
        name="app.list_undetermined",
        type="bool",
        doc="The app holds some permission for which no list says whether it is allowed.",
        collections=(*_LISTED, *_GRANTS),
        value=_list_undetermined,
    ),
    AppFact(
        name="app.owners",
        type="int",
        doc="How many owners the service principal has.",
        collections=("owners",),
        value=_whole(lambda view: len(items(view.client.owners)), "owners"),
    ),
    AppFact(
        name="app.has_owners",
        type="bool",
        doc="The service principal has some owner.",
        collections=("owners",),
        value=_some(lambda view: bool(items(view.client.owners)), "owners"),
    ),
    AppFact(
        name="app.holds_grants",
        type="bool",
        doc="The app holds some permission.",
        collections=_GRANTS,
        value=_some(lambda view: bool(view.answered), *_GRANTS),
    ),
    AppFact(
        name="app.per_user_consents",
        type="int",
        doc="How many users have a consent of their own to the app.",
        collections=("oauth2PermissionGrants",),
        value=_whole(_consenting, "oauth2PermissionGrants"),
    ),
    AppFact(
        name="app.has_per_user_consents",
        type="bool",
        doc="Some user has a consent of their own to the app.",
        collections=("oauth2PermissionGrants",),
        value=_some(lambda view: _consenting(view) > 0, "oauth2PermissionGrants"),
    ),
    AppFact(
        name="app.days_since_sign_in",
        type="int",
        doc="Whole days between the app's last sign-in and the moment of the audit.",
        collections=("signInActivity",),
        unknown="The sign-in report has no sign-in of the app.",
        value=_days_since_sign_in,
    ),
    AppFact(
        name="app.never_signed_in",
        type="bool",
        doc="The sign-in report was read and has no sign-in of the app.",
        collections=("signInActivity",),
        value=_never_signed_in,
    ),
    AppFact(
        name="app.directory_roles",
        type="list(string)",
        doc="The names of all directory roles that the app holds, directly or through groups.",
        collections=("memberOf",),
        value=_whole(_roles, "memberOf"),
    ),
    AppFact(
        name="app.directory_role_keys",
        type="list(string)",
        doc="All directory roles that the app holds, each by its roleTemplateId, or by its name where it has none.",
        collections=("memberOf",),
        unknown="A role has neither template id nor name, or a membership does not say what it is.",
        value=_role_keys,
    ),
    AppFact(
        name="app.has_directory_role",
        type="bool",
        doc="The app holds some directory role, directly or through groups.",
        collections=("memberOf",),
        value=_some(lambda view: bool(_roles(view)), "memberOf"),
    ),
    AppFact(
        name="app.needed_missing",
        type="bool",
        doc="Some permission that the app's integration needs is known to be missing.",
        collections=(*_GRANTS, "resources", *_LISTED, EXCHANGE),
        unknown=_EXCHANGE,
        value=_needed_missing,
    ),
    AppFact(
        name="app.missing_needed",
        type="list(string)",
        doc="All permissions that the app's integration needs and that are known to be missing.",
        collections=(*_GRANTS, "resources", *_LISTED, EXCHANGE),
        unknown=_EXCHANGE,
        value=_missing_needed,
    ),
)
