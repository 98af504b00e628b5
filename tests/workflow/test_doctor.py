"""What is promised of the doctor: what it says an audit will lack is what the audit lacks, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import load_rulebook
from auditor.graph import endpoints
from auditor.graph.auth import Claims, Connection, simulator_connection
from auditor.graph.clouds import CLOUDS
from auditor.graph.endpoints import ENDPOINTS, Endpoint
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.directory import Organization, VerifiedDomain
from auditor.model.outcome import NotEvaluated
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    EXCHANGE,
    TENANT_COLLECTIONS,
    Collected,
    Complete,
    Snapshot,
    Unavailable,
    ledger,
)
from auditor.simulator.fault import Fault
from auditor.simulator.identities import Identities, Registration
from auditor.simulator.server import serve
from auditor.sources import SourceRequest
from auditor.sources.tenant import read
from auditor.workflow.doctor import PROBES, Diagnosis, Trial, diagnose, examine
from auditor.workflow.gaps import FEEDS, rules_left, unread
from tests.graph.contoso import TENANT, ZOOM_APPS, contoso

BOOK = load_rulebook("zoom")
TEAM = AppConfiguration(integrations={ZOOM_APPS[3]: "personal-calendar-application"})
CONFIGURATION = Configuration(apps={"zoom": TEAM})
READER = "00000000-aaaa-4aaa-8aaa-00000000c11e"
EVERY = frozenset(endpoint.application for endpoint in ENDPOINTS if endpoint.application)
ROOM = Organization(
    id=TENANT, display_name="Contoso (sample)", verified_domains=(VerifiedDomain(name="contoso.example"),)
)
ANSWERS: dict[Endpoint, Collected[object]] = {
    endpoints.ORGANIZATION: Complete(items=(ROOM,)),
    endpoints.ENABLED_MEMBERS: Complete(items=(True,)),
    endpoints.OLDEST_AUDIT: Complete(items=(True,)),
    endpoints.ANY_SIGN_IN: Complete(items=(True,)),
}
"""What Graph answers where all is open."""


def witness() -> Snapshot:
    """Return a tenant in which some app's answer to every rule hangs on what may be missing.

    One app is disabled and holds no application permission, so that only delegated ones could make a finding of it,
    and the calendar integration lacks what it needs.
    """
    tenant = contoso()
    *others, last = tenant.clients
    disabled = replace(last.service_principal, account_enabled=False)
    last = replace(last, service_principal=disabled, app_role_assignments=Complete(items=()))
    assert isinstance(tenant.service_principals, Complete)
    listed = tuple(disabled if sp.id == disabled.id else sp for sp in tenant.service_principals.items)
    return replace(tenant, clients=(*others, last), service_principals=Complete(items=listed))


def closed_to(held: frozenset[str]) -> list[Endpoint]:
    """Return the calls that none of the permissions opens, by Microsoft's tables."""
    return [e for e in ENDPOINTS if e.application and not held & {e.application, *e.also}]


def refusal(endpoint: Endpoint) -> Fault:
    """Return the fault by which Graph refuses a call, whatever the id and the query."""
    path = re.escape(endpoint.path).replace(r"\{id\}", "[^/?]+")
    return Fault(match=rf"^{endpoint.method} /{re.escape(endpoint.version)}{path}(\?|$)", status=403, times=0)


@contextmanager
def tenant_for(held: frozenset[str], *faults: Fault) -> Iterator[Connection]:
    """Serve the tenant to an identity that signs in with these permissions; what they do not open is refused."""
    reader = Registration(client_id=READER, managed=True, roles=tuple(sorted(held)))
    refused = tuple(map(refusal, closed_to(held)))
    with serve(witness(), faults=(*faults, *refused), identities=Identities(registrations=(reader,))) as running:
        answer = httpx.get(
            f"{running.url}/metadata/identity/oauth2/token",
            params={"resource": running.url, "client_id": READER},
            headers={"metadata": "true"},
        )
        yield simulator_connection(running.url, answer.json()["access_token"])


