"""The fault matrix: every collection x every fault, on each of the roads that it is read by.

A cell holds when the snapshot is the fault-free one, or every collection that differs is Partial or Unavailable, stands
so in the ledger, and nothing passes that its rows could overturn.

A lie is told on one road at a time. A Graph that leaves out the same row on both roads, or counts short and pages short
alike, cannot be found out by any reader, so no cell claims it; the two logs have one road only, and there a feature
that is switched off strikes all their calls.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any, get_args

import openpyxl
import pytest
from junitparser import JUnitXml
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from auditor.cli.summary import print_summary
from auditor.engine.audit import exit_code
from auditor.engine.completeness import GRANT_COLLECTIONS
from auditor.engine.facts import FACTS
from auditor.errors import ExitCode
from auditor.graph.reader import BUDGET
from auditor.knowledge.outline import AppOutline, ScopeOutline
from auditor.model.directory import GrantEvent
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Outcome, Passed, Severity
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    TENANT_COLLECTIONS,
    Collected,
    Complete,
    Partial,
    Snapshot,
    Unavailable,
    client_collections,
    items,
    tenant_collections,
)
from auditor.reporters import reporters
from auditor.simulator.fault import Fault, FaultKind, Faults
from auditor.simulator.graph import Answer, Graph, GraphRequest
from auditor.sources.snapshot_file import encode
from tests.engine.world import PERSONAL, ROOMS, app, judged, rulebook, team, tenant
from tests.workflow.rehearsal import OPTIONS, START, Clock, graph_of, rehearsed, run

MAX_PAGE = 2
PERSON = "00000000-0000-4000-8000-00000000000{}"
LOGS = {"signInActivity": "servicePrincipalSignInActivities", "grantEvents": "directoryAudits"}
LISTING = ("servicePrincipals", "")
CONTEXT = {"enabledMembers", "grantEvents"}
"""No fact is read from them: they are shown, and nothing is judged by them."""


@cache
def world() -> Snapshot:
    """Return a tenant in which everything of the struck app that can have pages has three."""
    struck = app(
        "Calendars.ReadWrite",
        "Calendars.Read",
        "Mail.ReadWrite",
        "exchange/full_access_as_app",
        f"graph/{PERSON.format(9)}",
        app_id=PERSONAL,
        scopes=(
            ScopeOutline(scope="openid User.Read"),
            *(ScopeOutline(scope="Calendars.ReadWrite", principal=PERSON.format(number)) for number in range(4)),
        ),
        owners=tuple(f"person{number}@contoso.example" for number in range(5)),
        directory_roles=("Directory Readers",),
        groups=tuple(f"Sample group {number}" for number in range(4)),
        granted_by="admin@contoso.example",
    )
    quiet = app("Calendars.ReadWrite", "User.Read.All", app_id=ROOMS, last_sign_in=None)
    ordinary = AppOutline(
        app_id=PERSON.format(8),
        name="Fabrikam Signatures (sample)",
        owner_tenant=PERSON.format(7),
        service_principal={
            "publisherName": "Fabrikam (sample)",
            "replyUrls": ["https://fabrikam.example/in"],
            "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        },
    )
    made = tenant(struck, quiet, other_service_principals=(ordinary,))
    first, *rest = made.clients
    return replace(made, clients=(replace(first, grant_events=_spread(first.grant_events)), *rest))


def _spread(events: Collected[GrantEvent]) -> Collected[GrantEvent]:
    """Return five records, a day apart."""
    days = ((event, START - timedelta(days=number + 3)) for number, event in enumerate(items(events)[:5]))
    return Complete(items=tuple(replace(event, activity_date_time=when) for event, when in days))


@cache
def struck_id() -> str:
    """Return the object id of the app that is struck."""
    return world().clients[0].service_principal.id


class Road(Struct, frozen=True, kw_only=True):
    """One way to a collection."""

    collection: str
    name: str
    match: str
    """Regular expression over the calls."""
    paged: bool = False
    """It has several pages."""
    untouched: frozenset[FaultKind] = frozenset()
    """Faults of paging that find nothing to spoil."""


NO_LIST: frozenset[FaultKind] = frozenset(
    {
        "empty-page",
        "repeated-next-link",
        "foreign-next-link",
        "missing-last-page",
        "moved-row",
        "wrong-count",
        "feature-off",
    }
)
"""One object by its id is no collection: no page, link or count."""
ONE_ROW: frozenset[FaultKind] = frozenset({"missing-last-page", "moved-row"})
"""The only row there can be: no other page that could be lost, and no row that could move."""
FIRST_ROW: frozenset[FaultKind] = frozenset({"missing-last-page"})
"""Only the first row of many is asked for, so the last page is far."""


@cache
def roads() -> tuple[Road, ...]:
    """Return every call that a collection hangs on."""
    own = f"/servicePrincipals/{struck_id()}"
    graph = items(world().resources)[0].id
    log, report = r"directoryAudits\?", r"SignInActivities\?"
    return (
        Road(collection="organization", name="main", match="/v1.0/organization", untouched=ONE_ROW),
        Road(collection="enabledMembers", name="main", match="/v1.0/users", untouched=FIRST_ROW),
        Road(collection="enabledMembers", name="again", match="/beta/users", untouched=FIRST_ROW),
        Road(collection="servicePrincipals", name="main", match=r"/v1.0/servicePrincipals\?", paged=True),
        Road(collection="servicePrincipals", name="beta", match=r"/beta/servicePrincipals\?", paged=True),
        Road(collection="resources", name="main", match=rf"/{graph}\?", untouched=NO_LIST),
        Road(collection="appRoleAssignments", name="main", match=f"{own}/appRoleAssignments", paged=True),
        Road(collection="appRoleAssignments", name="resource", match=f"{graph}/appRoleAssignedTo", paged=True),
        Road(collection="oauth2PermissionGrants", name="main", match=f"{own}/oauth2PermissionGrants", paged=True),
        Road(
            collection="oauth2PermissionGrants",
            name="tenant",
            match=rf"v1.0/oauth2PermissionGrants\?.*{struck_id()}",
            paged=True,
        ),
        Road(collection="owners", name="main", match=rf"{own}/owners\?\$select", paged=True),
        Road(collection="owners", name="count", match=rf"{own}/owners\?\$count", untouched=FIRST_ROW),
        Road(collection="memberOf", name="main", match=rf"{own}/transitiveMemberOf\?\$select", paged=True),
        Road(collection="memberOf", name="count", match=rf"{own}/transitiveMemberOf\?\$count", untouched=FIRST_ROW),
        Road(
            collection="signInActivity",
            name="main",
            match=rf"{report}\$filter=appId eq '{PERSONAL}'",
            untouched=ONE_ROW,
        ),
        Road(collection="signInActivity", name="any", match=rf"{report}\$top", untouched=ONE_ROW),
        Road(
            collection="grantEvents", name="main", match=rf"{log}\$filter=[^&]*{struck_id()}'\)(&\$skip|$)", paged=True
        ),
        Road(
            collection="grantEvents",
            name="first",
            match=rf"{log}\$filter=[^&]*{struck_id()}'\)&\$orderby",
            untouched=FIRST_ROW,
        ),
        Road(collection="grantEvents", name="oldest", match=rf"{log}\$orderby", untouched=FIRST_ROW),
    )


STATUSES = (401, 403, 404, 410, 429, 500, 502, 503, 504, 507)
BROKEN: tuple[FaultKind, ...] = ("timeout", "reset", "cut-json", "not-json")
FOR_EVER: dict[str, dict[str, Any]] = {
    **{str(status): {"status": status, "times": 0} for status in STATUSES},
    **{kind: {"kind": kind, "times": 0} for kind in BROKEN},
}
PASSING: dict[str, dict[str, Any]] = {
    **{f"{status} once": {"status": status} for status in STATUSES[4:]},
    **{f"429 once, after {wait} s": {"status": 429, "retry_after": wait} for wait in ("2.128", "200")},
    **{f"{kind} once": {"kind": kind} for kind in BROKEN},
}
PAGING: dict[str, dict[str, Any]] = {
    "empty-page": {"kind": "empty-page"},
    "repeated-next-link": {"kind": "repeated-next-link", "times": 0},
    "foreign-next-link": {"kind": "foreign-next-link"},
    "missing-last-page": {"kind": "missing-last-page", "times": 0},
    "moved-row": {"kind": "moved-row"},
    "wrong-count": {"kind": "wrong-count"},
    "feature-off": {"kind": "feature-off", "times": 0},
}


class Cell(Struct, frozen=True, kw_only=True):
    """One collection, one road, one fault."""

    road: Road
    fault: str
    wrong: Fault
    bites: bool = True
    """There is something for it to spoil."""
    passes: bool = False
    """It is over before the reader gives up, so nothing may be missing."""
    blinds: bool = False
    """Nobody can read the collection as long as it lasts."""

    def __str__(self) -> str:
        return f"{self.road.collection}-{self.road.name}-{self.fault}".replace(" ", "-")


def cells() -> Iterator[Cell]:
    """Give every cell of the matrix."""
    for road in roads():
        yield from _first(road)
        if road.paged:
            yield from _later(road)
    for log, path in LOGS.items():
        everywhere = Road(collection=log, name="all", match=path)
        yield Cell(road=everywhere, fault="feature-off", wrong=_fault(everywhere, PAGING["feature-off"]), blinds=True)
    for version in ("v1.0", "beta"):
        batch = Road(collection="batch", name=version, match=f"POST /{version}/$batch")
        yield from _calls(batch)
        yield _renewed(batch)
        yield Cell(
            road=batch, fault="out-of-order", wrong=_fault(batch, {"kind": "out-of-order", "times": 0}), passes=True
        )


def _fault(road: Road, how: dict[str, Any], after: int = 0) -> Fault:
    return Fault(match=road.match, after=after, **how)


def _calls(road: Road, after: int = 0, prefix: str = "") -> Iterator[Cell]:
    blinds = road.name == "main"
    for name, how in FOR_EVER.items():
        yield Cell(road=road, fault=prefix + name, wrong=_fault(road, how, after), blinds=blinds)
    for name, how in PASSING.items():
        yield Cell(road=road, fault=prefix + name, wrong=_fault(road, how, after), passes=True)


def _renewed(road: Road, after: int = 0, prefix: str = "") -> Cell:
    """Return the cell of a token that ends in the middle: a request of its own is sent again with a new one."""
    return Cell(road=road, fault=f"{prefix}401 once", wrong=_fault(road, {"status": 401}, after), passes=True)


def _first(road: Road) -> Iterator[Cell]:
    yield from _calls(road)
    for name, how in PAGING.items():
        kind = how["kind"]
        if kind == "feature-off" and road.collection in LOGS and road.name == "main":
            continue
        yield Cell(
            road=road,
            fault=name,
            wrong=_fault(road, how),
            bites=kind not in road.untouched,
            passes=kind == "empty-page" and road.paged,
        )


def _later(road: Road) -> Iterator[Cell]:
    yield from _calls(road, 1, "page 2: ")
    yield _renewed(road, 1, "page 2: ")
    for name, how in PAGING.items():
        if name == "feature-off" and road.collection in LOGS:
            continue
        yield Cell(road=road, fault=f"page 2: {name}", wrong=_fault(road, how, 1), passes=name == "empty-page")


CELLS = tuple(cells())


class Struck(Graph):
    """A Graph that knows how often its fault struck, and how often that changed an answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(world(), **{**OPTIONS, "max_page": MAX_PAGE, "faults": (fault,)})
        self.struck = self.bitten = 0
        self._plain = graph_of(world(), max_page=MAX_PAGE)
        self._plain.tenant = self.tenant
        self._faults = _Counted(fault, self)

    def answer(self, request: GraphRequest) -> Answer:
        before = self.struck
        answer = super().answer(request)
        if self.struck > before and request.method == "GET":
            plain = self._plain.answer(request)
            self.bitten += (answer.status, answer.body, answer.broken) != (plain.status, plain.body, plain.broken)
        return answer


