"""Query options: what Microsoft Graph offers works, and what it does not offer is refused with its words."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.simulator import sample
from auditor.simulator.query import parse_filter, split
from auditor.simulator.refused import Refused

ITEM: Mapping[str, object] = {
    "id": "1b",
    "displayName": "Zoom's app",
    "accountEnabled": True,
    "when": "2026-11-02T00:00:00Z",
    "tags": ["one", "two"],
    "targets": [{"id": "x"}, {"id": "y", "name": {"first": "z"}}],
    "nothing": None,
    "plain": "2026-13-99Tnonsense",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("id eq '1B'", True),
        ("id eq 1b", True),
        ("id ne '1b'", False),
        ("not(id eq 'other')", True),
        ("not id eq '1b'", False),
        ("displayName eq 'zoom''s app'", True),
        ("startswith(displayName,'zoom')", True),
        ("startswith(displayName, 'app')", False),
        ("startswith(nothing,'z')", False),
        ("accountEnabled eq true", True),
        ("nothing eq null", True),
        ("missing eq null", True),
        ("nothing ge 2026-01-01T00:00:00Z", False),
        ("when ge 2026-11-02T00:00:00Z and when lt 2026-11-03T00:00:00+01:00", True),
        ("when gt 2026-11-02T00:00:00Z or when le 2026-11-01T00:00:00Z", False),
        ("plain eq '2026-13-99tNONSENSE'", True),
        ("id in ('1a', '1b')", True),
        ("id in ('1a')", False),
        ("tags/any(t:t eq 'TWO')", True),
        ("tags/any(t: t eq 'three' or startswith(t,'on'))", True),
        ("targets/any(t:t/id eq 'y' and t/name/first eq 'z')", True),
        ("targets/any(t:t/name/first eq 'q')", False),
        ("nothing/any(t:t eq 'x')", False),
        ("id eq 'no' and id eq '1b' or id eq '1b'", True),
        ("id eq 'no' and (id eq '1b' or id eq '1b')", False),
    ],
)
def test_a_filter_means_what_odata_says(text: str, holds: bool) -> None:
    """Strings compare without case, moments as moments, `and` binds before `or`."""
    assert parse_filter(text).test(ITEM) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id",
        "id eq",
        "id eq 'open",
        "id like 'x'",
        "id eq 'x' id eq 'y'",
        "id eq 'x' and",
        "(id eq 'x'",
        "id in 'x'",
        "id in ('x'",
        "eq eq eq eq",
        "startswith(id 'x')",
        "1 eq 1",
        "tags/any(t:t eq 'x'",
        "'x' eq 'x'",
        " or ".join(["id eq 'x'"] * 16),
        "id in (" + ",".join(["'x'"] * 16) + ")",
    ],
)
def test_a_filter_that_is_wrong_is_refused(text: str) -> None:
    """What is not OData, or holds more alternatives than Graph takes, is Request_UnsupportedQuery."""
    with pytest.raises(Refused) as refused:
        parse_filter(text)
    assert (refused.value.status, refused.value.code) == (400, "Request_UnsupportedQuery")


@given(st.text(alphabet="abt ()',:/=eqandornti1-Z", max_size=60))
def test_no_filter_breaks_the_parser(text: str) -> None:
    """Any text is a filter or is refused, and a filter can be asked of anything."""
    try:
        wanted = parse_filter(text)
    except Refused:
        return
    assert wanted.test(ITEM) in (True, False)
    assert wanted.test(None) in (True, False)


def test_escaped_and_plain_options_are_the_same() -> None:
    """`%24filter` and `$filter`, `+` and `%20`: both forms arrive alike."""
    plain = "/v1.0/users?$filter=a eq 'b'&$top=1"
    assert split("/v1.0/users?%24filter=a+eq%20%27b%27&%24top=1") == split(plain)
    assert split("/v1.0/servicePrincipals(appId=%27x%27)") == ("/v1.0/servicePrincipals(appId='x')", {})


@pytest.mark.parametrize(
    "query",
    ["$filter", "%24filter", "filter"],
)
def test_every_form_of_an_option_reaches_the_tenant(graph: httpx.Client, query: str) -> None:
    """The two forms that the SDK sends, and the one without a dollar sign, choose the same app."""
    answer = graph.get(f"/v1.0/servicePrincipals?{query}=appId%20eq%20%27{sample.ROOMS}%27")
    assert [app["appId"] for app in answer.json()["value"]] == [sample.ROOMS]


@pytest.mark.parametrize(
    ("filter_", "number"),
    [
        (f"appId in ('{sample.ROOMS}','{sample.CALENDAR}')", 2),
        ("startswith(displayName,'ZOOM')", 6),
        (f"servicePrincipalNames/any(n:n eq '{sample.ROOMS}')", 1),
        ("accountEnabled eq false", 1),
        ("tags/any(t:t eq 'WindowsAzureActiveDirectoryGalleryApplicationNonPrimaryV1')", 1),
    ],
)
def test_service_principals_are_filtered(graph: httpx.Client, filter_: str, number: int) -> None:
    """The filters that Graph documents for service principals choose the right ones."""
    assert len(graph.get("/v1.0/servicePrincipals", params={"$filter": filter_}).json()["value"]) == number


def test_ne_and_not_need_eventual_consistency(graph: httpx.Client) -> None:
    """Advanced filters work with the header and $count=true, and are refused without."""
    query = {"$filter": "accountEnabled ne true", "$count": "true"}
    assert graph.get("/v1.0/servicePrincipals", params=query).status_code == 400
    answer = graph.get("/v1.0/servicePrincipals", params=query, headers={"ConsistencyLevel": "eventual"})
    assert answer.json()["@odata.count"] == 1


def test_select_gives_what_it_names_and_the_id(graph: httpx.Client) -> None:
    """$select is honoured on lists and on objects; the id always comes along; the context names the choice."""
    page = graph.get("/v1.0/servicePrincipals", params={"$select": "appId, displayName"}).json()
    assert page["@odata.context"].endswith("/v1.0/$metadata#servicePrincipals(appId, displayName)")
    assert {frozenset(app) for app in page["value"]} == {frozenset({"id", "appId", "displayName"})}
    path = f"/v1.0/servicePrincipals/{page['value'][0]['id']}"
    assert graph.get(path, params={"$select": "tags"}).json().keys() == {"@odata.context", "id", "tags"}


def test_publisher_name_is_beta_unless_selected(graph: httpx.Client) -> None:
    """v1.0 does not send publisherName of itself, and sends it where it is selected; beta always does."""
    path = f"/servicePrincipals(appId='{sample.ROOMS}')"
    assert "publisherName" not in graph.get(f"/v1.0{path}").json()
    assert graph.get(f"/v1.0{path}?$select=publisherName").json()["publisherName"] == "Zoom (sample)"
    assert graph.get(f"/beta{path}").json()["publisherName"] == "Zoom (sample)"


def test_order_is_by_name_in_both_directions(graph: httpx.Client) -> None:
    """$orderby displayName sorts without regard to case."""
    ways = [
        [
            app["displayName"].casefold()
            for app in graph.get("/v1.0/servicePrincipals", params={"$orderby": order}).json()["value"]
        ]
        for order in ("displayName", "displayName asc", "displayName desc")
    ]
    assert ways[0] == ways[1] == sorted(ways[2]) == ways[2][::-1]
    assert len(set(ways[0])) > 40


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"$select": "displayname2"}, "BadRequest"),
        ({"$expand": "owners"}, "BadRequest"),
        ({"$top": "0"}, "BadRequest"),
        ({"$top": "1000"}, "BadRequest"),
        ({"$top": "-1"}, "BadRequest"),
        ({"$top": "²"}, "BadRequest"),
        ({"$orderby": "appId"}, "Request_UnsupportedQuery"),
        ({"$orderby": "displayName down"}, "Request_UnsupportedQuery"),
        ({"$filter": "homepage eq 'x'"}, "Request_UnsupportedQuery"),
        ({"$filter": "appId eq"}, "Request_UnsupportedQuery"),
        ({"$skiptoken": "bm9uc2Vuc2U"}, "Directory_ExpiredPageToken"),
        ({"$skiptoken": "c2FtcGxlLXBhZ2UtLTE"}, "Directory_ExpiredPageToken"),
        ({"$skiptoken": "é"}, "Directory_ExpiredPageToken"),
    ],
)
def test_what_graph_does_not_offer_is_refused(graph: httpx.Client, query: dict[str, str], code: str) -> None:
    """A typo in an option or a property is an error, never a silently longer or shorter answer."""
    answer = graph.get("/v1.0/servicePrincipals", params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
