"""The KQL queries before Microsoft's own parser: they parse, and every table, column and function in them is known."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from auditor.remedy.detect import queries
from tests.conftest import IN_CI
from tests.remedy.plans import plan

pytestmark = pytest.mark.slow

WEB = Path(__file__).resolve().parents[1] / "web"
SCHEMAS = {
    # https://learn.microsoft.com/azure/azure-monitor/reference/tables/auditlogs, read 2026-11-22
    "AuditLogs": "(AADOperationType: string, AADTenantId: string, ActivityDateTime: datetime, "
    "ActivityDisplayName: string, AdditionalDetails: dynamic, _BilledSize: real, Category: string, "
    "CorrelationId: string, DurationMs: long, "
    "Id: string, Identity: string, InitiatedBy: dynamic, _IsBillable: string, Level: string, Location: string, "
    "LoggedByService: string, OperationName: string, OperationVersion: string, Resource: string, "
    "ResourceGroup: string, ResourceId: string, ResourceProvider: string, Result: string, ResultDescription: string, "
    "ResultReason: string, ResultSignature: string, ResultType: string, SourceSystem: string, "
    "TargetResources: dynamic, TimeGenerated: datetime, Type: string)",
    # https://learn.microsoft.com/defender-xdr/advanced-hunting-cloudappevents-table, read 2026-11-22
    "CloudAppEvents": "(Timestamp: datetime, ActionType: string, Application: string, ApplicationId: int, "
    "AppInstanceId: int, AccountObjectId: string, AccountId: string, AccountDisplayName: string, "
    "IsAdminOperation: bool, DeviceType: string, OSPlatform: string, IPAddress: string, IsAnonymousProxy: bool, "
    "CountryCode: string, City: string, Isp: string, UserAgent: string, ActivityType: string, "
    "ActivityObjects: dynamic, ObjectName: string, ObjectType: string, ObjectId: string, ReportId: string, "
    "AccountType: string, IsExternalUser: bool, IsImpersonated: bool, IPTags: dynamic, IPCategory: string, "
    "UserAgentTags: dynamic, RawEventData: dynamic, AdditionalFields: dynamic, LastSeenForUser: dynamic, "
    "UncommonForUser: dynamic, AuditSource: string, SessionData: dynamic, OAuthAppId: string)",
}
KUSTO = ("sentinel", "defender")


def absent(what: str) -> NoReturn:
    (pytest.fail if IN_CI else pytest.skip)(f"needs {what}")
    raise AssertionError


def parsed(*texts: str) -> list[list[str]]:
    """Return what the parser complains of, query by query."""
    node = shutil.which("node")
    if node is None:
        absent("node (apt-get install nodejs)")
    if not (WEB / "node_modules" / "@kusto" / "language-service-next").exists():
        absent("the KQL parser (npm ci --ignore-scripts in tests/web)")
    done = subprocess.run(
        [node, "kusto.js"],
        cwd=WEB,
        input=json.dumps({"schemas": SCHEMAS, "queries": texts}),
        capture_output=True,
        text=True,
        check=True,
    )
    said: list[list[str]] = json.loads(done.stdout)
    return said


def test_the_parser_finds_nothing_to_say() -> None:
    """Both KQL queries parse without an error or a warning against the documented columns of their tables."""
    assert parsed(*(queries()[name].write(plan()) for name in KUSTO)) == [[], []]


@pytest.mark.parametrize("name", KUSTO)
def test_a_broken_query_is_found(name: str) -> None:
    """A column, a function and a table that do not exist, and a bracket that is left open, each give an error."""
    query = queries()[name].write(plan())
    broken = (
        query.replace("RawEventData.Target)", "RawEvents.Target)").replace("InitiatedBy.user.id", "InitiatedWith.id"),
        query.replace("make_bag(", "make_bags("),
        query.replace("\nAuditLogs\n", "\nAuditLog\n").replace("\nCloudAppEvents\n", "\nCloudAppEvent\n"),
        query.replace("| mv-expand Given", "| mv-expand (Given"),
        query.replace("Watched on ServicePrincipalId", "Watched on ServicePrincipal"),
    )
    assert query not in broken
    assert [any(line.startswith("Error") for line in said) for said in parsed(*broken)] == [True] * len(broken)
