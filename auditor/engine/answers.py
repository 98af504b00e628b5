"""The five answers per grant: policy, the vendor's word, use, cover and reach, with what breaks when it goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from auditor.engine.grants import Resources, grants_of
from auditor.engine.policy import Allowance, Key, PolicyBook, judge, key_of, key_of_reference, keys
from auditor.engine.view import Answered, AppView, Context, Narrower
from auditor.errors import ConfigurationError
from auditor.knowledge.identify import Identification, IdentifiedApp, identify
from auditor.knowledge.permissions import RESOURCES, Permission, PermissionReference, PermissionTable
from auditor.knowledge.profile import AppProfile, ImpactStatement, Integration, Selector, VendorStatement
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.directory import NO_ROLE, ServicePrincipal
from auditor.model.grant import Grant, Kind
from auditor.model.outcome import Impact, Policy, Reach, Statement, VendorSays
from auditor.model.snapshot import Client, Complete, Snapshot, Unavailable, items

NO_LOGS = "No activity log was read, so use is not known."
UNRESOLVED: tuple[Policy, str, None] = ("undetermined", "Which permission this is could not be resolved.", None)
NOT_COLLECTED = "the snapshot does not hold this app: collect again with today's configuration"


def build_context(
    snapshot: Snapshot,
    *,
    profile: AppProfile,
    permissions: PermissionTable,
    configuration: Configuration,
    only: frozenset[str] = frozenset(),
) -> Context:
    """Return the whole view of one audit: every identified app with its grants answered.

    Raises:
        ConfigurationError: the policy is neither of the profile nor of the configuration.
    """
    app_configuration = configuration.apps.get(profile.id, AppConfiguration())
    policy = app_configuration.policy or profile.default_policy
    if policy not in ("minimal", "required", *configuration.policies):
        known = ", ".join(("minimal", "required", *configuration.policies))
        raise ConfigurationError(f"There is no policy '{policy}'.", advice=f"Name one of: {known}.")
    everyone = identify_in(snapshot, profile=profile, configuration=app_configuration)
    named = identify_in(snapshot, profile=profile, configuration=app_configuration, only=only) if only else everyone
    apps = {app.service_principal.id: app for app in (*everyone.apps, *named.apps)}
    answers = _Answers(snapshot, profile, permissions, PolicyBook(profile, configuration, policy))
    return Context(
        snapshot=snapshot,
        profile=profile,
        permissions=permissions,
        configuration=app_configuration,
        policy_name=policy,
        tenant_id=snapshot.tenant_id,
        apps=tuple(answers.view(app) for app in apps.values()),
        only=only,
        seen_apps=named.seen,
    )


def identify_in(
    snapshot: Snapshot, *, profile: AppProfile, configuration: AppConfiguration, only: frozenset[str] = frozenset()
) -> Identification:
    """Return which of a snapshot's service principals are the vendor's."""
    return identify(
        _service_principals(snapshot),
        profile=profile,
        configuration=configuration,
        tenant_id=snapshot.tenant_id,
        with_application_permissions=_with_application_permissions(snapshot),
        only=only,
    )


def _service_principals(snapshot: Snapshot) -> Sequence[ServicePrincipal]:
    """Return the listed service principals, each client with the fields that were read of it alone."""
    clients = {client.service_principal.id: client.service_principal for client in snapshot.clients}
    listed = {sp.id: sp for sp in items(snapshot.service_principals)}
    return tuple({**listed, **clients}.values())


def _with_application_permissions(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(
        client.service_principal.id
        for client in snapshot.clients
        for assignment in items(client.app_role_assignments)
        if assignment.app_role_id != NO_ROLE and assignment.principal_type in (None, "ServicePrincipal")
    )


def _not_collected(service_principal: ServicePrincipal) -> Client:
    missing = Unavailable(why=NOT_COLLECTED, opens="entra-audit collect")
    return Client(
        service_principal=service_principal,
        app_role_assignments=missing,
        oauth2_permission_grants=missing,
        owners=missing,
        member_of=missing,
        sign_in_activity=missing,
        grant_events=missing,
    )


_Holder = tuple[str, str, str]
"""Resource, kind, and who the permission holds for: empty, `*` for every principal, or one principal."""


def _holder(grant: Grant, consent: str) -> _Holder:
    principal = "*" if consent == "AllPrincipals" else grant.principal_id
    return (grant.resource_id, grant.kind, "" if grant.kind == "application" else principal)


class _Answers:
    """Answers the grants of one snapshot."""

    def __init__(self, snapshot: Snapshot, profile: AppProfile, permissions: PermissionTable, book: PolicyBook) -> None:
        self._snapshot = snapshot
        self._profile = profile
        self._permissions = permissions
        self._book = book
        self._resources = Resources(snapshot, permissions)
        self._clients = {client.service_principal.id: client for client in snapshot.clients}

    def view(self, app: IdentifiedApp) -> AppView:
        """Return one app with its grants answered."""
        client = self._clients.get(app.service_principal.id) or _not_collected(app.service_principal)
        grants = grants_of(client, self._resources)
        allowance = self._book.allowance(app)
        needed_by = self._book.needed_by(app)
        held = [grant for grant in grants if not grant.default_access]
        needed = self._needed(app, allowance)
        stays: dict[_Holder, list[Grant]] = defaultdict(list)
        for grant in held:
            if self._stays(grant, allowance):
                stays[_holder(grant, grant.consent)].append(grant)
        staying = [grant for grants_ in stays.values() for grant in grants_]
        narrower = _Narrowing(self._permissions, client, (held, staying), self._wanted(allowance, needed))
        return AppView(
            identified=app,
            client=client,
            answered=tuple(self._answer(grant, app, allowance, needed_by, stays, narrower) for grant in held),
            default_access=tuple(grant for grant in grants if grant.default_access),
            list_name=allowance.name,
            needed=needed,
            lacking=tuple(r for r in needed if key_of_reference(r) not in set(map(key_of, held))),
        )

    def _stays(self, grant: Grant, allowance: Allowance) -> bool:
        policy, _, condition = judge(grant, allowance)
        return policy == "allowed" or (condition is not None and not self.answered_true(condition.not_needed_when))

    def answered_true(self, question: str) -> bool:
        """Return whether the team answered a question with yes."""
        answer = self._book.answers.get(question)
        return answer is not None and answer.value

    def _needed(self, app: IdentifiedApp, allowance: Allowance) -> tuple[PermissionReference, ...]:
        """Return what the app's integration needs: allowed by its list, and said to be needed by the vendor."""
        integration = self._profile.integrations.get(app.integration)
        if integration is None or app.match == "look-alike":
            return ()
        names = {app_id: name for name, app_id in RESOURCES.items()}
        stated = [s for s in integration.vendor if s.says == "needed"]
        wanted = [key for s in stated for key in keys(s.about.permissions, integration.kind, app.integration)]
        return tuple(
            PermissionReference(resource=names[resource], value=value, kind=kind)
            for resource, value, kind in dict.fromkeys(wanted)
            if (resource, value, kind) in allowance.allowed
        )

    def _wanted(self, allowance: Allowance, needed: tuple[PermissionReference, ...]) -> Mapping[Key, str]:
        """Return what an app needs, now or under a condition, with the question that it hangs on."""
        open_ = {
            key: condition.not_needed_when
            for key, condition in allowance.conditional.items()
            if not self.answered_true(condition.not_needed_when)
        }
        return {**open_, **dict.fromkeys(map(key_of_reference, needed), "")}

    def _answer(
        self,
        grant: Grant,
        app: IdentifiedApp,
        allowance: Allowance,
        needed_by: Mapping[Key, str],
        stays: Mapping[_Holder, list[Grant]],
        narrower: _Narrowing,
    ) -> Answered:
        permission = self._permissions.by_value(grant.resource_app_id, grant.permission, grant.kind)
        policy, policy_reason, condition = judge(grant, allowance) if grant.known else UNRESOLVED
        integration = self._profile.integrations.get(app.integration)
        says, vendor = self._vendor(grant, permission, app, integration)
        reach, reach_text = self._reach(grant, permission)
        return Answered(
            grant=grant,
            permission=permission,
            policy=policy,
            policy_reason=policy_reason,
            condition=condition,
            needed_by=needed_by.get(key_of(grant), ""),
            vendor_says=says,
            vendor=vendor,
            seen="no-logs",
            seen_reason=NO_LOGS,
            covered_by=self._covered_by(grant, stays),
            reach=reach,
            reach_text=reach_text,
            impact=self._impact(grant, permission, app, integration),
            narrower=narrower(grant) if policy == "outside" else None,
        )

    def _vendor(
        self, grant: Grant, permission: Permission | None, app: IdentifiedApp, integration: Integration | None
    ) -> tuple[VendorSays, Statement]:
        if not grant.known:
            text = f"Which permission this is is not known, so nothing that {self._profile.title} says applies to it."
            return "silent", Statement(text=text, basis="unknown")
        if app.match == "look-alike":
            text = f"This app is not known to be {self._profile.title}'s, so nothing the vendor says applies to it."
            return "silent", Statement(text=text, basis="unknown")
        own = integration.vendor if integration else ()
        for statement in (*own, *self._profile.vendor):
            if matches(statement.about, grant, permission, integration):
                return statement.says, _stated(statement)
        return "silent", Statement(text=f"{self._profile.title} says nothing of it in the texts read.", basis="unknown")

    def _impact(
        self, grant: Grant, permission: Permission | None, app: IdentifiedApp, integration: Integration | None
    ) -> Impact:
        settled = grant.known and app.match != "look-alike"
        own = integration.impacts if integration else ()
        for statement in (*own, *self._profile.impacts):
            if matches(statement.about, grant, permission, integration) and (settled or statement.basis == "unknown"):
                return _impact(statement)
        raise ConfigurationError(
            "No impact statement matches every grant.", where=f"rules/apps/{self._profile.id}.yaml"
        )

    def _covered_by(self, grant: Grant, stays: Mapping[_Holder, list[Grant]]) -> str:
        """Return the staying permission that makes this one redundant.

        It holds on the same client, resource and kind, and, delegated, for the same principal or for every principal.
        """
        for consent in dict.fromkeys((grant.consent, "AllPrincipals")):
            for other in stays.get(_holder(grant, consent), ()):
                if grant.permission in self._permissions.covers(other.resource_app_id, other.permission, other.kind):
                    return other.permission
                if other.permission == grant.permission and other.consent != grant.consent:
                    return f"{other.permission} (tenant-wide)"
        return ""

    def _reach(self, grant: Grant, permission: Permission | None) -> tuple[Reach, str]:
        if grant.kind == "delegated":
            if grant.consent == "Principal":
                return "one-user", "what this one user reaches, while signed in to the app"
            return "signed-in-users", "what each user who signs in to the app reaches"
        if permission is None:
            return "unknown", "unknown: the permission tables do not describe it"
        if permission.reach == "mailboxes":
            return "organization-at-most", f"{self._mailboxes()} (Exchange limits not read)"
        return "organization", "the whole organization"

    def _mailboxes(self) -> str:
        members = self._snapshot.enabled_members
        if isinstance(members, Complete) and members.items:
            return f"every mailbox: up to {members.items[0]:,} enabled accounts, and shared and room mailboxes"
        return "every mailbox (the number of accounts was not read)"


