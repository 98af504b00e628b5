"""What the first screen and paper say once for many lines."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.model.outcome import AuditResult, JudgedGrant
from auditor.reporters.glance import notices, shared
from auditor.reporters.html import render
from tests.reporters.sample import CALENDAR, guid, judged, sample_result


def noticed(permission: str, decision: str, who: str, when: str, **more: object) -> JudgedGrant:
    """Return a judged grant that somebody notices."""
    made = judged(CALENDAR, permission, decision, **more)
    return replace(made, impact=replace(made.impact, who_notices=who, when=when))


def test_those_who_notice_soonest_come_first_and_what_stays_is_noticed_by_nobody() -> None:
    """Only what goes counts; a permission that many people consented to counts once."""
    held = (
        noticed("A.Read", "revoke", "nobody", "never"),
        noticed("B.Read", "revoke-after", "planners", "now"),
        *(noticed("C.Read", "revoke", "planners", "now", principal=guid(f"person {number}")) for number in range(5)),
        noticed("D.Read", "revoke", "somebody", "unknown"),
        noticed("E.Read", "replace", "guests", "at the next connect"),
        noticed("F.Read", "keep", "everybody", "now"),
        noticed("G.Read", "ask", "everybody", "now"),
    )
    assert [(notice.when, notice.who, notice.number) for notice in notices(held)] == [
        ("now", "planners", 2),
        ("at the next connect", "guests", 1),
        ("unknown", "somebody", 1),
        ("never", "nobody", 1),
    ]


def test_a_sentence_of_several_lines_is_shared_with_the_permissions_that_it_stands_for() -> None:
    """A sentence of every line names none, one of some lines names them once, one of a single line is not shared."""
    first, second, third = (
        replace(judged(CALENDAR, name, "revoke"), policy_reason="for all", seen_reason=seen)
        for name, seen in (("A.Read", "some"), ("B.Read", "some"), ("C.Read", "alone"))
    )
    told = {(one.label, one.text): one.permissions for one in shared((first, second, third))}
    assert told["Policy", "for all"] == ()
    assert told["Seen", "some"] == ("A.Read", "B.Read")
    assert ("Seen", "alone") not in told
    assert shared((first,)) == ()


def test_a_profile_that_is_not_known_shows_the_ids_of_its_integrations(result: AuditResult) -> None:
    """Titles come from the profile's file; an audit of a profile that this version lacks still renders."""
    known = render(result)["report.html"].decode()
    assert "Zoom Rooms by application permissions" in known
    other = render(replace(result, profile="another"))["report.html"].decode()
    assert "Zoom Rooms by application permissions" not in other
    assert "rooms-application" in other


def test_the_first_screen_says_what_was_not_read_and_claims_nothing_for_it() -> None:
    """Without findings an incomplete audit says that only what could be read is meant."""
    page = render(sample_result(outcomes=()))["report.html"].decode()
    assert "No finding in what could be read." in page
    assert "2 collections not read to the end" in page
    whole = render(sample_result(outcomes=(), ledger=(), complete=True, incomplete_reasons=()))["report.html"].decode()
    assert "No finding in what could be read." not in whole
    assert "0 collections not read to the end" in whole
    assert "Nothing was asked for." in whole
