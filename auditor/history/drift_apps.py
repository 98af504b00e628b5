"""What changed about an app other than its grants."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import UNSET

from auditor.history.side import Side
from auditor.model.directory import DirectoryObject, KeyCredential, PasswordCredential, ServicePrincipal
from auditor.model.drift import AppChange
from auditor.model.snapshot import Client, Complete, Unavailable, items

Values = tuple[str, ...] | None
"""What a fact says; None: not known."""
_Known = tuple[Values, bool]
"""What was read, and whether that is all there is."""


def app_changes(before: Side, after: Side) -> tuple[AppChange, ...]:
    """Return what became of the apps, in the order of app and fact."""
    changes: list[AppChange] = []
    for id_ in before.apps.keys() | after.apps.keys():
        if id_ in before.apps and id_ in after.apps:
            changes += _facts_of(id_, before, after)
        else:
            changes.append(_came_or_went(id_, before, after))
    return tuple(sorted(changes, key=lambda one: (one.app_id, one.service_principal_id, one.what)))


def _came_or_went(id_: str, before: Side, after: Side) -> AppChange:
    has, other = (after, before) if id_ in after.apps else (before, after)
    words = ("appeared", "audited") if has is after else ("gone", "no-longer-audited")
    app = has.apps[id_]
    return AppChange(
        app_id=app.app_id,
        service_principal_id=id_,
        app_name=app.name,
        what=words[id_ in other.listed],
        certain=id_ in other.listed or other.knows_absent(id_),
    )


def _facts_of(id_: str, before: Side, after: Side) -> Iterator[AppChange]:
    app = after.apps[id_]
    was, now = facts(before, id_), facts(after, id_)
    for what, (new, whole) in now.items():
        old, old_whole = was[what]
        if old != new:
            yield AppChange(
                app_id=app.app_id,
                service_principal_id=id_,
                app_name=app.name,
                what=what,
                certain=whole and old_whole,
                before=old or (),
                after=new or (),
            )


def facts(side: Side, id_: str) -> dict[str, _Known]:
    """Return what one audit knows of an app, by the word for it.

    Texts are sorted where their order says nothing. Unknown reads as no text, and not whole.
    """
    app, client = side.apps[id_], side.clients.get(id_)
    found: dict[str, _Known] = {
        "integration": ((f"{app.integration} ({app.integration_basis})",) if app.integration else (), True),
        "match": ((app.match,), True),
    }
    principal = client.service_principal if client else side.listed.get(id_)
    for what, read in _FIELDS.items():
        values = read(principal) if principal else None
        found[what] = (values or (), values is not None)
    found["owners"] = _objects(client, lambda c: c.owners)
    found["directory-roles-and-groups"] = _objects(client, lambda c: c.member_of)
    return found


def _objects(client: Client | None, of: Callable[[Client], object]) -> _Known:
    collected = of(client) if client else Unavailable(why="")
    held: tuple[DirectoryObject, ...] = items(collected)  # type: ignore[arg-type]
    return tuple(sorted(_object(one) for one in held)), isinstance(collected, Complete)


def _object(one: DirectoryObject) -> str:
    return f"{one.user_principal_name or one.display_name or 'unnamed'} ({one.id})"


def _text(value: object) -> Values:
    if value is UNSET:
        return None
    if isinstance(value, bool):
        return ("on" if value else "off",)
    return (str(value),) if value else ()


def _publisher(app: ServicePrincipal) -> Values:
    return _text(app.publisher_name)


def _verified(app: ServicePrincipal) -> Values:
    publisher = app.verified_publisher
    if publisher is UNSET:
        return None
    if publisher is None or not (publisher.verified_publisher_id or publisher.display_name):
        return ()
    return (f"{publisher.display_name or 'unnamed'} ({publisher.verified_publisher_id or 'no id'})",)


def _reply_urls(app: ServicePrincipal) -> Values:
    return None if app.reply_urls is UNSET else tuple(sorted(set(app.reply_urls)))


def _credentials(app: ServicePrincipal) -> Values:
    secrets, keys = app.password_credentials, app.key_credentials
    if secrets is UNSET or keys is UNSET:
        return None
    held = [*(_credential("secret", one) for one in secrets), *(_credential("certificate", one) for one in keys)]
    return tuple(sorted(held))


def _credential(kind: str, one: PasswordCredential | KeyCredential) -> str:
    name = f" {one.display_name}" if one.display_name else ""
    usage = f", {one.usage}" if isinstance(one, KeyCredential) and one.usage else ""
    ends = f", ends {one.end_date_time:%Y-%m-%d}" if one.end_date_time else ", no end"
    return f"{kind}{name} ({one.key_id or 'no id'}{usage}{ends})"


_FIELDS: dict[str, Callable[[ServicePrincipal], Values]] = {
    "name": lambda app: _text(app.display_name),
    "sign-in": lambda app: _text(app.account_enabled),
    "home-tenant": lambda app: _text(app.app_owner_organization_id),
    "publisher": _publisher,
    "verified-publisher": _verified,
    "reply-urls": _reply_urls,
    "homepage": lambda app: _text(app.homepage),
    "credentials": _credentials,
    "disabled-by-microsoft": lambda app: _text(app.disabled_by_microsoft_status),
    "assignment-required": lambda app: _text(app.app_role_assignment_required),
    "single-sign-on": lambda app: _text(app.preferred_single_sign_on_mode),
}
