"""What is promised of the live source: the whole tenant in three round trips, and nothing missing unsaid."""

from __future__ import annotations

import gc
import json
import re
import signal
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditor.errors import GraphError, SignInError, UsageError
from auditor.graph.auth import Connection, simulator_connection
from auditor.graph.endpoints import ENDPOINTS, Endpoint
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import AppRoleAssignment, GrantEvent
from auditor.model.snapshot import (
    Complete,
    Partial,
    Snapshot,
    Unavailable,
    client_collections,
    items,
    tenant_collections,
)
from auditor.simulator.fault import Fault
from auditor.simulator.server import Running, serve
from auditor.sources import SourceRequest, sources
from auditor.sources.tenant import SOURCE, read
from tests.graph.contoso import TENANT, ZOOM_APPS, app, contoso, guid
from tests.graph.wireserver import Got, Reply, wire_server

PROFILE = load_profile("zoom")


def request(running: Running, **changes: object) -> SourceRequest:
    """Return a request that reads a simulator."""
    plain = SourceRequest(
        profile=PROFILE,
        configuration=AppConfiguration(),
        connection=simulator_connection(running.url, running.token),
    )
    return replace(plain, **changes)


def snapshot_of(tenant: Snapshot, *faults: Fault) -> Snapshot:
    """Return what is read of a simulated tenant."""
    with serve(tenant, faults=faults) as running:
        return read(request(running))


def test_the_tenant_is_read_as_it_is() -> None:
    """Every collection of every app comes back Complete and equal to what the tenant holds."""
    tenant = contoso()
    found = snapshot_of(tenant)
    assert found.tenant_id == TENANT
    assert found.organization == tenant.organization
    assert items(found.enabled_members) == (4210,)
    assert {sp.id for sp in items(found.service_principals)} == {sp.id for sp in items(tenant.service_principals)}
    assert {(r.id, r.app_roles, r.oauth2_permission_scopes) for r in items(found.resources)} == {
        (r.id, r.app_roles, r.oauth2_permission_scopes) for r in items(tenant.resources)
    }
    expected = {client.service_principal.app_id: client for client in tenant.clients}
    assert {client.service_principal.app_id for client in found.clients} == set(expected)
    for client in found.clients:
        assert client == expected[client.service_principal.app_id]
    assert found.notes == ()


def test_the_snapshot_says_where_and_when_it_was_taken() -> None:
    """The source, the reader as its token names it, the clock in whole seconds, and how far the audit log reaches."""
    before = datetime.now(UTC).replace(microsecond=0)
    found = snapshot_of(contoso())
    assert (found.source.kind, found.profile, found.taken_at_basis) == ("simulator", "zoom", "clock")
    assert found.source.reader_app_id
    assert found.source.reader_object_id
    assert before <= found.taken_at <= datetime.now(UTC)
    assert found.taken_at.microsecond == 0
    assert found.audit_log_since == datetime(2026, 10, 24, tzinfo=UTC)


def test_a_live_tenant_is_taken_now() -> None:
    """Another time would bring expired waivers back to life, so none may be given."""
    with serve(contoso()) as running, pytest.raises(UsageError, match="taken now"):
        read(request(running, taken_at=datetime(2026, 11, 22, tzinfo=UTC)))


def test_four_apps_among_999_take_three_round_trips_and_at_most_twelve_requests() -> None:
    """With latency, all requests of one round trip are sent before the first of them is answered."""
    told: list[int] = []
    with serve(contoso(others=993), latency=0.4) as running:
        found = read(request(running, progress=lambda _what, done, _total: told.append(done)))
        assert len(items(found.service_principals)) == 999
        assert len(found.clients) == 4
        assert running.requests <= 12
        assert told[-1] == running.requests
    assert len(set(told)) <= 3


def _pattern(endpoint: Endpoint) -> str:
    escaped = re.escape(f"/{endpoint.version}{endpoint.path}").replace(r"\{id\}", "[^/?]+")
    query = "&".join(re.escape(f"{n}={v}").replace(r"\{id\}", "[^'&]+") for n, v in endpoint.query)
    return f"{endpoint.method} {escaped}" + (rf"\?{query}" if query else "")


