"""What is judged: rules, facts, permission families and app profiles."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.engine.facts import facts_table
from auditor.engine.rules import CompiledRule, load_rules
from auditor.knowledge.frameworks import Control, Framework, known_frameworks
from auditor.knowledge.permissions import RESOURCES, Family, Permission, load_permissions
from auditor.knowledge.profile import (
    AppProfile,
    ImpactStatement,
    Integration,
    Precondition,
    Selector,
    Sourced,
    Trial,
    VendorStatement,
    load_profile,
    profile_names,
)
from docs.markdown import block, code, codes, document, link, plain, table

RULES = """\
The {count} rules, one file each in `rules/checks/`. A severity counts on its own axis only. What the facts in a
condition mean stands in [facts.md](facts.md). `entra-audit rules test` runs every rule's own cases."""
FACTS = """\
What a rule may ask. A fact that is not known is absent, which is never the same as false, zero or empty: a condition
that hangs on it gives NotEvaluated. A fact is absent where a collection that it is read from is not complete, unless
it says "some" and a witness was read; and where the last column says so."""
FAMILIES = """\
{count} permissions in {families} families, one file each in `rules/permissions/`. *Reach*: `mailboxes` is every
mailbox, and Exchange can narrow it; `organization` is tenant-wide; `own` is what the signed-in user reaches. *Tier*: 0
can become Global Administrator, 1 controls or reads broadly, 2 is the rest. *Covers*: weaker permissions of the same
resource and kind that this one makes redundant, reviewed by hand."""
FRAMEWORKS = """\
{count} controls of {frameworks} published frameworks that the rules support, one file each in `rules/frameworks/`. A
rule *supports* a control where its outcomes are evidence for or against it in the audited apps; it never shows that a
control is met. Titles are in our own words: the text that counts is the publisher's. Each id and its meaning were read
in the source that is named; what could not be read in public is left out. `--format frameworks` writes the controls
with what an audit found."""
PROFILE = """\
What `rules/apps/{profile.id}.yaml` says, statement by statement. *Documented*: read in the source. *Inferred*: our
conclusion from the source. *Unknown*: no text that could be read says it. The date is the day on which the source was
read. Where several statements are about a grant, the first counts. Default policy: `{profile.default_policy}`."""
CANDIDATES = """\
Candidates, never more: a name with {names} as a word, a publisher with {publishers}, a reply URL on {hosts} or below
({identity.hosts_basis}). A candidate that holds application permissions and is none of the appIds is taken for
`{identity.inferred_integration}` (inferred) until the team confirms it."""


def rules_page() -> str:
    """Return the page of all rules, worst first."""
    rules = sorted(load_rules(), key=lambda rule: (rule.severity.rank, rule.id))
    rows = ((f"[{rule.id}](#{rule.id})", rule.severity.value, rule.axis, rule.subject, rule.title) for rule in rules)
    return document(
        "Rules",
        RULES.format(count=len(rules)),
        table(("rule", "severity", "axis", "judges", "title"), rows),
        *(_rule(rule) for rule in rules),
    )


def _rule(rule: CompiledRule) -> str:
    facts = (
        ("Severity", f"{rule.severity.value}, {rule.axis}"),
        ("Basis", rule.basis),
        ("Argues for taking the grant away", "yes" if rule.decides else "no"),
        ("Facts", codes(rule.facts)),
        ("Controls", ", ".join(rule.controls) or "none named"),
        ("References", " ".join(f"<{url}>" for url in rule.references) or "none"),
        ("Cases", "; ".join(f"{plain(case.name)} ({case.expect})" for case in rule.cases)),
    )
    parts = (
        f"## {rule.id}",
        f"**{plain(rule.title)}**",
        block(rule.when),
        f"Why: {plain(rule.why)}",
        f"What to do: {plain(rule.remediation)}",
        "\n".join(f"- {name}: {text}" for name, text in facts),
    )
    return "\n\n".join(parts)


def facts_page() -> str:
    """Return the page of all facts."""
    rows = (
        (code(fact.name), fact.type, fact.doc, codes(fact.collections) or "the grant itself", fact.unknown)
        for fact in facts_table()
    )
    return document(
        "Facts",
        FACTS,
        table(("fact", "type", "says", "read from", "also absent when"), rows),
    )


def families_page() -> str:
    """Return the page of all permission families."""
    found = load_permissions().families
    count = sum(len(family.permissions) for family in found)
    names = table(("short name", "appId"), ((code(name), code(app_id)) for name, app_id in RESOURCES.items()))
    return document(
        "Permissions",
        FAMILIES.format(count=count, families=len(found)),
        names,
        *(_family(family) for family in found),
    )


def _family(family: Family) -> str:
    head = ("permission", "resource, kind", "opens", "access", "reach", "tier", "covers")
    notes = [f"- {code(p.permission)} ({p.resource}, {p.kind}): {plain(p.note)}" for p in family.permissions if p.note]
    parts = [
        f"## {family.title}",
        f"Family `{family.family}`. Source: {link(family.source)}, read {family.checked}.",
        table(head, (_permission(entry) for entry in family.permissions)),
        "\n".join(notes),
    ]
    return "\n\n".join(part for part in parts if part)


def _permission(entry: Permission) -> tuple[str, ...]:
    return (
        f"{code(entry.permission)} {entry.id}",
        f"{entry.resource}, {entry.kind}",
        entry.opens,
        entry.access,
        entry.reach,
        f"{entry.tier}: {entry.tier_reason}",
        codes(entry.covers),
    )


