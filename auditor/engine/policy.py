"""The first answer: is a grant inside what the team allows this integration?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from msgspec import Struct

from auditor.knowledge.identify import IdentifiedApp
from auditor.knowledge.permissions import RESOURCES, PermissionReference, parse_reference
from auditor.knowledge.profile import AppProfile, ConditionalPermission, Integration
from auditor.model.configuration import Answer, Configuration
from auditor.model.grant import Grant, Kind
from auditor.model.outcome import Policy

Key = tuple[str, str, Kind]
"""Resource appId, permission value, kind."""


class Allowance(Struct, frozen=True, kw_only=True):
    """What one app may hold."""

    list: Literal["complete", "incomplete", "none"]
    allowed: Mapping[Key, str]
    """Permission to the reason why it is allowed."""
    conditional: Mapping[Key, ConditionalPermission]
    why: str
    """Where the list comes from, or why there is none."""
    name: str
    """What the list is called: `policy 'minimal'`, `your own list`."""


def key_of(grant: Grant) -> Key:
    """Return the key under which lists name a grant's permission."""
    return (grant.resource_app_id, grant.permission, grant.kind)


@cache
def keys(references: tuple[str, ...], kind: Kind, where: str) -> tuple[Key, ...]:
    """Return the keys of permission references."""
    parsed = (parse_reference(text, kind=kind, where=where) for text in references)
    return tuple(key_of_reference(reference) for reference in parsed)


def key_of_reference(reference: PermissionReference) -> Key:
    """Return the key of one reference."""
    return (RESOURCES[reference.resource], reference.value, reference.kind)


class PolicyBook:
    """Every list of one profile under one policy, with the team's configuration laid over it."""

    def __init__(self, profile: AppProfile, configuration: Configuration, policy: str) -> None:
        self._profile = profile
        self._policies = configuration.policies
        self._app = configuration.apps.get(profile.id)
        self.policy = policy
        self.features: tuple[str, ...] = self._app.features if self._app else ()
        self.answers: Mapping[str, Answer] = self._app.answers if self._app else {}
        self._basics = dict.fromkeys(keys(profile.basics, "delegated", profile.id), profile.basics_text)

    def allowance(self, app: IdentifiedApp) -> Allowance:
        """Return what an app may hold, with the sign-in basics that every app of the vendor may hold."""
        if app.match == "look-alike":
            return _nothing("It only looks like the vendor's app, so no list applies to it.")
        if not app.integration:
            unknown = _nothing("It is not known what this app is for, so no list applies to it.")
            return Allowance(list="none", allowed=self._basics, conditional={}, why=unknown.why, name=unknown.name)
        return self._with_basics(self._list(app.integration))

    def needed_by(self, app: IdentifiedApp) -> Mapping[Key, str]:
        """Return the permissions that declared features need of an app, whatever the policy, with the feature."""
        if app.match == "look-alike" or not app.integration:
            return {}
        return needed_by(self._profile, self.features, app.integration)

    def _with_basics(self, allowance: Allowance) -> Allowance:
        return Allowance(
            list=allowance.list,
            allowed={**self._basics, **allowance.allowed},
            conditional=allowance.conditional,
            why=allowance.why,
            name=allowance.name,
        )

    def _list(self, integration: str) -> Allowance:
        shape = self._profile.integrations[integration]
        own = self._app.allowed.get(integration) if self._app else None
        if own is not None:
            return _complete(own, shape, "your own list")
        if self.policy in self._policies:
            named = self._policies[self.policy].get(integration)
            if named is None:
                return _nothing(f"The team's policy '{self.policy}' says nothing of this integration.")
            return _complete(named, shape, f"your policy '{self.policy}'")
        if self.policy == "required":
            return self._required(integration)
        return _from_profile(shape, self.policy)

    def _required(self, integration: str) -> Allowance:
        carried = _carried(self._profile, self.features, integration)
        if not carried:
            return _nothing("This integration is not among the declared features, so what it needs is not decided.")
        lists = [_from_profile(self._profile.integrations[feature], "required") for feature in carried]
        whole = all(part.list == "complete" for part in lists) and integration in carried
        none = all(part.list == "none" for part in lists)
        return Allowance(
            list="complete" if whole else "none" if none else "incomplete",
            allowed={key: why for part in lists for key, why in part.allowed.items()},
            conditional={key: c for part in lists for key, c in part.conditional.items()},
            why=" ".join(part.why for part in lists),
            name="policy 'required'",
        )


def needed_by(profile: AppProfile, features: tuple[str, ...], integration: str) -> Mapping[Key, str]:
    """Return the permissions that declared features need of the app of an integration, with the feature's title."""
    return {
        key: known.title
        for feature in _carried(profile, features, integration)
        for known in (profile.integrations[feature],)
        for key in keys(known.policies["required"].allowed, known.kind, feature)
    }


def _carried(profile: AppProfile, features: tuple[str, ...], integration: str) -> tuple[str, ...]:
    """Return the declared features that the app of an integration carries."""
    known = profile.integrations
    return tuple(f for f in features if f in known and (f == integration or integration in known[f].carried_by))


def _nothing(why: str) -> Allowance:
    return Allowance(list="none", allowed={}, conditional={}, why=why, name="no list")


def _complete(references: tuple[str, ...], shape: Integration, name: str) -> Allowance:
    allowed = dict.fromkeys(keys(references, shape.kind, name), f"It stands in {name}.")
    return Allowance(list="complete", allowed=allowed, conditional={}, why=f"It does not stand in {name}.", name=name)


def _from_profile(shape: Integration, policy: str) -> Allowance:
    stated = shape.policies[policy]
    return Allowance(
        list=stated.list,
        allowed=dict.fromkeys(keys(stated.allowed, shape.kind, policy), stated.text),
        conditional={keys((c.permission,), shape.kind, policy)[0]: c for c in stated.conditional},
        why=stated.text,
        name=f"policy '{policy}'",
    )


def judge(grant: Grant, allowance: Allowance) -> tuple[Policy, str, ConditionalPermission | None]:
    """Return the policy answer for a grant, its reason, and the condition it hangs on."""
    key = key_of(grant)
    if key in allowance.allowed:
        return "allowed", allowance.allowed[key], None
    if key in allowance.conditional:
        return "conditional", allowance.why, allowance.conditional[key]
    if allowance.list == "complete":
        return "outside", allowance.why, None
    return "undetermined", allowance.why, None
