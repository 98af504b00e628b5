"""What the alert queries promise: exactly what a plan takes, in ids and known names, and nothing a tenant wrote."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.errors import RefusedError
from auditor.knowledge.permissions import load_permissions
from auditor.model.activity import GRANT_ACTIVITIES
from auditor.model.directory import GrantEvent
from auditor.model.plan import RevokePlan, Step
from auditor.remedy.detect import Query, queries
from auditor.remedy.detect.watched import ACTIVITIES, CONSENT, watched
from auditor.simulator.audits import directory_audit
from tests.hostile import HOSTILE
from tests.remedy.plans import GRAPH, NOBODY, client, plan, resource_id, role_id, steps
from tests.reporters.fill import fill

ALL = list(queries().values())
GUIDS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
NAMED = ("app_name", "tenant_name", "resource_name", "title", "why", "principal_display_name", "resource_display_name")
"""Ends of the fields that hold what a tenant wrote, or what is made of it."""


def code(query: str) -> str:
    """Return a query without its comments."""
    kept = re.sub(r"```.*?```\n", "", query)
    return "\n".join(line for line in kept.splitlines() if not line.startswith("//"))


def of(one: Step, **target: Any) -> RevokePlan:
    return plan(replace(one, target=replace(one.target, **target)))


def event(activity: str, *permissions: str) -> GrantEvent:
    return GrantEvent(
        id=NOBODY,
        activity_date_time=datetime(2026, 11, 21, tzinfo=UTC),
        activity=activity,
        target_id=client(steps()[0].target.app_id).service_principal.id,
        resource_id=resource_id(),
        permissions=permissions,
    )


def renamed(text: str, path: str, value: Any) -> Any:
    return text if path.endswith(NAMED) else value


def properties(record: Any) -> dict[str, str]:
    """Return a record's modified properties of its first target, unquoted as the queries do it."""
    first = record["targetResources"][0]["modifiedProperties"]
    return {one["displayName"]: (one["newValue"] or "").strip('"') for one in first}


# The registry


def test_there_are_the_three_products() -> None:
    """Each module of the folder that holds a QUERY is a format, by its name."""
    assert [(name, query.name) for name, query in queries().items()] == [
        ("defender", "defender"),
        ("sentinel", "sentinel"),
        ("splunk", "splunk"),
    ]
    assert all(query.help for query in ALL)


# What is watched


def test_each_permission_that_goes_is_watched_once() -> None:
    """Application permissions by id, delegated ones by value, on their resource; a switched-off app has none."""
    app = steps()[0].target.service_principal_id
    expected = {
        (app, "application", role_id("Calendars.Read")),
        (app, "application", role_id("Mail.ReadWrite")),
        (app, "delegated", "user.read"),
        (app, "delegated", "email"),
        (app, "delegated", "contacts.readwrite"),
    }
    found = watched(plan(*steps(), steps()[0]))
    assert {(one.service_principal_id, one.kind, one.key) for one in found} == expected
    assert len(found) == len(expected)
    assert {(one.resource_app_id, one.resource_id) for one in found} == {(GRAPH, resource_id())}
    assert {one.permission for one in found} == {
        "Calendars.Read", "Mail.ReadWrite", "User.Read", "email", "Contacts.ReadWrite",
    }  # fmt: skip


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_a_query_holds_every_id_and_nothing_that_stays(query: Query) -> None:
    """App, resource and permission of each step are in it; the narrower one of a replacement is not."""
    text = code(query.write(plan()))
    for one in watched(plan()):
        assert {one.service_principal_id, one.resource_app_id, one.resource_id} <= set(GUIDS.findall(text))
        assert one.key in text or one.key.replace(".", "[.]") in text
    assert role_id("Mail.Read") not in text
    for activity in ACTIVITIES:
        assert activity in text


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_a_query_shows_when_who_from_where_and_the_correlation(query: Query) -> None:
    """The last command of each names time, actor, address and correlation id."""
    shown = query.write(plan()).rstrip().rpartition("\n| ")[2]
    assert shown.startswith(("project ", "table "))
    for wanted in ("(TimeGenerated|Timestamp|_time)", "Actor", "IPAddress", "Permission", "CorrelationId"):
        assert re.search(rf"\b{wanted}\b", shown)


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_a_query_says_its_sources_and_that_it_was_not_run(query: Query) -> None:
    """Comments name plan, tenant, the pages of the columns with their day, and that no live workspace has run it."""
    text = query.write(plan())
    for part in (plan().sha256, plan().tenant_id, "not run against a live workspace", "https://", "2026-11-22"):
        assert part in text
    assert not any(part in code(text) for part in ("not run", "https://"))


def test_splunk_begins_with_its_macro() -> None:
    """The first line is the one to adapt: a macro, and which sourcetype it stands for is said below it."""
    first, second, *_ = queries()["splunk"].write(plan()).splitlines()
    assert first.startswith("`entra_directory_audit` ")
    assert second.startswith("``` ")
    assert "sourcetype=azure:monitor:aad" in queries()["splunk"].write(plan())


@pytest.mark.parametrize("purpose", ["undo", "revoke"])
def test_a_plan_that_takes_nothing_is_refused(purpose: str) -> None:
    """An undo, and a plan that only switches an app off, leave nothing to watch for."""
    made = plan(purpose="undo") if purpose == "undo" else plan(steps()[4])
    for query in ALL:
        with pytest.raises(RefusedError, match="nothing to watch for"):
            query.write(made)


