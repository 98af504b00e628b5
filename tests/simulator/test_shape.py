"""Every answer has the shape of Microsoft's OpenAPI description, for v1.0 and for beta."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4
from ruamel.yaml import YAML

from auditor.model.directory import DirectoryObject
from auditor.model.snapshot import Complete, Snapshot
from auditor.simulator import sample
from auditor.simulator.properties import PROPERTIES
from auditor.simulator.server import serve
from tests.simulator.writing import Caller, granted, held, new_grant, new_role

pytestmark = pytest.mark.reference
Json = dict[str, Any]
ABSENT = "99999999-9999-4999-8999-999999999999"
SLICES = {"v1.0": "graph-openapi-slice.yaml", "beta": "graph-openapi-slice-beta.yaml"}
ERROR = "#/components/schemas/microsoft.graph.ODataErrors.ODataError"
EVENTUAL = {"ConsistencyLevel": "eventual"}
UNDESCRIBED = {"createdDateTime", "publisherName"}
"""Properties of a service principal that Graph returns and the description of v1.0 lacks."""
EMPTY = {"description": "Success"}
"""What Graph answers to a PATCH: 204 and no body, as its page of each update says; the description promises a body."""
ITEMS = tuple(
    f"/{path}/{{{name}-id}}"
    for path, name in (
        ("oauth2PermissionGrants", "oAuth2PermissionGrant"),
        ("servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo", "appRoleAssignment"),
        ("servicePrincipals/{servicePrincipal-id}/appRoleAssignments", "appRoleAssignment"),
    )
)
"""Paths of one object in a collection, which are served where the object is there."""
NOT_SERVED = (
    "provisioning",
    "signIns",
    "recommendations",
    "appCredentialSignInActivities",
    "microsoft.graph.delta()",
    "-id}",
)
"""Parts of described paths that no audit asks: the simulator answers them with 404, never with an empty list.

Of those that name one object, ITEMS are served; `{x-id}` itself is the name of none.
"""
BELOW = (
    "appRoleAssignments",
    "appRoleAssignedTo",
    "oauth2PermissionGrants",
    "owners",
    "memberOf",
    "transitiveMemberOf",
)
SERVED = {
    "v1.0": (
        "/applications",
        "/auditLogs/directoryAudits",
        "/auditLogs/directoryAudits/$count",
        "/directoryRoles",
        "/oauth2PermissionGrants",
        "/oauth2PermissionGrants/$count",
        "/organization",
        "/organization/$count",
        "/servicePrincipals",
        "/servicePrincipals(appId='{appId}')",
        "/servicePrincipals/$count",
        "/servicePrincipals/{servicePrincipal-id}",
        *(f"/servicePrincipals/{{servicePrincipal-id}}/{part}" for part in BELOW),
        *(f"/servicePrincipals/{{servicePrincipal-id}}/{part}/$count" for part in BELOW),
        "/users",
        "/users/$count",
    ),
    "beta": (
        "/reports/servicePrincipalSignInActivities",
        "/reports/servicePrincipalSignInActivities/$count",
    ),
}


def _lenient(node: Any) -> Any:
    """Return the description without two demands that Graph's own answers do not meet.

    A property that is only a `$ref` cannot be nullable in OpenAPI 3.0, so the description forbids nulls that Graph
    sends (`initiatedBy.app`, `verifiedPublisher`); and it demands `@odata.type`, which Graph often leaves out.
    """
    if isinstance(node, list):
        return [_lenient(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    made = {key: _lenient(value) for key, value in node.items()}
    if isinstance(made.get("required"), list):
        made["required"] = [name for name in made["required"] if name != "@odata.type"]
    if isinstance(made.get("properties"), dict):
        null = {"enum": [None], "nullable": True}
        made["properties"] = {
            name: {"anyOf": [inner, null]} if isinstance(inner, dict) and set(inner) == {"$ref"} else inner
            for name, inner in made["properties"].items()
        }
    return made


class Description:
    """One slice of Microsoft's OpenAPI description."""

    def __init__(self, path: Path) -> None:
        self.document: Json = _lenient(YAML(typ="safe").load(path))
        for methods in self.document["paths"].values():
            if "patch" in methods:
                methods["patch"]["responses"]["204"] = EMPTY
        resource = DRAFT4.create_resource(self.document)
        self.registry = Registry().with_resource("urn:graph", resource)

    @property
    def paths(self) -> Json:
        return dict(self.document["paths"])

    def answer(self, path: str, method: str = "get", status: str = "2XX") -> tuple[str, Json]:
        """Return the media type and the schema of an answer."""
        ((media, content),) = self._follow(self.paths[path][method]["responses"][status])["content"].items()
        return media, content["schema"]

    def wrong(self, schema: Json, value: Any) -> list[str]:
        """Return what of `value` does not fit, names that the schema does not have included."""
        rooted = _rooted(schema)
        validator = OAS30Validator(rooted, registry=self.registry, format_checker=oas30_format_checker)
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        return errors + list(self._unknown(schema, value, "$"))

    def _unknown(self, schema: Json, value: Any, where: str) -> Iterator[str]:
        if isinstance(value, list):
            for item in value:
                yield from self._unknown(self._follow(schema).get("items", {}), item, f"{where}[]")
        elif isinstance(value, dict) and (known := self._names(schema, value)):
            for name, inner in value.items():
                if name in known:
                    yield from self._unknown(known[name], inner, f"{where}.{name}")
                elif not name.startswith("@odata.") and name not in UNDESCRIBED:
                    yield f"{where}.{name} is not described"

    def _names(self, schema: Json, value: Json) -> Json:
        """Return the properties that `value` may have; none where its schema is open or its type not in the slice."""
        type_ = str(value.get("@odata.type", "")).removeprefix("#")
        if not type_:
            return self._properties(schema)
        if type_ not in self.document["components"]["schemas"]:
            return {}
        return self._properties({"$ref": f"#/components/schemas/{type_}"})

    def _properties(self, schema: Json) -> Json:
        schema = self._follow(schema)
        known = dict(schema.get("properties", {}))
        for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
            known |= self._properties(part)
        return known

    def _follow(self, node: Json) -> Json:
        while "$ref" in node:
            target: Any = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def properties_of(self, type_: str) -> set[str]:
        """Return the names of a type's properties."""
        return set(self._properties({"$ref": f"#/components/schemas/microsoft.graph.{type_}"}))


