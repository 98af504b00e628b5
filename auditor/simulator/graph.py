"""Microsoft Graph's answers to reads and writes: one call in, one answer out, without a network.

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
from auditor.graph.auth import claims
from auditor.model.snapshot import Snapshot
from auditor.simulator import writes
from auditor.simulator.bodies import uuid
from auditor.simulator.fault import Fault, Faults
from auditor.simulator.pages import UNLIMITED, Asked, chosen, options, page, select, selected, total
from auditor.simulator.query import Json, split
from auditor.simulator.refused import Refused, absent, unsupported
from auditor.simulator.state import state_of
from auditor.simulator.table import Table
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

    @property
    def writes(self) -> bool:
        """Tell whether it asks for a change; a batch asks for none, its members may."""
        return self.method != "GET" and not (self.method == "POST" and self.target.endswith("/$batch"))


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
    """Empty where there is no body."""
    broken: str = ""
    """`reset` or `timeout`: the connection fails instead."""

    def encoded(self) -> bytes:
        """Return the body's bytes; a surrogate that stands alone goes out as JSON's escape for it."""
        if isinstance(self.body, str):
            return self.body.encode()
        if not self.content_type:
            return b""
        try:
            return msgspec.json.encode(self.body)
        except UnicodeEncodeError:
            return json.dumps(self.body).encode()


class _Member(Struct, frozen=True, kw_only=True):
    id: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw(b"")


class _Batch(Struct, frozen=True, kw_only=True):
    requests: list[_Member]


class Graph:
    """One tenant that answers.

    Args:
        snapshot: what the tenant holds.
        url: scheme, host and port that it is reached under; nextLinks begin with it.
        token: the bearer token that it takes.
        write_token: another that it takes; what a token says of its permissions decides what it may write.
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
        write_token: str = "",
    ) -> None:
        self.tenant = self._before = Tenant(state_of(snapshot))
        self.calls: list[Call] = []
        self._url = url
        self._tokens = [f"Bearer {known}".encode() for known in (token, write_token) if known]
        self._opens = opens
        self._page_size = page_size
        self._max_page = max_page
        self._faults = Faults(faults)
        self._date = snapshot.taken_at.strftime("%Y-%m-%dT%H:%M:%S")
        self._numbers = count()

    @property
    def snapshot(self) -> Snapshot:
        """The tenant as the writes so far have left it."""
        return self.tenant.state.snapshot

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
            if fault and fault.kind in ("reset", "timeout"):
                return Answer(body=None, broken=fault.kind)
            answer = self._route(request, path, query, fault)
        except Refused as refused:
            body = refused.body({"date": self._date, **ids})
            answer = Answer(status=refused.status, body=body, headers=refused.headers)
        spoilt = _spoilt(answer, fault)
        return msgspec.structs.replace(spoilt, headers={**spoilt.headers, **ids})

    def _admit(self, request: GraphRequest, fault: Fault | None) -> None:
        got = request.headers.get("authorization", "")
        known = any(hmac.compare_digest(got.encode(), token) for token in self._tokens)
        known = known or bool(self._opens and self._opens(got))
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
            return self._write(request, version, rest)
        tenant = self._before if fault and fault.kind == "stale" else self.tenant
        asked = Asked(
            root=f"{self._url}/{version}",
            path=rest,
            query=options(query),
            eventual=request.headers.get("consistencylevel", "").lower() == "eventual",
        )
        if rest.endswith("/$count"):
            return self._count(tenant.table(version, rest.removesuffix("/$count")), asked, fault)
        table = tenant.table(version, rest)
        if table is None:
            return _entity(tenant, version, asked)
        return Answer(
            body=page(asked, table, size=self._page_size, limit=self._max_page, fault=fault.kind if fault else None)
        )

    def _count(self, table: Table | None, asked: Asked, fault: Fault | None) -> Answer:
        if table is None:
            raise absent(asked.path)
        if table.advanced and not asked.eventual:
            raise unsupported(
                "Raw count (/$count) is not supported because the 'ConsistencyLevel:eventual' header is missing."
            )
        number = total(chosen(table, asked.query, eventual=True), fault.kind if fault else None)
        return Answer(body=str(number), content_type="text/plain")

    def _write(self, request: GraphRequest, version: str, path: str) -> Answer:
        """Carry a write out: what it names has to be there, and the token has to carry its permission."""
        place = writes.place(request.method, path)
        if place is None:
            raise Refused(405)
        who = claims(request.headers.get("authorization", "").removeprefix("Bearer "))
        writes.require_permission(who, place.write)
        self._require(version, place)
        if request.method != "DELETE":
            writes.require_json(request.headers.get("content-type", ""))
        order = writes.Order(
            place=place,
            owner=self.tenant.key(place.owner),
            body=request.body,
            actor=who.upn or who.app_displayname or who.appid,
        )
        state, made = writes.carried_out(self.tenant.state, order)
        self._before, self.tenant = self.tenant, Tenant(state, self.tenant)
        if made is None:
            return Answer(status=204, body=None, content_type="")
        context = f"{self._url}/{version}/$metadata#{path}/$entity"
        return Answer(status=201, body={"@odata.context": context, **made})

    def _require(self, version: str, place: writes.Place) -> None:
        """Refuse a write whose path names what is not there, or what may not be read.

        Raises:
            Refused: as said.
        """
        if not place.collection:
            if self.tenant.service_principal(place.owner) is None:
                raise absent(self.tenant.key(place.owner))
            return
        if self.tenant.table(version, place.collection) is None:
            raise absent(self.tenant.key(place.owner))
        if place.id and self.tenant.item(version, f"{place.collection}/{place.id}") is None:
            raise absent(place.id)

    def _batch(self, request: GraphRequest, version: str, fault: Fault | None) -> Answer:
        """Answer the members one by one; the order of the answers is not that of the members, as with Graph."""
        if request.in_batch or request.method != "POST":
            raise Refused(405)
        whose = {name: request.headers.get(name, "") for name in ("user-agent", "authorization")}
        responses: list[Json] = []
        for member in _members(request.body):
            answer = self.answer(
                GraphRequest(
                    method=member.method.upper(),
                    target=f"/{version}/{member.url.lstrip('/')}",
                    headers={name.lower(): value for name, value in member.headers.items()} | whose,
                    body=bytes(member.body),
                    in_batch=True,
                )
            )
            if answer.broken:
                return answer
            responses.append(
                {
                    "id": member.id,
                    "status": answer.status,
                    "headers": {**answer.headers, **_type(answer)},
                    "body": _embedded(answer),
                }
            )
        if fault and fault.kind == "out-of-order":
            return Answer(body={"responses": responses[::-1]})
        return Answer(body={"responses": sorted(responses, key=lambda r: uuid("order", r["id"]))})


