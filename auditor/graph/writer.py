"""Writing: the six calls that change a tenant, one object at a time, and what says whether one took effect.

Only remedy/ imports this module. What it sends comes from a plan that was read first; it sends nothing twice by itself,
because an answer that was lost does not say whether the write was carried out. The caller reads, and decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from kiota_abstractions.method import Method
from msgspec import UNSET, Struct

from auditor.graph import endpoints, wire
from auditor.graph.answer import Answer
from auditor.graph.client import JSON, GraphClient
from auditor.graph.endpoints import Endpoint
from auditor.graph.reader import Call, Reader
from auditor.graph.writes import WRITES
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.plan import Account, AccountChange, AssignmentChange, Change, GrantChange
from auditor.model.snapshot import Collected, Complete, Unavailable

State = AppRoleAssignment | OAuth2PermissionGrant | Account | None
"""An object as it is; None: there is none."""


class Unread(Struct, frozen=True, kw_only=True):
    """The object could not be read, which says nothing of it."""

    why: str


class Writer:
    """Reads single objects afresh, and writes them.

    Args:
        client: sends the writes.
        reader: reads through the same client.
    """

    def __init__(self, client: GraphClient, reader: Reader) -> None:
        self._client = client
        self._reader = reader

    async def find(self, changes: Sequence[Change], *, listed: bool = False) -> list[State | Unread]:
        """Return the objects of `changes` as they are now, in their order; a collection is read once for all.

        Args:
            changes: what is about to be written.
            listed: ask for delegated grants by their client, which also shows one that was made again with another
                id; else each by its id.

        Raises:
            SignInError: no token, or Graph does not take it.
            GraphError: Graph was never reached.
        """
        wanted = [_call(change, listed=listed) for change in changes]
        distinct = {_key(call): call for call in wanted}
        answers = dict(zip(distinct, await self._reader.get_many(list(distinct.values())), strict=True))
        return [_state(change, answers[_key(call)]) for change, call in zip(changes, wanted, strict=True)]

    async def send(self, change: Change) -> Answer:
        """Write once.

        Raises:
            SignInError: no token could be had.
            GraphError: Graph was never reached.
        """
        endpoint = WRITES[change.write]
        owner, id_, body = _content(change)
        path = endpoint.path.format(owner=quote(owner, safe=""), id=quote(id_, safe=""))
        url = f"{self._client.root}/v1.0{path}"
        content = None if body is None else msgspec.json.encode(body)
        return await self._client.answer(Method[endpoint.method], url, JSON if body is not None else (), content)


def made_id(answer: Answer) -> str:
    """Return the id that a write's answer gives to what it made; empty where it says none."""
    body = answer.body
    return str(body.get("id") or "") if isinstance(body, Mapping) else ""


def _content(change: Change) -> tuple[str, str, Mapping[str, object] | None]:
    """Return the owner's id, the object's id, and the body to send."""
    if isinstance(change, AccountChange):
        return "", change.after.id, {"accountEnabled": change.after.account_enabled}
    if isinstance(change, AssignmentChange):
        if change.after is None:
            assert change.before  # noqa: S101 - a change has one side at least
            return change.before.resource_id, change.before.id, None
        made = change.after
        ids = {"principalId": made.principal_id, "resourceId": made.resource_id, "appRoleId": made.app_role_id}
        return made.resource_id, "", ids
    return _grant_content(change)


def _grant_content(change: GrantChange) -> tuple[str, str, Mapping[str, object] | None]:
    if change.after is None:
        assert change.before  # noqa: S101 - a change has one side at least
        return "", change.before.id, None
    if change.before is not None:
        return "", change.before.id, {"scope": change.after.scope or ""}
    made = {
        "clientId": change.after.client_id,
        "consentType": change.after.consent_type,
        "principalId": change.after.principal_id,
        "resourceId": change.after.resource_id,
        "scope": change.after.scope or "",
    }
    return "", "", made


def _call(change: Change, *, listed: bool) -> Call:
    """Return the read that shows a change's object, or the collection that it stands in."""
    if isinstance(change, AccountChange):
        return _reading(endpoints.ACCOUNT, change.before.id, ServicePrincipal)
    side = change.before or change.after
    assert side  # noqa: S101 - a change has one side at least
    if isinstance(side, AppRoleAssignment):
        return _reading(endpoints.APP_ROLE_ASSIGNMENTS, side.principal_id, AppRoleAssignment)
    if listed or change.before is None or not change.before.id:
        return _reading(endpoints.GRANTS_OF_CLIENT, side.client_id, OAuth2PermissionGrant)
    return _reading(endpoints.OAUTH2_PERMISSION_GRANT, side.id, OAuth2PermissionGrant)


def _reading(endpoint: Endpoint, id_: str, type_: type) -> Call:
    return Call(endpoint=endpoint, id=id_, decode=lambda value: wire.decode(value, type_=type_))


def _key(call: Call) -> tuple[str, str]:
    return call.endpoint.path + str(call.endpoint.query), call.id


def _state(change: Change, answer: Collected[object]) -> State | Unread:
    if isinstance(answer, Unavailable) and answer.why.startswith("HTTP 404"):
        return None
    if not isinstance(answer, Complete):
        return Unread(why=answer.why)
    if isinstance(change, AccountChange):
        return _account(answer.items)
    if isinstance(change, AssignmentChange):
        return _assignment(change, answer.items)
    return _grant(change, answer.items)


def _account(found: tuple[object, ...]) -> Account | Unread:
    for app in found:
        if isinstance(app, ServicePrincipal) and app.account_enabled not in (UNSET, None):
            return Account(id=app.id, app_id=app.app_id, account_enabled=bool(app.account_enabled))
    return Unread(why="the answer does not say whether the app may sign in")


def _assignment(change: AssignmentChange, found: tuple[object, ...]) -> AppRoleAssignment | None:
    side = change.before or change.after
    assert side  # noqa: S101 - a change has one side at least
    held = [item for item in found if isinstance(item, AppRoleAssignment)]
    same = [a for a in held if (a.resource_id, a.app_role_id) == (side.resource_id, side.app_role_id)]
    by_id = [a for a in held if side.id and a.id == side.id]
    return next(iter(by_id or same), None)


def _grant(change: GrantChange, found: tuple[object, ...]) -> OAuth2PermissionGrant | None:
    grants = [item for item in found if isinstance(item, OAuth2PermissionGrant)]
    side = change.before or change.after
    assert side  # noqa: S101 - a change has one side at least
    wanted = (side.resource_id, side.consent_type, side.principal_id)
    same = [g for g in grants if (g.resource_id, g.consent_type, g.principal_id) == wanted]
    by_id = [g for g in grants if side.id and g.id == side.id]
    return next(iter(by_id or same), None)
