"""The sentences of the first screen: what an app may do, what stays possible afterwards, what was not checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from auditor.engine.identity import identity_card
from auditor.engine.view import AppView, Context
from auditor.knowledge.permissions import Permission
from auditor.model.outcome import AuditedApp, Decision, JudgedGrant, NotChecked, tally
from auditor.model.snapshot import (
    EXCHANGE,
    Complete,
    LedgerEntry,
    client_collections,
    directory_roles,
    items,
    ledger,
    ledger_of,
)
from auditor.model.text import count, listed, moment

VERBS: Mapping[str, str] = {"full": "have full access to", "write": "read and change", "read": "read", "send": "send"}
"""Access to verb, strongest first."""
_LEADS: Mapping[Decision, str] = {
    "keep": "Stays: may",
    "keep-and-scope": "Stays: may",
    "ask": "Until somebody answers, it may",
    "replace": "Until it is replaced, it may",
    "revoke-after": "Until the check is done, it may",
}
GOES: frozenset[Decision] = frozenset({"revoke", "revoke-after", "replace"})
"""Decisions by which a grant goes."""
TITLES: Mapping[str, str] = {
    "organization": "The organization",
    "enabledMembers": "Number of enabled accounts",
    "servicePrincipals": "List of enterprise apps",
    "resources": "What the resources publish",
    "appRoleAssignments": "Application permissions",
    "oauth2PermissionGrants": "Delegated permissions",
    "owners": "Owners",
    "memberOf": "Directory roles and groups",
    "signInActivity": "Sign-in activity",
    "grantEvents": "Who granted what (audit log)",
    EXCHANGE: "Exchange role assignments",
}
"""Collections of the ledger in words."""
_BASIS = {
    "documented": "appId documented by {vendor}",
    "configured": "integration confirmed by configuration",
}


def headline(context: Context, grants: Sequence[JudgedGrant], *, complete: bool) -> str:
    """Return the one sentence over the whole report."""
    vendor = context.profile.title
    if not context.audited:
        listing = context.snapshot.service_principals
        if isinstance(listing, Complete):
            return f"No {vendor} app was found among {count(len(listing.items), 'service principal')}."
        return f"INCOMPLETE: no {vendor} app was found, but the service principals were not read in full."
    numbers = tally(grants)
    apps = count(len(context.audited), f"{vendor} or {vendor}-like app")
    hold = "holds" if len(context.audited) == 1 else "hold"
    whole = all(map(_grants_read, context.audited))
    held = f"{'' if whole else 'at least '}{count(sum(numbers.values()), 'permission')} in Entra ID"
    lead = "" if complete else "INCOMPLETE: "
    return f"{lead}{apps} {hold} {held}{_outlook(numbers, ': ')}."


def _grants_read(view: AppView) -> bool:
    client = view.client
    return isinstance(client.app_role_assignments, Complete) and isinstance(client.oauth2_permission_grants, Complete)


def audited_app(context: Context, view: AppView, grants: Sequence[JudgedGrant]) -> AuditedApp:
    """Return one app's card and sentences."""
    app = view.identified
    own = tuple(g for g in grants if g.grant.service_principal_id == app.service_principal.id)
    return AuditedApp(
        app_id=app.service_principal.app_id,
        service_principal_id=app.service_principal.id,
        name=app.service_principal.display_name or app.service_principal.app_id,
        match=app.match,
        match_reason=app.reason,
        confirm_line=app.confirm_line,
        exclude_line=app.exclude_line,
        integration=app.integration,
        integration_basis=app.integration_basis,
        confirmed=app.confirmed,
        headline=_app_headline(context, view, own),
        identity=identity_card(view, context.tenant_id),
        still_possible=tuple(_still_possible(context, view, own)),
        not_checked=tuple(_not_checked(context, view)),
        before=tuple(_picture(context, view, own, own)),
        after=tuple(_picture(context, view, own, tuple(_remaining(context, own)))),
    )


def _remaining(context: Context, own: Sequence[JudgedGrant]) -> Iterator[JudgedGrant]:
    """Give what is left once every decision was followed: the narrower permission in the place of the wider."""
    for judged in own:
        narrower = _replacement(context, judged)
        if narrower is not None:
            yield replace(judged, opens=narrower.opens, family=narrower.family, access=narrower.access)
        elif judged.decision not in GOES:
            yield judged


def _replacement(context: Context, judged: JudgedGrant) -> Permission | None:
    """Return what is granted in place of a grant that is to be replaced; None for any other."""
    if judged.decision != "replace":
        return None
    grant = judged.grant
    return context.permissions.by_value(grant.resource_app_id, judged.replace_with, grant.kind)


def _outlook(numbers: Mapping[Decision, int], lead: str = "") -> str:
    parts = (
        (numbers.get("revoke", 0), "can go now", "can go now"),
        (numbers.get("revoke-after", 0), "can go after a check", "can go after a check"),
        (numbers.get("replace", 0), "can be narrowed", "can be narrowed"),
        (numbers.get("ask", 0), "needs an answer", "need an answer"),
        (numbers.get("keep", 0) + numbers.get("keep-and-scope", 0), "stays", "stay"),
    )
    said = listed([f"{number:,} {one if number == 1 else many}" for number, one, many in parts if number])
    return f"{lead}{said}" if said else ""


