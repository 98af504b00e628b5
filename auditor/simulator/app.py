"""The simulator's HTTP side: Starlette in front of Graph's answers, and connections that fail on purpose."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn import Server

from auditor.simulator.graph import Graph, GraphRequest
from auditor.simulator.tokens import Authority


class App:
    """The ASGI application of one simulator.

    Args:
        graph: what answers.
        latency: seconds that every HTTP request takes longer.
        authority: what gives tokens, where people and apps sign in.
    """

    def __init__(self, graph: Graph, *, latency: float, authority: Authority | None = None) -> None:
        self.server: Server | None = None
        """The server that runs the application; it owns the connections that faults end."""
        self._graph = graph
        self._latency = latency
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        asked = GraphRequest(
            method=request.method,
            target=f"{path}?{query}" if query else path,
            headers=dict(request.headers),
            body=body,
        )
        answer = (self._authority and self._authority.answer(asked)) or self._graph.answer(asked)
        await asyncio.sleep(self._latency)
        if answer.broken == "timeout":
            await self._silence(receive)
        if answer.broken:
            await self._drop(scope)
            return
        response = Response(
            answer.encoded(), answer.status, headers=dict(answer.headers), media_type=answer.content_type or None
        )
        await response(scope, receive, send)

    async def _silence(self, receive: Receive) -> None:
        """Wait until the client gives up or the server stops."""
        while self.server and not self.server.should_exit:
            try:
                async with asyncio.timeout(0.05):
                    await receive()
            except TimeoutError:
                continue
            return

    async def _drop(self, scope: Scope) -> None:
        """End the connection without a word, and wait until the server has noticed."""
        for connection in list(self.server.server_state.connections if self.server else ()):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()
        await asyncio.sleep(0.01)
