"""The doctor: signs in, asks what Graph answers, and says what an audit would leave unread and not evaluated.

The token's permissions are held against the table of calls. What a token claims is confirmed by the few calls that need
no app's id and bring little: they also show a role or a licence that is missing, which no token does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.engine.rules import CompiledRule
from auditor.errors import ExitCode, GraphError, SignInError
from auditor.graph import endpoints, wire
from auditor.graph.auth import Claims, Connection
from auditor.graph.clouds import Cloud
from auditor.graph.endpoints import ENDPOINTS, Endpoint
from auditor.graph.identity import (
    Kind,
    directory_roles,
    exists,
    held,
    kind,
    opener,
    require_read_only,
    writes,
)
from auditor.model.directory import Organization
from auditor.model.snapshot import Collected, Unavailable, items
from auditor.model.text import moment
from auditor.sources import Progress, silent
from auditor.workflow.gaps import rules_left, unread
from auditor.workflow.signing import Said

PROBES = (endpoints.ORGANIZATION, endpoints.ENABLED_MEMBERS, endpoints.OLDEST_AUDIT, endpoints.ANY_SIGN_IN)
"""The calls that are tried; each brings one row."""
State = Literal["held", "missing", "refused", "unknown"]
_WORST: tuple[State, ...] = ("missing", "refused", "unknown", "held")
Answers = Mapping[Endpoint, Collected[Any]]


class Bearer(Struct, frozen=True, kw_only=True):
    """What the token says of itself."""

    tenant_id: str
    app_id: str
    app_name: str
    object_id: str
    person: str
    """Who signed in; empty for an app of its own."""
    kind: Kind
    permissions: tuple[str, ...]
    """Of a person: at most these, and no further than the person's own roles."""
    directory_roles: tuple[str, ...]
    valid_until: str


class Row(Struct, frozen=True, kw_only=True):
    """One permission of the table of calls."""

    permission: str
    state: State
    """`refused`: the token carries it, and Graph does not answer."""
    by: tuple[str, ...] = ()
    """Other permissions that open the same calls."""
    why: str = ""
    collections: tuple[str, ...] = ()
    """What stays unread without it."""
    rules: tuple[str, ...] = ()
    """What stays not evaluated without it, for some app or for all."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What the doctor found."""

    schema: str = "entra-auditor/doctor"
    version: int = 1
    sign_in: tuple[Said, ...] = ()
    token: Bearer | None = None
    """None where none could be had."""
    tenant_id: str = ""
    """As Graph says it."""
    tenant_name: str = ""
    permissions: tuple[Row, ...] = ()
    not_in_cloud: tuple[str, ...] = ()
    """Collections that the tenant's cloud does not have."""
    unread: tuple[str, ...] = ()
    rules_left: tuple[str, ...] = ()
    rules: int = 0
    """How many rules there are."""
    warnings: tuple[str, ...] = ()
    error: str = ""
    """Why there is no sign-in, or why it is refused."""
    exit_code: int = 0
    """0: all there; 2: no sign-in, or refused; 3: an audit would be incomplete."""


class Trial(Struct, frozen=True, kw_only=True):
    """What a sign-in brought."""

    claims: Claims
    answers: Answers


def examine(
    connection: Connection,
    rules: Sequence[CompiledRule],
    *,
    sign_in: tuple[Said, ...] = (),
    tenant: str = "",
    strict: bool = False,
    progress: Progress = silent,
) -> Diagnosis:
    """Sign in, try Graph, and return what is found; a failure is part of it.

    Args:
        connection: how to reach Graph, and as whom.
        rules: those of the audit.
        sign_in: what the sign-in uses, to be shown.
        tenant: the tenant that was asked for: its id, a domain, or empty.
        strict: refuse an identity that could also write.
        progress: told of the requests.
    """
    found = Diagnosis(sign_in=sign_in, rules=len(rules))
    try:
        trial = try_sign_in(connection, progress)
        found = replace(diagnose(trial, rules, cloud=connection.cloud, tenant=tenant), sign_in=sign_in)
        if strict:
            require_read_only(trial.claims)
    except (SignInError, GraphError) as error:
        return replace(found, error=str(error), exit_code=int(error.exit_code))
    return found