def not_evaluated(snapshot: Snapshot, collections: set[str]) -> set[str]:
    """Return the rules that an audit leaves not evaluated because of these collections."""
    result = audit(snapshot, rulebook=BOOK, configuration=CONFIGURATION, hashes=Hashes(snapshot=""))
    return {o.rule_id for o in result.outcomes if isinstance(o, NotEvaluated) and collections & set(o.collections)}


def shown(claims: Claims, *, cloud: str = "public", tenant: str = "", **answers: Collected[object]) -> Diagnosis:
    """Return the diagnosis of a token to which Graph answers all, but for `answers` by the endpoint's name."""
    changed = {getattr(endpoints, name): answer for name, answer in answers.items()}
    trial = Trial(claims=claims, answers=ANSWERS | changed)
    return diagnose(trial, BOOK.rules, cloud=CLOUDS[cloud], tenant=tenant)


def app(*roles: str, **fields: object) -> Claims:
    """Return what the token of an app of its own says."""
    return replace(Claims(tid=TENANT, appid=READER, oid=READER, roles=roles, idtyp="app"), **fields)


@pytest.mark.parametrize(
    "held",
    [
        EVERY,
        *(EVERY - {name} for name in sorted(EVERY)),
        frozenset({"Directory.Read.All"}),
        frozenset({"Directory.Read.All", "AuditLog.Read.All"}),
        frozenset({"Application.Read.All"}),
        frozenset({"AuditLog.Read.All"}),
        frozenset(),
    ],
    ids=lambda held: "+".join(sorted(name.partition(".")[0] for name in held)) or "nothing",
)
def test_the_promise_is_what_the_audit_says(held: frozenset[str]) -> None:
    """Permissions are withheld: the collections and the rules that the doctor names are those of the real audit."""
    with tenant_for(held) as to:
        told = examine(to, BOOK.rules)
        snapshot = read(SourceRequest(profile=BOOK.profile, configuration=TEAM, connection=to))
    gaps = {line.collection for line in ledger(snapshot) if line.state != "complete"} - {EXCHANGE}
    if "servicePrincipals" in gaps:  # No app is known then, so the ledger has no line of one.
        assert gaps == set(told.unread) & set(TENANT_COLLECTIONS) - {"resources"}
    else:
        assert gaps == set(told.unread)
    assert not_evaluated(snapshot, gaps) == set(told.rules_left)
    assert told.exit_code == (3 if told.rules_left else 0)
    assert told.error == ""
    assert told.tenant_id == (TENANT if "organization" not in gaps else "")


@pytest.mark.parametrize("collection", sorted(FEEDS))
def test_no_rule_stays_not_evaluated_that_was_not_named(collection: str) -> None:
    """Whatever single collection cannot be read, the audit leaves no rule open beyond those that the doctor names."""
    why = Unavailable(why="withheld")
    tenant = replace(witness(), tenant_id="") if collection == "organization" else witness()
    names = {
        "enabledMembers": "enabled_members",
        "servicePrincipals": "service_principals",
        "grantEvents": "grant_events",
    }
    field = names.get(collection) or re.sub(r"(?<!^)([A-Z])", r"_\1", collection).lower()
    if collection in CLIENT_COLLECTIONS:
        clients = tuple(replace(client, **{field: why}) for client in tenant.clients)
        tenant = replace(tenant, clients=clients)
    else:
        tenant = replace(tenant, **{field: why})
    assert not_evaluated(tenant, {collection}) <= set(rules_left(BOOK.rules, [collection]))


def test_every_call_feeds_a_collection_and_every_collection_is_fed() -> None:
    """A new call or collection cannot be forgotten."""
    assert set(FEEDS) == {*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS}
    assert {call for feeding in FEEDS.values() for call in feeding} == {e for e in ENDPOINTS if e.application}
    assert unread(ENDPOINTS) == tuple(FEEDS)
    assert unread(()) == ()
    assert rules_left(BOOK.rules, ()) == ()


