"""What is promised of the table of calls: reads only, least permissions that exist, ids quoted where they go."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ruamel.yaml import YAML

from auditor.graph.endpoints import BATCH, BATCH_BETA, ENDPOINTS, SIGN_IN_ACTIVITY, Endpoint

READS = tuple(e for e in ENDPOINTS if e not in (BATCH, BATCH_BETA))


def test_the_table_holds_reads_only() -> None:
    """GET, and POST to nothing but $batch."""
    assert {e.method for e in READS} == {"GET"}
    assert {(e.method, e.path) for e in (BATCH, BATCH_BETA)} == {("POST", "/$batch")}


def test_no_call_expands_a_collection() -> None:
    """$expand cuts collections short without saying so."""
    assert not [e for e in ENDPOINTS if any(name == "$expand" for name, _ in e.query)]


def test_keys_of_certificates_are_never_asked_for() -> None:
    """Graph sends them only where keyCredentials is selected."""
    assert not [e for e in ENDPOINTS if "keyCredentials" in dict(e.query).get("$select", "")]


@pytest.mark.parametrize("endpoint", READS, ids=lambda e: f"{e.version}{e.target('ID')}"[:120])
def test_every_call_needs_a_read_permission(endpoint: Endpoint) -> None:
    """One that reads and cannot write, for apps and for people; and every call says what it is for."""
    for permission in (endpoint.application, endpoint.delegated):
        assert ".Read." in permission
        assert "Write" not in permission
    assert endpoint.purpose.endswith(".")
    assert endpoint.role


def test_an_id_is_quoted_for_where_it_goes() -> None:
    """In a path it stays one segment, in a filter one string."""
    hostile = "a'/../b?$x=1&y#z"
    for endpoint in READS:
        parts = urlsplit(endpoint.target(hostile))
        assert parts.path.count("/") == endpoint.path.count("/")
        assert not parts.fragment
        if "{id}" in endpoint.path:
            assert hostile in unquote(parts.path)
        assert len(parse_qs(parts.query)) == len(endpoint.query)
    assert parse_qs(urlsplit(SIGN_IN_ACTIVITY.target(hostile)).query)["$filter"] == ["appId eq 'a''/../b?$x=1&y#z'"]


@pytest.mark.reference
def test_every_permission_exists(reference_data: Path) -> None:
    """Each least permission is one that Microsoft Graph publishes, as app role and as delegated scope."""
    for name, field in (("GraphAppRoles.csv", "application"), ("GraphDelegateRoles.csv", "delegated")):
        with (reference_data / "graph" / name).open(encoding="utf-8-sig", newline="") as file:
            published = {cell for row in csv.reader(file) for cell in row}
        assert {getattr(e, field) for e in READS} <= published


@pytest.mark.reference
def test_every_call_is_in_microsofts_description(reference_data: Path) -> None:
    """Path and selected properties are Graph's, version by version.

    What v1.0 describes is asked of beta too; the beta part of the description holds what beta alone has.
    """
    known: set[str] = set()
    for version, name in (("v1.0", "graph-openapi-slice.yaml"), ("beta", "graph-openapi-slice-beta.yaml")):
        described = YAML(typ="safe").load(reference_data / "graph" / name)
        schemas = described["components"]["schemas"]
        paths = {path.replace("{servicePrincipal-id}", "{id}"): item for path, item in described["paths"].items()}
        known |= {path for path, item in paths.items() if "get" in item}
        assert {endpoint.path for endpoint in READS if endpoint.version == version} <= known
        selected = {
            field
            for e in READS
            if e.version == "v1.0" and e.path.startswith("/servicePrincipals") and e.path.count("/") < 3
            for field in dict(e.query).get("$select", "").split(",")
        } - {""}
        if version == "v1.0":
            assert selected <= _properties(schemas, "microsoft.graph.servicePrincipal")


def _properties(schemas: dict[str, dict], name: str) -> set[str]:  # type: ignore[type-arg]
    found: set[str] = set()
    for part in schemas[name].get("allOf", [schemas[name]]):
        found |= _properties(schemas, part["$ref"].rpartition("/")[2]) if "$ref" in part else set(part["properties"])
    return found
