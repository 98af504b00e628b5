"""Scripts: a plan in a language that an administrator reads and runs without this tool; one module for each language.

Each module holds one constant, `SCRIPT`. What a script does is the same in all of them: it looks at every object before
it writes anything, writes only with its switch, and keeps the journal that `revoke apply` keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from msgspec import Struct

from auditor.model.plan import RevokePlan
from auditor.registry import discover


class Script(Struct, frozen=True, kw_only=True):
    """One language."""

    name: str
    """As `--lang` takes it: `powershell`."""
    help: str
    render: Callable[[RevokePlan, str], Mapping[str, bytes]]
    """Plan and its file's name without `.json` to file name and content; pure; RefusedError as `pieces` says."""


def scripts() -> dict[str, Script]:
    """Return every language by its name, in name order."""
    return {s.name: s for s in cast("dict[str, Script]", discover(__name__, "SCRIPT")).values()}
