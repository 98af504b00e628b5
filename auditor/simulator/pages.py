"""One GET on a collection: which items it gets, in which order, on which page, with which properties."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from auditor.simulator.fault import FaultKind
from auditor.simulator.properties import BETA_ONLY, PROPERTIES
from auditor.simulator.query import OPTIONS, Json, parse_filter
from auditor.simulator.refused import Refused, unsupported
from auditor.simulator.table import Table

MAX_TOP = 999
UNLIMITED = 10**9
FOREIGN = "https://graph.fabrikam.example"
_TOKEN = re.compile(r"sample-page-(?P<start>[0-9]{1,12})(?P<moved>-moved)?(?P<full>-full)?")


class Asked(Struct, frozen=True, kw_only=True):
    """A GET, taken apart."""

    root: str
    """`http://127.0.0.1:PORT/v1.0`: what nextLinks begin with."""
    path: str
    """Below the root, without slashes at either end."""
    query: Mapping[str, str]
    """Options under their names with `$`."""
    eventual: bool
    """It says `ConsistencyLevel: eventual`."""

    @property
    def beta(self) -> bool:
        """Tell whether it asks the beta version."""
        return self.root.endswith("/beta")


class Place(Struct, frozen=True, kw_only=True):
    """Where a page begins, and what a fault of the page before has done to it."""

    start: int = 0
    """The number of its first item."""
    moved: bool = False
    """Its first row gives way to the one before it."""
    full: bool = False
    """An empty page led here: this one is not empty again."""


def options(query: Mapping[str, str]) -> dict[str, str]:
    """Return query options under their names with `$`; Graph takes them without it as well.

    Raises:
        Refused: an option that the simulator does not know, or a $count that is neither true nor false.
    """
    named = {name if name.startswith("$") else f"${name}": value for name, value in query.items()}
    for name in sorted(named.keys() - OPTIONS):
        raise Refused(400, f"The query option '{name}' is not supported.")
    if (count := named.get("$count", "true")).lower() not in ("true", "false"):
        raise Refused(400, f"Invalid value '{count}' for the query option '$count'.")
    return named


def page(asked: Asked, table: Table, *, size: int, limit: int, fault: FaultKind | None) -> Json:
    """Return one page of a collection, spoilt by `fault` where it is one of paging.

    Raises:
        Refused: the collection is closed, or the query is not supported.
    """
    query = asked.query
    counted = query.get("$count", "").lower() == "true" and (asked.eventual or not table.advanced)
    items = _ordered(chosen(table, query, eventual=counted), table, query)
    if fault == "feature-off":
        items = ()
    place = _place(query)
    most = min(_size(query, size), limit)
    size = most if table.paged else len(items)
    made: Json = {"@odata.context": f"{asked.root}/$metadata#{asked.path}{selected(query)}"}
    if fault == "wrong-count" or (counted and "$skiptoken" not in query):
        made["@odata.count"] = total(items, fault)
    shown = () if fault == "empty-page" and not place.full else _shown(items, place, size)
    if link := _next(asked, place, size, len(items), fault):
        made["@odata.nextLink"] = link
    made["value"] = select(shown, table.type, asked)
    return made


def _shown(items: Sequence[Json], place: Place, size: int) -> Sequence[Json]:
    shown = items[place.start : place.start + size]
    if place.moved and 0 < place.start < len(items):
        return [items[place.start - 1], *shown[1:]]
    return shown


def _next(asked: Asked, place: Place, size: int, number: int, fault: FaultKind | None) -> str:
    """Return the link to the page after the one at `place`, of `number` items in all; empty: there is none."""
    if fault == "empty-page" and not place.full:
        return _link(asked, replace(place, full=True))
    if fault == "repeated-next-link":
        return _link(asked, place)
    end = place.start + size
    link = _link(asked, Place(start=end, moved=fault == "moved-row"))
    if fault == "foreign-next-link":
        return link.replace(asked.root, f"{FOREIGN}/{asked.root.rpartition('/')[2]}")
    last = number - size if fault == "missing-last-page" else number
    return link if end < last else ""


def chosen(table: Table, query: Mapping[str, str], *, eventual: bool) -> Sequence[Json]:
    """Return the items that $filter lets through.

    Raises:
        Refused: the table, or what the filter asks for, is closed; or the filter is not supported.
    """
    if table.closed:
        raise Refused(403)
    if "$filter" not in query:
        return table.items
    wanted = parse_filter(query["$filter"])
    for name in sorted(wanted.properties - table.filters):
        raise unsupported(f"Unsupported property '{name}' in the filter of resource '{table.type}'.")
    if wanted.advanced and not eventual:
        raise unsupported("The filter needs the header 'ConsistencyLevel:eventual' and $count=true.")
    if wanted.literals & table.closed_for:
        raise Refused(403)
    if table.uniform:
        return table.items if table.items and wanted.test(table.items[0]) else ()
    return [item for item in table.items if wanted.test(item)]


def total(items: Sequence[Json], fault: FaultKind | None) -> int:
    """Return how many items a count says that there are."""
    return 0 if fault == "feature-off" else len(items) + (fault == "wrong-count")


def select(items: Iterable[Json], type_: str, asked: Asked) -> list[Json]:
    """Return the items with the properties that $select names; the id and the type always come along.

    Raises:
        Refused: the type has no such property, whether there are items or not.
    """
    if not asked.query.get("$select"):
        hidden = frozenset[str]() if asked.beta else BETA_ONLY
        return [{name: value for name, value in item.items() if name not in hidden} for item in items]
    names = {name.strip() for name in asked.query["$select"].split(",")}
    for name in sorted(names - PROPERTIES[type_]):
        raise Refused(400, f"Could not find a property named '{name}' on type 'microsoft.graph.{type_}'.")
    names |= {"id", "@odata.type"}
    return [{name: value for name, value in item.items() if name in names} for item in items]


def selected(query: Mapping[str, str]) -> str:
    """Return what @odata.context says of $select."""
    return f"({query['$select']})" if query.get("$select") else ""


def _ordered(items: Sequence[Json], table: Table, query: Mapping[str, str]) -> Sequence[Json]:
    if "$orderby" not in query:
        return items
    name, _, way = query["$orderby"].strip().partition(" ")
    way = way.strip()
    if name not in table.orders or way not in ("", "asc", "desc"):
        raise unsupported(f"Sorting by '{name}' is not supported for resource '{table.type}'.")
    return sorted(items, key=lambda item: str(item.get(name) or "").casefold(), reverse=way == "desc")


def _size(query: Mapping[str, str], default: int) -> int:
    top = query.get("$top", str(default))
    if "$top" not in query:
        return default
    if not re.fullmatch(r"[0-9]{1,3}", top) or not 1 <= int(top) <= MAX_TOP:
        raise Refused(400, f"Invalid page size specified: '{top}'. Must be between 1 and {MAX_TOP} inclusive.")
    return int(top)


def _place(query: Mapping[str, str]) -> Place:
    """Return where the page begins, which the page token hides.

    Raises:
        Refused: the token is none of this simulator's.
    """
    if "$skiptoken" not in query:
        return Place()
    try:
        found = _TOKEN.fullmatch(base64.urlsafe_b64decode(query["$skiptoken"] + "==").decode())
        if found:
            return Place(start=int(found["start"]), moved=bool(found["moved"]), full=bool(found["full"]))
    except ValueError:
        pass
    raise Refused(400, "The specified page token value is not valid.", code="Directory_ExpiredPageToken")


def _link(asked: Asked, place: Place) -> str:
    text = f"sample-page-{place.start}{'-moved' * place.moved}{'-full' * place.full}"
    token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    kept = {name: value for name, value in asked.query.items() if name not in ("$skiptoken", "$count")}
    query = "&".join(f"{name}={quote(value, safe=',')}" for name, value in kept.items())
    return f"{asked.root}/{quote(asked.path, safe='/()=')}?{query}{'&' if query else ''}$skiptoken={token}"