# Nothing a tenant wrote


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_no_hostile_name_changes_a_query(query: Query) -> None:
    """Whatever an app, a tenant, a resource or a title is called, the query is the same to the byte."""
    made = plan()
    expected = query.write(made)
    for text in HOSTILE:
        named = fill(made, partial(renamed, text))
        assert named != made
        assert query.write(named) == expected


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_no_hostile_permission_id_or_hash_gets_in(query: Query) -> None:
    """A permission or resource that is no GUID and in no table is watched as any, never by its text."""
    one, scopes = steps()[0], steps()[2]
    anything = {
        kind: query.write(of(step, permissions=("x",), permission_ids=("x",), resource_app_id="x", resource_id="x"))
        for kind, step in (("application", one), ("delegated", scopes))
    }
    for text in HOSTILE:
        for kind, step in (("application", one), ("delegated", scopes)):
            odd = {"permissions": (text,), "permission_ids": (text,), "resource_app_id": text, "resource_id": text}
            made = replace(of(step, **odd), tenant_id=text)
            found = query.write(replace(made, sha256=text))
            assert code(found) == code(anything[kind])
            assert "Plan without a hash" in found
            assert "Tenant not known" in found


def test_an_app_without_a_guid_is_refused() -> None:
    """What an app is called by goes into the query, so it is a GUID or there is no query."""
    for text in HOSTILE:
        with pytest.raises(RefusedError, match="no GUID"):
            watched(of(steps()[0], service_principal_id=text))


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_only_guids_and_known_names_stand_between_quotes(query: Query) -> None:
    """GUIDs and names of the permission tables are all that a plan adds; every quote is closed."""
    names = {entry.permission for family in load_permissions().families for entry in family.permissions}
    names |= {name.lower() for name in names}
    text = code(query.write(plan()))
    for one in watched(plan()):
        assert {one.key, one.permission} - names <= set(GUIDS.findall(one.key))
    assert text.isascii()
    assert text.replace("@'\"'", "").replace('\\"', "").count('"') % 2 == 0


def test_a_permission_without_an_id_is_watched_by_name_or_as_any() -> None:
    """A delegated scope needs no id; an application permission without one is watched as any on its resource."""
    [scope] = watched(of(steps()[2], permissions=("Mail.Read",), permission_ids=()))
    assert (scope.key, scope.permission) == ("mail.read", "Mail.Read")
    [role] = watched(of(steps()[0], permissions=("Calendars.Read",), permission_ids=("",)))
    assert (role.key, role.resource_app_id) == ("", GRAPH)


def test_the_unknown_is_watched_as_any_in_splunk() -> None:
    """An empty key asks for any role or scope, an empty resource for any resource."""
    text = queries()["splunk"].write(
        plan(
            replace(steps()[0], target=replace(steps()[0].target, permission_ids=("",))),
            replace(
                steps()[2], target=replace(steps()[2].target, permissions=("x",), resource_id="", resource_app_id="")
            ),
        )
    )
    assert "isnotnull(role)" in text
    assert "isnotnull(scope)" in text
    assert "any permission on any resource" in text


# The shapes of the log


def test_activities_are_those_that_the_audit_itself_reads() -> None:
    """The queries and the reader of the audit log agree on what grants a permission."""
    assert {activity.lower() for activity in ACTIVITIES} == GRANT_ACTIVITIES


def test_the_consent_pattern_finds_client_resource_and_scopes() -> None:
    """In the text of a consent's record each entry gives its three parts, and what was there before gives none."""
    record = directory_audit(event("Consent to application", "Mail.Read", "User.Read"), {})
    said = properties(record)["ConsentAction.Permissions"]
    found = re.findall(CONSENT, said.rpartition("=>")[2], re.IGNORECASE)
    assert found == [(event("x").target_id, resource_id(), "Mail.Read User.Read")]
    assert re.findall(CONSENT, said.partition("=>")[0], re.IGNORECASE) == []


@pytest.mark.parametrize(
    ("scope", "hit"), [("Contacts.ReadWrite User.Read", True), ("Contacts.ReadWrite.Shared", False)]
)
def test_splunk_tells_a_scope_from_a_longer_one(scope: str, hit: bool) -> None:
    """The pattern for a consent and for a scope match whole names only."""
    text = queries()["splunk"].write(plan(steps()[3]))
    [consent] = re.findall(r'match\(consent, "([^"]*)"\)', text)
    [direct] = re.findall(r'match\(scope, "([^"]*)"\)', text)
    record = properties(directory_audit(event("Consent to application", *scope.split()), {}))
    assert bool(re.search(consent, record["ConsentAction.Permissions"].lower())) == hit
    granted = properties(directory_audit(event("Add delegated permission grant", *scope.split()), {}))
    assert bool(re.search(direct, granted["DelegatedPermissionGrant.Scope"].lower())) == hit


def test_properties_that_the_queries_read_are_in_published_records(reference_data: Path) -> None:
    """A published record of a delegated grant carries the properties by which app, resource and scopes are read."""
    lines = (reference_data / "fixtures" / "otrf" / "AADAuditEvents.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    [granted] = [one for one in records if one["OperationName"] == "Add delegated permission grant"]
    targets = json.loads(granted["TargetResources"])
    said = properties({"targetResources": targets})
    assert GUIDS.fullmatch(said["ServicePrincipal.ObjectID"])
    assert said["DelegatedPermissionGrant.Scope"].split() == ["User.Read", "Mail.ReadWrite"]
    assert GRAPH in said["TargetId.ServicePrincipalNames"]
    for name in ("ServicePrincipal.ObjectID", "DelegatedPermissionGrant.Scope", "TargetId.ServicePrincipalNames"):
        assert all(name in query.write(plan()) for query in ALL)
    assert json.loads(granted["InitiatedBy"])["user"].keys() >= {"id", "userPrincipalName", "ipAddress"}
