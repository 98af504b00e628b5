"""An app's identity card: who published it, who can change it, how it signs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from auditor.engine.view import AppView
from auditor.model.directory import DirectoryObject, KeyCredential, PasswordCredential, ServicePrincipal
from auditor.model.snapshot import DIRECTORY_ROLE, Collected, Complete, Unavailable, items, last_sign_in
from auditor.model.text import count, moment

NOT_READ = "not read"


def identity_card(view: AppView, tenant_id: str) -> tuple[tuple[str, str], ...]:
    """Return label and value pairs in reading order; `none` is a known absence, `not read` is not."""
    app = view.client.service_principal
    return tuple(_rows(view, app, tenant_id))


def _rows(view: AppView, app: ServicePrincipal, tenant_id: str) -> Iterator[tuple[str, str]]:
    yield "App ID", app.app_id
    yield "Object ID", app.id
    yield "Enabled", NOT_READ if app.account_enabled is UNSET else "yes" if app.account_enabled else "no"
    yield "Publisher", _text(app.publisher_name)
    yield "Verified publisher", _verified(app)
    yield "Home tenant", _home(app, tenant_id)
    yield "Created", _moment(app)
    yield "Reply URLs", _joined(app.reply_urls)
    yield "Tags", _joined(app.tags)
    yield "Client secrets", _credentials(app.password_credentials)
    yield "Certificates", _credentials(app.key_credentials)
    yield "Owners", _objects(view.client.owners, lambda o: o.user_principal_name or o.display_name or o.id)
    yield "Directory roles and groups", _objects(view.client.member_of, _membership)
    yield "Last sign-in", _sign_in(view)
    if view.default_access:
        yield "Default access (no permission)", ", ".join(sorted(g.resource_name for g in view.default_access))


def _text(value: str | UnsetType | None) -> str:
    return NOT_READ if value is UNSET else value or "none"


def _verified(app: ServicePrincipal) -> str:
    publisher = app.verified_publisher
    if publisher is UNSET:
        return NOT_READ
    return (publisher.display_name if publisher else None) or "none"


def _home(app: ServicePrincipal, tenant_id: str) -> str:
    home = _text(app.app_owner_organization_id)
    return f"{home} (this tenant)" if tenant_id and home == tenant_id else home


def _moment(app: ServicePrincipal) -> str:
    created = app.created_date_time
    return NOT_READ if created is UNSET else moment(created) if created else "none"


def _joined(values: tuple[str, ...] | UnsetType) -> str:
    return NOT_READ if values is UNSET else ", ".join(values) or "none"


def _credentials(credentials: tuple[PasswordCredential | KeyCredential, ...] | UnsetType) -> str:
    if credentials is UNSET:
        return NOT_READ
    return "; ".join(map(_credential, credentials)) or "none"


def _credential(credential: PasswordCredential | KeyCredential) -> str:
    usage = f", {credential.usage}" if isinstance(credential, KeyCredential) and credential.usage else ""
    end = f", until {moment(credential.end_date_time)}" if credential.end_date_time else ""
    return f"{credential.display_name or credential.key_id or 'unnamed'}{usage}{end}"


def _membership(member: DirectoryObject) -> str:
    kinds = {DIRECTORY_ROLE: "role", "#microsoft.graph.group": "group"}
    role = kinds.get((member.odata_type or "").lower(), "member of")
    return f"{role} {member.display_name or member.id}"


def _objects(collected: Collected[DirectoryObject], name: Callable[[DirectoryObject], str]) -> str:
    text = ", ".join(name(item) for item in items(collected))
    if isinstance(collected, Complete):
        return text or "none"
    return f"{text or 'none seen'} (not read in full)" if not isinstance(collected, Unavailable) else NOT_READ


def _sign_in(view: AppView) -> str:
    activity = view.client.sign_in_activity
    if isinstance(activity, Unavailable):
        return NOT_READ
    last = last_sign_in(view.client)
    if last is not None:
        return moment(last)
    return "none in the report" if isinstance(activity, Complete) else f"{count(0, 'line')} read"
