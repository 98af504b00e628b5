"""Who did it and when: records of the directory audit log, matched to the changes that they tell of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta

from msgspec.structs import replace

from auditor.model.activity import activity_of
from auditor.model.directory import GrantEvent
from auditor.model.drift import Act, AppChange, Drift, GrantChange
from auditor.model.grant import Grant, Kind
from auditor.model.snapshot import Snapshot, items

SLACK = timedelta(minutes=5)
"""How far the clock that took a snapshot may be from that of the log."""
MOST = 10
"""Records that one change shows, the newest."""

_UPDATED = ("update service principal", "update application")
_CREDENTIALS = (
    "add service principal credentials",
    "remove service principal credentials",
    "update application - certificates and secrets management",
)
_MEMBER = ("add member to role", "remove member from role", "add member to group", "remove member from group")
_ACTIVITIES: dict[str, tuple[str, ...]] = {
    "appeared": ("add service principal", "restore service principal", "consent to application"),
    "gone": ("remove service principal", "hard delete service principal"),
    "owners": ("add owner to service principal", "remove owner from service principal"),
    "credentials": (*_CREDENTIALS, *_UPDATED),
    "verified-publisher": ("set verified publisher", "unset verified publisher", *_UPDATED),
    "directory-roles-and-groups": _MEMBER,
    **dict.fromkeys(("name", "sign-in", "publisher", "reply-urls", "homepage", "assignment-required"), _UPDATED),
    **dict.fromkeys(("disabled-by-microsoft", "single-sign-on"), _UPDATED),
}
"""What was changed about an app, by the activities that can tell of it."""
_KINDS: dict[Kind, str] = {"application": "app role assignment", "delegated": "grant"}
"""Words of an activity that tells of one kind of permission; many permissions have one name in both kinds."""
_PROPERTIES: dict[str, frozenset[str]] = {
    "credentials": frozenset({"keydescription", "keycredentials", "passwordcredentials"}),
    "sign-in": frozenset({"accountenabled"}),
    "reply-urls": frozenset({"appaddress"}),
    "name": frozenset({"displayname"}),
}
"""The property that such a record lists as updated, in small letters, where its name is known."""


def with_acts(drift: Drift, snapshot: Snapshot) -> Drift:
    """Return the drift with the records between its two audits that tell of each change.

    Args:
        drift: what changed.
        snapshot: the later one, which holds the log.
    """
    log = _Log(drift, snapshot)
    return replace(
        drift,
        grants=tuple(replace(change, acts=log.of_grant(change)) for change in drift.grants),
        apps=tuple(replace(change, acts=log.of_app(change)) for change in drift.apps),
    )


class _Log:
    """Records between two audits, by app and by the permission that they name."""

    def __init__(self, drift: Drift, snapshot: Snapshot) -> None:
        first, last = drift.before_taken_at - SLACK, drift.after_taken_at + SLACK
        self._events: dict[str, list[GrantEvent]] = {}
        self._given: dict[tuple[str, str], list[GrantEvent]] = defaultdict(list)
        self._taken: dict[tuple[str, str], list[GrantEvent]] = defaultdict(list)
        for client in snapshot.clients:
            app = client.service_principal.id
            between = [
                event
                for event in items(client.grant_events)
                if first <= event.activity_date_time <= last and (event.result or "success").lower() == "success"
            ]
            self._events[app] = between
            for event in between:
                for name in event.permissions:
                    self._given[app, name.lower()].append(event)
                for name in event.removed:
                    self._taken[app, name.lower()].append(event)

    def of_grant(self, change: GrantChange) -> tuple[Act, ...]:
        """Return what gave the permission that came, and took the one that went."""
        if change.what == "judged-anew":
            return ()
        given = _naming(self._given, change.after) if change.after else []
        taken = _naming(self._taken, change.before) if change.before else []
        return _acts([*given, *taken])

    def of_app(self, change: AppChange) -> tuple[Act, ...]:
        """Return what can have changed this about the app."""
        activities = _ACTIVITIES.get(change.what, ())
        events = self._events.get(change.service_principal_id, [])
        return _acts(event for event in events if activity_of(event) in activities and _updates(event, change.what))


def _naming(named: dict[tuple[str, str], list[GrantEvent]], grant: Grant) -> list[GrantEvent]:
    """Return the records that name a grant; of one person's grant only what that person did, as the log shows."""
    names: Collection[str] = {grant.permission.lower(), grant.permission_id.lower()} - {""}
    return [
        event
        for name in sorted(names)
        for event in named.get((grant.service_principal_id, name), ())
        if event.resource_id in (None, grant.resource_id)
        and (grant.consent != "Principal" or event.actor_id == grant.principal_id)
        and _can_tell(event, grant.kind)
    ]


def _can_tell(event: GrantEvent, kind: Kind) -> bool:
    """Tell whether a record can be of this kind of permission: one that names the other kind alone cannot."""
    activity = activity_of(event)
    named = [one for one, words in _KINDS.items() if words in activity]
    return not named or kind in named


def _updates(event: GrantEvent, what: str) -> bool:
    known = _PROPERTIES.get(what)
    if known is None or not event.changed or activity_of(event) not in _UPDATED:
        return True
    return bool(known & {name.lower() for name in event.changed})


def _acts(events: Iterable[GrantEvent]) -> tuple[Act, ...]:
    """Return records as they are shown, each once, in the order of time."""
    distinct = {event.id: event for event in events}.values()
    ordered = sorted(distinct, key=lambda event: (event.activity_date_time, event.id))
    return tuple(
        Act(
            id=event.id,
            at=event.activity_date_time,
            activity=event.activity,
            actor=event.actor or "",
            result=event.result or "",
        )
        for event in ordered[-MOST:]
    )