def _app_headline(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> str:
    taken = moment(context.snapshot.taken_at)
    sentences = (_who(context, view, own), *_roles(view), *_against_policy(context, view, own))
    return f"Taken {taken}: {' '.join(sentences)}"


def _who(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> str:
    """Return the sentence of what the app is and what it may do."""
    app, vendor = view.identified, context.profile.title
    integration = context.profile.integrations.get(app.integration)
    name = app.service_principal.display_name or app.service_principal.app_id
    off = "disabled, " if app.service_principal.account_enabled is False else ""
    if app.match == "look-alike":
        who = f"'{name}' ({off}only looks like {vendor}'s)"
    elif integration and app.integration_basis == "inferred":
        who = f"'{name}' ({off}taken for {vendor}'s {integration.what}, not confirmed)"
    elif integration:
        who = f"'{name}' ({off}{vendor}'s {integration.what}, {_BASIS[app.integration_basis].format(vendor=vendor)})"
    else:
        who = f"'{name}' ({off}integration not known)"
    return f"{who} {_may(context, view, own)}"


def _may(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> str:
    unknown = sum(1 for judged in own if not judged.family)
    able = [f"{phrase} {where}" for where, members in _places(context, own) if (phrase := _abilities(context, members))]
    sentences = [f"may {'; '.join(able)}."] if able else []
    if unknown:
        also = "It also holds" if able else "holds"
        sentences.append(f"{also} {count(unknown, 'permission')} that nobody describes.")
    if not _grants_read(view):
        more = "it may hold more" if sentences else "what it holds is not known"
        start = "Its" if sentences else "has grants; its"
        sentences.append(f"{start} grants could not be read in full, so {more}.")
    return " ".join(sentences) or "holds no permission in Entra ID beyond sign-in (Exchange roles not read)."


def _roles(view: AppView) -> Iterator[str]:
    roles = sorted(role.display_name or role.id for role in directory_roles(view.client))
    if roles:
        yield f"It holds the directory {'role' if len(roles) == 1 else 'roles'} {listed(roles)}."


def _places(context: Context, own: Sequence[JudgedGrant]) -> Iterator[tuple[str, list[JudgedGrant]]]:
    """Return where the app reaches, in words, with the grants that reach there."""
    members = context.snapshot.enabled_members
    accounts = (
        f"of up to {members.items[0]:,} enabled accounts"
        if isinstance(members, Complete) and members.items
        else "of a number of accounts that was not read"
    )
    users = len({j.grant.principal_id for j in own if j.reach == "one-user"})
    yield (
        f"in every mailbox {accounts} (Exchange limits not read)",
        [j for j in own if j.reach == "organization-at-most"],
    )
    yield "across the organization", [j for j in own if j.reach == "organization"]
    yield "as any user who signs in to it", [j for j in own if j.reach == "signed-in-users"]
    yield f"as {count(users, 'user')} who consented", [j for j in own if j.reach == "one-user"]


def _abilities(context: Context, grants: Iterable[JudgedGrant]) -> str:
    """Return `read and change mail and calendars, send mail`."""
    titles = {family.family: family.title for family in context.permissions.families}
    by_verb: dict[str, list[str]] = {verb: [] for verb in VERBS.values()}
    held = {(judged.family, judged.access) for judged in grants}
    for family, title in titles.items():
        accesses = [access for access in VERBS if (family, access) in held]
        for access in accesses:
            if access != "read" or not {"write", "full"} & set(accesses):
                by_verb[VERBS[access]].append(_in_a_sentence(title))
    return listed([f"{verb} {listed(names)}" for verb, names in by_verb.items() if names])


def _in_a_sentence(title: str) -> str:
    """Return a family's title as it stands inside a sentence; a title with another capital is a name."""
    return title[:1].lower() + title[1:] if title[1:] == title[1:].lower() else title


def _against_policy(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> Iterator[str]:
    name = view.list_name[:1].upper() + view.list_name[1:]
    by_policy: dict[str, list[JudgedGrant]] = defaultdict(list)
    for judged in own:
        by_policy[judged.policy].append(judged)
    allowed = sorted({j.grant.permission for j in by_policy["allowed"] if j.access != "sign-in"})
    if allowed or by_policy["outside"] or by_policy["conditional"]:
        yield f"{name} allows {listed(allowed) or 'sign-in only'}."
    for policy, what in (("outside", "outside it"), ("conditional", "allowed under a condition")):
        if numbers := tally(by_policy[policy]):
            total = sum(numbers.values())
            yield f"{total:,} {'is' if total == 1 else 'are'} {what}: {_outlook(numbers)}."
    if numbers := tally(by_policy["undetermined"]):
        why = f"because no list decides on {'it' if sum(numbers.values()) == 1 else 'them'}"
        if view.identified.match == "look-alike":
            why = f"because no policy applies to an app that is not {context.profile.title}'s"
        outlook = _outlook(numbers)
        yield f"{outlook[:1].upper()}{outlook[1:]}, {why}."


def _still_possible(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> Iterator[str]:
    yield from _stays_beside_grants(view)
    said: set[str] = set()
    for decision, lead in _LEADS.items():
        for judged in own:
            does = judged.opens or "do something that nobody describes"
            sentence = f"{lead} {does} ({_name(judged)})."
            if judged.decision == decision and judged.access != "sign-in" and sentence not in said:
                said.add(sentence)
                yield sentence
    for judged in own:
        if narrower := _replacement(context, judged):
            sentence = f"In its place stays: may {narrower.opens} ({_name(judged, narrower.permission)})."
            if sentence not in said:
                said.add(sentence)
                yield sentence
    if any(judged.decision in GOES for judged in own):
        yield "Access tokens already issued keep working until they expire; how long is not measured here."
        yield f"Reconnecting in {context.profile.title}'s portal may ask for all permissions again."
    if any(judged.grant.consent == "Principal" for judged in own):
        yield "Users can consent again where the tenant's user-consent settings allow it (not read)."
    yield "Mailbox access given inside Exchange (RBAC for Applications) shows in no Entra listing and stays (not read)."


def _stays_beside_grants(view: AppView) -> Iterator[str]:
    """Say what the app and its keepers can do without any grant: no decision here removes it."""
    app, client = view.client.service_principal, view.client
    for role in directory_roles(client):
        yield f"Stays: directory role {role.display_name or role.id}; it is no grant, and no decision here removes it."
    if not isinstance(client.member_of, Complete):
        yield "Directory roles were not read in full."
    secrets = len(app.password_credentials or ()) if app.password_credentials is not UNSET else 0
    if secrets:
        held = count(secrets, "client secret")
        yield f"Stays: {held} in this tenant; whoever holds one acts as the app with what remains."
    owners = items(client.owners)
    if owners:
        names = listed([o.user_principal_name or o.display_name or o.id for o in owners])
        yield f"Stays: {count(len(owners), 'owner')} ({names}), who can add credentials to the app."


def _name(judged: JudgedGrant, permission: str = "") -> str:
    grant = judged.grant
    consent = {"AllPrincipals": ", for every user", "Principal": ", for users who consented"}.get(grant.consent, "")
    return f"{permission or grant.permission}, {grant.kind}{consent}"


def _picture(
    context: Context, view: AppView, own: Sequence[JudgedGrant], remaining: Sequence[JudgedGrant]
) -> Iterator[str]:
    """Return one `Family: access` line per family that the app holds, with what `remaining` leaves of it."""
    titles = {family.family: family.title for family in context.permissions.families}
    nothing = "no permission left" if _grants_read(view) else "nothing among what was read"
    for kind, suffix in (("application", ""), ("delegated", " as a signed-in user")):
        held = {(j.family, j.access) for j in own if j.grant.kind == kind}
        left = {(j.family, j.access) for j in remaining if j.grant.kind == kind}
        for family, title in titles.items():
            if any((family, access) in held for access in VERBS):
                accesses = [access for access in VERBS if (family, access) in left]
                if {"write", "full"} & set(accesses):
                    accesses = [access for access in accesses if access != "read"]
                words = ["full access" if access == "full" else VERBS[access] for access in accesses]
                yield f"{title}{suffix}: {', '.join(words) or nothing}"
    if any(not j.family for j in own):
        unknown = sum(1 for j in remaining if not j.family)
        yield f"Not described: {count(unknown, 'permission') if unknown else nothing}"
    for role in directory_roles(view.client):
        yield f"Directory role: {role.display_name or role.id}"
    for collection, what in (
        ("appRoleAssignments", "Application permissions"),
        ("oauth2PermissionGrants", "Delegated"),
    ):
        if not isinstance(client_collections(view.client)[collection], Complete):
            yield f"{what}: not read in full"


def _not_checked(context: Context, view: AppView) -> Iterator[NotChecked]:
    tenant = [entry for entry in ledger(context.snapshot) if not entry.service_principal_id]
    for entry in (*ledger_of((view.client,)), *tenant):
        # The profile says more of the Exchange side, with commands.
        if entry.state != "complete" and entry.collection != EXCHANGE:
            yield _gap(entry)
    for known in context.profile.not_checked:
        yield NotChecked(what=known.what, who=known.who, how=known.how)


def _gap(entry: LedgerEntry) -> NotChecked:
    what = f"{TITLES[entry.collection]}: {entry.why}"
    if entry.opens.startswith("Save "):
        return NotChecked(what=what, who="whoever made the export", how=entry.opens)
    who = f"an identity with {entry.opens}" if entry.opens else "whoever can read it in full"
    return NotChecked(what=what, who=who, how="collect again")
