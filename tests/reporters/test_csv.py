"""What the CSV files promise."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date

from msgspec import UNSET
from msgspec.structs import replace

from auditor.model.attestation import Attestation
from auditor.model.outcome import AuditResult, Passed
from auditor.reporters.csv import render
from tests.reporters.sample import guid, sample_result

GRANTS = (
    "tenant_id,taken_at,app_id,app_name,app_match,integration,integration_basis,service_principal_id,account_enabled,kind,"
    "consent,principal_id,resource_app_id,resource_name,permission,permission_id,grant_id,granted_at,granted_by,policy_name,"
    "policy,vendor_says,vendor_basis,seen,covered_by,reach,decision,check,ask_whom,replace_with,severity,severity_axis,tier,"
    "rule_ids,reason,impact,impact_basis,app_last_sign_in,last_used,portal_url,graph_request,attestation,attested_by,next_review"
)
FINDINGS = (
    "finding_id,rule_id,outcome,severity,severity_axis,tenant_id,app_id,service_principal_id,grant_id,permission,title,reason,"
    "remediation,basis,controls,waiver"
)


CLOSED = (
    "finding_id,rule_id,title,tenant_id,app_id,app_name,permission,resource_app_id,closed_at,still_open,found_as,evaluated,"
    "plan,journal"
)
DRIFT = (
    "tenant_id,since,subject,what,certain,app_id,app_name,service_principal_id,kind,consent,principal_id,resource_app_id,"
    "resource_name,permission,grant_id,grant_id_before,field,before,after,decision,after_revoke,finding_id,rule_id,severity,"
    "title,owner,expires,done_by,done_at,activities"
)


def rows(result: AuditResult, name: str) -> list[dict[str, str]]:
    text = render(result)[name].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_columns_are_the_published_ones(result: AuditResult) -> None:
    """Names and order of the columns are fixed; files begin with a byte order mark and end lines with CRLF."""
    files = render(result)
    assert {name: content.decode("utf-8-sig").splitlines()[0] for name, content in files.items()} == {
        "grants.csv": GRANTS,
        "findings.csv": FINDINGS,
        "closed.csv": CLOSED,
        "drift.csv": DRIFT,
    }
    for content in files.values():
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\n") == content.count(b"\r\n")


def test_a_row_tells_the_grant(result: AuditResult) -> None:
    """Each grant has its row, with the values of the model in their published form."""
    held = rows(result, "grants.csv")
    assert [judged.grant.grant_id for judged in result.grants] == [row["grant_id"] for row in held]
    first = held[0]
    assert first["taken_at"] == "2026-11-22T09:14:00Z"
    assert first["app_match"] == "configured"
    assert first["account_enabled"] == "true"
    assert first["vendor_basis"] == first["impact_basis"] == "documented"
    assert first["impact"] == "Personal calendars stop syncing."
    assert first["tier"] == "1"
    assert first["last_used"] == ""
    assert "takeover-tier; outside-policy" in [row["rule_ids"] for row in held]


def test_closed_findings_have_a_file_where_there_are_any(result: AuditResult) -> None:
    """Each finding that a plan closed has a row with its plan and journal; without one there is no such file."""
    found = rows(result, "closed.csv")
    assert [(row["permission"], row["still_open"], row["found_as"], row["evaluated"]) for row in found] == [
        ("Mail.Send", "false", "", "true"),
        ("Contacts.Read", "true", "", "true"),
        ("Mail.Read", "true", guid("found again"), "true"),
        ("Files.Read.All", "false", "", "false"),
    ]
    assert {(row["tenant_id"], row["plan"], row["journal"], row["closed_at"]) for row in found} == {
        (result.tenant_id, "a" * 64, "b" * 64, "2026-11-21T20:15:00Z")
    }
    assert set(render(sample_result(closed=(), drift=UNSET))) == {"grants.csv", "findings.csv"}


def test_what_changed_has_a_file_where_a_run_came_before(result: AuditResult) -> None:
    """Each grant, app, finding and waiver that changed has a row, and each answer that reads otherwise has its own."""
    found = rows(result, "drift.csv")
    assert Counter(row["subject"] for row in found) == {"grant": 4, "app": 1, "finding": 5, "waiver": 1}
    anew = next(row for row in found if row["what"] == "judged-anew")
    assert (anew["field"], anew["before"], anew["after"], anew["certain"]) == ("decision", "keep", "revoke", "true")
    added = next(row for row in found if row["what"] == "added")
    assert (added["done_by"], added["done_at"]) == ("megan@contoso.example", "2026-11-20T11:02:00Z")
    app = next(row for row in found if row["subject"] == "app")
    assert (app["what"], app["field"], app["after"]) == ("changed", "credentials", "1 certificate; 1 secret")
    assert {row["since"] for row in found} == {"2026-11-15T09:14:00Z"}


def test_findings_hold_what_needs_work(result: AuditResult) -> None:
    """Findings, waived findings and rules not evaluated have a row each, with the rule's severity; passes have none."""
    found = [row for row in rows(result, "findings.csv") if row["outcome"] != "INCOMPLETE"]
    assert len(found) == sum(not isinstance(outcome, Passed) for outcome in result.outcomes)
    assert {"finding", "waived", "not-evaluated"} == {row["outcome"] for row in found}
    [waived] = [row for row in found if row["outcome"] == "waived"]
    assert waived["waiver"] == "Megan Bowen: Owner needed until the migration ends (until 2027-01-31)"
    assert waived["severity"] == "medium"
    missing = next(row for row in found if row["rule_id"] == "no-sign-in")
    assert missing["reason"] == "The sign-in report could not be read."
    assert missing["title"] == "No sign-in for 90 days"
    assert (missing["severity"], missing["severity_axis"]) == ("low", "hygiene")
    assert missing["finding_id"] == ""


