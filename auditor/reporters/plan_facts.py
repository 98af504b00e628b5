"""What the pages of a plan say alike: its words, who is touched, what each object was and will be, what stays open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.outcome import Severity
from auditor.model.plan import Account, AccountChange, AssignmentChange, Change, GrantChange, Purpose, RevokePlan, Step
from auditor.model.text import count

SECONDS_OF_A_WRITE = 60
"""The upper end of what https://github.com/microsoftgraph/microsoft-graph-docs/issues/15855 (2022-02-15) reports until
a read shows a write; see `duration`."""

TITLES: dict[Purpose, str] = {
    "revoke": "Take permissions away",
    "contain": "Switch apps off (emergency)",
    "undo": "Give back what was taken",
}
_TOKENS = (
    "A token that was issued before lives on: by Microsoft's default an access token lives 60 to 90 minutes; not "
    "measured here."
)
_PROOF = "That access has ended is not proven until the logs of that time show no success any more."
_OPEN = (
    "The vendor's portal may ask for everything again when somebody reconnects or approves there.",
    "Who grants it again stands in the directory audit log; entra-audit revoke detect writes an alert for it.",
    "What was read or copied before is not taken back.",
    "Exchange Online's own roles and policies, and what is switched on at the vendor's, are not touched.",
)
AFTER: dict[Purpose, tuple[str, ...]] = {
    "revoke": (
        "Once the last step is verified the grants are gone. That is all that is proven then.",
        _TOKENS,
        "Exchange Online may go by what it remembers for up to 2 hours more; that was not measured here either.",
        _PROOF,
        *_OPEN,
    ),
    "contain": (
        "Once the last step is verified no new token is issued to the app. That is all that is proven then.",
        _TOKENS,
        _PROOF,
        "The grants stay: whoever switches the app on again gives it all of them back.",
        *_OPEN[2:],
    ),
    "undo": (
        "Once the last step is verified, what was taken is there again. That is all that is proven then.",
        "An app uses it with its next token; by Microsoft's default one lives 60 to 90 minutes, not measured here.",
        "Whether the vendor's features work again is shown by the tests alone.",
    ),
}
"""What holds after a plan has been carried out, and what it does not show. Times: 60 to 90 minutes is the default life
of an access token (https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes), up to 2 hours the
cache of Exchange Online (https://learn.microsoft.com/exchange/permissions-exo/application-rbac)."""
UNDO: dict[Purpose, tuple[str, ...]] = {
    "revoke": (
        "entra-audit revoke undo, on the journal, grants again exactly what was removed.",
        "It is a plan of its own, shown and limited in the same way.",
        "Ids and dates of what is granted again are new.",
        "It restores the grant and not the vendor's connection: people may have to connect again.",
    ),
    "contain": (
        "entra-audit revoke undo, on the journal, switches on again what was switched off, and nothing else.",
        "It is a plan of its own, shown and limited in the same way.",
    ),
    "undo": (
        "entra-audit revoke undo, on the journal of this plan, takes away again what it gave.",
        "It is a plan of its own, shown and limited in the same way.",
    ),
}

State = Literal["stays", "goes", "comes"]


class Mark(Struct, frozen=True, kw_only=True):
    """One word of an object before or after, and what becomes of it."""

    text: str
    state: State = "stays"


class Row(Struct, frozen=True, kw_only=True):
    """One object of a step as it is found and as it is left."""

    what: str
    id: str
    """Graph's object id; empty for one that does not exist yet."""
    whose: str
    """Object id of the person; empty where it is not a single person's."""
    scope: str
    """Whom it is for: `everybody`, `one person`, `the app itself`."""
    permission_id: str = ""
    before: tuple[Mark, ...]
    """Empty: it does not exist."""
    after: tuple[Mark, ...]
    """Empty: it is gone."""


class Apps(Struct, frozen=True, kw_only=True):
    """The steps of one app."""

    name: str
    app_id: str
    service_principal_id: str
    steps: tuple[Step, ...]


def apps(plan: RevokePlan) -> tuple[Apps, ...]:
    """Return the steps grouped per app, apps and steps in the order of carrying out."""
    grouped: dict[str, list[Step]] = {}
    for step in plan.steps:
        grouped.setdefault(step.target.service_principal_id, []).append(step)
    return tuple(
        Apps(
            name=steps[0].target.app_name,
            app_id=steps[0].target.app_id,
            service_principal_id=id_,
            steps=tuple(steps),
        )
        for id_, steps in grouped.items()
    )


def rows(step: Step) -> tuple[Row, ...]:
    """Return each object of a step, in the order of the changes."""
    names = dict(zip(step.target.permission_ids, step.target.permissions, strict=False))
    return tuple(_row(change, names, step.target.replaced_by) for change in step.changes)


def people(plan: RevokePlan) -> int:
    """Return the number of people whose own consent is changed, each once."""
    held = (grant for change in _changes(plan) if isinstance(change, GrantChange) for grant in _states(change))
    return len({grant.principal_id for grant in held if grant.consent_type == "Principal"})


def consents(plan: RevokePlan) -> tuple[int, int]:
    """Return the number of single people's consents and of consents for everybody that are changed."""
    grants = [_states(change)[0] for change in _changes(plan) if isinstance(change, GrantChange)]
    kinds = Counter(grant.consent_type == "Principal" for grant in grants)
    return kinds[True], kinds[False]


def closed(steps: Iterable[Step]) -> tuple[tuple[Severity, int], ...]:
    """Return the number of findings that steps close, worst severity first, each finding once."""
    found = {closes.finding_id: closes.severity for step in steps for closes in step.closes}
    numbers = Counter(found.values())
    return tuple((severity, numbers[severity]) for severity in Severity if numbers[severity])


def closes(step: Step) -> tuple[tuple[Severity, str, int], ...]:
    """Return severity, rule and number of the findings that a step closes, worst severity first."""
    found = {one.finding_id: (one.severity, one.rule_id) for one in step.closes}
    numbers = Counter(found.values())
    return tuple((*key, numbers[key]) for key in sorted(numbers, key=lambda key: (key[0].rank, key[1])))


def roles(plan: RevokePlan, *, undo: bool) -> tuple[str, ...]:
    """Return the least directory roles that a person needs for the plan, or for its undo."""
    return _distinct(step.undo_needs.role if undo else step.needs.role for step in plan.steps)


def permissions(plan: RevokePlan, *, undo: bool) -> tuple[str, ...]:
    """Return the least Graph permissions that the plan, or its undo, needs."""
    return _distinct(step.undo_needs.permission if undo else step.needs.permission for step in plan.steps)


def writes(plan: RevokePlan) -> int:
    """Return the number of writes; the undo takes as many."""
    return sum(len(step.changes) for step in plan.steps)


def duration(number: int) -> str:
    """Return how long `number` writes may take, in words, and how that number comes about."""
    minutes = -(-number * SECONDS_OF_A_WRITE // 60)
    hours, rest = divmod(minutes, 60)
    parts = [count(hours, "hour")] if hours else []
    parts += [count(rest, "minute")] if rest or not hours else []
    return (
        f"up to about {' '.join(parts)}: {count(number, 'write')}, one after the other, at up to "
        f"{SECONDS_OF_A_WRITE} seconds each until two reads agree. This is an estimate from published reports and not "
        "measured on a live tenant; longer waits are reported too"
    )


def _changes(plan: RevokePlan) -> Iterable[Change]:
    return (change for step in plan.steps for change in step.changes)


def _states(change: GrantChange) -> list[OAuth2PermissionGrant]:
    return [grant for grant in (change.before, change.after) if grant is not None]


def _distinct(lists: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for text in lists for part in text.split(",") if part.strip()))


def _row(change: Change, names: dict[str, str], replaced_by: str) -> Row:
    if isinstance(change, AccountChange):
        before, after = (_enabled(account) for account in (change.before, change.after))
        return Row(
            what="enterprise app",
            id=change.before.id,
            whose="",
            scope="the app itself",
            before=(Mark(text=before, state="goes"),),
            after=(Mark(text=after, state="comes"),),
        )
    return _assignment(change, names, replaced_by) if isinstance(change, AssignmentChange) else _grant(change)


def _enabled(account: Account) -> str:
    return f"accountEnabled: {'true' if account.account_enabled else 'false'}"


def _assignment(change: AssignmentChange, names: dict[str, str], replaced_by: str) -> Row:
    def marks(held: AppRoleAssignment | None, state: State) -> tuple[Mark, ...]:
        if held is None:
            return ()
        return (Mark(text=names.get(held.app_role_id, replaced_by) or held.app_role_id, state=state),)

    known = change.before or change.after
    return Row(
        what="application permission",
        id=change.before.id if change.before else "",
        whose="",
        scope="the app itself",
        permission_id=known.app_role_id if known else "",
        before=marks(change.before, "goes"),
        after=marks(change.after, "comes"),
    )


def _grant(change: GrantChange) -> Row:
    before, after = (_scopes(grant) for grant in (change.before, change.after))
    known = change.before or change.after
    single = known is not None and known.consent_type == "Principal"
    return Row(
        what="delegated grant",
        id=change.before.id if change.before else "",
        whose=(known.principal_id or "") if known and single else "",
        scope="one person" if single else "everybody",
        before=tuple(Mark(text=scope, state="stays" if scope in after else "goes") for scope in before),
        after=tuple(Mark(text=scope, state="stays" if scope in before else "comes") for scope in after),
    )


def _scopes(grant: OAuth2PermissionGrant | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((grant.scope or "").split())) if grant else ()
