"""What is promised of the simulator's authority: it gives tokens to those whom it knows, and to nobody else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import unescape
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from auditor.graph.auth import claims
from auditor.simulator.assertions import Claims
from auditor.simulator.graph import Answer, GraphRequest
from auditor.simulator.identities import AZURE_CLI, GITHUB, Identities, Registration, Trust
from auditor.simulator.sample import sample
from auditor.simulator.tokens import Authority

GRAPH = "https://graph.microsoft.com"
HOST = "login.microsoftonline.com"
APP = "11111111-aaaa-4aaa-8aaa-00000000c11e"
IDENTITY = "22222222-aaaa-4aaa-8aaa-00000000c11e"
TRUST = Trust(issuer="https://oidc.cluster.contoso.example", subject="system:serviceaccount:audit:reader")
SNAPSHOT = sample()
TENANT = SNAPSHOT.tenant_id
ISSUED = trustme.CA().issue_cert("reader.contoso.example", key_type=trustme.KeyType.RSA)
OTHER = trustme.CA().issue_cert("other.contoso.example", key_type=trustme.KeyType.RSA)
CERTIFICATE = ISSUED.cert_chain_pems[0].bytes().decode()
ENDPOINT = f"https://{HOST}/{TENANT}/oauth2/v2.0/token"
READER = Registration(client_id=APP, secret="s3cr3t", certificate=CERTIFICATE, trusts=(TRUST,))
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(clock: Clock) -> Authority:
    registrations = (READER, Registration(client_id=IDENTITY, managed=True))
    return Authority(SNAPSHOT, Identities(registrations=registrations, pending=1), graph=GRAPH, clock=clock)


def get(authority: Authority, target: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = authority.answer(GraphRequest(method="GET", target=target, headers={"host": HOST, **named}))
    assert answer
    return answer


def post(authority: Authority, form: Mapping[str, str], *, tenant: str = TENANT, path: str = "token") -> Answer:
    body = urlencode({"client_id": APP, "scope": f"{GRAPH}/.default", **form}).encode()
    target = f"/{tenant}/oauth2/v2.0/{path}"
    answer = authority.answer(GraphRequest(method="POST", target=target, headers={"host": HOST}, body=body))
    assert answer
    return answer


def said(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, dict)
    return answer.body


def refusal(answer: Answer) -> str:
    assert answer.status >= 400
    found = re.match(r"AADSTS\d+", said(answer)["error_description"])
    return found[0] if found else ""


BY_SECRET = {"grant_type": "client_credentials", "client_secret": "s3cr3t"}


def test_a_token_opens_graph_until_it_expires(authority: Authority, clock: Clock) -> None:
    """It says whose it is, and nobody else's opens."""
    token = said(post(authority, BY_SECRET))["access_token"]
    assert authority.opens(f"Bearer {token}")
    assert (claims(token).tid, claims(token).appid) == (TENANT, APP)
    assert claims(token).roles == ("Application.Read.All", "AuditLog.Read.All", "Directory.Read.All")
    assert not authority.opens("Bearer x")
    assert not authority.opens("")
    clock.now += 3600
    assert not authority.opens(f"Bearer {token}")


def test_a_domain_names_the_tenant_as_well(authority: Authority) -> None:
    assert post(authority, BY_SECRET, tenant="contoso.onmicrosoft.com").status == 200


@pytest.mark.parametrize(
    ("form", "tenant", "status", "code"),
    [
        ({**BY_SECRET, "client_secret": "other"}, TENANT, 401, "AADSTS7000215"),
        ({"grant_type": "client_credentials"}, TENANT, 401, "AADSTS7000215"),
        ({**BY_SECRET, "client_id": "other"}, TENANT, 400, "AADSTS700016"),
        ({**BY_SECRET, "client_id": IDENTITY}, TENANT, 400, "AADSTS700016"),
        (BY_SECRET, "fabrikam.example", 400, "AADSTS90002"),
        ({**BY_SECRET, "scope": "https://graph.microsoft.us/.default"}, TENANT, 400, "AADSTS500011"),
        ({**BY_SECRET, "client_assertion": "x"}, TENANT, 400, "AADSTS90014"),
        ({"grant_type": "password"}, TENANT, 400, "AADSTS70003"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, TENANT, 400, "AADSTS9002313"),
        ({"grant_type": "authorization_code", "code": "x"}, TENANT, 400, "AADSTS70000"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, TENANT, 400, "AADSTS70020"),
    ],
)
def test_whom_it_does_not_know_gets_no_token(
    authority: Authority, form: dict[str, str], tenant: str, status: int, code: str
) -> None:
    """With Microsoft's own code; the request is noted as refused."""
    answer = post(authority, form, tenant=tenant)
    assert (answer.status, refusal(answer)) == (status, code)
    assert [request.given for request in authority.requests] == [False]