class _Counted(Faults):
    def __init__(self, fault: Fault, graph: Struck) -> None:
        super().__init__((fault,))
        self._graph = graph

    def strike(self, call: str) -> Fault | None:
        fault = super().strike(call)
        self._graph.struck += fault is not None
        return fault


@cache
def clean() -> Snapshot:
    """Return what is read without a fault."""
    clock = Clock()
    return run(clock, rehearsed(graph_of(world(), max_page=MAX_PAGE), clock))


def plain(snapshot: Snapshot) -> bytes:
    """Return a snapshot's bytes without what tells of the way: faults overcome, pages, and the moment of its end."""

    def bare(collected: Collected[Any]) -> Collected[Any]:
        return collected if isinstance(collected, Unavailable) else replace(collected, faults=(), pages=1)

    changed = {name: bare(collected) for name, collected in _parts(snapshot)}
    clients = tuple(replace(c, **{name: bare(v) for name, v in _parts(c)}) for c in snapshot.clients)
    return encode(replace(snapshot, **changed, clients=clients, taken_at=START))


def _parts(holder: Any) -> list[tuple[str, Collected[Any]]]:
    values = ((name, getattr(holder, name)) for name in holder.__struct_fields__)
    return [(name, value) for name, value in values if isinstance(value, Complete | Partial | Unavailable)]


