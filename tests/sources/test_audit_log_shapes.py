"""Audit logs as a log store exports them, read like Microsoft Graph's own answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import GrantEvent
from auditor.model.snapshot import Complete, Snapshot, items
from auditor.sources import SourceRequest
from auditor.sources.graph_export import read_export

TENANT = "11111111-1111-4111-8111-111111111111"
APP = "0d2f5969-011b-460d-ac74-3291d227d49f"
APP_ID = "aaaaaaaa-0001-4000-8000-000000000001"
REGISTERED = "SimuLandApp"


def snapshot(folder: Path, log: bytes, *apps: dict[str, Any]) -> Snapshot:
    """Return what an export with this audit log gives."""
    own = {"id": APP, "appId": APP_ID, "displayName": REGISTERED, "appOwnerOrganizationId": TENANT}
    listed: list[dict[str, Any]] = [own, *apps]
    (folder / "servicePrincipals.json").write_text(json.dumps({"value": listed}))
    (folder / "organization.json").write_text(json.dumps({"value": [{"id": TENANT}]}))
    (folder / "auditLogs").mkdir()
    (folder / "auditLogs" / "directoryAudits.jsonl").write_bytes(log)
    return read_export(
        SourceRequest(
            location=str(folder),
            profile=load_profile("zoom"),
            configuration=AppConfiguration(),
            only=frozenset({APP_ID}),
        )
    )


def events(read: Snapshot) -> tuple[GrantEvent, ...]:
    (client,) = read.clients
    assert isinstance(client.grant_events, Complete)
    return items(client.grant_events)


def test_rows_of_log_analytics_tell_who_widened_a_consent(reference_data: Path, tmp_path: Path) -> None:
    """Objects as text holding JSON, names in PascalCase, an en dash, twice the same one: four rows, three records."""
    log = (reference_data / "fixtures/otrf/AADAuditEvents.jsonl").read_bytes()
    assert len(log.splitlines()) == 4
    found = {event.activity: event for event in events(snapshot(tmp_path, log))}
    consent = found["Add delegated permission grant"]
    assert (consent.permissions, consent.removed, consent.target_id) == (("Mail.ReadWrite",), (), APP)
    assert (consent.actor, consent.result) == ("pgustavo@simulandlabs.com", "success")
    secret = found["Update application \N{EN DASH} Certificates and secrets management"]
    assert (secret.changed, secret.application) == (("KeyDescription",), REGISTERED)
    assert secret.activity_date_time == datetime(2021, 8, 2, 13, 29, 25, 983000, tzinfo=UTC)
    assert len(found) == len(events(snapshot_again(tmp_path))) == 3


def snapshot_again(folder: Path) -> Snapshot:
    """Return the same export with the log as JSON in one array."""
    log = folder / "auditLogs" / "directoryAudits.jsonl"
    rows = [json.loads(line) for line in log.read_bytes().splitlines()]
    again = folder / "again"
    again.mkdir()
    return snapshot(again, json.dumps(rows).encode())


@pytest.mark.parametrize("owner", [TENANT, "22222222-2222-4222-8222-222222222222"])
def test_a_registration_is_matched_by_a_name_that_one_own_app_has(
    reference_data: Path, tmp_path: Path, owner: str
) -> None:
    """The log names a registration by an id of its own: where two apps have its name, nothing is guessed."""
    log = (reference_data / "fixtures/otrf/AADAuditEvents.jsonl").read_bytes()
    twin = {"id": owner, "appId": owner, "displayName": REGISTERED, "appOwnerOrganizationId": owner}
    assert [event.activity for event in events(snapshot(tmp_path, log, twin))] == ["Add delegated permission grant"]


def test_records_of_a_diagnostic_setting_stand_below_properties(tmp_path: Path) -> None:
    """What an event hub or a storage account holds: the record as Graph has it, in an envelope."""
    record = {
        "id": "Directory_sample",
        "activityDisplayName": "Add owner to service principal",
        "activityDateTime": "2026-11-20T09:14:00Z",
        "initiatedBy": {"user": {"userPrincipalName": "admin@contoso.example"}},
        "targetResources": [
            {
                "id": "33333333-3333-4333-8333-333333333333",
                "type": "User",
                "modifiedProperties": [{"displayName": "ServicePrincipal.ObjectID", "newValue": f'"{APP}"'}],
            }
        ],
    }
    line = {"time": "2026-11-20T09:14:01Z", "operationName": "x", "properties": record}
    (event,) = events(snapshot(tmp_path, json.dumps(line).encode()))
    assert (event.actor, event.target_id) == ("admin@contoso.example", APP)


def test_text_that_is_no_json_is_still_noticed_as_cut(tmp_path: Path) -> None:
    """ConvertTo-Json writes `@{...}` for what lies too deep: the record is then not whole."""
    line = {"id": "x", "activityDisplayName": "Update service principal", "activityDateTime": "2026-11-20T09:14:00Z"}
    read = snapshot(tmp_path, json.dumps({**line, "targetResources": ["@{id=1}"]}).encode())
    assert not isinstance(read.clients[0].grant_events, Complete)
