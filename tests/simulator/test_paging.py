"""Pages: whatever their size, their union is the whole, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec.structs import replace

from auditor.model.directory import ServicePrincipal
from auditor.model.snapshot import Complete, Snapshot
from tests.simulator.conftest import Start

NUMBER = 1501


@pytest.fixture(scope="module")
def wide(tenant: Snapshot) -> Snapshot:
    """Return a tenant of 1,501 service principals and nothing else."""
    apps = tuple(
        ServicePrincipal(id=f"{n:08}-0000-4000-8000-000000000000", app_id=f"{n:08}-0000-4000-9000-000000000000")
        for n in range(NUMBER)
    )
    return replace(tenant, clients=(), resources=Complete(items=()), service_principals=Complete(items=apps))


def pages(client: httpx.Client, target: str, headers: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
    while target:
        page = client.get(target, headers=headers).json()
        yield page
        target = page.get("@odata.nextLink", "")


@pytest.mark.parametrize("size", [1, 19, 20, 21, 50, 99, 100, 101, 500, 750, 999, 1000, 1500, 1501, 1502])
def test_the_union_of_all_pages_is_the_truth(start: Start, wide: Snapshot, size: int) -> None:
    """Every size of the server's own pages gives each service principal once, in one order."""
    client, running = start(wide, page_size=size)
    got = [app["id"] for page in pages(client, "/v1.0/servicePrincipals?$select=id") for app in page["value"]]
    assert got == [app.id for app in wide.service_principals.items]  # type: ignore[union-attr]
    assert running.requests == -(-NUMBER // size)


def test_the_size_that_a_caller_asks_for_holds_on_every_page(start: Start, wide: Snapshot) -> None:
    """$top goes before the server's size, and travels in the nextLink with every other option but $count."""
    client, running = start(wide, page_size=7)
    query = "$top=999&$select=appId&$filter=startswith(appId,'0000')&$orderby=displayName&$count=true"
    first, second = pages(client, f"/v1.0/servicePrincipals?{query}", {"ConsistencyLevel": "eventual"})
    assert (len(first["value"]), len(second["value"])) == (999, NUMBER - 999)
    assert first["@odata.count"] == NUMBER
    assert "@odata.count" not in second
    assert {frozenset(app) for app in second["value"]} == {frozenset({"id", "appId"})}
    link = urlsplit(first["@odata.nextLink"])
    assert f"{link.scheme}://{link.netloc}" == running.url
    assert link.path == "/v1.0/servicePrincipals"
    assert "$skiptoken=" in link.query


def test_the_next_link_of_a_member_of_a_batch_is_absolute(start: Start, wide: Snapshot) -> None:
    """A page that a batch began goes on outside of it."""
    client, running = start(wide, page_size=1000)
    batch = {"requests": [{"id": "a", "method": "GET", "url": "/servicePrincipals?%24select=id"}]}
    (member,) = client.post("/v1.0/$batch", json=batch).json()["responses"]
    link = member["body"]["@odata.nextLink"]
    assert link.startswith(f"{running.url}/v1.0/servicePrincipals?")
    assert len(client.get(link).json()["value"]) == NUMBER - 1000


def test_a_page_beyond_the_end_is_empty(graph: httpx.Client) -> None:
    """A collection of nothing is one page without items and without a nextLink."""
    page = graph.get("/v1.0/applications").json()
    assert page["value"] == []
    assert "@odata.nextLink" not in page
