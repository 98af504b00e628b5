"""Each write does to the tenant what its name says, and nothing else."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.graph.writes import WRITES
from auditor.model.activity import is_grant
from auditor.model.canonical import to_json
from auditor.model.directory import NO_ROLE
from auditor.model.plan import Write
from auditor.model.snapshot import Client, Partial, Snapshot, items
from auditor.simulator.sample import sample_configuration
from tests.engine.world import judged
from tests.simulator.writing import (
    ABSENT,
    EXCHANGE,
    GRANTS,
    NOBODY,
    SIDES,
    Caller,
    app,
    changed,
    events,
    every_write,
    granted,
    grants,
    held,
    new_grant,
    new_role,
    refusal,
    resource,
    road,
    role_id,
    roles,
)
from tests.workflow.rehearsal import Clock, rehearsed, run


@pytest.mark.parametrize("side", SIDES)
def test_a_role_is_taken_away_once(tenant: Snapshot, side: str) -> None:
    """Below the resource and below the app: 204 without a body, the one assignment is gone, and then there is none."""
    caller, gone = Caller(tenant), held(tenant, "Mail.ReadWrite")
    path = f"{road(side, gone)}/{gone.id}"
    assert caller.get(path)["appRoleId"] == gone.app_role_id
    answer = caller.call("DELETE", path)
    assert (answer.status, answer.encoded(), answer.content_type) == (204, b"", "")
    left = tuple(a for a in roles(tenant) if a != gone)
    assert len(left) == len(roles(tenant)) - 1
    assert caller.snapshot == changed(tenant, app_role_assignments=left)
    for method in ("DELETE", "GET"):
        status, code, message = refusal(caller.call(method, path))
        assert (status, code) == (404, "Request_ResourceNotFound")
        assert message == f"Resource '{gone.id if method == 'DELETE' else path[1:]}' {ABSENT}"
    assert gone.id not in {row["id"] for row in caller.rows(road("appRoleAssignments", gone))}


@pytest.mark.parametrize("side", SIDES)
def test_a_role_is_given(tenant: Snapshot, side: str) -> None:
    """The new assignment has an id, names and a date of the tenant's; ids come in any case; the log tells of it."""
    caller, like = Caller(tenant), held(tenant, "Mail.ReadWrite")
    wanted = replace(like, app_role_id=role_id(tenant, "Mail.Read"))
    answer = caller.call("POST", road(side, wanted), {k: v.upper() for k, v in new_role(wanted).items()})
    assert answer.status == 201
    *before, made = roles(caller.snapshot)
    first, *older = events(caller.snapshot)
    assert (tuple(before), tuple(older)) == (roles(tenant), events(tenant))
    when = tenant.taken_at + timedelta(seconds=1)
    assert made == replace(wanted, id=made.id, created_date_time=when)
    assert made.id not in {a.id for a in before}
    assert (first.permissions, first.activity_date_time, first.actor) == (("Mail.Read",), when, "Sample writer")
    now, log = roles(caller.snapshot), events(caller.snapshot)
    assert caller.snapshot == changed(tenant, app_role_assignments=now, grant_events=log)
    body: Any = answer.body
    shown = caller.get(f"{road(side, made)}/{made.id}")
    assert shown["id"] == made.id
    assert {k: v for k, v in body.items() if k[0] != "@"} == {k: v for k, v in shown.items() if k[0] != "@"}


def test_what_was_taken_can_be_given_again(tenant: Snapshot) -> None:
    """Then all is as before, but for the ids and the dates, and the assignment stands last."""
    caller, gone = Caller(tenant), held(tenant, "Mail.ReadWrite")
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', gone)}/{gone.id}").status == 204
    assert caller.call("POST", road("appRoleAssignedTo", gone), new_role(gone)).status == 201
    *others, again = roles(caller.snapshot)
    assert again.id != gone.id
    assert replace(again, id=gone.id, created_date_time=gone.created_date_time) == gone
    assert others == [a for a in roles(tenant) if a != gone]
    assert again.created_date_time == tenant.taken_at + timedelta(seconds=2)


def test_a_resource_is_there_while_somebody_holds_it(tenant: Snapshot) -> None:
    """With the last role it leaves the snapshot, as a reader sees it; it comes back with its roles, to its place."""
    caller, last = Caller(tenant), held(tenant, "full_access_as_app", name=EXCHANGE)
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', last)}/{last.id}").status == 204
    left = tuple(r for r in items(tenant.resources) if r.id != last.resource_id)
    assert items(caller.snapshot.resources) == left != items(tenant.resources)
    assert caller.rows(road("appRoleAssignedTo", last)) == []
    assert caller.call("POST", road("appRoleAssignedTo", last), new_role(last)).status == 201
    assert caller.snapshot.resources == tenant.resources


def test_a_resource_that_was_switched_off_stays_off(tenant: Snapshot) -> None:
    """Also where it leaves and comes back."""
    caller, last = Caller(tenant), held(tenant, "full_access_as_app", name=EXCHANGE)
    path = road("appRoleAssignedTo", last)
    assert caller.call("PATCH", f"/servicePrincipals/{last.resource_id}", {"accountEnabled": False}).status == 204
    assert caller.call("DELETE", f"{path}/{last.id}").status == 204
    assert caller.call("POST", path, new_role(last)).status == 201
    assert [r.id for r in items(caller.snapshot.resources) if r.account_enabled is False] == [last.resource_id]


