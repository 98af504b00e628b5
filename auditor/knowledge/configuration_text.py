"""entra-audit.yaml written out, with a word of explanation for each part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.model.configuration import AppConfiguration, Configuration

HEAD = """\
# entra-audit.yaml: what only the team knows. Check it with: entra-audit run --config entra-audit.yaml
"""


def render_configuration(configuration: Configuration) -> str:
    """Return the configuration as YAML text; reading it gives an equal value."""
    return "\n".join(_lines(configuration)) + "\n"


def _lines(configuration: Configuration) -> Iterator[str]:
    yield from HEAD.splitlines()
    yield "apps:" if configuration.apps else "apps: {}"
    for name, app in configuration.apps.items():
        body = list(_app(app))
        yield f"  {_text(name)}:" + ("" if body else " {}")
        yield from (f"    {line}" for line in body)
    if configuration.policies:
        yield "# The team's own policies: integration to permissions."
        yield "policies:"
    for name, lists in configuration.policies.items():
        yield f"  {_text(name)}: {_map((key, _list(permissions)) for key, permissions in lists.items())}"
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
            for w in configuration.waivers
        ],
    )
    yield from _records(
        "accepted_gaps",
        "Collections that the team goes without until a date.",
        [
            {"collection": g.collection, "owner": g.owner, "reason": g.reason, "expires": g.expires.isoformat()}
            for g in configuration.accepted_gaps
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
            "value": "true" if answer.value else "false",
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
