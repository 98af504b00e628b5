"""What this program asks of Microsoft Graph, from the table that the reader builds its URLs from."""

from __future__ import annotations

from auditor.graph.endpoints import CHECKS, ENDPOINTS, Endpoint
from auditor.graph.identity import minimal
from auditor.graph.writes import WRITES
from auditor.workflow.setup import role_ids
from docs.markdown import code, codes, document, plain, table

INTRODUCTION = """\
Every call that an audit makes, with the least permission that opens it. Nothing else is ever sent by one. Sources: the
page of each call under <https://learn.microsoft.com/graph/api>, and `permissions.json` of
[microsoftgraph/microsoft-graph-devx-content](https://github.com/microsoftgraph/microsoft-graph-devx-content).

An identity of its own (client secret or certificate) needs the *application* permissions. A person who signs in
(`az login`) needs the *delegated* permissions on the client that signs in, and the directory role.

`entra-audit doctor` holds a token against this table and says what an audit would lack."""
WRITING = """\
`revoke apply` and `revoke undo` send these, as an identity of their own; an audit never does. They also read every
object again, by the calls above and by the last two of those below."""
FEWEST = """\
## The fewest permissions

Microsoft's tables let a higher permission open a call in place of the least one. These are the fewest that open every
call and only read, computed from the table; `entra-audit doctor --print-setup certificate` prints the commands that
make an identity with them and no other."""


def needed() -> str:
    """Return the application permissions that an audit needs, each with what it opens."""
    opens: dict[str, list[str]] = {}
    for endpoint in ENDPOINTS:
        if endpoint.application:
            opens.setdefault(endpoint.application, []).append(endpoint.purpose + _licence(endpoint))
    return (
        table(
            ("permission", "what the audit learns with it"),
            ((code(name), " ".join(purposes)) for name, purposes in opens.items()),
        )
        + "\n"
    )


def fewest() -> str:
    """Return the smallest set of permissions that reads everything, with the least ones that each stands for."""
    chosen, ids = minimal(), role_ids()
    stands: dict[str, set[str]] = {name: set() for name in chosen}
    for endpoint in ENDPOINTS:
        for name in chosen:
            if name in (endpoint.application, *endpoint.also):
                stands[name].add(endpoint.application)
    rows = ((code(name), code(ids[name]), codes(sorted(stands[name]))) for name in chosen)
    return table(("permission", "id of its app role", "opens what these open"), rows)


def calls() -> str:
    """Return every call with its least permission, in short."""
    rows = ((code(f"{e.method} /{e.version}{e.path}"), code(e.application) or "none", e.purpose) for e in ENDPOINTS)
    return table(("call", "least application permission", "why"), rows) + "\n"


def writes() -> str:
    """Return every call that changes a tenant, with its least permission and role."""
    rows = ((code(f"{e.method} /v1.0{e.path}"), code(e.permission), e.role, f"<{e.page}>") for e in WRITES.values())
    return table(("call", "least permission", "least role of a person", "documentation"), rows) + "\n"


def page() -> str:
    """Return the page of all calls."""
    rows = (
        (
            code(f"{e.method} /{e.version}{e.path}"),
            code(e.application) or "none",
            codes(e.also) or "none",
            code(e.delegated) or "none",
            e.role,
            e.licence or "none",
            e.purpose,
        )
        for e in ENDPOINTS
    )
    head = ("call", "application", "or a higher one", "delegated", "role of a person", "licence", "why")
    return document(
        "What the program asks of Microsoft Graph",
        INTRODUCTION,
        FEWEST,
        fewest(),
        "## The calls",
        table(head, rows),
        "## The calls that write",
        WRITING,
        writes().rstrip(),
        "## The calls in full",
        "\n\n".join(_in_full(endpoint) for endpoint in (*ENDPOINTS, *CHECKS)),
    )


def _in_full(endpoint: Endpoint) -> str:
    query = "&".join(f"{name}={value}" for name, value in endpoint.query)
    lines = [f"- `{endpoint.method} /{endpoint.version}{endpoint.path}{'?' if query else ''}{query}`"]
    lines += [f"  with `{name}: {value}`" for name, value in endpoint.headers]
    lines += [f"  {plain(endpoint.note)}"] if endpoint.note else []
    return "  \n".join(lines)


def _licence(endpoint: Endpoint) -> str:
    return f" ({endpoint.licence}.)" if endpoint.licence else ""
