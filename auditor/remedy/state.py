"""What an object's state says of a change: is it as planned, is it done, and if neither, how does it differ?"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from auditor.graph.writer import State, Unread
from auditor.model.directory import OAuth2PermissionGrant
from auditor.model.plan import Change, GrantChange
from auditor.model.text import visible

_MADE_ANEW = frozenset({"id", "created_date_time"})
"""What Graph chooses where an object is made."""
_NOT_STATED = _MADE_ANEW | {"principal_display_name", "principal_type", "resource_display_name"}
"""What a change may leave open."""


def as_planned(change: Change, state: State) -> bool:
    """Tell whether an object is as the change wants to find it, in every field that it states."""
    return _unlike(change.before, state) == ()


def is_done(change: Change, state: State) -> bool:
    """Tell whether an object is as the change wants to leave it; the order of scopes does not matter."""
    return not set(_unlike(change.after, state)) - (_NOT_STATED if change.after and state else set())


def onto(change: Change, state: State | Unread) -> Change:
    """Return a change of scopes on top of those that others have added since, which it leaves alone.

    For an undo, which gives and takes its own scopes and no more; any other difference leaves the change as it is.
    """
    if not isinstance(change, GrantChange) or not change.before or not change.after:
        return change
    if not isinstance(state, OAuth2PermissionGrant) or set(_unlike(change.before, state)) != {"scope"}:
        return change
    before, after, now = (words(grant) for grant in (change.before, change.after, state))
    if not set(before) <= set(now) or set(after) - set(before) & set(now):
        return change
    kept = [scope for scope in now if scope not in set(before) - set(after)]
    scope = " ".join((*kept, *(scope for scope in after if scope not in now)))
    return GrantChange(before=state, after=replace(state, scope=scope))


def words(grant: OAuth2PermissionGrant | None) -> tuple[str, ...]:
    """Return the scopes of a grant in their order; none where there is no grant."""
    return tuple((grant.scope or "").split()) if grant else ()


def difference(change: Change, state: State | Unread) -> str:
    """Return in words how an object differs from what the change wants to find."""
    if isinstance(state, Unread):
        return f"it could not be read: {state.why}"
    if state is None:
        return "it is gone"
    before = change.before
    if before is None:
        return "somebody has granted it meanwhile"
    unlike = _unlike(before, state)
    if not unlike:
        return "it is unchanged"
    if "id" in unlike:
        return "it was removed and made again, with another id"
    told = (f"{name} was {_shown(before, name)} and is {_shown(state, name)}" for name in unlike)
    return f"it has changed: {', '.join(told)}"


def _unlike(wanted: Struct | None, state: Struct | None) -> tuple[str, ...]:
    """Return the fields that differ among those that `wanted` states; an object that is there or not differs in all."""
    if wanted is None or state is None or type(wanted) is not type(state):
        return () if wanted is state else ("*",)
    return tuple(
        name for name in wanted.__struct_fields__ if _differs(name, getattr(wanted, name), getattr(state, name))
    )


def _differs(name: str, wanted: object, found: object) -> bool:
    if name in _NOT_STATED and not wanted:
        return False
    if name == "scope":
        return set(str(wanted or "").split()) != set(str(found or "").split())
    return wanted != found


def _shown(value: Struct, name: str) -> str:
    return visible(str(getattr(value, name)))[:200]
