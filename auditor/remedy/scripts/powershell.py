"""`--lang powershell`: the cmdlets of Microsoft.Graph, as whoever is signed in with Connect-MgGraph.

The names of the environments: https://learn.microsoft.com/powershell/microsoftgraph/authentication-commands. The
cmdlets repeat by themselves what Graph asks to repeat, with its Retry-After.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC

from auditor.model.plan import Purpose, RevokePlan
from auditor.remedy.scripts import Script, pieces

_ENVIRONMENTS = {"public": "Global", "us-gov-l4": "USGov", "us-gov-l5": "USGovDoD", "china": "China"}
"""What Connect-MgGraph calls a cloud."""
_MODULES = ("Microsoft.Graph.Authentication", "Microsoft.Graph.Applications", "Microsoft.Graph.Identity.SignIns")
_READS = ("Application.Read.All", "Directory.Read.All")


def _render(plan: RevokePlan, name: str) -> Mapping[str, bytes]:
    purpose = pieces.purpose_of(plan, name)
    return {"revoke.ps1": _script(plan, name, purpose), "undo.ps1": _script(plan, name, "undo")}


def _script(plan: RevokePlan, name: str, purpose: Purpose) -> bytes:
    undo = purpose == "undo"
    lines = [
        *(f"# {line}".rstrip() for line in [*pieces.head_comments(plan, name, purpose), *_usage(plan, name, purpose)]),
        "",
        "#Requires -Version 5.1",
        f"#Requires -Modules {', '.join(_MODULES)}",
        "",
        "[CmdletBinding(SupportsShouldProcess)]",
        "param(",
        "    [switch]$Commit,",
        "    [switch]$KeepGoing,",
        *((f"    [string]$Revoked = '{pieces.journal_name(name, 'revoke')}',", "    [switch]$All,") if undo else ()),
        f"    [string]$Journal = '{pieces.journal_name(name, purpose)}'",
        ")",
        "",
        "Set-StrictMode -Version Latest",
        "$ErrorActionPreference = 'Stop'",
        "# Without -Commit nothing is written.",
        "if (-not $Commit) { $WhatIfPreference = $true }",
        "",
        *_constants(plan, name, purpose),
        "# What is done. Each line of Changes is one change, as the journal says it.",
        "$Steps = @(",
        *_steps(plan, purpose),
        ")",
        "",
    ]
    return ("\n".join(lines) + "\n" + pieces.piece("run.ps1")).encode("ascii")


def _usage(plan: RevokePlan, name: str, purpose: Purpose) -> list[str]:
    file = "undo.ps1" if purpose == "undo" else "revoke.ps1"
    usage = [
        "",
        "Needs PowerShell and the modules of Microsoft.Graph named below. Sign in first:",
        f"  {_connect(plan, purpose)}",
        f"  ./{file}            looks at every object, says what would be done, and writes nothing",
        f"  ./{file} -Commit    does it, and keeps the journal; run again, it goes on where it stopped",
        "  -KeepGoing       goes on with the next step where one cannot be done",
        f"  -Journal FILE    keeps the journal there ({pieces.journal_name(name, purpose)})",
    ]
    if purpose == "undo":
        usage += [
            f"  -Revoked FILE    the journal that says what was removed ({pieces.journal_name(name, 'revoke')})",
            "  -All             takes every step back, without such a journal",
        ]
    return [*usage, "Exit codes: 0 all done, 2 usage, 4 refused before any write, 5 done in part or unverified."]


def _connect(plan: RevokePlan, purpose: Purpose) -> str:
    scopes = ", ".join(dict.fromkeys((*_READS, *pieces.needs_of(plan, purpose)[0])))
    environment = _ENVIRONMENTS[pieces.cloud_of(plan).name]
    return f"Connect-MgGraph -TenantId {plan.tenant_id} -Environment {environment} -Scopes {scopes}"


def _constants(plan: RevokePlan, name: str, purpose: Purpose) -> Iterator[str]:
    yield f"$Purpose = '{purpose}'"
    yield f"$Planned = '{plan.purpose}'"
    yield f"$Tenant = '{plan.tenant_id}'"
    yield f"$Environment = '{_ENVIRONMENTS[pieces.cloud_of(plan).name]}'"
    yield f"$Expires = '{plan.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
    yield f"$Approved = '{plan.approved_hash}'"
    yield f"$Needs = '{pieces.needs_text(plan, purpose)}'"
    yield f"$Connect = '{_connect(plan, purpose)}'"
    yield f"$Begin = '{pieces.begin_line(plan, 'powershell', purpose)}'"
    if purpose != "undo":
        yield "$All = $false"
    yield f"$Checks = ${'true' if pieces.check_comments(plan, purpose) else 'false'}"
    yield from _list("$FirstWords", pieces.first_words(plan, name, purpose))
    yield from _list("$LastWords", pieces.last_words(name, "{0}", "{1}", purpose))


def _list(variable: str, lines: list[str]) -> Iterator[str]:
    yield f"{variable} = @("
    yield from (f'    "{line}"' for line in lines)
    yield ")"


def _steps(plan: RevokePlan, purpose: Purpose) -> Iterator[str]:
    for number, (step, part) in enumerate(pieces.parts(plan, purpose), 1):
        yield ""
        yield from (f"    # {line}" for line in pieces.step_comments(step, number, len(plan.steps), purpose))
        yield "    @{"
        yield f"        Number = {step.number}"
        yield f"        Id = '{step.id}'"
        yield "        Changes = @'"
        yield from (pieces.intent_line(step, index, change, purpose) for index, change in part)
        yield "'@"
        yield "    }"


SCRIPT = Script(name="powershell", help="PowerShell with the cmdlets of Microsoft.Graph.", render=_render)
