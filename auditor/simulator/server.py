"""The simulator as a server: uvicorn in a thread, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from msgspec import Struct

from auditor.errors import MissingPartError, UsageError
from auditor.graph.auth import SIMULATOR_TOKEN, SIMULATOR_URL, SIMULATOR_WRITE_TOKEN
from auditor.model.snapshot import Snapshot
from auditor.simulator.bearers import read_token, write_token
from auditor.simulator.fault import Fault
from auditor.simulator.graph import Call, Graph
from auditor.simulator.identities import Identities, TokenRequest, Trust
from auditor.simulator.pages import UNLIMITED
from auditor.simulator.tokens import Authority

HOST = "127.0.0.1"
__all__ = ["Call", "Fault", "Running", "Tls", "env_lines", "run_forever", "serve"]


class Tls(Struct, frozen=True, kw_only=True):
    """How to serve HTTPS."""

    certificate: str
    """PEM file with the chain."""
    key: str
    """PEM file of the private key."""
    url: str = ""
    """The address that clients use, where a proxy leads them here: nextLinks begin with it; empty: this machine's."""


class Running:
    """A simulator that runs: where it is, its credential, and what it was asked."""

    def __init__(
        self, graph: Graph, authority: Authority | None, *, url: str, token: str, write_token: str, port: int
    ) -> None:
        self._graph = graph
        self._authority = authority
        self.port = port
        """The TCP port on 127.0.0.1."""
        self.url = url
        """`http://127.0.0.1:PORT`, without a trailing slash."""
        self.token = token
        """The bearer token that opens this simulator and nothing else; it reads."""
        self.write_token = write_token
        """The bearer token, of another identity, that writes as well."""

    @property
    def snapshot(self) -> Snapshot:
        """The tenant as the writes so far have left it."""
        return self._graph.snapshot

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in the order met; members of a batch follow their batch and are marked."""
        return list(self._graph.calls)

    @property
    def requests(self) -> int:
        """HTTP requests so far; a batch is one."""
        return sum(not call.in_batch for call in self._graph.calls)

    @property
    def token_requests(self) -> list[TokenRequest]:
        """Every request for a token so far, where `serve` got `identities`."""
        return list(self._authority.requests) if self._authority else []

    @property
    def secrets(self) -> list[str]:
        """Every token and code given so far; see Authority.given."""
        return list(self._authority.given) if self._authority else []

    def federated_token(self, trust: Trust, *, audience: str = "", lifetime: int = 600) -> str:
        """Return a token of another identity provider, where `serve` got `identities`; for `lifetime` seconds."""
        assert self._authority  # noqa: S101 - what the docstring asks for
        return self._authority.federated_token(trust, audience=audience, lifetime=lifetime)


@contextmanager
def serve(
    snapshot: Snapshot,
    *,
    port: int = 0,
    page_size: int = 100,
    faults: tuple[Fault, ...] = (),
    latency: float = 0.0,
    max_page: int = UNLIMITED,
    tls: Tls | None = None,
    identities: Identities | None = None,
) -> Iterator[Running]:
    """Run a simulator of the snapshot's tenant while the `with` block runs.

    Args:
        snapshot: what the tenant holds.
        port: the TCP port; 0 takes a free one.
        page_size: items of a page where a call does not say `$top`.
        faults: what goes wrong on purpose.
        latency: seconds that every HTTP request takes longer.
        max_page: the most items of a page, whatever `$top` asks, as Graph may give fewer than asked.
        tls: serve HTTPS with this certificate; None serves HTTP.
        identities: who may sign in; None gives no tokens, and only the simulator's own opens it.

    Raises:
        MissingPartError: starlette or uvicorn is not installed.
        UsageError: the port cannot be had.
    """
    with closing(_listen(port)) as listener:
        number = listener.getsockname()[1]
        url = (tls.url if tls else "") or f"{'https' if tls else 'http'}://{HOST}:{number}"
        token, writing = read_token(snapshot), write_token(snapshot)
        authority = Authority(snapshot, identities, graph=url) if identities else None
        graph = Graph(
            snapshot,
            url=url,
            token=token,
            write_token=writing,
            page_size=page_size,
            faults=faults,
            max_page=max_page,
            opens=authority.opens if authority else None,
        )
        with _served(graph, authority, listener, latency=latency, tls=tls):
            yield Running(graph, authority, url=url, token=token, write_token=writing, port=number)


@contextmanager
def _served(
    graph: Graph, authority: Authority | None, listener: socket.socket, *, latency: float, tls: Tls | None
) -> Iterator[None]:
    try:
        import uvicorn

        from auditor.simulator.app import App
    except ImportError as error:
        raise MissingPartError(
            f"The simulator needs '{error.name}', which is not installed.",
            advice='Install it: pip install "entra-auditor[simulator]"',
        ) from error
    app = App(graph, latency=latency, authority=authority)
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    server = app.server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="simulator", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.001)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def run_forever(
    snapshot: Snapshot,
    port: int = 0,
    *,
    ready: Callable[[Running], None],
    until: threading.Event | None = None,
    faults: tuple[Fault, ...] = (),
    max_page: int = UNLIMITED,
) -> None:
    """Run a simulator until the user interrupts it (or `until` is set); `ready` is called once it answers.

    Raises:
        MissingPartError: starlette or uvicorn is not installed.
        UsageError: the port cannot be had.
    """
    end = until or threading.Event()
    with serve(snapshot, port=port, faults=faults, max_page=max_page) as running:
        try:
            ready(running)
            while not end.wait(0.2):
                pass
        except KeyboardInterrupt:
            return


def env_lines(running_url: str, token: str, write_token: str) -> str:
    """Return the shell lines that point this tool, and by their comment curl, at a simulator."""
    return f"""\
export {SIMULATOR_URL}='{running_url}'
export {SIMULATOR_TOKEN}='{token}'
export {SIMULATOR_WRITE_TOKEN}='{write_token}'
# curl -H "Authorization: Bearer ${SIMULATOR_TOKEN}" \
"${SIMULATOR_URL}/v1.0/servicePrincipals?\\$select=appId,displayName&\\$top=5"
"""


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle's algorithm off: 1 ms a request instead of 45 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"The simulator cannot listen on port {port}: {error}.",
            where="--port",
            advice="Choose another port, or 0 for a free one.",
        ) from error
    return listener
