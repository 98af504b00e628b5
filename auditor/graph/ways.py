"""The ways to sign in, and what each of them needs or may be given."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal[
    "default",
    "environment",
    "azure-cli",
    "client-secret",
    "certificate",
    "managed-identity",
    "workload-identity",
    "github-oidc",
    "device-code",
    "browser",
]
METHODS: tuple[Method, ...] = get_args(Method)

_APP = ("tenant_id", "client_id")
NEEDS: dict[Method, tuple[str, ...]] = {
    "client-secret": (*_APP, "secret"),
    "certificate": (*_APP, "certificate_path"),
    "workload-identity": (*_APP, "token_file"),
    "github-oidc": _APP,
}
"""Parts of a sign-in that a method cannot do without."""
_TAKES: dict[Method, tuple[str, ...]] = {
    "default": ("tenant_id",),
    "azure-cli": ("tenant_id",),
    "managed-identity": ("client_id",),
    "device-code": _APP,
    "browser": _APP,
}


def uses(method: Method) -> tuple[str, ...]:
    """Return the parts of a sign-in that a method needs or may be given."""
    return (*NEEDS.get(method, ()), *_TAKES.get(method, ()))
