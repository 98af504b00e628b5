"""What the documentation's worked examples promise: copied as they stand, they work."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.engine.cases import run_cases
from auditor.engine.rulebook import load_rulebook
from auditor.engine.rules import load_rules
from auditor.errors import InputError, UsageError
from auditor.knowledge.configuration import check_configuration, load_configuration
from auditor.knowledge.data import data_dir
from auditor.knowledge.frameworks import control_names, load_frameworks
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import Complete, Snapshot, items
from auditor.simulator.sample import sample, sample_configuration
from auditor.simulator.server import serve
from auditor.sources import SourceRequest
from auditor.sources.graph_export import read_export
from auditor.sources.snapshot_file import encode
from auditor.workflow.schedule import render
from tests.delivery.planned import request

ROOT = Path(__file__).resolve().parent.parent


def example(page: str, file: str) -> str:
    """Return the block of code on a page that begins with a comment naming `file`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if re.match(rf"# {re.escape(file)}\b", block))


def test_configuration_example_is_accepted(tmp_path: Path) -> None:
    """The example can be copied as it stands, and shows every key."""
    file = tmp_path / "entra-audit.yaml"
    file.write_text(example("docs/configuration.md", file.name), encoding="utf-8")
    configuration = load_configuration(file)
    check_configuration(configuration, profiles={"zoom": load_profile("zoom")}, where=str(file))
    assert all(getattr(configuration, key) for key in configuration.__struct_fields__)
    assert all(getattr(configuration.apps["zoom"], key) for key in configuration.apps["zoom"].__struct_fields__)


def test_example_of_a_rule_works(tmp_path: Path) -> None:
    """A rule as CONTRIBUTING.md writes it loads, and its own cases hold."""
    file = tmp_path / "many-owners.yaml"
    file.write_text(example("CONTRIBUTING.md", "rules/checks/many-owners.yaml"), encoding="utf-8")
    (rule,) = load_rules(tmp_path)
    results = run_cases(rule, profile=load_profile("zoom"), permissions=load_permissions())
    assert [result.message for result in results if not result.ok] == []
    assert len(results) == 3


def test_example_of_a_framework_works(tmp_path: Path) -> None:
    """A framework as CONTRIBUTING.md writes it loads, and a rule may name its control."""
    file = tmp_path / "FABRIKAM-1.yaml"
    file.write_text(example("CONTRIBUTING.md", "rules/frameworks/FABRIKAM-1.yaml"), encoding="utf-8")
    assert control_names(load_frameworks(tmp_path)) == ("FABRIKAM-1:A.1",)


def test_example_of_a_permission_family_works(tmp_path: Path) -> None:
    """A family as CONTRIBUTING.md writes it loads beside the others."""
    shutil.copytree(data_dir("rules") / "permissions", tmp_path, dirs_exist_ok=True)
    (tmp_path / "tasks.yaml").write_text(example("CONTRIBUTING.md", "rules/permissions/tasks.yaml"), encoding="utf-8")
    table = load_permissions(tmp_path)
    (stronger,) = [entry for entry in table.named("Tasks.ReadWrite.All") if entry.family == "tasks"]
    assert stronger.covers == ("Tasks.Read.All",)


def test_example_of_an_app_profile_works(tmp_path: Path) -> None:
    """A profile as CONTRIBUTING.md writes it loads."""
    (tmp_path / "fabrikam.yaml").write_text(example("CONTRIBUTING.md", "rules/apps/fabrikam.yaml"), encoding="utf-8")
    assert list(load_profile("fabrikam", tmp_path).integrations) == ["room-booking"]


