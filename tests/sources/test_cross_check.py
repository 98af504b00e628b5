"""Two roads to the same rows: what one lacks is kept and named, and the collection is Partial."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.model.directory import AppRoleAssignment, GrantEvent, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.snapshot import Client, Collected, Complete, Partial, Snapshot, Unavailable, items
from auditor.simulator.graph import Graph
from auditor.sources import cross_check
from auditor.sources.cross_check import confirmed, counted, gap, one, reaches_back, same_count, switched_on
from tests.engine.world import PERSONAL, app, judged, tenant
from tests.workflow.rehearsal import OPTIONS, Clock, rehearsed, run

GONE = Unavailable(why="HTTP 403", opens="Application.Read.All", faults=("HTTP 403; given up",))


def whole(*rows: Any, faults: tuple[str, ...] = ()) -> Complete[Any]:
    return Complete(items=rows, pages=2, faults=faults)


def part(*rows: Any, why: str = "page 2 was lost") -> Partial[Any]:
    return Partial(items=rows, why=why, pages=1, faults=("HTTP 503",))


def on_two_roads(first: Collected[str], second: Collected[str]) -> Collected[str]:
    return confirmed(first, second, road="the other road", key=lambda row: row, name=lambda row: f"row {row}")


def test_the_same_rows_on_both_roads_are_complete() -> None:
    """In any order; the faults of both roads are told, the pages are those of the first."""
    found = on_two_roads(whole("a", "b", faults=("x",)), whole("b", "a", faults=("y",)))
    assert found == Complete(items=("a", "b"), pages=2, faults=("x", "y"))


def test_what_was_not_read_stays_so() -> None:
    """The second road cannot stand in for the first: it says less of each row."""
    assert on_two_roads(GONE, whole("a")) is GONE


def test_a_refused_second_road_confirms_nothing() -> None:
    """All rows, Partial, with the reason and what was tried."""
    found = on_two_roads(whole("a"), GONE)
    assert found == Partial(
        items=("a",), why="not confirmed by the other road: HTTP 403", pages=2, faults=("HTTP 403; given up",)
    )


def test_more_on_the_second_road_is_kept_and_named() -> None:
    """The union, the first road's rows first."""
    found = on_two_roads(whole("b"), whole("a", "b", "c"))
    assert found == Partial(items=("b", "a", "c"), why="only the other road shows row a, row c", pages=2)


def test_fewer_on_the_second_road_is_named() -> None:
    """The first road's rows stay."""
    found = on_two_roads(whole("a", "b"), whole("a"))
    assert found == Partial(items=("a", "b"), why="the other road does not show row b", pages=2)


def test_differences_both_ways_are_both_named() -> None:
    """A row that changed between the two calls shows as one more and one fewer."""
    found = on_two_roads(whole("a", "b"), whole("a", "c"))
    assert isinstance(found, Partial)
    assert found.items == ("a", "b", "c")
    assert found.why == "only the other road shows row c; the other road does not show row b"


def test_a_second_road_that_was_read_in_part_adds_and_accuses_nobody() -> None:
    """What it shows more is kept; what it lacks may stand on the page that was lost."""
    found = on_two_roads(whole("a", "b"), part("c"))
    assert isinstance(found, Partial)
    assert found.items == ("a", "b", "c")
    assert found.why == "only the other road shows row c; the other road was read in part: page 2 was lost"
    assert on_two_roads(whole("a"), part("a")).why == "the other road was read in part: page 2 was lost"  # type: ignore[union-attr]


def test_a_first_road_that_was_read_in_part_stays_so() -> None:
    """Even if the second road has everything: its own reason comes first."""
    found = on_two_roads(part("a"), whole("a", "b"))
    assert isinstance(found, Partial)
    assert found.items == ("a", "b")
    assert found.why == "page 2 was lost; only the other road shows row b"


def test_three_rows_are_named_in_order_and_the_rest_counted() -> None:
    """The same differences give the same words, in whatever order they came."""
    for order in ("edcba", "abcde", "cbade"):
        found = on_two_roads(whole(), whole(*order))
        assert isinstance(found, Partial)
        assert found.why == "only the other road shows row a, row b, row c and 2 more"
        assert sorted(found.items) == list("abcde")


@pytest.mark.parametrize(
    ("count", "why"), [(2, None), (3, "Microsoft Graph counts 3 items, 2 came"), (1, None), (0, None)]
)
def test_rows_are_compared_with_their_number(count: int, why: str | None) -> None:
    """Partial where Graph counts more; a smaller number comes from an index that lags behind the rows."""
    found = counted(whole("a", "b"), whole(count))
    assert found == (whole("a", "b") if why is None else Partial(items=("a", "b"), why=why, pages=2))