class _Narrowing:
    """Finds what would do in place of the wider grants of one app."""

    def __init__(
        self,
        permissions: PermissionTable,
        client: Client,
        held: tuple[Sequence[Grant], Sequence[Grant]],
        wanted: Mapping[Key, str],
    ) -> None:
        """Take what an app holds, and of that what stays; what a staying grant covers is held as well."""
        self._permissions = permissions
        self._wanted = wanted
        self._whole: Mapping[Kind, bool] = {
            "application": isinstance(client.app_role_assignments, Complete),
            "delegated": isinstance(client.oauth2_permission_grants, Complete),
        }
        everything, staying = held
        self._held = {(*key_of(grant), grant.principal_id) for grant in everything} | {
            (grant.resource_app_id, weaker, grant.kind, grant.principal_id)
            for grant in staying
            for weaker in permissions.covers(*key_of(grant))
        }

    def __call__(self, grant: Grant) -> Narrower | None:
        """Return the narrowest permission that is wanted, not held and covered by this grant."""
        if not self._whole[grant.kind] or not self._wanted:
            return None
        covered = self._permissions.covers(*key_of(grant))
        found = [
            Narrower(permission=entry, question=question)
            for key, question in self._wanted.items()
            if (key[0], key[2]) == (grant.resource_app_id, grant.kind) and key[1] in covered
            if not {(*key, ""), (*key, grant.principal_id)} & self._held
            if (entry := self._permissions.by_value(*key)) is not None
        ]
        return min(found, key=self._breadth, default=None)

    def _breadth(self, narrower: Narrower) -> tuple[int, str]:
        entry = narrower.permission
        return (
            len(self._permissions.covers(RESOURCES[entry.resource], entry.permission, entry.kind)),
            entry.permission,
        )


def matches(selector: Selector, grant: Grant, permission: Permission | None, integration: Integration | None) -> bool:
    """Return whether a statement is about a grant."""
    if selector.kind not in ("any", grant.kind):
        return False
    if selector.permissions:
        default = integration.kind if integration else grant.kind
        kind = default if selector.kind == "any" else grant.kind
        return key_of(grant) in keys(selector.permissions, kind, "statement")
    if selector.families:
        return permission is not None and permission.family in selector.families
    return True


def _stated(statement: VendorStatement) -> Statement:
    return Statement(text=statement.text, basis=statement.basis, source=statement.source, date=statement.date)


def _impact(statement: ImpactStatement) -> Impact:
    return Impact(
        what=Statement(text=statement.what, basis=statement.basis, source=statement.source, date=statement.date),
        who_notices=statement.who_notices,
        when=statement.when,
        way_back=statement.way_back,
    )