def load_module(tmp_path: Path, file: str) -> ModuleType:
    path = tmp_path / Path(file).name
    path.write_text(example("CONTRIBUTING.md", file), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_example_of_a_source_works(tmp_path: Path) -> None:
    """A source as CONTRIBUTING.md writes it reads, and refuses what it cannot read."""
    source = load_module(tmp_path, "auditor/sources/snapshot_base64.py").SOURCE
    file = tmp_path / "snapshot.txt"
    asked = SourceRequest(profile=load_profile("zoom"), configuration=AppConfiguration(), location=str(file))
    with pytest.raises(InputError):
        source.read(asked)
    file.write_bytes(b64encode(encode(sample())))
    assert source.read(asked) == sample()


def test_example_of_a_reporter_works(tmp_path: Path) -> None:
    """A reporter as CONTRIBUTING.md writes it gives a line for every permission."""
    reporter = load_module(tmp_path, "auditor/reporters/decisions.py").REPORTER
    result = audit(
        sample(), rulebook=load_rulebook("zoom"), configuration=sample_configuration(), hashes=Hashes(snapshot="")
    )
    text = reporter.render(result)["decisions.txt"].decode()
    assert len(text.splitlines()) == len(result.grants) > 20


def test_example_of_a_schedule_works(tmp_path: Path) -> None:
    """A schedule as CONTRIBUTING.md writes it starts the whole command line at its time, and refuses what it says."""
    schedule = load_module(tmp_path, "auditor/delivery/schedules/nomad.py").SCHEDULE
    asked = request(schedule, name="weekly", reports="/srv/re ports 'a'")
    (job,) = (json.loads(content)["Job"] for content in render(schedule, asked).values())
    config = job["TaskGroups"][0]["Tasks"][0]["Config"]
    assert (config["command"], *config["args"]) == asked.argv
    assert job["Periodic"]["Spec"] == asked.timetable.cron
    with pytest.raises(UsageError, match="fill this path in"):
        render(schedule, replace(asked, reports="/srv/${node.class}"))


# The offline recipe

AZ = """\
#!{python}
import json, os, sys, urllib.request

def get(url):
    url = url.replace("https://graph.microsoft.com", os.environ["FAKE_GRAPH"])
    url = url.replace("servicePrincipals?$top=999", "servicePrincipals?$top=20").replace(" ", "%20")
    request = urllib.request.Request(url, headers={{"Authorization": "Bearer " + os.environ["FAKE_TOKEN"]}})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(str(error))

if sys.argv[1:3] == ["ad", "sp"]:
    listed = get("https://graph.microsoft.com/v1.0/servicePrincipals?$top=998")["value"]
    print("\\n".join(sp["id"] for sp in listed if "Zoom" in (sp["displayName"] or "")))
else:
    print(json.dumps(get(sys.argv[sys.argv.index("--url") + 1]), indent=2, ensure_ascii=False))
"""
"""An `az` that asks the simulator: its `rest` prints as the Azure CLI does, and its lists come in small pages."""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The folder that the script of docs/sources.md saves of the sample tenant."""
    script, az, folder = tmp_path / "save-export.sh", tmp_path / "bin" / "az", tmp_path / "export"
    script.write_text(example("docs/sources.md", script.name), encoding="utf-8")
    az.parent.mkdir()
    az.write_text(AZ.format(python=sys.executable), encoding="utf-8")
    az.chmod(0o755)
    with serve(sample()) as running:
        environment = {
            **os.environ,
            "PATH": f"{az.parent}{os.pathsep}{os.environ['PATH']}",
            "FAKE_GRAPH": running.url,
            "FAKE_TOKEN": running.token,
        }
        subprocess.run(["sh", script, folder], env=environment, check=True, capture_output=True, text=True)
    return folder


def held(snapshot: Snapshot, app_id: str) -> set[str]:
    (client,) = [client for client in snapshot.clients if client.service_principal.app_id == app_id]
    assert isinstance(client.app_role_assignments, Complete)
    assert isinstance(client.oauth2_permission_grants, Complete)
    return {a.id for a in client.app_role_assignments.items} | {g.id for g in client.oauth2_permission_grants.items}


@pytest.mark.skipif(os.name == "nt", reason="the recipe is a shell script")
def test_offline_recipe_saves_what_the_audit_needs(export: Path) -> None:
    """The script of the docs saves every page: the audit of the files sees the grants that the tenant holds."""
    team = sample_configuration().apps["zoom"]
    snapshot = read_export(SourceRequest(profile=load_profile("zoom"), configuration=team, location=str(export)))
    assert len(items(snapshot.service_principals)) == len(items(sample().service_principals)) > 20
    assert isinstance(snapshot.service_principals, Complete)
    assert isinstance(snapshot.resources, Complete)
    assert items(snapshot.enabled_members) == items(sample().enabled_members)
    named = [c for c in sample().clients if "Zoom" in (c.service_principal.display_name or "")]
    assert len(named) > 3
    for client in named:
        app_id = client.service_principal.app_id
        assert held(snapshot, app_id) == held(sample(), app_id)
    assert not list(export.rglob("*.part"))
