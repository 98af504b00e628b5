"""The simulator's authority: it signs apps and people of the sample tenant in, and Graph takes the tokens it gives.

It speaks what Microsoft's libraries ask of login.microsoftonline.com, of a managed identity's address (App Service
and the virtual machines' metadata service) and of GitHub's ID tokens. Shapes:
https://learn.microsoft.com/entra/identity-platform/v2-protocols and
https://learn.microsoft.com/azure/app-service/overview-managed-identity (read 2026-11-22).
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from auditor.model.snapshot import Snapshot, items
from auditor.simulator.assertions import Claims, Issuer, Mistrusted, encoded, unsigned, verify_certificate_assertion
from auditor.simulator.bodies import uuid
from auditor.simulator.graph import Answer, GraphRequest
from auditor.simulator.identities import AZURE_CLI, GITHUB, Identities, Registration, TokenRequest, Trust

DEVICE_LOGIN = "https://microsoft.com/devicelogin"
_PERSON = "sam.rivera@contoso.example"
_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class _Refused(Exception):  # noqa: N818 - an answer and no error of this program
    def __init__(self, code: int, message: str, *, error: str = "invalid_client", status: int = 400) -> None:
        super().__init__(message)
        self.answer = Answer(
            status=status,
            body={
                "error": error,
                "error_description": f"AADSTS{code}: {message} Trace ID: {uuid('trace', code)}",
                "error_codes": [code],
                "error_uri": f"https://login.microsoftonline.com/error?code={code}",
            }
            if code
            else {"error": error, "error_description": message, "statusCode": status, "message": message},
        )


class _Code(NamedTuple):
    """What an authorization code is good for."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str


