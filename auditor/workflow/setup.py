"""The commands that make the identity that an audit reads as: the fewest permissions, none of which writes.

The script is printed and never run. It holds no secret; what stands in its code is fixed here or checked here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args

from auditor.errors import ConfigurationError, UsageError
from auditor.graph.clouds import PUBLIC, Cloud
from auditor.graph.identity import minimal
from auditor.knowledge.permissions import GUID, RESOURCES, load_permissions

SetupKind = Literal["certificate", "federated"]
KINDS: tuple[SetupKind, ...] = get_args(SetupKind)
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")

_HEAD = """\
#!/bin/sh
# Makes the identity that entra-audit reads a tenant as: an app registration with {credential},
# and the fewest Microsoft Graph permissions that open every call of an audit. All of them only read.
#
# Read it, set the variables, then run it as a person who may register apps and grant application permissions of
# Microsoft Graph: Privileged Role Administrator together with Application Administrator, or Global Administrator.
# It needs the Azure CLI, signed in:
#     az cloud set --name {azure_cli}{endpoint}
#     az login --allow-no-subscriptions{tenant_option}
# The commands follow Microsoft's documentation and were not tested against a live tenant. Microsoft's pages grant
# permissions by `az ad app permission admin-consent`; this script assigns each app role by its id instead, which is
# the same consent, needs no browser, and grants exactly what is written here.
set -eu

name='entra-audit reader'
{variables}
tenant={tenant}  # the tenant's id; empty: the one that az is signed in to
graph='{graph}'

stop() {{ printf '%s\\n' "$1" >&2; exit 1; }}
case $name in *[!A-Za-z0-9\\ _.-]* | '') stop 'name: letters, digits, blanks, _ . - only' ;; esac
{checks}
signed_in=$(az account show --query tenantId --output tsv)
[ "${{tenant:-$signed_in}}" = "$signed_in" ] || stop "az is signed in to the tenant $signed_in, not to $tenant"
tenant=$signed_in
there=$(az ad app list --filter "displayName eq '$name'" --query '[].appId' --output tsv)
[ -z "$there" ] || stop "There is an app registration '$name' already ($there): choose another name, or remove it with
    az ad app delete --id $there"
"""

_L5 = "\n#     az cloud update --name {name} --endpoint-microsoft-graph-resource-id {graph}"
"""The Azure CLI knows one cloud for both levels of US Government, with the Graph of L4."""

_APP = """
app=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
reader=$(az ad sp create --id "$app" --query id --output tsv)
"""

_CONSENT = """
# The permissions, by the ids of their app roles; all of them only read:
{listed}
# Declared on the registration, so that the portal shows them as its own:
az ad app permission add --id "$app" --api {graph_app} --only-show-errors --output none \\
    --api-permissions {declared}
# Granted by an administrator, who is whoever runs this:
resource=$(az ad sp show --id {graph_app} --query id --output tsv)
for role in {roles}; do
    tries=0
    until az rest --method post --resource "$graph" --output none \\
        --url "$graph/v1.0/servicePrincipals/$reader/appRoleAssignments" \\
        --headers 'Content-Type=application/json' \\
        --body "{{\\"principalId\\":\\"$reader\\",\\"resourceId\\":\\"$resource\\",\\"appRoleId\\":\\"$role\\"}}"; do
        tries=$((tries + 1))
        [ "$tries" -lt 6 ] || stop "The role $role was not granted: see the message above"
        sleep 10  # a new service principal is not known everywhere at once
    done
done
"""

_TAIL = """
cat <<END
Made: $name, client id $app, in the tenant $tenant.

Check it (a new permission can take some minutes to reach the token):
    entra-audit doctor {check} --strict-identity
{elsewhere}Then audit with the same options: entra-audit run ... --out report