def test_nothing_but_the_table_of_calls_is_ever_sent() -> None:
    """Only GET, and POST of a $batch of GETs; each URL is one of the table's, and the table has none too many."""
    with serve(contoso()) as running:
        read(request(running))
        sent = {f"{call.method} {call.target}" for call in running.calls}
        assert {call.method for call in running.calls if call.in_batch} == {"GET"}
    patterns = [_pattern(endpoint) for endpoint in ENDPOINTS]
    for call in sent:
        assert any(re.fullmatch(pattern, call) for pattern in patterns), call
    for pattern in patterns:
        assert any(re.fullmatch(pattern, call) for call in sent), pattern


REFUSALS = {
    "organization": ("/organization", "Organization.Read.All"),
    "enabledMembers": ("/users", "User.Read.All"),
    "servicePrincipals": (r"/v1.0/servicePrincipals\?", "Application.Read.All"),
    "resources": ("appRoles,oauth2PermissionScopes", "Application.Read.All"),
    "appRoleAssignments": ("/appRoleAssignments", "Application.Read.All"),
    "oauth2PermissionGrants": ("/oauth2PermissionGrants", "Directory.Read.All"),
    "owners": ("/owners", "Application.Read.All"),
    "memberOf": ("/transitiveMemberOf", "Application.Read.All"),
    "signInActivity": ("/servicePrincipalSignInActivities", "AuditLog.Read.All"),
    "grantEvents": ("targetResources", "AuditLog.Read.All"),
}


@pytest.mark.parametrize("collection", REFUSALS)
@pytest.mark.parametrize("status", [403, 404, 400])
def test_a_collection_that_is_refused_is_unavailable_and_the_rest_is_read(collection: str, status: int) -> None:
    """Never empty: Unavailable, with the least permission that would open it where one would, and the audit goes on."""
    match, opens = REFUSALS[collection]
    found = snapshot_of(contoso(), Fault(match=match, status=status, times=0))  # type: ignore[arg-type]
    collections = [*tenant_collections(found).items()]
    for client in found.clients:
        collections += client_collections(client).items()
    asked = {name: value for name, value in collections if name in REFUSALS}
    refused = asked.pop(collection)
    assert isinstance(refused, Unavailable)
    assert refused.opens == (opens if status == 403 else "")
    assert f"HTTP {status}" in refused.why
    if collection == "servicePrincipals":
        assert found.clients == ()
    assert all(isinstance(value, Complete) for value in asked.values())


def test_without_the_organization_the_token_names_the_tenant() -> None:
    """Its tid claim; the organization itself stays Unavailable."""
    found = snapshot_of(contoso(), Fault(match="/organization", status=403, times=0))
    assert isinstance(found.organization, Unavailable)
    assert found.tenant_id == TENANT


def test_without_the_beta_listing_names_and_confirmation_are_missing() -> None:
    """The publishers' names are UNSET, which is noted, and nothing confirms the listing: Partial, with all items."""
    found = snapshot_of(contoso(), Fault(match=r"/beta/servicePrincipals\?", status=403, times=0))
    assert isinstance(found.service_principals, Partial)
    assert "not confirmed by the beta version's list: HTTP 403" in found.service_principals.why
    assert len(found.service_principals.items) == 11
    assert {sp.publisher_name for sp in found.service_principals.items} == {UNSET}
    assert any("publisher names" in note for note in found.notes)


def _with_beta_rows(*rows: Mapping[str, object], known: bool) -> Snapshot:
    """Return what is read where the beta listing alone has `rows`, which v1.0 knows by id or does not."""
    with serve(contoso()) as running:

        def respond(got: Got) -> Reply:
            headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"}
            asked = httpx.request(got.method, f"{running.url}{got.target}", headers=headers, content=got.body or None)
            body = json.loads(asked.text.replace(running.url, wire.url))
            if got.target.startswith("/beta/servicePrincipals?"):
                body["value"] += rows
            for member in body.get("responses", []):
                if known and member["status"] == 404:
                    member.update(status=200, body={**rows[0], "displayName": "Sample app of the beta listing"})
            return Reply(body, asked.status_code)

        with wire_server(respond) as wire:
            return read(
                SourceRequest(
                    profile=PROFILE,
                    configuration=AppConfiguration(),
                    connection=simulator_connection(wire.url, running.token),
                )
            )


def test_what_only_the_beta_version_has_is_no_gap() -> None:
    """Asked for by its id, v1.0 says that there is no such app: the listing is whole."""
    found = _with_beta_rows({"id": guid("beta only"), "appId": guid("beta app")}, known=False)
    assert isinstance(found.service_principals, Complete)
    assert len(found.service_principals.items) == 11


