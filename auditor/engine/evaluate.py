"""Rules over facts: one outcome per rule and subject, before waivers.

`Passed` is made here and nowhere else, and only where the condition came out false on facts that are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID, uuid5

from msgspec import Struct

from auditor.engine.fact import Facts, SubjectKind, collected
from auditor.engine.facts import FACTS, app_facts, grant_facts
from auditor.engine.grant_facts import COLLECTION_OF
from auditor.engine.rules import CompiledRule, Undecided, activation, render
from auditor.engine.view import AppView, Context
from auditor.model.grant import Grant
from auditor.model.outcome import Finding, NotEvaluated, Outcome, Passed, Subject
from auditor.model.snapshot import CLIENT_COLLECTIONS, TENANT_COLLECTIONS, Complete

NAMESPACE = UUID("7b0b3e0c-9a57-4c55-8f1e-6f0d5b1d9c21")
"""Of finding ids: uuid5 over rule, tenant, service principal, grant, permission and principal."""

_Verdicts = Mapping[str, bool | Undecided]
"""What each rule says, by its id."""


class _Judged(Struct, frozen=True, kw_only=True):
    """A subject with what is known of it and what every rule says."""

    subject: Subject
    facts: Facts
    verdicts: _Verdicts


def evaluate(context: Context, rules: tuple[CompiledRule, ...]) -> tuple[Outcome, ...]:
    """Return every outcome in the order of rule, app and grant.

    Apps and grants that a collection which is not Complete may hide give a NotEvaluated beside what was seen.
    """
    views = sorted(context.audited, key=_app_key)
    bench = _Bench(context, rules)
    judged = [(view, {"app": bench.app(view), "grant": bench.grants(view)}) for view in views]
    outcomes: list[Outcome] = []
    for rule in rules:
        outcomes.extend(_hidden_apps(context, rule))
        for view, subjects in judged:
            if rule.subject == "grant":
                outcomes.extend(bench.hidden_grants(rule, view))
            outcomes.extend(_outcome(context, rule, view, one) for one in subjects[rule.subject])
    return tuple(outcomes)


def _app_key(view: AppView) -> tuple[str, str]:
    return (view.client.service_principal.app_id, view.client.service_principal.id)


class _Bench:
    """Judges subjects; equal facts are judged once."""

    def __init__(self, context: Context, rules: tuple[CompiledRule, ...]) -> None:
        self._context = context
        self._of_app = {id(view): app_facts(context, view) for view in context.audited}
        self._rules: Mapping[SubjectKind, tuple[CompiledRule, ...]] = {
            "app": tuple(rule for rule in rules if rule.subject == "app"),
            "grant": tuple(rule for rule in rules if rule.subject == "grant"),
        }

    def app(self, view: AppView) -> list[_Judged]:
        """Return the one subject that the app itself is."""
        facts = self._of_app[id(view)]
        return [_Judged(subject=_subject(view), facts=facts, verdicts=self._verdicts("app", facts))]

    def grants(self, view: AppView) -> list[_Judged]:
        """Return every grant that was seen."""
        of_app = self._of_app[id(view)]
        known: dict[object, tuple[Facts, _Verdicts]] = {}
        judged = []
        for answered in view.answered:
            own = grant_facts(self._context, view, answered)
            key = tuple(own.items())
            if key not in known:
                facts = {**of_app, **own}
                known[key] = (facts, self._verdicts("grant", facts))
            grant = answered.grant
            subject = _subject(view, grant)
            judged.append(_Judged(subject=subject, facts=known[key][0], verdicts=known[key][1]))
        return sorted(judged, key=lambda j: (j.subject.grant_id, j.subject.permission, j.subject.principal_id))

    def hidden_grants(self, rule: CompiledRule, view: AppView) -> Iterator[NotEvaluated]:
        """Give one NotEvaluated where grants that were not read could be findings.

        A grant that was not seen is judged by what is known of it, its kind: a rule that comes out false on that
        alone has no unseen findings.
        """
        of_app = self._of_app[id(view)]
        hidden: list[str] = []
        missing: set[str] = set()
        for kind, collection in COLLECTION_OF.items():
            if isinstance(collected(self._context, view, collection), Complete):
                continue
            facts = {**of_app, "grant.kind": kind}
            verdict = rule.judge(activation(facts), facts)
            if verdict is not False:
                hidden.append(collection)
                missing.update(name for name in rule.facts if name.startswith("grant."))
        if hidden:
            yield NotEvaluated(
                rule_id=rule.id,
                subject=_subject(view),
                missing=tuple(sorted(missing)),
                collections=tuple(hidden),
                why="; ".join(_unread(self._context, view, name) for name in hidden),
            )

    def _verdicts(self, kind: SubjectKind, facts: Facts) -> _Verdicts:
        seen = activation(facts)
        return {rule.id: rule.judge(seen, facts) for rule in self._rules[kind]}


def _subject(view: AppView, grant: Grant | None = None) -> Subject:
    app = view.client.service_principal
    if grant is None:
        return Subject(app_id=app.app_id, service_principal_id=app.id, app_name=app.display_name or "")
    return Subject(
        app_id=app.app_id,
        service_principal_id=app.id,
        app_name=app.display_name or "",
        grant_id=grant.grant_id,
        permission=grant.permission,
        principal_id=grant.principal_id,
        kind=grant.kind,
        resource_app_id=grant.resource_app_id,
    )


def _hidden_apps(context: Context, rule: CompiledRule) -> Iterator[NotEvaluated]:
    """Give one NotEvaluated where apps may be hidden."""
    listed = context.snapshot.service_principals
    if not isinstance(listed, Complete):
        yield NotEvaluated(
            rule_id=rule.id,
            subject=Subject(app_id="", service_principal_id="", app_name=""),
            missing=rule.facts,
            collections=("servicePrincipals",),
            why=f"servicePrincipals: {listed.why}",
        )


def _outcome(context: Context, rule: CompiledRule, view: AppView, judged: _Judged) -> Outcome:
    verdict = judged.verdicts[rule.id]
    if isinstance(verdict, Undecided):
        return _not_evaluated(context, rule, view, judged, verdict)
    if not verdict:
        return Passed(rule_id=rule.id, subject=judged.subject)
    subject = judged.subject
    return Finding(
        finding_id=finding_id(rule.id, context.tenant_id, subject),
        rule_id=rule.id,
        subject=subject,
        severity=rule.severity,
        axis=rule.axis,
        title=rule.title,
        reason=render(rule.reason, judged.facts),
        remediation=rule.remediation,
        basis=rule.basis,
        references=rule.references,
        controls=rule.controls,
    )


def finding_id(rule_id: str, tenant_id: str, subject: Subject) -> str:
    """Return the id of a rule's finding on a subject: the same in every run."""
    return str(uuid5(NAMESPACE, "|".join((rule_id, tenant_id, *subject.key))))


def _not_evaluated(
    context: Context, rule: CompiledRule, view: AppView, judged: _Judged, undecided: Undecided
) -> NotEvaluated:
    hangs_on = {name for fact in undecided.missing for name in FACTS[fact].collections}
    collections = tuple(
        name
        for name in (*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS)
        if name in hangs_on and not isinstance(collected(context, view, name), Complete)
    )
    whys = [_unread(context, view, name) for name in collections]
    if undecided.defect:
        whys = [f"rule error: {undecided.defect}"]
    elif not whys:
        about = judged.subject.permission or judged.subject.app_name
        sentences = dict.fromkeys(FACTS[fact].unknown for fact in undecided.missing)
        whys = [f"{about}: {' '.join(filter(None, sentences))}"]
    return NotEvaluated(
        rule_id=rule.id,
        subject=judged.subject,
        missing=undecided.missing,
        collections=collections,
        why="; ".join(whys),
    )


def _unread(context: Context, view: AppView, name: str) -> str:
    """Return which collection is not Complete, and why."""
    found = collected(context, view, name)
    whose = "" if name in TENANT_COLLECTIONS else f" of {view.client.service_principal.display_name}"
    return f"{name}{whose}: {'' if isinstance(found, Complete) else found.why}"
