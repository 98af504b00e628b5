"""App profiles: what a vendor documents of its apps, one file per vendor in rules/apps/.

Every statement carries basis, source and date. Zoom is the first profile; another vendor is one more file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Literal

from msgspec import Struct

from auditor.errors import ConfigurationError, UsageError
from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import Lines, Steps, load_with_lines
from auditor.knowledge.permissions import GUID, PermissionTable
from auditor.knowledge.references import check_name, check_reference, known_permissions, suggestion
from auditor.model.grant import Kind
from auditor.model.outcome import Basis, NotChecked, VendorSays


class Sourced(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a statement: what it rests on."""

    basis: Basis
    source: str
    date: str
    """When the source was read, YYYY-MM-DD."""


class KnownApp(Sourced, frozen=True, kw_only=True):
    """An appId that the vendor documents."""

    app_id: str
    integration: str
    """Empty when the source does not say what it is for."""
    text: str


class KnownTemplate(Sourced, frozen=True, kw_only=True):
    """An application template of the Entra gallery."""

    template_id: str
    integration: str
    text: str


class NotThisVendor(Sourced, frozen=True, kw_only=True):
    """An app whose name resembles the vendor's and that is somebody else's."""

    app_id: str = ""
    name: str = ""
    """Compared without case and blanks; empty when the appId is enough."""
    text: str


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the vendor's service principals are told."""

    app_ids: tuple[KnownApp, ...]
    templates: tuple[KnownTemplate, ...]
    not_this_vendor: tuple[NotThisVendor, ...]
    names: tuple[str, ...]
    """Brand words, lower case: a display name that holds one as a word makes a candidate."""
    hosts: tuple[str, ...]
    """The vendor's domains: a reply URL on one, or below one, makes a candidate."""
    hosts_basis: Basis
    publishers: tuple[str, ...]
    """Words of the publisher name, lower case."""
    inferred_integration: str
    """The integration of a candidate that holds application permissions and is none of `app_ids`."""


class Selector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which grants a statement is about: the listed permissions, or the listed families, or all; of the given kind."""

    permissions: tuple[str, ...] = ()
    """References `[RESOURCE/]VALUE[@KIND]`; the default kind is the integration's."""
    families: tuple[str, ...] = ()
    kind: Kind | Literal["any"] = "any"


class VendorStatement(Sourced, frozen=True, kw_only=True):
    """What the vendor says of permissions. The first statement whose selector matches a grant counts."""

    about: Selector
    says: VendorSays
    text: str


class ImpactStatement(Sourced, frozen=True, kw_only=True):
    """What goes when a grant goes. The first whose selector matches counts."""

    about: Selector
    what: str
    who_notices: str
    when: Literal["now", "at the next connect", "never", "unknown"]
    way_back: str


class ConditionalPermission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A permission that a policy allows only while an answer is not known to be `true`."""

    permission: str
    not_needed_when: str
    """The id of a question; answered `true`, the permission is no longer needed."""
    check: str


class PolicyList(Sourced, frozen=True, kw_only=True):
    """What one policy allows one integration."""

    list: Literal["complete", "incomplete", "none"]
    """`complete`: what is not allowed is outside; otherwise what is not allowed is undetermined."""
    allowed: tuple[str, ...] = ()
    conditional: tuple[ConditionalPermission, ...] = ()
    text: str


class Integration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature by a method: personal calendars by application permissions, rooms by full delegate, ..."""

    title: str
    what: str
    """What the app is called in a sentence: `calendar app`."""
    kind: Kind
    """The kind of permission that the method uses; the default kind of references."""
    carried_by: tuple[str, ...] = ()
    """Other integrations whose app carries this feature as well; its needs are then needs of that app."""
    policies: dict[str, PolicyList]
    """By policy name; `minimal` and `required` are always there."""
    vendor: tuple[VendorStatement, ...] = ()
    impacts: tuple[ImpactStatement, ...] = ()


class Precondition(Sourced, frozen=True, kw_only=True):
    """Something that must be known to hold before grants outside the policy go without a check."""

    id: str
    """The id of the question whose answer `true` means that it holds."""
    integrations: tuple[str, ...]
    about: Selector
    question: str
    check: str
    """What to do first, as `revoke-after` says it."""
    ask_whom: str
    holds_without_features: tuple[str, ...] = ()
    """Also known to hold when features are declared and none of these is among them."""
    fails_with_features: tuple[str, ...] = ()
    """Known not to hold when one of these is declared."""


