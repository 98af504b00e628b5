"""A drift in lines for readers: what came, what went, who did it and when; equal changes of many people in one line."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from auditor.model.drift import Act, AppChange, Drift, FieldChange, FindingChange, GrantChange, WaiverChange
from auditor.model.grant import Grant
from auditor.model.text import count
from auditor.reporters.text import when

_CAME = ("added", "widened", "granted-again")
_WENT = ("removed", "narrowed")
_MOVED = (*_CAME, *_WENT)
_LOUD = ("new", "returned")
_LISTED = 5
"""Values of an app that one line names."""
_ID = 8
"""Letters of an appId that a line shows."""
_NAMED = 3
"""Records of the audit log that one line names."""


class Change(Struct, frozen=True, kw_only=True):
    """One line, as raw text: whoever shows it makes it safe."""

    word: str
    """`added`, `returned`, `lapsed`, ...; empty where the head says it."""
    about: str
    """The permission, what changed about the app, the finding's title, or the waiver's rule."""
    where: str
    """The app, and what else tells the line from another."""
    details: tuple[str, ...] = ()
    who: str = ""
    """By whom and when; empty where the log does not tell."""
    severity: str = ""


class Group(Struct, frozen=True, kw_only=True):
    """Lines under one head."""

    title: str
    changes: tuple[Change, ...]


def groups(drift: Drift) -> tuple[Group, ...]:
    """Return the changes that there are, what is sure first, and under each head what is to be looked at first.

    Whoever shows only the first lines then leaves out what came and may stay, and what went as it was to.
    """
    sure = [change for change in drift.grants if change.certain]
    came = sorted((one for one in sure if one.what in _CAME), key=_stays)
    went = sorted((one for one in sure if one.what in _WENT), key=lambda one: not _stays(one))
    loud = sorted(drift.findings, key=lambda one: one.what not in _LOUD)
    found = (
        ("Permissions that came", _grants(came)),
        ("Permissions that went", _grants(went)),
        ("Judged anew", [replace(one, word="") for one in _grants(one for one in sure if one.what not in _MOVED)]),
        ("Apps", [_app(one) for one in drift.apps if one.certain]),
        ("Findings", _findings(loud)),
        ("Waivers", [_waiver(one) for one in drift.waivers]),
        (
            "Perhaps no change: one of the audits did not read it to the end",
            [*_grants(one for one in drift.grants if not one.certain), *_unsure(drift.apps)],
        ),
    )
    return tuple(Group(title=title, changes=tuple(changes)) for title, changes in found if changes)


def called(name: str, app_id: str) -> str:
    """Return an app's name with the beginning of its appId: anybody can take a name, and several apps have one."""
    return f"{name} ({app_id[:_ID]}…)" if name else app_id


def _grants(changes: Iterable[GrantChange]) -> list[Change]:
    """Return a line per change; equal ones of many people's consents make one."""
    alike: dict[Hashable, list[GrantChange]] = {}
    for change in changes:
        plain = replace(change, before=_nobody(change.before), after=_nobody(change.after), acts=())
        alike.setdefault(plain, []).append(change)
    return [_grant(same) for same in alike.values()]


def _nobody(grant: Grant | None) -> Grant | None:
    if grant is None:
        return None
    person = "Principal" if grant.consent == "Principal" else ""
    kept = "" if person else grant.grant_id
    return replace(grant, principal_id="", grant_id=kept, granted_at=None, granted_by="")


def _grant(same: Sequence[GrantChange]) -> Change:
    change = same[0]
    grant = change.after or change.before
    assert grant  # noqa: S101 - a change has one side at least
    whose = {"AllPrincipals": ", for everybody", "Principal": f", by {count(len(same), 'person', 'people')}"}
    kind = f"{grant.kind}{whose.get(grant.consent, '')}"
    return Change(
        word=change.what,
        about=grant.permission,
        where=f"{called(grant.app_name, grant.app_id)} · {kind} · {grant.resource_name}",
        details=tuple(_about_grant(change)),
        who=_who([act for one in same for act in one.acts]),
    )