SECOND: dict[str, Callable[[Collected[Any]], Collected[Any]]] = {
    "the count": lambda second: counted(whole("a"), second),
    "the second count": lambda second: same_count(whole(7), second),
    "the oldest record": lambda second: reaches_back(whole(event("a")), second),
}
"""What confirms by a single answer, by what its messages call that."""


@pytest.mark.parametrize("what", SECOND)
def test_a_confirmation_that_was_refused_is_a_gap(what: str) -> None:
    """The rows stay, Partial, with the reason."""
    found = SECOND[what](GONE)
    assert isinstance(found, Partial)
    assert found.why == f"{what} could not be read: HTTP 403"
    assert len(found.items) == 1


@pytest.mark.parametrize("what", SECOND)
@pytest.mark.parametrize(
    "second",
    [
        Unavailable(why="HTTP 400 (Request_UnsupportedQuery)"),
        Unavailable(why="HTTP 501"),
        Partial(items=(), why="1 of 1 items in a shape that is not accepted"),
        Complete(items=()),
    ],
    ids=["400", "501", "no-number", "nothing"],
)
def test_a_confirmation_that_graph_does_not_offer_is_a_fault_and_no_gap(what: str, second: Collected[Any]) -> None:
    """The query is refused as such, or the answer lacks the number: the rows are as whole as their pages say."""
    found = SECOND[what](second)
    assert isinstance(found, Complete)
    assert found.faults[-1].startswith(f"{what} is not offered here: ")


def test_what_was_not_read_needs_no_confirmation() -> None:
    """Unavailable stays so, and so does a count that says nothing."""
    assert counted(GONE, whole(1)) is GONE
    assert same_count(GONE, whole(7)) is GONE
    assert reaches_back(GONE, whole("b")) is GONE
    assert same_count(part(), whole(7)) == part()


def test_a_number_of_accounts_is_counted_twice() -> None:
    """The first count stands; another one by the second makes it Partial, and zero is no count."""
    assert same_count(whole(7), whole(7)) == whole(7)
    assert same_count(whole(7), whole(9)) == Partial(items=(7,), why="counted again, there are 9", pages=2)
    zero = same_count(whole(0), whole(0))
    assert zero == Partial(items=(), why="no account is counted, which no tenant has", pages=2)


def test_every_tenant_has_one() -> None:
    """None or two of it: something is wrong with the answer."""
    assert one(whole("a"), "organization") == whole("a")
    assert one(GONE, "organization") is GONE
    for rows in ((), ("a", "b")):
        found = one(whole(*rows), "organization")
        assert isinstance(found, Partial)
        assert found.why == f"{len(rows)} items came of what every tenant has one: organization"


def test_no_rows_of_a_log_that_has_rows_are_none() -> None:
    """Complete and empty, because the log is on."""
    assert switched_on(whole(), whole(True), "The log") == whole()
    assert switched_on(whole("a"), GONE, "The log") == whole("a")
    assert switched_on(GONE, whole(True), "The log") is GONE


def test_no_rows_of_a_log_without_any_say_nothing() -> None:
    """It is off, or cannot be seen: Unavailable."""
    found = switched_on(whole(faults=("x",)), whole(False), "The log")
    assert found == Unavailable(why="The log holds no row of anything: it is off, or cannot be seen", faults=("x",))


@pytest.mark.parametrize(("any_row", "why"), [(GONE, "HTTP 403"), (part(), "page 2 was lost"), (whole(), "no answer")])
def test_no_rows_of_a_log_of_which_nothing_is_known_are_partial(any_row: Collected[bool], why: str) -> None:
    """Whether the log is on could not be read."""
    found = switched_on(whole(), any_row, "The log")
    said = f"The log shows no row of the app, and whether it is on could not be read: {why}"
    assert found == Partial(items=(), why=said, pages=2)


def event(id_: str) -> GrantEvent:
    return GrantEvent(id=id_, activity_date_time=datetime(2026, 11, 1, tzinfo=UTC), activity="Consent to application")


def test_the_oldest_record_is_among_those_that_came() -> None:
    """Else the last page is missing."""
    records = whole(event("a"), event("b"))
    assert reaches_back(records, whole("b")) == records
    found = reaches_back(records, whole("c"))
    assert isinstance(found, Partial)
    assert found.why == "the oldest record about the app is not among those that came"


def test_reasons_add_up() -> None:
    """A gap in what is Partial already gives both reasons; what is Unavailable stays so."""
    assert gap(part("a", why="x"), "y") == part("a", why="x; y")
    assert gap(GONE, "y") is GONE


