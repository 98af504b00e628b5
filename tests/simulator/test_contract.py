"""The simulator keeps Microsoft's OpenAPI description, whatever is asked: requests are drawn from the description.

Only what the simulator serves is drawn, with ids of the sample tenant in the paths. `Description` lifts two demands
that Graph's own answers do not meet, and `UNDESCRIBED` names what Graph sends beside its description; both say why.
Every status is described, as `default`, so each test names the ones that it expects.
"""

from __future__ import annotations

import copy
import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from auditor.model.snapshot import Snapshot, items
from auditor.simulator.properties import PROPERTIES
from auditor.simulator.sample import CALENDAR
from auditor.simulator.server import Running, serve
from auditor.simulator.state import state_of
from auditor.simulator.tenant import Tenant
from tests.simulator.test_shape import ERROR, EVENTUAL, SERVED, SLICES, Description, Json

pytestmark = pytest.mark.reference
CALLS = [(version, path) for version, paths in SERVED.items() for path in paths]
FEW, MANY = 4, 100
BELOW = "/servicePrincipals/{servicePrincipal-id}"
WRITTEN = [
    *(
        (method, f"{BELOW}/{side}{one}")
        for side in ("appRoleAssignedTo", "appRoleAssignments")
        for method, one in (("post", ""), ("delete", "/{appRoleAssignment-id}"))
    ),
    ("post", "/oauth2PermissionGrants"),
    ("patch", "/oauth2PermissionGrants/{oAuth2PermissionGrant-id}"),
    ("delete", "/oauth2PermissionGrants/{oAuth2PermissionGrant-id}"),
    ("patch", BELOW),
    ("patch", "/servicePrincipals(appId='{appId}')"),
]
"""Every write that the simulator takes, as it is described."""
AMOUNTS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
"""How many requests are drawn of a call, in one way of drawing."""
FITS = {"$count": "(?i)true|false", "$select": "", "$top": "[1-9][0-9]{0,2}"}
"""What the simulator may take of a request that was drawn to break the description: name to pattern of the value."""
Operation: TypeAlias = Any
Case: TypeAlias = Any
"""Types of schemathesis with parameters of its own."""
Check = Callable[[Case, Response], None]
FILTERS = {
    "servicePrincipal": (
        "appId eq '{app_id}'",
        "id in ('{id}', '{resource}')",
        "startswith(displayName, 'zoom')",
        "tags/any(t:t eq 'WindowsAzureActiveDirectoryIntegratedApp')",
    ),
    "application": ("appId eq '{app_id}'",),
    "appRoleAssignments": ("resourceId eq {resource}",),
    "appRoleAssignedTo": ("principalId eq {id}",),
    "oAuth2PermissionGrant": ("clientId eq '{id}'", "consentType eq 'AllPrincipals' or resourceId eq '{resource}'"),
    "directoryRole": ("roleTemplateId eq '{id}'",),
    "directoryAudit": ("category eq 'ApplicationManagement'", "activityDateTime ge 2026-01-01T00:00:00Z"),
    "user": ("accountEnabled eq true and userType eq 'Member'",),
    "servicePrincipalSignInActivity": ("appId eq '{app_id}'",),
}
"""By the name of a collection or of what it holds: filters that Graph takes."""
ORDERS = {"servicePrincipal": ["displayName"], "directoryAudit": ["activityDateTime desc"]}


