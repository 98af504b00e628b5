"""Attestations in an audit: what is asked for, and that nothing is said where nobody attests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import UNSET

from auditor.engine.attest import in_force
from auditor.engine.audit import Hashes, audit
from auditor.knowledge.sketch import without
from auditor.model.attestation import Answer, Register, covered
from auditor.model.configuration import Configuration
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Passed, Waived, Waiver
from auditor.model.snapshot import Snapshot
from tests.engine.world import PERSONAL, app, judged, row, rulebook, team, tenant

OURS = {"attestation-overdue", "attestation-remove"}
TAKEN = date(2026, 11, 20)


def signed(result: AuditResult, permission: str, **more: object) -> Answer:
    """Return an answer that covers every grant of a permission in an audit."""
    held = [one.grant for one in result.grants if one.grant.permission == permission]
    values: dict[str, object] = {
        name: getattr(held[0], name)
        for name in (
            *("app_id", "service_principal_id", "kind", "consent", "resource_id", "resource_app_id"),
            *("permission", "permission_id"),
        )
    }
    values |= {
        "tenant_id": result.tenant_id,
        "covers": tuple(sorted(map(covered, held))),
        "business_owner": "Dana Reyes",
        "decision": "keep",
        "justification": "A sample.",
        "signer": "Dana Reyes",
        "asked_at": result.taken_at,
        "signed_at": datetime(2026, 6, 1, 8, 0, tzinfo=UTC),
        "next_review": date(2027, 5, 31),
        "snapshot_sha256": "0" * 64,
    }
    return Answer(**(values | more))  # type: ignore[arg-type]


def attesting(snapshot: Snapshot, *answers: Answer, configuration: Configuration | None = None) -> AuditResult:
    return audit(
        snapshot,
        rulebook=rulebook(),
        configuration=configuration or team(),
        hashes=Hashes(snapshot="0" * 64, attestations="1" * 64),
        register=Register(answers=answers),
    )


def state(result: AuditResult, permission: str) -> str:
    attestation = row(result, permission).attestation
    assert attestation
    return attestation.state


def outcomes(result: AuditResult, kind: type) -> set[tuple[str, str]]:
    return {
        (outcome.rule_id, outcome.subject.permission)
        for outcome in result.outcomes
        if outcome.rule_id in OURS and isinstance(outcome, kind)
    }


def test_without_a_register_nothing_is_said_of_attestation() -> None:
    """No outcome, so never a pass that nobody earned; no rule, no hash, no field in audit.json."""
    snapshot = tenant(app("Calendars.ReadWrite"))
    for taken in (snapshot, without(snapshot, "appRoleAssignments"), without(snapshot, "servicePrincipals")):
        result = judged(taken, team())
        assert not OURS & {outcome.rule_id for outcome in result.outcomes}
        assert not OURS & {rule.id for rule in result.rules}
        assert all(one.attestation is UNSET for one in result.grants)
        assert result.provenance.attestations_sha256 == ""
    assert {rule.id for rule in rulebook().rules} - {rule.id for rule in in_force(rulebook().rules, None)} == OURS


def test_with_one_every_grant_that_is_kept_has_to_be_signed() -> None:
    """What goes is not asked for, and the decisions are the same with a register and without."""
    snapshot = tenant(app("Calendars.ReadWrite", "Contacts.Read"))
    bare, result = judged(snapshot, team()), attesting(snapshot)
    assert [one.decision for one in bare.grants] == [one.decision for one in result.grants]
    assert state(result, "Calendars.ReadWrite") == "missing"
    assert state(result, "Contacts.Read") == "not-asked"
    assert outcomes(result, Finding) == {("attestation-overdue", "Calendars.ReadWrite")}
    assert outcomes(result, Passed) == {
        ("attestation-overdue", "Contacts.Read"),
        ("attestation-remove", "Contacts.Read"),
        ("attestation-remove", "Calendars.ReadWrite"),
    }
    assert result.provenance.attestations_sha256 == "1" * 64
    assert {rule.id for rule in result.rules} > OURS


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        (TAKEN + timedelta(days=31), "current"),
        (TAKEN + timedelta(days=30), "due-soon"),
        (TAKEN, "due-soon"),
        (TAKEN - timedelta(days=1), "overdue"),
    ],
)
def test_the_day_of_the_reading_counts(review: date, expected: str) -> None:
    """An answer holds up to and including its last day."""
    snapshot = tenant(app("Calendars.ReadWrite"))
    answer = signed(judged(snapshot, team()), "Calendars.ReadWrite", next_review=review)
    result = attesting(snapshot, answer)
    assert state(result, "Calendars.ReadWrite") == expected
    assert bool(outcomes(result, Finding)) == (expected == "overdue")
    found = row(result, "Calendars.ReadWrite").attestation
    assert found
    assert (found.signer, found.next_review) == ("Dana Reyes", review)
    assert review.isoformat() in found.text


def test_what_was_signed_away_and_is_still_held_is_a_finding() -> None:
    """Whatever the policy says of it: the owner does without it."""
    snapshot = tenant(app("Calendars.ReadWrite", "Contacts.Read"))
    bare = judged(snapshot, team())
    answers = [
        signed(bare, name, decision="remove", next_review=None) for name in ("Calendars.ReadWrite", "Contacts.Read")
    ]
    result = attesting(snapshot, *answers)
    assert outcomes(result, Finding) == {(("attestation-remove"), answer.permission) for answer in answers}
    assert row(result, "Calendars.ReadWrite").decision == "keep"
    assert "Signed away by Dana Reyes on 2026-06-01" in next(
        outcome.reason for outcome in result.outcomes if isinstance(outcome, Finding) and outcome.rule_id in OURS
    )


def test_what_a_waiver_keeps_is_asked_for_too() -> None:
    """A grant that only a waiver keeps is kept; the rule itself can be waived like any other."""
    snapshot = tenant(app("Contacts.Read"))
    because = {"app": PERSONAL, "owner": "Dana", "reason": "Until the move.", "expires": date(2027, 1, 1)}
    bare = judged(snapshot, team())
    against = {f.rule_id for f in bare.outcomes if isinstance(f, Finding) and f.subject.permission == "Contacts.Read"}
    waived = team(waivers=tuple(Waiver(rule=rule, **because) for rule in sorted(against)))  # type: ignore[arg-type]
    result = attesting(snapshot, configuration=waived)
    assert row(result, "Contacts.Read").decision == "keep"
    assert state(result, "Contacts.Read") == "missing"
    more = (*waived.waivers, Waiver(rule="attestation-overdue", **because))  # type: ignore[arg-type]
    again = attesting(snapshot, configuration=team(waivers=more))
    assert outcomes(again, Waived) == {("attestation-overdue", "Contacts.Read")}


def test_grants_that_were_not_read_are_not_passed() -> None:
    """With a register, grants that may be hidden make it incomplete."""
    snapshot = tenant(app("Calendars.ReadWrite"))
    result = attesting(without(snapshot, "oauth2PermissionGrants"))
    assert outcomes(result, NotEvaluated) == {("attestation-overdue", ""), ("attestation-remove", "")}
    assert not result.complete


def test_an_answer_of_another_tenant_or_grant_does_not_count() -> None:
    snapshot = tenant(app("Calendars.ReadWrite"))
    bare = judged(snapshot, team())
    (other,) = [signed(bare, "Calendars.ReadWrite", tenant_id=PERSONAL)]
    assert state(attesting(snapshot, other), "Calendars.ReadWrite") == "missing"
    before = signed(bare, "Calendars.ReadWrite", covers=())
    assert state(attesting(snapshot, before), "Calendars.ReadWrite") == "changed"