def diagnose(trial: Trial, rules: Sequence[CompiledRule], *, cloud: Cloud, tenant: str = "") -> Diagnosis:
    """Return what a token and the answers to it say of an audit."""
    claims, answers = trial.claims, trial.answers
    there = [endpoint for endpoint in ENDPOINTS if endpoint.application and exists(endpoint, cloud)]
    absent = unread(endpoint for endpoint in ENDPOINTS if not exists(endpoint, cloud))
    organizations = items(answers[endpoints.ORGANIZATION])
    organization = organizations[0] if organizations else None
    rows = tuple(_rows(there, trial, rules))
    lost = {collection for row in rows for collection in row.collections} | set(absent)
    left = rules_left(rules, _felt(lost, claims))
    return Diagnosis(
        token=_bearer(claims),
        tenant_id=organization.id if organization else "",
        tenant_name=(organization.display_name or "") if organization else "",
        permissions=rows,
        not_in_cloud=absent,
        unread=tuple(sorted(lost)),
        rules_left=left,
        rules=len(rules),
        warnings=tuple(_warnings(claims, organization, tenant)),
        exit_code=int(ExitCode.INCOMPLETE if left else ExitCode.CLEAN),
    )


def try_sign_in(connection: Connection, progress: Progress = silent) -> Trial:
    """Sign in and ask Graph for the few rows that show what is open.

    Raises:
        SignInError: no token could be had, or Graph does not take it.
        GraphError: Microsoft Graph could not be reached.
    """
    return asyncio.run(_try(connection, progress))


async def _try(connection: Connection, progress: Progress) -> Trial:
    from auditor.graph.client import GraphClient
    from auditor.graph.reader import Call, Reader

    def call(endpoint: Endpoint) -> Call:
        organization = partial(wire.decode, type_=Organization)
        return Call(endpoint=endpoint, decode=organization if endpoint is endpoints.ORGANIZATION else _has_row)

    async with GraphClient(connection) as client:
        claims = await client.identify()
        reader = Reader(client, progress=lambda sent: progress("Microsoft Graph requests", sent, None))
        answers = await reader.get_many([call(endpoint) for endpoint in PROBES])
        client.require_taken()
    return Trial(claims=claims, answers=dict(zip(PROBES, answers, strict=True)))


def _has_row(body: object) -> bool:
    return isinstance(body, Mapping) and bool(body.get("value"))


def _rows(there: Sequence[Endpoint], trial: Trial, rules: Sequence[CompiledRule]) -> Iterable[Row]:
    """Yield a row for each permission of the table, in the table's order."""
    delegated = kind(trial.claims) == "delegated"
    calls: dict[str, list[Endpoint]] = {}
    for endpoint in there:
        calls.setdefault(endpoint.delegated if delegated else endpoint.application, []).append(endpoint)
    for permission, opened in calls.items():
        states = {endpoint: _state(endpoint, trial) for endpoint in opened}
        closed = [endpoint for endpoint, (state, _) in states.items() if state != "held"]
        openers = {opener(endpoint, trial.claims) for endpoint in opened} - {permission, ""}
        collections = unread(closed)
        yield Row(
            permission=permission,
            state=min((state for state, _ in states.values()), key=_WORST.index),
            by=tuple(sorted(openers)),
            why="; ".join(dict.fromkeys(why for _, why in states.values() if why)),
            collections=collections,
            rules=rules_left(rules, _felt(collections, trial.claims)),
        )


def _state(endpoint: Endpoint, trial: Trial) -> tuple[State, str]:
    """Return whether a call is open, and why it is not although the token carries the permission."""
    carried = opener(endpoint, trial.claims)
    answer = trial.answers.get(endpoint)
    if isinstance(answer, Unavailable):
        return ("refused", answer.why) if carried else ("missing", "")
    if answer is not None:
        if answer.items == (False,):
            return "refused", "Graph's answer holds no row: it is off, or cannot be seen"
        return "held", ""
    if carried:
        return "held", ""
    return ("unknown" if kind(trial.claims) == "unknown" else "missing"), ""


def _felt(collections: Iterable[str], claims: Claims) -> set[str]:
    """Return the collections that rules feel the lack of: a token names the tenant where the organization is unread."""
    return {name for name in collections if name != "organization" or not claims.tid}


def _bearer(claims: Claims) -> Bearer:
    end = moment(datetime.fromtimestamp(claims.exp, UTC)) if 0 < claims.exp < 2**35 else ""
    return Bearer(
        tenant_id=claims.tid,
        app_id=claims.appid,
        app_name=claims.app_displayname,
        object_id=claims.oid,
        person=claims.upn,
        kind=kind(claims),
        permissions=held(claims),
        directory_roles=directory_roles(claims),
        valid_until=end,
    )


def _warnings(claims: Claims, organization: Organization | None, tenant: str) -> Iterable[str]:
    if beyond := writes(claims):
        yield f"The identity could also write: {', '.join(beyond)}. An audit needs none of it."
    if kind(claims) == "unknown":
        yield "The token does not say what its bearer may do; only Graph's answers tell."
    known = {claims.tid.lower()} - {""}
    if organization:
        known |= {organization.id.lower(), *((domain.name or "").lower() for domain in organization.verified_domains)}
    if tenant and organization and tenant.lower() not in known:
        yield f"Graph answers for another tenant than {tenant}."