def test_an_incomplete_audit_says_so_first(result: AuditResult) -> None:
    """The first rows of findings.csv: the word, and one reason each; a complete audit has none."""
    first = rows(result, "findings.csv")[: len(result.incomplete_reasons)]
    assert [row["reason"] for row in first] == list(result.incomplete_reasons) != []
    assert {(row["outcome"], row["tenant_id"]) for row in first} == {("INCOMPLETE", result.tenant_id)}
    complete = rows(sample_result(complete=True, incomplete_reasons=()), "findings.csv")
    assert "INCOMPLETE" not in {row["outcome"] for row in complete}


def test_a_rule_that_is_not_listed_has_no_severity() -> None:
    """A rule not evaluated and not described keeps its row, with the cells empty."""
    [row, *_] = [row for row in rows(sample_result(rules=()), "findings.csv") if row["outcome"] == "not-evaluated"]
    assert row["rule_id"]
    assert row["severity"] == row["title"] == ""


def test_unknown_values_are_empty_cells(result: AuditResult) -> None:
    """Nothing that is not known reads as a word: no NaN, no None."""
    for name in ("grants.csv", "findings.csv"):
        assert not {"nan", "NaN", "None", "NaT"} & {cell for row in rows(result, name) for cell in row.values()}


def test_nothing_held_gives_a_header() -> None:
    """An audit without grants and outcomes gives files with a header alone."""
    empty = sample_result(grants=(), outcomes=(), complete=True, incomplete_reasons=())
    assert rows(empty, "grants.csv") == rows(empty, "findings.csv") == []


def test_what_an_owner_signed_stands_with_the_grant() -> None:
    """State, signer and the next review; empty cells where nobody attests."""
    signed = Attestation(state="current", signer="=Dana", next_review=date(2027, 1, 1), text="Signed.")
    held = sample_result().grants
    grants = (replace(held[0], attestation=signed), replace(held[1], attestation=UNSET))
    found = [
        (row["attestation"], row["attested_by"], row["next_review"])
        for row in rows(sample_result(grants=grants), "grants.csv")
    ]
    assert found == [("current", "'=Dana", "2027-01-01"), ("", "", "")]