def frameworks_page() -> str:
    """Return the page of all frameworks, each control with the rules that support it."""
    found = known_frameworks()
    rules = load_rules()
    count = sum(len(one.controls) for one in found)
    text = FRAMEWORKS.format(count=count, frameworks=len(found))
    return document("Frameworks", text, *(_framework(one, rules) for one in found))


def _framework(framework: Framework, rules: Iterable[CompiledRule]) -> str:
    def row(control: Control) -> tuple[str, ...]:
        name = f"{framework.framework}:{control.id}"
        links = (f"[{rule.id}](rules.md#{rule.id})" for rule in rules if name in rule.controls)
        return code(control.id), control.title, ", ".join(links), f"{control.basis}: {link(control.source)}"

    where = f"{framework.publisher}, {link(framework.source)}, read {framework.checked}"
    parts = (
        f"## {framework.title}",
        f"`{framework.framework}`, version: {framework.version}. {where}.",
        plain(framework.supports),
        table(("control", "about", "rules that support it", "read in"), map(row, framework.controls)),
    )
    return "\n\n".join(parts)


def profile_pages() -> dict[str, str]:
    """Return one page per app profile, by its name."""
    return {name: _profile(load_profile(name)) for name in profile_names()}


def _profile(profile: AppProfile) -> str:
    return document(
        f"App profile: {profile.title}",
        PROFILE.format(profile=profile),
        _identity(profile),
        *(_integration(name, integration) for name, integration in profile.integrations.items()),
        "## Preconditions\n\nWhat must be known to hold before a grant outside the policy goes without a check.",
        *(_precondition(question) for question in profile.preconditions),
        "## For every integration, after its own statements",
        f"Delegated sign-in permissions that every app may hold: {codes(profile.basics)}. {plain(profile.basics_text)}",
        _statements(profile.vendor),
        _impacts(profile.impacts),
        "## Tests of a change\n\nWhat `entra-audit revoke change` asks to try before and after.",
        table(("test", "of", "where this goes", "steps", "expected", "rests on"), map(_trial, profile.tests)),
        "## Not checked by any audit over Microsoft Graph",
        table(("what", "who can", "how"), ((n.what, n.who, n.how) for n in profile.not_checked)),
    )


def _trial(trial: Trial) -> tuple[str, ...]:
    steps = " ".join(f"{number}) {plain(step)}" for number, step in enumerate(trial.steps, 1))
    return trial.title, codes(trial.integrations), _about(trial.about), steps, trial.expected, _source(trial)


def _identity(profile: AppProfile) -> str:
    identity = profile.identity
    rows = [(f"appId {code(a.app_id)}", code(a.integration), a.text, _source(a)) for a in identity.app_ids]
    rows += [(f"template {code(t.template_id)}", code(t.integration), t.text, _source(t)) for t in identity.templates]
    rows += [
        (code(n.app_id) or f"name {code(n.name)}", f"not {profile.title}'s", n.text, _source(n))
        for n in identity.not_this_vendor
    ]
    hints = CANDIDATES.format(
        names=codes(identity.names),
        publishers=codes(identity.publishers),
        hosts=codes(identity.hosts),
        identity=identity,
    )
    return "## Which apps\n\n" + table(("app", "integration", "says", "rests on"), rows) + "\n\n" + hints


def _precondition(question: Precondition) -> str:
    parts = (
        f"### {question.id}",
        plain(question.question),
        f"For {codes(question.integrations)}: {_about(question.about)}. Who knows: {question.ask_whom}.",
        f"What comes first: {plain(question.check)}",
        f"Rests on {_source(question)}.",
    )
    return "\n\n".join(parts)


def _integration(name: str, integration: Integration) -> str:
    carried = f" Also carried by the app of {codes(integration.carried_by)}." if integration.carried_by else ""
    policies = (
        (
            code(policy),
            stated.list,
            codes(stated.allowed) or "none",
            "; ".join(f"{code(c.permission)} unless `{c.not_needed_when}`" for c in stated.conditional) or "none",
            stated.text,
            _source(stated),
        )
        for policy, stated in integration.policies.items()
    )
    head = ("policy", "list", "allowed", "conditional", "says", "rests on")
    parts = (
        f"## {name}",
        f"{integration.title}. Permissions are {integration.kind} unless they say otherwise.{carried}",
        table(head, policies),
        _statements(integration.vendor),
        _impacts(integration.impacts),
    )
    return "\n\n".join(part for part in parts if part)


def _statements(statements: Iterable[VendorStatement]) -> str:
    rows = [(_about(s.about), f"**{s.says}**: {plain(s.text)}", _source(s)) for s in statements]
    return "What the vendor says:\n\n" + table(("about", "says", "rests on"), rows) if rows else ""


def _impacts(statements: Iterable[ImpactStatement]) -> str:
    rows = [(_about(s.about), s.what, f"{s.who_notices}; {s.when}", s.way_back, _source(s)) for s in statements]
    head = ("about", "what goes with the grant", "who notices, when", "way back", "rests on")
    return "What breaks:\n\n" + table(head, rows) if rows else ""


def _about(selector: Selector) -> str:
    kind = "" if selector.kind == "any" else f"{selector.kind} "
    if selector.permissions:
        return f"{kind}{codes(selector.permissions)}"
    if selector.families:
        return f"{kind}permissions of {codes(selector.families)}"
    return f"every {kind}permission"


def _source(statement: Sourced) -> str:
    place = ", ".join(part for part in (link(statement.source), statement.date) if part)
    return f"{statement.basis}: {place}" if place else statement.basis
