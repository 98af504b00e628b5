"""What all languages share: what may stand in code, how a tenant's text stands in a comment, and the journal's lines.

The lines are made here, so that every script writes what `revoke apply` would. A script is code that an administrator
runs with rights over the whole tenant, and every name in it was chosen by somebody else. So code holds ids, catalogue
names and hashes alone, each checked against its form; everything else stands in comments of one line of ASCII.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files

from msgspec.structs import replace

from auditor.errors import RefusedError, UsageError
from auditor.graph.clouds import CLOUDS, Cloud
from auditor.graph.writes import GRAPH, PRIVILEGED_ROLE_ADMINISTRATOR
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import (
    AccountChange,
    AssignmentChange,
    Begin,
    By,
    Change,
    GrantChange,
    Intent,
    Purpose,
    RevokePlan,
    Step,
    inverse,
)
from auditor.model.text import count
from auditor.remedy.journal import encode_line, intent

AT, ID = "@AT@", "@ID@"
"""Where a script writes the time, and the id of an object that had none when the script was made."""
LONGEST = 160
"""Characters of a comment's text."""
WIDTH = 100
"""Characters of a line of a check."""
FIRST = "check first: "
"""What a line of a check begins with."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,119}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_UNSAFE = re.compile(r"[^ !%&()*+,./0-9:;=?@A-Z\[\]^_a-z{|}~'\"-]")
_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
_PLACE = '"at":"0001-01-01T00:00:00Z"'
_ADVICE = "Carry this step out with entra-audit revoke apply, or by hand."


def purpose_of(plan: RevokePlan, name: str) -> Purpose:
    """Return what the first script of a plan is for, once the plan and its file's name may stand in code.

    Raises:
        RefusedError: a part of the plan may not, or it is the plan of an undo.
        UsageError: the name may not.
    """
    if plan.purpose == "undo":
        raise RefusedError(
            "This is the plan of an undo.",
            advice="Carry it out with entra-audit revoke undo; or make the scripts of the plan that it takes back, "
            "of which one takes back.",
        )
    if not _FILE.fullmatch(name):
        raise UsageError(
            f"The plan's file name {ascii(name)[:200]} has characters that do not belong into a script.",
            advice="Rename it: letters, digits, dot, hyphen and underscore.",
        )
    _require_safe(plan)
    return plan.purpose


def journal_name(name: str, purpose: Purpose) -> str:
    """Return the name of a script's journal, beside the plan unless it is told otherwise."""
    return f"{name}.undo.journal.jsonl" if purpose == "undo" else f"{name}.journal.jsonl"


def cloud_of(plan: RevokePlan) -> Cloud:
    """Return the plan's cloud.

    Raises:
        RefusedError: it names none.
    """
    if plan.cloud not in CLOUDS:
        raise RefusedError("The plan names a cloud that there is not.", advice=_ADVICE)
    return CLOUDS[plan.cloud]


def parts(plan: RevokePlan, purpose: Purpose) -> Iterator[tuple[Step, list[tuple[int, Change]]]]:
    """Yield the steps in the order of carrying out, with their changes and the index of each in the plan.

    Of an undo, each change is taken back, the last one first; it keeps its step and its index.
    """
    for step in plan.steps if purpose != "undo" else plan.steps[::-1]:
        changes: list[tuple[int, Change]] = list(enumerate(step.changes))
        if purpose == "undo":
            changes = [(index, inverse(change)) for index, change in changes[::-1]]
        yield step, changes


def begin_line(plan: RevokePlan, by: By, purpose: Purpose) -> str:
    """Return the journal's first line of a run, with AT for the time."""
    begin = Begin(
        at=_MOMENT,
        by=by,
        purpose=purpose,
        plan=plan.sha256,
        approved_hash=plan.approved_hash,
        tenant_id=plan.tenant_id,
        cloud=plan.cloud,
        reader_app_id=plan.reader_app_id,
        reader_object_id=plan.reader_object_id,
    )
    return _line(begin)


def intent_line(step: Step, index: int, change: Change, purpose: Purpose) -> str:
    """Return the journal's line before a write, with AT for the time and ID for an id that is not known yet."""
    line = intent(step, index, change, at=_MOMENT)
    doing = line.doing
    if not isinstance(doing, AccountChange) and doing.before is not None and not doing.before.id:
        doing = replace(doing, before=replace(doing.before, id=ID))
    return _line(replace(line, doing=doing, closes=() if purpose == "undo" else line.closes))


def comment(text: str) -> str:
    """Return a text as it may stand in a comment: one line of ASCII without what a shell or PowerShell reads."""
    return _safe(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda hit: f"[U+{ord(hit[0]):04X}]", text).strip() or "(none)"


