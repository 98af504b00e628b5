"""Microsoft Graph's answers to reads: one call in, one answer out, without a network.

Plain calls and members of a batch take the same way. What Graph says and refuses follows
https://learn.microsoft.com/graph/aad-advanced-queries and https://learn.microsoft.com/graph/json-batching.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import NamedTuple

import msgspec
from msgspec import Struct

from auditor.graph.answer import one_line
from auditor.model.snapshot import Snapshot
from auditor.simulator.bodies import uuid
from auditor.simulator.fault import Fault, Faults
from auditor.simulator.pages import UNLIMITED, Asked, chosen, options, page, select, selected, total
from auditor.simulator.query import Json, split
from auditor.simulator.refused import Refused, unsupported
from auditor.simulator.tenant import Tenant

MAX_BATCH = 20
LONGEST_LINE = 4000
"""Characters of a call in the log."""
LOG = logging.getLogger("auditor.simulator")
"""Every call as one line, with the Call itself as the record's `call`."""
_JSON = "application/json"
_HTML = "<!DOCTYPE html><html><body>The service is unavailable.</body></html>"


class Call(NamedTuple):
    """A call that the simulator got."""

    method: str
    target: str
    """`/v1.0/path?query`, decoded."""
    in_batch: bool
    agent: str
    """The User-Agent of the HTTP request; of a member, that of its batch."""


class GraphRequest(Struct, frozen=True, kw_only=True):
    """A call to answer."""

    method: str
    target: str
    """`/v1.0/path?query`, as it came."""
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    in_batch: bool = False


class Answer(Struct, frozen=True, kw_only=True):
    """What goes back."""

    status: int = 200
    body: object
    """JSON; a string is text that is sent as it is."""
    headers: Mapping[str, str] = {}
    content_type: str = _JSON
    broken: str = ""
    """`reset` or `timeout`: the connection fails instead."""

    def encoded(self) -> bytes:
        """Return the body's bytes; a surrogate that stands alone goes out as JSON's escape for it."""
        if isinstance(self.body, str):
            return self.body.encode()
        try:
            return msgspec.json.encode(self.body)
        except UnicodeEncodeError:
            return json.dumps(self.body).encode()


class _Member(Struct, frozen=True, kw_only=True):
    id: str
    method: str
    url: str
    headers: dict[str, str] = {}


class _Batch(Struct, frozen=True, kw_only=True):
    requests: list[_Member]


