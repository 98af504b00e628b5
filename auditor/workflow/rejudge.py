"""An audit held against its own snapshot: an audit.json can be edited, and a plan takes away what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from auditor.errors import RefusedError
from auditor.model.canonical import sha256
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Snapshot
from auditor.sources.snapshot_file import encode
from auditor.workflow.prepare import Prepared
from auditor.workflow.run import judge

NOT_JUDGED_AGAIN = (
    "The decisions are taken from the audit as it stands and were not judged again, because the configuration or "
    "the register of attestations that it was made with is not at hand: whoever could edit the audit could put a grant "
    "into this plan. Give --config, --attestations, --policy, --feature and --app-id as to run."
)


class Judging(Struct, frozen=True, kw_only=True):
    """By what an audit is judged again."""

    prepared: Callable[[AuditResult], Prepared]
    """Gives the rules and the team's word for an audit."""
    only: frozenset[str] = frozenset()
    """appIds that the audit was limited to; empty: to none."""
    config: Path | None = None
    """The configuration's file, where one is named."""


def judged_again(result: AuditResult, snapshot: Snapshot, judging: Judging, *, where: str) -> AuditResult | None:
    """Return the audit of a snapshot, made anew; None where what it was made from is not at hand.

    Raises:
        RefusedError: it says something else than the audit does.
    """
    said, own = result.provenance, judging.prepared(result)
    at_hand = (sha256(encode(snapshot)), own.rulebook.sha256, own.configuration_sha256, own.attestations_sha256)
    if at_hand != (said.snapshot_sha256, said.rules_sha256, said.configuration_sha256, said.attestations_sha256):
        return None
    anew, _ = judge(snapshot, own, only=judging.only)
    if {app.service_principal_id for app in result.apps} < {app.service_principal_id for app in anew.apps}:
        raise RefusedError(
            "The audit holds fewer apps than its snapshot gives when it is judged again.",
            where=where,
            advice="Give --app-id as to run; where none was given there, the audit was edited: audit again.",
        )
    if _decided(result) != _decided(anew):
        raise RefusedError(
            "The audit was edited: judged again, its snapshot gives other decisions.",
            where=where,
            advice="Audit again: entra-audit run. Where it was given --app-id, give the same here.",
        )
    return anew


def _decided(result: AuditResult) -> object:
    """Return everything of an audit that decides what a plan takes away."""
    return (
        (result.policy_name, result.features, result.complete),
        sorted(
            (app.service_principal_id, app.app_id, app.match, app.integration, app.confirmed) for app in result.apps
        ),
        sorted((*one.grant.key, one.decision, one.match, one.integration, one.replace_with) for one in result.grants),
    )
