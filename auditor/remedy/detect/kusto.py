"""What the two products that speak Kusto Query Language share: the table of what is watched, and the last steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.remedy.detect.watched import CONSENT, Watched

_COLUMNS = ", ".join(
    f"{name}: string" for name in ("ServicePrincipalId", "Kind", "ResourceAppId", "ResourceId", "Key", "Permission")
)


def comment(lines: Iterable[str]) -> str:
    """Return lines as comments."""
    return "".join(f"// {line}\n" for line in lines)


def table(rows: Sequence[Watched]) -> str:
    """Return the statement that holds what is watched."""
    cells = ",\n".join(
        f'    "{row.service_principal_id}", "{row.kind}", "{row.resource_app_id}", "{row.resource_id}", '
        f'"{row.key}", "{row.permission}"'
        for row in rows
    )
    return f"let Watched = datatable({_COLUMNS})\n[\n{cells}\n];\n"


def strings(values: Iterable[str]) -> str:
    """Return a list of texts."""
    return "(" + ", ".join(f'"{value}"' for value in values) + ")"


MATCHED = f"""\
| extend ConsentText = tostring(split(tostring(Properties["ConsentAction.Permissions"]), "=>")[-1])
| extend Given = iff(Activity startswith "Consent to application",
    extract_all(@"(?i){CONSENT}", ConsentText),
    pack_array(pack_array(tostring(Properties["ServicePrincipal.ObjectID"]), Resource,
        strcat(tostring(Properties["AppRole.Id"]), " ", tostring(Properties["DelegatedPermissionGrant.Scope"])))))
| mv-expand Given
| extend ServicePrincipalId = tolower(tostring(Given[0])), ResourceText = tolower(tostring(Given[1])),
    Keys = split(tolower(tostring(Given[2])), " "),
    GivenKind = iff(Activity startswith "Add app role assignment", "application", "delegated")
| join kind=inner Watched on ServicePrincipalId
| where Kind == GivenKind
| where isempty(Key) or set_has_element(Keys, Key)
| where (isempty(ResourceAppId) and isempty(ResourceId))
    or (isnotempty(ResourceAppId) and ResourceText has ResourceAppId)
    or (isnotempty(ResourceId) and ResourceText has ResourceId)
"""
"""From columns Properties (bag of names to values), Activity and Resource (ids and names of the resource) on."""
SHOWN = (
    "Actor, ActorId, IPAddress, Activity, ServicePrincipalId, ResourceAppId, Kind, "
    'PermissionId = iff(Kind == "application", Key, ""), Permission, CorrelationId'
)
"""What an alert shows, after the time."""
