"""Fact: one declared thing that a rule may ask, and the law of absence.

A fact that says "none", "how many" or lists all is ABSENT unless its collection is Complete; one that says
"some" is true once a witness was read, else ABSENT while there may be more. A field that the answer did not
carry makes its facts ABSENT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Literal

from msgspec import Struct

from auditor.engine.view import Answered, AppView, Context
from auditor.model.snapshot import Collected, Complete, client_collections, tenant_collections

Value = bool | int | str | tuple[str, ...]
Facts = Mapping[str, Value]
"""The facts of one subject by name; an absent fact is not in it."""
FactType = Literal["bool", "int", "string", "list(string)"]
SubjectKind = Literal["app", "grant"]


class Absent(Enum):
    """The type of ABSENT."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Not known. Never the same as false, zero or empty."""


class Fact(Struct, frozen=True, kw_only=True):
    """What every declared fact says of itself; its name begins with `app.` or `grant.`."""

    name: str
    type: FactType
    doc: str
    """One sentence: what it says."""
    collections: tuple[str, ...]
    """The collections that it is read from; one that is not Complete can make it absent."""
    unknown: str = ""
    """Why it can be absent although its collections are Complete; empty where it cannot."""


class AppFact(Fact, frozen=True, kw_only=True):
    """A fact of an app."""

    value: Callable[[Context, AppView], Value | Absent]


class GrantFact(Fact, frozen=True, kw_only=True):
    """A fact of one grant of an app."""

    value: Callable[[Context, AppView, Answered], Value | Absent]


def collected(context: Context, view: AppView, name: str) -> Collected[object]:
    """Return a collection by its name: of the tenant, or of the app's client."""
    return {**tenant_collections(context.snapshot), **client_collections(view.client)}[name]


def complete(context: Context, view: AppView, *names: str) -> bool:
    """Return whether all the named collections are Complete."""
    return all(isinstance(collected(context, view, name), Complete) for name in names)
