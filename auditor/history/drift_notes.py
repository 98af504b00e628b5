"""What two audits have not in common beside the tenant: rules, configuration, and how much of it was read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from auditor.history.side import Side
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import EXCHANGE, Snapshot, Unavailable
from auditor.model.text import count, listed, moment


def notes(before: Side, after: Side) -> Iterator[str]:
    """Yield the remarks, what concerns everything first."""
    old, new = before.result, after.result
    if old.provenance.snapshot_sha256 == new.provenance.snapshot_sha256:
        yield "Both audits judge the same snapshot: what differs comes from rules, configuration or attestation."
    elif new.taken_at < old.taken_at:
        yield "The second audit is the older one: what came reads as gone, and the other way round."
    yield from _judged_by(old, new)
    yield from _not_read("earlier", old)
    yield from _not_read("later", new)
    yield from _log(after.snapshot, old)


def _judged_by(old: AuditResult, new: AuditResult) -> Iterator[str]:
    said, now = old.provenance, new.provenance
    if said.rules_sha256 != now.rules_sha256 or said.tool_version != now.tool_version:
        rules, rules_now = ({rule.id for rule in result.rules} for result in (old, new))
        came, went = sorted(rules_now - rules), sorted(rules - rules_now)
        which = f" New: {listed(came)}." if came else ""
        which += f" Gone: {listed(went)}." if went else ""
        what = "The rules are not the same" if said.rules_sha256 != now.rules_sha256 else "The version is another"
        yield (
            f"{what} (version {said.tool_version}, now {now.tool_version}): what is judged anew, and which findings "
            f"are new or closed, can come from that and not from the tenant.{which}"
        )
    if (said.configuration_sha256, old.policy_name, old.features) != (
        now.configuration_sha256,
        new.policy_name,
        new.features,
    ):
        policy = (
            f" The policy was {old.policy_name} and is {new.policy_name}." if old.policy_name != new.policy_name else ""
        )
        yield (
            "The configuration is not the same: what is judged anew can come from that and not from the tenant."
            f"{policy}"
        )
    if said.attestations_sha256 != now.attestations_sha256:
        yield "The register of attestations is not the same: what it says of a permission is not from the tenant."
    if said.source_kind != now.source_kind:
        yield (
            f"The earlier audit read {said.source_kind}, the later one {now.source_kind}: "
            "they do not carry the same fields."
        )
    day: date = new.taken_at.date()
    for gap in old.accepted_gaps:
        if gap.expires < day:
            yield f"The accepted gap of {gap.collection} lapsed on {gap.expires}."


def _not_read(which: str, result: AuditResult) -> Iterator[str]:
    names = {app.service_principal_id: app.name or app.app_id for app in result.apps}
    gaps: dict[str, list[str]] = {}
    for entry in result.ledger:
        if entry.state != "complete" and entry.collection != EXCHANGE:
            whose = names.get(entry.service_principal_id, entry.app_id)
            gaps.setdefault(entry.collection, []).extend([whose] if entry.app_id else [])
    for collection, apps in sorted(gaps.items()):
        of = f" of {listed(apps)}" if 0 < len(apps) <= _TOLD else f" of {count(len(apps), 'app')}" if apps else ""
        yield (
            f"The {which} audit did not read {collection}{of} in full: what it does not show there is not known to be "
            "absent."
        )


_TOLD = 3
"""Apps that a note names."""


def _log(snapshot: Snapshot, old: AuditResult) -> Iterator[str]:
    if all(isinstance(client.grant_events, Unavailable) for client in snapshot.clients):
        yield "Who made a change and when is not known: the directory audit log was not read."
    elif snapshot.audit_log_since is None:
        yield "Who made a change is told as far as the directory audit log reaches; how far back that is, is not known."
    elif snapshot.audit_log_since > old.taken_at:
        since = moment(snapshot.audit_log_since)
        yield (
            f"The directory audit log that was read begins {since}: who made an earlier change, and when, is not known."
        )
