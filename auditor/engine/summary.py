"""The sentences of the first screen: what an app may do, what stays possible afterwards, what was not checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.engine.identity import identity_card
from auditor.engine.view import AppView, Context
from auditor.model.outcome import AuditedApp, Decision, JudgedGrant, NotChecked, tally
from auditor.model.snapshot import Complete, LedgerEntry, ledger, ledger_of
from auditor.model.text import count, listed, moment

VERBS: Mapping[str, str] = {"full": "do everything in", "write": "read and change", "read": "read", "send": "send"}
"""Access to verb, strongest first."""
GOES: frozenset[Decision] = frozenset({"revoke", "revoke-after"})
_BASIS = {
    "documented": "its appId is documented by {vendor}",
    "configured": "integration confirmed by configuration",
    "inferred": "integration inferred, not confirmed",
    "": "integration not known",
}


def headline(context: Context, grants: Sequence[JudgedGrant], *, complete: bool) -> str:
    """Return the one sentence over the whole report."""
    vendor = context.profile.title
    if not context.apps:
        listing = context.snapshot.service_principals
        if isinstance(listing, Complete):
            return f"No {vendor} app was found among {count(len(listing.items), 'service principal')}."
        return f"INCOMPLETE: no {vendor} app was found, but the service principals were not read in full."
    numbers = tally(grants)
    apps = count(len(context.apps), f"{vendor} or {vendor}-like app")
    hold = "holds" if len(context.apps) == 1 else "hold"
    lead = "" if complete else "INCOMPLETE: "
    return f"{lead}{apps} {hold} {count(sum(numbers.values()), 'permission')}: {_outlook(numbers)}."


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
        still_possible=tuple(_still_possible(context, own)),
        not_checked=tuple(_not_checked(context, view)),
        before=tuple(_picture(context, own, own)),
        after=tuple(_picture(context, own, tuple(g for g in own if g.decision not in GOES))),
    )


def _outlook(numbers: Mapping[Decision, int]) -> str:
    parts = (
        (numbers.get("revoke", 0), "can go now"),
        (numbers.get("revoke-after", 0), "after a check"),
        (numbers.get("replace", 0), "to be replaced"),
        (numbers.get("ask", 0), "waiting for an answer"),
        (numbers.get("keep", 0) + numbers.get("keep-and-scope", 0), "to keep"),
    )
    return listed([f"{number:,} {words}" for number, words in parts if number]) or "none held"


def _app_headline(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> str:
    app = view.identified
    integration = context.profile.integrations.get(app.integration)
    what = f"{context.profile.title}'s {integration.what}" if integration else "app"
    name = app.service_principal.display_name or app.service_principal.app_id
    if app.match == "look-alike":
        who = f"'{name}', which only looks like {context.profile.title}'s,"
    else:
        who = f"'{name}', {what} ({_BASIS[app.integration_basis].format(vendor=context.profile.title)}),"
    taken = moment(context.snapshot.taken_at)
    return f"Taken {taken}: {who} {_may(context, view, own)} {_against_policy(context, own)}".strip()


def _may(context: Context, view: AppView, own: Sequence[JudgedGrant]) -> str:
    grants_read = all(
        isinstance(c, Complete) for c in (view.client.app_role_assignments, view.client.oauth2_permission_grants)
    )
    unknown = sum(1 for judged in own if not judged.family)
    parts = [
        f"{phrase} {where}" for where, members in _places(context, own) if (phrase := _abilities(context, members))
    ]
    if unknown:
        parts.append(f"holds {count(unknown, 'permission')} that the permission tables do not describe")
    if not parts:
        return "holds no permission beyond sign-in." if grants_read else "holds grants that could not be read in full."
    more = "" if grants_read else " Its grants could not be read in full: it may hold more."
    return f"may {'; '.join(parts)}.{more}"


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


def _against_policy(context: Context, own: Sequence[JudgedGrant]) -> str:
    if not own:
        return ""
    by_policy: dict[str, list[JudgedGrant]] = {}
    for judged in own:
        by_policy.setdefault(judged.policy, []).append(judged)
    sentences = []
    allowed = sorted({j.grant.permission for j in by_policy.get("allowed", []) if j.access != "sign-in"})
    policy = f"Policy '{context.policy_name}'"
    if allowed or "outside" in by_policy:
        sentences.append(f"{policy} allows {listed(allowed) or 'sign-in only'}.")
    if outside := by_policy.get("outside"):
        numbers = tally(outside)
        verb = "is" if sum(numbers.values()) == 1 else "are"
        sentences.append(f"{count(sum(numbers.values()), 'permission')} {verb} outside it: {_outlook(numbers)}.")
    if undetermined := by_policy.get("undetermined"):
        number = count(sum(tally(undetermined).values()), "permission")
        verb = "waits" if number.startswith("1 ") else "wait"
        sentences.append(f"{policy} has no established list here: {number} {verb} for an answer.")
    return " ".join(sentences)


def _still_possible(context: Context, own: Sequence[JudgedGrant]) -> Iterator[str]:
    stays = {
        "keep": "Stays",
        "keep-and-scope": "Stays",
        "ask": "Until it is answered",
        "replace": "Until it is replaced",
        "revoke-after": "Until its check is done",
    }
    said: set[str] = set()
    for decision, lead in stays.items():
        for judged in own:
            if judged.decision == decision and judged.access != "sign-in":
                sentence = f"{lead}: {judged.opens or 'what it opens is not known'} ({_name(judged)})."
                if sentence not in said:
                    said.add(sentence)
                    yield sentence
    if any(judged.decision in GOES for judged in own):
        yield (
            "Tokens already issued keep the removed permissions until they expire, about 60 to 90 minutes; "
            "Exchange may honour them up to 2 hours more."
        )
        yield (f"Connecting the app again in {context.profile.title}'s portal may ask for everything anew.")
    if any(judged.grant.consent == "Principal" for judged in own):
        yield "Users can consent again where the tenant's user-consent settings allow it (not read)."
    if own:
        yield "Mailbox access given inside Exchange (RBAC for Applications) shows in no Entra listing and stays."


def _name(judged: JudgedGrant) -> str:
    grant = judged.grant
    consent = {"AllPrincipals": ", for every user", "Principal": ", for users who consented"}.get(grant.consent, "")
    return f"{grant.permission}, {grant.kind}{consent}"


def _picture(context: Context, own: Sequence[JudgedGrant], remaining: Sequence[JudgedGrant]) -> Iterator[str]:
    """Return one `Family: access` line per family that the app holds, with what `remaining` leaves of it."""
    titles = {family.family: family.title for family in context.permissions.families}
    for kind, suffix in (("application", ""), ("delegated", " as a signed-in user")):
        held = {(j.family, j.access) for j in own if j.grant.kind == kind}
        left = {(j.family, j.access) for j in remaining if j.grant.kind == kind}
        for family, title in titles.items():
            if any((family, access) in held for access in VERBS):
                verbs = [verb for access, verb in VERBS.items() if (family, access) in left]
                if "read and change" in verbs or "do everything in" in verbs:
                    verbs = [verb for verb in verbs if verb != "read"]
                yield f"{title}{suffix}: {', '.join(verbs) or 'nothing in Entra'}"
    if any(not j.family for j in own):
        unknown = sum(1 for j in remaining if not j.family)
        yield f"Not described: {count(unknown, 'permission')}" if unknown else "Not described: nothing in Entra"


def _not_checked(context: Context, view: AppView) -> Iterator[NotChecked]:
    for entry in (*ledger_of((view.client,)), *_tenant_gaps(context)):
        if entry.state != "complete":
            yield NotChecked(
                what=f"{entry.collection}: {entry.why}",
                who=f"an identity with {entry.opens}" if entry.opens else "whoever can read it in full",
                how="collect again",
            )
    for known in context.profile.not_checked:
        yield NotChecked(what=known.what, who=known.who, how=known.how)


def _tenant_gaps(context: Context) -> Iterator[LedgerEntry]:
    return (entry for entry in ledger(context.snapshot) if not entry.service_principal_id)
