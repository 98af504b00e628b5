"""What is promised of reading many at once: each call gets its own answer, and a refusal says what would open it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.graph import endpoints
from auditor.graph.auth import simulator_connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import TRIES, Call, Reader
from auditor.model.directory import AppRoleAssignment, DirectoryObject, Organization
from auditor.model.snapshot import Collected, Complete, Unavailable
from auditor.simulator.fault import Fault, FaultKind
from auditor.simulator.server import serve
from tests.graph.contoso import guid
from tests.graph.reading import (
    APPS,
    EVERY_APP,
    SNAPSHOT,
    TOKEN,
    Time,
    call,
    from_wire,
    many_from_wire,
    run,
)
from tests.graph.wireserver import Got, Reply, batch_reply, wire_server

LICENCE = {
    "code": "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
    "message": "Neither tenant is B2C or premium",
}


@pytest.mark.parametrize(
    ("status", "error", "opens"),
    [
        (403, {"code": "Authorization_RequestDenied", "message": "no"}, "Application.Read.All"),
        (403, LICENCE, "Microsoft Entra ID P1 licence"),
        (400, {"code": "x", "message": "This tenant does not have premium license."}, "Microsoft Entra ID P1 licence"),
        (404, {"code": "Request_ResourceNotFound", "message": "gone"}, ""),
        (400, {"code": "BadRequest", "message": "what?"}, ""),
    ],
)
@pytest.mark.parametrize("batched", [True, False])
def test_what_is_refused_says_what_would_open_it(status: int, error: dict[str, str], opens: str, batched: bool) -> None:
    """The least permission, the licence, or nothing that we know of; alone and in a batch, and without another try."""

    def respond(got: Got) -> Reply:
        refusal = Reply({"error": error}, status)
        return batch_reply(got, lambda _url: refusal) if got.method == "POST" else refusal

    time = Time()
    found = many_from_wire(respond, [APPS], time)[0] if batched else from_wire(respond, APPS, time)[0]
    assert isinstance(found, Unavailable)
    assert found.opens == opens
    assert error["code"] in found.why
    assert time.slept == []


def _named(number: int) -> Call:
    return call(endpoints.OWNERS, DirectoryObject, f"id-{number}")


def _owner(url: str) -> Reply:
    return Reply({"value": [{"id": url.split("/")[2]}]})


def test_members_of_a_batch_are_told_by_their_ids() -> None:
    """Forty-five calls in three batches of at most 20, answered in reverse order: each gets its own answer."""
    sizes: list[int] = []

    def respond(got: Got) -> Reply:
        body = batch_reply(got, _owner).body
        assert isinstance(body, dict)
        sizes.append(len(body["responses"]))
        return Reply({"responses": list(reversed(body["responses"]))})

    found = many_from_wire(respond, [_named(n) for n in range(45)])
    assert sorted(sizes) == [5, 20, 20]
    assert [one.items[0].id for one in found] == [f"id-{n}" for n in range(45)]  # type: ignore[union-attr]


def test_a_member_that_fails_is_sent_again_alone() -> None:
    """After its own Retry-After, in a batch without the others."""
    asked: list[list[str]] = []

    def respond(got: Got) -> Reply:
        asked.append([request["url"].split("/")[2] for request in json.loads(got.body)["requests"]])
        busy = Reply({"error": {"code": "TooManyRequests"}}, 429, {"retry-after": "9"})
        return batch_reply(got, lambda url: busy if "id-1" in url and len(asked) == 1 else _owner(url))

    time = Time()
    found = many_from_wire(respond, [_named(n) for n in range(3)], time)
    assert all(isinstance(one, Complete) for one in found)
    assert asked == [["id-0", "id-1", "id-2"], ["id-1"]]
    assert time.slept == [9.0]
    assert [len(one.faults) for one in found] == [0, 1, 0]


@pytest.mark.parametrize("spoil", ["missing", "text", "no-status", "body"])
def test_a_member_without_an_answer_is_a_fault(spoil: str) -> None:
    """An answer that is not there, or is none, is asked for again and ends as Unavailable; the others stand."""

    def respond(got: Got) -> Reply:
        body = batch_reply(got, _owner).body
        assert isinstance(body, dict)
        responses = body["responses"]
        mine = next((r for r in responses if r["body"]["value"][0]["id"] == "id-1"), None)
        if mine and spoil == "missing":
            responses.remove(mine)
        elif mine and spoil == "text":
            responses[responses.index(mine)] = "text"
        elif mine and spoil == "no-status":
            mine["status"] = "200"
        elif mine:
            mine["body"] = "SGVsbG8="
        return Reply({"responses": responses})

    found = many_from_wire(respond, [_named(n) for n in range(3)])
    assert [type(one) for one in found] == [Complete, Unavailable, Complete]
    assert len(found[1].faults) == TRIES


@pytest.mark.parametrize("status", [400, 503])
def test_a_batch_that_fails_whole_fails_every_member(status: int) -> None:
    """No member is taken for empty."""
    found = many_from_wire(lambda _got: Reply({"error": {"code": "x"}}, status), [_named(n) for n in range(3)])
    assert all(isinstance(one, Unavailable) and f"HTTP {status}" in one.why for one in found)


def test_the_later_pages_of_a_member_are_read() -> None:
    """A link inside a batch's answer is followed as any other."""
    url: list[str] = []

    def respond(got: Got) -> Reply:
        if got.method == "GET":
            return Reply({"value": [{"id": "second"}]})
        return batch_reply(
            got, lambda _url: Reply({"value": [{"id": "first"}], "@odata.nextLink": f"{url[0]}/v1.0/x?$skiptoken=1"})
        )

    with wire_server(respond) as server:
        url.append(server.url)
        (found,) = run(server.url, lambda reader: reader.get_many([_named(0)]))
    assert [item.id for item in found.items] == ["first", "second"]
    assert found.pages == 2