def asserted(authority: Authority, token: str) -> Answer:
    form = {"grant_type": "client_credentials", "client_assertion_type": BEARER, "client_assertion": token}
    return post(authority, form)


def signed(
    key_of: trustme.LeafCert = ISSUED, *, algorithm: str = "PS256", changes: Mapping[str, object] = MappingProxyType({})
) -> str:
    import jwt

    key = serialization.load_pem_private_key(key_of.private_key_pem.bytes(), None)
    content: Claims = {"aud": ENDPOINT, "iss": APP, "sub": APP, "exp": Clock.now + 60, **changes}
    return jwt.encode(content, key, algorithm=algorithm)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_the_owner_of_a_certificate_gets_a_token(authority: Authority, algorithm: str) -> None:
    assert asserted(authority, signed(algorithm=algorithm)).status == 200


@pytest.mark.parametrize(
    "changes",
    [{"aud": "https://other.example"}, {"exp": Clock.now - 1}, {"exp": "soon"}, {"iss": "other"}, {"sub": "other"}],
)
def test_an_assertion_of_another_kind_gets_none(clock: Clock, changes: dict[str, object]) -> None:
    """For somebody else, too old, or in another's name; nor does what another key signed, or nobody."""
    only = replace(READER, trusts=())
    authority = Authority(SNAPSHOT, Identities(registrations=(only,)), graph=GRAPH, clock=clock)
    nobody = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none"}, {"aud": ENDPOINT, "iss": APP, "sub": APP, "exp": Clock.now + 60})
    )
    for token in (signed(changes=changes), signed(OTHER), f"{nobody}.", "x"):
        assert refusal(asserted(authority, token)) == "AADSTS700027"


def test_a_federated_token_of_a_trusted_subject_gets_a_token(authority: Authority, clock: Clock) -> None:
    """Its issuer, subject and audience have to be those of the app's federated credential, and its time not over."""
    good = authority.federated_token(TRUST)
    assert asserted(authority, good).status == 200
    wrong = replace(TRUST, subject="system:serviceaccount:audit:other")
    assert refusal(asserted(authority, authority.federated_token(wrong))) == "AADSTS700213"
    wrong = replace(TRUST, issuer="https://other.example")
    assert refusal(asserted(authority, authority.federated_token(wrong))) == "AADSTS700213"
    assert refusal(asserted(authority, authority.federated_token(TRUST, audience="api://other"))) == "AADSTS700024"
    clock.now += 601
    assert refusal(asserted(authority, good)) == "AADSTS700024"


def test_a_device_code_is_good_once_and_after_a_wait(authority: Authority) -> None:
    """And the refresh token that comes with it gives another."""
    asked = said(post(authority, {}, path="devicecode"))
    assert asked["device_code"] not in asked["message"]
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"]}
    assert said(post(authority, form))["error"] == "authorization_pending"
    given = said(post(authority, form))
    assert claims(given["access_token"]).scp.startswith("Application.Read.All")
    assert said(post(authority, form))["error"] == "expired_token"
    again = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    assert said(post(authority, again))["access_token"] != given["access_token"]
    assert refusal(post(authority, {**again, "client_id": AZURE_CLI})) == "AADSTS9002313"


def authorized(authority: Authority, **changes: str) -> Answer:
    query = {
        "client_id": APP,
        "redirect_uri": "http://localhost:8400",
        "response_mode": "form_post",
        "scope": f"{GRAPH}/.default openid",
        "state": 'a"<b>',
        "nonce": "n",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(b"proof").digest()).decode().rstrip("="),
        **changes,
    }
    return get(authority, f"/{TENANT}/oauth2/v2.0/authorize?{urlencode(query, quote_via=quote)}")


