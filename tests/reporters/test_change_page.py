"""What the change board's pages promise: answers made of the plan alone, and no string that lives in any of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from auditor.knowledge.profile import load_profile
from auditor.model.plan import RevokePlan, Step
from auditor.reporters import change_page, plan_facts
from auditor.reporters.change_page import change_html, change_markdown, numbered
from auditor.reporters.change_sheet import BLANK, cases, sheet
from auditor.reporters.environment import asset
from auditor.reporters.markdown import block, code, text
from auditor.simulator.sample import ROOMS
from tests.hostile import HOSTILE
from tests.remedy.plans import plan, steps
from tests.reporters.hostile_formats import steering
from tests.reporters.test_page_standards import MODES
from tests.reporters.test_plan_page import TEXTS, check_axe, check_quiet, everywhere, incomplete, side_by_side, small
from tests.reporters.tree import Tree, dangers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

plan_of_tests = change_page.testplan_markdown
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
LIVING = {"link_open", "image", "html_inline", "html_block", "table_open", "s_open"}
LINKED = re.compile(r"://|www\.|@|\w\.\w+/", re.IGNORECASE)
"""What a reader beyond CommonMark makes a link or a mention of."""


def told(made: RevokePlan, **more: str) -> str:
    return " ".join("".join(Tree(change_html(made, **more).decode()).text).split())


def tokens(markdown: bytes) -> list[tuple[str, str]]:
    """Return the kind and content of each piece of Markdown, inline ones too."""
    found = []
    for token in MARKDOWN.parse(markdown.decode()):
        found += [(token.type, "")] if token.children is None else [(t.type, t.content) for t in token.children]
    return found


def alive(markdown: bytes) -> list[tuple[str, str]]:
    """Return every piece that lives, and every text that a further reader would bring to life."""
    found = tokens(markdown)
    return [(kind, said) for kind, said in found if kind in LIVING or (kind == "text" and LINKED.search(said))]


def on(app_id: str, one: Step) -> Step:
    return replace(one, target=replace(one.target, app_id=app_id))


# The board's page


def test_the_page_answers_what_why_who_risk_and_rollback() -> None:
    """Each step's title, reason and impact, the apps, the undo's role and minutes, and what is not proven are there."""
    made = plan()
    for said in (told(made), change_markdown(made).decode().replace("`", "").replace("\\", "")):
        for step in made.steps:
            assert step.title in said
        assert "Outside policy 'minimal' (sample). (steps 1 to 5)" in said
        assert "12 people with a consent of their own" in said
        assert "12 consents of single people, 1 for everybody" in said
        assert "nobody (sample)" in said
        assert "A person needs the role Privileged Role Administrator and Cloud Application Administrator" in said
        assert "up to about 17 minutes: 17 writes, one after the other, at up to 60 seconds each" in said
        for sentence in (*plan_facts.AFTER["revoke"], *plan_facts.UNDO["revoke"]):
            assert sentence in said
        assert "The app is not confirmed (sample)." in said


def test_the_approval_names_both_hashes_and_the_day_of_expiry() -> None:
    """Change id, name, approved hash, plan hash and expiry; what nobody said is a line to fill in."""
    made = plan()
    filled = dict(sheet(made, change="CHG-1", approved_by="Kim Lee (sample)").sign)
    assert (filled["Change id"], filled["Approved by"]) == ("CHG-1", "Kim Lee (sample)")
    assert filled["Approved hash, over the steps"] == made.approved_hash
    assert filled["Plan SHA-256"] == made.sha256
    assert filled["Expires"] == "4 Dec 2026 09:14 UTC"
    blank = {label for label, value in sheet(made).sign if not value}
    assert blank == {"Change id", "Approved by", "Approved on", "Carried out by (not who read the tenant)"}
    html = change_html(made, change="CHG-1").decode()
    assert "Change <bdi>CHG-1</bdi>: Take permissions away" in html
    assert html.count('class="blank"') == 3
    markdown = change_markdown(made, approved_by="Kim Lee (sample)").decode()
    assert "- Approved by: `Kim Lee (sample)`" in markdown
    assert markdown.count("\n- Change id: \\_") == 1


def test_incomplete_and_warnings_come_first() -> None:
    """The word in the head, every reason and every warning before the first answer, in both forms."""
    made = incomplete()
    markdown = change_markdown(made).decode()
    for said, answer in ((told(made), "remove-application"), (markdown, "## What")):
        order = [said.index(part) for part in ("INCOMPLETE", "The owners of Zoom", "Made by hand", answer)]
        assert order == sorted(order)
    assert "INCOMPLETE" not in change_html(plan()).decode() + change_markdown(plan()).decode()
    assert (
        "Before you go on" not in change_html(plan(warnings=())).decode() + change_markdown(plan(warnings=())).decode()
    )


def test_checks_are_boxes_and_stand_once() -> None:
    """The same check before several steps is one box that names them."""
    first, second, *rest = (replace(step, checks=("Ask messaging (sample).",)) for step in steps())
    made = plan(first, second, *(replace(step, checks=()) for step in rest))
    assert told(made).count("Ask messaging (sample). (steps 1 and 2)") == 1
    assert "- [ ] Ask messaging (sample). (steps 1 and 2)" in change_markdown(made).decode()
    assert "First, by a person" not in told(plan())


def test_risks_come_soonest_first_and_equal_ones_once() -> None:
    """Now before the next connect before unknown before never; steps with one impact share a line."""
    later, now, never, same, unknown = steps()
    made = plan(
        replace(later, impact=replace(later.impact, when="at the next connect")),
        replace(now, impact=replace(now.impact, when="now")),
        never,
        same,
        replace(unknown, impact=replace(unknown.impact, when="unknown")),
    )
    found = sheet(made).risks
    assert [(risk.when, risk.steps) for risk in found] == [
        ("now", (2,)),
        ("at the next connect", (1,)),
        ("unknown", (5,)),
        ("never", (3, 4)),
    ]


def test_rooms_are_never_invented() -> None:
    """Which rooms is not known from Entra ID, whatever the plan; whether a published rooms app is touched is."""
    calendar = sheet(plan()).rooms
    rooms = sheet(plan(on(ROOMS, steps()[0]), on(ROOMS, steps()[1]))).rooms
    assert calendar.startswith("No step is about an app that is published for meeting rooms.")
    assert rooms.startswith("Steps 1 and 2 may touch meeting rooms.")
    for said in (calendar, rooms):
        assert said.endswith("Which rooms is not known from Entra ID; ask the Zoom administrator for the list.")


def test_the_service_desk_gets_plain_words_with_lines_to_fill_in() -> None:
    """What people may see and what to do, from when on, whom to call; nobody's name is made up."""
    first = replace(steps()[0], impact=replace(steps()[0].impact, who_notices="everybody (sample)", when="now"))
    lines = sheet(plan(first), change="CHG-1").desk
    assert lines[0] == "Subject: change CHG-1, Zoom and Microsoft 365"
    at = lines.index("From the change on:")
    assert lines[at + 1] == "- everybody (sample): Calendar events keep working (sample)."
    assert lines[-1] == f"- call {BLANK} (phone {BLANK}) and name the change."
    nobody = sheet(plan(steps()[0])).desk
    assert "- Nothing, as far as is known." in nobody
    assert "switched off" in " ".join(sheet(plan(steps()[4], purpose="contain")).desk)
    assert "given back" in " ".join(sheet(plan(steps()[0], purpose="undo")).desk)
    assert "\n".join(lines) in change_markdown(plan(first), change="CHG-1").decode()