def test_headers_of_a_call_go_with_its_member() -> None:
    """ConsistencyLevel makes Graph count; a batch carries it inside."""
    seen: list[object] = []

    def respond(got: Got) -> Reply:
        seen.extend(request.get("headers") for request in json.loads(got.body)["requests"])
        return batch_reply(got, lambda _url: Reply({"@odata.count": 3}))

    many_from_wire(respond, [call(endpoints.ENABLED_MEMBERS, Organization), _named(0)])
    assert seen == [{"ConsistencyLevel": "eventual"}, None]


@pytest.mark.parametrize("batched", [True, False])
def test_what_does_not_take_the_token_is_unavailable(batched: bool) -> None:
    """401 on a call, after a new token was tried once, or on a member of a batch."""

    def respond(got: Got) -> Reply:
        refusal = Reply({"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}, 401)
        return batch_reply(got, lambda _url: refusal) if got.method == "POST" else refusal

    found = many_from_wire(respond, [APPS])[0] if batched else from_wire(respond, APPS)[0]
    assert isinstance(found, Unavailable)
    assert "InvalidAuthenticationToken" in found.why
    assert TOKEN not in found.why


def test_progress_is_told_after_every_request() -> None:
    """How many requests were sent, alone and in batches."""
    told: list[int] = []

    def respond(got: Got) -> Reply:
        return batch_reply(got, _owner) if got.method == "POST" else Reply({"value": []})

    with wire_server(respond) as server:

        async def go() -> None:
            async with GraphClient(simulator_connection(server.url, TOKEN)) as client:
                reader = Reader(client, progress=told.append)
                await reader.get_all(APPS)
                await reader.get_many([_named(0)])

        asyncio.run(go())
    assert told == [1, 2]


def test_the_token_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level of every library on the way, and in what the objects print."""
    caplog.set_level(logging.DEBUG)
    with wire_server(lambda _got: Reply({"error": {"code": "x", "message": "y"}}, 403)) as server:

        async def use(reader: Reader) -> str:
            await reader.get_all(APPS)
            await reader.get_many([_named(0)])
            client = reader._client
            return f"{reader!r}{vars(reader)}{client!r}{vars(client)}{vars(client._credential)}"

        shown = run(server.url, use)
    assert caplog.records
    assert TOKEN not in caplog.text
    assert TOKEN not in shown.replace(f"token='{TOKEN}'", "")


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_faults_change_nothing_but_the_ledger(data: st.DataObject) -> None:
    """Any mix of passing faults on listing and batch gives the items of the fault-free run."""
    kinds: st.SearchStrategy[FaultKind] = st.sampled_from(("cut-json", "not-json", "reset"))
    places = st.sampled_from(["/servicePrincipals", "skiptoken", "appRoleAssignments", "owners", "$batch"])
    statuses = st.builds(
        Fault,
        match=places,
        status=st.sampled_from((429, 500, 502, 503, 504, 507)),
        retry_after=st.sampled_from([None, "1", "20", "2.128"]),
    )
    others = st.builds(Fault, match=places, kind=kinds)
    faults = tuple(data.draw(st.lists(st.one_of(statuses, others), max_size=5)))
    ids = [guid(f"object of {c.service_principal.app_id}") for c in SNAPSHOT.clients]
    wanted = [
        *(call(endpoints.APP_ROLE_ASSIGNMENTS, AppRoleAssignment, id_) for id_ in ids),
        *(call(endpoints.OWNERS, DirectoryObject, id_) for id_ in ids),
    ]

    async def use(reader: Reader) -> tuple[Collected[Any], ...]:
        return (await reader.get_all(APPS), *await reader.get_many(wanted))

    with serve(SNAPSHOT, max_page=30, faults=faults) as running:
        found = run(running.url, use, token=running.token)
    assert all(isinstance(one, Complete) for one in found)
    assert {sp.id for sp in found[0].items} == EVERY_APP
    assert [one.items for one in found[1:5]] == [c.app_role_assignments.items for c in SNAPSHOT.clients]  # type: ignore[union-attr]
    assert [one.items for one in found[5:]] == [c.owners.items for c in SNAPSHOT.clients]  # type: ignore[union-attr]
