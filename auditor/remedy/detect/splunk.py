"""Splunk: a search over the directory audit log that an event hub brings (sourcetype azure:monitor:aad)."""

from __future__ import annotations

from auditor.model.plan import RevokePlan
from auditor.remedy.detect import Query
from auditor.remedy.detect.watched import ACTIVITIES, READ, Watched, facts, watched

_SOURCES = (
    "Define the macro of the first line as: index=YOUR_INDEX sourcetype=azure:monitor:aad category=AuditLogs",
    "It is the sourcetype of the Splunk Add-on for Microsoft Cloud Services reading an event hub; events of",
    "azure:aad:audit have the same fields without the prefix properties. and are not read by this search.",
    "Fields: https://github.com/splunk/security_content/tree/develop/data_sources (Azure Active Directory Add app role",
    f"assignment to service principal, read {READ}). Functions: https://docs.splunk.com, eval.",
)
_FIELDS = """\
| spath output=property path=properties.targetResources{}.modifiedProperties{}
| spath output=target path=properties.targetResources{}.id
| spath output=record path=properties.id
| spath output=operation path=operationName
| spath output=CorrelationId path=properties.correlationId
| spath output=actor_user path=properties.initiatedBy.user.userPrincipalName
| spath output=actor_app path=properties.initiatedBy.app.displayName
| spath output=IPAddress path=properties.initiatedBy.user.ipAddress
| eval target=lower(mvindex(target, 0)), Actor=coalesce(actor_user, actor_app)
| mvexpand property
| eval name=spath(property, "displayName"), value=lower(trim(spath(property, "newValue"), "\\""))
| eval client=if(name=="ServicePrincipal.ObjectID", value, null()),
    role=if(name=="AppRole.Id", value, null()),
    scope=if(name=="DelegatedPermissionGrant.Scope", value, null()),
    names=if(name=="TargetId.ServicePrincipalNames", value, null()),
    consent=if(name=="ConsentAction.Permissions", replace(value, "^.*=>", ""), null())
| stats min(_time) AS _time, values(client) AS client, values(role) AS role, values(scope) AS scope,
    values(names) AS names, values(consent) AS consent, values(target) AS target, values(Actor) AS Actor,
    values(IPAddress) AS IPAddress, values(CorrelationId) AS CorrelationId by record, operation
| eval resource=mvjoin(mvappend(target, names), " ")
| eval granted=mvappend("",
"""


def write(plan: RevokePlan) -> str:
    """Return the search in Splunk's Search Processing Language."""
    rows = watched(plan)
    notes = "".join(f"``` {line} ```\n" for line in (*facts(plan, len(rows)), *_SOURCES))
    operations = ", ".join(f'"{activity}"' for activity in ACTIVITIES)
    tests = ",\n".join(f'    if({_holds(row)}, "{_label(row)}", null())' for row in rows)
    return (
        f"`entra_directory_audit` operationName IN ({operations}) properties.result=success\n"
        f"{notes}{_FIELDS}{tests})\n"
        "| where mvcount(granted) > 1\n"
        '| eval Permission=mvfilter(granted!="")\n'
        "| table _time, Actor, IPAddress, operation, Permission, CorrelationId, record\n"
    )


def _holds(row: Watched) -> str:
    """Return the condition under which an event gives this permission."""
    if row.kind == "application":
        return f'client=="{row.service_principal_id}" AND {_key("role", row)}{_resource(row)}'
    direct = f'client=="{row.service_principal_id}" AND {_key("scope", row)}{_resource(row)}'
    return f"({direct}) OR {_consent(row)}"


def _key(field: str, row: Watched) -> str:
    if not row.key:
        return f"isnotnull({field})"
    if field == "role":
        return f'role=="{row.key}"'
    return f'match(scope, "(^|\\s){_pattern(row.key)}(\\s|$)")'


def _resource(row: Watched) -> str:
    ids = [one for one in (row.resource_app_id, row.resource_id) if one]
    return f' AND match(resource, "{"|".join(ids)}")' if ids else ""


def _consent(row: Watched) -> str:
    resource = row.resource_id or "[0-9a-f-]{36}"
    scope = rf"[^,\]]*(?<![\w.]){_pattern(row.key)}(?![\w.])" if row.key else ""
    return f'match(consent, "clientid: {row.service_principal_id}[^\\]]*resourceid: {resource}[^\\]]*scope: *{scope}")'


def _pattern(name: str) -> str:
    return name.replace(".", "[.]")


def _label(row: Watched) -> str:
    names = dict.fromkeys(name for name in (row.permission, row.key if row.kind == "application" else "") if name)
    what = " ".join(names) or "any permission"
    return (
        f"{row.service_principal_id}: {row.kind} {what} on {row.resource_app_id or row.resource_id or 'any resource'}"
    )


QUERY = Query(name="splunk", help="Splunk: SPL over azure:monitor:aad", write=write)
