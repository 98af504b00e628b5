"""What to do about a sign-in that failed: by the service's code, else by a part of what the library says.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes (read 2026-11-22).
"""

from __future__ import annotations

import re

from auditor.graph.auth import CA_VARIABLES, SignIn
from auditor.graph.clouds import PUBLIC
from auditor.graph.ways import METHODS, Method

_NO_TENANT = "There is no such tenant in this cloud: check the tenant's id or domain, and --cloud."
_FEDERATED = (
    "The app registration trusts no such token: issuer, subject and audience of its federated credential "
    "have to equal the token's."
)
_LATE = "Run this again, and enter the new code in time."
_BY_METHOD: dict[Method, str] = {
    "environment": "Set AZURE_TENANT_ID, AZURE_CLIENT_ID, and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH.",
    "managed-identity": "Run this where Azure gives an identity (a VM, App Service, Functions, Container Apps, AKS), "
    "assign one there, name a user-assigned one by --client-id, and keep its address out of the proxy (NO_PROXY).",
    "workload-identity": _FEDERATED,
    "github-oidc": f"{_FEDERATED} The workflow needs `permissions: id-token: write`.",
    "device-code": f"{_LATE} Where the tenant forbids device codes, use browser.",
    "browser": "Run this where a browser opens, or use device-code; an app of your own (--client-id) needs the "
    "redirect URI http://localhost.",
}
_BY_CODE = {
    "AADSTS90002": _NO_TENANT,
    "AADSTS900023": "That is no tenant's id or domain: check it.",
    "AADSTS90038": "The tenant is in another cloud: name it with --cloud.",
    "AADSTS900382": "The app is in another cloud: name it with --cloud.",
    "AADSTS500011": "This tenant knows no Microsoft Graph at this cloud's address: check --cloud.",
    "AADSTS7000215": "The client secret is wrong: give the secret's value (not its id) of this app registration.",
    "AADSTS7000222": "The client secret has expired: add a new one to the app registration.",
    "AADSTS700016": "The tenant does not know this app: check client id and tenant, and that an admin consented.",
    "AADSTS7000112": "The app is switched off in this tenant: ask the tenant's administrators.",
    "AADSTS700027": "The app registration does not hold this certificate: upload its public part.",
    "AADSTS700024": "The token that signs in has expired, or this machine's clock is wrong.",
    "AADSTS70021": _FEDERATED,
    "AADSTS700211": _FEDERATED,
    "AADSTS700212": _FEDERATED,
    "AADSTS700213": _FEDERATED,
    "AADSTS70020": _LATE,
    "AADSTS7000218": "The app registration is no public client: switch on `Allow public client flows`.",
    "AADSTS50011": "Add the redirect URI http://localhost (mobile and desktop applications) to the app registration.",
    "AADSTS65001": "Nobody has consented: ask an administrator to consent to the permissions that the README lists.",
    "AADSTS50076": "The tenant asks for a second factor: sign in by browser or device-code.",
    "AADSTS53003": "Conditional Access blocks this sign-in: ask the tenant's administrators.",
}
_BY_TEXT = (
    ("Unable to get authority configuration", _NO_TENANT),
    ("az login", "Sign in with `az login --tenant TENANT`, then run this again."),
    ("Azure CLI not found", "Install the Azure CLI, or sign in another way."),
    ("managed identity", _BY_METHOD["managed-identity"]),
    ("ManagedIdentity", _BY_METHOD["managed-identity"]),
    ("open a browser", _BY_METHOD["browser"]),
    (
        "CERTIFICATE_VERIFY_FAILED",
        f"The authority's or a proxy's certificate is not trusted: name your company's in {', '.join(CA_VARIABLES)}.",
    ),
    ("CA certificate bundle", f"Correct or unset {', '.join(CA_VARIABLES)}."),
    ("proxy", "The proxy cannot be reached or does not let this through: check HTTPS_PROXY, ALL_PROXY and NO_PROXY."),
    ("deserialize", "Check the certificate's file, and its password in ENTRA_AUDIT_CERTIFICATE_PASSWORD."),
    ("password", "Check the certificate's file and its password."),
    ("private key", "Give a file with the certificate and its private key: PEM, or PKCS #12."),
    ("Is a directory", "Name the certificate's file, not its folder."),
    ("Invalid tenant", "Give the tenant's id or one of its domains."),
    ("No such file", "Check the path of the certificate."),
    ("Permission denied", "Check who may read the certificate's file."),
    ("certificate", "Give a PEM file with certificate and private key, or a PKCS #12 file."),
    ("Failed to parse", "Correct or unset HTTPS_PROXY, ALL_PROXY and NO_PROXY: one of them is no address."),
    ("Invalid URL", "Correct or unset HTTPS_PROXY, ALL_PROXY and NO_PROXY: one of them is no address."),
    ("resolve", "Check the network, the proxy and the name of the authority."),
    ("connect", "Check the network and the proxy (HTTPS_PROXY)."),
)
"""Part of an error, and what to do; the first that occurs counts."""


def advice(text: str, sign_in: SignIn) -> str:
    """Return what to do about a sign-in that failed with `text`."""
    found = [_BY_CODE[code] for code in re.findall(r"AADSTS\d+", text) if code in _BY_CODE]
    found += [what for part, what in _BY_TEXT if part.lower() in text.lower()]
    general = f"Sign in with `az login`, or choose another method: {', '.join(METHODS)}."
    what = found[0] if found else _BY_METHOD.get(sign_in.method, general)
    cloud = sign_in.cloud or PUBLIC
    if sign_in.method == "azure-cli" and cloud is not PUBLIC:
        return f"The Azure CLI has to be in the same cloud: `az cloud set --name {cloud.azure_cli}`. {what}"
    return what