def test_a_resource_that_nobody_held_joins(tenant: Snapshot) -> None:
    """Nothing is known of its roles, so any is given; it stands among the resources as the listing knows it."""
    ordinary = next(a for a in items(tenant.service_principals) if a.display_name == "Contoso Backup")
    wanted = replace(roles(tenant)[0], resource_id=ordinary.id, app_role_id=NOBODY)
    caller = Caller(tenant)
    assert caller.call("POST", road("appRoleAssignedTo", wanted), new_role(wanted)).status == 201
    assert roles(caller.snapshot)[-1].resource_display_name == "Contoso Backup"
    *before, joined = items(caller.snapshot.resources)
    assert (tuple(before), joined.id) == (items(tenant.resources), ordinary.id)
    assert events(caller.snapshot)[0].permissions == (NOBODY,)


def test_default_access_can_be_given(tenant: Snapshot) -> None:
    """The role of all zeros stands for it, and no resource publishes it."""
    caller, wanted = Caller(tenant), replace(roles(tenant)[0], app_role_id=NO_ROLE)
    assert caller.call("POST", road("appRoleAssignments", wanted), new_role(wanted)).status == 201
    assert roles(caller.snapshot)[-1].app_role_id == NO_ROLE


@pytest.mark.parametrize("consent", ["AllPrincipals", "Principal"])
def test_scopes_of_a_grant_are_changed(tenant: Snapshot, consent: str) -> None:
    """The grant keeps its id and its place; only the scopes are others, or none."""
    caller, old = Caller(tenant), granted(tenant, consent)
    for scope in ("User.Read", ""):
        answer = caller.call("PATCH", f"{GRANTS}/{old.id}", {"scope": scope, "@odata.type": "x"})
        assert (answer.status, answer.encoded()) == (204, b"")
        now = tuple(replace(g, scope=scope) if g == old else g for g in grants(tenant))
        expected = changed(tenant, oauth2_permission_grants=now, grant_events=events(caller.snapshot))
        assert caller.snapshot == expected
        assert caller.get(f"{GRANTS}/{old.id}")["scope"] == scope


@pytest.mark.parametrize("consent", ["AllPrincipals", "Principal"])
def test_a_grant_is_deleted_and_made_again(tenant: Snapshot, consent: str) -> None:
    """It is gone from every road, and what is made in its place differs in its id alone."""
    caller, old = Caller(tenant), granted(tenant, consent)
    assert caller.call("DELETE", f"{GRANTS}/{old.id}").status == 204
    left = tuple(g for g in grants(tenant) if g != old)
    assert caller.snapshot == changed(tenant, oauth2_permission_grants=left)
    assert refusal(caller.call("DELETE", f"{GRANTS}/{old.id}"))[:2] == (404, "Request_ResourceNotFound")
    below = f"/servicePrincipals/{old.client_id}{GRANTS}"
    assert old.id not in {g["id"] for path in (GRANTS, below) for g in caller.rows(path)}
    answer: Any = caller.call("POST", GRANTS, new_grant(old, startTime="2026-01-01T00:00:00Z"))
    assert answer.status == 201
    made = grants(caller.snapshot)[-1]
    assert made.id == answer.body["id"] != old.id
    assert replace(made, id=old.id) == old
    assert caller.get(f"{below}/{made.id}")["scope"] == old.scope


@pytest.mark.parametrize("by", ["/servicePrincipals/{id}", "/servicePrincipals(appId='{app}')"])
def test_an_app_is_switched_off_and_on(tenant: Snapshot, by: str) -> None:
    """Wherever the app stands, and nothing else of it changes."""
    caller, one = Caller(tenant), app(tenant).service_principal
    path = by.format(id=one.id, app=one.app_id)
    for enabled in (False, True):
        assert caller.call("PATCH", path, {"accountEnabled": enabled}).status == 204
        assert caller.get(path)["accountEnabled"] is enabled
        listed = [a for a in caller.rows("/servicePrincipals?$top=999") if a["id"] == one.id]
        assert [a["accountEnabled"] for a in listed] == [enabled]
        assert app(caller.snapshot) == replace(app(tenant), service_principal=replace(one, account_enabled=enabled))
        assert [a for a in items(caller.snapshot.service_principals) if a.id != one.id] == [
            a for a in items(tenant.service_principals) if a.id != one.id
        ]
    assert caller.snapshot == tenant
    assert one.account_enabled is True


