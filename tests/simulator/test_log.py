"""The simulator's log: every call as one line, with the call itself, and never a token."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx
import pytest

from auditor.model.snapshot import Snapshot
from auditor.simulator.graph import LOG, LONGEST_LINE, Call
from auditor.simulator.server import Running
from tests.simulator.conftest import Start


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, logger="auditor.simulator"):
        yield caplog


def lines(said: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in said.records if record.name == "auditor.simulator"]


def calls(said: pytest.LogCaptureFixture) -> list[Call]:
    return [vars(record)["call"] for record in said.records if record.name == "auditor.simulator"]


def asked(client: httpx.Client) -> None:
    client.get("/v1.0/users/$count", params={"$filter": "accountEnabled eq true"}, headers={"User-Agent": "ours/1"})
    requests = [{"id": "a", "method": "GET", "url": "/organization", "headers": {"User-Agent": "hidden"}}]
    client.post("/v1.0/$batch", json={"requests": requests}, headers={"User-Agent": "ours/2"})
    client.delete("/beta/nothing", headers={"Authorization": "Bearer sample-wrong-token", "User-Agent": ""})


def test_every_call_is_one_line(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture) -> None:
    """Method, version, path and query, decoded; members of a batch follow it, and what is refused is there as well."""
    client, _ = start(tenant)
    asked(client)
    assert lines(said) == [
        "GET /v1.0/users/$count?$filter=accountEnabled eq true",
        "POST /v1.0/$batch",
        "GET /v1.0/organization",
        "DELETE /beta/nothing",
    ]
    assert {record.levelno for record in said.records if record.name == "auditor.simulator"} == {logging.INFO}


def test_a_line_carries_its_call(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture) -> None:
    """The call says who asked: the User-Agent of the request, for a member that of its batch and nothing it claims."""
    client, running = start(tenant)
    asked(client)
    assert calls(said) == running.calls
    assert [(call.agent, call.in_batch) for call in running.calls] == [
        ("ours/1", False),
        ("ours/2", False),
        ("ours/2", True),
        ("", False),
    ]


def test_no_token_is_logged(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture) -> None:
    """Neither the simulator's own nor one that somebody else tried, in any field of any record."""
    client, running = start(tenant)
    asked(client)
    logged = [str(vars(record)) for record in said.records if record.name == "auditor.simulator"]
    assert len(logged) == 4
    for secret in (running.token, running.token.rpartition(".")[2], "sample-wrong-token", "Bearer"):
        assert not [line for line in logged if secret in line]


@pytest.mark.parametrize("path", ["/v1.0/x%0d%0aGET%20/v1.0/forged", "/v1.0/%1b[31m", "/v1.0/%e2%80%ae"])
def test_a_line_stays_one_line(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture, path: str) -> None:
    """Line ends, escapes and what turns the direction of writing become blanks; the call keeps them."""
    client, _ = start(tenant)
    client.get(path)
    (line,), (call,) = lines(said), calls(said)
    assert line.isprintable()
    assert not call.target.isprintable()


def test_a_line_has_an_end(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture) -> None:
    """A call of any length is cut in the log."""
    client, _ = start(tenant)
    client.get("/v1.0/" + "x" * 3 * LONGEST_LINE)
    (line,) = lines(said)
    assert len(line) == LONGEST_LINE


def test_nobody_listens_unasked(start: Start, tenant: Snapshot, said: pytest.LogCaptureFixture) -> None:
    """The simulator installs no handler, and where nobody wants its level there is no record."""
    _, running = start(tenant)
    assert LOG.handlers == []
    with said.at_level(logging.WARNING, logger="auditor.simulator"):
        ping(running)
    assert lines(said) == []


def ping(running: Running) -> None:
    httpx.get(f"{running.url}/v1.0/organization")