def _rooted(node: Any) -> Any:
    if isinstance(node, list):
        return [_rooted(inner) for inner in node]
    if isinstance(node, dict):
        return {k: f"urn:graph{v}" if k == "$ref" else _rooted(v) for k, v in node.items()}
    return node


@pytest.fixture(scope="module")
def described(reference_data: Path) -> dict[str, Description]:
    return {version: Description(reference_data / "graph" / name) for version, name in SLICES.items()}


@pytest.fixture(scope="module")
def rich(tenant: Snapshot) -> Snapshot:
    """Return the sample with every kind of membership on every client."""
    kinds = ("user", "group", "directoryRole")
    members = tuple(
        DirectoryObject(
            id=f"0000000{n}-0000-4000-8000-000000000000",
            odata_type=f"#microsoft.graph.{kind}",
            display_name=kind,
            user_principal_name="someone@contoso.example" if kind == "user" else None,
            role_template_id=ABSENT if kind == "directoryRole" else None,
        )
        for n, kind in enumerate(kinds)
    )
    clients = tuple(
        replace(client, owners=Complete(items=members[:1]), member_of=Complete(items=members[1:]))
        for client in tenant.clients
    )
    return replace(tenant, clients=clients)


@pytest.fixture(scope="module")
def client(rich: Snapshot) -> Iterator[httpx.Client]:
    with serve(rich) as running:
        header = {"Authorization": f"Bearer {running.token}"}
        with httpx.Client(base_url=running.url, headers=header) as client:
            yield client


@pytest.mark.parametrize(("version", "path"), [(v, p) for v, paths in SERVED.items() for p in paths])
def test_an_answer_has_the_described_shape(
    client: httpx.Client, rich: Snapshot, described: dict[str, Description], version: str, path: str
) -> None:
    """Status 200, the described media type, a value that fits the schema, and no name that it does not have."""
    media, schema = described[version].answer(path)
    resource = rich.resources.items[0].id  # type: ignore[union-attr]
    for principal in (
        *(c.service_principal for c in rich.clients),
        replace(rich.clients[0].service_principal, id=resource),
    ):
        target = path.replace("{appId}", principal.app_id).replace("{servicePrincipal-id}", principal.id)
        answer = client.get(f"/{version}{target}", headers=EVENTUAL)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == media
        value = int(answer.text) if media == "text/plain" else answer.json()
        assert described[version].wrong(schema, value) == []