def test_an_authorization_code_is_good_once_for_who_asked(authority: Authority) -> None:
    """The page escapes what it was given; a code for another address, or without its proof, gives nothing."""
    for changes in ({}, {"redirect_uri": "http://localhost:9"}, {"code_verifier": "other"}, {"client_id": AZURE_CLI}):
        page = authorized(authority).body
        assert isinstance(page, str)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        assert unescape(fields["state"]) == 'a"<b>'
        assert "<b>" not in page
        form = {
            "grant_type": "authorization_code",
            "code": fields["code"],
            "redirect_uri": "http://localhost:8400",
            "code_verifier": "proof",
        }
        if changes:
            assert refusal(post(authority, {**form, **changes})) == "AADSTS70000"
        else:
            assert post(authority, form).status == 200
        assert refusal(post(authority, form)) == "AADSTS70000"


@pytest.mark.parametrize("changes", [{"redirect_uri": "http://localhost.evil.example"}, {"response_mode": "query"}])
def test_a_code_goes_to_this_machine_only(authority: Authority, changes: dict[str, str]) -> None:
    assert refusal(authorized(authority, **changes)) == "AADSTS50011"


MACHINE = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={GRAPH}"
APP_SERVICE = f"/msi/token?api-version=2019-08-01&resource={GRAPH}"


def test_a_managed_identity_is_given_inside_azure_only(authority: Authority, clock: Clock) -> None:
    """With the header that a request from outside cannot have, and for identities of this machine."""
    named = f"&client_id={IDENTITY}"
    assert get(authority, MACHINE + named).status == 400
    assert get(authority, APP_SERVICE + named, x_identity_header="other").status == 401
    given = said(get(authority, MACHINE + named, metadata="true"))
    assert claims(given["access_token"]).appid == IDENTITY
    header = {"x_identity_header": "sample-identity-header"}
    assert said(get(authority, APP_SERVICE + named, **header))["expires_on"] == str(int(clock.now) + 3600)
    for target in (MACHINE, f"{MACHINE}&client_id={APP}"):
        assert get(authority, target, metadata="true").status == 400
    assert get(authority, f"/msi/token?resource=x{named}", **header).status == 400
    machine = Authority(SNAPSHOT, Identities(system=APP), graph=GRAPH, clock=clock)
    assert get(machine, MACHINE, metadata="true").status == 200


def test_a_job_of_github_gets_an_id_token_for_its_audience(authority: Authority) -> None:
    """With the job's own token; the app that trusts this job takes it."""
    assert get(authority, "/x//idtoken?audience=a").status == 403
    target = "/x//idtoken?audience=api%3A%2F%2FAzureADTokenExchange"
    token = said(get(authority, target, authorization="Bearer sample-job-token"))["value"]
    assert refusal(asserted(authority, token)) == "AADSTS700213"
    trusting = replace(READER, trusts=(Trust(issuer=GITHUB, subject="repo:contoso/audit:ref:refs/heads/main"),))
    other = Authority(SNAPSHOT, Identities(registrations=(trusting,)), graph=GRAPH)
    token = said(get(other, target, authorization="Bearer sample-job-token"))["value"]
    assert asserted(other, token).status == 200


def test_it_says_where_its_endpoints_are(authority: Authority) -> None:
    """Under the host that was asked; for everybody's tenant under that name."""
    for name, tenant in ((TENANT, TENANT), ("contoso.onmicrosoft.com", TENANT), ("organizations", "organizations")):
        body = said(get(authority, f"/{name}/v2.0/.well-known/openid-configuration"))
        assert body["token_endpoint"] == f"https://{HOST}/{tenant}/oauth2/v2.0/token"
    assert refusal(get(authority, "/fabrikam.example/v2.0/.well-known/openid-configuration")) == "AADSTS90002"
    assert said(get(authority, "/common/discovery/instance?api-version=1.1"))["metadata"]


def test_graphs_calls_are_not_its_own(authority: Authority) -> None:
    for method, target in (
        ("GET", "/v1.0/organization"),
        ("POST", "/v1.0/$batch"),
        ("GET", f"/{TENANT}/oauth2/v2.0/token"),
    ):
        assert authority.answer(GraphRequest(method=method, target=target)) is None
