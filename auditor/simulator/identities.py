"""Who may sign in to the simulator's tenant, and what its authority was asked."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

READER = ("Application.Read.All", "AuditLog.Read.All", "Directory.Read.All")
WRITER = ("AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""appId of Microsoft's that azure-identity signs people in with when none is named."""
GITHUB = "https://token.actions.githubusercontent.com"
KUBERNETES = "https://oidc.cluster.contoso.example"


class Trust(Struct, frozen=True, kw_only=True):
    """A federated credential of an app."""

    issuer: str
    subject: str


class Registration(Struct, frozen=True, kw_only=True):
    """An app of the sample tenant that may sign in."""

    client_id: str
    secret: str = ""
    certificate: str = ""
    """PEM of its public certificate."""
    trusts: tuple[Trust, ...] = ()
    managed: bool = False
    """A user-assigned managed identity."""
    roles: tuple[str, ...] = READER


class Identities(Struct, frozen=True, kw_only=True):
    """Who may sign in to the sample tenant, and how."""

    registrations: tuple[Registration, ...] = ()
    system: str = ""
    """appId of the machine's own managed identity; empty: it has none."""
    scopes: str = "Application.Read.All AuditLog.Read.All Directory.Read.All"
    """What a person's token carries."""
    audience: str = "api://AzureADTokenExchange"
    """Audience that a federated token has to have."""
    identity_header: str = "sample-identity-header"
    """What App Service puts into IDENTITY_HEADER."""
    job_token: str = "sample-job-token"  # noqa: S105 - a sample
    """What GitHub puts into ACTIONS_ID_TOKEN_REQUEST_TOKEN."""
    job: str = "repo:contoso/audit:ref:refs/heads/main"
    """Subject of the ID token that GitHub gives the job."""
    pending: int = 0
    """How often somebody who waits for a device code is told to wait on."""
    lifetime: int = 3600
    """Seconds that a token lives."""


class TokenRequest(NamedTuple):
    """A request for a token, answered or refused."""

    host: str
    path: str
    grant: str
    """`client_credentials`, `device_code`, `authorization_code`, `refresh_token`, `managed-identity`, `id-token`."""
    client_id: str
    given: bool