def collections(snapshot: Snapshot) -> dict[tuple[str, str], Collected[Any]]:
    """Return every collection by its name and its app's id, empty for the tenant's."""
    found = {(name, ""): tenant_collections(snapshot)[name] for name in TENANT_COLLECTIONS}
    for client in snapshot.clients:
        own = client.service_principal.app_id
        found.update({(name, own): collected for name, collected in client_collections(client).items()})
    return found


FAST = 8
"""Every cell of this many is tried each time, the others by `make test-slow`."""


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=str(cell), marks=[] if number % FAST == 0 else [pytest.mark.slow])
        for number, cell in enumerate(CELLS)
    ],
)
def test_a_fault_is_overcome_or_owned_up_to(cell: Cell) -> None:
    """The snapshot is the fault-free one, or what differs is not Complete and nothing is passed on its account."""
    clock, graph = Clock(), Struck(cell.wrong)
    found = run(clock, rehearsed(graph, clock))
    assert graph.struck, "the fault met no call"
    assert bool(graph.bitten) == cell.bites or cell.road.collection == "batch"
    assert clock.seconds <= BUDGET
    gaps = differences(found, cell)
    if cell.passes or not cell.bites:
        assert not gaps
    if cell.blinds and cell.road.collection != "batch":
        whose = PERSONAL if cell.road.collection in CLIENT_COLLECTIONS else ""
        assert (cell.road.collection, whose) in gaps
    if gaps:
        check_judgement(found, gaps)