def test_the_shapes_are_not_shown_by_empty_lists(client: httpx.Client, rich: Snapshot) -> None:
    """Apart from applications, every collection that is checked holds something to check."""
    app = next(c.service_principal for c in rich.clients if c.service_principal.app_id == sample.CALENDAR)
    resource = rich.resources.items[0].id  # type: ignore[union-attr]
    for version, paths in SERVED.items():
        for path in paths:
            owner = resource if "appRoleAssignedTo" in path else app.id
            target = path.replace("{appId}", app.app_id).replace("{servicePrincipal-id}", owner)
            if path == "/applications" or path.endswith("$count"):
                continue
            answer = client.get(f"/{version}{target}").json()
            assert answer.get("value", True), path


def test_every_described_path_is_served_or_absent(client: httpx.Client, described: dict[str, Description]) -> None:
    """What is described and not served is 404 with Graph's error body; nothing is half there."""
    for version, description in described.items():
        for path in description.paths.keys() - set(SERVED[version]) - {"/$batch"}:
            assert any(part in path for part in NOT_SERVED), path
            target = path.replace("{", "").replace("}", "")
            answer = client.get(f"/{version}{target}", headers=EVENTUAL)
            assert answer.status_code == 404, path
            assert description.wrong({"$ref": ERROR}, answer.json()) == []


@pytest.mark.parametrize("path", ITEMS)
def test_one_object_has_the_described_shape(rich: Snapshot, described: dict[str, Description], path: str) -> None:
    """As it is read, and as a POST to its collection makes it."""
    caller, collection = Caller(rich), path.rpartition("/")[0]
    grant, role = granted(rich), held(rich, "Mail.ReadWrite")
    one, body = (grant, new_grant(grant)) if "Grants" in path else (role, new_role(role))
    owner = role.resource_id if "AssignedTo" in path else role.principal_id
    target = collection.replace("{servicePrincipal-id}", owner)
    read = caller.get(f"{target}/{one.id}")
    assert caller.call("DELETE", f"{target}/{one.id}").status == 204
    made = caller.call("POST", target, body)
    assert made.status == 201
    for (_, schema), value in (
        (described["v1.0"].answer(path), read),
        (described["v1.0"].answer(collection, "post"), made.body),
    ):
        assert described["v1.0"].wrong(schema, value) == []


def test_a_batch_has_the_described_shape(client: httpx.Client, described: dict[str, Description]) -> None:
    """The answer of a batch, a refused member included, fits its description."""
    urls = ("/organization", "/nothing", "/users?$top=1")
    requests = [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(urls)]
    answer = client.post("/v1.0/$batch", json={"requests": requests})
    statuses = [s for s in described["v1.0"].paths["/$batch"]["post"]["responses"] if s.startswith("2")]
    _, schema = described["v1.0"].answer("/$batch", "post", statuses[0])
    assert described["v1.0"].wrong(schema, answer.json()) == []


def test_the_names_for_select_are_microsofts(described: dict[str, Description]) -> None:
    """Every name that $select takes is a described property of its type; for service principals none is missing."""
    for type_, names in PROPERTIES.items():
        if type_ == "directoryObject":
            continue
        version = "beta" if type_ == "servicePrincipalSignInActivity" else "v1.0"
        assert names - UNDESCRIBED <= described[version].properties_of(type_), type_


def test_the_check_itself_finds_what_is_wrong(described: dict[str, Description], graph: httpx.Client) -> None:
    """A wrong type, a wrong format and an unknown name in a real answer are each reported."""
    _, schema = described["v1.0"].answer("/servicePrincipals")
    for change in ({"appId": 5}, {"displayNam": "x"}, {"appRoles": [{"id": "no GUID"}]}):
        page = graph.get("/v1.0/servicePrincipals?$top=1").json()
        page["value"][0] |= change
        assert described["v1.0"].wrong(schema, page)