def test_the_service_desk_text_is_whole_and_without_addresses() -> None:
    """Sources and addresses are left out, what nobody knows reads as a sentence, and a long text is never cut."""
    one = steps()[0]
    source = "(documented, https://contoso.example/a?b=(c)) Then https://contoso.example/x."
    what = replace(one.impact.what, text=f"Mail.Read: It ends {source} {'words and ' * 600}the end.")
    impact = replace(one.impact, who_notices="not known; calendar users would not", when="unknown", what=what)
    lines = sheet(plan(replace(one, impact=impact))).desk
    at = lines.index("It is not known when:")
    assert lines[at + 1].startswith("- who notices is not known; calendar users would not: Mail.Read: It ends")
    said = " ".join(lines)
    assert "the end." in said
    assert [part for part in ("characters)", "://", "(documented") if part in said] == []


def test_the_command_for_whoever_carries_it_out_has_the_approved_hash() -> None:
    made = plan()
    command = f"entra-audit revoke apply PLAN.json --approved {made.approved_hash}"
    assert command in told(made)
    assert f"`{command}`" in change_markdown(made).decode()


def test_an_emergency_plan_says_nothing_of_exchange_or_findings() -> None:
    """It takes no permission: no word of what Exchange remembers, of findings closed, or of a third test."""
    made = plan(steps()[4], purpose="contain", left=())
    for said in (told(made), change_markdown(made).decode(), plan_of_tests(made).decode()):
        assert "Exchange Online may" not in said
        assert "Findings closed" not in said
        assert "again: passed by" not in said


