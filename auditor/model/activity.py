"""Activities of the directory audit log: which of them grant an app something, and which change it in another way."""

from __future__ import annotations

from auditor.model.directory import GrantEvent

GRANT_ACTIVITIES = frozenset(
    {
        "add app role assignment to service principal",
        "add delegated permission grant",
        "add oauth2permissiongrant",
        "consent to application",
    },
)
"""Activities of the directory audit log, lower case, that grant an app a permission."""

CHANGE_ACTIVITIES = GRANT_ACTIVITIES | {
    "add member to group",
    "add member to role",
    "add owner to service principal",
    "add service principal",
    "add service principal credentials",
    "hard delete service principal",
    "remove app role assignment from service principal",
    "remove delegated permission grant",
    "remove member from group",
    "remove member from role",
    "remove oauth2permissiongrant",
    "remove owner from service principal",
    "remove service principal",
    "remove service principal credentials",
    "restore consent",
    "restore service principal",
    "set verified publisher",
    "unset verified publisher",
    "update application",
    "update application - certificates and secrets management",
    "update service principal",
}
"""Activities, lower case and with a plain hyphen, that change something about an app.

https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities (read 2026-11-28).
"""


def activity_of(event: GrantEvent) -> str:
    """Return the activity in lower case and with a plain hyphen, as CHANGE_ACTIVITIES spells it."""
    return " ".join(event.activity.lower().replace("\N{EN DASH}", "-").split())


def is_grant(event: GrantEvent) -> bool:
    """Tell whether the record is of an activity that grants a permission, not of another change."""
    return activity_of(event) in GRANT_ACTIVITIES


def is_change(event: GrantEvent) -> bool:
    """Tell whether the record is of an activity that changes something about an app."""
    return activity_of(event) in CHANGE_ACTIVITIES
