"""What report.html promises, whatever a tenant calls its apps."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, JudgedGrant, NotChecked, Severity
from auditor.reporters.environment import asset
from auditor.reporters.html import render
from auditor.reporters.page import families, page
from tests.reporters.fill import fill, text_fields
from tests.reporters.sample import CALENDAR, RULES, finding, guid, judged, sample_result, subject
from tests.reporters.tree import Tree, dangers

FIELDS = text_fields(sample_result())
FEW = (0, 1, 5, 7, 9, 12, 13, 15, 16)
"""Grants of the sample that between them hold every text field, for tests that render hundreds of pages."""
ROOT = Path(__file__).resolve().parents[2]
MANY = """
import time
from auditor.reporters.html import render
from tests.reporters.sample import many, sample_result
render(sample_result())
big = sample_result(grants=many(5000))
start = time.process_time()
page = render(big)["report.html"]
print(time.process_time() - start, page.count(b'<tr class="more">'))
"""
WORST = "\"><img src=x onerror=alert(1)>'</script></style></title>{{ 7 * 7 }}\u202e\0javascript:alert(1)"


def html(result: AuditResult) -> str:
    return render(result)["report.html"].decode()


@pytest.fixture(scope="module")
def small(result: AuditResult) -> AuditResult:
    """Return the sample with two apps and nine grants, and still every text field."""
    few = replace(result, apps=result.apps[1::2], grants=tuple(result.grants[number] for number in FEW))
    assert set(FIELDS) == set(text_fields(few))
    return few


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_is_escaped_alone(small: AuditResult, field: str) -> None:
    """Each text field of the model, found by walking it, is safe where it alone is hostile."""

    def only(text: str) -> Tree:
        return Tree(html(fill(small, lambda path, value: text if path == field else value)))

    hostile = only(WORST)
    assert only("x").shape == hostile.shape
    assert dangers(hostile) == []


def test_policy_comes_first_and_names_the_style_and_the_script(result: AuditResult) -> None:
    """The content security policy is the head's first element; its hashes are those of the page's style and script."""
    tree = Tree(html(result))
    tags = [tag for tag, _ in tree.elements]
    first = tree.elements[tags.index("head") + 1][1]
    assert first["http-equiv"] == "Content-Security-Policy"
    hashes = {
        kind: base64.b64encode(hashlib.sha256("".join(tree.inside[kind]).encode()).digest()).decode()
        for kind in ("style", "script")
    }
    assert first["content"] == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert "</" not in asset("report.js")
    assert "url(" not in asset("report.css")


def test_incomplete_stands_in_the_head_only_when_it_is(result: AuditResult) -> None:
    """The title and the top of the page say INCOMPLETE with every reason, and a complete audit says it nowhere."""
    tree = Tree(html(result))
    assert tree.inside["title"][0].startswith("INCOMPLETE: ")
    words = "".join(tree.text)
    for reason in result.incomplete_reasons:
        assert words.index(reason) < words.index(result.headline)
    assert "INCOMPLETE" not in html(replace(result, complete=True, incomplete_reasons=()))


def test_first_screen_of_an_app_answers_everything(result: AuditResult) -> None:
    """Each app shows its headline, its grants, what stays possible and what was not checked, in this order."""
    words = "".join(Tree(html(result)).text)
    place = words.index("Skip to the report")
    for app in result.apps:
        place = words.index(app.headline, place)
        for part in ("Still possible afterwards", *app.still_possible, "Not checked, and who can check it"):
            place = words.index(part, place)
        if app is result.apps[0]:
            for item in app.not_checked:
                place = words.index(item.what, place)
                place = words.index(item.who, place)
        else:
            place = words.index("What is not checked for every app, as under app 1.", place)
    for held in result.grants:
        for part in (held.grant.permission, held.reason, held.check, held.ask_whom, held.opens, held.impact.way_back):
            assert part in words
        assert held.grant.grant_id in words
        assert held.grant.principal_id in words


def test_profile_title_heads_the_vendor_column(result: AuditResult) -> None:
    """The column of the vendor's word is named for the profile, so another vendor needs no other template."""
    assert "Example Meetings says" in html(replace(result, profile_title="Example Meetings"))


def test_every_outcome_waiver_gap_and_ledger_line_is_shown(result: AuditResult) -> None:
    """Below the first screen stands everything: findings, gaps, passes, ledger, waivers, accepted gaps, provenance."""
    words = "".join(Tree(html(result)).text)
    wanted = [rule.why for rule in result.rules if rule.id in {"outside-policy", "takeover-tier"}]
    wanted += ["The sign-in report could not be read.", "app.days_since_sign_in", "The rule has a defect."]
    wanted += [waiver.reason for waiver in (*result.waivers, *result.expired_waivers)]
    wanted += [gap.reason for gap in (*result.accepted_gaps, *result.expired_gaps)]
    wanted += [part for entry in result.ledger for part in (entry.collection, entry.why, entry.opens, *entry.faults)]
    wanted += [app.reason for app in result.seen_apps] + [app.include_line for app in result.seen_apps]
    wanted += [line for app in result.apps for line in (app.confirm_line, app.exclude_line)]
    wanted += [value for app in result.apps for pair in app.identity for value in pair]
    wanted += [
        *result.notes,
        result.provenance.snapshot_sha256,
        result.provenance.rules_sha256,
        "22 Nov 2026 09:14 UTC",
    ]
    assert [part for part in wanted if part not in words] == []


