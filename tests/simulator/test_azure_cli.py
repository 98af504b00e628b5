"""A client that nobody here wrote reads the simulator: the Azure CLI, page by page, filtered, and refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from auditor.model.snapshot import Snapshot, items
from auditor.simulator.sample import CALENDAR
from auditor.simulator.server import Running, serve
from tests.conftest import IN_CI

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGE = 20
ABSENT = "the Azure CLI is absent: make tools"
Az = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def running(tenant: Snapshot) -> Iterator[Running]:
    with serve(tenant) as running:
        yield running


@pytest.fixture(scope="module")
def az(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """Return `az rest --method get` on a URL, signed in to nothing and with no way out of this machine."""
    found = shutil.which("az", path=ROOT / ".tools/azure-cli/bin") or shutil.which("az")
    if found is None and IN_CI:
        pytest.fail(ABSENT, pytrace=False)
    if found is None:
        pytest.skip(ABSENT)
    home = tmp_path_factory.mktemp("azure")
    environment = {
        "AZURE_CONFIG_DIR": str(home / "config"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_SURVEY_MESSAGE": "no",
        "AZURE_AUTO_UPGRADE_ENABLE": "no",
        "HOME": str(home),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }

    def rest(url: str) -> subprocess.CompletedProcess[str]:
        bearer = f"Authorization=Bearer {running.token}"
        command = [found, "rest", "--skip-authorization-header", "--method", "get", "--url", url, "--headers", bearer]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return rest


def body(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def test_it_follows_every_page(az: Az, running: Running, tenant: Snapshot) -> None:
    """The nextLinks lead it to every service principal once, in pages of the size that it asked for."""
    url, pages = f"{running.url}/v1.0/servicePrincipals?$top={PAGE}&$select=id,appId", []
    while url:
        page = body(az(url))
        pages.append([app["id"] for app in page["value"]])
        url = page.get("@odata.nextLink", "")
    assert sorted(name for page in pages for name in page) == sorted(app.id for app in items(tenant.service_principals))
    assert [len(page) for page in pages[:-1]] == [PAGE] * (len(pages) - 1)
    assert len(pages) > 2


def test_it_filters(az: Az, running: Running) -> None:
    """Written out or encoded, a filter finds the one app that it names."""
    for text in (f"appId eq '{CALENDAR}'", quote(f"appId eq '{CALENDAR}'")):
        (found,) = body(az(f"{running.url}/v1.0/servicePrincipals?$filter={text}"))["value"]
        assert found["appId"] == CALENDAR


def test_it_understands_a_refusal(az: Az, running: Running) -> None:
    """An error is the JSON that it expects of Graph: it says which, and does not fall over."""
    ended = az(f"{running.url}/v1.0/servicePrincipals/99999999-9999-4999-8999-999999999999")
    assert ended.returncode == 1
    assert 'Not Found({"error":{"code":"Request_ResourceNotFound"' in ended.stderr
    assert "Traceback" not in ended.stderr
