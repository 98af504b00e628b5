"""One GET on a collection: which items it gets, in which order, on which page, with which properties."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from auditor.simulator.fault import FaultKind
from auditor.simulator.properties import BETA_ONLY, PROPERTIES
from auditor.simulator.query import OPTIONS, Json, parse_filter
from auditor.simulator.refused import Refused, unsupported
from auditor.simulator.table import Table

MAX_TOP = 999
UNLIMITED = 10**9
FOREIGN = "https://graph.fabrikam.example"
_TOKEN = "sample-page-"  # noqa: S105 - a page's, not a credential


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


def options(query: Mapping[str, str]) -> dict[str, str]:
    """Return query options under their names with `$`; Graph takes them without it as well.

    Raises:
        Refused: an option that the simulator does not know.
    """
    named = {name if name.startswith("$") else f"${name}": value for name, value in query.items()}
    for name in sorted(named.keys() - OPTIONS):
        raise Refused(400, f"The query option '{name}' is not supported.")
    return named


def page(asked: Asked, table: Table, *, size: int, limit: int, fault: FaultKind | None) -> Json:
    """Return one page of a collection, spoilt by `fault` where it is one of paging.

    Raises:
        Refused: the collection is closed, or the query is not supported.
    """
    query = asked.query
    counted = query.get("$count", "").lower() == "true" and (asked.eventual or not table.advanced)
    items = _ordered(chosen(table, query, eventual=counted), table, query)
    start = _start(query)
    size = min(_size(query, size), limit) if table.paged else len(items)
    end = start + size
    made: Json = {"@odata.context": f"{asked.root}/$metadata#{asked.path}{selected(query)}"}
    if counted and "$skiptoken" not in query:
        made["@odata.count"] = len(items)
    link = _link(asked, end) if end < len(items) else ""
    if fault == "empty-page":
        end, link = start, _link(asked, start)
    elif fault == "foreign-next-link":
        link = _link(asked, end).replace(asked.root, FOREIGN)
    elif fault == "repeated-next-link":
        link = _link(asked, start)
    elif fault == "missing-last-page" and end + size >= len(items):
        link = ""
    if link:
        made["@odata.nextLink"] = link
    made["value"] = [select(item, table.type, asked) for item in items[start:end]]
    return made


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


def select(item: Json, type_: str, asked: Asked) -> Json:
    """Return the properties that $select names; the id and the type always come along.

    Raises:
        Refused: the type has no such property.
    """
    if not asked.query.get("$select"):
        return item if asked.beta else {name: v for name, v in item.items() if name not in BETA_ONLY}
    names = {name.strip() for name in asked.query["$select"].split(",")}
    for name in sorted(names - PROPERTIES[type_]):
        raise Refused(400, f"Could not find a property named '{name}' on type 'microsoft.graph.{type_}'.")
    return {name: value for name, value in item.items() if name in names | {"id", "@odata.type"}}


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
    if not top.isascii() or not top.isdigit() or not 1 <= int(top) <= MAX_TOP:
        raise Refused(400, f"Invalid page size specified: '{top}'. Must be between 1 and {MAX_TOP} inclusive.")
    return int(top)


def _start(query: Mapping[str, str]) -> int:
    """Return the number of the page's first item, which the page token hides.

    Raises:
        Refused: the token is none of this simulator's.
    """
    if "$skiptoken" not in query:
        return 0
    try:
        text = base64.urlsafe_b64decode(query["$skiptoken"] + "==").decode()
        head, number = text[: len(_TOKEN)], int(text[len(_TOKEN) :])
    except ValueError:
        head, number = "", -1
    if head != _TOKEN or number < 0:
        raise Refused(400, "The specified page token value is not valid.", code="Directory_ExpiredPageToken")
    return number


def _link(asked: Asked, start: int) -> str:
    token = base64.urlsafe_b64encode(f"{_TOKEN}{start}".encode()).decode().rstrip("=")
    kept = {name: value for name, value in asked.query.items() if name not in ("$skiptoken", "$count")}
    query = "&".join(f"{name}={quote(value, safe=',')}" for name, value in kept.items())
    return f"{asked.root}/{quote(asked.path, safe='/()=')}?{query}{'&' if query else ''}$skiptoken={token}"