class Authority:
    """Gives tokens for one tenant.

    Args:
        snapshot: what the tenant holds; its id and its domains are the tenant's names.
        identities: who may sign in.
        graph: scheme and host of Graph; no token is given for anything else.
        clock: seconds since 1970.
    """

    def __init__(
        self, snapshot: Snapshot, identities: Identities, *, graph: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.requests: list[TokenRequest] = []
        """Every request for a token so far."""
        self.given: list[str] = []
        """Every secret given so far: tokens, and the codes that programs exchange; not those that people type."""
        self._identities = identities
        self._apps = {app.client_id: app for app in identities.registrations}
        self._tenant = snapshot.tenant_id
        domains = (d.name for o in items(snapshot.organization) for d in o.verified_domains)
        self._names = {self._tenant, "organizations", "common", *(domain for domain in domains if domain)}
        self._graph = graph
        self._clock = clock
        self._issuer = Issuer()
        self._tokens: dict[str, float] = {}
        self._codes: dict[str, _Code] = {}
        self._waiting: dict[str, int] = {}
        self._refreshing: dict[str, str] = {}

    def opens(self, authorization: str) -> bool:
        """Tell whether an Authorization header carries a token that was given here and has not expired."""
        return self._tokens.get(authorization.removeprefix("Bearer "), 0) > self._clock()

    def federated_token(self, trust: Trust, *, audience: str = "", lifetime: int = 600) -> str:
        """Return a token that another identity provider gives, as Kubernetes writes it into a file."""
        end = int(self._clock()) + lifetime
        claims = {"iss": trust.issuer, "sub": trust.subject, "exp": end, "aud": audience or self._identities.audience}
        self.given.append(self._issuer.sign(claims))
        return self.given[-1]

    def answer(self, request: GraphRequest) -> Answer | None:
        """Return the answer to a request; None for one that is not the authority's."""
        path = request.target.partition("?")[0]
        ways: tuple[tuple[str, str, Callable[[GraphRequest, str], Answer]], ...] = (
            ("GET", "/v2.0/.well-known/openid-configuration", self._configuration),
            ("POST", "/oauth2/v2.0/token", self._token),
            ("POST", "/oauth2/v2.0/devicecode", self._device_code),
            ("GET", "/oauth2/v2.0/authorize", self._authorize),
            ("GET", "/common/discovery/instance", _instances),
            ("GET", "/metadata/identity/oauth2/token", self._machine),
            ("GET", "/msi/token", self._app_service),
            ("GET", "/idtoken", self._id_token),
        )
        for method, end, way in ways:
            if request.method == method and path.endswith(end):
                try:
                    return way(request, path.removesuffix(end).strip("/"))
                except _Refused as refused:
                    return refused.answer
        return None

    def _configuration(self, request: GraphRequest, tenant: str) -> Answer:
        self._require_tenant(tenant)
        base = f"https://{_host(request)}/{self._tenant if tenant not in ('organizations', 'common') else tenant}"
        return Answer(
            body={
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
            }
        )

    def _token(self, request: GraphRequest, tenant: str) -> Answer:
        form = _form(request.body.decode(errors="replace"))
        grant = form.get("grant_type", "").removeprefix("urn:ietf:params:oauth:grant-type:")
        number = self._note(request, grant, form.get("client_id", ""))
        self._require_tenant(tenant)
        if grant != "device_code":  # Its scope was said when the code was asked for.
            self._require_graph(form.get("scope", ""), "/.default")
        give = self._app_token if grant == "client_credentials" else self._person_token
        answer = give(request, form)
        self.requests[number] = self.requests[number]._replace(given=True)
        return answer

    def _app_token(self, request: GraphRequest, form: Mapping[str, str]) -> Answer:
        app = self._app(form.get("client_id", ""))
        if "client_assertion" in form:
            self._require_assertion(app, form, f"https://{_host(request)}{request.target.partition('?')[0]}")
        elif not app.secret or not hmac.compare_digest(form.get("client_secret", "").encode(), app.secret.encode()):
            said = f"Invalid client secret provided for app '{app.client_id}'. Ensure the value is sent and not its id."
            raise _Refused(7000215, said, status=401)
        return Answer(body=self._issued(app.client_id, {"roles": list(app.roles), "idtyp": "app"}))

    def _require_assertion(self, app: Registration, form: Mapping[str, str], endpoint: str) -> None:
        """Raise _Refused for an assertion that neither the app's certificate nor an issuer that it trusts signed."""
        token, now = form["client_assertion"], self._clock()
        if form.get("client_assertion_type") != _BEARER:
            raise _Refused(90014, "client_assertion_type is missing or unknown.", error="invalid_request")
        why = ""
        if app.certificate:
            try:
                claims = verify_certificate_assertion(token, app.certificate, endpoint, now)
            except Mistrusted as mistrusted:
                why = str(mistrusted)
            else:
                if claims.get("iss") == claims.get("sub") == app.client_id:
                    return
        if app.trusts:
            try:
                claims = self._issuer.verify(token, self._identities.audience, now)
            except Mistrusted as mistrusted:
                raise _Refused(700024, f"Client assertion is not valid: {mistrusted}", status=401) from None
            if any(claims.get("iss") == t.issuer and claims.get("sub") == t.subject for t in app.trusts):
                return
            raise _Refused(700213, "No matching federated identity record found for the presented assertion.")
        raise _Refused(700027, f"The certificate of the client assertion is not registered. {why}", status=401)

    def _person_token(self, request: GraphRequest, form: Mapping[str, str]) -> Answer:
        client_id = form.get("client_id", "")
        if client_id != AZURE_CLI:
            self._app(client_id)
        nonce = ""
        match form.get("grant_type", ""):
            case grant if grant == _DEVICE:
                self._require_device(form.get("device_code", ""))
            case "authorization_code":
                nonce = self._require_code(form)
            case "refresh_token":
                if self._refreshing.get(form.get("refresh_token", "")) != client_id:
                    raise _Refused(9002313, "The refresh token is unknown.", error="invalid_grant")
            case other:
                raise _Refused(70003, f"The grant type '{other}' is not supported.", error="unsupported_grant_type")
        person = uuid("sample person")
        rights = {"scp": self._identities.scopes, "idtyp": "user", "upn": _PERSON}
        issued = self._issued(client_id, rights, person)
        now = int(self._clock())
        issued["refresh_token"] = secrets.token_urlsafe(32)
        self.given.append(issued["refresh_token"])
        self._refreshing[issued["refresh_token"]] = client_id
        issued["id_token"] = unsigned(
            {
                "iss": f"https://{_host(request)}/{self._tenant}/v2.0",
                "aud": client_id,
                "sub": uuid("subject", client_id),
                "oid": person,
                "tid": self._tenant,
                "preferred_username": _PERSON,
                "iat": now,
                "nbf": now,
                "exp": now + 3600,
                **({"nonce": nonce} if nonce else {}),
            }
        )
        issued["client_info"] = encoded(json.dumps({"uid": person, "utid": self._tenant}).encode())
        issued["scope"] = f"{self._graph}/.default"
        return Answer(body=issued)

    def _device_code(self, request: GraphRequest, tenant: str) -> Answer:
        self._require_tenant(tenant)
        form = _form(request.body.decode(errors="replace"))
        self._require_graph(form.get("scope", ""), "/.default")
        code, user_code = secrets.token_urlsafe(32), "SMPL" + secrets.token_hex(2).upper()
        self.given.append(code)
        self._waiting[code] = self._identities.pending
        return Answer(
            body={
                "user_code": user_code,
                "device_code": code,
                "verification_uri": DEVICE_LOGIN,
                "expires_in": 900,
                "interval": 1,
                "message": f"Open {DEVICE_LOGIN} and enter {user_code}.",
            }
        )

    def _require_device(self, code: str) -> None:
        """Raise _Refused for a device code that is unknown, or that nobody has typed yet."""
        if code not in self._waiting:
            raise _Refused(70020, "The device code is unknown or has expired.", error="expired_token")
        if self._waiting[code]:
            self._waiting[code] -= 1
            raise _Refused(70016, "The user has not yet entered the code.", error="authorization_pending")
        del self._waiting[code]

    def _authorize(self, request: GraphRequest, tenant: str) -> Answer:
        """Answer as where a person has signed in already: a form that sends the code to the waiting program."""
        self._require_tenant(tenant)
        asked = _form(request.target.partition("?")[2])
        back = asked.get("redirect_uri", "")
        if urlsplit(back).hostname != "localhost" or asked.get("response_mode") != "form_post":
            raise _Refused(50011, "The redirect URI does not match those of the app.", error="invalid_request")
        self._require_graph(asked.get("scope", ""), "/.default")
        code = secrets.token_urlsafe(32)
        self.given.append(code)
        self._codes[code] = _Code(
            asked.get("client_id", ""), back, asked.get("code_challenge", ""), asked.get("nonce", "")
        )
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in {"code": code, "state": asked.get("state", "")}.items()
        )
        page = f'<!DOCTYPE html><form method="post" action="{html.escape(back)}">{fields}</form>'
        return Answer(body=page, content_type="text/html")

    def _require_code(self, form: Mapping[str, str]) -> str:
        """Return the nonce of an authorization code that this program asked for; raise _Refused for any other."""
        code = self._codes.pop(form.get("code", ""), None)
        proof = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        asker = (form.get("client_id", ""), form.get("redirect_uri", ""), proof)
        if code is None or asker != (code.client_id, code.redirect_uri, code.challenge):
            raise _Refused(70000, "The authorization code is unknown, or was given to another.", error="invalid_grant")
        return code.nonce

    def _machine(self, request: GraphRequest, _tenant: str) -> Answer:
        if request.headers.get("metadata") != "true":
            raise _Refused(0, "Required metadata header not specified", error="bad_request")
        return self._managed(request)

    def _app_service(self, request: GraphRequest, _tenant: str) -> Answer:
        if request.headers.get("x-identity-header") != self._identities.identity_header:
            raise _Refused(0, "The identity header is wrong.", error="unauthorized", status=401)
        return self._managed(request)

    def _managed(self, request: GraphRequest) -> Answer:
        asked = _form(request.target.partition("?")[2])
        client_id = asked.get("client_id", "") or self._identities.system
        number = self._note(request, "managed-identity", client_id)
        app = self._apps.get(client_id, Registration(client_id=client_id))
        if not client_id or (client_id != self._identities.system and not app.managed):
            raise _Refused(0, "Identity not found", error="invalid_request")
        self._require_graph(asked.get("resource", ""), "")
        self.requests[number] = self.requests[number]._replace(given=True)
        issued = self._issued(client_id, {"roles": list(app.roles), "idtyp": "app"})
        end = str(int(self._clock()) + self._identities.lifetime)
        return Answer(body={**issued, "expires_on": end, "resource": asked["resource"], "client_id": client_id})

    def _id_token(self, request: GraphRequest, _tenant: str) -> Answer:
        asked = _form(request.target.partition("?")[2])
        number = self._note(request, "id-token", "")
        if request.headers.get("authorization") != f"Bearer {self._identities.job_token}":
            raise _Refused(0, "The job may not ask.", error="unauthorized", status=403)
        self.requests[number] = self.requests[number]._replace(given=True)
        trust = Trust(issuer=GITHUB, subject=self._identities.job)
        return Answer(body={"count": 1, "value": self.federated_token(trust, audience=asked.get("audience", "none"))})

    def _issued(self, client_id: str, rights: Claims, oid: str = "") -> Claims:
        """Return the part of an answer that holds a new token."""
        now, lifetime = int(self._clock()), self._identities.lifetime
        token = unsigned(
            {
                "aud": self._graph,
                "tid": self._tenant,
                "appid": client_id,
                "oid": oid or uuid("service principal", client_id),
                "iat": now,
                "exp": now + lifetime,
                **rights,
            }
        )
        self.given.append(token)
        self._tokens[token] = now + lifetime
        return {"token_type": "Bearer", "expires_in": lifetime, "access_token": token}

    def _note(self, request: GraphRequest, grant: str, client_id: str) -> int:
        """Note a request for a token, and return its number."""
        path = request.target.partition("?")[0]
        self.requests.append(TokenRequest(_host(request), path, grant, client_id, given=False))
        return len(self.requests) - 1

    def _app(self, client_id: str) -> Registration:
        app = self._apps.get(client_id)
        if app is None or app.managed:
            said = f"Application with identifier '{client_id}' was not found in the directory '{self._tenant}'."
            raise _Refused(700016, said, error="unauthorized_client")
        return app

    def _require_tenant(self, tenant: str) -> None:
        if tenant.lower() not in self._names:
            raise _Refused(90002, f"Tenant '{tenant}' not found. Check the tenant's id.", error="invalid_tenant")

    def _require_graph(self, scope: str, end: str) -> None:
        if f"{self._graph}{end}" not in scope.split():
            said = f"The resource principal named {scope} was not found in the tenant."
            raise _Refused(500011, said, error="invalid_resource")


def _instances(_request: GraphRequest, _tenant: str) -> Answer:
    hosts = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")
    groups = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]} for host in hosts]
    return Answer(body={"api-version": "1.1", "metadata": groups})


def _form(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def _host(request: GraphRequest) -> str:
    return request.headers.get("host", "")
