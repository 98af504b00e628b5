"""Alert queries: each module turns a plan into the query of one product, and holds one constant, `QUERY`.

A query watches for exactly what a plan takes away: an app that is given one of these permissions again. Nothing from a
tenant stands in it but GUIDs, and no name but those of the permission tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from msgspec import Struct

from auditor.model.plan import RevokePlan
from auditor.registry import discover


class Query(Struct, frozen=True, kw_only=True):
    """The alert query of one product."""

    name: str
    """As `--format` takes it: `sentinel`."""
    help: str
    write: Callable[[RevokePlan], str]
    """The query, with its comments; pure. Raises RefusedError where the plan takes no permission away."""


def queries() -> dict[str, Query]:
    """Return every query by its name, in name order."""
    return {query.name: query for query in cast("dict[str, Query]", discover(__name__, "QUERY")).values()}
