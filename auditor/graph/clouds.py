"""Clouds: where each of Microsoft's clouds answers; authority, host and scope always change together.

Sources: https://learn.microsoft.com/graph/deployments and
https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud (read 2026-11-22). A tenant of
Microsoft 365 GCC uses the public cloud, one of GCC High `us-gov-l4`, one of DoD `us-gov-l5`. The audiences of
federated tokens: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from auditor.errors import UsageError

AUTHORITY_VARIABLE = "AZURE_AUTHORITY_HOST"


class Cloud(Struct, frozen=True, kw_only=True):
    """One of Microsoft's clouds."""

    name: str
    title: str
    graph: str
    """Scheme and host of Microsoft Graph."""
    authority: str
    """Host that issues tokens."""
    authority_aliases: tuple[str, ...] = ()
    """Other names of that host that stand in people's settings."""
    azure_cli: str
    """What `az cloud set --name` calls it."""
    federation_audience: str
    """Audience of a federated token that the authority takes for one of its own apps."""

    @property
    def scope(self) -> str:
        """The scope that asks for all permissions that were consented to."""
        return f"{self.graph}/.default"

    @property
    def authorities(self) -> tuple[str, ...]:
        """Every name of the host that issues tokens."""
        return self.authority, *self.authority_aliases


PUBLIC = Cloud(
    name="public",
    title="global, Microsoft 365 GCC included",
    graph="https://graph.microsoft.com",
    authority="login.microsoftonline.com",
    authority_aliases=("login.microsoft.com", "login.windows.net", "sts.windows.net"),
    azure_cli="AzureCloud",
    federation_audience="api://AzureADTokenExchange",
)
_US_ALIASES = ("login.usgovcloudapi.net", "login-us.microsoftonline.com")
CLOUDS = {
    cloud.name: cloud
    for cloud in (
        PUBLIC,
        Cloud(
            name="us-gov-l4",
            title="US Government L4 (GCC High)",
            graph="https://graph.microsoft.us",
            authority="login.microsoftonline.us",
            authority_aliases=_US_ALIASES,
            azure_cli="AzureUSGovernment",
            federation_audience="api://AzureADTokenExchangeUSGov",
        ),
        Cloud(
            name="us-gov-l5",
            title="US Government L5 (DoD)",
            graph="https://dod-graph.microsoft.us",
            authority="login.microsoftonline.us",
            authority_aliases=_US_ALIASES,
            azure_cli="AzureUSGovernment",
            federation_audience="api://AzureADTokenExchangeUSGov",
        ),
        Cloud(
            name="china",
            title="China, operated by 21Vianet",
            graph="https://microsoftgraph.chinacloudapi.cn",
            authority="login.chinacloudapi.cn",
            authority_aliases=("login.partner.microsoftonline.cn",),
            azure_cli="AzureChinaCloud",
            federation_audience="api://AzureADTokenExchangeChina",
        ),
    )
}
"""All of them by name."""


def cloud_in_force(named: Cloud | None, environ: Mapping[str, str]) -> Cloud:
    """Return the cloud that is named, else the one that AZURE_AUTHORITY_HOST names, else the public one.

    Raises:
        UsageError: the variable names another cloud's host, one of no cloud, or one that two clouds share while none
            is named.
    """
    value = environ.get(AUTHORITY_VARIABLE, "").strip()
    if not value:
        return named or PUBLIC
    host = _host(value)
    if named:
        if host in named.authorities:
            return named
        raise UsageError(
            f"{AUTHORITY_VARIABLE} names {host or value!r}, and the cloud {named.name} signs in at {named.authority}.",
            where="--cloud",
            advice=f"Unset {AUTHORITY_VARIABLE}, or name the cloud that it belongs to: {', '.join(CLOUDS)}.",
        )
    fitting = [cloud for cloud in CLOUDS.values() if host in cloud.authorities]
    if len(fitting) == 1:
        return fitting[0]
    shared = " and ".join(cloud.name for cloud in fitting)
    raise UsageError(
        f"The host {host!r} serves the clouds {shared}." if fitting else f"{value!r} is the host of no known cloud.",
        where=AUTHORITY_VARIABLE,
        advice=f"Say with --cloud which one to read: {shared}."
        if fitting
        else f"Unset it, and say with --cloud which cloud to read: {', '.join(CLOUDS)}.",
    )


def _host(value: str) -> str:
    try:
        return urlsplit(value if "//" in value else f"//{value}").hostname or ""
    except ValueError:
        return ""
