"""The parts of entra-audit.yaml that are about keeping watch: tenants, history, and what is said of them.

A secret stands in none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from auditor.graph.ways import Method, uses
from auditor.knowledge.documents import Steps
from auditor.model.configuration import Configuration, SignInConfiguration, TenantConfiguration

Problem = tuple[Steps, str, str]
"""Where, what is wrong, and what to do."""
DEFAULT_HISTORY = "default"
LONGEST_NAME = 40
"""Characters of a tenant's name."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SQLITE = "sqlite:///"
_SCHEMES = ("sqlite", "postgresql")
_PARTS = {
    "client_id": "client_id",
    "certificate": "certificate_path",
    "secret_file": "secret",
    "token_file": "token_file",
}
"""Key of `sign_in` to the part of a sign-in."""


def problems(configuration: Configuration) -> Iterator[Problem]:
    """Yield what is wrong with history and tenants; that method and cloud exist was asked before."""
    yield from _history(configuration.history)
    for name, tenant in configuration.tenants.items():
        steps: Steps = ("tenants", name)
        if not _SLUG.fullmatch(name) or len(name) > LONGEST_NAME:
            yield (
                steps,
                f"'{name}' is no name for a tenant: it becomes the name of a folder and of variables.",
                f"Write lower-case letters and digits, joined by hyphens, at most {LONGEST_NAME} characters.",
            )
        yield from _source(tenant, steps)
        yield from _sign_in(tenant.sign_in, (*steps, "sign_in"))


def for_tenant(configuration: Configuration, tenant: TenantConfiguration) -> Configuration:
    """Return what holds for one of the tenants: its own sections, and the outer ones where it has none."""
    return replace(
        configuration,
        apps=tenant.apps or configuration.apps,
        waivers=tenant.waivers or configuration.waivers,
        accepted_gaps=tenant.accepted_gaps or configuration.accepted_gaps,
        tenants={},
    )


def rooted(configuration: Configuration, folder: Path) -> Configuration:
    """Return the configuration with its relative paths taken from `folder`, the one that its file lies in."""

    def path(text: str) -> str:
        return str(folder / text) if text else ""

    history = configuration.history
    if history.startswith(_SQLITE):
        history = _SQLITE + path(history.removeprefix(_SQLITE))
    elif history != DEFAULT_HISTORY and "://" not in history and not history.startswith("~"):
        history = path(history)
    tenants = {
        name: replace(
            tenant,
            snapshot=path(tenant.snapshot),
            graph_export=path(tenant.graph_export),
            sign_in=replace(
                tenant.sign_in,
                certificate=path(tenant.sign_in.certificate),
                secret_file=path(tenant.sign_in.secret_file),
                token_file=path(tenant.sign_in.token_file),
            ),
        )
        for name, tenant in configuration.tenants.items()
    }
    return replace(configuration, history=history, attestations=path(configuration.attestations), tenants=tenants)


def _history(text: str) -> Iterator[Problem]:
    steps: Steps = ("history",)
    advice = "Write a file, `default`, sqlite:///FILE, or postgresql://HOST/DATABASE."
    if text and not text.strip():
        yield steps, "'history' is blank.", advice
    if "://" not in text:
        return
    try:
        parts = urlsplit(text)
        secret = parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        yield steps, "This is no address of a database.", advice
        return
    if secret:
        yield (
            steps,
            "The address of the history holds a password, and this file is no place for one.",
            "Take it out and change it; docs/history.md says where it may stand.",
        )
    elif parts.scheme not in _SCHEMES:
        yield steps, "This is no address of a database that a history can be kept in.", advice


def _source(tenant: TenantConfiguration, steps: Steps) -> Iterator[Problem]:
    named = [key for key in ("tenant_id", "snapshot", "graph_export") if getattr(tenant, key).strip()]
    if not named:
        yield steps, "Nothing says where this tenant is read.", "Give one of: tenant_id, snapshot, graph_export."
    elif len(named) > 1:
        yield (*steps, named[1]), f"{' and '.join(named)} exclude each other.", "Keep one."
    elif named != ["tenant_id"] and tenant.sign_in != SignInConfiguration():
        yield (*steps, "sign_in"), "A file is read as nobody.", "Remove it, or give tenant_id in place of the file."
    elif named != ["tenant_id"] and tenant.cloud:
        yield (*steps, "cloud"), "A file is in no cloud.", "Remove it, or give tenant_id in place of the file."


def _sign_in(sign_in: SignInConfiguration, steps: Steps) -> Iterator[Problem]:
    method = cast("Method", sign_in.method)
    for key, part in _PARTS.items():
        if getattr(sign_in, key) and part not in uses(method):
            what = f"The sign-in method {method} does not use this."
            yield (*steps, key), what, "Remove it, or choose another method."
