"""Microsoft Defender XDR: advanced hunting over the table CloudAppEvents."""

from __future__ import annotations

from auditor.model.plan import RevokePlan
from auditor.remedy.detect import Query
from auditor.remedy.detect.kusto import MATCHED, SHOWN, comment, strings, table
from auditor.remedy.detect.watched import ACTIVITIES, READ, facts, watched

_SOURCES = (
    f"Columns: https://learn.microsoft.com/defender-xdr/advanced-hunting-cloudappevents-table (read {READ}).",
    "Fields of RawEventData: https://learn.microsoft.com/office/office-365-management-api/",
    f"office-365-management-activity-api-schema (read {READ}); InterSystemsId is its correlation id.",
    "Names of the modified properties, and the full stop after each activity: inferred from published hunting queries",
    f"(github.com/Azure/Azure-Sentinel, read {READ}).",
    "Needs the Microsoft 365 connector of Defender for Cloud Apps with Microsoft Entra ID management events.",
)
_BODY = f"""\
CloudAppEvents
| where Timestamp > ago(90m)
| where ActionType in~ {strings(f"{activity}." for activity in ACTIVITIES)}
| where tostring(RawEventData.ResultStatus) =~ "success"
| mv-apply Property = RawEventData.ModifiedProperties on (
    summarize Properties = make_bag(bag_pack(tostring(Property.Name), trim(@'"', tostring(Property.NewValue))))
)
| extend Activity = ActionType,
    Resource = strcat(tostring(RawEventData.Target), " ", tostring(Properties["TargetId.ServicePrincipalNames"]))
| extend Actor = coalesce(tostring(RawEventData.UserId), AccountDisplayName), ActorId = AccountObjectId,
    IPAddress = coalesce(IPAddress, tostring(RawEventData.ActorIpAddress)),
    CorrelationId = tostring(RawEventData.InterSystemsId)
{MATCHED}| project Timestamp, {SHOWN}, ReportId
"""


def write(plan: RevokePlan) -> str:
    """Return the query in Kusto Query Language."""
    rows = watched(plan)
    return comment((*facts(plan, len(rows)), *_SOURCES)) + table(rows) + _BODY


QUERY = Query(name="defender", help="Microsoft Defender XDR: KQL over CloudAppEvents", write=write)
