"""What this program asks of Microsoft Graph, from the table that the reader builds its URLs from."""

from __future__ import annotations

from auditor.graph.endpoints import ENDPOINTS, Endpoint
from docs.markdown import code, document, plain, table

INTRODUCTION = """\
Every call that the program makes, with the least permission that opens it. Nothing else is ever sent. Sources: the
page of each call under <https://learn.microsoft.com/graph/api>, and `permissions.json` of
[microsoftgraph/microsoft-graph-devx-content](https://github.com/microsoftgraph/microsoft-graph-devx-content).

An identity of its own (client secret or certificate) needs the *application* permissions. A person who signs in
(`az login`) needs the *delegated* permissions on the client that signs in, and the directory role."""


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


def calls() -> str:
    """Return every call with its least permission, in short."""
    rows = ((code(f"{e.method} /{e.version}{e.path}"), code(e.application) or "none", e.purpose) for e in ENDPOINTS)
    return table(("call", "least application permission", "why"), rows) + "\n"


def page() -> str:
    """Return the page of all calls."""
    rows = (
        (
            code(f"{e.method} /{e.version}{e.path}"),
            code(e.application) or "none",
            code(e.delegated) or "none",
            e.role,
            e.licence or "none",
            e.purpose,
        )
        for e in ENDPOINTS
    )
    head = ("call", "application", "delegated", "role of a person", "licence", "why")
    return document(
        "What the program asks of Microsoft Graph",
        INTRODUCTION,
        table(head, rows),
        "## The calls in full",
        "\n\n".join(_in_full(endpoint) for endpoint in ENDPOINTS),
    )


def _in_full(endpoint: Endpoint) -> str:
    query = "&".join(f"{name}={value}" for name, value in endpoint.query)
    lines = [f"- `{endpoint.method} /{endpoint.version}{endpoint.path}{'?' if query else ''}{query}`"]
    lines += [f"  with `{name}: {value}`" for name, value in endpoint.headers]
    lines += [f"  {plain(endpoint.note)}"] if endpoint.note else []
    return "  \n".join(lines)


def _licence(endpoint: Endpoint) -> str:
    return f" ({endpoint.licence}.)" if endpoint.licence else ""