class Trial(Sourced, frozen=True, kw_only=True):
    """Something that people try before and after a change, to see that the vendor's features still work."""

    id: str
    title: str
    integrations: tuple[str, ...]
    """The features that it tries."""
    about: Selector = Selector()
    """What has to go for it to matter; everything unless said otherwise."""
    place: Literal["", "room"] = ""
    """`room`: it takes a meeting room."""
    steps: tuple[str, ...]
    expected: str


class AppProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of rules/apps/."""

    id: str
    title: str
    default_policy: str
    identity: Identity
    basics: tuple[str, ...]
    """Delegated sign-in permissions that every integration may hold."""
    basics_text: str
    integrations: dict[str, Integration]
    preconditions: tuple[Precondition, ...]
    vendor: tuple[VendorStatement, ...] = ()
    """Statements for every integration, after its own."""
    impacts: tuple[ImpactStatement, ...] = ()
    """For every integration, after its own; the last one must match everything."""
    not_checked: tuple[NotChecked, ...] = ()
    """What no audit over Microsoft Graph can see of this vendor: what, who can check it, and how."""
    tests: tuple[Trial, ...] = ()
    """The test plan of a change, in order."""


def profile_names(directory: Path | None = None) -> tuple[str, ...]:
    """Return the names of the profiles of a folder, rules/apps/ unless told otherwise, in name order."""
    return tuple(sorted(path.stem for path in (directory or data_dir("rules") / "apps").glob("*.yaml")))


def load_profile(name: str, directory: Path | None = None, *, permissions: PermissionTable | None = None) -> AppProfile:
    """Read and check the profile `name` of a folder, rules/apps/ unless told otherwise.

    The permissions that it names are held against `permissions`, the program's own tables unless told otherwise.

    Raises:
        UsageError: there is no such profile.
        ConfigurationError: the file is not a profile, or it contradicts itself or the permission tables.
    """
    names = profile_names(directory)
    if name not in names:
        raise UsageError(f"There is no app profile '{name}'.", advice=suggestion(name, names, "apps"))
    profile, lines = load_with_lines((directory or data_dir("rules") / "apps") / f"{name}.yaml", AppProfile)
    if profile.id != name:
        raise ConfigurationError(
            f"The profile is called '{profile.id}' and its file '{name}.yaml'.",
            where=lines.place(("id",)),
            advice=f"Write `id: {name}`, or rename the file.",
        )
    _Check(profile, lines, permissions or known_permissions()).run()
    return profile


class _Check:
    """Whether a profile of the right shape holds together."""

    def __init__(self, profile: AppProfile, lines: Lines, permissions: PermissionTable) -> None:
        self._profile = profile
        self._lines = lines
        self._permissions = permissions
        self._families = tuple(family.family for family in permissions.families)
        self._questions = tuple(question.id for question in profile.preconditions)

    def run(self) -> None:
        """Raise a ConfigurationError for the first contradiction."""
        for steps, statement in _statements(self._profile):
            self._sourced(statement, steps)
            self._selector(statement, steps)
        self._identity()
        for number, reference in enumerate(self._profile.basics):
            self._reference(reference, "delegated", ("basics", number))
        for name, integration in self._profile.integrations.items():
            self._integration(name, integration)
        for number, precondition in enumerate(self._profile.preconditions):
            steps = ("preconditions", number)
            if precondition.id in self._questions[:number]:
                raise self._wrong((*steps, "id"), f"The question '{precondition.id}' is there already.", "Rename one.")
            for field in ("integrations", "holds_without_features", "fails_with_features"):
                self._known(getattr(precondition, field), (*steps, field))
        for number, trial in enumerate(self._profile.tests):
            self._known(trial.integrations, ("tests", number, "integrations"))
        if not self._profile.impacts or self._profile.impacts[-1].about != Selector():
            raise self._wrong(
                ("impacts",),
                "The last impact statement of the profile does not match every grant.",
                "End the list with one whose selector is `about: {}`.",
            )

    def _identity(self) -> None:
        identity = self._profile.identity
        named: list[tuple[Steps, str, str]] = [(("inferred_integration",), "", identity.inferred_integration)]
        named += [(("app_ids", n), app.app_id, app.integration) for n, app in enumerate(identity.app_ids)]
        named += [(("templates", n), t.template_id, t.integration) for n, t in enumerate(identity.templates)]
        named += [(("not_this_vendor", n), o.app_id, "") for n, o in enumerate(identity.not_this_vendor)]
        for place, guid, integration in named:
            if guid and not GUID.fullmatch(guid):
                raise self._wrong(
                    ("identity", *place), f"'{guid}' is not a GUID.", "Write 8-4-4-4-12 lower-case hexadecimal digits."
                )
            if integration:
                self._known((integration,), ("identity", *place))
        for number, other in enumerate(identity.not_this_vendor):
            if not (other.app_id or other.name):
                steps = ("identity", "not_this_vendor", number)
                raise self._wrong(steps, "This app has neither an appId nor a name.", "Add one of them.")

    def _integration(self, name: str, integration: Integration) -> None:
        steps: Steps = ("integrations", name)
        self._known(integration.carried_by, (*steps, "carried_by"))
        for wanted in dict.fromkeys(("minimal", "required", self._profile.default_policy)):
            if wanted not in integration.policies:
                raise self._wrong(steps, f"The policy '{wanted}' is missing.", "Add it under `policies`.")
        for policy, stated in integration.policies.items():
            place: Steps = (*steps, "policies", policy)
            for number, text in enumerate(stated.allowed):
                self._reference(text, integration.kind, (*place, "allowed", number))
            for number, conditional in enumerate(stated.conditional):
                at: Steps = (*place, "conditional", number)
                self._reference(conditional.permission, integration.kind, (*at, "permission"))
                check_name(
                    conditional.not_needed_when,
                    self._questions,
                    what="the id of a question",
                    kind="questions",
                    where=self._lines.place((*at, "not_needed_when")),
                )

    def _sourced(self, statement: Sourced, steps: Steps) -> None:
        if statement.basis == "documented" and not statement.source.startswith("https://"):
            raise self._wrong(
                (*steps, "source"), "A documented statement needs the address of its source.", "Write an https:// URL."
            )
        if statement.basis == "inferred" and not statement.source:
            raise self._wrong((*steps, "source"), "It does not say what it is inferred from.", "Name the source.")
        if not _is_day(statement.date) and (statement.date or statement.basis != "unknown"):
            raise self._wrong((*steps, "date"), f"'{statement.date}' is not a day.", "Write it as 2026-11-22.")

    def _selector(self, statement: Sourced, steps: Steps) -> None:
        if not isinstance(statement, (VendorStatement, ImpactStatement, Precondition, Trial)):
            return
        about, place = statement.about, (*steps, "about")
        if about.permissions and about.families:
            raise self._wrong(
                place, "A selector takes permissions or families, not both.", "Make two statements of it."
            )
        for number, family in enumerate(about.families):
            where = self._lines.place((*place, "families", number))
            check_name(family, self._families, what="a permission family", kind="families", where=where)
        for number, text in enumerate(about.permissions):
            self._reference(text, self._kind(about, steps), (*place, "permissions", number))

    def _kind(self, about: Selector, steps: Steps) -> Kind:
        """Return the kind of references that name none: the selector's, else the integration's."""
        if about.kind != "any":
            return about.kind
        own = self._profile.integrations.get(str(steps[1])) if steps[0] == "integrations" else None
        return own.kind if own else "application"

    def _known(self, integrations: Iterable[str], steps: Steps) -> None:
        for name in integrations:
            where = self._lines.place(steps)
            check_name(name, self._profile.integrations, what="an integration", kind="integrations", where=where)

    def _reference(self, text: str, kind: Kind, steps: Steps) -> None:
        check_reference(text, kind=kind, permissions=self._permissions, where=self._lines.place(steps))

    def _wrong(self, steps: Steps, what: str, advice: str) -> ConfigurationError:
        return ConfigurationError(what, where=self._lines.place(steps), advice=advice)


def _statements(profile: AppProfile) -> Iterator[tuple[Steps, Sourced]]:
    """Return every statement that carries a basis, with its place in the file."""
    lists: list[tuple[Steps, Iterable[Sourced]]] = [
        (("identity", "app_ids"), profile.identity.app_ids),
        (("identity", "templates"), profile.identity.templates),
        (("identity", "not_this_vendor"), profile.identity.not_this_vendor),
        (("preconditions",), profile.preconditions),
        (("vendor",), profile.vendor),
        (("impacts",), profile.impacts),
        (("tests",), profile.tests),
    ]
    for name, integration in profile.integrations.items():
        yield from (
            (("integrations", name, "policies", policy), stated) for policy, stated in integration.policies.items()
        )
        lists.append((("integrations", name, "vendor"), integration.vendor))
        lists.append((("integrations", name, "impacts"), integration.impacts))
    for steps, statements in lists:
        yield from (((*steps, number), statement) for number, statement in enumerate(statements))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
