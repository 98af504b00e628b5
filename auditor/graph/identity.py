"""Identity: what the bearer of a token may do, told from the token's own words.

A token is shown and never trusted: what Graph answers to it counts. What an application permission or a scope opens
is told by the table of calls, `endpoints`; directory roles are told by their template ids, taken from
https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference (read 2026-11-22).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Literal

from auditor.errors import SignInError
from auditor.graph.auth import Claims
from auditor.graph.clouds import Cloud
from auditor.graph.endpoints import ENDPOINTS, Endpoint

Kind = Literal["application", "delegated", "unknown"]
"""Whether a token stands for an app itself or for a person through an app; unknown where it does not say."""

SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes that sign a person in and open no data beyond that person's own name and address."""
_READS = re.compile(r"[A-Za-z][A-Za-z0-9-]*\.Read(Basic)?(\.(?!Write|ReadWrite|Manage|Send|Full)[A-Za-z]+)?")
"""`X.Read`, `X.Read.All`, `X.ReadBasic.All`, `X.Read.Directory`: data, and how far it is read."""

_READING_ROLES: Mapping[str, str] = {
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
    "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
    "4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
    "75934031-6c7e-415a-99d7-48dbd49e875e": "Usage Summary Reports Reader",
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b": "Message Center Reader",
    "ac16e43d-7b2d-40e0-ac05-243ff356ab5b": "Message Center Privacy Reader",
    "10dae51f-b6af-4016-8d66-8c2a99b929b3": "Guest User",
    "2af84b1e-32c8-42b7-82bc-daa82404023b": "Restricted Guest User",
}
_WRITING_ROLES: Mapping[str, str] = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "cf1c38e5-3621-4004-a7cb-879624dced7c": "Application Developer",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
    "0526716b-113d-4c15-b2c8-68e3c22b9f80": "Authentication Policy Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "fdd7a751-b60b-444a-984c-02652fe8fa1c": "Groups Administrator",
    "4d6ac14f-3453-41d0-bef9-a3e0c569773a": "License Administrator",
    "95e79109-95c0-4d8e-aee3-d01accf2d47b": "Guest Inviter",
    "9360feb5-f418-4baa-8175-e2a00bac4301": "Directory Writers",
    "d29b2b05-8046-44ba-8758-1e26182fcf32": "Directory Synchronization Accounts",
    "8329153b-31d0-4727-b945-745eb3bc5f31": "Domain Name Administrator",
    "be2f45a1-457d-42af-a067-6ec1fa63bc45": "External Identity Provider Administrator",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f": "Security Operator",
    "17315797-102d-40b4-93e0-432062caca18": "Compliance Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "f28a1f50-f6e7-4571-818b-6a12f2af6b6c": "SharePoint Administrator",
    "69091246-20e8-4a56-aa4d-066075b2a7a8": "Teams Administrator",
    "3a2c62db-5318-420d-8d74-23affee5d9d5": "Intune Administrator",
    "11648597-926c-4cf3-9c36-bcebb0ba8dcc": "Power Platform Administrator",
    "b0f54661-2d74-4c50-afa3-1ec803f12efe": "Billing Administrator",
    "f023fd81-a637-4b56-95fd-791ac0226033": "Service Support Administrator",
    "e3973bdf-4987-49ae-837a-ba8e231c7286": "Azure DevOps Administrator",
}
ROLES: Mapping[str, str] = {**_READING_ROLES, **_WRITING_ROLES}
"""Well-known directory roles: template id in lower case to name."""
_NO_ROLES = frozenset({"b79fbf4d-3ef9-4689-8143-76b194e85509", "0997a1d0-0d1d-4acb-b408-d5ca73121e90"})
"""Ids that stand among the roles of every person's, or nearly every app's, token, and are no role in the table
(observed; not documented)."""


def reads_only(permission: str) -> bool:
    """Tell whether a permission's name says that it reads and does nothing else; an unknown name does not."""
    return permission in SIGN_IN_SCOPES or _READS.fullmatch(permission) is not None


def kind(claims: Claims) -> Kind:
    """Return what a token stands for."""
    if claims.scp or claims.idtyp == "user":
        return "delegated"
    return "application" if claims.roles or claims.idtyp == "app" or claims.appid else "unknown"


def held(claims: Claims) -> tuple[str, ...]:
    """Return every permission that a token carries, application permissions before delegated ones."""
    return tuple(dict.fromkeys((*claims.roles, *claims.scp.split())))


def directory_roles(claims: Claims) -> tuple[str, ...]:
    """Return the directory roles of a token's bearer by name, and by template id where the name is not known."""
    ids = dict.fromkeys(id_.lower() for id_ in claims.wids)
    return tuple(sorted(ROLES.get(id_, id_) for id_ in ids if id_ not in _NO_ROLES))


def writes(claims: Claims) -> tuple[str, ...]:
    """Return what a token's bearer holds that is not known to read only, each once, in the order of the names.

    Those are permissions and, of an app, directory roles too, which need no permission beside them. A person's roles
    reach no further than the permissions. For a person the permissions are an upper bound: what the person may do
    decides.
    """
    found = {permission for permission in held(claims) if not reads_only(permission)}
    if kind(claims) == "application":
        roles = {id_.lower() for id_ in claims.wids} - _NO_ROLES - _READING_ROLES.keys()
        found |= {f"directory role {ROLES.get(id_, id_)}" for id_ in roles}
    return tuple(sorted(found))


def require_read_only(claims: Claims) -> None:
    """Refuse a bearer that could write, or whose token does not say what it may do.

    Raises:
        SignInError: it could write, or that cannot be told.
    """
    found = writes(claims)
    if not found and kind(claims) != "unknown":
        return
    raise SignInError(
        f"The identity that reads could also write: {', '.join(found)}."
        if found
        else "The token does not say what its bearer may do.",
        where="--strict-identity",
        advice="Sign in as one with read permissions only (`entra-audit doctor --print-setup` makes it).",
    )


def opener(endpoint: Endpoint, claims: Claims) -> str:
    """Return the permission of a token that opens a call, the least one first; empty where it carries none."""
    least = endpoint.delegated if kind(claims) == "delegated" else endpoint.application
    return next((name for name in (least, *endpoint.also) if name in held(claims)), "")


def exists(endpoint: Endpoint, cloud: Cloud) -> bool:
    """Tell whether a cloud has a call."""
    return not endpoint.clouds or cloud.name in endpoint.clouds


def minimal(endpoints: Iterable[Endpoint] = ENDPOINTS) -> tuple[str, ...]:
    """Return the fewest application permissions that open every call and only read; by name where sets are equal."""
    openers = [{name for name in (e.application, *e.also) if reads_only(name)} for e in endpoints if e.application]
    names = sorted(set().union(*openers))
    covers = (
        chosen for size in range(len(names) + 1) for chosen in combinations(names, size) if _opens(openers, set(chosen))
    )
    return next(covers)


def _opens(openers: list[set[str]], chosen: set[str]) -> bool:
    return all(chosen & names for names in openers)
