"""The server: loopback only, its own credential, errors in Graph's shape, and nothing left behind."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest

from auditor.errors import MissingPartError, UsageError
from auditor.graph.auth import SIMULATOR_TOKEN, SIMULATOR_URL, SIMULATOR_WRITE_TOKEN, SignIn, connection
from auditor.model.snapshot import Snapshot
from auditor.simulator.server import Fault, Running, env_lines, run_forever, serve
from tests.simulator.conftest import Start


def test_it_listens_on_loopback_alone(start: Start, tenant: Snapshot) -> None:
    """The port answers on 127.0.0.1 and on no other address, not even another of loopback."""
    _, running = start(tenant)
    url = httpx.URL(running.url)
    assert url.host == "127.0.0.1"
    assert url.port
    socket.create_connection(("127.0.0.1", url.port), timeout=1).close()
    with pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection(("127.0.0.2", url.port), timeout=1)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic x", "bearer é"])
def test_without_its_token_nothing_is_told(start: Start, tenant: Snapshot, authorization: str) -> None:
    """No token, a wrong one, or another scheme: 401 on every path, batches and unknown ones included."""
    _, running = start(tenant)
    headers = {b"Authorization": authorization.encode()} if authorization else None
    with httpx.Client(base_url=running.url) as stranger:
        for answer in (
            stranger.get("/v1.0/organization", headers=headers),
            stranger.get("/v1.0/nothing", headers=headers),
            stranger.post("/v1.0/$batch", json={"requests": []}, headers=headers),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert running.requests == 3


def test_an_error_body_is_graphs(graph: httpx.Client) -> None:
    """Code, message and innerError with date and both request ids; the headers carry the same ids."""
    answer = graph.get("/v1.0/nothing", headers={"client-request-id": "my-id"})
    error = answer.json()["error"]
    assert error["code"] == "Request_ResourceNotFound"
    assert "nothing" in error["message"]
    assert error["innerError"] == {
        "date": "2026-11-20T09:14:00",
        "request-id": answer.headers["request-id"],
        "client-request-id": "my-id",
    }
    assert answer.headers["client-request-id"] == "my-id"
    assert str(UUID(answer.headers["request-id"])) == answer.headers["request-id"]


def test_every_answer_has_a_request_id_of_its_own(graph: httpx.Client) -> None:
    """Good answers carry the ids too."""
    first, second = (graph.get("/v1.0/organization").headers for _ in range(2))
    assert first["request-id"] == first["client-request-id"]
    assert first["request-id"] != second["request-id"]


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("PATCH", 403), ("PUT", 405), ("DELETE", 405)], ids=str)
def test_the_token_that_reads_writes_nothing(graph: httpx.Client, tenant: Snapshot, method: str, status: int) -> None:
    """Every method but GET is refused, and the object is as it was."""
    path = f"/v1.0/servicePrincipals/{tenant.clients[0].service_principal.id}"
    before = graph.get(path).json()
    assert graph.request(method, path, json={"accountEnabled": False}).status_code == status
    assert graph.get(path).json() == before


@pytest.mark.parametrize("path", ["/v2.0/organization", "/", "/organization"])
def test_a_wrong_version_is_refused(graph: httpx.Client, path: str) -> None:
    """Only v1.0 and beta are served."""
    assert graph.get(path).status_code == 400


def test_twenty_at_a_time_are_answered(start: Start, tenant: Snapshot) -> None:
    """Parallel requests are all answered rightly, and all counted."""
    client, running = start(tenant)
    paths = [f"/v1.0/servicePrincipals/{c.service_principal.id}" for c in tenant.clients]
    asked = [paths[n % len(paths)] for n in range(200)]
    with ThreadPoolExecutor(20) as pool:
        got = list(pool.map(lambda path: client.get(path).json()["id"], asked))
    assert got == [path.rpartition("/")[2] for path in asked]
    assert running.requests == len(running.calls) == 200


def test_it_stops_and_leaves_nothing(tenant: Snapshot) -> None:
    """After the block the thread is gone, the port is free again, and the next start may take it."""
    before = threading.active_count()
    with serve(tenant) as running:
        port = httpx.URL(running.url).port or 0
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/v1.0/organization")
    with serve(tenant, port=port) as again:
        assert again.url == running.url
        assert again.token != running.token


def test_it_stops_while_somebody_waits(tenant: Snapshot) -> None:
    """An answer that never comes does not keep the server from stopping."""
    with ThreadPoolExecutor(1) as pool:
        with serve(tenant, faults=(Fault(match="/organization", kind="timeout"),)) as running:
            header = {"Authorization": f"Bearer {running.token}"}
            waiting = pool.submit(httpx.get, f"{running.url}/v1.0/organization", headers=header, timeout=30)
            while not running.requests:
                threading.Event().wait(0.01)
        with pytest.raises(httpx.RemoteProtocolError):
            waiting.result(timeout=5)


def test_it_stops_when_the_block_fails(tenant: Snapshot) -> None:
    """An error in the block goes through, and the server is gone all the same."""
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), serve(tenant):
        raise ZeroDivisionError
    assert threading.active_count() == before


def test_a_port_that_is_taken_is_an_error(start: Start, tenant: Snapshot) -> None:
    """The error names the port and the way out; so does one for a number that is no port."""
    _, running = start(tenant)
    for port in (httpx.URL(running.url).port or 0, 70_000):
        with pytest.raises(UsageError, match=f"cannot listen on port {port}") as error, serve(tenant, port=port):
            pass
        assert "Choose another port" in error.value.advice


def test_the_token_tells_who_reads_and_nothing_more(tenant: Snapshot) -> None:
    """It has the shape of a JSON Web Token, names the tenant and a made-up reader, and no algorithm signed it."""
    with serve(tenant) as running:
        head, claims, tail = running.token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    assert decoded[0]["alg"] == "none"
    assert decoded[1]["tid"] == tenant.tenant_id
    assert decoded[1]["appid"] == str(UUID(decoded[1]["appid"]))
    assert len(tail) > 40


def test_the_lines_point_this_tool_at_the_simulator(tenant: Snapshot) -> None:
    """A shell that reads them connects this tool to the simulator, and its comment shows how curl asks it."""
    with serve(tenant) as running:
        lines = env_lines(running.url, running.token, running.write_token)
        show = f'{lines}printf "%s\\n" "${SIMULATOR_URL}" "${SIMULATOR_TOKEN}" "${SIMULATOR_WRITE_TOKEN}"'
        said = subprocess.run(["sh", "-euc", show], capture_output=True, text=True, check=True).stdout.split()
        assert said == [running.url, running.token, running.write_token]
        assert connection(SignIn(), dict(zip((SIMULATOR_URL, SIMULATOR_TOKEN), said[:2], strict=True))).simulated
    assert "curl -H" in lines
    assert lines.endswith("\n")


@pytest.mark.parametrize("interrupt", [True, False])
def test_it_runs_until_it_is_told_to_stop(tenant: Snapshot, interrupt: bool) -> None:
    """It says when it answers, and ends without an error on Ctrl-C or when its event is set."""
    end, seen = threading.Event(), []

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            del timeout
            raise KeyboardInterrupt

    def ready(running: Running) -> None:
        header = {"Authorization": f"Bearer {running.token}"}
        seen.append(httpx.get(f"{running.url}/v1.0/organization", headers=header).status_code)
        threading.Timer(0.3, end.set).start()

    run_forever(tenant, ready=ready, until=Interrupted() if interrupt else end)
    assert seen == [200]
    assert end.wait(2)


@pytest.mark.parametrize("missing", ["uvicorn", "starlette.requests"])
def test_a_missing_part_is_named(monkeypatch: pytest.MonkeyPatch, tenant: Snapshot, missing: str) -> None:
    """Without uvicorn or starlette the error names what is missing and the extra to install."""
    monkeypatch.delitem(sys.modules, "auditor.simulator.app", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingPartError, match=missing) as error, serve(tenant):
        pass
    assert error.value.advice == 'Install it: pip install "entra-auditor[simulator]"'


def test_importing_the_simulator_needs_no_server() -> None:
    """The parts that only a running simulator needs are not imported with it."""
    program = "import sys, auditor.simulator.server, auditor.simulator.sample; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"uvicorn", "starlette"} & set(said.split())
