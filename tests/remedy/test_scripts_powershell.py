"""The PowerShell scripts, read by a grammar and a lint; PowerShell itself has not run them."""

from __future__ import annotations

import re

import pytest

from auditor.graph.clouds import CLOUDS
from auditor.graph.writes import WRITES
from auditor.remedy.scripts import scripts
from tests.remedy.plans import consents, on_graph, plan, step, without
from tests.remedy.powershell import broken, without_comments

PLAN = plan()
FILES = {name: content.decode() for name, content in scripts()["powershell"].render(PLAN, "plan").items()}


@pytest.mark.parametrize("name", FILES)
def test_it_parses_and_the_lint_finds_nothing(name: str) -> None:
    assert broken(FILES[name]) == []


BROKEN = {
    "an open brace": "if ($a) { Get-Date",
    "an open parenthesis": "$a = (1 + 2",
    "an open string": "$a = 'x",
    "no condition": "if { 1 }",
    "a lone closing brace": "Get-Date }",
    "try alone": "try { Get-Date }",
    "else alone": "else { Get-Date }",
    "catch alone": "catch { Get-Date }",
    "a colon behind a name": '"$id: x"',
    "an assignment to a constant": "1 = 2",
    "a reading redirection": "Get-Content < in.txt",
    "an open here-string": "$a = @'\nx\n",
    "a here-string's end alone": "$a = 1\n'@\n",
    "an indented end": "$a = @'\nx\n  '@\n",
    "a typographic quote": "$a = '\u2019; Start-Process calc #'",
    "a typographic double quote": '$a = "\u201d; Start-Process calc #"',
    "a control character": "$a = 'x\x1b[2J'",
    "a letter of another script": "$a = 'Z\u043e\u043em'",
    "an open array": "$a = @(1, 2",
    "an open hashtable": "$a = @{ x = 1",
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_a_broken_script_is_found(source: str) -> None:
    assert broken(source)


@pytest.mark.parametrize(
    "source",
    [
        "try { Get-Date } catch { 1 }",
        "try { Get-Date } finally { 1 }",
        "if ($a) { 1 }\nelse { 2 }",
        '"${id}: x $script:a $(1):2"',
        "$a = @'\n$x: < \n'@\n",
        "# else < 1 = 2 $id: x",
        "[CmdletBinding(SupportsShouldProcess)]\nparam([switch]$Commit)",
    ],
)
def test_a_sound_script_passes(source: str) -> None:
    assert broken(source) == []


@pytest.mark.parametrize("name", FILES)
def test_without_commit_it_is_a_dry_run_in_strict_mode(name: str) -> None:
    """The switches stand before anything that could act, and every write stands behind -Commit."""
    lines = [line for line in without_comments(FILES[name]) if line.strip()]
    head = lines[: lines.index(next(line for line in lines if line.startswith("$Purpose")))]
    assert [line.split()[0] for line in head[:3]] == [
        "#Requires",
        "#Requires",
        "[CmdletBinding(SupportsShouldProcess)]",
    ]
    assert "    [switch]$Commit," in head
    assert "    [switch]$KeepGoing," in head
    assert head[-3:] == [
        "Set-StrictMode -Version Latest",
        "$ErrorActionPreference = 'Stop'",
        "if (-not $Commit) { $WhatIfPreference = $true }",
    ]
    code = "\n".join(lines)
    body = code[code.index("function Send-Change") : code.index("function Complete-Change")]
    assert re.findall(r"(?:Remove|New|Update)-Mg\w+", code) == re.findall(r"(?:Remove|New|Update)-Mg\w+", body)
    assert code.count("Send-Change $Change") == 1
    assert code.index('if ($dry) {\n    Write-Host "Dry run') < code.index("Open-Journal $Journal")
    assert "if ($PSCmdlet.ShouldProcess($place, $change.write)) { Invoke-Change" in code


def test_every_write_has_its_cmdlet_that_stops_on_an_error() -> None:
    """A module's cmdlets do not inherit the script's preference, so each call says -ErrorAction Stop."""
    code = "\n".join(without_comments(FILES["revoke.ps1"]))
    for write in WRITES:
        assert f"'{write}' {{" in code
    assert len(re.findall(r"(?:Remove|New|Update)-Mg\w+", code)) == len(WRITES)
    for line in code.split("\n"):
        if re.search(r"(?:Get|Remove|New|Update)-Mg(?!Context)\w+ -", line) and "Write-Host" not in line:
            assert "-ErrorAction Stop" in line, line


def test_it_says_how_to_sign_in_to_every_cloud() -> None:
    wanted = {"public": "Global", "us-gov-l4": "USGov", "us-gov-l5": "USGovDoD", "china": "China"}
    for cloud in CLOUDS:
        source = scripts()["powershell"].render(plan(cloud=cloud), "plan")["revoke.ps1"].decode()
        assert f"$Environment = '{wanted[cloud]}'" in source
        connect = next(line for line in source.split("\n") if line.startswith("$Connect = "))
        assert f"-TenantId {PLAN.tenant_id} -Environment {wanted[cloud]} -Scopes" in connect
        assert "AppRoleAssignment.ReadWrite.All" in connect


def test_a_bulk_of_changes_is_a_table_and_one_loop() -> None:
    """Thousands of changes make lines of data and no more code."""
    one, two = (
        step(1, "remove-user-consents", tuple(without(g, "Contacts.ReadWrite") for g in held), **on_graph("Mail.Read"))
        for held in (consents()[:1], consents())
    )
    short, long = (
        scripts()["powershell"].render(plan(each), "plan")["revoke.ps1"].decode().count("\n") for each in (one, two)
    )
    assert long - short == len(consents()) - 1