def test_an_app_that_is_not_audited_can_be_switched_off(tenant: Snapshot) -> None:
    """It stands in the listing and nowhere else; a resource stands among the resources as well."""
    caller, ordinary = Caller(tenant), items(tenant.service_principals)[-1]
    for id_ in (ordinary.id, resource(tenant)):
        assert caller.call("PATCH", f"/servicePrincipals/{id_}", {"accountEnabled": False}).status == 204
        known = {a.id: a.account_enabled for a in items(caller.snapshot.service_principals)}
        assert known.get(id_, False) is False
    assert [r.id for r in items(caller.snapshot.resources) if r.account_enabled is False] == [resource(tenant)]
    assert caller.snapshot.clients == tenant.clients


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_quick(tenant: Snapshot, write: Write) -> None:
    """A write and a read after it take less than 20 ms on the sample tenant."""
    path, body = every_write(tenant)[write]
    spent = []
    for _ in range(5):
        caller = Caller(tenant)
        begin = time.perf_counter()
        assert caller.call(WRITES[write].method, path, body).status < 300
        caller.rows(f"/servicePrincipals/{app(tenant).service_principal.id}/appRoleAssignments")
        spent.append(time.perf_counter() - begin)
    assert min(spent) < 0.020


def test_what_was_read_in_part_stays_a_part(tenant: Snapshot) -> None:
    """A write to a collection with a gap leaves the gap."""
    client = app(tenant)
    partial: Any = Partial(items=roles(tenant), why="A page is missing.")
    part = replace(
        tenant, clients=tuple(replace(c, app_role_assignments=partial) if c is client else c for c in tenant.clients)
    )
    caller, gone = Caller(part), roles(tenant)[0]
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', gone)}/{gone.id}").status == 204
    assert app(caller.snapshot).app_role_assignments == replace(partial, items=roles(tenant)[1:])


def test_the_same_writes_make_the_same_tenant(tenant: Snapshot) -> None:
    """Ids, dates, answers and the audit log are those of every other run; a second same object has another id."""

    def story() -> tuple[bytes, list[object], list[Any]]:
        caller = Caller(tenant)
        said = [caller.call(WRITES[w].method, path, body).body for w, (path, body) in every_write(tenant).items()]
        return to_json(caller.snapshot), said, caller.rows("/auditLogs/directoryAudits?$top=999")

    assert story() == story()
    caller, ids = Caller(tenant), set()
    path, body = every_write(tenant)["add-assignment"]
    for _ in range(3):
        made: Any = caller.call("POST", path, body).body
        ids.add(made["id"])
        caller.call("DELETE", f"{path}/{made['id']}")
    assert len(ids) == 3


def as_read(client: Client) -> Client:
    """Return a client with the audit records of what it was granted in one order."""
    log: Any = client.grant_events
    granted = sorted((event for event in log.items if is_grant(event)), key=lambda e: e.id)
    return replace(client, grant_events=replace(log, items=tuple(granted)))


def test_who_reads_the_tenant_after_writes_finds_its_snapshot(tenant: Snapshot) -> None:
    """Read through Graph, every app has what the simulator's own snapshot says, and the audits are equal."""
    caller, clock = Caller(tenant), Clock()
    for write, (path, body) in every_write(tenant).items():
        assert caller.call(WRITES[write].method, path, body).status < 300
    last = held(tenant, "full_access_as_app", name=EXCHANGE)
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', last)}/{last.id}").status == 204
    live, own = run(clock, rehearsed(caller.graph, clock, token=caller.reader)), caller.snapshot
    assert {as_read(c).service_principal.id: as_read(c) for c in live.clients} == {
        c.service_principal.id: as_read(c) for c in own.clients
    }
    assert {r.id for r in items(live.resources)} == {r.id for r in items(own.resources)}
    found = judged(replace(live, taken_at=own.taken_at), sample_configuration())
    expected = judged(own, sample_configuration())
    assert (found.grants, found.outcomes, found.apps) == (expected.grants, expected.outcomes, expected.apps)
    assert expected.outcomes != judged(tenant, sample_configuration()).outcomes


@pytest.mark.parametrize("seed", range(20))
def test_any_writes_in_any_order_keep_the_books(tenant: Snapshot, seed: int) -> None:
    """Roles given and taken at random: the tenant holds what a set of them holds, and refuses what a set would."""
    chance, caller = random.Random(seed), Caller(tenant)
    values = [role_id(tenant, value) for value in ("Mail.Read", "Mail.ReadWrite", "Calendars.Read", "Contacts.Read")]
    client = app(tenant).service_principal.id
    there = {a.app_role_id for a in roles(tenant) if a.resource_id == resource(tenant)}
    for _ in range(12):
        value, side = chance.choice(values), chance.choice(SIDES)
        like = replace(roles(tenant)[0], app_role_id=value, resource_id=resource(tenant), principal_id=client)
        if chance.random() < 0.5:
            assert caller.call("POST", road(side, like), new_role(like)).status == (400 if value in there else 201)
            there.add(value)
        else:
            rows = caller.rows(
                f"/servicePrincipals/{client}/appRoleAssignments?$filter=resourceId eq {resource(tenant)}"
            )
            found = next((row["id"] for row in rows if row["appRoleId"] == value), "none")
            status = caller.call("DELETE", f"{road(side, like)}/{found}").status
            assert status == (204 if value in there else 404)
            there.discard(value)
        held_now = [a.app_role_id for a in roles(caller.snapshot) if a.resource_id == resource(tenant)]
        assert len(held_now) == len(set(held_now))
        assert set(held_now) == there
