"""One collection of the simulated tenant: what it holds, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

from msgspec import Struct
from msgspec.structs import replace

from auditor.model.snapshot import Client, Collected, Unavailable, items
from auditor.simulator import bodies
from auditor.simulator.query import Json


class Table(Struct, frozen=True, kw_only=True):
    """A collection under one path."""

    type: str
    """Graph's name of what it holds: `servicePrincipal`."""
    items: Sequence[Json] = ()
    filters: frozenset[str] = frozenset()
    """Properties that $filter may look at."""
    orders: frozenset[str] = frozenset()
    """Properties that $orderby may name."""
    closed: bool = False
    """Nobody may read it."""
    closed_for: frozenset[str] = frozenset()
    """Ids, lower case, that nobody may ask for."""
    uniform: bool = False
    """Every item has the same value in every property of `filters`, so one item answers for all."""
    paged: bool = True
    advanced: bool = True
    """A count needs `ConsistencyLevel: eventual`."""


class Users(Sequence[Json]):
    """As many made-up enabled member accounts as were counted, each made when it is asked for."""

    def __init__(self, number: int, tenant_id: str) -> None:
        self._numbers = range(number)
        self._tenant_id = tenant_id

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Json: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Json]: ...
    def __getitem__(self, index: int | slice) -> Json | Sequence[Json]:
        """Return one account, or a list of some."""
        if isinstance(index, slice):
            return [bodies.user(number, self._tenant_id) for number in self._numbers[index]]
        return bodies.user(self._numbers[index], self._tenant_id)


def whole(type_: str, collected: Collected[Any], make: Callable[..., Json], filters: str = "") -> Table:
    """Return a table of one collection of the snapshot; `filters` are names with blanks between."""
    return Table(
        type=type_,
        items=[make(item) for item in items(collected)],
        filters=frozenset(filters.split()),
        closed=isinstance(collected, Unavailable),
    )


def shared(table: Table, clients: Iterable[Client], part: Callable[[Client], Collected[Any]]) -> Table:
    """Return a table that clients share, closed for those of whom the snapshot has no such part, or for all."""
    states = [(client.service_principal, isinstance(part(client), Unavailable)) for client in clients]
    closed = [app for app, missing in states if missing]
    return replace(
        table,
        closed=bool(closed) and len(closed) == len(states),
        closed_for=frozenset(name.lower() for app in closed for name in (app.id, app.app_id)),
    )
