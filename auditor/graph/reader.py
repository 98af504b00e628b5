"""Reading: whole collections, page by page and many at once, with every way in which they stay incomplete.

A first page comes in a $batch of up to 20 (one round trip for all), later pages by their nextLink. What fails
is sent again, at most 8 times for a page and 10 minutes for a collection, and never sooner than the server asks.
What cannot be had becomes Unavailable or Partial with the reason, and never an empty collection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from auditor.graph.answer import RETRIED, Answer, json_answer, one_line
from auditor.graph.client import LOG, UNAUTHORIZED, GraphClient
from auditor.graph.endpoints import P1, Endpoint, Version
from auditor.model.snapshot import Collected, Complete, Partial, Unavailable
from auditor.model.text import count

TRIES = 8
BUDGET = 600.0
"""Seconds for one collection, from its first request."""
PAGES = 10_000
BATCH_SIZE = 20
"""Graph's limit."""
LONGEST_BACKOFF = 60.0
"""Seconds."""
_NO_PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"


class Call(Struct, frozen=True, kw_only=True):
    """One collection to read."""

    endpoint: Endpoint
    id: str = ""
    decode: Callable[[object], object]
    """Raises msgspec.ValidationError for an item that is not accepted."""
    aside: Callable[[object], bool] = lambda _value: False
    """Tells of an item, as it came, that it is none of those wanted."""


class _Job:
    """A call on its way: what has come so far, and what went wrong."""

    def __init__(self, call: Call, url: str, deadline: float) -> None:
        self.call = call
        self.deadline = deadline
        self.absent = False
        """The cloud does not have it, so it is not asked for."""
        self.links = {url}
        self.tries = 0
        self.answer = Answer(status=0)
        self.items: list[object] = []
        self.pages = 0
        self.faults: list[str] = []
        self.rejected: list[str] = []
        self.aside = 0
        """Items that are none of those wanted."""
        self.counted: object = None
        """What the first page says of the number of items; None when it says nothing."""
        self.why = ""
        """Why it is not complete; empty as long as nothing says so."""

    def take(self) -> str | None:
        """Take the page that came, and return the link to the next one; None at the end."""
        body = self.answer.body
        assert isinstance(body, Mapping)  # noqa: S101 - what a successful Answer holds
        self.pages += 1
        if self.call.endpoint.single:
            self._decode([body])
            return None
        values = body.get("value")
        if self.pages == 1:
            self.counted = body.get("@odata.count")
        if not isinstance(values, list):
            self.why = f"page {self.pages} carries no list of values"
            return None
        self._decode(values)
        link = body.get("@odata.nextLink")
        if link is None:
            return None
        if not isinstance(link, str) or link in self.links:
            self.why = f"page {self.pages} leads back to a page that was already read"
            return None
        self.links.add(link)
        return link

    def _decode(self, values: Iterable[object]) -> None:
        for value in values:
            if self.call.aside(value):
                self.aside += 1
                continue
            try:
                self.items.append(self.call.decode(value))
            except msgspec.ValidationError as error:
                self.rejected.append(str(error))

    def collected(self) -> Collected[Any]:
        """Return what came, and whether it is all."""
        faults = tuple(self.faults)
        if self.pages == 0:
            return _unavailable(self.answer, self.call.endpoint, faults)
        if self.aside:
            faults = (*faults, f"{count(self.aside, 'item')} of another kind left out")
        kept = tuple({getattr(item, "id", item): item for item in self.items}.values())
        if why := "; ".join(self._gaps(len(kept))):
            return Partial(items=kept, why=why, pages=self.pages, faults=faults)
        return Complete(items=kept, pages=self.pages, faults=faults)

    def _gaps(self, kept: int) -> Iterator[str]:
        """Give each reason for which something may be missing; `kept` items are distinct."""
        if self.why:
            yield self.why
        elif not self.answer.succeeded:
            yield f"page {self.pages + 1} could not be read: {self.answer.why}"
        if self.rejected:
            share = f"{len(self.rejected)} of {len(self.rejected) + len(self.items)} items"
            yield f"{share} in a shape that is not accepted ({self.rejected[0]})"
        if kept < len(self.items):
            yield f"{len(self.items) - kept} items came twice: the list changed while it was read"
        came = kept + len(self.rejected) + self.aside
        if self.counted is not None and self.counted != came:
            yield f"Microsoft Graph counts {one_line(str(self.counted), 20)} items, {came} came"


Send = Callable[[Sequence[_Job]], Awaitable[Sequence[Answer]]]


