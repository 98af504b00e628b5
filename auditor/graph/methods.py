"""The sign-in methods: which of azure-identity's credentials each one is.

Imported when a token is first needed; azure-identity comes with it. What a credential needs beside its own parts
is the same for all: the cloud's authority, whom to trust, and how long to wait.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from azure import identity
from azure.core.credentials import TokenCredential

from auditor.errors import SignInError
from auditor.graph.answer import one_line
from auditor.graph.auth import SignIn, authorities_file
from auditor.graph.clouds import AUTHORITY_VARIABLE, PUBLIC
from auditor.graph.secret import Secret
from auditor.graph.ways import Method

Options = dict[str, Any]
Environ = Mapping[str, str]
_WAIT: Options = {"connection_timeout": 30, "read_timeout": 60}
"""Seconds; azure-core's own are 300."""
_FEDERATED = "AZURE_FEDERATED_TOKEN_FILE"


def azure_credential(sign_in: SignIn, environ: Environ) -> TokenCredential:
    """Return azure-identity's credential for a sign-in.

    Raises:
        SignInError: the federated token's file, or GitHub's variables, cannot be used.
        ValueError: azure-identity refuses a part.
        OSError: a file cannot be read.
    """
    file = authorities_file(environ)
    trust: Options = {"connection_verify": file} if file else {}
    return _MAKERS[sign_in.method](sign_in, environ, trust)


def _signing_in(sign_in: SignIn, trust: Options) -> Options:
    """Return the options of a credential that asks the authority itself, which our own table vouches for."""
    authority = f"https://{(sign_in.cloud or PUBLIC).authority}"
    return {"authority": authority, "disable_instance_discovery": True, **_WAIT, **trust}


def _default(sign_in: SignIn, environ: Environ, trust: Options) -> TokenCredential:
    cloud = sign_in.cloud or PUBLIC
    # Inside the chain a workload identity signs in where AZURE_AUTHORITY_HOST says, and in the public cloud without it.
    elsewhere = cloud.authority != PUBLIC.authority and not environ.get(AUTHORITY_VARIABLE)
    return identity.DefaultAzureCredential(
        authority=f"https://{cloud.authority}",
        additionally_allowed_tenants=[sign_in.tenant_id] if sign_in.tenant_id else [],
        exclude_interactive_browser_credential=True,
        exclude_workload_identity_credential=True if elsewhere else None,
        disable_instance_discovery=True,
        **trust,
    )


def _environment(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    return identity.EnvironmentCredential(**_signing_in(sign_in, trust))


def _azure_cli(sign_in: SignIn, _environ: Environ, _trust: Options) -> TokenCredential:
    return identity.AzureCliCredential(tenant_id=sign_in.tenant_id, process_timeout=60)


def _client_secret(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    secret = _text(sign_in.secret)
    return identity.ClientSecretCredential(sign_in.tenant_id, sign_in.client_id, secret, **_signing_in(sign_in, trust))


def _certificate(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    password = _text(sign_in.certificate_password) or None
    try:
        return identity.CertificateCredential(
            sign_in.tenant_id,
            sign_in.client_id,
            sign_in.certificate_path,
            password=password,
            **_signing_in(sign_in, trust),
        )
    except TypeError as error:  # What the cryptography library raises for a password too many or too few.
        raise ValueError(str(error)) from None


def _managed_identity(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    return identity.ManagedIdentityCredential(client_id=sign_in.client_id or None, **trust)


def _workload_identity(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    _require_token(sign_in.token_file)
    return identity.WorkloadIdentityCredential(
        tenant_id=sign_in.tenant_id,
        client_id=sign_in.client_id,
        token_file_path=sign_in.token_file,
        **_signing_in(sign_in, trust),
    )


def _github_oidc(sign_in: SignIn, environ: Environ, trust: Options) -> TokenCredential:
    from auditor.graph.github import id_token

    assertion = id_token(environ, (sign_in.cloud or PUBLIC).federation_audience)
    return identity.ClientAssertionCredential(
        sign_in.tenant_id, sign_in.client_id, assertion, **_signing_in(sign_in, trust)
    )


def _device_code(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    return identity.DeviceCodeCredential(prompt_callback=_prompt, **_person(sign_in), **_signing_in(sign_in, trust))


def _browser(sign_in: SignIn, _environ: Environ, trust: Options) -> TokenCredential:
    return identity.InteractiveBrowserCredential(**_person(sign_in), **_signing_in(sign_in, trust))


_MAKERS: dict[Method, Callable[[SignIn, Environ, Options], TokenCredential]] = {
    "default": _default,
    "environment": _environment,
    "azure-cli": _azure_cli,
    "client-secret": _client_secret,
    "certificate": _certificate,
    "managed-identity": _managed_identity,
    "workload-identity": _workload_identity,
    "github-oidc": _github_oidc,
    "device-code": _device_code,
    "browser": _browser,
}


def _person(sign_in: SignIn) -> Options:
    """Return the options of a person's sign-in; what is left out, azure-identity fills in."""
    named = {"tenant_id": sign_in.tenant_id, "client_id": sign_in.client_id}
    return {name: value for name, value in named.items() if value}


def _prompt(url: str, code: str, expires_on: datetime) -> None:
    """Show where a person signs in, and the code to type there."""
    until = f"{expires_on:%H:%M} UTC"
    sys.stderr.write(f"To sign in, open {one_line(url)} and enter the code {one_line(code)} before {until}.\n")
    sys.stderr.flush()


def _require_token(path: str) -> None:
    """Raise SignInError for a federated token's file that holds none; azure-identity would send an empty one."""
    advice = f"Name the file that your platform writes with --token-file or {_FEDERATED}."
    try:
        empty = not Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        what = f"The federated token's file cannot be read: {error.strerror}."
        raise SignInError(what, where=path, advice=advice) from None
    except UnicodeDecodeError:
        raise SignInError("The federated token's file is not UTF-8 text.", where=path, advice=advice) from None
    if empty:
        raise SignInError("The federated token's file is empty.", where=path, advice=advice)


def _text(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