def test_empty_audit_says_so_in_words() -> None:
    """An audit without apps, outcomes and waivers is a readable page and claims nothing."""
    words = "".join(
        Tree(
            html(
                sample_result(
                    apps=(), grants=(), outcomes=(), seen_apps=(), waivers=(), expired_waivers=(), accepted_gaps=(),
                    expired_gaps=(), notes=(), features=(),
                )
            )
        ).text
    )  # fmt: skip
    for sentence in ("No app was audited.", "No finding.", "No other app came near.", "none declared", "None."):
        assert sentence in words


def test_equal_consents_of_people_stand_in_one_line(result: AuditResult) -> None:
    """Per-user consents that differ in person, moment and id alone make one line; any other difference, another."""
    block = page(result).blocks[0]
    [line] = [line for line in block.lines if line.judged.grant.permission == "User.Read"]
    assert len(line.members) == 12
    odd = judged(CALENDAR, "User.Read", "ask", principal=guid("odd one"))
    lines = page(replace(result, grants=(*result.grants, odd))).blocks[0].lines
    assert sorted(len(line.members) for line in lines if line.judged.grant.permission == "User.Read") == [1, 12]


def test_sign_in_basics_stand_folded_in_one_line(result: AuditResult) -> None:
    """What signing in takes and stays makes one line below the others; one that does not stay keeps its own."""
    names = ("openid", "profile")
    basics = tuple(judged(CALENDAR, name, "keep", consent="AllPrincipals", access="sign-in") for name in names)
    open_one = judged(CALENDAR, "email", "ask", consent="AllPrincipals", access="sign-in")
    changed = replace(result, grants=(*result.grants, *basics, open_one))
    block = page(changed).blocks[0]
    assert [line.judged.grant.permission for line in block.basics] == list(names)
    assert "email" in [line.judged.grant.permission for line in block.lines]
    words = "".join(Tree(html(changed)).text)
    assert "Sign-in basics (2): openid, profile" in words
    assert all(basic.grant.grant_id in words for basic in basics)


def test_a_finding_on_sign_in_basics_is_not_hidden(result: AuditResult) -> None:
    """The folded line carries the worst finding on what it folds."""
    basics = tuple(
        judged(CALENDAR, name, "keep", consent="AllPrincipals", access="sign-in", severity=severity)
        for name, severity in (("openid", Severity.LOW), ("email", Severity.HIGH), ("profile", None))
    )
    assert page(replace(result, grants=basics)).blocks[0].worst is Severity.HIGH


def test_an_app_not_read_in_full_says_so(result: AuditResult) -> None:
    """A partial or absent ledger line of the grants marks the app and the tiles; complete ones mark nothing."""
    words = "".join(Tree(html(result)).text)
    assert words.count("not read in full") == 1
    assert words.count(", seen so far") == 6
    whole = tuple(replace(entry, state="complete") for entry in result.ledger)
    assert "not read in full" not in html(replace(result, ledger=whole))
    assert "seen so far" not in html(replace(result, ledger=whole, complete=True))
    assert "".join(Tree(html(replace(result, ledger=()))).text).count("not read in full") == len(result.apps)


def test_later_apps_name_only_what_is_not_checked_for_them_alone(result: AuditResult) -> None:
    """What the first app's list holds is not repeated; what a later app adds is."""
    own = NotChecked(what="The rooms mailbox policy", who="Rooms team", how="look")
    first, second, *rest = result.apps
    apps = (first, replace(second, not_checked=(*second.not_checked, own)), *rest)
    blocks = page(replace(result, apps=apps)).blocks
    assert blocks[0].not_checked == first.not_checked
    assert [block.not_checked for block in blocks[1:]] == [(own,), (), (), ()]
    assert "And what is not checked for every app" in "".join(Tree(html(replace(result, apps=apps))).text)


def test_equal_findings_on_many_people_make_one_row() -> None:
    """Findings that differ in the person alone are one row with their number; both numbers are shown."""
    people = [judged(CALENDAR, "Mail.Read", "ask", principal=guid(f"person {number}")) for number in range(12)]
    alone = judged(CALENDAR, "Mail.Read", "ask")
    found = tuple(finding(RULES[0], subject(CALENDAR, held)) for held in (*people, alone))
    result = sample_result(outcomes=found)
    [group] = page(result).findings
    assert [row.number for row in group.rows] == [12, 1]
    words = "".join(Tree(html(result)).text)
    assert "2 (13 with each person)" in words
    assert "by 12 people" in words


