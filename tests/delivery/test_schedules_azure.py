"""The template for Azure Container Apps, read by the Azure CLI's own models of `az containerapp job`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.workflow.schedule import render
from tests.delivery.planned import PLATFORMS, request

PYTHON = Path(__file__).parents[2] / ".tools" / "azure-cli" / "bin" / "python"
READER = """
import json, sys
from azure.cli.command_modules.containerapp import _sdk_models as models
from msrest import Deserializer, Serializer
classes = {name: value for name, value in vars(models).items() if isinstance(value, type)}
job = Deserializer(classes)("Job", json.load(sys.stdin))
json.dump(Serializer(classes).body(job, "Job"), sys.stdout)
"""


def lost(sent: object, read: object, path: str = "") -> Iterator[str]:
    """Yield where a value was not read as it was sent."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for key, value in sent.items():
            yield from lost(value, read.get(key), f"{path}/{key}")
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for number, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from lost(one, other, f"{path}/{number}")
    elif sent != read:
        yield path


@pytest.mark.slow
@pytest.mark.parametrize("image", ["registry.example/entra-audit:1", "contoso.azurecr.io/entra-audit:1"])
def test_the_azure_cli_knows_every_property_of_the_job(image: str) -> None:
    """What it does not know is lost on the way; what every resource has (name, type, version) is not the job's."""
    if not PYTHON.exists():
        pytest.skip("the Azure CLI is absent: make tools")
    platform = next(platform for platform in PLATFORMS if platform.name == "azure-container-job")
    (data,) = render(platform, request(platform, image=image)).values()
    (job,) = json.loads(data)["resources"]
    sent = json.dumps(job)
    done = subprocess.run([PYTHON, "-c", READER], input=sent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert sorted(lost(job, json.loads(done.stdout))) == ["/apiVersion", "/name", "/type"]