class Contract:
    """A simulator that runs, and what its answers are held against."""

    def __init__(self, running: Running, tenant: Snapshot, described: dict[str, Description]) -> None:
        self.described = described
        self.running = running
        self._tenant = Tenant(state_of(tenant))
        clients = [client.service_principal for client in tenant.clients]
        app = next(app for app in clients if app.app_id == CALENDAR)
        resource = items(tenant.resources)[0]
        self._ids = {
            "servicePrincipal-id": [resource.id, *(app.id for app in clients)],
            "appId": [resource.app_id, *(app.app_id for app in clients)],
            "appRoleAssignment-id": [a.id for c in tenant.clients for a in items(c.app_role_assignments)],
            "oAuth2PermissionGrant-id": [g.id for c in tenant.clients for g in items(c.oauth2_permission_grants)],
        }
        self._names = {"id": app.id, "app_id": app.app_id, "resource": resource.id}

    def call(self, version: str, path: str, *, offered: bool) -> Operation:
        """Return a GET as it is described; `offered`: with no option and value but those that the simulator takes."""
        document = copy.copy(self.described[version].document)
        call = copy.deepcopy(document["paths"][path]["get"])
        call["parameters"] = [self._real(document, parameter) for parameter in call["parameters"]]
        if offered:
            limited = ((parameter, self._offered(version, path, parameter["name"])) for parameter in call["parameters"])
            call["parameters"] = [parameter | {"schema": schema} for parameter, schema in limited if schema]
        document["paths"] = {path: {"get": call}}
        return self.load(document, version)[path]["GET"]

    def write(self, method: str, path: str) -> Operation:
        """Return a write as it is described, with ids of the tenant in its path."""
        document = copy.copy(self.described["v1.0"].document)
        call = copy.deepcopy(document["paths"][path][method])
        named = document["paths"][path].get("parameters", ())
        call["parameters"] = [self._real(document, each) for each in (*named, *call.get("parameters", ()))]
        document["paths"] = {path: {method: call}}
        return self.load(document, "v1.0")[path][method.upper()]

    def raw(self, head: str, body: bytes = b"") -> tuple[int, Any]:
        """Send a request line and body as they are, and return the status and the JSON of the answer."""
        common = f"Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {self.running.token}"
        with socket.create_connection(("127.0.0.1", self.running.port), timeout=10) as connection:
            connection.sendall(f"{head}\r\n{common}\r\n\r\n".encode() + body)
            with HTTPResponse(connection) as answer:
                answer.begin()
                return answer.status, json.load(answer)

    def load(self, document: Json, version: str) -> Any:
        """Return a description that schemathesis can draw from."""
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=f"{self.running.url}/{version}")
        return schema

    def _real(self, document: Json, parameter: Json) -> Json:
        if "$ref" in parameter:
            parameter = copy.deepcopy(document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]])
        parameter["schema"].pop("uniqueItems", None)  # Whether Graph refuses a name that comes twice is unknown.
        real = self._ids.get(parameter["name"])
        return parameter | {"schema": {"type": "string", "enum": real}} if real else parameter

    def _offered(self, version: str, path: str, name: str) -> Json:
        """Return what the simulator takes for a parameter; nothing: it does not take the parameter."""
        table = self._tenant.table(version, self.target(path).removeprefix("/").removesuffix("/$count"))
        kind = table.type if table else "servicePrincipal"
        filters = FILTERS.get(path.removesuffix("/$count").rpartition("/")[2], FILTERS.get(kind, ()))
        takes: dict[str, Json] = {
            **{key: {"type": "string", "enum": value} for key, value in self._ids.items()},
            "ConsistencyLevel": {"type": "string", "enum": ["eventual", ""]},
            "$top": {"type": "integer", "minimum": 1, "maximum": 999},
            "$count": {"type": "boolean"},
            "$filter": {"type": "string", "enum": [f.format(**self._names) for f in filters]} if filters else {},
            "$select": _some(sorted(PROPERTIES[kind])),
            "$orderby": _some(ORDERS.get(kind, [])),
        }
        return takes.get(name, {})

    def batch(self, *, offered: bool) -> Operation:
        """Return $batch as it is described; `offered`: with GETs of served paths as its members."""
        document = copy.deepcopy(self.described["v1.0"].document)
        document["paths"] = {"/$batch": document["paths"]["/$batch"]}
        if offered:
            requests = document["components"]["schemas"]["x.batchRequest"]["properties"]["requests"]
            requests["minItems"] = 1
            requests["items"]["properties"] = {
                "id": {"type": "string", "format": "uuid"},
                "method": {"enum": ["GET"]},
                "url": {"enum": [self.target(path) for path in SERVED["v1.0"]]},
                "headers": {"enum": [EVENTUAL]},
            }
            requests["items"] |= {"required": ["id", "method", "url", "headers"], "additionalProperties": False}
        return self.load(document, "v1.0")["/$batch"]["POST"]

    def target(self, path: str) -> str:
        """Return a described path with an id of the tenant in it."""
        for key, ids in self._ids.items():
            path = path.replace(f"{{{key}}}", ids[0])
        return path

    def send(
        self,
        operation: Operation,
        amount: int,
        *,
        valid: bool = True,
        check: Check | None = None,
    ) -> Counter[int]:
        """Send requests that are drawn from `operation`, hold each answer against it, and return the statuses.

        Args:
            operation: what is drawn from.
            amount: how many requests at most.
            valid: they fit the description; else each breaks it somewhere.
            check: what else has to hold of a request and its answer.
        """
        seen: Counter[int] = Counter()
        mode = GenerationMode.POSITIVE if valid else GenerationMode.NEGATIVE

        @settings(
            max_examples=amount,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def exchange(case: Case) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {self.running.write_token}"} | EVENTUAL)
            case.validate_response(answer, excluded_checks=[positive_data_acceptance, negative_data_rejection])
            seen[answer.status_code] += 1
            if check:
                check(case, answer)

        exchange()
        return seen


def _some(names: list[str]) -> Json:
    return {"type": "array", "items": {"enum": names}, "minItems": 1, "uniqueItems": True} if names else {}


@pytest.fixture(scope="module")
def contract(tenant: Snapshot, reference_data: Path) -> Iterator[Contract]:
    described = {version: Description(reference_data / "graph" / name) for version, name in SLICES.items()}
    with serve(tenant) as running:
        yield Contract(running, tenant, described)


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize(("version", "path"), CALLS)
def test_what_is_offered_is_answered(contract: Contract, version: str, path: str, amount: int) -> None:
    """Every request within what the simulator offers gets 200 and a body that fits its description."""
    assert set(contract.send(contract.call(version, path, offered=True), amount)) == {200}


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize(("version", "path"), CALLS)
def test_any_described_text_gets_a_described_answer(contract: Contract, version: str, path: str, amount: int) -> None:
    """Any text in any described option gets an answer that fits, or Graph's error body with 400; never a 5xx."""
    assert set(contract.send(contract.call(version, path, offered=False), amount)) <= {200, 400}


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize(("version", "path"), CALLS)
def test_what_breaks_the_description_is_refused(contract: Contract, version: str, path: str, amount: int) -> None:
    """A wrong type gets Graph's error body; 200 only where what arrives fits: an option of no value is not sent."""

    def arrives_whole(case: Case, answer: Response) -> None:
        del case
        if answer.status_code == 200:
            arrived = parse_qsl(urlsplit(str(answer.request.url)).query, keep_blank_values=True)
            assert [pair for pair in arrived if not re.fullmatch(FITS.get(pair[0], "never"), pair[1])] == []

    call = contract.call(version, path, offered=False)
    seen = contract.send(call, amount, valid=False, check=arrives_whole)
    assert set(seen) <= {200, 400, 404}
    assert seen[400] + seen[404] > seen[200]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize(("method", "path"), WRITTEN)
def test_any_write_gets_a_described_answer(
    contract: Contract, tenant: Snapshot, method: str, path: str, valid: bool, amount: int
) -> None:
    """Bodies that fit the description and bodies that break it: carried out or refused in Graph's words, never a 5xx.

    Each write has a tenant of its own. A body that fits seldom names what is there, so it is mostly refused.
    """
    with serve(tenant) as running:
        own = Contract(running, tenant, contract.described)
        seen = own.send(own.write(method, path), amount, valid=valid)
    assert set(seen) <= {201, 204, 400, 403, 404, 405, 409}
    assert sum(seen.values())


@pytest.mark.parametrize("amount", AMOUNTS)
def test_a_batch_of_served_calls_is_answered_member_by_member(contract: Contract, amount: int) -> None:
    """Every member gets 200 and the body that its own path describes; only an id that comes twice spoils a batch."""
    of = {contract.target(path): path for path in SERVED["v1.0"]}

    def members_fit(case: Case, answer: Response) -> None:
        body: Any = case.body
        asked = {member["id"]: of[member["url"]] for member in body["requests"]}
        if answer.status_code == 400:
            assert len(asked) < len(body["requests"])
            return
        got = {member["id"]: member for member in answer.json()["responses"]}
        assert got.keys() == asked.keys()
        for key, path in asked.items():
            assert got[key]["status"] == 200
            media, schema = contract.described["v1.0"].answer(path)
            if media == "application/json":
                assert contract.described["v1.0"].wrong(schema, got[key]["body"]) == []

    assert contract.send(contract.batch(offered=True), amount, check=members_fit)[200]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("valid", [True, False])
def test_any_batch_gets_a_described_answer(contract: Contract, valid: bool, amount: int) -> None:
    """Members of any text, method and type never make a 5xx: the batch is refused, or each member by itself."""
    seen = contract.send(contract.batch(offered=False), amount, valid=valid)
    assert set(seen) <= {200, 400}


@pytest.mark.parametrize(
    "target",
    [
        "//[/",
        "/v1.0/users?$top=" + "1" * 5000,
        "/v1.0/users?$filter=" + "(" * 5000,
        "/v1.0/users?$filter=" + "not " * 5000,
        "/v1.0/users?$filter=" + "a/any(b:" * 2000,
        "/v1.0/users?$skiptoken=" + "A" * 5000,
        "/v1.0/users?$count=perhaps",
        "/v1.0/applications?$select=nothing",
        "/v1.0/directoryRoles?$top=-1",
    ],
)
def test_no_request_line_is_too_much(contract: Contract, target: str) -> None:
    """Brackets for a host, numbers without end, filters without floor; and what an empty collection might overlook."""
    status, body = contract.raw(f"GET {target.replace(' ', '%20')} HTTP/1.1")
    assert status == 400
    assert contract.described["v1.0"].wrong({"$ref": ERROR}, body) == []


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"requests":[{"id":"\xff"}]}', b'{"requests":[],"x":' + b"[" * 200_000, b"[]"]
)
def test_no_batch_is_too_much(contract: Contract, body: bytes) -> None:
    """Bytes that are no text, and brackets without end, are refused as any other batch that is none."""
    status, error = contract.raw(f"POST /v1.0/$batch HTTP/1.1\r\nContent-Length: {len(body)}", body)
    assert status == 400
    assert contract.described["v1.0"].wrong({"$ref": ERROR}, error) == []