def assignment(id_: str, **fields: Any) -> AppRoleAssignment:
    usual = {"app_role_id": "r", "principal_id": "me", "resource_id": "s", "principal_type": "ServicePrincipal"}
    return AppRoleAssignment(id=id_, **{**usual, **fields})


def test_assignments_are_compared_with_every_resource() -> None:
    """Other apps' rows on the resources are nobody's business here; a gap on any side confirms nothing."""
    mine, other = assignment("a"), assignment("b", principal_id="somebody")
    second = assignment("c", resource_id="t")
    assert cross_check.assignments(whole(mine), "me", [whole(mine, other), whole()]) == whole(mine)
    found = cross_check.assignments(whole(mine), "me", [whole(mine), whole(second, other)])
    assert found == Partial(items=(mine, second), why="only the resource's side shows role r on t", pages=2)
    for side, said in ((GONE, "HTTP 403"), (part(), "page 2 was lost")):
        found = cross_check.assignments(whole(mine), "me", [whole(mine), side])
        assert isinstance(found, Partial)
        assert found.why == f"the resource's side was read in part: {said}"
        assert side.faults[0] in found.faults
    assert cross_check.assignments(whole(), "me", []) == whole()


@pytest.mark.parametrize("field", ["app_role_id", "resource_id", "principal_type"])
def test_an_assignment_that_reads_otherwise_on_the_other_side_is_two(field: str) -> None:
    """The same id with another role, resource or principal: both are kept and named."""
    changed = assignment("a", **{field: "other"})
    found = cross_check.assignments(whole(assignment("a")), "me", [whole(changed)])
    assert isinstance(found, Partial)
    assert len(found.items) == 2


@pytest.mark.parametrize("field", ["resource_id", "consent_type", "principal_id", "scope"])
def test_a_delegated_grant_that_reads_otherwise_is_two(field: str) -> None:
    """A scope that was added between the two calls is a difference, not the same grant."""
    grant = OAuth2PermissionGrant(id="g", client_id="me", consent_type="Principal", resource_id="s", principal_id="p")
    assert cross_check.grants(whole(grant), whole(grant)) == whole(grant)
    found = cross_check.grants(whole(grant), whole(replace(grant, **{field: "other"})))
    assert isinstance(found, Partial)
    assert len(found.items) == 2
    assert found.why == "only the tenant's list shows grant g; the tenant's list does not show grant g"


def test_the_listing_is_compared_by_id() -> None:
    """The beta version's list carries other fields, so only which apps there are is compared."""
    known, bare = ServicePrincipal(id="1", app_id="a", display_name="x"), ServicePrincipal(id="1", app_id="a")
    assert cross_check.listing(whole(known), whole(bare)) == whole(known)
    found = cross_check.listing(whole(known), whole(bare, ServicePrincipal(id="2", app_id="b")))
    assert isinstance(found, Partial)
    assert found.why == "only the beta version's list shows b"


class Hiding(Graph):
    """A Graph that shows a resource's rows and leaves the last of them out on the client's side."""

    def __init__(self, snapshot: Snapshot, **options: Any) -> None:
        (client,) = snapshot.clients
        *shown, self.hidden = items(client.app_role_assignments)
        super().__init__(replace(snapshot, clients=(self._without(client, shown),)), **options)
        self.tenant._held.setdefault(self.hidden.resource_id.lower(), []).append(self.hidden)

    @staticmethod
    def _without(client: Client, shown: list[AppRoleAssignment]) -> Client:
        return replace(client, app_role_assignments=Complete(items=tuple(shown)))


@pytest.mark.parametrize(
    "roles", [("Calendars.ReadWrite", "Mail.ReadWrite"), ("Mail.ReadWrite",), ("exchange/full_access_as_app",)]
)
def test_a_row_that_the_clients_side_hides_is_in_the_report(roles: tuple[str, ...]) -> None:
    """Graph left out an assignment: it is judged like any other, and the collection is Partial and names it."""
    graph = Hiding(tenant(app(*roles, app_id=PERSONAL)), **OPTIONS)
    clock = Clock()
    found = run(clock, rehearsed(graph, clock))
    held = found.clients[0].app_role_assignments
    assert isinstance(held, Partial)
    assert graph.hidden.id in {row.id for row in held.items}
    assert f"only the resource's side shows role {graph.hidden.app_role_id} on {graph.hidden.resource_id}" in held.why
    result = judged(found)
    assert roles[-1].rpartition("/")[2] in {judgement.grant.permission for judgement in result.grants}
    assert not result.complete
    assert any("only the resource's side shows role" in reason for reason in result.incomplete_reasons)