def test_what_the_listing_lost_is_named() -> None:
    """Asked for by its id, v1.0 knows the app: its own listing left it out."""
    found = _with_beta_rows({"id": guid("beta only"), "appId": guid("beta app")}, known=True)
    assert isinstance(found.service_principals, Partial)
    assert guid("beta app") in found.service_principals.why
    assert len(found.service_principals.items) == 12


def test_an_agents_identity_without_an_app_id_is_no_app() -> None:
    """It is left out and counted, and makes no gap; a row without an appId of any other kind does."""
    agent = {"id": guid("agent"), "@odata.type": "#microsoft.graph.agentIdentity"}
    found = _with_beta_rows(agent, known=False)
    assert isinstance(found.service_principals, Complete)
    assert "1 item of another kind left out" in found.service_principals.faults
    assert isinstance(_with_beta_rows({"id": guid("odd")}, known=False).service_principals, Partial)


def test_an_app_that_cannot_be_read_again_keeps_the_fields_of_the_listing() -> None:
    """Its credentials are then not known, not none; a remark says so."""
    tenant = contoso()
    first = tenant.clients[0].service_principal
    found = snapshot_of(tenant, Fault(match=rf"/servicePrincipals/{first.id}$", status=403, times=0))
    sp = next(c.service_principal for c in found.clients if c.service_principal.id == first.id)
    assert sp.display_name == first.display_name
    assert sp.key_credentials is UNSET
    assert any(first.app_id in note and "HTTP 403" in note for note in found.notes)


def test_resources_that_cannot_be_read_are_named() -> None:
    """One of two refused: Partial, with its id."""
    tenant = contoso()
    exchange = items(tenant.resources)[1]
    found = snapshot_of(tenant, Fault(match=rf"/{exchange.id}\?", status=404, times=0))
    assert isinstance(found.resources, Partial)
    assert exchange.id in found.resources.why
    assert [r.app_id for r in found.resources.items] == [items(tenant.resources)[0].app_id]


def test_records_that_change_nothing_are_left_out() -> None:
    """The log knows of policies too; the oldest record of any kind tells how far it reaches."""
    tenant = contoso()
    client = tenant.clients[0]
    other = GrantEvent(
        id="Directory_other",
        activity_date_time=datetime(2026, 10, 30, tzinfo=UTC),
        activity="Add policy to service principal",
        actor="admin@contoso.example",
        target_id=client.service_principal.id,
    )
    events = Complete(items=(*items(client.grant_events), other))
    tenant = replace(tenant, clients=(replace(client, grant_events=events), *tenant.clients[1:]), audit_log_since=None)
    found = snapshot_of(tenant)
    activities = {e.activity for c in found.clients for e in items(c.grant_events)}
    assert activities == {"Add app role assignment to service principal"}
    assert found.audit_log_since == datetime(2026, 10, 30, tzinfo=UTC)


def test_an_empty_or_closed_audit_log_reaches_back_to_nowhere() -> None:
    """None: it is not known how far it reaches."""
    tenant = contoso()
    bare = tuple(replace(c, grant_events=Complete(items=())) for c in tenant.clients)
    assert snapshot_of(replace(tenant, clients=bare, audit_log_since=None)).audit_log_since is None
    closed = Fault(match="/directoryAudits", status=403, times=0)
    assert snapshot_of(tenant, closed).audit_log_since is None


def test_an_answer_without_a_count_is_not_zero_accounts() -> None:
    """The bound of the reach is then not known."""

    def respond(got: object) -> Reply:
        target, body = got.target, got.body  # type: ignore[attr-defined]
        if "$batch" not in target:
            return Reply({"value": []})
        ids = re.findall(rb'"id":"(\d+)"', body)
        return Reply({"responses": [{"id": i.decode(), "status": 200, "body": {"value": []}} for i in ids]})

    with wire_server(respond) as server:
        found = read(
            SourceRequest(
                profile=PROFILE,
                configuration=AppConfiguration(),
                connection=simulator_connection(server.url, "opaque"),
            )
        )
    assert isinstance(found.enabled_members, Partial)
    assert items(found.enabled_members) == ()
    assert "@odata.count" in found.enabled_members.why
    assert isinstance(found.organization, Partial)
    assert "every tenant has one" in found.organization.why
    assert (found.tenant_id, found.clients, found.source.reader_app_id) == ("", (), "")
    assert isinstance(found.resources, Complete)