Remove it again:
    az ad app delete --id $app
{remove}END
"""

_CERTIFICATE_VARIABLES = """\
folder=$PWD  # where the certificate and its private key stay; nothing else leaves this machine than the certificate
days=365"""
_CERTIFICATE_CHECKS = """\
case $days in *[!0-9]* | '') stop 'days: a number' ;; esac
key=$folder/entra-audit-reader.pem  # private key and certificate, for entra-audit
public=$folder/entra-audit-reader.crt  # the certificate alone, for Microsoft Entra ID
[ ! -e "$key" ] || stop "$key is there already: keep it, or remove it with the app that it belongs to"
"""
_CERTIFICATE = """
umask 077  # only you may read what is written from here on
openssl req -x509 -newkey rsa:3072 -sha256 -nodes -days "$days" -subj "/CN=$name" -keyout "$key" -out "$public"
cat "$public" >> "$key"
chmod 600 "$key"
az ad app credential reset --id "$app" --cert "@$public" --append --only-show-errors --output none
"""

_FEDERATED_VARIABLES = """\
credential='entra-audit'
# GitHub Actions, a job that names the environment:
issuer='https://token.actions.githubusercontent.com'
subject='repo:ORG/REPO:environment:NAME'
# Kubernetes with workload identity (on AKS: az aks show --query oidcIssuerProfile.issuerUrl), a service account:
# issuer='https://oidc.example/CLUSTER/'
# subject='system:serviceaccount:NAMESPACE:NAME'
audience='{audience}'"""
_FEDERATED_CHECKS = """\
case $credential in *[!A-Za-z0-9-]* | '') stop 'credential: letters, digits, - only' ;; esac
case $issuer in *[!A-Za-z0-9:/._-]*) stop 'issuer: letters, digits, : / . _ - only' ;; esac
case $issuer in https://*) ;; *) stop 'issuer: an https address' ;; esac
case $subject in *[!A-Za-z0-9:/._@-]* | '') stop 'subject: letters, digits, : / . _ @ - only' ;; esac
case "$issuer $subject" in
    *ORG/REPO* | *:NAME | *NAMESPACE:* | *oidc.example*) stop 'Set issuer and subject to your own first' ;;
esac
"""
_FEDERATED = """
az ad app federated-credential create --id "$app" --only-show-errors --output none --parameters "{\\
\\"name\\":\\"$credential\\",\\"issuer\\":\\"$issuer\\",\\"subject\\":\\"$subject\\",\\"audiences\\":[\\"$audience\\"]}"
"""


def setup_script(kind: SetupKind, *, cloud: Cloud = PUBLIC, tenant: str = "") -> str:
    """Return a POSIX shell script that makes the identity and says how to check and remove it.

    Args:
        kind: how the identity will sign in.
        cloud: the tenant's.
        tenant: its id, or empty.

    Raises:
        UsageError: the tenant is no id.
    """
    if tenant and not GUID.fullmatch(tenant.lower()):
        raise UsageError(
            f"'{tenant}' is no tenant id.",
            where="--tenant-id",
            advice="Write it as 8-4-4-4-12 hex digits, or leave it out.",
        )
    certificate = kind == "certificate"
    roles = role_ids()
    values = {
        "credential": "a certificate" if certificate else "a federated credential, without any secret",
        "azure_cli": cloud.azure_cli,
        "endpoint": _L5.format(name=cloud.azure_cli, graph=cloud.graph) if cloud.name == "us-gov-l5" else "",
        "tenant_option": f" --tenant {tenant.lower()}" if tenant else "",
        "variables": _CERTIFICATE_VARIABLES
        if certificate
        else _FEDERATED_VARIABLES.format(audience=cloud.federation_audience),
        "tenant": shlex.quote(tenant.lower()),
        "graph": cloud.graph,
        "checks": _CERTIFICATE_CHECKS if certificate else _FEDERATED_CHECKS,
        "listed": "\n".join(f"#   {id_}  {name}" for name, id_ in roles.items()),
        "graph_app": RESOURCES["graph"],
        "declared": " ".join(f"{id_}=Role" for id_ in roles.values()),
        "roles": " ".join(roles.values()),
        "check": f"{_check('certificate', cloud)} --certificate '$key'"
        if certificate
        else _check("github-oidc", cloud),
        "elsewhere": "" if certificate else f"In a Kubernetes pod: {_check('workload-identity', cloud)}\n",
        "remove": "    rm '$key' '$public'\n" if certificate else "",
    }
    return "".join(
        (
            _HEAD.format(**values),
            _APP,
            _CERTIFICATE if certificate else _FEDERATED,
            _CONSENT.format(**values),
            _TAIL.format(**values),
        )
    )


@cache
def role_ids() -> Mapping[str, str]:
    """Return the app roles of Microsoft Graph that an audit needs, the fewest that read all: name to id.

    Raises:
        ConfigurationError: rules/permissions/ lacks one of them.
    """
    table = load_permissions()
    found: dict[str, str] = {}
    for name in minimal():
        entry = table.by_value(RESOURCES["graph"], name, "application")
        if entry is None or not entry.id:
            raise ConfigurationError(f"The permission tables lack the id of {name}.", where="rules/permissions/")
        found[name] = entry.id
    return found


def _check(method: str, cloud: Cloud) -> str:
    where = f"--cloud {cloud.name} " if cloud != PUBLIC else ""
    return f"--auth {method} {where}--tenant-id $tenant --client-id $app"