def differences(found: Snapshot, cell: Cell) -> set[tuple[str, str]]:
    """Return the collections that are not Complete; every other one must be that of the fault-free run."""
    before, after = collections(clean()), collections(found)
    gaps = {key for key, collected in after.items() if not isinstance(collected, Complete)}
    if cell.road.name == "oldest":
        # How far back the log reaches is told as far as it was seen: never further than it does.
        assert found.audit_log_since is None or found.audit_log_since >= (clean().audit_log_since or START)
        found = replace(found, audit_log_since=clean().audit_log_since)
    if not gaps:
        assert plain(found) == plain(clean())
    if LISTING not in gaps:
        assert after.keys() == before.keys()
    for key, collected in after.items():
        if key in gaps and key[0] != "enabledMembers":
            assert ids(collected) <= ids(before[key])
        elif key == ("resources", "") and {name for name, _ in gaps} & {*GRANT_COLLECTIONS, LISTING[0]}:
            # They are those of the grants that were read; which grants may be missing is said of the grants.
            assert ids(collected) <= ids(before[key])
        elif key not in gaps:
            assert items(collected) == items(before[key])
    return gaps


def ids(collected: Collected[Any]) -> set[str]:
    """Return what tells the items from each other."""
    return {getattr(item, "id", "") or item.app_id for item in items(collected)}


@cache
def judged_clean() -> AuditResult:
    """Return the audit of the fault-free snapshot, which is complete."""
    result = judged(clean(), team())
    assert result.complete
    return result


@cache
def passed_without(name: str, *, all_: bool) -> frozenset[tuple[object, ...]]:
    """Return what passes where nothing is known of a collection, or (`all_`) where there may be more than there is."""

    def cut(collected: Collected[Any]) -> Collected[Any]:
        return Partial(items=items(collected), why="sample") if all_ else Unavailable(why="sample")

    field = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    if name in TENANT_COLLECTIONS:
        changed = replace(clean(), **{field: cut(getattr(clean(), field))})
        if name == "organization" and not all_:
            changed = replace(changed, tenant_id="")
    else:
        changed = replace(
            clean(), clients=tuple(replace(c, **{field: cut(getattr(c, field))}) for c in clean().clients)
        )
    return passed(judged(changed, team()))


def passed(result: AuditResult) -> frozenset[tuple[object, ...]]:
    """Return the rule and the subject of everything that passed."""
    return frozenset((o.rule_id, o.subject) for o in result.outcomes if isinstance(o, Passed))


NEEDS = {rule.id: {name for fact in rule.facts for name in FACTS[fact].collections} for rule in rulebook().rules}
"""Which collections each rule hangs on, by its facts."""


