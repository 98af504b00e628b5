"""The sample export, audited: what is said of every grant, in one table."""

from __future__ import annotations

import csv
from pathlib import Path

from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.outcome import AuditResult
from auditor.reporters.csv import REPORTER
from auditor.sources import SourceRequest
from auditor.sources.graph_export import SOURCE
from auditor.workflow.prepare import Prepared
from auditor.workflow.run import judge
from tests.engine.world import rulebook

EXPORT = Path(__file__).parent.parent / "exports" / "contoso"
TABLE = Path(__file__).parent / "verdicts.csv"
CALENDAR = "5ab1eca1-0000-4000-8000-000000000004"
COLUMNS = ("app_name", "app_match", "integration", "kind", "consent", "resource_name", "permission")
ANSWERS = ("policy", "vendor_says", "covered_by", "decision", "severity")


def audited() -> AuditResult:
    team = AppConfiguration(
        integrations={CALENDAR: "personal-calendar-application"}, features=("personal-calendar-application",)
    )
    request = SourceRequest(profile=rulebook().profile, configuration=team, location=str(EXPORT))
    prepared = Prepared(rulebook=rulebook(), configuration=Configuration(apps={"zoom": team}), configuration_sha256="")
    return judge(SOURCE.read(request), prepared)[0]


def test_every_grant_of_the_sample_export_gets_the_verdict_of_the_table() -> None:
    """verdicts.csv was read line by line by a person; a change of a verdict is a change of that file."""
    rows = csv.DictReader(REPORTER.render(audited())["grants.csv"].decode("utf-8-sig").splitlines())
    with TABLE.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    assert [{name: row[name] for name in (*COLUMNS, *ANSWERS)} for row in rows] == expected
