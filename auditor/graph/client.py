"""Sending: one request to Microsoft Graph through msgraph-sdk's adapter and its middleware, and its Answer.

The typed models of the SDK are not used (they cost about 10 ms an object); neither are its retries and
redirects, so that ours are the only ones.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self, cast
from urllib.parse import SplitResult, unquote, urlsplit

import httpx
from azure.core.credentials_async import AsyncTokenCredential
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import RedirectHandlerOption, ResponseHandlerOption, RetryHandlerOption
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph_core.graph_client_factory import GraphClientFactory  # type: ignore[import-untyped]

from auditor import __version__
from auditor.errors import GraphError, SignInError
from auditor.graph.answer import Answer, http_answer, one_line
from auditor.graph.auth import CA_VARIABLES, Claims, Connection, trusted
from auditor.graph.credentials import CachedCredential
from auditor.graph.endpoints import BATCH, BATCH_BETA, Endpoint, Version

TIMEOUT = httpx.Timeout(100, connect=30)
"""Seconds."""
AT_ONCE = 8
"""Requests under way at the same time."""
CONNECTS = 4
"""Tries to reach Graph at all, with 1, 2, 4 seconds between them."""
OUTSIDE = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_DIR", *CA_VARIABLES)
"""Variables that say how the world is reached."""
UNAUTHORIZED = 401
JSON = (("Content-Type", "application/json"),)
AGENT = f"entra-auditor/{__version__}"
WRITING_AGENT = f"entra-auditor-apply/{__version__}"
LOG = logging.getLogger("auditor.graph")


class GraphClient:
    """Sends requests to one root and nowhere else; use it as an async context manager.

    Args:
        connection: how to reach Graph, and as whom.
        now: what dates in Retry-After are compared with.
        sleep: waits for seconds between tries to reach Graph at all.
        transport: sends instead of the network; for tests.
        timeout: of one request.
        agent: the User-Agent, by which a tenant's logs tell one that writes from one that reads.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        agent: str = AGENT,
    ) -> None:
        self.connection = connection
        self._agent = agent
        self._root = urlsplit(connection.base_url)
        self._scope = connection.cloud.scope
        self._now = now
        self._sleep = sleep
        self._credential = CachedCredential(connection.credential)
        # HTTP/1.1: the HTTP/2 library writes every header, the token among them, to the debug log.
        # The environment's proxy leads to the world, and the simulator is on this machine.
        try:
            self._http = httpx.AsyncClient(
                timeout=timeout,
                trust_env=not connection.simulated,
                transport=transport,
                verify=transport is not None or trusted(os.environ),
            )
        except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
            raise GraphError(
                f"The environment's proxy or certificate settings cannot be used: {one_line(str(error)).rstrip('.')}.",
                where=", ".join(name for name in OUTSIDE if name in os.environ or name.lower() in os.environ),
                advice="Correct or unset them.",
            ) from error
        # The SDK wraps these and does not close what it wraps.
        self._transports = (self._http._transport, *self._http._mounts.values())  # noqa: SLF001
        self._adapter = self._make_adapter()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._reached = False
        self._taken = False
        self._refused = ""
        self._sent = 0

    def _make_adapter(self) -> GraphRequestAdapter:
        ours = {
            RetryHandlerOption.get_key(): RetryHandlerOption(should_retry=False),
            RedirectHandlerOption.get_key(): RedirectHandlerOption(should_redirect=False),
        }
        http = GraphClientFactory.create_with_default_middleware(client=self._http, options={**options, **ours})
        authentication = AzureIdentityAuthenticationProvider(
            cast("AsyncTokenCredential", self._credential),
            scopes=[self._scope],
            allowed_hosts=[self._root.hostname or ""],
            is_cae_enabled=False,
        )
        adapter = GraphRequestAdapter(authentication, client=http)
        adapter.base_url = self._root.geturl()
        return adapter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._http.aclose()
        for transport in self._transports:
            if transport:
                await transport.aclose()
        self._credential.close()

    @property
    def claims(self) -> Claims:
        """What the token says of its bearer."""
        return self._credential.claims

    @property
    def sent(self) -> int:
        """How many requests have been sent."""
        return self._sent

    @property
    def root(self) -> str:
        """Scheme, host and port of Graph, without a path."""
        return self._root.geturl()

    def url(self, endpoint: Endpoint, id_: str = "") -> str:
        """Return the whole URL of a call."""
        return f"{self._root.geturl()}/{endpoint.version}{endpoint.target(id_)}"

    def owns(self, link: str, version: Version) -> bool:
        """Tell whether a link stays with this root: scheme, host, port and version, and no way out of it."""
        try:
            parts = urlsplit(link)
            same = _origin(parts) == _origin(self._root)
        except ValueError:
            return False
        path = unquote(parts.path)
        return (
            same
            and "@" not in parts.netloc
            and link.isascii()
            and link.isprintable()
            and "\\" not in path
            and ".." not in path.split("/")
            and parts.path.startswith(f"/{version}/")
        )

    async def identify(self) -> Claims:
        """Ask for a token and return what it says of its bearer.

        Raises:
            SignInError: none could be had.
        """
        await self._credential.get_token(self._scope)
        return self.claims

    def require_taken(self) -> None:
        """Raise SignInError when Graph took the token in none of its answers so far."""
        if self._refused and not self._taken:
            raise SignInError(
                f"Microsoft Graph does not take the token: {self._refused}.",
                advice="Sign in again; check that the token is for Microsoft Graph and for this tenant.",
            )

    async def get(self, endpoint: Endpoint, url: str) -> Answer:
        """Send a GET of `endpoint` to `url`: its own, or the link to a later page, inside this root.

        Raises:
            SignInError: no token could be had.
            GraphError: Graph was never reached.
        """
        if not self.owns(url, endpoint.version):
            raise GraphError("A link leads away from Microsoft Graph.", where=one_line(url))
        return await self.answer(Method.GET, url, endpoint.headers, None)

    async def post_batch(self, version: Version, content: bytes) -> Answer:
        """Send a $batch whose JSON is `content`.

        Raises:
            SignInError: no token could be had.
            GraphError: Graph was never reached.
        """
        url = self.url(BATCH if version == "v1.0" else BATCH_BETA)
        return await self.answer(Method.POST, url, JSON, content)

    async def answer(
        self, method: Method, url: str, headers: tuple[tuple[str, str], ...], content: bytes | None
    ) -> Answer:
        """Send, with a new token where Graph does not take the one at hand; for this package's own use.

        Raises:
            SignInError: no token could be had.
            GraphError: Graph was never reached.
        """
        await self._credential.get_token(self._scope)
        used = self._credential.number
        answer = await self._send(method, url, headers, content)
        if answer.status == UNAUTHORIZED:
            self._credential.renew(used)
            answer = await self._send(method, url, headers, content)
        if answer.status == UNAUTHORIZED:
            self._refused = answer.why
        elif answer.status:
            self._taken = True
        return answer

    async def _send(
        self, method: Method, url: str, headers: tuple[tuple[str, str], ...], content: bytes | None
    ) -> Answer:
        request = RequestInformation()
        request.http_method = method
        request.url = url
        request.content = content
        request.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        for name, value in (("Accept", "application/json"), ("User-Agent", self._agent), *headers):
            request.headers.try_add(name, value)
        async with self._slots:
            self._sent += 1
            started = time.monotonic()
            try:
                response = await self._reach(request)
            except httpx.TransportError as error:
                LOG.info("%s %s: %s", method.value, urlsplit(url).path, type(error).__name__)
                return Answer(status=0, message=f"no answer: {_reason(error)}")
        taken = time.monotonic() - started
        LOG.info("%s %s: %d, %.3f s", method.value, urlsplit(url).path, response.status_code, taken)
        return http_answer(response.status_code, response.headers, response.content, self._now())

    async def _reach(self, request: RequestInformation) -> httpx.Response:
        """Send, again and again while Graph was never reached at all.

        Raises:
            GraphError: it never was.
            httpx.TransportError: it was before, but not this time.
        """
        for pause in (*(2.0**n for n in range(CONNECTS - 1)), None):
            try:
                response = await self._adapter.send_primitive_async(request, "bytes", None)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
                if self._reached:
                    raise
                if pause is None:
                    raise GraphError(
                        f"Microsoft Graph could not be reached: {_reason(error)}.",
                        where=self._root.geturl(),
                        advice="Check the network, the proxy (HTTPS_PROXY) and its certificates (SSL_CERT_FILE).",
                    ) from None
                LOG.info("not reached (%s), next try in %g s", type(error).__name__, pause)
                await self._sleep(pause)
            else:
                assert isinstance(response, httpx.Response)  # noqa: S101 - what the native handler returns
                self._reached = True
                return response
        raise AssertionError  # pragma: no cover - the last try raises or returns


def _reason(error: httpx.TransportError) -> str:
    """Return what a message says of an error; h11's own words of a bad request repeat its headers, the token too."""
    if isinstance(error, httpx.LocalProtocolError):
        return type(error).__name__
    return one_line(f"{type(error).__name__} {error}", 200)


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default
