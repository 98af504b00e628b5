"""What is promised of the printed setup: it reads only, keeps the key at home, and stops before it breaks anything."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.graph.clouds import CLOUDS
from auditor.graph.endpoints import ENDPOINTS
from auditor.graph.identity import minimal, reads_only
from auditor.workflow.setup import KINDS, SetupKind, role_ids, setup_script

TENANT = "5a0c1d1e-0000-4000-8000-00000000c0de"
APP, READER, GRAPH = (f"00000000-aaaa-4aaa-8aaa-0000000000{n}{n}" for n in (1, 2, 3))
AZ = f"""\
#!/bin/sh
printf '%s\\n' "$*" >> "$AZ_LOG"
case "$*" in
    *"$AZ_FAILS"*) [ -z "$AZ_FAILS" ] || exit 1 ;;
esac
case "$1 $2 $3" in
    'account show --query') echo "${{AZ_TENANT:-{TENANT}}}" ;;
    'ad app list') printf '%s' "$AZ_THERE" ;;
    'ad app create') echo {APP} ;;
    'ad sp create') echo {READER} ;;
    'ad sp show') echo {GRAPH} ;;
esac
"""
"""Stands for the Azure CLI at its place in PATH: notes what it is asked, and answers as it would."""
SCRIPTS = [(kind, cloud) for kind in KINDS for cloud in CLOUDS]


class Done:
    """A setup that was run."""

    def __init__(self, code: int, out: str, err: str, calls: list[str]) -> None:
        self.code, self.out, self.err, self.calls = code, out, err, calls


def carry_out(folder: Path, script: str, **environ: str) -> Done:
    """Run a script in an empty folder, with the stand-in for the Azure CLI and the real OpenSSL."""
    programs, home = folder / "bin", folder / "my home"
    programs.mkdir()
    home.mkdir(exist_ok=True)
    (programs / "az").write_text(AZ, encoding="utf-8")
    (programs / "az").chmod(0o755)
    (programs / "sleep").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "sleep").chmod(0o755)
    log = folder / "az.log"
    variables = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "AZ_LOG": str(log),
        "AZ_FAILS": "",
        "AZ_THERE": "",
    }
    done = subprocess.run(
        ["/bin/sh", "-s"], input=script, cwd=home, env=variables | environ, capture_output=True, text=True, check=False
    )
    calls = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return Done(done.returncode, done.stdout, done.stderr, calls)


def for_github(script: str) -> str:
    """Return the federated script with its variables set, as a user sets them."""
    return script.replace("repo:ORG/REPO:environment:NAME", "repo:contoso/audit:environment:nightly")


@pytest.mark.parametrize(("kind", "cloud"), SCRIPTS)
def test_shellcheck_finds_nothing(kind: SetupKind, cloud: str, tmp_path: Path) -> None:
    """Plain POSIX shell, with all of ShellCheck's optional questions but those of taste."""
    script = tmp_path / "setup.sh"
    script.write_text(setup_script(kind, cloud=CLOUDS[cloud], tenant=TENANT), encoding="utf-8")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    found = subprocess.run([shellcheck, "--shell=sh", script], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")
    assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize(("kind", "cloud"), SCRIPTS)
def test_it_grants_the_fewest_permissions_that_read_all_and_nothing_else(kind: SetupKind, cloud: str) -> None:
    """The only ids of permissions in it are those of the minimal set, by the permission tables."""
    script = setup_script(kind, cloud=CLOUDS[cloud])
    roles = role_ids()
    assert tuple(roles) == minimal(ENDPOINTS)
    assert all(map(reads_only, roles))
    ids = set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", script)) - {"00000003-0000-0000-c000-000000000000"}
    assert ids == set(roles.values())
    assert "ReadWrite" not in script


def test_role_ids_are_microsofts(reference_data: Path) -> None:
    """By the app roles of a live Microsoft Graph service principal."""
    listed = (reference_data / "graph" / "GraphAppRoles.csv").read_text(encoding="utf-8-sig")
    for name, id_ in role_ids().items():
        assert re.search(rf'^"?{id_}"?,"?{re.escape(name)}"?,', listed, re.MULTILINE)


@pytest.mark.parametrize(("kind", "cloud"), SCRIPTS)
def test_it_speaks_to_the_tenants_cloud(kind: SetupKind, cloud: str) -> None:
    """Graph, the Azure CLI's cloud, the audience of a federated token, and the options to check with."""
    script, one = setup_script(kind, cloud=CLOUDS[cloud]), CLOUDS[cloud]
    assert f"graph='{one.graph}'" in script
    assert f"az cloud set --name {one.azure_cli}\n" in script
    assert (f"--cloud {cloud} " in script) == (cloud != "public")
    assert (f"audience='{one.federation_audience}'" in script) == (kind == "federated")


def test_a_tenant_that_is_no_id_is_refused() -> None:
    """Nothing unchecked stands in the script's code."""
    for hostile in ("contoso.example", "$(id)", "'; id #", f"{TENANT}\n"):
        with pytest.raises(UsageError, match="is no tenant id"):
            setup_script("certificate", tenant=hostile)
    assert f"tenant={TENANT}  #" in setup_script("certificate", tenant=TENANT.upper())
    assert f"az login --allow-no-subscriptions --tenant {TENANT}\n" in setup_script("federated", tenant=TENANT)


@pytest.mark.skipif(not shutil.which("openssl"), reason="OpenSSL is not installed")
def test_the_private_key_stays_here_and_is_mine_alone(tmp_path: Path) -> None:
    """Run for real: the key's file is mode 600, and the Azure CLI gets the certificate alone."""
    done = carry_out(tmp_path, setup_script("certificate", tenant=TENANT))
    assert done.code == 0, done.err
    key, public = (tmp_path / "my home" / f"entra-audit-reader.{end}" for end in ("pem", "crt"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in (key, public)} == {0o600}
    assert "PRIVATE KEY" in key.read_text(encoding="ascii")
    assert key.read_text(encoding="ascii").endswith(public.read_text(encoding="ascii"))
    assert "PRIVATE" not in public.read_text(encoding="ascii")
    assert (
        f"ad app credential reset --id {APP} --cert @{public} --append --only-show-errors --output none" in done.calls
    )
    assert not any(str(key) in call or "PRIVATE" in call for call in done.calls)
    assert f"--certificate '{key}' --strict-identity" in done.out
    from azure.identity import CertificateCredential

    CertificateCredential(TENANT, APP, str(key))  # Raises ValueError for a file that is no certificate with its key.


def test_the_federated_identity_is_made_step_by_step(tmp_path: Path) -> None:
    """Exactly these calls, in this order; the roles are assigned to the new principal on Graph."""
    done = carry_out(tmp_path, for_github(setup_script("federated")))
    assert done.code == 0, done.err
    roles = tuple(role_ids().values())
    credential = (
        '{"name":"entra-audit","issuer":"https://token.actions.githubusercontent.com",'
        '"subject":"repo:contoso/audit:environment:nightly","audiences":["api://AzureADTokenExchange"]}'
    )
    assert done.calls[:5] == [
        "account show --query tenantId --output tsv",
        "ad app list --filter displayName eq 'entra-audit reader' --query [].appId --output tsv",
        "ad app create --display-name entra-audit reader --sign-in-audience AzureADMyOrg --query appId --output tsv",
        f"ad sp create --id {APP} --query id --output tsv",
        f"ad app federated-credential create --id {APP} --only-show-errors --output none --parameters {credential}",
    ]
    declared = " ".join(f"{role}=Role" for role in roles)
    assert done.calls[5].endswith(f"--api-permissions {declared}")
    for call, role in zip(done.calls[7:], roles, strict=True):
        assert call.startswith("rest --method post --resource https://graph.microsoft.com ")
        assert f"https://graph.microsoft.com/v1.0/servicePrincipals/{READER}/appRoleAssignments" in call
        assert call.endswith(f'{{"principalId":"{READER}","resourceId":"{GRAPH}","appRoleId":"{role}"}}')
    assert f"--auth github-oidc --tenant-id {TENANT} --client-id {APP} --strict-identity" in done.out
    assert f"az ad app delete --id {APP}" in done.out


@pytest.mark.parametrize(
    ("changed", "environ", "says"),
    [
        (("repo:contoso/audit:environment:nightly", "repo:ORG/REPO:environment:NAME"), {}, "issuer and subject"),
        (("repo:contoso", 'repo:\\"contoso'), {}, "subject:"),
        (("repo:contoso", "repo:$(id)"), {}, "subject:"),
        (("https://token", "http://token"), {}, "issuer:"),
        (("entra-audit reader", "o'brien"), {}, "name:"),
        (("entra-audit reader", "$(id)"), {}, "name:"),
        (("credential='entra-audit'", "credential='a b'"), {}, "credential:"),
        (("tenant=''", f"tenant={APP}"), {}, f"signed in to the tenant {TENANT}, not to {APP}"),
        (("", ""), {"AZ_THERE": GRAPH}, "There is an app registration"),
        (("", ""), {"AZ_FAILS": "account show"}, ""),
    ],
)
def test_it_stops_before_anything_is_made(
    changed: tuple[str, str], environ: dict[str, str], says: str, tmp_path: Path
) -> None:
    """A variable that is not set or not plain, another tenant, a namesake, no sign-in: nothing is created."""
    script = (
        for_github(setup_script("federated")).replace(*changed) if changed[0] else for_github(setup_script("federated"))
    )
    done = carry_out(tmp_path, script.replace("name='o'brien'", 'name="o\'brien"'), **environ)
    assert done.code == 1
    assert says in done.err
    assert not any("create" in call or "rest" in call for call in done.calls)


def test_an_existing_key_is_not_overwritten(tmp_path: Path) -> None:
    """The key of another identity is not lost."""
    home = tmp_path / "my home"
    home.mkdir()
    (home / "entra-audit-reader.pem").write_text("mine", encoding="ascii")
    done = carry_out(tmp_path, setup_script("certificate"))
    assert done.code == 1
    assert "is there already" in done.err
    assert done.calls == []
    assert (home / "entra-audit-reader.pem").read_text(encoding="ascii") == "mine"


def test_a_role_that_is_not_granted_is_tried_again_and_then_told(tmp_path: Path) -> None:
    """Six times, and no word of success."""
    done = carry_out(tmp_path, for_github(setup_script("federated")), AZ_FAILS="rest --method")
    assert done.code == 1
    assert "was not granted" in done.err
    assert sum(call.startswith("rest ") for call in done.calls) == 6
    assert "Made:" not in done.out
