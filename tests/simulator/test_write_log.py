"""What the directory audit log says of a write, and what a reader finds there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.graph import wire
from auditor.graph.writes import WRITES
from auditor.knowledge.sketch import without
from auditor.model.activity import is_grant
from auditor.model.plan import Write
from auditor.model.snapshot import Snapshot
from tests.simulator.writing import (
    GRANTS,
    NOBODY,
    Caller,
    app,
    bearer,
    events,
    every_write,
    granted,
    new_grant,
)

LOG = "/auditLogs/directoryAudits?$top=999"
SAID: dict[Write, tuple[str, tuple[str, ...]]] = {
    "delete-assignment": ("Remove app role assignment from service principal", ("Mail.ReadWrite",)),
    "add-assignment": ("Add app role assignment to service principal", ("Mail.Read",)),
    "delete-grant": (
        "Remove delegated permission grant",
        ("openid", "profile", "email", "offline_access", "User.Read"),
    ),
    "add-grant": ("Add delegated permission grant", ("openid", "profile", "email", "offline_access", "User.Read")),
    "update-service-principal": ("Update service principal", ()),
}
"""What the audit log calls each write of `every_write`, and the permissions that it names."""


def named(record: Any, side: str = "newValue") -> dict[str, Any]:
    """Return the values of a record's first target by their names."""
    changes = record["targetResources"][0]["modifiedProperties"]
    return {c["displayName"]: json.loads(c[side]) for c in changes if c[side] is not None}


@pytest.mark.parametrize("write", SAID)
def test_each_write_stands_in_the_audit_log(tenant: Snapshot, write: Write) -> None:
    """One record more, the newest: what was done, by whom, to which app and resource; a grant is an event too."""
    caller, (path, body) = Caller(tenant), every_write(tenant)[write]
    before = caller.rows(LOG)
    assert caller.call(WRITES[write].method, path, body).status < 300
    record, *older = caller.rows(LOG)
    assert older == before
    activity, permissions = SAID[write]
    assert (record["activityDisplayName"], record["activityDateTime"]) == (activity, "2026-11-20T09:14:01Z")
    assert record["initiatedBy"]["app"]["displayName"] == "Sample writer"
    client = app(tenant).service_principal
    assert client.id in {target["id"] for target in record["targetResources"]}
    assert record in caller.rows(f"{LOG}&$filter=targetResources/any(t:t/id eq '{client.id}')")
    event = wire.grant_event(record)
    new = [e for e in events(caller.snapshot) if e not in events(tenant)]
    assert is_grant(event) is write.startswith("add")
    assert new == ([event] if is_grant(event) else [])
    side = "oldValue" if activity.startswith("Remove") else "newValue"
    told = named(record, side)
    assert named(record, "newValue" if side == "oldValue" else "oldValue") == (
        {"AccountEnabled": [True]} if write == "update-service-principal" else {}
    )
    if permissions:
        assert told["ServicePrincipal.ObjectID"] == client.id
        assert (told.get("AppRole.Value") or told["DelegatedPermissionGrant.Scope"]).split() == [*permissions]
    else:
        assert told == {"AccountEnabled": [False], "Included Updated Properties": "AccountEnabled"}


@pytest.mark.parametrize(
    ("scope", "gained", "lost"),
    [
        ("openid profile email offline_access", [], ["User.Read"]),
        ("openid profile email offline_access User.Read Mail.Read Mail.Send", ["Mail.Read", "Mail.Send"], []),
        ("openid Mail.Read Mail.Read", ["Mail.Read"], ["profile", "email", "offline_access", "User.Read"]),
        ("User.Read offline_access email profile openid openid", [], []),
    ],
)
def test_a_changed_scope_says_what_came_and_what_went(
    tenant: Snapshot, scope: str, gained: list[str], lost: list[str]
) -> None:
    """The scopes that came are a grant, those that went are not; the same ones in another order are nothing."""
    caller, old = Caller(tenant), granted(tenant)
    before = caller.rows(LOG)
    assert caller.call("PATCH", f"{GRANTS}/{old.id}", {"scope": scope}).status == 204
    records = [record for record in caller.rows(LOG) if record not in before]
    told = {r["activityDisplayName"].split()[0]: r for r in records}
    assert set(told) == {name for name, scopes in (("Add", gained), ("Remove", lost)) if scopes}
    if gained:
        assert named(told["Add"])["DelegatedPermissionGrant.Scope"].split() == gained
    if lost:
        assert named(told["Remove"], "oldValue")["DelegatedPermissionGrant.Scope"].split() == lost
    assert [e.permissions for e in events(caller.snapshot) if e not in events(tenant)] == [tuple(gained)] * bool(gained)


def test_a_grant_without_scopes_is_told_of_as_well(tenant: Snapshot) -> None:
    """It was made and it was deleted, though it opens nothing."""
    caller, old = Caller(tenant), granted(tenant)
    made: Any = caller.call("POST", GRANTS, new_grant(old, consentType="Principal", principalId=NOBODY, scope="")).body
    assert events(caller.snapshot)[0].permissions == ()
    assert caller.call("DELETE", f"{GRANTS}/{made['id']}").status == 204
    told = [record["activityDisplayName"] for record in caller.rows(LOG)[:2]]
    assert told == ["Remove delegated permission grant", "Add delegated permission grant"]


@pytest.mark.parametrize(
    ("claimed", "actor"),
    [
        ({"upn": "sam.rivera@contoso.example"}, "sam.rivera@contoso.example"),
        ({}, "Sample"),
        ({"app_displayname": "", "appid": NOBODY}, NOBODY),
        ({"app_displayname": ""}, None),
    ],
)
def test_the_log_says_who_wrote(tenant: Snapshot, claimed: dict[str, str], actor: str | None) -> None:
    """The person whom the token names, else the app by its name, else by its id."""
    caller, (path, body) = Caller(tenant), every_write(tenant)["add-assignment"]
    token = bearer("AppRoleAssignment.ReadWrite.All", **claimed)
    assert caller.call("POST", path, body, token).status == 201
    assert events(caller.snapshot)[0].actor == actor
    assert wire.grant_event(caller.rows(LOG)[0]).actor == actor


def test_a_log_that_may_not_be_read_stays_closed(tenant: Snapshot) -> None:
    """Writes are carried out all the same, and what is unknown stays unknown."""
    hidden = without(tenant, "grantEvents")
    caller = Caller(hidden)
    for write, (path, body) in every_write(tenant).items():
        assert caller.call(WRITES[write].method, path, body).status < 300
    assert [c.grant_events for c in caller.snapshot.clients] == [c.grant_events for c in hidden.clients]
    assert caller.call("GET", LOG).status == 403


def test_a_simulator_grown_from_what_is_left_shows_the_same(tenant: Snapshot) -> None:
    """Every list is that of the tenant that was written to; only records that are no grants are forgotten."""
    caller = Caller(tenant)
    for write, (path, body) in every_write(tenant).items():
        assert caller.call(WRITES[write].method, path, body).status < 300
    again, gone = Caller(caller.snapshot), {activity for activity, _ in SAID.values() if "Add" not in activity}
    client = app(tenant).service_principal.id
    for path in (GRANTS, "/servicePrincipals?$top=999", f"/servicePrincipals/{client}/appRoleAssignments"):
        assert again.rows(path) == caller.rows(path)
    assert again.rows(LOG) == [r for r in caller.rows(LOG) if r["activityDisplayName"] not in gone]