def _entity(tenant: Tenant, version: str, asked: Asked) -> Answer:
    """Answer with one object.

    Raises:
        Refused: there is none, or it may not be read.
    """
    found = tenant.item(version, asked.path)
    collection, name = asked.path.rpartition("/")[0], asked.path
    if found is None:
        app = tenant.service_principal(asked.path)
        if app is None:
            raise absent(name)
        found, collection = ("servicePrincipal", app), "servicePrincipals"
    context = f"{asked.root}/$metadata#{collection}{selected(asked.query)}/$entity"
    (entity,) = select([found[1]], found[0], asked)
    return Answer(body={"@odata.context": context, **entity})


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


def _type(answer: Answer) -> dict[str, str]:
    return {"Content-Type": answer.content_type} if answer.content_type else {}


def _embedded(answer: Answer) -> object:
    """Return a member's body: JSON as it is, null for none, anything else in base64."""
    return answer.body if answer.content_type in ("", _JSON) else base64.b64encode(answer.encoded()).decode()


def _spoilt(answer: Answer, fault: Fault | None) -> Answer:
    match fault.kind if fault else "":
        case "cut-json" if answer.content_type:
            text = answer.encoded().decode()
            return msgspec.structs.replace(answer, body=text[: len(text) // 2])
        case "not-json":
            return msgspec.structs.replace(answer, status=200, body=_HTML, content_type="text/html")
        case "lost-answer":
            return msgspec.structs.replace(answer, broken="reset")
        case _:
            return answer
