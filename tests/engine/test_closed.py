"""What is said of findings that a plan was to close: only what its journal shows as done, held against a new audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from auditor.engine.closed import closed_by
from auditor.engine.evaluate import finding_id
from auditor.model.configuration import Configuration
from auditor.model.outcome import AuditResult, ClosedFinding, Finding, NotEvaluated, Subject, Waived
from auditor.model.plan import Begin, Change, Closes, End, GrantChange, Intent, Line, Result
from auditor.model.snapshot import Client, Snapshot, items
from auditor.remedy.journal import read_journal
from auditor.simulator.sample import CALENDAR as SAMPLE_CALENDAR
from auditor.simulator.sample import sample_configuration
from tests.remedy.planned import audited, planned
from tests.remedy.plans import GRAPH, SNAPSHOT, assignment, consents, steps
from tests.remedy.world import World
from tests.reporters.sample import CALENDAR, guid, sample_result

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
PLAN, JOURNAL = "a" * 64, "b" * 64
TITLES = {"outside-policy": "A permission outside the policy"}
RESULT = sample_result()
FOUND = next(o for o in RESULT.outcomes if isinstance(o, Finding))
CLOSES = (Closes(finding_id=guid("closed finding"), rule_id="outside-policy", severity=FOUND.severity),)


def begin(**more: Any) -> Begin:
    values: dict[str, Any] = {
        "purpose": "revoke",
        "plan": PLAN,
        "approved_hash": "",
        "tenant_id": "",
        "cloud": "public",
    }
    return Begin(at=START, by="apply", **(values | more))


def intent(step: str, change: int = 0, closes: tuple[Closes, ...] = CLOSES, app_id: str = CALENDAR) -> Intent:
    doing = steps()[0].changes[0]
    return Intent(
        at=START,
        step=step,
        change=change,
        write=doing.write,
        doing=doing,
        app_id=app_id,
        resource_app_id="",
        permissions=("Mail.Read", "Mail.Send"),
        permission_ids=("", ""),
        closes=closes,
    )


def result(step: str, change: int = 0, outcome: Any = "done", minutes: int = 1) -> Result:
    return Result(at=START + timedelta(minutes=minutes), step=step, change=change, outcome=outcome)


def end() -> End:
    return End(at=START, done=1)


def closed(*lines: Line, audit: AuditResult = RESULT) -> tuple[Any, ...]:
    return closed_by(lines, audit, TITLES, journal=JOURNAL)


def ids(*lines: Line) -> list[str]:
    return [one.finding_id for one in closed(*lines)]


def test_a_done_step_closes_its_findings() -> None:
    """What, which app, which permission, when, by which plan and journal; gone in the new audit."""
    [one] = closed(begin(), intent("s"), result("s"), end())
    assert (one.finding_id, one.rule_id, one.title) == (
        CLOSES[0].finding_id,
        "outside-policy",
        TITLES["outside-policy"],
    )
    assert (one.app_id, one.app_name, one.permission) == (CALENDAR, "Zoom", "Mail.Read, Mail.Send")
    assert (one.closed_at, one.plan, one.journal) == (START + timedelta(minutes=1), PLAN, JOURNAL)
    assert not one.still_open


def test_every_change_of_a_step_has_to_be_done() -> None:
    """One that failed, was refused, is unverified or was cut keeps the whole step's findings from the list."""
    first: list[Line] = [begin(), intent("s", 0), result("s", 0)]
    for outcome in ("failed", "unverified"):
        assert ids(*first, intent("s", 1), result("s", 1, outcome), end()) == []
    assert ids(*first, result("s", 1, "refused"), end()) == []
    assert ids(*first, intent("s", 1), end()) == []
    assert ids(*first, intent("s", 1), result("s", 1), end()) == [CLOSES[0].finding_id]


def test_a_step_that_a_crash_cut_is_not_taken_for_whole() -> None:
    """Without an end or a later step nobody knows whether more changes were to come; the next run tells."""
    cut: list[Line] = [begin(), intent("s", 0), result("s", 0)]
    assert ids(*cut) == []
    assert ids(*cut, begin()) == []
    assert ids(*cut, begin(), intent("s", 1), result("s", 1, "failed"), end()) == []
    assert ids(*cut, begin(), intent("t", closes=())) == [CLOSES[0].finding_id]
    assert ids(*cut, begin(), end()) == [CLOSES[0].finding_id]


def test_the_last_word_on_a_change_counts() -> None:
    """A later success takes the place of a failure; what was refused later was not sent and takes nothing back."""
    failed: list[Line] = [begin(), intent("s"), result("s", outcome="failed"), end()]
    assert ids(*failed) == []
    assert ids(*failed, begin(), intent("s"), result("s"), end()) == [CLOSES[0].finding_id]
    assert ids(begin(), intent("s"), result("s"), result("s", outcome="refused"), end()) == [CLOSES[0].finding_id]
    assert ids(begin(), intent("s"), result("s"), begin(), intent("s"), end()) == []