def said(step: Step, change: Change) -> str:
    """Return what a change does, in words of ids and names that may stand in code."""
    if isinstance(change, AccountChange):
        return f"switch the sign-in of the app {'on' if change.after.account_enabled else 'off'}"
    if isinstance(change, AssignmentChange):
        side = change.before or change.after
        names = dict(zip(step.target.permission_ids, step.target.permissions, strict=False))
        role = side.app_role_id if side else ""
        value = names.get(role) or step.target.replaced_by or role
        return f"{'remove' if change.after is None else 'grant'} the application permission {value}"
    before, after = (_words(side.scope) if side else [] for side in (change.before, change.after))
    held = change.before or change.after
    whose = f"of the person {held.principal_id}" if held and held.principal_id else "for everybody"
    went = " ".join(word for word in before if word not in after)
    came = " ".join(word for word in after if word not in before)
    if change.after is None or change.before is None:
        return f"{'remove' if change.after is None else 'grant'} the consent {whose}: {went or came}"
    parts = [part for part in (went and f"take {went}", came and f"add {came}") if part]
    return f"change the consent {whose}: {', '.join(parts)}"


def check_comments(plan: RevokePlan, purpose: Purpose) -> list[str]:
    """Return what a person has to tick first, whole, each once with its steps; a script prints these lines of itself.

    They stand in comments alone, as every text that somebody has written; each line begins with FIRST.
    """
    if purpose == "undo":
        return []
    found: dict[str, list[int]] = {}
    for step in plan.steps:
        for check in step.checks:
            found.setdefault(check, []).append(step.number)
    lines = []
    for check, numbers in found.items():
        which = f"(step{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))})"
        text = f"[ ] {_safe(check)} {which}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return [f"{FIRST}{line}" for line in lines]


def head_comments(plan: RevokePlan, name: str, purpose: Purpose) -> list[str]:
    """Return what a reader has to know of a script, before anything of it."""
    what = "takes back what the plan removed" if purpose == "undo" else "carries the plan out"
    steps, changes = count(len(plan.steps), "step"), count(sum(len(s.changes) for s in plan.steps), "change")
    return [
        f"This {what}: {steps}, {changes}.",
        f"plan:     {name}.json, SHA-256 {plan.sha256}",
        f"approved: SHA-256 of its steps {plan.approved_hash}",
        f"tenant:   {plan.tenant_id}, {comment(plan.tenant_name)}",
        f"expires:  {plan.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        f"made by:  entra-audit {comment(plan.tool_version)}",
        "Names of the tenant stand in comments only, and whoever registered an app chose its name.",
        *(["", *undo_warning(plan)] if purpose == "undo" else []),
        *(["", *checks] if (checks := check_comments(plan, purpose)) else []),
    ]


def step_comments(step: Step, number: int, of: int, purpose: Purpose) -> list[str]:
    """Return what a reader has to know of a step."""
    target, needs = step.target, step.undo_needs if purpose == "undo" else step.needs
    granted = f" on {comment(target.resource_name)}" if target.resource_id else ""
    what = ", ".join(map(comment, target.permissions)) or "sign-in"
    return [
        f"Step {step.number} of the plan ({number} of {of}): {'take back ' if purpose == 'undo' else ''}{step.action}",
        f"  what:  {comment(step.title)}",
        f"  app:   {comment(target.app_name)}, appId {comment(target.app_id)}",
        f"  which: {what}{granted}",
        f"  why:   {comment(step.why)}",
        f"  needs: {comment(needs.permission)}; of a person: {comment(needs.role)}",
        *(["  first: tick the checks at the top that name this step"] if step.checks and purpose != "undo" else []),
    ]


