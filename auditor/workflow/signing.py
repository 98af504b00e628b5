"""How a sign-in would go: each part with where it comes from, and never a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from auditor.graph.auth import (
    CA_VARIABLES,
    PARTS,
    SIMULATOR_URL,
    Connection,
    SignIn,
    authorities_file,
)
from auditor.graph.clouds import AUTHORITY_VARIABLE, Cloud
from auditor.graph.secret import redacted
from auditor.graph.ways import NEEDS

Environ = Mapping[str, str]
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_NO_PROXY = ("no_proxy", "NO_PROXY")
_READ_BY_LIBRARY = (
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USERNAME",
)
"""What azure-identity looks for on its own."""


class Said(Struct, frozen=True, kw_only=True):
    """One part of a sign-in."""

    what: str
    value: str
    origin: str = ""
    """The option or the variable that says so, or why it is so otherwise."""


def describe(
    sign_in: SignIn | None, connection: Connection, given: frozenset[str], environ: Environ
) -> tuple[Said, ...]:
    """Return what a sign-in uses.

    Args:
        sign_in: what the options say; None for the demo tenant.
        connection: what came of it.
        given: the options that were given: `--auth`.
        environ: the variables.
    """
    where = Said(what="Microsoft Graph", value=connection.base_url)
    if connection.simulated or sign_in is None:
        origin = SIMULATOR_URL if environ.get(SIMULATOR_URL) else "--demo"
        return (Said(what="method", value="the simulator's own token", origin=origin), where)
    cloud = connection.cloud
    return tuple(
        _shown(said, environ)
        for said in (
            Said(what="method", value=sign_in.method, origin="--auth" if "--auth" in given else "default"),
            _cloud(cloud, given, environ),
            Said(what="authority", value=cloud.authority, origin="of the cloud"),
            where,
            *_parts(sign_in, given, environ),
            *_proxy(connection, environ),
            _trusted(environ),
        )
    )


def _shown(said: Said, environ: Environ) -> Said:
    return Said(what=said.what, value=redacted(said.value, (), environ), origin=said.origin)


def _cloud(cloud: Cloud, given: frozenset[str], environ: Environ) -> Said:
    variable = AUTHORITY_VARIABLE if environ.get(AUTHORITY_VARIABLE) else "default"
    return Said(
        what="cloud", value=f"{cloud.name}: {cloud.title}", origin="--cloud" if "--cloud" in given else variable
    )


def _parts(sign_in: SignIn, given: frozenset[str], environ: Environ) -> Iterable[Said]:
    for name, part in PARTS.items():
        option = part.option.partition(",")[0]
        variable = next((variable for variable in part.variables if environ.get(variable)), "")
        value = getattr(sign_in, name)
        if not value and name in NEEDS.get(sign_in.method, ()):
            value = environ.get(variable, "")
        if value:
            shown = "given" if name == "secret" else str(value)
            yield Said(what=part.name, value=shown, origin=option if option in given else variable or "prompt")
    if sign_in.method in ("default", "environment"):
        found = [variable for variable in _READ_BY_LIBRARY if environ.get(variable)]
        yield Said(what="read by azure-identity itself", value=", ".join(found) or "no variable of its own is set")


def _proxy(connection: Connection, environ: Environ) -> Iterable[Said]:
    name, proxy = _first(_PROXIES, environ)
    around, excepted = _first(_NO_PROXY, environ)
    host = urlsplit(connection.base_url).hostname or ""
    if proxy and _is_among(host, excepted):
        yield Said(what="proxy", value="none for this host", origin=around)
    else:
        yield Said(what="proxy", value=proxy or "none", origin=name)


def _is_among(host: str, excepted: str) -> bool:
    """Tell whether a list of host names and domains, as NO_PROXY holds it, has a host."""
    names = [name.strip().lower().lstrip(".") for name in excepted.split(",")]
    return any(name == "*" or (name and (host == name or host.endswith(f".{name}"))) for name in names)


def _trusted(environ: Environ) -> Said:
    path = authorities_file(environ)
    name, _ = _first(CA_VARIABLES, environ)
    return Said(what="trusted authorities", value=path or "those that come with the program", origin=name)


def _first(names: Iterable[str], environ: Environ) -> tuple[str, str]:
    """Return the first variable that is set, and its value; two empty texts where none is."""
    return next(((name, environ[name]) for name in names if environ.get(name)), ("", ""))
