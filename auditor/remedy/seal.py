"""A plan's seal: the hashes that show an edited plan, and what decides whether a plan may still be carried out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec.structs import replace

from auditor.errors import InputError, RefusedError
from auditor.model.canonical import sha256, to_json
from auditor.model.document import Kind, decode_document
from auditor.model.plan import SCHEMA, VERSION, Change, RevokePlan, Step, is_sound, reduced
from auditor.model.text import count

MOST_STEPS = 25
"""Steps that are carried out at once unless told otherwise."""
MOST_SHARE = 0.05
"""Share of a tenant's grants that may go at once, where the whole tenant was read."""
FEWEST_GRANTS = 500
"""Grants below which the share means nothing."""
_KIND = Kind(
    schema=SCHEMA, version=VERSION, noun="plan", advice="Give what `entra-audit revoke plan --out FILE` wrote."
)
_ANEW = "Make the plan anew: entra-audit revoke plan"


def step_id(changes: Iterable[Change]) -> str:
    """Return the id of a step that makes these changes."""
    return str(uuid5(NAMESPACE_URL, to_json([reduced(change) for change in changes]).decode()))


def sealed(plan: RevokePlan) -> RevokePlan:
    """Return the plan with both of its hashes."""
    approved = replace(plan, approved_hash=approved_hash(plan.steps))
    return replace(approved, sha256=_seal(approved))


def approved_hash(steps: tuple[Step, ...]) -> str:
    """Return the SHA-256 over the steps: what a board approves."""
    return sha256(to_json(steps))


def encode_plan(plan: RevokePlan) -> bytes:
    """Return a plan as canonical JSON."""
    return to_json(plan)


def decode_plan(data: bytes, where: str) -> RevokePlan:
    """Return the plan that `data` holds.

    Raises:
        InputError: it is cut, no JSON, no plan, or of a newer version.
        RefusedError: it was edited: its hash does not fit.
    """
    plan = decode_document(data, where, _KIND, RevokePlan)
    if not all(is_sound(change) for step in plan.steps for change in step.changes):
        raise InputError("A step of this plan holds a change that is none.", where=where, advice=_KIND.advice)
    try:
        edited = _seal_of(msgspec.json.decode(data)) != plan.sha256 or approved_hash(plan.steps) != plan.approved_hash
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"This is not JSON, or it was cut: {error}.", where=where, advice=_KIND.advice) from None
    if edited:
        raise RefusedError(
            "The plan was edited after it was made: its SHA-256 does not fit.", where=where, advice=_ANEW
        )
    return plan


def require_fresh(plan: RevokePlan, *, now: datetime, rules_sha256: str) -> None:
    """Refuse a plan that is too old, or made by other rules.

    Raises:
        RefusedError: as said.
    """
    if now >= plan.expires:
        raise RefusedError(
            f"The plan expired on {plan.expires:%Y-%m-%d %H:%M} UTC.",
            advice="Read the tenant again: entra-audit revoke refresh",
        )
    if plan.rules_sha256 != rules_sha256:
        raise RefusedError("The plan was made by other rules than those installed here.", advice=_ANEW)


def over_limits(plan: RevokePlan, *, most_steps: int = MOST_STEPS) -> tuple[str, ...]:
    """Return each limit that a plan goes over, in words."""
    found = []
    if len(plan.steps) > most_steps:
        found.append(f"{count(len(plan.steps), 'step')}, and the limit is {most_steps}")
    whole = plan.grants_of_tenant
    if whole is not None and whole >= FEWEST_GRANTS and plan.grants_removed > MOST_SHARE * whole:
        found.append(f"{plan.grants_removed:,} of the tenant's {whole:,} grants, and the limit is {MOST_SHARE:.0%}")
    return tuple(found)


def require_limits(plan: RevokePlan, *, most_steps: int = MOST_STEPS) -> None:
    """Refuse a plan that goes over a limit.

    Raises:
        RefusedError: it does.
    """
    if over := over_limits(plan, most_steps=most_steps):
        raise RefusedError(
            f"The plan is too large: {'; '.join(over)}.",
            advice="Plan less at once (--only), or raise the limit on purpose (--max-steps).",
        )


def _seal(plan: RevokePlan) -> str:
    return _seal_of(msgspec.json.decode(to_json(plan)))


def _seal_of(document: object) -> str:
    known = cast("dict[str, Any]", document)
    return sha256(to_json({name: value for name, value in known.items() if name != "sha256"}))
