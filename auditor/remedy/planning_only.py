"""`--only`: which of the grants that go a plan is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from msgspec import Struct

from auditor.engine.policy import Key, key_of, key_of_reference
from auditor.engine.rulebook import Rulebook
from auditor.errors import AuditorError, UsageError
from auditor.knowledge.permissions import GUID, RESOURCES, parse_reference
from auditor.model.grant import Grant
from auditor.model.outcome import AuditResult, Finding

OPTION = "--only"
KINDS = ("permission", "rule", "app")
_FORM = "Write permission:[RESOURCE/]VALUE[@KIND], rule:RULE or app:APPID."


class Selection(Struct, frozen=True, kw_only=True):
    """What `--only` names: a grant is chosen when some value of each kind that is named fits it."""

    permissions: frozenset[Key]
    rules: frozenset[str]
    apps: frozenset[str]
    """Object ids of service principals."""
    found: frozenset[object]
    """Keys of the grants on which one of the rules found something."""

    def __call__(self, grant: Grant) -> bool:
        """Tell whether a grant is chosen."""
        return (
            (not self.permissions or key_of(grant) in self.permissions)
            and (not self.rules or grant.key in self.found)
            and (not self.apps or grant.service_principal_id in self.apps)
        )


def select(only: Sequence[str], result: AuditResult, rulebook: Rulebook) -> Selection:
    """Return what the values of `--only` choose of an audit.

    Raises:
        UsageError: a value is of another form, or names what the audit does not have.
    """
    named: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for text in only:
        kind, colon, value = text.partition(":")
        if kind not in named or not colon or not value:
            raise UsageError(f"'{text}' chooses nothing.", where=OPTION, advice=_FORM)
        named[kind].append(value)
    rules = frozenset(_rule(value, rulebook) for value in named["rule"])
    return Selection(
        permissions=frozenset(_permission(value, result) for value in named["permission"]),
        rules=rules,
        apps=frozenset(sp_id for value in named["app"] for sp_id in _apps(value, result)),
        found=frozenset(o.subject.key for o in result.outcomes if isinstance(o, Finding) and o.rule_id in rules),
    )


def _permission(text: str, result: AuditResult) -> Key:
    names = {resource: name for name, resource in RESOURCES.items()}
    known = {key_of(judged.grant): judged.grant for judged in result.grants}
    try:
        reference = parse_reference(text, kind="application", where=OPTION)
    except AuditorError as error:
        raise UsageError(error.what, where=OPTION, advice=error.advice) from None
    value = reference.value.lower() if GUID.fullmatch(reference.value.lower()) else reference.value
    key = (key_of_reference(reference)[0], value, reference.kind)
    by_id = {(grant.resource_app_id, grant.permission_id.lower(), grant.kind): shown for shown, grant in known.items()}
    key = by_id.get(key, key)
    if key not in known:
        spelled = {
            f"{'' if names.get(resource) == 'graph' else names.get(resource, resource) + '/'}{name}@{kind}"
            for resource, name, kind in known
        }
        raise _unknown(f"The audit holds no permission '{text}'.", text, spelled)
    return key


def _rule(text: str, rulebook: Rulebook) -> str:
    rules = {rule.id: rule for rule in rulebook.rules}
    if text not in rules:
        raise _unknown(f"There is no rule '{text}'.", text, rules)
    if rules[text].subject != "grant":
        raise UsageError(
            f"The rule '{text}' judges apps, and no permission.", where=OPTION, advice="Name the app: app:APPID"
        )
    return text


def _apps(text: str, result: AuditResult) -> tuple[str, ...]:
    wanted = text.lower()
    found = tuple(
        app.service_principal_id
        for app in result.apps
        if wanted in (app.app_id.lower(), app.service_principal_id.lower()) or text == app.name
    )
    if not found:
        raise _unknown(
            f"The audit holds no app '{text}'.", text, [a for app in result.apps for a in (app.app_id, app.name)]
        )
    return found


def _unknown(what: str, text: str, known: Iterable[str]) -> UsageError:
    names = sorted(set(known))
    near = get_close_matches(text, names, n=3, cutoff=0.5)
    advice = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(names[:20])}."
    return UsageError(what, where=OPTION, advice=advice)
