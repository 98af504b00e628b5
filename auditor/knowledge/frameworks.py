"""Frameworks: the controls of published standards that the rules support.

The tables are rules/frameworks/*.yaml, one file per framework and version. A title says in our own words what a control
is about: the standards' own texts are their publishers'. To support a control is to give evidence for or against it in
the audited apps, and never to meet it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import Lines, load_with_lines

_NAME = re.compile(r"[A-Za-z0-9.+-]+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.()-]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Control(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One control, requirement, criterion or technique."""

    id: str
    """As the framework writes it: `AC-6(7)`."""
    title: str
    """What it is about, in our words."""
    basis: Literal["documented"]
    """Id and meaning were read in a public source; what could not be is left out."""
    source: str = ""
    """Where; empty in the file: where the framework's own source says it."""


class Framework(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of rules/frameworks/."""

    framework: str
    """The first part of a control as rules name it, and the file's name without `.yaml`."""
    title: str
    version: str
    publisher: str
    source: str
    """The publisher's page, or the page that was read."""
    checked: str
    """When the sources were read, YYYY-MM-DD."""
    supports: str
    """What it means that a rule supports one of these controls, and what it does not mean."""
    controls: tuple[Control, ...]


def load_frameworks(directory: Path | None = None) -> tuple[Framework, ...]:
    """Read every framework of a folder, rules/frameworks/ unless told otherwise, in the order of the file names.

    Raises:
        ConfigurationError: a file is no framework, is not named as its framework, or names a control twice; an id, a
            date or an address is not well formed; with file and line.
    """
    folder = directory or data_dir("rules") / "frameworks"
    return tuple(_load(path) for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem))


@cache
def known_frameworks() -> tuple[Framework, ...]:
    """Return the program's own frameworks, read once."""
    return load_frameworks()


def control_names(frameworks: tuple[Framework, ...]) -> tuple[str, ...]:
    """Return every control as rules name it: FRAMEWORK:ID."""
    return tuple(f"{one.framework}:{control.id}" for one in frameworks for control in one.controls)


def _load(path: Path) -> Framework:
    framework, lines = load_with_lines(path, Framework)
    if framework.framework != path.stem or not _NAME.fullmatch(path.stem):
        raise _wrong(
            lines,
            ("framework",),
            f"The framework is called '{framework.framework}' and its file '{path.name}'.",
            f"Write `framework: {path.stem}`, or rename the file; letters, digits, '.', '+' and '-' make a name.",
        )
    if not _DAY.fullmatch(framework.checked):
        raise _wrong(lines, ("checked",), f"'{framework.checked}' is not a date.", "Write it as 2026-11-22.")
    _check_source(framework.source, lines, ("source",))
    seen: set[str] = set()
    for number, control in enumerate(framework.controls):
        place = ("controls", number)
        if not _ID.fullmatch(control.id):
            raise _wrong(lines, (*place, "id"), f"'{control.id}' is not a control's id.", "Write it as AC-6(7).")
        if control.id in seen:
            raise _wrong(lines, (*place, "id"), f"The control '{control.id}' is there already.", "Remove one.")
        seen.add(control.id)
        if control.source:
            _check_source(control.source, lines, (*place, "source"))
    controls = tuple(replace(one, source=one.source or framework.source) for one in framework.controls)
    return replace(framework, controls=controls)


def _check_source(source: str, lines: Lines, steps: tuple[str | int, ...]) -> None:
    if not source.startswith("https://"):
        raise _wrong(lines, steps, f"'{source}' is not an https URL.", "Write https://...")


def _wrong(lines: Lines, steps: tuple[str | int, ...], what: str, advice: str) -> ConfigurationError:
    return ConfigurationError(what, where=lines.place(steps), advice=advice)
