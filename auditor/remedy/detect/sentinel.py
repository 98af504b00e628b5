"""Microsoft Sentinel: an analytics rule over the table AuditLogs of a Log Analytics workspace."""

from __future__ import annotations

from auditor.model.plan import RevokePlan
from auditor.remedy.detect import Query
from auditor.remedy.detect.kusto import MATCHED, SHOWN, comment, strings, table
from auditor.remedy.detect.watched import ACTIVITIES, READ, facts, watched

_SOURCES = (
    f"Columns: https://learn.microsoft.com/azure/azure-monitor/reference/tables/auditlogs (read {READ}).",
    "Names of the modified properties: inferred from published records (github.com/OTRF/Security-Datasets and",
    f"github.com/splunk/security_content, read {READ}); Microsoft documents the record and not these names.",
    "Needs the diagnostic setting of Microsoft Entra ID that sends AuditLogs to the workspace.",
    "As a scheduled rule: every hour over the last hour and a half; records arrive late.",
)
_BODY = f"""\
AuditLogs
| where TimeGenerated > ago(90m)
| where OperationName in~ {strings(ACTIVITIES)}
| where Result =~ "success"
| mv-apply Property = TargetResources[0].modifiedProperties on (
    summarize Properties = make_bag(bag_pack(tostring(Property.displayName), trim(@'"', tostring(Property.newValue))))
)
| extend Activity = OperationName,
    Resource = strcat(tostring(TargetResources[0].id), " ", tostring(Properties["TargetId.ServicePrincipalNames"]))
| extend Actor = coalesce(tostring(InitiatedBy.user.userPrincipalName), tostring(InitiatedBy.app.displayName)),
    ActorId = coalesce(tostring(InitiatedBy.user.id), tostring(InitiatedBy.app.servicePrincipalId)),
    IPAddress = coalesce(tostring(InitiatedBy.user.ipAddress), tostring(InitiatedBy.app.ipAddress))
{MATCHED}| project TimeGenerated, {SHOWN}
"""


def write(plan: RevokePlan) -> str:
    """Return the query in Kusto Query Language."""
    rows = watched(plan)
    return comment((*facts(plan, len(rows)), *_SOURCES)) + table(rows) + _BODY


QUERY = Query(name="sentinel", help="Microsoft Sentinel: KQL over AuditLogs", write=write)
