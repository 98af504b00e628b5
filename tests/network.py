"""The proxied world: the program as it is, its real hosts, and nothing beyond this machine.

A proxy on loopback, as a company has one, leads Microsoft's and GitHub's hosts to the simulator over TLS with a
certificate of a throw-away authority; whatever else is asked for is refused and written down.

    with world(sample()) as w:
        done = subprocess.run([..., "run", "--auth", "client-secret", *w.client_secret], env=environment(w))
    assert w.refused_hosts == []
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

import trustme
from msgspec.structs import replace

from auditor.graph.clouds import CLOUDS, Cloud
from auditor.model.snapshot import Snapshot
from auditor.simulator.fault import Fault
from auditor.simulator.graph import Call
from auditor.simulator.identities import GITHUB, KUBERNETES, Identities, Registration, TokenRequest, Trust
from auditor.simulator.server import Running, Tls, serve

CLIENT = "11111111-aaaa-4aaa-8aaa-00000000c11e"
MANAGED = "22222222-aaaa-4aaa-8aaa-00000000c11e"
SYSTEM = "33333333-aaaa-4aaa-8aaa-00000000c11e"
CANARY = "c4n4ry~s3cr3t/+="
JOB_CANARY = "c4n4ry-j0b"
HEADER_CANARY = "c4n4ry-h34d3r"
POD = "system:serviceaccount:audit:reader"
THIEF = "graph.fabrikam.example"
"""Where a token must never go."""
GITHUB_HOST = "run.actions.githubusercontent.com"
MACHINE = "169.254.169.254"
APP_SERVICE = "169.254.130.2:8081"
PLAIN = (MACHINE, APP_SERVICE)
"""Addresses of managed identities: plain HTTP inside Azure."""


@cache
def reader_certificate() -> tuple[bytes, str]:
    """Return the PEM of a certificate with its private key, and of its public part alone; both of one app."""
    issued = trustme.CA().issue_cert("reader.contoso.example", key_type=trustme.KeyType.RSA)
    return issued.private_key_and_cert_chain_pem.bytes(), issued.cert_chain_pems[0].bytes().decode()


def identities(cloud: Cloud = CLOUDS["public"], **changes: object) -> Identities:
    """Return who may sign in: one app by every means, two managed identities, and a person."""
    reader = Registration(
        client_id=CLIENT,
        secret=CANARY,
        certificate=reader_certificate()[1],
        trusts=(
            Trust(issuer=KUBERNETES, subject=POD),
            Trust(issuer=GITHUB, subject="repo:contoso/audit:ref:refs/heads/main"),
        ),
    )
    given = Identities(
        registrations=(reader, Registration(client_id=MANAGED, managed=True)),
        system=SYSTEM,
        audience=cloud.federation_audience,
        identity_header=HEADER_CANARY,
        job_token=JOB_CANARY,
    )
    return replace(given, **changes)


class World:
    """A network of its own: what leads into it, and what was asked in it."""

    def __init__(self, running: Running, proxy: _Proxy, folder: Path, cloud: Cloud, tenant: str) -> None:
        self.simulator = running
        self.cloud = cloud
        self.tenant = tenant
        self.folder = folder
        """Where the files below lie; it goes with the world."""
        self.ca = folder / "authorities.pem"
        self.secret_file = folder / "reader.secret"
        self.certificate = folder / "reader.pem"
        self.token_file = folder / "federated.token"
        self._proxy = proxy
        self.environ = {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url, "SSL_CERT_FILE": str(self.ca)}
        """Variables that lead a program into this world; add them to its environment."""

    @property
    def app(self) -> tuple[str, ...]:
        """Options that name the tenant and the app that reads."""
        return "--tenant-id", self.tenant, "--client-id", CLIENT

    @property
    def client_secret(self) -> tuple[str, ...]:
        """Options after `--auth client-secret`."""
        return *self.app, "--secret-file", str(self.secret_file)

    @property
    def calls(self) -> list[Call]:
        """Every call to Graph so far."""
        return self.simulator.calls

    @property
    def token_requests(self) -> list[TokenRequest]:
        """Every request for a token so far."""
        return self.simulator.token_requests

    @property
    def hosts(self) -> set[str]:
        """Every host that the proxy led to so far."""
        return set(self._proxy.led)

    @property
    def refused_hosts(self) -> list[str]:
        """Every host (with its port, unless that is HTTPS's) that the proxy refused so far."""
        return list(self._proxy.refused)


@contextmanager
def world(
    snapshot: Snapshot,
    *,
    cloud: str = "public",
    identities: Identities | None = None,
    faults: tuple[Fault, ...] = (),
    page_size: int = 100,
    redirecting: Sequence[str] = (),
    unreachable: Sequence[str] = (),
) -> Iterator[World]:
    """Open a world while the block runs.

    Args:
        snapshot: what the tenant holds.
        cloud: the only one of Microsoft's clouds that can be reached.
        identities: who may sign in; None: what `identities()` gives.
        faults: what Graph does wrong.
        page_size: items of a page where a call does not say `$top`.
        redirecting: hosts that answer everything by leading to THIEF.
        unreachable: hosts that the proxy refuses.
    """
    there = CLOUDS[cloud]
    known = {urlsplit(there.graph).netloc, there.authority, GITHUB_HOST}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="world-")))
        tls = _certificates(folder, sorted(known), there.graph)
        who = identities or _everybody(there)
        running = stack.enter_context(
            serve(snapshot, tls=tls, identities=who, faults=faults, page_size=page_size, latency=0)
        )
        ports = dict.fromkeys(known - set(unreachable), running.port)
        if redirecting:
            ports |= dict.fromkeys(redirecting, stack.enter_context(_redirector(tls)))
        proxy = stack.enter_context(_running_proxy(ports, running.port, folder / "authorities.pem"))
        made = World(running, proxy, folder, there, snapshot.tenant_id)
        made.certificate.write_bytes(reader_certificate()[0])
        made.secret_file.write_text(CANARY + "\n")
        made.secret_file.chmod(0o600)
        made.token_file.write_text(running.federated_token(Trust(issuer=KUBERNETES, subject=POD)))
        yield made


