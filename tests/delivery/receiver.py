"""A receiver of notifications on this machine, as a chat's webhook is one: it keeps what it gets, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

TOKEN = "c4n4ry-w3bh00k-t0k3n-0f-contoso"
"""The secret of an address; a sample."""


class Receiver(Struct):
    """What arrived."""

    port: int
    messages: list[dict[str, Any]]
    """The JSON bodies, in order."""
    paths: list[str]

    @property
    def address(self) -> str:
        """An address of apprise's, with a secret in its path and one as its password."""
        return f"json://watcher:{TOKEN}@127.0.0.1:{self.port}/{TOKEN}/"


@contextmanager
def receiver(status: int = 200, *, holds: threading.Event | None = None) -> Iterator[Receiver]:
    """Receive while the block runs, answering with `status`, and not before `holds` is set."""
    found = Receiver(port=0, messages=[], paths=[])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if holds:
                holds.wait(60)
            found.paths.append(self.path)
            found.messages.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        if holds:
            holds.set()
        server.shutdown()
        server.server_close()
        thread.join()
