"""Who may carry a plan out: somebody else than who read the tenant, in that tenant, with the permissions it takes."""

from __future__ import annotations

from auditor.errors import RefusedError, SignInError
from auditor.graph.auth import Claims
from auditor.graph.identity import held
from auditor.graph.writes import WRITES, role_for
from auditor.model.plan import RevokePlan
from auditor.model.text import listed

HIGHER = {
    "DelegatedPermissionGrant.ReadWrite.All": ("Directory.ReadWrite.All",),
    "Application.ReadWrite.All": ("Directory.ReadWrite.All",),
}
"""Permissions that open the same calls and more: the pages of the calls under https://learn.microsoft.com/graph/api."""


def require_tenant(plan: RevokePlan, *, tenant_id: str, typed: str, names: tuple[str, ...]) -> None:
    """Refuse another tenant than the plan's, or one whose name was not typed.

    Args:
        plan: what will be carried out.
        tenant_id: of the tenant that is signed in to.
        typed: what a person typed as its name.
        names: its display name and its domains, as it says itself.

    Raises:
        RefusedError: as said.
    """
    if tenant_id.lower() != plan.tenant_id.lower():
        raise RefusedError(
            f"The plan is for the tenant {plan.tenant_id}, and this sign-in is for {tenant_id or 'an unknown one'}.",
            advice="Sign in to the plan's tenant.",
        )
    if typed.strip() not in names:
        raise RefusedError(
            "The name that was typed is not this tenant's.",
            advice="Type its display name or one of its domains, exactly as it stands in Microsoft Entra ID.",
        )


def require_other(plan: RevokePlan, claims: Claims) -> str:
    """Refuse the identity that read; return a warning where that cannot be told, else an empty text.

    Raises:
        RefusedError: it is the same.
    """
    appid, oid = claims.appid.lower(), claims.oid.lower()
    reader_app, reader = plan.reader_app_id.lower(), plan.reader_object_id.lower()
    by_object = bool(oid and reader)
    if not by_object and not (appid and reader_app):
        return "Who read the tenant or who writes is not known, so it is not known either that they are two."
    if oid == reader if by_object else appid == reader_app:
        raise RefusedError(
            f"The identity that writes is the one that read ({oid or appid}).",
            advice="Sign in as somebody else: reading and writing are two identities.",
        )
    return ""


def require_not_itself(plan: RevokePlan, claims: Claims) -> None:
    """Refuse a plan against the app that carries it out: nobody could go on, or undo it.

    Raises:
        RefusedError: it is one.
    """
    own = {claims.appid.lower(), claims.oid.lower()} - {""}
    for step in plan.steps:
        if own & {step.target.app_id.lower(), step.target.service_principal_id.lower()}:
            raise RefusedError(
                f"Step {step.number} is about the app that would carry it out.", advice="Sign in with another one."
            )


def require_power(plan: RevokePlan, claims: Claims) -> None:
    """Refuse a token that lacks a permission which a step needs, before the first one.

    Raises:
        SignInError: it lacks one.
    """
    have = set(held(claims))
    changes = [(step, change) for step in plan.steps for change in step.changes]
    wanted = dict.fromkeys(WRITES[change.write].permission for _, change in changes)
    lacks = [name for name in wanted if not have & {name, *HIGHER.get(name, ())}]
    if not lacks:
        return
    roles = dict.fromkeys(role_for(change.write, step.target.resource_app_id) for step, change in changes)
    raise SignInError(
        f"The token does not carry {listed(lacks)}, which this plan needs.",
        advice=f"Sign in with {listed(lacks)}; a person also needs the directory role {listed(list(roles))}.",
    )
