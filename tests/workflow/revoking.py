"""Plans of the sample tenant, made and refreshed without a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from auditor.knowledge.configuration import load_configuration
from auditor.model.canonical import sha256, to_gzip, to_json
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Client, Complete, Snapshot, items
from auditor.remedy.planning import build_plan
from auditor.remedy.seal import decode_plan
from auditor.reporters.json import render
from auditor.simulator.sample import CALENDAR, sample
from auditor.sources import SourceRequest
from auditor.sources.snapshot_file import SOURCE, encode
from auditor.workflow.prepare import Prepared
from auditor.workflow.revoke import Refreshed, refresh, write_plan
from auditor.workflow.run import judge
from auditor.workflow.writing import write_files
from tests.engine.world import rulebook

CONFIGURATION = """\
apps:
  zoom:
    policy: required
    integrations: {"33333333-3333-4333-8333-333333333333": personal-calendar-application}
    features: [personal-calendar-application]
    answers:
      calendar_events_only: {value: true, answered_by: Ada Admin (sample), date: 2026-11-01}
"""
SNAPSHOT = sample()


def configured(folder: Path) -> Path:
    """Write the configuration where a run in the folder finds it."""
    path = folder / "entra-audit.yaml"
    path.write_text(CONFIGURATION)
    return path


def prepared(folder: Path) -> Prepared:
    """Return the rules and the team's word, as a run in the folder has them."""
    team = load_configuration(configured(folder))
    return Prepared(rulebook=rulebook(), configuration=team, configuration_sha256=sha256(to_json(team)))


def audited(folder: Path, snapshot: Snapshot = SNAPSHOT, out: str = "report") -> Path:
    """Write what `run` writes for a snapshot, beside the snapshot as now.json, and return the audit's path."""
    result, data = judge(snapshot, prepared(folder))
    (folder / "now.json").write_bytes(data)
    write_files(folder / out, {"snapshot.json.gz": to_gzip(data), **render(result)})
    return folder / out / "audit.json"


def planned(folder: Path, snapshot: Snapshot = SNAPSHOT, name: str = "plan.json", **options: Any) -> Path:
    """Write the plan of a snapshot and return its path."""
    result, data = judge(snapshot, prepared(folder))
    (folder / "now.json").write_bytes(data)
    plan = build_plan(result, snapshot, rulebook=rulebook(), **options)
    return write_plan(plan, folder / name)[0]


def refreshed(folder: Path, snapshot: Snapshot, **options: Any) -> Refreshed:
    """Refresh plan.json against a snapshot."""
    (folder / "now.json").write_bytes(encode(snapshot))
    team = prepared(folder)
    request = SourceRequest(
        profile=rulebook().profile, configuration=team.configuration.apps["zoom"], location=str(folder / "now.json")
    )
    return refresh(read(folder / "plan.json"), SOURCE, request, team, **{"out": folder / "plan.json", **options})


def read(path: Path) -> RevokePlan:
    return decode_plan(path.read_bytes(), str(path))


def without(snapshot: Snapshot, *values: str) -> Snapshot:
    """Return the tenant with the calendar app's assignments of these permissions gone."""
    roles = {r.id for sp in items(snapshot.resources) for r in sp.app_roles or () if r.value in values}

    def left(client: Client) -> Client:
        if client.service_principal.app_id != CALENDAR:
            return client
        kept = tuple(a for a in items(client.app_role_assignments) if a.app_role_id not in roles)
        return replace(client, app_role_assignments=Complete(items=kept))

    return replace(snapshot, clients=tuple(map(left, snapshot.clients)))