def test_an_empty_plan_is_a_page_too() -> None:
    """No step, no reason, no test that is concerned: said, and no error."""
    empty = replace(plan(warnings=()), steps=(), left=())
    assert "Nobody: nothing is changed." in told(empty)
    assert "No test of the profile is concerned." in told(empty)
    markdown = change_markdown(empty).decode()
    assert "None: nothing is changed." in markdown
    assert "Nothing whose decision is to go." in markdown


# The tests


def test_cases_that_are_concerned_come_first() -> None:
    """Calendar tests for the calendar app, the one on differing names with mail only, the room with a rooms app."""
    concerned = {case.trial.id: case.steps for case in cases(plan())}
    assert concerned == {
        "zoom-to-outlook": (1, 2, 3, 4, 5),
        "outlook-to-zoom": (1, 2, 3, 4, 5),
        "series": (1, 2, 3, 4, 5),
        "new-user": (1, 2, 3, 4, 5),
        "differing-upn": (2, 5),
        "one-touch-join": (),
    }
    assert [case.trial.id for case in cases(plan())][-1] == "one-touch-join"
    rooms = [case.trial.id for case in cases(plan(on(ROOMS, steps()[0]))) if case.steps]
    assert rooms == ["one-touch-join"]


def test_a_permission_in_no_table_concerns_every_test_of_its_app() -> None:
    """What nobody knows may serve anything: it is tried."""
    target = replace(steps()[0].target, permissions=("Sample.Unheard.Of",))
    unknown = replace(steps()[0], target=target)
    assert {case.trial.id for case in cases(plan(unknown)) if case.steps} >= {"differing-upn", "series"}


def test_a_selector_of_another_kind_is_not_concerned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test about delegated permissions is not concerned by an application permission, and one by name by its name."""
    profile = load_profile("zoom")
    about = profile.tests[-1].about
    trials = (
        replace(profile.tests[-1], id="delegated", about=replace(about, kind="delegated")),
        replace(profile.tests[-1], id="named", about=replace(about, families=(), permissions=("Calendars.Read",))),
    )
    monkeypatch.setattr("auditor.reporters.change_sheet._profile", lambda _name: replace(profile, tests=trials))
    assert {case.trial.id: case.steps for case in cases(plan())} == {"named": (1, 5), "delegated": (5,)}


def test_each_test_has_steps_a_result_and_boxes() -> None:
    """Every case of the profile is in the file with what to do, what to expect, before and after, and its basis."""
    made = plan()
    said = plan_of_tests(made).decode()
    assert len(cases(made)) == 6
    for case in cases(made):
        part = said.partition(f". {case.trial.title}\n")[2].partition("\n## ")[0]
        assert part.count("\n1. ") == len(case.trial.steps)
        assert [f"- [ ] {name}: passed by" in part for name in ("before", "after", "again")] == [True] * 3
        assert "Expected: " in part
        assert f"Basis: {case.trial.basis}, from `https://" in part
        assert ("Not concerned by this plan" in part) == (not case.steps)
    assert "2 hours after the last step" in said
    assert made.sha256 in said


def test_another_profile_has_no_tests_of_zooms() -> None:
    """A plan of a profile that this version does not know says that it names none, and carries the profile's id."""
    other = plan(profile="fabrikam")
    assert cases(other) == ()
    assert "The profile `fabrikam` names no tests" in plan_of_tests(other).decode()
    assert "The profile names none." in change_markdown(other).decode()
    assert "ask the fabrikam administrator" in sheet(other).rooms
    assert "Zoom's apps" not in " ".join(sheet(replace(other, steps=())).desk)


