"""A plan as a script for a POSIX shell: a table of changes, and the few functions that read it.

How Microsoft Graph is asked is the one thing that differs between the two languages that are shell scripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from urllib.parse import quote

from auditor.model.canonical import to_json
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import Account, AccountChange, AssignmentChange, By, Change, GrantChange, Purpose, RevokePlan
from auditor.remedy.scripts import pieces

_TABLE = """\
# What is done. Each line is one change:
#   number | write | where it is read | what finds it in a list | as it has to be found | as it has to be left |
#   where it is sent | what is sent | what that does | the line of the journal\
"""


def shell_scripts(plan: RevokePlan, name: str, *, by: By, driver: str, how: tuple[str, ...]) -> Mapping[str, bytes]:
    """Return the two scripts of a plan.

    Args:
        plan: what is carried out.
        name: its file's name without `.json`.
        by: who writes the journal.
        driver: the piece that asks Microsoft Graph.
        how: what has to be there to run it, in lines.

    Raises:
        RefusedError: a part of the plan may not stand in code.
        UsageError: nor may the name.
    """
    purpose = pieces.purpose_of(plan, name)
    return {
        _file(by, carried): _script(plan, name, carried, by=by, driver=driver, how=how) for carried in (purpose, "undo")
    }


def _script(plan: RevokePlan, name: str, purpose: Purpose, *, by: By, driver: str, how: tuple[str, ...]) -> bytes:
    file = _file(by, purpose)
    usage = [
        "",
        *how,
        f"  sh {file}                 looks at every object, says what would be done, and writes nothing",
        f"  sh {file} --commit        does it, and keeps the journal; run again, it goes on where it stopped",
        "  --keep-going   goes on with the next step where one cannot be done",
        f"  --journal FILE keeps the journal there ({pieces.journal_name(name, purpose)})",
    ]
    if purpose == "undo":
        usage += [
            f"  --revoked FILE the journal that says what was removed ({pieces.journal_name(name, 'revoke')})",
            "  --all          takes every step back, without such a journal",
        ]
    usage.append(
        "Exit codes: 0 all done, 2 usage, 4 refused before any write, 5 in part or unverified, 130 interrupted."
    )
    lines = [
        "#!/bin/sh",
        *_comments([*pieces.head_comments(plan, name, purpose), *usage]),
        "",
        "set -fu",
        *_constants(plan, name, purpose, by),
        "",
        _TABLE,
        "changes() {",
        *_steps(plan, purpose),
        "}",
        "",
        *_said("first_words", pieces.first_words(plan, name, purpose)),
        *_said("last_words", pieces.last_words(name, "$1", "$2", purpose)),
        "",
    ]
    return ("\n".join(lines) + pieces.piece(driver) + "\n" + pieces.piece("run.sh")).encode("ascii")


def _file(by: By, purpose: Purpose) -> str:
    """Return a script's name, which is another for each language."""
    return f"{'undo' if purpose == 'undo' else 'revoke'}{'' if by == 'sh' else f'-{by}'}.sh"


def _comments(lines: list[str]) -> list[str]:
    return [f"# {line}".rstrip() for line in lines]


def _constants(plan: RevokePlan, name: str, purpose: Purpose, by: By) -> Iterator[str]:
    expires = plan.expires.astimezone(UTC)
    yield f"NAME='{name}' PURPOSE='{purpose}' PLANNED='{plan.purpose}' CLOUD_GRAPH='{pieces.cloud_of(plan).graph}'"
    yield f"TENANT='{plan.tenant_id}'"
    yield f"EXPIRES={expires:%Y%m%d%H%M%S} # in UTC; a plan that is older is not carried out"
    yield f"APPROVED='{plan.approved_hash}'"
    yield f"NEEDS='{pieces.needs_text(plan, purpose)}'"
    yield f"CHECKS='{'first' if pieces.check_comments(plan, purpose) else ''}'"
    yield f"BEGIN='{pieces.begin_line(plan, by, purpose)}'"


def _said(function: str, lines: list[str]) -> Iterator[str]:
    yield f"{function}() {{"
    yield from (f'    say "{line}"' for line in lines)
    yield "}"


def _steps(plan: RevokePlan, purpose: Purpose) -> Iterator[str]:
    for number, (step, part) in enumerate(pieces.parts(plan, purpose), 1):
        yield ""
        yield from _comments(pieces.step_comments(step, number, len(plan.steps), purpose))
        how = "together" if step.action == "replace-permission" else "apart"
        yield f"step {step.number} {step.id} {how} <<'END'"
        for index, change in part:
            intent = pieces.intent_line(step, index, change, purpose)
            yield "|".join((str(index), change.write, *_columns(change), pieces.said(step, change), intent))
        yield "END"


def _columns(change: Change) -> tuple[str, str, str, str, str, str]:
    """Return where a change is read, what finds it, how it is before and after, where it is sent, and what."""
    read, match, send, body = _ways(change)
    return read, match, _state(change.before), _state(change.after), send, _json(body) if body else "-"


def _ways(change: Change) -> tuple[str, str, str, Mapping[str, object]]:
    if isinstance(change, AccountChange):
        path = f"servicePrincipals/{change.before.id}"
        return f"{path}?$select=id,appId,accountEnabled", "-", path, {"accountEnabled": change.after.account_enabled}
    if isinstance(change, AssignmentChange):
        held = change.before or change.after
        assert held  # noqa: S101 - pieces.require_safe has seen to it
        ids = (held.app_role_id, held.principal_id, held.resource_id)
        owner = f"servicePrincipals/{held.resource_id}/appRoleAssignedTo"
        made = dict(zip(("appRoleId", "principalId", "resourceId"), ids, strict=True))
        send, body = (owner, made) if change.after else (f"{owner}/", {})
        return f"servicePrincipals/{held.principal_id}/appRoleAssignments", f",{_json(ids)[1:-1]},", send, body
    return _grant_ways(change)


def _grant_ways(change: GrantChange) -> tuple[str, str, str, Mapping[str, object]]:
    grants = "oauth2PermissionGrants"
    if change.before is not None and change.before.id:
        left = {"scope": change.after.scope or ""} if change.after else {}
        return f"{grants}/{change.before.id}", "-", f"{grants}/", left
    grant = change.after or change.before
    assert grant  # noqa: S101 - pieces.require_safe has seen to it
    who = (grant.client_id, grant.consent_type, grant.principal_id, grant.resource_id)
    names = ("clientId", "consentType", "principalId")
    asked = " and ".join(f"{name} eq '{value}'" for name, value in zip(names, who, strict=False) if value)
    body: dict[str, object] = {
        "clientId": grant.client_id,
        "consentType": grant.consent_type,
        "principalId": grant.principal_id,
        "resourceId": grant.resource_id,
        "scope": grant.scope or "",
    }
    send, sent = (grants, body) if change.after else (f"{grants}/", {})
    return f"{grants}?$filter={quote(asked)}", f",{_json(who)[1:-1]},", send, sent


def _state(side: AppRoleAssignment | OAuth2PermissionGrant | Account | None) -> str:
    """Return an object as the scripts compare it: its fields as a line of JSON."""
    if side is None:
        return "gone"
    if isinstance(side, Account):
        return _json((side.id, side.app_id, side.account_enabled))
    if isinstance(side, AppRoleAssignment):
        return _json((side.id, side.app_role_id, side.principal_id, side.resource_id, side.principal_type))
    return _json((side.id, side.client_id, side.consent_type, side.principal_id, side.resource_id, side.scope))


def _json(value: object) -> str:
    return to_json(value).decode().rstrip("\n")