def test_the_calls_that_are_tried_need_no_id_and_bring_one_row() -> None:
    """The doctor costs two requests, however large the tenant."""
    assert all("{id}" not in f"{probe.path}{probe.query}" for probe in PROBES)
    assert all(probe.single for probe in PROBES if probe is not endpoints.ORGANIZATION)
    with serve(witness()) as running:
        told = examine(simulator_connection(running.url, running.token), BOOK.rules)
        assert running.requests == 2
    assert (told.exit_code, told.tenant_name) == (0, "Contoso (sample)")


def test_a_higher_permission_is_named_where_it_opens_the_calls() -> None:
    """Held by itself, or by which other one."""
    rows = {row.permission: row for row in shown(app("Directory.Read.All", "AuditLog.Read.All")).permissions}
    assert set(rows) == EVERY
    assert {row.state for row in rows.values()} == {"held"}
    assert rows["Application.Read.All"].by == ("Directory.Read.All",)
    assert rows["Directory.Read.All"].by == ()


def test_a_missing_permission_names_what_lacks_without_it() -> None:
    """Each row for itself, and the whole together."""
    told = shown(
        app("Directory.Read.All"), OLDEST_AUDIT=Unavailable(why="HTTP 403"), ANY_SIGN_IN=Unavailable(why="HTTP 403")
    )
    row = next(row for row in told.permissions if row.permission == "AuditLog.Read.All")
    assert (row.state, row.collections) == ("missing", ("signInActivity", "grantEvents"))
    assert row.rules == told.rules_left
    assert len(row.rules) > 0
    assert told.exit_code == 3


def test_what_graph_refuses_although_the_token_carries_it_is_told_with_its_reason() -> None:
    """A licence or a role that is missing stands in no token."""
    told = shown(app(*EVERY), ANY_SIGN_IN=Unavailable(why="HTTP 403 (no premium licence)"))
    row = next(row for row in told.permissions if row.permission == "AuditLog.Read.All")
    assert (row.state, row.why) == ("refused", "HTTP 403 (no premium licence)")
    assert row.collections == ("signInActivity",)
    assert told.exit_code == 3


def test_an_empty_log_counts_as_closed() -> None:
    """A report without any row says nothing of an app, so an audit cannot use it."""
    told = shown(app(*EVERY), ANY_SIGN_IN=Complete(items=(False,)))
    assert told.unread == ("signInActivity",)
    assert any("holds no row" in row.why for row in told.permissions)


def test_what_graph_answers_is_open_whatever_the_token_says() -> None:
    """The token is shown; the answer counts."""
    told = shown(app("Application.Read.All", "AuditLog.Read.All"))
    rows = {row.permission: row.state for row in told.permissions}
    assert rows["Organization.Read.All"] == "held"
    assert rows["User.Read.All"] == "missing"  # Its second count was not tried.


def test_the_organization_is_not_missed_by_rules_where_the_token_names_the_tenant() -> None:
    """The audit takes the tenant's id from the token then; without it, the rules that ask for it are open."""
    closed: Collected[object] = Unavailable(why="HTTP 403")
    named = shown(app(*EVERY), ORGANIZATION=closed)
    unnamed = shown(app(*EVERY, tid=""), ORGANIZATION=closed)
    assert named.unread == unnamed.unread == ("organization",)
    assert named.rules_left == ()
    assert set(unnamed.rules_left) == set(rules_left(BOOK.rules, ["organization"]))
    assert unnamed.rules_left != ()


def test_what_a_cloud_does_not_have_is_told_and_leaves_rules_open() -> None:
    """Outside the global cloud there is no report of sign-ins, in China no audit log either."""
    absent: Collected[object] = Unavailable(why="no such report")
    told = shown(app(*EVERY), cloud="us-gov-l5", ANY_SIGN_IN=absent)
    assert told.not_in_cloud == told.unread == ("signInActivity",)
    assert set(told.rules_left) == set(rules_left(BOOK.rules, ["signInActivity"]))
    assert {row.state for row in told.permissions} == {"held"}
    assert shown(app(*EVERY)).not_in_cloud == ()
    assert set(shown(app(*EVERY), cloud="china").not_in_cloud) == {"signInActivity", "grantEvents"}


