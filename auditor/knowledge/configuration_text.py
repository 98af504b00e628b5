"""entra-audit.yaml written out, with a word of explanation for each part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from auditor.model.configuration import AppConfiguration, Configuration, SignInConfiguration, TenantConfiguration

HEAD = """\
# entra-audit.yaml: what only the team knows. Check it with: entra-audit run --config entra-audit.yaml
"""
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of entra-audit.yaml."""
    schema = msgspec.json.schema(Configuration)
    return {"$schema": SCHEMA_ID, "title": "entra-audit.yaml", **schema}


def render_configuration(configuration: Configuration) -> str:
    """Return the configuration as YAML text; reading it gives an equal value."""
    return "\n".join(_lines(configuration)) + "\n"


def _lines(configuration: Configuration) -> Iterator[str]:
    yield from HEAD.splitlines()
    yield from _apps(configuration.apps) if configuration.apps else ("apps: {}",)
    if configuration.policies:
        yield "# The team's own policies: integration to permissions."
        yield "policies:"
    for name, lists in configuration.policies.items():
        yield f"  {_text(name)}: {_map((key, _list(permissions)) for key, permissions in lists.items())}"
    yield from _accepted(configuration)
    yield from _watching(configuration)
    if configuration.tenants:
        yield "# Each tenant of several; a section here takes the place of the same one outside."
        yield "tenants:"
    for name, tenant in configuration.tenants.items():
        body = list(_tenant(tenant))
        yield f"  {_text(name)}:" + ("" if body else " {}")
        yield from (f"    {line}" for line in body)


def _watching(configuration: Configuration) -> Iterator[str]:
    if configuration.history:
        yield "# Where runs are kept: a file, `default`, or a database's address without a password"
        yield f"history: {_text(configuration.history)}"
    keep = configuration.retention
    if keep != Configuration().retention:
        yield "# How long the contents of kept runs stay"
        yield f"retention: {{days: {keep.days}, at_least: {keep.at_least}}}"
    if configuration.attestations:
        yield "# The file that `attest import` writes"
        yield f"attestations: {_text(configuration.attestations)}"
    notify = configuration.notify
    if notify != Configuration().notify:
        yield "# What a notification may say"
        yield f"notify: {{names: {_flag(notify.names)}, unchanged: {_flag(notify.unchanged)}}}"


def _tenant(tenant: TenantConfiguration) -> Iterator[str]:
    for key in ("tenant_id", "cloud", "snapshot", "graph_export"):
        if value := getattr(tenant, key):
            yield f"{key}: {_text(value)}"
    if tenant.sign_in != SignInConfiguration():
        fields = msgspec.structs.asdict(tenant.sign_in)
        default = msgspec.structs.asdict(SignInConfiguration())
        yield f"sign_in: {_map((key, _text(value)) for key, value in fields.items() if value != default[key])}"
    if tenant.apps:
        yield from _apps(tenant.apps)
    yield from _accepted(tenant)


def _apps(apps: Mapping[str, AppConfiguration]) -> Iterator[str]:
    yield "apps:"
    for name, app in apps.items():
        body = list(_app(app))
        yield f"  {_text(name)}:" + ("" if body else " {}")
        yield from (f"    {line}" for line in body)


def _accepted(section: Configuration | TenantConfiguration) -> Iterator[str]:
    yield from _records(
        "waivers",
        "Findings that the team lives with until a date.",
        [
            {
                "rule": w.rule,
                "app": w.app,
                **({"permission": w.permission} if w.permission else {}),
                "owner": w.owner,
                "reason": w.reason,
                "expires": w.expires.isoformat(),
            }
            for w in section.waivers
        ],
    )
    yield from _records(
        "accepted_gaps",
        "Collections that the team goes without until a date.",
        [
            {"collection": g.collection, "owner": g.owner, "reason": g.reason, "expires": g.expires.isoformat()}
            for g in section.accepted_gaps
        ],
    )


def _app(app: AppConfiguration) -> Iterator[str]:
    if app.policy:
        yield "# minimal, required, or one of `policies`"
        yield f"policy: {_text(app.policy)}"
    if app.integrations:
        yield "# appId: what the app is for; this confirms it"
        yield "integrations:"
        yield from (f"  {_text(app_id)}: {_text(name)}" for app_id, name in app.integrations.items())
    if app.features:
        yield "# what is switched on in the vendor's portal"
        yield f"features: {_list(app.features)}"
    if app.answers:
        yield "# questions of the app profile, with who answered and when"
        yield "answers:"
    for name, answer in app.answers.items():
        pairs = {
            "value": _flag(answer.value),
            "answered_by": _text(answer.answered_by),
            "date": _text(answer.date.isoformat()),
        }
        yield f"  {_text(name)}: {_map(pairs.items())}"
    if app.allowed:
        yield "# the team's own list for an integration, in place of the policy's"
        yield "allowed:"
        yield from (f"  {_text(name)}: {_list(permissions)}" for name, permissions in app.allowed.items())
    if app.exclude:
        yield "# appIds that are not this vendor's"
        yield f"exclude: {_list(app.exclude)}"


def _records(key: str, comment: str, records: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if records:
        yield f"# {comment}"
        yield f"{key}:"
    for record in records:
        yield f"  - {_map((name, _text(value)) for name, value in record.items())}"


def _flag(value: bool) -> str:  # noqa: FBT001 - a value to write
    return "true" if value else "false"


def _map(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{_text(key)}: {value}" for key, value in pairs) + "}"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _text(text: str) -> str:
    """Return a scalar that YAML reads back as this text: plain where it is a simple word, else in double quotes."""
    if (
        text.replace("-", "").replace("_", "").isalpha()
        and text.isascii()
        and text.lower() not in ("true", "false", "null")
    ):
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