def check_judgement(found: Snapshot, gaps: set[tuple[str, str]]) -> None:
    """Each gap stands in the ledger, nothing passes on its account, and what it leaves open is INCOMPLETE."""
    result = judged(found, team())
    assert passed(result) <= passed(judged_clean())
    lines = {(entry.collection, entry.app_id): entry for entry in result.ledger}
    for name, app_id in sorted(gaps):
        line = lines[name, app_id]
        assert line.state in ("partial", "unavailable")
        assert line.why
        needing = [o for o in result.outcomes if name in NEEDS[o.rule_id] and app_id in ("", o.subject.app_id)]
        for outcome in needing:
            check_outcome(outcome, name, partial=line.state == "partial")
        unjudged = any(isinstance(outcome, NotEvaluated) and name in outcome.collections for outcome in needing)
        if name in {*GRANT_COLLECTIONS, LISTING[0]} or (name not in CONTEXT and line.state == "unavailable"):
            assert unjudged
        if unjudged:
            assert not result.complete
            assert exit_code(result, Severity.HIGH) == ExitCode.INCOMPLETE
        if name in CONTEXT:
            assert not needing


def check_outcome(outcome: Outcome, name: str, *, partial: bool) -> None:
    """A rule that hangs on a gap is not evaluated, or what was read decides it whatever else there may be."""
    if isinstance(outcome, Passed):
        assert (outcome.rule_id, outcome.subject) in passed_without(name, all_=partial), outcome
    else:
        assert isinstance(outcome, NotEvaluated | Finding)


def blind(collection: str) -> Snapshot:
    """Return what is read where one collection is refused."""
    road = next(road for road in roads() if (road.collection, road.name) == (collection, "main"))
    clock, graph = Clock(), Struck(Fault(match=road.match, status=403, times=0))
    return run(clock, rehearsed(graph, clock))


@pytest.mark.parametrize("collection", [*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS])
def test_every_format_says_incomplete(collection: str) -> None:
    """What is judged by: the word stands in the head of each format and on the terminal; audit.json says false.

    What is context only stands in the ledgers, with the reason.
    """
    result = judged(blind(collection), team())
    files = {name: data for reporter in reporters().values() for name, data in reporter.render(result).items()}
    console = Console(file=io.StringIO(), width=200)
    print_summary(result, (), console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    page, md, sarif = files["report.html"].decode(), files["report.md"].decode(), json.loads(files["report.sarif"])
    book = openpyxl.load_workbook(io.BytesIO(files["report.xlsx"]))
    told = {
        "html": "INCOMPLETE" in page.partition("</title>")[0],
        "csv": b"INCOMPLETE" in files["findings.csv"],
        "frameworks": b"INCOMPLETE" in files["frameworks.html"].partition(b"</title>")[0],
        "frameworks.csv": b"INCOMPLETE" in files["frameworks.csv"],
        "json": not json.loads(files["audit.json"])["complete"],
        "junit": JUnitXml.fromstring(files["junit.xml"].decode()).errors > 0 and b'"INCOMPLETE"' in files["junit.xml"],
        "md": md.startswith("# INCOMPLETE: "),
        "sarif": not sarif["runs"][0]["invocations"][0]["executionSuccessful"],
        "xlsx": "INCOMPLETE" in book.worksheets[0]["B2"].value,
        "terminal": "INCOMPLETE" in said,
    }
    assert set(told.values()) == {collection not in CONTEXT}, told
    assert reporters().keys() <= told.keys()
    ledger = json.dumps([[cell.value for cell in row] for row in book["Ledger"]])
    for text in (page, md, ledger, files["audit.json"].decode(), files["report.sarif"].decode()):
        assert "HTTP 403" in text


def test_the_matrix_is_whole(record_property: Callable[[str, object], None]) -> None:
    """Every collection meets every fault, at least on its main road; how many cells there are is printed."""
    main = {(cell.road.collection, cell.fault) for cell in CELLS if cell.road.name == "main"}
    for collection in (*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS):
        for fault in (*FOR_EVER, *PASSING, *PAGING):
            lie_of_a_log = collection in LOGS and fault == "feature-off"
            assert (collection, fault) in main or lie_of_a_log, (collection, fault)
    of_writes = {"lost-answer", "stale"}  # On a read, without a write before, they are a reset and nothing at all.
    assert {cell.wrong.kind for cell in CELLS} == set(get_args(FaultKind)) - of_writes
    assert len({str(cell) for cell in CELLS}) == len(CELLS)
    spoilt = sum(cell.bites for cell in CELLS)
    record_property("cells", len(CELLS))
    print(  # noqa: T201 - pytest shows it with -rP or -s
        f"fault matrix: {len(CELLS)} cells, {spoilt} in which the fault had something to spoil"
    )
