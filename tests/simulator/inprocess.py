"""The simulator without a socket: an httpx transport that asks a Graph directly.

What it answers is what the server sends, but for the headers that only a server has (`Date`, `Connection`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import httpx

from auditor.simulator.graph import Answer, Graph, GraphRequest


class Record(NamedTuple):
    """One HTTP request that was sent; a batch is one."""

    method: str
    target: str
    """`/v1.0/path?query`, as it was sent."""
    at: float
    """When, by the clock of the transport: seconds."""
    answer: Answer
    """What it got; of a batch, the answers of the members stand in the body."""


class InProcess(httpx.AsyncBaseTransport):
    """Answers every request, whatever its host, from one Graph.

    Args:
        graph: what answers; its `url` is what nextLinks begin with, and its `token` is asked for.
        clock: seconds from any start; read once for each request, when it is sent.
    """

    def __init__(self, graph: Graph, *, clock: Callable[[], float]) -> None:
        self.graph = graph
        self.records: list[Record] = []
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request.

        Raises:
            httpx.ReadTimeout: a fault of the kind `timeout`; nobody waits for it.
            httpx.ReadError: a fault of the kind `reset` or `lost-answer`.
        """
        at, target = self._clock(), request.url.raw_path.decode("ascii")
        answer = self.graph.answer(
            GraphRequest(
                method=request.method,
                target=target,
                headers=dict(request.headers),
                body=await request.aread(),
            )
        )
        self.records.append(Record(request.method, target, at, answer))
        if answer.broken == "timeout":
            raise httpx.ReadTimeout("The simulator does not answer.", request=request)
        if answer.broken:
            raise httpx.ReadError("The simulator dropped the connection.", request=request)
        text = answer.content_type.startswith("text/")
        kind = {"Content-Type": answer.content_type + "; charset=utf-8" * text} if answer.content_type else {}
        headers = {**answer.headers, **kind}
        return httpx.Response(answer.status, headers=headers, content=answer.encoded())