# Words


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((1,), "step 1"),
        ((1, 2), "steps 1 and 2"),
        ((1, 2, 3, 7), "steps 1 to 3 and 7"),
        ((2, 4, 5), "steps 2, 4 and 5"),
    ],
)
def test_steps_are_counted_up(numbers: tuple[int, ...], said: str) -> None:
    """Three in a row and more are a range."""
    assert numbered(numbers) == said


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("Mail.Read of Zoom.", "`Mail.Read` of Zoom."),
        ("- x", r"\- x"),
        ("1. x", "&#49;. x"),
        ("a*b_c [d]", r"a\*b\_c \[d\]"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("@everyone", "`@everyone`"),
        ("see https://contoso.example/x, now", "see `https://contoso.example/x`, now"),
        ("a\n\n# b", "a `#` b"),
        (":", ":"),
    ],
)
def test_markdown_is_escaped(plain: str, escaped: str) -> None:
    """What could live stands in a code span, the rest behind backslashes and entities, on one line."""
    assert text(plain) == escaped


def test_code_holds_backticks() -> None:
    """A span's fence is longer than any run inside, and a block's too."""
    assert code("a``b") == "```a``b```"
    assert code("`") == "`` ` ``"
    assert code("") == "`(empty)`"
    assert block(["x", "````"]) == "`````\nx\n````\n`````"


# Nothing alive


@cache
def headings_of_harmless() -> tuple[list[str], list[str]]:
    made = replace(everywhere(small(), "x"), profile="zoom")
    return headings(change_markdown(made, change="x", approved_by="x")), headings(plan_of_tests(made))


@pytest.mark.parametrize("hostile", TEXTS)
def test_no_hostile_string_lives(hostile: str) -> None:
    """Whatever stands in every field, the Markdown has the parts that it has with an x, and nothing lives anywhere."""
    made = replace(everywhere(small(), hostile), profile="zoom")
    html = change_html(made, change=hostile, approved_by=hostile).decode()
    tree = Tree(html)
    assert dangers(tree) == []
    assert [tag for tag, _ in tree.elements if tag == "script"] == []
    assert "".join(tree.inside["style"]) == asset("report.css") + asset("plan.css")
    assert steering(html) == []
    written = change_markdown(made, change=hostile, approved_by=hostile), plan_of_tests(made)
    for markdown in written:
        assert alive(markdown) == []
        assert steering(markdown.decode()) == []
    assert tuple(headings(markdown) for markdown in written) == headings_of_harmless()


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 60))
def test_strings_are_as_dead_side_by_side(first: int) -> None:
    """Each field holds another string, over the cases every string: nothing lives in the page or in the Markdown."""
    made = replace(side_by_side(first), profile="zoom")
    html = change_html(made).decode()
    assert dangers(Tree(html)) == []
    assert steering(html) == []
    for markdown in (change_markdown(made), plan_of_tests(made)):
        assert alive(markdown) == []
        assert steering(markdown.decode()) == []


def headings(markdown: bytes) -> list[str]:
    """Return the blocks that a string would have to forge to be taken for the page's own."""
    return [
        t.type for t in MARKDOWN.parse(markdown.decode()) if t.type in {"heading_open", "fence", "hr", "code_block"}
    ]


@pytest.mark.slow
def test_hostile_names_give_the_html_that_harmless_ones_give() -> None:
    """The shape of the page does not depend on what a name holds."""
    expected = Tree(change_html(everywhere(small(), "x"), change="x", approved_by="x").decode()).shape
    for hostile in (one for one in HOSTILE if len(one) < 100 and one.strip() and len(set(one.split())) == 1):
        made = change_html(everywhere(small(), hostile), change=hostile, approved_by=hostile)
        assert Tree(made.decode()).shape == expected


def test_the_same_plan_gives_the_same_bytes() -> None:
    """No clock, order or place is in any of the three."""
    for write in (change_html, change_markdown, plan_of_tests):
        assert write(incomplete()) == write(incomplete())


# In a browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages that are opened: of the sample's plan, and of one with hostile names all over."""
    folder = tmp_path_factory.mktemp("change")
    made = {"change": incomplete(), "hostile": everywhere(incomplete(), "W" * 700 + "<img src=x onerror=alert(1)>")}
    for name, one in made.items():
        (folder / f"{name}.html").write_bytes(change_html(one, change="CHG-1"))
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.browser
@pytest.mark.parametrize("name", ["change", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits_a_phone(browser: Browser, files: dict[str, Path], name: str, scheme: Any) -> None:
    """No word on the console, no request, no violation, and no sideways scrolling at 390 px, light or dark."""
    check_quiet(browser, files[name], scheme)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, files: dict[str, Path], mode: str) -> None:
    """WCAG 2.2 AA and good practice: 0 violations."""
    check_axe(browser, files["change"], mode)
