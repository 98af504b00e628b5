"""Each tenant of a watch signs in as itself, with azure-identity and Microsoft's hosts, and no secret leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.canary import leaks, written
from tests.network import CANARY, CLIENT, world
from tests.workflow.test_secrets import secrets_of
from tests.workflow.test_sign_in import Run, run, tenant_of_the_sample

__all__ = ["run"]


@pytest.mark.slow
def test_each_tenant_signs_in_as_itself(run: Run, tmp_path: Path) -> None:
    """By a variable that bears its name, by a file, by a certificate; a wrong secret fails its tenant alone."""
    with world(tenant_of_the_sample()) as w:
        ways = {
            "by-variable": "method: client-secret",
            "by-file": f"method: client-secret, secret_file: {w.secret_file}",
            "by-certificate": f"method: certificate, certificate: {w.certificate}",
            "wrong": "method: client-secret",
            "missing": "method: client-secret",
        }
        config = tmp_path / "c.yaml"
        lines = (
            f"  {name}: {{tenant_id: {w.tenant}, cloud: public, sign_in: {{client_id: {CLIENT}, {way}}}}}\n"
            for name, way in ways.items()
        )
        config.write_text("tenants:\n" + "".join(lines))
        wrong = "c4n4ry-0f-4n0th3r-t3n4nt"
        environ = {
            "ENTRA_AUDIT_CLIENT_SECRET_BY_VARIABLE": CANARY,
            "ENTRA_AUDIT_CLIENT_SECRET_WRONG": wrong,
            "ENTRA_AUDIT_CLIENT_SECRET": CANARY,
            "AZURE_CLIENT_SECRET": CANARY,
        }
        ran = run(w, "watch", "-vv", "--config", config, "--out", "all", "--format", "json", **environ)
        known = secrets_of(w) | {"wrong secret": wrong}
    assert ran.code == 3, ran.err
    found = {audit["tenant"]: audit for audit in json.loads((tmp_path / "all" / "watch.json").read_bytes())["audits"]}
    assert {name: audit["state"] for name, audit in found.items()} == {
        "by-variable": "complete",
        "by-file": "complete",
        "by-certificate": "complete",
        "wrong": "failed",
        "missing": "failed",
    }
    assert "AADSTS7000215" in found["wrong"]["why"][0]
    assert "ENTRA_AUDIT_CLIENT_SECRET_MISSING" in found["missing"]["why"][0]
    assert "httpx: HTTP Request" in ran.err
    assert leaks(known, [("stdout", ran.out.encode()), ("stderr", ran.err.encode()), *written(tmp_path)]) == []


@pytest.mark.parametrize("method", ["managed-identity", "environment"])
def test_a_tenant_id_is_no_option_of_every_method(method: str) -> None:
    """It is what the configuration is held against; a sign-in that has no use for it is not given it."""
    from auditor.model.configuration import SignInConfiguration, TenantConfiguration
    from auditor.workflow.watch_tenants import _sign_in

    made = _sign_in(TenantConfiguration(tenant_id="contoso.example", sign_in=SignInConfiguration(method=method)), {})
    assert (made.method, made.tenant_id) == (method, "")