def test_a_tenant_without_zoom_has_no_clients() -> None:
    """And no resources to read: Complete, in one round trip of two listings and a batch for each version."""
    tenant = contoso()
    only_others = Complete(items=tuple(app(guid(f"app {n}"), f"Sample app {n}") for n in range(3)))
    bare = replace(tenant, clients=(), service_principals=only_others, resources=Complete(items=()))
    with serve(bare) as running:
        found = read(request(running))
        assert running.requests == 4
    assert found.clients == ()
    assert found.resources == Complete(items=())


def test_only_the_named_apps_are_read() -> None:
    """`--app-id`, in any case of letters."""
    with serve(contoso()) as running:
        found = read(request(running, only=frozenset({ZOOM_APPS[2].upper()})))
    assert [c.service_principal.app_id for c in found.clients] == [ZOOM_APPS[2]]


def test_a_named_app_that_is_not_there_is_an_error() -> None:
    """Against a whole listing only: after a failed one nobody knows."""
    nobody = guid("nobody")
    with serve(contoso()) as running, pytest.raises(UsageError, match=nobody):
        read(request(running, only=frozenset({nobody})))
    closed = Fault(match=r"/v1.0/servicePrincipals\?", status=403, times=0)
    with serve(contoso(), faults=(closed,)) as running:
        assert read(request(running, only=frozenset({nobody}))).clients == ()


def test_grants_on_one_resource_read_it_once() -> None:
    """Four apps with three grants each on two resources: two resources are asked for."""
    with serve(contoso()) as running:
        read(request(running))
        asked = [call.target for call in running.calls if "oauth2PermissionScopes" in call.target]
    assert len(asked) == len(set(asked)) == 2


def test_users_who_hold_roles_on_a_resource_are_no_trouble() -> None:
    """An assignment whose resource is gone is kept; the resource is named as not read."""
    tenant = contoso()
    client = tenant.clients[0]
    gone = AppRoleAssignment(
        id="GoNe", app_role_id=guid("r"), principal_id=client.service_principal.id, resource_id=guid("gone")
    )
    held = Complete(items=(*items(client.app_role_assignments), gone))
    tenant = replace(tenant, clients=(replace(client, app_role_assignments=held), *tenant.clients[1:]))
    found = snapshot_of(tenant)
    assert "GoNe" in {a.id for c in found.clients for a in items(c.app_role_assignments)}
    assert isinstance(found.resources, Partial)
    assert guid("gone") in found.resources.why


def test_a_wrong_token_is_a_sign_in_error() -> None:
    """Exit 2 with advice; no half snapshot."""
    with serve(contoso()) as running, pytest.raises(SignInError, match="does not take the token"):
        read(request(running, connection=simulator_connection(running.url, "wrong")))


def test_no_network_is_a_graph_error() -> None:
    """Exit 2: nothing was read, so nothing can be reported."""
    with wire_server(lambda _got: Reply({})) as server:
        url = server.url
    with pytest.raises(GraphError, match="could not be reached"):
        read(
            SourceRequest(
                profile=PROFILE, configuration=AppConfiguration(), connection=simulator_connection(url, "token")
            )
        )


def test_the_environment_names_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection of its own, a request goes where the environment says."""
    with serve(contoso()) as running:
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", running.url)
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", running.token)
        assert len(read(request(running, connection=None)).clients) == 4


def test_a_real_tenant_is_called_one() -> None:
    """Only the simulator's snapshots say simulator."""
    with serve(contoso()) as running:
        simulated = simulator_connection(running.url, running.token)
        real = Connection(base_url=simulated.base_url, credential=simulated.credential)
        assert read(request(running, connection=real)).source.kind == "tenant"


def test_an_interruption_leaves_cleanly(caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C in the middle comes through as itself; no thread, task or complaint stays behind."""
    told: list[int] = []

    def interrupt(_what: str, done: int, _total: int | None) -> None:
        told.append(done)
        signal.raise_signal(signal.SIGINT)

    with serve(contoso()) as running:
        before = threading.active_count()
        with pytest.raises(KeyboardInterrupt):
            read(request(running, progress=interrupt))
        assert threading.active_count() == before
    gc.collect()
    assert told
    assert caplog.text == ""


def test_the_live_source_is_the_default() -> None:
    """It needs no option of its own."""
    assert sources()["tenant"] is SOURCE
    assert SOURCE.option == ""
