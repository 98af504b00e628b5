"""CSV: grants.csv, findings.csv and closed.csv, for whoever goes on in a spreadsheet or a database.

UTF-8 with byte order mark, comma, CRLF (RFC 4180). No cell is a formula, no cell spans lines. grants.csv has one row
per permission held, so a delegated grant of three scopes gives three rows with one grant_id. findings.csv has a row for
each finding, waived finding and rule that could not be evaluated; its column `outcome` says which. Where the audit is
incomplete, rows whose outcome is INCOMPLETE come first, one for each reason. Passes are left out: there is one for
nearly every rule and grant, they would bury what needs work, and audit.json holds them all. closed.csv has a row for
each finding that a plan closed, and is written only where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

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
)  # fmt: skip
FINDING_COLUMNS = (
    "finding_id", "rule_id", "outcome", "severity", "severity_axis", "tenant_id", "app_id",
    "service_principal_id", "grant_id", "permission", "title", "reason", "remediation", "basis", "controls",
    "waiver",
)  # fmt: skip
CLOSED_COLUMNS = (
    "finding_id", "rule_id", "title", "tenant_id", "app_id", "app_name", "permission", "resource_app_id", "closed_at",
    "still_open", "found_as", "evaluated", "plan", "journal",
)  # fmt: skip


def render(result: AuditResult) -> dict[str, bytes]:
    """Return the files."""
    closed = [_row(one, CLOSED_COLUMNS) | {"tenant_id": result.tenant_id} for one in result.closed]
    return {
        **({"closed.csv": table(CLOSED_COLUMNS, closed)} if closed else {}),
        "findings.csv": table(FINDING_COLUMNS, finding_rows(result)),
        "grants.csv": table(GRANT_COLUMNS, [grant_row(result, judged) for judged in result.grants]),
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
    grant = judged.grant
    return {
        "tenant_id": result.tenant_id,
        "taken_at": result.taken_at,
        "app_match": judged.match,
        "vendor_basis": judged.vendor.basis,
        "impact": judged.impact.what.text,
        "impact_basis": judged.impact.what.basis,
    } | {
        name: getattr(grant if name in grant.__struct_fields__ else judged, name)
        for name in GRANT_COLUMNS
        if name in grant.__struct_fields__ or (name in judged.__struct_fields__ and name != "impact")
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
    name="csv", help="grants.csv and findings.csv, for spreadsheets; closed.csv after a plan", render=render
)
