"""entra-audit.yaml, the team's word: read, checked against the profiles, overridden by the command line, written.

Shape: auditor/model/configuration.py. The JSON Schema for editors is made from the same types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from auditor.errors import ConfigurationError
from auditor.graph.clouds import CLOUDS
from auditor.graph.ways import METHODS
from auditor.knowledge.configuration_text import configuration_schema, render_configuration
from auditor.knowledge.configuration_watch import for_tenant, problems, rooted
from auditor.knowledge.documents import Lines, Steps, load, load_with_lines
from auditor.knowledge.people import ZoomUsers, count_unequal
from auditor.knowledge.permissions import GUID, parse_reference
from auditor.knowledge.profile import AppProfile
from auditor.knowledge.references import check_name, check_reference, known_permissions
from auditor.model.configuration import AppConfiguration, Configuration, TenantConfiguration
from auditor.model.snapshot import CLIENT_COLLECTIONS, EXCHANGE, TENANT_COLLECTIONS

__all__ = [
    "ZoomUsers",
    "check_configuration",
    "configuration_schema",
    "count_unequal",
    "for_tenant",
    "load_configuration",
    "merge_cli",
    "read_configuration",
    "render_configuration",
    "rooted",
]

POLICIES = ("minimal", "required")
"""The policies that every profile has."""


def load_configuration(path: Path) -> Configuration:
    """Read entra-audit.yaml; its names are not checked yet.

    Raises:
        ConfigurationError: the file cannot be read, is not strict YAML, or does not have the shape.
    """
    return load(path, Configuration)


def read_configuration(path: Path) -> tuple[Configuration, Lines]:
    """Read entra-audit.yaml as `load_configuration` does, with the lines that `check_configuration` can name."""
    return load_with_lines(path, Configuration)


def check_configuration(
    configuration: Configuration, *, profiles: Mapping[str, AppProfile], where: str | Lines
) -> None:
    """Refuse names that nothing knows, and statements that contradict each other.

    Args:
        configuration: what entra-audit.yaml and the command line say together.
        profiles: every app profile, by name.
        where: the file, or where each of its values stands: then errors name line and column.

    Raises:
        ConfigurationError: an unknown app, policy, integration, feature, question, collection or permission; an appId
            that is no GUID, or that is documented as another integration or another vendor's app; an owner, reason or
            name left blank; a policy `required` without features; a tenant that is read from nowhere or from two
            places, or whose sign-in holds what its method does not use; a password in the address of the history.
    """
    _Check(configuration, profiles, where).run()


def merge_cli(
    configuration: Configuration, *, app: str, policy: str | None, features: tuple[str, ...]
) -> Configuration:
    """Return the configuration with what the command line says of one app laid over it; None and () change nothing."""
    own = configuration.apps.get(app, AppConfiguration())
    own = replace(
        own,
        policy=own.policy if policy is None else policy,
        features=tuple(dict.fromkeys(features)) or own.features,
    )
    return replace(configuration, apps={**configuration.apps, app: own})


class _Check:
    """Whether a configuration of the right shape names things that exist."""

    def __init__(self, configuration: Configuration, profiles: Mapping[str, AppProfile], where: str | Lines) -> None:
        self._configuration = configuration
        self._profiles = profiles
        self._where = where

    def run(self) -> None:
        """Raise a ConfigurationError for the first thing that is wrong."""
        for name, lists in self._configuration.policies.items():
            steps: Steps = ("policies", name)
            if name in POLICIES:
                raise self._wrong(steps, f"'{name}' is a policy that every app has.", "Give yours another name.")
            self._lists(lists, steps)
        self._team(self._configuration, ())
        for name, tenant in self._configuration.tenants.items():
            steps = ("tenants", name)
            method = (*steps, "sign_in", "method")
            self._name(tenant.sign_in.method, METHODS, method, "a way to sign in", "methods")
            if tenant.cloud:
                self._name(tenant.cloud, CLOUDS, (*steps, "cloud"), "a cloud", "clouds")
            self._team(tenant, steps)
        for steps, what, advice in problems(self._configuration):
            raise self._wrong(steps, what, advice)

    def _team(self, section: Configuration | TenantConfiguration, within: Steps) -> None:
        """Check what may stand for one tenant or for all."""
        for name, app in section.apps.items():
            self._name(name, self._profiles, (*within, "apps", name), "an app", "apps")
            self._app(self._profiles[name], app, (*within, "apps", name))
        for number, waiver in enumerate(section.waivers):
            steps: Steps = (*within, "waivers", number)
            self._guid(waiver.app, (*steps, "app"))
            self._filled({"rule": waiver.rule, "owner": waiver.owner, "reason": waiver.reason}, steps)
            if waiver.permission:
                self._waived(waiver.permission, self._place((*steps, "permission")))
        for number, gap in enumerate(section.accepted_gaps):
            steps = (*within, "accepted_gaps", number)
            known = (*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS, EXCHANGE)
            self._name(gap.collection, known, (*steps, "collection"), "a collection", "collections")
            self._filled({"owner": gap.owner, "reason": gap.reason}, steps)

    def _app(self, profile: AppProfile, app: AppConfiguration, steps: Steps) -> None:
        policy = app.policy or profile.default_policy
        known = dict.fromkeys((*POLICIES, profile.default_policy, *self._configuration.policies))
        self._name(policy, known, (*steps, "policy"), "a policy", "policies")
        for number, feature in enumerate(app.features):
            self._name(feature, profile.integrations, (*steps, "features", number), "a feature", "features")
        if policy == "required" and not app.features:
            raise self._wrong(
                (*steps, "policy"),
                "The policy 'required' is what the declared features need, and none is declared.",
                f"Add `features` (or --feature) with one or more of: {', '.join(profile.integrations)}.",
            )
        for app_id, integration in app.integrations.items():
            place: Steps = (*steps, "integrations", app_id)
            self._guid(app_id, place)
            self._name(integration, profile.integrations, place, "an integration", "integrations")
            self._not_known_otherwise(profile, app_id, integration, place)
        for number, app_id in enumerate(app.exclude):
            place = (*steps, "exclude", number)
            self._guid(app_id, place)
            if app_id.lower() in {named.lower() for named in app.integrations}:
                raise self._wrong(place, f"'{app_id}' is excluded and integrated.", "Remove it from one of the two.")
        questions = [question.id for question in profile.preconditions]
        for name, answer in app.answers.items():
            self._name(name, questions, (*steps, "answers", name), "a question", "questions")
            self._filled({"answered_by": answer.answered_by}, (*steps, "answers", name))
        self._lists(app.allowed, (*steps, "allowed"), profile)

    def _not_known_otherwise(self, profile: AppProfile, app_id: str, integration: str, steps: Steps) -> None:
        """Refuse to integrate an app that the profile documents as something else; an id cannot be forged."""
        for known in profile.identity.app_ids:
            if known.app_id.lower() == app_id.lower() and known.integration != integration:
                raise self._wrong(
                    steps,
                    f"'{app_id}' is documented as {known.integration}, and not {integration}.",
                    "Remove this line; the documented integration counts without one.",
                )
        for other in profile.identity.not_this_vendor:
            if other.app_id.lower() == app_id.lower():
                raise self._wrong(steps, f"'{app_id}' is not {profile.title}'s. {other.text}", "Remove this line.")

    def _lists(self, lists: Mapping[str, tuple[str, ...]], steps: Steps, profile: AppProfile | None = None) -> None:
        """Check integration names and permissions; without a profile, any profile's integrations will do."""
        profiles = [profile] if profile else self._profiles.values()
        integrations = {name: shape for known in profiles for name, shape in known.integrations.items()}
        for name, references in lists.items():
            self._name(name, integrations, (*steps, name), "an integration", "integrations")
            for number, text in enumerate(references):
                check_reference(
                    text,
                    kind=integrations[name].kind,
                    permissions=known_permissions(),
                    where=self._place((*steps, name, number)),
                )

    def _waived(self, text: str, where: str) -> None:
        """Check a waiver's permission; an id stands for a permission that its resource does not publish."""
        if not GUID.fullmatch(parse_reference(text, kind="application", where=where).value.lower()):
            check_reference(text, kind="application", permissions=known_permissions(), where=where)

    def _guid(self, text: str, steps: Steps) -> None:
        if not GUID.fullmatch(text.lower()):
            raise self._wrong(
                steps,
                f"'{text}' is not an appId.",
                "Write the Application ID: a GUID as 8-4-4-4-12 hexadecimal digits.",
            )

    def _filled(self, fields: Mapping[str, str], steps: Steps) -> None:
        for field, text in fields.items():
            if not text.strip():
                raise self._wrong((*steps, field), f"'{field}' is blank.", "Fill it in.")

    def _name(self, name: str, known: Iterable[str], steps: Steps, what: str, kind: str) -> None:
        check_name(name, known, what=what, kind=kind, where=self._place(steps))

    def _wrong(self, steps: Steps, what: str, advice: str) -> ConfigurationError:
        return ConfigurationError(what, where=self._place(steps), advice=advice)

    def _place(self, steps: Steps) -> str:
        if isinstance(self._where, Lines):
            return self._where.place(steps)
        return f"{self._where}: {'.'.join(str(step) for step in steps)}"
