"""Grant: one permission that one client holds on one resource; the flat row that everything later reads."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

Kind = Literal["application", "delegated"]
Consent = Literal["AllPrincipals", "Principal", ""]
GrantKey = tuple[str, str, str, str]
"""Service principal, grant id, permission, principal."""


class Grant(Struct, frozen=True, kw_only=True):
    """One permission held, from an app-role assignment or from one scope of a delegated grant.

    Its `key` tells it from the others of its tenant.
    """

    service_principal_id: str
    app_id: str
    app_name: str
    kind: Kind
    consent: Consent
    """Empty for an application permission."""
    principal_id: str
    """The user of a per-user grant; empty otherwise."""
    resource_id: str
    resource_app_id: str
    """Empty when the resource could not be read."""
    resource_name: str
    permission: str
    """The permission's value; its id where no value is known."""
    permission_id: str
    """Empty for a delegated scope that the resource does not publish, or whose resource was not read."""
    known: bool
    """The resource publishes it, or the permission tables name it."""
    default_access: bool = False
    """appRoleId of all zeros: shown, and no permission."""
    grant_id: str
    """Graph's object id of the assignment or of the delegated grant."""
    granted_at: datetime | None = None
    granted_by: str = ""

    @property
    def key(self) -> GrantKey:
        """What tells a grant in one tenant."""
        return (self.service_principal_id, self.grant_id, self.permission, self.principal_id)
