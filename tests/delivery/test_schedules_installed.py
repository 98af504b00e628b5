"""Schedules in force: a real cron and a real systemd start the watch, which shows what changed in between."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from auditor.model.canonical import from_json
from auditor.model.snapshot import items
from auditor.simulator.sample import sample
from auditor.simulator.server import Running, serve
from auditor.workflow.guarded import STATE, LastRun
from tests.delivery.machines import Machine, cron_machine, systemd_machine

AUDIT = Path(sys.executable).with_name("entra-audit")
OTHERS = "# what else this user runs\nMAILTO=\"\"\n0 0 1 1 * echo '100\\%'\n"
SERVICE = "entra-audit.service"
CONFIG = """\
tenants:
  contoso:
    tenant_id: {tenant}
"""
pytestmark = pytest.mark.slow


def ended(reports: Path, number: int, *, within: float) -> LastRun:
    """Wait until the run of a number has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if (reports / STATE).exists():
            state = msgspec.convert(from_json((reports / STATE).read_bytes()), LastRun)
            if state.run == number and state.ended:
                return state
        time.sleep(0.2)
    pytest.fail(f"no run {number}: {[path.name for path in reports.iterdir()]}")


def in_a_minute() -> str:
    """Return the next minute that is far enough away to install for, as --at takes it."""
    return f"{datetime.now(UTC) + timedelta(seconds=66):%H:%M}"


def revoke_one(tenant: Running) -> None:
    """Take one application permission away, as an administrator would."""
    client = next(client for client in tenant.snapshot.clients if items(client.app_role_assignments))
    assignment = items(client.app_role_assignments)[0]
    path = f"/v1.0/servicePrincipals/{client.service_principal.id}/appRoleAssignments/{assignment.id}"
    gone = httpx.delete(tenant.url + path, headers={"Authorization": f"Bearer {tenant.write_token}"})
    assert gone.status_code == 204


def audit(reports: Path) -> dict[str, Any]:
    (path,) = reports.glob("contoso/audit.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.mark.parametrize(
    ("platform", "machine"), [("cron", cron_machine), ("systemd", systemd_machine)], ids=["cron", "systemd"]
)
def test_an_installed_schedule_runs_twice_and_shows_the_drift(
    platform: str, machine: Callable[[Path], AbstractContextManager[Machine]], tmp_path: Path
) -> None:
    """Installed by `--install`, with paths that their syntaxes would misread; the tenant loses a grant in between. What
    else stands in the user's crontab stays, and `remove` leaves it as it was. systemd's timer begins the first run, and
    the second is asked for, as a person would."""
    reports = tmp_path / "re ports %h $HOME 'a' \"b\" \\c"
    config = tmp_path / "entra audit.yaml"
    config.write_text(CONFIG.format(tenant=sample().tenant_id))
    history = tmp_path / "hi%story.db"
    install: list[str | Path] = [AUDIT, "schedule", platform, "--install", "--config", config]
    install += ["--reports", reports, "--history", history]
    install += ["--auth", "configuration", "--every", "day", "--jitter", "0", "--retries", "0"]
    with serve(sample()) as tenant, machine(tmp_path) as here:
        variables = [
            f"ENTRA_AUDIT_SIMULATOR_URL_CONTOSO={tenant.url}",
            f"ENTRA_AUDIT_SIMULATOR_TOKEN_CONTOSO={tenant.token}",
        ]
        before = "\n".join([OTHERS, *variables, ""])
        if platform == "cron":
            here.run("crontab", "-", given=before)
        else:
            here.run("systemctl", "--user", "set-environment", *variables)
        audits = []
        for number in (1, 2):
            if platform == "cron" or number == 1:
                here.run(*install, "--at", in_a_minute())
            else:
                while "inactive" not in here.run("systemctl", "--user", "show", "-p", "ActiveState", SERVICE):
                    time.sleep(0.2)
                here.run("systemctl", "--user", "start", SERVICE)
            state = ended(reports, number, within=150)
            assert (state.exit_code, state.message) == (1, "")
            audits.append(audit(reports))
            revoke_one(tenant)
        first, second = audits
        assert "drift" not in first
        assert len(first["grants"]) == len(second["grants"]) + 1
        assert [change["what"] for change in second["drift"]["grants"]] == ["removed"]
        status = here.run(AUDIT, "schedule", "status", "--reports", reports)
        assert "number 2, ended" in status
        assert re.search(r"^overdue +no$", status, re.MULTILINE)
        here.run(AUDIT, "schedule", "remove", platform)
        if platform == "cron":
            assert here.run("crontab", "-l") == before
        else:
            assert "0 timers" in here.run("systemctl", "--user", "list-timers", "--all", "entra-audit.timer")
