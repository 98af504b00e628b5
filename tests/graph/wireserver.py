"""A server on loopback that answers as a test tells it, for what a well-behaved Graph never sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Got(NamedTuple):
    """A request that came."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Reply(NamedTuple):
    """What goes back; `body` is JSON, or bytes as they are."""

    body: object
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


Respond = Callable[[Got], Reply]


class Wire:
    """A server that runs."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[Got] = []


@contextmanager
def wire_server(respond: Respond, port: int = 0) -> Iterator[Wire]:
    """Serve `respond` while the block runs, on a port that is named or free."""
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # One packet for head and body.

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            got = Got(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            wire.got.append(got)
            reply = respond(got)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_one  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    wire.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def batch_reply(got: Got, member: Callable[[str], Reply]) -> Reply:
    """Answer a $batch by asking `member` for each of its URLs."""
    responses = []
    for request in json.loads(got.body)["requests"]:
        reply = member(request["url"])
        responses.append({"id": request["id"], "status": reply.status, "headers": reply.headers, "body": reply.body})
    return Reply({"responses": responses})
