"""CSV: grants.csv, findings.csv, closed.csv and drift.csv, for whoever goes on in a spreadsheet or a database.

UTF-8 with byte order mark, comma, CRLF (RFC 4180). No cell is a formula, no cell spans lines. grants.csv has one row
per permission held, so a delegated grant of three scopes gives three rows with one grant_id. findings.csv has a row for
each finding, waived finding and rule that could not be evaluated; its column `outcome` says which. Where the audit is
incomplete, rows whose outcome is INCOMPLETE come first, one for each reason. Passes are left out: there is one for
nearly every rule and grant, they would bury what needs work, and audit.json holds them all. closed.csv has a row for
each finding that a plan closed, and is written only where there is one. drift.csv has a row for each change since the
run before, and is written only where there is one in the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from auditor.model.drift import Act, Drift, GrantChange
from auditor.model.outcome import AuditResult, Finding, JudgedGrant, NotEvaluated, Waived
from auditor.reporters import Reporter
from auditor.reporters.text import cell

Row = dict[str, object]

GRANT_COLUMNS = (
    "tenant_id", "taken_at", "app_id", "app_name", "app_match", "integration", "integration_basis",
    "service_principal_id", "account_enabled", "kind", "consent", "principal_id", "resource_app_id",
    "resource_name", "permission", "permission_id", "grant_id", "granted_at", "granted_by", "policy_name",
    "policy", "vendor_says", "vendor_basis", "seen", "covered_by", "reach", "decision", "check", "ask_whom",
    "replace_with", "severity", "severity_axis", "tier", "rule_ids", "reason", "impact", "impact_basis",
    "app_last_sign_in", "last_used", "portal_url", "graph_request",
    "attestation", "attested_by", "next_review",
)  # fmt: skip
FINDING_COLUMNS = (
    "finding_id", "rule_id", "outcome", "severity", "severity_axis", "tenant_id", "app_id",
    "service_principal_id", "grant_id", "permission", "title", "reason", "remediation", "basis", "controls",
    "waiver",
)  # fmt: skip
_STRUCTS = ("impact", "attestation")
"""Columns that are named as a value that holds several."""
CLOSED_COLUMNS = (
    "finding_id", "rule_id", "title", "tenant_id", "app_id", "app_name", "permission", "resource_app_id", "closed_at",
    "still_open", "found_as", "evaluated", "plan", "journal",
)  # fmt: skip
DRIFT_COLUMNS = (
    "tenant_id", "since", "subject", "what", "certain", "app_id", "app_name", "service_principal_id", "kind", "consent",
    "principal_id", "resource_app_id", "resource_name", "permission", "grant_id", "grant_id_before", "field", "before",
    "after", "decision", "after_revoke", "finding_id", "rule_id", "severity", "title", "owner", "expires", "done_by",
    "done_at", "activities",
)  # fmt: skip


def render(result: AuditResult) -> dict[str, bytes]:
    """Return the files."""
    closed = [_row(one, CLOSED_COLUMNS) | {"tenant_id": result.tenant_id} for one in result.closed]
    return {
        **({"closed.csv": table(CLOSED_COLUMNS, closed)} if closed else {}),
        **({"drift.csv": drift_csv(result.drift)} if result.drift else {}),
        "findings.csv": table(FINDING_COLUMNS, finding_rows(result)),
        "grants.csv": table(GRANT_COLUMNS, [grant_row(result, judged) for judged in result.grants]),
    }


def drift_csv(drift: Drift) -> bytes:
    """Return drift.csv: one row per change, or per answer of a grant that is judged anew."""
    plain: Row = {**dict.fromkeys(DRIFT_COLUMNS, ""), "tenant_id": drift.tenant_id, "since": drift.before_taken_at}
    rows = [plain | row for row in drift_rows(drift)]
    return table(DRIFT_COLUMNS, rows)


def drift_rows(drift: Drift) -> Iterator[Row]:
    """Return what is not empty of each row of drift.csv."""
    for change in drift.grants:
        yield from _grant_rows(change)
    for app in drift.apps:
        said = {"field": app.what, "before": app.before, "after": app.after, "what": "changed"}
        whole = {"what": app.what} if not (app.before or app.after) else said
        yield {"subject": "app", **_row(app, DRIFT_COLUMNS), **whole, **_acts(app.acts)}
    for finding in drift.findings:
        yield {"subject": "finding", **_row(finding, DRIFT_COLUMNS)}
    for waiver in drift.waivers:
        row = {"subject": "waiver", **_row(waiver, DRIFT_COLUMNS), "rule_id": waiver.rule, "app_id": waiver.app}
        yield from ({**row, **_row(field, DRIFT_COLUMNS)} for field in waiver.fields or ())
        if not waiver.fields:
            yield row


def _grant_rows(change: GrantChange) -> Iterator[Row]:
    grant = change.after or change.before
    assert grant  # noqa: S101 - a change has one side at least
    moved = change.before.grant_id if change.before and change.after else ""
    row = {
        "subject": "grant",
        **_row(grant, DRIFT_COLUMNS),
        **{name: getattr(change, name) for name in ("what", "certain", "decision", "after_revoke")},
        "grant_id_before": "" if moved == grant.grant_id else moved,
        **_acts(change.acts),
    }
    for field in change.fields if change.before else ():
        yield row | {"field": field.field, "before": field.before, "after": field.after}
    if not (change.before and change.fields):
        yield row


def _acts(acts: Sequence[Act]) -> Row:
    return {
        "done_by": tuple(act.actor for act in acts),
        "done_at": tuple(cell(act.at) for act in acts),
        "activities": tuple(act.activity for act in acts),
    }


def table(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    """Return a CSV file whose cells are safe in a spreadsheet."""
    from pandas import DataFrame

    safe = [[cell(row[column]) for column in columns] for row in rows]
    text = DataFrame(safe, columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")


def _row(value: Struct, columns: Sequence[str]) -> Row:
    return {name: getattr(value, name) for name in columns if name in value.__struct_fields__}


def grant_row(result: AuditResult, judged: JudgedGrant) -> Row:
    """Return the values of GRANT_COLUMNS for one permission held, as the model holds them."""
    grant, attestation = judged.grant, judged.attestation or None
    return {
        "tenant_id": result.tenant_id,
        "taken_at": result.taken_at,
        "app_match": judged.match,
        "vendor_basis": judged.vendor.basis,
        "impact": judged.impact.what.text,
        "impact_basis": judged.impact.what.basis,
        "attestation": attestation and attestation.state,
        "attested_by": attestation and attestation.signer,
        "next_review": attestation and attestation.next_review,
    } | {
        name: getattr(grant if name in grant.__struct_fields__ else judged, name)
        for name in GRANT_COLUMNS
        if name in grant.__struct_fields__ or (name in judged.__struct_fields__ and name not in _STRUCTS)
    }


def finding_rows(result: AuditResult) -> list[Row]:
    """Return the values of FINDING_COLUMNS: one row for each reason to be incomplete, then one for each outcome."""
    rules = {rule.id: rule for rule in result.rules}
    head: Row = {**dict.fromkeys(FINDING_COLUMNS, ""), "outcome": "INCOMPLETE", "tenant_id": result.tenant_id}
    rows: list[Row] = [head | {"reason": reason} for reason in result.incomplete_reasons]
    for outcome in result.outcomes:
        match outcome:
            case Finding():
                row = _finding(outcome)
            case Waived(waiver=waiver):
                row = _finding(outcome.finding)
                row["waiver"] = f"{waiver.owner}: {waiver.reason} (until {waiver.expires.isoformat()})"
            case NotEvaluated():
                row = dict.fromkeys(FINDING_COLUMNS, "")
                if rule := rules.get(outcome.rule_id):
                    row |= {"title": rule.title, "severity": rule.severity, "severity_axis": rule.axis}
                row["reason"] = outcome.why
            case _:
                continue
        subject = outcome.subject
        rows.append(
            row
            | {
                "rule_id": outcome.rule_id,
                "outcome": outcome.__struct_config__.tag,
                "tenant_id": result.tenant_id,
                "app_id": subject.app_id,
                "service_principal_id": subject.service_principal_id,
                "grant_id": subject.grant_id,
                "permission": subject.permission,
            }
        )
    return rows


def _finding(finding: Finding) -> Row:
    return {
        "finding_id": finding.finding_id,
        "severity": finding.severity,
        "severity_axis": finding.axis,
        "title": finding.title,
        "reason": finding.reason,
        "remediation": finding.remediation,
        "basis": finding.basis,
        "controls": finding.controls,
        "waiver": "",
    }


REPORTER = Reporter(
    name="csv",
    help="grants.csv and findings.csv, for spreadsheets; closed.csv after a plan, drift.csv with a history",
    render=render,
)
