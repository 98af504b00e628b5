"""The Azure CLI's scripts, run by the real Azure CLI against a tenant on this machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from auditor.model.plan import Result
from auditor.simulator.fault import Fault
from tests.conftest import IN_CI
from tests.remedy.plans import NOBODY, SNAPSHOT, steps
from tests.remedy.shells import applied, changed, desk, holdings, require_round_trip, small, sound

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ABSENT = "the Azure CLI is absent: make tools"


def signed_in(folder: Path, tenant_id: str = SNAPSHOT.tenant_id) -> Mapping[str, str]:
    """Return the variables of somebody who has signed in to a tenant, with no way out of this machine."""
    found = shutil.which("az", path=ROOT / ".tools/azure-cli/bin") or shutil.which("az")
    if found is None and IN_CI:
        pytest.fail(ABSENT, pytrace=False)
    if found is None:
        pytest.skip(ABSENT)
    place = folder / "azure"
    place.mkdir()
    account = {
        "id": tenant_id,
        "name": "N/A(tenant level account)",
        "state": "Enabled",
        "user": {"name": "sam.rivera@contoso.example", "type": "user"},
        "isDefault": True,
        "tenantId": tenant_id,
        "environmentName": "AzureCloud",
    }
    (place / "azureProfile.json").write_text(json.dumps({"installationId": NOBODY, "subscriptions": [account]}))
    return {
        "AZURE_CONFIG_DIR": str(place),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_SURVEY_MESSAGE": "no",
        "AZURE_AUTO_UPGRADE_ENABLE": "no",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "PATH": f"{Path(found).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_plan_is_carried_out_and_taken_back_as_apply_does_it(shell: str, tmp_path: Path) -> None:
    require_round_trip(tmp_path, small(), shell, "az", **signed_in(tmp_path))


def test_it_survives_throttling_and_lost_answers(tmp_path: Path) -> None:
    made = sound(steps()[0], steps()[1])
    faults = (
        Fault(match="GET /v1.0/servicePrincipals", status=429, retry_after="0"),
        Fault(match="POST /v1.0/servicePrincipals", kind="lost-answer"),
        Fault(match="DELETE /v1.0/servicePrincipals", status=503),
    )
    with desk(tmp_path, made, *faults, language="az") as at:
        at.environment |= signed_in(tmp_path)
        at.run("revoke.sh", "--commit")
        assert holdings(at.running.snapshot) == holdings(applied(made, tmp_path / "apply").snapshot)
        assert [line.outcome for line in at.lines if isinstance(line, Result)] == ["done"] * 3


def test_what_is_there_already_is_settled_by_reading(tmp_path: Path) -> None:
    """The object was made by a write whose answer never came; the second write is told so, and it is done."""
    made = sound(steps()[1])
    faults = (
        Fault(match="POST /v1.0/servicePrincipals", kind="lost-answer"),
        Fault(match="GET /v1.0/servicePrincipals", kind="stale", after=4, times=2),
    )
    with desk(tmp_path, made, *faults, language="az") as at:
        at.environment |= signed_in(tmp_path)
        at.run("revoke.sh", "--commit")
        sent = [call.method for call in at.running.calls if call.writes]
        assert sent == ["POST", "POST", "DELETE"]
        first = next(line for line in at.lines if isinstance(line, Result))
        assert (first.outcome, first.status) == ("done", 400)


def test_a_write_that_is_refused_fails(tmp_path: Path) -> None:
    with desk(tmp_path, sound(steps()[0]), language="az") as at:
        at.environment |= signed_in(tmp_path)
        said = at.run("revoke.sh", "--commit", code=5, GRAPH_TOKEN=at.running.token)
        assert "AppRoleAssignment.ReadWrite.All" in said
        outcomes = [(line.outcome, line.status) for line in at.lines if isinstance(line, Result)]
        assert outcomes == [("failed", 403)]


def test_drift_another_tenant_and_an_aged_plan_are_refused(tmp_path: Path) -> None:
    made = sound(steps()[0], steps()[4])
    moved = changed(SNAPSHOT, made.steps[1].changes[0], account_enabled=True)
    variables = signed_in(tmp_path)
    with desk(tmp_path, made, language="az", snapshot=moved) as at:
        assert "it has changed" in at.run("revoke.sh", "--commit", code=4, **variables)
        assert at.writes == 0
    with desk(tmp_path, sound(steps()[0], tenant_id=NOBODY), language="az") as at:
        assert SNAPSHOT.tenant_id in at.run("revoke.sh", "--commit", code=4, **variables)
        assert at.running.calls == []
    with desk(tmp_path, sound(steps()[0], expires=SNAPSHOT.taken_at.replace(year=2001)), language="az") as at:
        assert "expired" in at.run("revoke.sh", "--commit", code=4, **variables)


def test_nobody_who_is_not_signed_in_gets_anywhere(tmp_path: Path) -> None:
    with desk(tmp_path, sound(steps()[0]), language="az") as at:
        variables = signed_in(tmp_path)
        (tmp_path / "azure" / "azureProfile.json").unlink()
        assert "sign in with az login" in at.run("revoke.sh", "--commit", code=4, **variables)
        at.run("revoke.sh", code=2, **{**variables, "GRAPH_TOKEN": ""})
        assert at.running.calls == []


def test_the_token_is_on_no_command_line(tmp_path: Path) -> None:
    with desk(tmp_path, sound(steps()[0]), language="az") as at:
        at.environment |= signed_in(tmp_path)
        started = at.start("revoke.sh")
        seen: set[str] = set()
        while started.poll() is None:
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(line.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
        out, err = started.communicate()
        assert started.returncode == 0
        assert any("@-" in line for line in seen)
        assert not any(at.running.write_token in line for line in seen)
        assert at.running.write_token not in out + err