def test_one_scope_of_a_grant_is_not_taken_by_deleting_the_grant() -> None:
    """Where another scope of the grant stays, the details say to change its list; else they do not."""
    mail, basic = (
        judged(CALENDAR, name, decision, principal=guid("one"))
        for name, decision in (("Mail.Read", "revoke"), ("openid", "keep"))
    )

    def told(*held: JudgedGrant) -> str:
        return "".join(Tree(html(sample_result(grants=held))).text)

    shared = replace(basic, grant=replace(basic.grant, grant_id=mail.grant.grant_id))
    assert "One of 2 scopes of this grant: change its scope list (PATCH)" in told(mail, shared)
    assert "scopes of this grant" not in told(mail, basic)
    assert "The portal cannot revoke a user's consent" in told(mail)
    assert "The portal cannot revoke" not in told(basic)


def test_numbered_checks_are_a_list_and_configuration_lines_are_code() -> None:
    """A check in parts is a list; a configuration line between back-ticks is code to copy, any other text is not."""
    check = 'Confirm it: `integrations: {"x": rooms-application}`.'
    both = judged(CALENDAR, "Mail.Read", "revoke-after", check=f"1) {check} 2) Ask `calc`.")
    text = html(sample_result(grants=(both,)))
    assert "<ol><li>Confirm it: <code" in text
    assert "<li>Ask `calc`.</li></ol>" in text
    assert "{&#34;x&#34;: rooms-application}</code>.</li>" in text
    assert "<ol>" not in html(sample_result(grants=(replace(both, check=check),)))


def test_headings_hold_their_words_alone(result: AuditResult) -> None:
    """An app's heading has number, name with look-alike letters spelled out, and integration; tags stand outside."""
    text = html(result)
    headings = [re.sub(r"<[^>]+>", "", part) for part in re.findall(r'<h2 id="app-\d">(.*?)</h2>', text)]
    assert headings[0] == "1. Zoom \u00b7 Personal calendars by application permissions"
    assert headings[4] == "5. Z\u043e\u043em (contains U+043E Cyrillic small letter o)"
    assert not [part for part in re.findall(r"<h[123][^>]*>(.*?)</h[123]>", text) if "tag" in part]


def test_every_table_has_a_name(result: AuditResult) -> None:
    """A screen reader can list the tables: each has a caption or a heading that names it, and the heading is there."""
    text = html(result)
    ids = {attributes.get("id") for _, attributes in Tree(text).elements}
    tables = re.findall(r"<table([^>]*)>(<caption)?", text)
    assert tables
    for attributes, caption in tables:
        named = re.search(r'aria-labelledby="([^"]+)"', attributes)
        assert caption or (named and set(named[1].split()) <= ids)


def test_lines_come_in_the_order_in_which_a_reader_acts(result: AuditResult) -> None:
    """What goes now stands first, worst finding before milder ones; what stays comes last."""
    lines = page(result).blocks[0].lines
    decisions = [line.judged.decision for line in lines]
    assert decisions == sorted(decisions, key=["revoke", "revoke-after", "ask", "keep"].index)
    severities = [
        line.judged.severity.rank for line in lines if line.judged.severity and line.judged.decision == "revoke"
    ]
    assert severities == sorted(severities)
    assert severities[-1] == Severity.MEDIUM.rank


def test_picture_tells_what_goes_stays_changes_and_comes() -> None:
    """A family is compared with itself; one without an access in words still shows."""
    told = {
        family.name: family.state
        for family in families(
            ("Mail: read", "Calendars: read and change", "Files"), ("Calendars: read", "Files", "Rooms: read")
        )
    }
    assert told == {"Mail": "goes", "Calendars": "changes", "Files": "stays", "Rooms": "new"}


def test_long_names_are_cut_and_whole_in_the_title(result: AuditResult) -> None:
    """A long name takes a line or two of the page; the whole is the title of what stands there."""
    long = "A" * 3000
    tree = Tree(html(fill(result, lambda path, value: long if path == "AuditedApp.name" else value)))
    assert long in [attributes.get("title") for tag, attributes in tree.elements if tag == "bdi"]
    assert long not in "".join(tree.text)


def test_five_thousand_grants_render_quickly() -> None:
    """5,000 distinct grants render in under 2 s of a process's time, each with a line of its own."""
    run = subprocess.run([sys.executable, "-c", MANY], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, lines = run.stdout.split()
    assert int(lines) == 5000
    assert float(seconds) < 2


def test_closed_findings_stand_there_with_plan_and_journal(result: AuditResult) -> None:
    """Gone, open again, granted again under which id, or not evaluated; without a plan there is no such part."""
    page = render(result)["report.html"].decode()
    part = page.partition('<section id="closed"')[2].partition("</section>")[0]
    assert "Closed since plan" in part
    states = re.findall(r'<span class="state \w+">([^<]+)</span>', part)
    assert states == ["gone", "open again", "granted again", "not evaluated"]
    for one in result.closed:
        assert one.found_as in part
        assert {one.finding_id in part, one.plan in part, one.journal in part, one.permission in part} == {True}
    without = render(sample_result(closed=()))["report.html"].decode()
    assert 'id="closed"' not in without
    assert 'href="#closed"' not in without