def test_an_undo_closes_nothing() -> None:
    """Its lines are no one's to count, and neither is what stands before any beginning."""
    assert ids(begin(purpose="undo"), intent("s"), result("s"), end()) == []
    assert ids(intent("s"), result("s"), end()) == []


def test_a_finding_that_is_there_again_is_still_open() -> None:
    """Found again, or found and waived: open; the rest of the audit does not matter."""
    back = (Closes(finding_id=FOUND.finding_id, rule_id=FOUND.rule_id, severity=FOUND.severity),)
    [one] = closed(begin(), intent("s", closes=back), result("s"), end())
    assert one.still_open
    assert one.title == TITLES.get(FOUND.rule_id, FOUND.rule_id)
    [waived] = [o for o in RESULT.outcomes if isinstance(o, Waived)][:1]
    under = (Closes(finding_id=waived.finding.finding_id, rule_id=waived.rule_id, severity=FOUND.severity),)
    [other] = closed(begin(), intent("s", closes=under), result("s"), end())
    assert other.still_open


def test_what_could_not_be_evaluated_is_not_said_to_be_gone() -> None:
    """Where the audit has a gap for the rule and app, or does not hold the app, the finding is not evaluated."""
    gap = NotEvaluated(
        rule_id="outside-policy", subject=replace(FOUND.subject, app_id=CALENDAR), missing=(), collections=(), why=""
    )
    audit = replace(RESULT, outcomes=(*RESULT.outcomes, gap))
    lines = (begin(), intent("s"), result("s"), end())
    assert [one.evaluated for one in closed(*lines)] == [True]
    assert [one.evaluated for one in closed(*lines, audit=audit)] == [False]
    [elsewhere] = closed(begin(), intent("s", app_id=guid("gone")), result("s"), end())
    assert (elsewhere.evaluated, elsewhere.app_name) == (False, "")


def test_findings_stand_once_in_the_order_of_their_closing() -> None:
    """A bulk step that names a finding with every change gives it once, at the time of its last change."""
    other = (replace(CLOSES[0], finding_id=guid("another")),)
    lines = (
        begin(),
        intent("later", closes=other), result("later", minutes=9),
        intent("s", 0), result("s", 0, minutes=1),
        intent("s", 1), result("s", 1, minutes=2),
        end(),
    )  # fmt: skip
    found = closed(*lines)
    assert [(one.finding_id, one.closed_at.minute) for one in found] == [
        (CLOSES[0].finding_id, 2),
        (guid("another"), 9),
    ]


# What was granted again.


def again(*findings: Finding | Waived) -> AuditResult:
    """Return the sample's audit with these outcomes alone."""
    return replace(RESULT, outcomes=findings)


def on(permission: str, kind: Any = "application", person: str = "", **more: Any) -> Finding:
    """Return a finding on a permission under a grant that was made later."""
    subject = Subject(
        app_id=CALENDAR,
        service_principal_id=guid("whoever"),
        app_name="Zoom",
        grant_id=guid(f"granted again {person}"),
        permission=permission,
        principal_id=person,
        kind=kind,
        resource_app_id=more.get("resource_app_id", GRAPH),
    )
    rule = more.get("rule", "outside-policy")
    return replace(FOUND, finding_id=finding_id(rule, "", subject), rule_id=rule, subject=subject)


def took(*changes: Change, closes: tuple[Closes, ...] = CLOSES, permissions: tuple[str, ...]) -> list[Line]:
    """Return the journal of a step that takes permissions of Microsoft Graph."""
    lines: list[Line] = [begin()]
    for number, change in enumerate(changes):
        ids = (getattr(change.before, "app_role_id", ""),)
        one = intent("s", number, closes=() if number else closes)
        one = replace(one, doing=change, resource_app_id=GRAPH, permissions=permissions, permission_ids=ids)
        lines += [one, result("s", number)]
    return [*lines, end()]


ROLE = took(steps()[0].changes[0], permissions=("Calendars.Read",))


def test_a_permission_that_is_granted_again_is_not_gone() -> None:
    """The same rule on the same permission under another grant: still open, and under which id; waived or not."""
    assert assignment("Calendars.Read") == steps()[0].changes[0].before
    back = on("Calendars.Read")
    [waived] = [o for o in RESULT.outcomes if isinstance(o, Waived)][:1]
    for outcome in (back, replace(waived, finding=back)):
        [one] = closed(*ROLE, audit=again(outcome))
        assert (one.still_open, one.found_as, one.evaluated) == (True, back.finding_id, True)
        assert one.kind == "application"
    [gone] = closed(*ROLE, audit=again())
    assert (gone.still_open, gone.found_as, gone.evaluated) == (False, "", True)