_everybody = identities


def _certificates(folder: Path, hosts: list[str], url: str) -> Tls:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "authorities.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-authorities.pem")
    issued = ca.issue_cert(*hosts, "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "server.key")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(folder / "server.pem", append=True)
    return Tls(certificate=str(folder / "server.pem"), key=str(folder / "server.key"), url=url)


class _Proxy(ThreadingTCPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, ports: dict[str, int], plain: int, ca: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.ports = ports
        self.plain = plain
        self.ca = ca
        self.led: list[str] = []
        self.refused: list[str] = []
        self.open: set[socket.socket] = set()


class _Tunnel(BaseRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        """Lead one connection where it asks to go."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "CONNECT":
            self._connect(target)
        else:
            self._forward(method, target, head)

    def _connect(self, target: str) -> None:
        host = target.removesuffix(":443")
        port = self.server.ports.get(host)
        if port is None:
            self._refuse(host)
            return
        self.server.led.append(host)
        with socket.create_connection(("127.0.0.1", port)) as far:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._pump(far)

    def _forward(self, method: str, target: str, head: bytes) -> None:
        """Answer a plain request, as of a managed identity, from the simulator."""
        parts = urlsplit(target)
        if parts.netloc not in PLAIN:
            self._refuse(parts.netloc)
            return
        self.server.led.append(parts.netloc)
        rest = target.partition(parts.netloc)[2]
        lines = [line for line in head.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] if b"onnection:" not in line]
        request = b"\r\n".join([f"{method} {rest} HTTP/1.1".encode(), *lines, b"Connection: close", b"", b""])
        context = ssl.create_default_context(cafile=str(self.server.ca))
        with (
            socket.create_connection(("127.0.0.1", self.server.plain)) as near,
            context.wrap_socket(near, server_hostname="127.0.0.1") as far,
        ):
            far.sendall(request)
            while data := far.recv(65536):
                self.request.sendall(data)

    def _refuse(self, host: str) -> None:
        self.server.refused.append(host)
        self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def _pump(self, far: socket.socket) -> None:
        ends = {self.request: far, far: self.request}
        self.server.open |= set(ends)
        with suppress(OSError):
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    ends[ready].sendall(data)


@contextmanager
def _running_proxy(ports: dict[str, int], plain: int, ca: Path) -> Iterator[_Proxy]:
    with _Proxy(ports, plain, ca) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            for end in server.open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@contextmanager
def _redirector(tls: Tls) -> Iterator[int]:
    """Run a server that answers everything by leading to THIEF; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(302)
            self.send_header("Location", f"https://{THIEF}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = handle_one  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def environment(w: World, **more: str) -> dict[str, str]:
    """Return the whole environment of a program that runs in a world."""
    return {**os.environ, **w.environ, **more}
