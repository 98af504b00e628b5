"""What report.md promises."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditor.model.outcome import AuditResult
from auditor.reporters.markdown import cell, table
from auditor.reporters.md import render
from tests.reporters.hostile_formats import COMMENT, MARKDOWN
from tests.reporters.sample import finding, ledger, many, sample_result


def text(result: AuditResult) -> str:
    return render(result)["report.md"].decode()


def section(result: AuditResult, head: str) -> str:
    return text(result).partition(f"## {head}\n")[2].partition("\n## ")[0]


def rows(markdown: str) -> list[list[str]]:
    """Return the cells of the body of each table, as a reader of GitHub's dialect sees them."""
    found: list[list[str]] = []
    tokens = MARKDOWN.parse(markdown)
    for number, token in enumerate(tokens):
        if token.type == "tr_open":
            found.append([])
        elif token.type == "td_open":
            found[-1].append("".join(piece.content for piece in tokens[number + 1].children or ()))
    return [row for row in found if row]


def test_the_head_says_incomplete_with_the_reasons(result: AuditResult) -> None:
    """In the title and before anything else; a complete audit never has the word."""
    assert text(result).startswith("# INCOMPLETE: Permissions of Zoom in Contoso (sample)\n")
    before = text(result).partition("## ")[0]
    assert "**INCOMPLETE**: what is missing is not known to be fine." in before
    assert before.count("\n- ") == len(result.incomplete_reasons)
    assert "INCOMPLETE" not in text(sample_result(complete=True, incomplete_reasons=()))


def test_decisions_are_counted_for_each_app(result: AuditResult) -> None:
    *apps, every = rows(section(result, "Decisions"))
    assert [row[1] for row in apps] == [app.app_id for app in result.apps]
    assert [sum(int(row[place]) for row in apps) for place in range(2, 8)] == [int(one) for one in every[2:8]]
    assert apps[0][-1] == every[-1] == "NOT in full"


def test_every_permission_that_changes_has_a_row(result: AuditResult) -> None:
    """What goes first comes first; what stays as it is, is not there."""
    told = [row[0] for row in rows(section(result, "Permissions to change"))]
    order = ["revoke", "revoke-after", "replace", "ask", "keep-and-scope"]
    assert told == sorted(told, key=order.index)
    assert set(told) == {judged.decision for judged in result.grants} - {"keep"}


def test_nothing_to_change_is_none_that_was_read() -> None:
    """Where an app was not read in full, "none" is not said."""
    assert section(sample_result(grants=()), "Permissions to change").strip() == "None that was read."
    whole = tuple(replace(line, state="complete") for line in ledger())
    read = {(line.service_principal_id, line.collection) for line in whole}
    apps = tuple(
        app
        for app in sample_result().apps
        if {(app.service_principal_id, name) for name in ("appRoleAssignments", "oauth2PermissionGrants")} <= read
    )
    made = sample_result(grants=(), apps=apps, ledger=whole)
    assert section(made, "Permissions to change").strip() == "None."


def test_what_was_not_read_is_told_with_the_reason(result: AuditResult) -> None:
    told = rows(section(result, "What was not read"))
    missing = [line for line in result.ledger if line.state != "complete"]
    assert [row[0] for row in told[: len(missing)]] == [line.collection for line in missing]
    assert "The sign-in report could not be read." in [row[-1] for row in told]
    clean = section(sample_result(ledger=(), outcomes=()), "What was not read")
    assert clean.strip() == "Everything that was asked for was read to the end."


def test_changes_are_told_where_there_is_a_run_before(result: AuditResult) -> None:
    """Each change has a row; what rests on a side that was not read is not certain; without a history no word."""
    drift = result.drift
    assert drift
    told = rows(section(result, "Since 15 Nov 2026 09:14 UTC"))
    assert len(told) == sum(map(len, (drift.grants, drift.apps, drift.findings, drift.waivers)))
    assert {row[-1] for row in told} == {"yes", "NO: one side was not read to the end"}
    assert any("decision: keep to revoke" in row[2] for row in told)
    nothing = replace(drift, grants=(), apps=(), findings=(), waivers=(), notes=())
    quiet = section(sample_result(drift=nothing), "Since 15 Nov 2026 09:14 UTC").strip()
    assert quiet == "Nothing changed, as far as could be compared."
    assert "## Since" not in text(sample_result(drift=UNSET, history=UNSET))


def test_provenance_names_what_it_was_made_from(result: AuditResult) -> None:
    told = section(result, "Provenance")
    for value in (result.provenance.snapshot_sha256, result.provenance.rules_sha256, "34" * 32):
        assert f"`{value}`" in told


@pytest.mark.parametrize("number", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_large_audit_fits_one_comment(number: int) -> None:
    """Tables end early and say how many rows are left out."""
    held = many(number)
    found = tuple(finding(sample_result().rules[0], sample_result().outcomes[0].subject) for _ in range(10))
    long = sample_result(
        grants=held, outcomes=found, incomplete_reasons=tuple(f"Reason {n} (sample)." for n in range(number))
    )
    told = text(long)
    assert len(told) < COMMENT
    shown = rows(section(long, "Permissions to change"))
    left = int(section(long, "Permissions to change").partition("\nAnd ")[2].split(" ")[0].replace(",", ""))
    assert len(shown) + left == sum(judged.decision != "keep" for judged in held)
    assert f"- and {number - 10:,} more reasons: see the other reports" in told


def test_a_bar_ends_no_cell() -> None:
    """Readers differ on bars behind backslashes, so a table shows a broken bar."""
    made = table(("a", "b"), [(cell("x | y `z|z` \\| e.g.|w"), cell("second"))], 1000)
    assert rows(made) == [["x \u00a6 y `z\u00a6z` \\\u00a6 e.g.\u00a6w", "second"]]