class Reader:
    """Reads collections from one tenant.

    Args:
        client: sends the requests.
        sleep: waits for seconds.
        clock: seconds from any start, growing.
        now: what dates in Retry-After are compared with.
        progress: told the number of requests after each one.
    """

    def __init__(
        self,
        client: GraphClient,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        progress: Callable[[int], None] = lambda _sent: None,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._clock = clock
        self.now = now
        self._progress = progress

    async def get_all(self, call: Call) -> Collected[Any]:
        """Return one collection, its first page by a request of its own.

        Raises:
            SignInError: no token, or Graph does not take it.
            GraphError: Graph was never reached.
        """
        job = self._job(call)
        if not job.absent:
            await self._follow(job, self._client.url(call.endpoint, call.id))
        return job.collected()

    async def get_many(self, calls: Sequence[Call]) -> tuple[Collected[Any], ...]:
        """Return collections in the order of `calls`: first pages by $batch, both versions at the same time.

        Raises:
            SignInError: no token, or Graph does not take it.
            GraphError: Graph was never reached.
        """
        jobs = [self._job(call) for call in calls]
        versions: dict[Version, list[_Job]] = {}
        for job in jobs:
            if not job.absent:
                versions.setdefault(job.call.endpoint.version, []).append(job)
        await asyncio.gather(*(self._many(version, members) for version, members in versions.items()))
        return tuple(job.collected() for job in jobs)

    def _job(self, call: Call) -> _Job:
        job = _Job(call, self._client.url(call.endpoint, call.id), self._clock() + BUDGET)
        cloud = self._client.connection.cloud
        if call.endpoint.clouds and cloud.name not in call.endpoint.clouds:
            job.absent = True
            job.answer = Answer(status=0, message=f"Microsoft Graph has no such report in the cloud {cloud.name}")
        return job

    async def _many(self, version: Version, jobs: Sequence[_Job]) -> None:
        async def send(members: Sequence[_Job]) -> Sequence[Answer]:
            starts = range(0, len(members), BATCH_SIZE)
            parts = await asyncio.gather(
                *(self._batch(version, members[start : start + BATCH_SIZE]) for start in starts)
            )
            return [answer for part in parts for answer in part]

        await self._settle(jobs, send)
        await asyncio.gather(*(self._follow(job, job.take()) for job in jobs if job.answer.succeeded))

    async def _batch(self, version: Version, jobs: Sequence[_Job]) -> Sequence[Answer]:
        """Send one $batch and return its members' answers, told by their ids, in the order of `jobs`."""
        requests = [
            {
                "id": str(number),
                "method": job.call.endpoint.method,
                "url": job.call.endpoint.target(job.call.id),
                **({"headers": dict(job.call.endpoint.headers)} if job.call.endpoint.headers else {}),
            }
            for number, job in enumerate(jobs)
        ]
        whole = await self._client.post_batch(version, msgspec.json.encode({"requests": requests}))
        self._progress(self._client.sent)
        if not whole.succeeded:
            return [whole] * len(jobs)
        members = _members(whole.body, self.now())
        missing = Answer(status=0, message="the batch carries no answer to this request")
        return [members.get(str(number), missing) for number in range(len(jobs))]

    async def _follow(self, job: _Job, url: str | None) -> None:
        """Read the page at `url` and every one after it; None is the end."""
        endpoint = job.call.endpoint
        while url is not None:
            if job.pages >= PAGES:
                job.why = f"stopped after {PAGES} pages"
                return
            if not self._client.owns(url, endpoint.version):
                job.why = f"the link to page {job.pages + 1} leads to another host and was not followed"
                return
            here = url

            async def send(_jobs: Sequence[_Job], here: str = here) -> Sequence[Answer]:
                answer = await self._client.get(endpoint, here)
                self._progress(self._client.sent)
                return [answer]

            await self._settle([job], send)
            if not job.answer.succeeded:
                return
            url = job.take()

    async def _settle(self, jobs: Sequence[_Job], send: Send) -> None:
        """Send until every job has an answer that is not worth another try, or no time or tries are left."""
        for job in jobs:
            job.tries = 0
        pending = list(jobs)
        while pending:
            for job, answer in zip(pending, await send(pending), strict=True):
                job.answer = answer
                job.tries += 1
            waits = [(job, wait) for job in pending if (wait := self._wait(job)) is not None]
            pending = [job for job, _ in waits]
            if waits:
                await self._sleep(max(wait for _, wait in waits))

    def _wait(self, job: _Job) -> float | None:
        """Return the seconds until the job's request should be sent again; None when it should not."""
        answer = job.answer
        if answer.status not in RETRIED:
            return None
        backoff = min(2.0 ** (job.tries - 1), LONGEST_BACKOFF)
        wait = backoff if answer.retry_after is None else answer.retry_after
        if job.tries >= TRIES or self._clock() + wait > job.deadline:
            job.faults.append(f"{answer.why}; given up after {job.tries} tries")
            return None
        job.faults.append(f"{answer.why}; sent again after {wait:g} s")
        LOG.info("%s: %s", job.call.endpoint.path, job.faults[-1])
        return wait


def _members(body: object, now: datetime) -> dict[str, Answer]:
    """Return the answers of a batch by their ids; the first counts where an id comes twice."""
    responses = body.get("responses") if isinstance(body, Mapping) else None
    members: dict[str, Answer] = {}
    for response in responses if isinstance(responses, list) else ():
        if not isinstance(response, Mapping):
            continue
        status, headers = response.get("status"), response.get("headers")
        named = headers if isinstance(headers, Mapping) else {}
        wait = next((str(value) for name, value in named.items() if str(name).lower() == "retry-after"), None)
        if isinstance(status, int):
            members.setdefault(str(response.get("id")), json_answer(status, wait, response.get("body"), now))
    return members


def _unavailable(answer: Answer, endpoint: Endpoint, faults: tuple[str, ...]) -> Unavailable:
    """Return why nothing could be read, with the least permission or the licence that would open it."""
    opens = ""
    if answer.code == _NO_PREMIUM or "premium license" in answer.message.lower():
        opens = P1
    elif answer.status == UNAUTHORIZED:
        opens = "a new sign-in: Microsoft Graph refused the token"
    elif answer.status == 403:  # noqa: PLR2004 - HTTP's Forbidden
        opens = endpoint.application
    return Unavailable(why=answer.why, opens=opens, faults=faults)