def needs_of(plan: RevokePlan, purpose: Purpose) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the permissions and the roles that carrying a plan out takes.

    Raises:
        RefusedError: one is no name.
    """
    needs = [step.undo_needs if purpose == "undo" else step.needs for step in plan.steps]
    permissions = dict.fromkeys(name for need in needs for name in need.permission.split(", "))
    roles = dict.fromkeys(name for need in needs for name in need.role.split(", "))
    _require([(name, _NAME) for name in (*permissions, *(role.replace(" ", "") for role in roles))], "what it needs")
    return tuple(permissions), tuple(roles)


def needs_text(plan: RevokePlan, purpose: Purpose) -> str:
    """Return what carrying a plan out takes, as a sentence."""
    permissions, roles = needs_of(plan, purpose)
    return f"It needs {', '.join(permissions)}, and of a person the role {', '.join(roles)}."


def first_words(plan: RevokePlan, name: str, purpose: Purpose) -> list[str]:
    """Return what a script says before it begins."""
    what = "takes back" if purpose == "undo" else "carries out"
    said = f"This {what} {name}.json in the tenant {plan.tenant_id}: {count(len(plan.steps), 'step')}."
    return [said, *(undo_warning(plan) if purpose == "undo" else [])]


def undo_warning(plan: RevokePlan) -> list[str]:
    """Return what an undo says before it begins."""
    changes = [(step, inverse(change)) for step in plan.steps for change in step.changes]
    on_graph = any(c.write == "add-assignment" and s.target.resource_app_id == GRAPH for s, c in changes)
    role = (
        f"Granting an application permission of Microsoft Graph needs {PRIVILEGED_ROLE_ADMINISTRATOR};",
        "Cloud Application Administrator cannot.",
    )
    return [
        "This grants power again: what was taken away comes back. Ids and dates will be new.",
        *(role if on_graph else ()),
        "It restores the grants, and not the vendor's own connection, which may have to be made again there.",
    ]


def last_words(name: str, moment: str, later: str, purpose: Purpose) -> list[str]:
    """Return what a script says once something was written; `moment` and `later` as its language writes them."""
    if purpose == "undo":
        return [f"Granted again at {moment}. New tokens carry it; whoever lost a connection may have to connect again."]
    if purpose == "contain":
        return [
            f"Disabled at {moment}. No new token from now on. By Microsoft's default an access token lives 60 to 90",
            f"minutes, so those given before live until about {later}; not measured here.",
            "The grants stay. Not proven until the logs show no success.",
            f"Then: entra-audit revoke verify {name}.json",
        ]
    return [
        f"Removed at {moment}. By Microsoft's default an access token lives 60 to 90 minutes, so it is effective by",
        f"about {later} for app-only tokens; not measured here. Exchange may cache up to 2 hours more.",
        "Not proven until the logs show no success. A reconnect at the vendor may grant everything again.",
        f"Then: entra-audit revoke verify {name}.json",
    ]


def piece(name: str) -> str:
    """Return a part of a script that is the same for every plan."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def _require_safe(plan: RevokePlan) -> None:
    tenant = ((plan.tenant_id, _GUID), (plan.sha256, _HASH), (plan.approved_hash, _HASH))
    reader = [(value, _GUID) for value in (plan.reader_app_id, plan.reader_object_id) if value]
    _require((*tenant, *reader), "the plan's head")
    for step in plan.steps:
        _require(_values(step), f"step {step.number}")
        for change in step.changes:
            if not _is_sound(change):
                raise _refused(f"step {step.number}", "a change that is none of the six that a script can make")


def _line(line: Begin | Intent) -> str:
    return encode_line(line).decode().rstrip("\n").replace(_PLACE, f'"at":"{AT}"', 1)


def _values(step: Step) -> Iterator[tuple[str, re.Pattern[str]]]:
    target = step.target
    yield step.id, _GUID
    yield target.app_id, _GUID
    yield target.resource_app_id or target.app_id, _GUID
    for value in (*target.permissions, *filter(None, [target.replaced_by])):
        yield value, _GUID if _GUID.fullmatch(value) else _NAME
    for value in filter(None, target.permission_ids):
        yield value, _GUID
    for closed in step.closes:
        yield closed.finding_id, _OBJECT_ID
        yield closed.rule_id, _NAME
    for change in step.changes:
        if isinstance(change, AccountChange):
            yield from ((value, _GUID) for value in (change.before.id, change.before.app_id))
        for side in (change.before, change.after):
            if isinstance(side, AppRoleAssignment):
                yield from ((value, _GUID) for value in (side.app_role_id, side.principal_id, side.resource_id))
            if isinstance(side, OAuth2PermissionGrant):
                people = (side.principal_id,) if side.principal_id is not None else ()
                yield from ((value, _GUID) for value in (side.client_id, side.resource_id, *people))
                yield from ((word, _GUID if _GUID.fullmatch(word) else _NAME) for word in _words(side.scope))
            if side is not None and not isinstance(change, AccountChange) and side.id:
                yield side.id, _OBJECT_ID


def _words(scope: str | None) -> list[str]:
    return [word for word in (scope or "").split(" ") if word]


def _is_sound(change: Change) -> bool:
    """Tell whether a change is one write on one object."""
    if isinstance(change, AccountChange):
        return replace(change.before, account_enabled=change.after.account_enabled) == change.after
    if isinstance(change, AssignmentChange):
        side = change.before or change.after
        one = (change.before is None) != (change.after is None)
        return one and side is not None and side.principal_type == "ServicePrincipal" and _known(change)
    sides = [side for side in (change.before, change.after) if side is not None]
    if any((side.consent_type, side.principal_id is None) not in _CONSENTS for side in sides):
        return False
    if change.before is not None and change.after is not None:
        same = replace(change.before, scope=change.after.scope) == change.after
        return same and bool(_words(change.after.scope)) and _known(change)
    return bool(sides) and _known(change)


def _known(change: AssignmentChange | GrantChange) -> bool:
    """Tell whether the object that is to be there has an id, and the one to be made has none."""
    return bool(change.before and change.before.id) or bool(change.before is None and change.after)


_CONSENTS = {("AllPrincipals", True), ("Principal", False)}


def _require(values: Sequence[tuple[str, re.Pattern[str]]] | Iterator[tuple[str, re.Pattern[str]]], place: str) -> None:
    for value, form in values:
        if not form.fullmatch(value):
            raise _refused(place, ascii(value)[:200])


def _refused(place: str, what: str) -> RefusedError:
    return RefusedError(f"In {place} stands {what}, which may not stand in a script.", advice=_ADVICE)