def _about_grant(change: GrantChange) -> Iterator[str]:
    if change.after_revoke:
        yield "A plan had taken it away."
    elif change.what == "granted-again":
        yield "The same permission, under a new id."
    if change.before and change.after and change.before.consent != change.after.consent:
        yield "It was one person's." if change.after.consent == "AllPrincipals" else "It was everybody's."
    elif change.what in {"widened", "narrowed"}:
        yield "In a consent that was there before." if change.what == "widened" else "The rest of its consent stays."
    told = [_field(field) for field in change.fields if field.before and field.field != "decision"]
    if told:
        yield f"{'; '.join(told)}."
    was = next((field.before for field in change.fields if field.field == "decision"), "")
    if change.decision and not change.after:
        yield f"Decision before: {change.decision}.{_missed(change)}"
    elif change.decision:
        yield f"Decision: {change.decision}{f', was {was}' if was else ''}."


def _stays(change: GrantChange) -> bool:
    return change.decision.startswith("keep")


def _missed(change: GrantChange) -> str:
    """Return what the loss of a permission can mean, where nobody had decided to take it."""
    lost = change.certain and not (change.before and change.before.default_access)
    if lost and _stays(change):
        return " It was to stay: what needs it, such as meetings, may fail."
    return " Nobody had decided to take it." if lost and change.decision == "ask" else ""


def _field(field: FieldChange) -> str:
    return f"{field.field.replace('_', ' ')}: {field.before or 'nothing'}, now {field.after or 'nothing'}"


def _app(change: AppChange) -> Change:
    came = [value for value in change.after if value not in change.before]
    went = [value for value in change.before if value not in change.after]
    told = ((came, "Now"), (went, "Was"))
    return Change(
        word=change.what,
        about="",
        where=called(change.app_name, change.app_id),
        details=tuple(f"{word}: {_some(values)}." for values, word in told if values),
        who=_who(change.acts),
    )


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(values[:_LISTED]) + more


def _unsure(changes: Iterable[AppChange]) -> Iterator[Change]:
    """Return one line per app for everything that is not known to have changed."""
    found: dict[str, list[AppChange]] = {}
    for change in changes:
        if not change.certain:
            found.setdefault(change.service_principal_id, []).append(change)
    for same in found.values():
        where = called(same[0].app_name, same[0].app_id)
        yield Change(word=", ".join(one.what for one in same), about="", where=where)


def _findings(changes: Iterable[FindingChange]) -> list[Change]:
    """Return a line per kind of change, rule and app, with its permissions."""
    alike: dict[Hashable, list[FindingChange]] = {}
    for change in changes:
        app = change.service_principal_id
        same = (change.what, change.rule_id, change.severity, app, change.certain, change.held)
        alike.setdefault(same, []).append(change)
    return [
        Change(
            word=same[0].what,
            about=same[0].title,
            where=called(same[0].app_name, same[0].app_id),
            details=tuple(_about_finding(same)),
            severity=same[0].severity,
        )
        for same in alike.values()
    ]


def _about_finding(same: Sequence[FindingChange]) -> Iterator[str]:
    permissions = tuple(dict.fromkeys(one.permission for one in same if one.permission))
    if permissions:
        yield f"{_some(permissions)}."
    if same[0].what == "no-longer-evaluated":
        yield "Its rule was not evaluated for the app, so it is not closed."
    elif same[0].held:
        yield "Held still, and judged otherwise now."
    elif not same[0].certain:
        yield "The run before could not or did not judge this: it may have been open then."


def _waiver(change: WaiverChange) -> Change:
    told = [_field(field) for field in change.fields]
    until = "" if any(field.field == "expires" for field in change.fields) else f"until {change.expires}"
    return Change(
        word=change.what,
        about=change.rule,
        where=" · ".join(filter(None, (change.app, change.permission))),
        details=tuple(
            f"{text.removesuffix('.')}."
            for text in ("; ".join(told), ", ".join(filter(None, (change.owner, until))), change.reason)
            if text
        ),
    )


def _who(acts: Iterable[Act]) -> str:
    distinct = sorted({act.id: act for act in acts}.values(), key=lambda act: (act.at, act.id))
    told = [f"{act.actor or 'nobody named'}, {when(act.at)} ({act.activity})" for act in distinct[-_NAMED:]]
    more = f"; and {count(len(distinct) - _NAMED, 'record')} before" if len(distinct) > _NAMED else ""
    return "; ".join(told) + more