class Graph:
    """One tenant that answers.

    Args:
        snapshot: what the tenant holds.
        url: scheme, host and port that it is reached under; nextLinks begin with it.
        token: the only bearer token that it takes.
        page_size: items of a page where the call does not say `$top`.
        faults: what goes wrong on purpose.
        max_page: the most items of a page, whatever `$top` asks.
        opens: tells whether an Authorization header carries another token that it takes.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        url: str,
        token: str,
        page_size: int,
        faults: tuple[Fault, ...],
        max_page: int = UNLIMITED,
        opens: Callable[[str], bool] | None = None,
    ) -> None:
        self.tenant = Tenant(snapshot)
        self.calls: list[Call] = []
        self._url = url
        self._authorization = f"Bearer {token}".encode()
        self._opens = opens
        self._page_size = page_size
        self._max_page = max_page
        self._faults = Faults(faults)
        self._date = snapshot.taken_at.strftime("%Y-%m-%dT%H:%M:%S")
        self._numbers = count()

    def answer(self, request: GraphRequest) -> Answer:
        """Return the answer to one HTTP request or to one member of a batch."""
        path, query = split(request.target)
        written = "&".join(f"{name}={value}" for name, value in query.items())
        agent = request.headers.get("user-agent", "")
        call = Call(request.method, f"{path}?{written}" if query else path, request.in_batch, agent)
        self.calls.append(call)
        if LOG.isEnabledFor(logging.INFO):
            LOG.info("%s", one_line(f"{call.method} {call.target}", LONGEST_LINE), extra={"call": call})
        number = uuid("request", next(self._numbers))
        ids = {
            "request-id": number,
            "client-request-id": request.headers.get("client-request-id", number),
        }
        fault = self._faults.strike(f"{call.method} {call.target}")
        try:
            self._admit(request, fault)
            answer = self._route(request, path, query, fault)
        except Refused as refused:
            body = refused.body({"date": self._date, **ids})
            answer = Answer(status=refused.status, body=body, headers=refused.headers)
        spoilt = _spoilt(answer, fault)
        return msgspec.structs.replace(spoilt, headers={**spoilt.headers, **ids})

    def _admit(self, request: GraphRequest, fault: Fault | None) -> None:
        got = request.headers.get("authorization", "")
        known = hmac.compare_digest(got.encode(), self._authorization) or (self._opens and self._opens(got))
        if not (request.in_batch or known):
            raise Refused(401)
        if fault and fault.kind == "status":
            raise Refused(fault.status, retry_after=fault.retry_after)

    def _route(self, request: GraphRequest, path: str, query: Mapping[str, str], fault: Fault | None) -> Answer:
        version, _, rest = path.strip("/").partition("/")
        if version not in ("v1.0", "beta"):
            raise Refused(400, f"Invalid version: {version}.")
        if rest == "$batch":
            return self._batch(request, version, fault)
        if request.method != "GET":
            raise Refused(405)
        asked = Asked(
            root=f"{self._url}/{version}",
            path=rest,
            query=options(query),
            eventual=request.headers.get("consistencylevel", "").lower() == "eventual",
        )
        if rest.endswith("/$count"):
            return self._count(version, rest.removesuffix("/$count"), asked, fault)
        table = self.tenant.table(version, rest)
        if table is None:
            return self._entity(asked)
        return Answer(
            body=page(asked, table, size=self._page_size, limit=self._max_page, fault=fault.kind if fault else None)
        )

    def _count(self, version: str, path: str, asked: Asked, fault: Fault | None) -> Answer:
        table = self.tenant.table(version, path)
        if table is None:
            raise Refused(404, f"Resource '{path}' does not exist.")
        if table.advanced and not asked.eventual:
            raise unsupported(
                "Raw count (/$count) is not supported because the 'ConsistencyLevel:eventual' header is missing."
            )
        number = total(chosen(table, asked.query, eventual=True), fault.kind if fault else None)
        return Answer(body=str(number), content_type="text/plain")

    def _entity(self, asked: Asked) -> Answer:
        found = self.tenant.service_principal(asked.path)
        if found is None:
            raise Refused(404, f"Resource '{asked.path}' does not exist.")
        context = f"{asked.root}/$metadata#servicePrincipals{selected(asked.query)}/$entity"
        (entity,) = select([found], "servicePrincipal", asked)
        return Answer(body={"@odata.context": context, **entity})

    def _batch(self, request: GraphRequest, version: str, fault: Fault | None) -> Answer:
        """Answer the members one by one; the order of the answers is not that of the members, as with Graph."""
        if request.in_batch or request.method != "POST":
            raise Refused(405)
        agent = {"user-agent": request.headers.get("user-agent", "")}
        responses: list[Json] = []
        for member in _members(request.body):
            answer = self.answer(
                GraphRequest(
                    method=member.method.upper(),
                    target=f"/{version}/{member.url.lstrip('/')}",
                    headers={name.lower(): value for name, value in member.headers.items()} | agent,
                    in_batch=True,
                )
            )
            if answer.broken:
                return answer
            responses.append(
                {
                    "id": member.id,
                    "status": answer.status,
                    "headers": {**answer.headers, "Content-Type": answer.content_type},
                    "body": _embedded(answer),
                }
            )
        if fault and fault.kind == "out-of-order":
            return Answer(body={"responses": responses[::-1]})
        return Answer(body={"responses": sorted(responses, key=lambda r: uuid("order", r["id"]))})


def _members(body: bytes) -> list[_Member]:
    """Return the members of a batch.

    Raises:
        Refused: no batch, none or more than 20 members, an id twice, or an absolute URL.
    """
    try:
        members = msgspec.json.decode(body, type=_Batch).requests
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"Invalid batch payload format: {error}.") from None
    if not 1 <= len(members) <= MAX_BATCH:
        raise Refused(400, f"A batch has 1 to {MAX_BATCH} requests, not {len(members)}.")
    if len({member.id.lower() for member in members}) < len(members):
        raise Refused(400, "Request Id has to be unique in a batch.")
    if any("://" in member.url.partition("?")[0] for member in members):
        raise Refused(400, "The URL of a request in a batch has to be relative.")
    return members


def _embedded(answer: Answer) -> object:
    """Return a member's body: JSON as it is, anything else in base64."""
    return answer.body if answer.content_type == _JSON else base64.b64encode(answer.encoded()).decode()


def _spoilt(answer: Answer, fault: Fault | None) -> Answer:
    match fault.kind if fault else "":
        case "cut-json":
            text = answer.encoded().decode()
            return msgspec.structs.replace(answer, body=text[: len(text) // 2])
        case "not-json":
            return msgspec.structs.replace(answer, status=200, body=_HTML, content_type="text/html")
        case "reset" | "timeout" as broken:
            return msgspec.structs.replace(answer, broken=broken)
        case _:
            return answer