def test_another_rule_permission_kind_resource_or_app_is_not_it() -> None:
    """What the step did not take was not granted again."""
    back = on("Calendars.Read")
    others = (
        on("Calendars.Read", rule="takeover-tier"),
        on("Calendars.ReadWrite"),
        on("Calendars.Read", kind="delegated"),
        on("Calendars.Read", resource_app_id=guid("another resource")),
        replace(back, subject=replace(back.subject, app_id=guid("another app"))),
    )
    for other in others:
        [one] = closed(*ROLE, audit=again(other))
        assert not one.still_open


def test_one_person_who_consents_again_is_one_finding() -> None:
    """Of a step of many consents only the person's finding is open; a consent for everybody opens all of them."""
    held = consents()[:3]
    people = [grant.principal_id or "" for grant in held]
    assert len(set(people)) == 3
    subjects = [
        replace(on("Contacts.ReadWrite").subject, service_principal_id=g.client_id, grant_id=g.id, principal_id=who)
        for g, who in zip(held, people, strict=True)
    ]
    closes = tuple(replace(CLOSES[0], finding_id=finding_id("outside-policy", RESULT.tenant_id, s)) for s in subjects)
    # The grants spell the scope otherwise than the resource does.
    changes = [GrantChange(before=replace(grant, scope="contacts.readwrite"), after=None) for grant in held]
    lines = took(*changes, closes=closes, permissions=("Contacts.ReadWrite",))

    def open_of(*findings: Finding) -> set[str]:
        return {one.finding_id for one in closed(*lines, audit=again(*findings)) if one.found_as}

    assert open_of() == set()
    assert open_of(on("Contacts.ReadWrite", "delegated", people[1])) == {closes[1].finding_id}
    assert open_of(on("Contacts.ReadWrite", "delegated")) == {one.finding_id for one in closes}


def test_a_scope_that_stayed_was_not_taken() -> None:
    """A finding on a scope that the step left in the grant does not open what it took."""
    grant = replace(consents()[0], scope="Mail.Read Contacts.ReadWrite")
    change = GrantChange(before=grant, after=replace(grant, scope="Mail.Read"))
    lines = took(change, permissions=("Contacts.ReadWrite",))
    person = grant.principal_id or ""
    assert not closed(*lines, audit=again(on("Mail.Read", "delegated", person)))[0].still_open
    assert closed(*lines, audit=again(on("Contacts.ReadWrite", "delegated", person)))[0].still_open


def test_a_finding_on_an_app_that_was_made_anew_is_open() -> None:
    """An app that was removed and connected again has another object id; its appId is the same."""
    app = replace(on("").subject, grant_id="", kind="", resource_app_id="")
    back = replace(FOUND, finding_id=guid("anew"), rule_id="outside-policy", subject=app)
    [one] = closed(*ROLE, audit=again(back))
    assert one.found_as == back.finding_id


def reconnected(snapshot: Snapshot) -> Snapshot:
    """Return the tenant after the vendor's reconnect: the calendar app holds the same in grants of other ids."""

    def of(held: Any) -> Any:
        return replace(held, items=tuple(replace(one, id=guid(f"anew {one.id}")) for one in items(held)))

    def anew(c: Client) -> Client:
        roles, grants = of(c.app_role_assignments), of(c.oauth2_permission_grants)
        return replace(c, app_role_assignments=roles, oauth2_permission_grants=grants)

    clients = tuple(anew(c) if c.service_principal.app_id == SAMPLE_CALENDAR else c for c in snapshot.clients)
    return replace(snapshot, clients=clients)


def test_after_an_undo_and_after_a_reconnect_nothing_is_gone(tmp_path: Path) -> None:
    """A whole plan of the sample: gone once applied, and every finding of it open again once all is held again."""
    team: Configuration = sample_configuration()
    made = planned(SNAPSHOT, team, with_checks=True)
    world = World(tmp_path)
    world.apply(made)
    lines = read_journal(world.journal)

    def told(snapshot: Snapshot) -> list[ClosedFinding]:
        audit = audited(snapshot, team)
        return list(closed_by(lines, audit, {}, journal=JOURNAL))

    removed = told(world.snapshot)
    assert {one.finding_id for one in removed} == {c.finding_id for step in made.steps for c in step.closes}
    assert len(removed) > 20
    assert not any(one.still_open for one in removed)
    world.undo()
    for back in (told(world.snapshot), told(reconnected(SNAPSHOT))):
        assert [one.finding_id for one in back if not one.still_open] == []
        of_calendar = [one for one in back if one.app_id == SAMPLE_CALENDAR]
        assert len([one for one in of_calendar if one.found_as]) > 10