def test_a_person_is_told_with_scopes_and_roles_and_held_to_the_delegated_permissions() -> None:
    """What the token of a person says of itself; each row is a delegated permission."""
    person = Claims(
        tid=TENANT,
        appid=READER,
        scp="openid AuditLog.Read.All Directory.Read.All",
        wids=("5d6b6bb7-de71-4623-b4af-96380a352509",),
        upn="sam.rivera@contoso.example",
        exp=1_795_338_840,
    )
    told = shown(person)
    assert told.token is not None
    assert (told.token.kind, told.token.person) == ("delegated", "sam.rivera@contoso.example")
    assert told.token.directory_roles == ("Security Reader",)
    assert told.token.valid_until == "22 Nov 2026 09:14 UTC"
    assert {row.permission for row in told.permissions} == {e.delegated for e in ENDPOINTS if e.delegated}
    assert told.exit_code == 0


def test_a_token_that_says_nothing_is_not_taken_for_one_that_may_read() -> None:
    """What is not known is said, and nothing is promised."""
    told = shown(Claims())
    states = {row.permission: row.state for row in told.permissions}
    assert states["Application.Read.All"] == "unknown"
    assert told.exit_code == 3
    assert any("does not say" in warning for warning in told.warnings)
    assert told.token is not None
    assert told.token.valid_until == ""


def test_an_identity_that_could_write_is_warned_of_once_by_name() -> None:
    """All in one line, and only there; the audit itself could go on."""
    told = shown(app(*EVERY, "Mail.Send", "Directory.ReadWrite.All"))
    (warning,) = told.warnings
    assert "Directory.ReadWrite.All, Mail.Send" in warning
    assert told.exit_code == 0


@pytest.mark.parametrize(
    ("asked", "warned"), [(TENANT.upper(), 0), ("Contoso.example", 0), ("fabrikam.example", 1), ("", 0)]
)
def test_another_tenant_than_the_one_asked_for_is_told(asked: str, warned: int) -> None:
    """A wrong tenant is noticed before it is audited."""
    assert len(shown(app(*EVERY), tenant=asked).warnings) == warned


def test_strictness_refuses_and_shows_what_was_found() -> None:
    """Exit 2 with the reason, beside the whole diagnosis; a reader passes."""
    with tenant_for(EVERY | {"Mail.Send"}) as to:
        told = examine(to, BOOK.rules, strict=True)
    assert told.exit_code == 2
    assert "could also write: Mail.Send" in told.error
    assert told.permissions != ()
    with tenant_for(EVERY) as to:
        assert examine(to, BOOK.rules, strict=True).exit_code == 0


def test_no_sign_in_is_a_diagnosis_too() -> None:
    """A token that Graph does not take: exit 2, why, and what to do; nothing of permissions is claimed."""
    with serve(witness()) as running:
        told = examine(simulator_connection(running.url, "x.y.z"), BOOK.rules)
    assert told.exit_code == 2
    assert "does not take the token" in told.error
    assert told.token is None
    assert told.permissions == ()


def test_a_graph_that_cannot_be_reached_is_a_diagnosis_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and what to mend."""
    monkeypatch.setenv("SSL_CERT_FILE", "/absent/authorities.pem")
    told = examine(simulator_connection("http://127.0.0.1:9", "x.y.z"), BOOK.rules)
    assert told.exit_code == 2
    assert "SSL_CERT_FILE" in told.error


def test_progress_is_told() -> None:
    """Whoever waits sees requests go out."""
    seen: list[int] = []
    with tenant_for(EVERY) as to:
        examine(to, BOOK.rules, progress=lambda _what, done, _total: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 2
