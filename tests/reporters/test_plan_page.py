"""What plan.html promises: a careful admin's questions answered, every object before and after, nothing alive in it."""

from __future__ import annotations

import re
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from auditor.model.outcome import Severity
from auditor.model.plan import AssignmentChange, Closes, GrantChange, RevokePlan, inverse
from auditor.reporters import plan_facts
from auditor.reporters.environment import asset
from auditor.reporters.plan_page import plan_html
from auditor.simulator.sample import PILOT
from tests.hostile import FAMILIES, HOSTILE, named
from tests.remedy.plans import consents, plan, steps
from tests.reporters.browsing import Opened
from tests.reporters.fill import fill
from tests.reporters.hostile_formats import steering
from tests.reporters.test_page_standards import AXE, MODES, STANDARDS, absent
from tests.reporters.tree import Tree, dangers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FIRST = {family[0] for family in FAMILIES.values()}
TEXTS = [pytest.param(text, id=named(text), marks=[] if text in FIRST else [pytest.mark.slow]) for text in HOSTILE]
KEPT = ("service_principal_id", "rule_id")
"""Ends of the fields by which steps and findings are grouped."""
IDS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def incomplete() -> RevokePlan:
    """Return the sample's plan from an incomplete reading, with checks, from a whole tenant."""
    first, *rest = steps()
    return plan(
        replace(first, checks=("Ask messaging (sample).",)),
        *rest,
        complete=False,
        incomplete_reasons=("The owners of Zoom could not be read (sample).",),
        grants_of_tenant=812,
        only=("rule:outside-policy",),
        with_checks=True,
        reader_app_id=PILOT,
        follows="2" * 64,
    )


def small() -> RevokePlan:
    """Return a plan with few objects that has every part of the page."""
    made = incomplete()
    first, replaced, _, bulk, account = made.steps
    return replace(made, steps=(first, replaced, replace(bulk, changes=bulk.changes[:2]), account))


@cache
def expected(words: int) -> Tree:
    """Return the small plan's page with that many harmless words everywhere."""
    return page(everywhere(small(), " ".join(f"x{number}" for number in range(words)) or " "))


def everywhere(made: RevokePlan, text: str) -> RevokePlan:
    """Return a plan with a text in each of its text fields, but for the ids by which steps are grouped."""
    return fill(made, lambda path, value: value if path.endswith(KEPT) else text)


def side_by_side(first: int) -> RevokePlan:
    """Return the small plan with another string in each text field, beginning with that one of all strings."""
    following = cycle((*HOSTILE[first:], *HOSTILE[:first]))
    return fill(small(), lambda path, value: value if path.endswith(KEPT) else next(following))


def page(made: RevokePlan) -> Tree:
    return Tree(plan_html(made).decode())


def told(made: RevokePlan) -> str:
    return " ".join("".join(page(made).text).split())


# Page one


def test_the_head_says_which_tenant_from_which_reading_until_when() -> None:
    """Tenant by name and id, the moment of the reading, and the day from which on the plan is refused."""
    text = told(plan())
    for needed in ("Contoso (sample)", plan().tenant_id, "20 Nov 2026 09:14 UTC", "expires 4 Dec 2026 09:14 UTC"):
        assert needed in text
    assert text.index("expires") < text.index("The steps")
    assert plan().approved_hash in text
    assert plan().sha256 in text


def test_an_incomplete_reading_is_stamped_in_the_head_and_the_title() -> None:
    """INCOMPLETE stands in the title, the heading and the first section with every reason; else nowhere."""
    tree = page(incomplete())
    assert "".join(tree.inside["title"]).startswith("INCOMPLETE: ")
    text = told(incomplete())
    assert (
        text.index("INCOMPLETE") < text.index("The owners of Zoom could not be read (sample).") < text.index("5 steps")
    )
    assert "INCOMPLETE" not in plan_html(plan()).decode()


def test_warnings_come_before_the_steps() -> None:
    """What a builder warns of is read first; a plan without warnings has no such part."""
    text = told(plan())
    assert text.index("Made by hand (sample).") < text.index("5 steps on 2 apps")
    assert "Before you go on" not in told(plan(warnings=()))


def test_the_numbers_are_those_of_the_plan() -> None:
    """Steps, apps, grants, people, writes, findings and the tenant's share are counted from the plan itself."""
    made = incomplete()
    text = told(made)
    assert f"{len(made.steps)} steps on 2 apps: {made.grants_removed} grants of {made.grants_held}" in text
    assert f"{len(consents())} people gave a consent of their own" in text
    assert f"{sum(len(step.changes) for step in made.steps)} writes; 2.5 % of the tenant's 812 grants" in text
    assert "No single person's consent is touched." in told(plan(steps()[0]))
    assert plan_facts.closed(made.steps) == ((Severity.HIGH, 1),)


def test_each_step_says_what_who_notices_what_first_and_what_it_takes() -> None:
    """The table has each step's title, impact, check, findings, role and permission, and how the undo's differ."""
    made = incomplete()
    table = told(made).partition("The steps, least harmful first")[2].partition("Each object")[0]
    for step in made.steps:
        for part in (step.title, step.impact.who_notices, step.needs.role, step.needs.permission, "outside-policy"):
            assert part in table
    assert "Ask messaging (sample)." in table
    assert table.count("the undo: Privileged Role Administrator") == 1
    assert table.count("the undo: the same") == 4


def test_findings_of_one_rule_are_counted_and_not_repeated() -> None:
    """A bulk step that closes a finding per person names the rule once, with the number."""
    one = steps()[3]
    many = tuple(Closes(finding_id=str(n), rule_id="outside-policy", severity=Severity.MEDIUM) for n in range(48))
    worst = Closes(finding_id="x", rule_id="per-user-consents", severity=Severity.HIGH)
    text = told(plan(replace(one, closes=(*many, worst))))
    assert "high per-user-consents, medium outside-policy × 48" in text
    assert "no finding" in told(plan(replace(one, closes=())))


# The objects


def test_every_object_stands_there_before_and_after() -> None:
    """Every id of every object that is written is on the page, to be copied."""
    made = plan()
    shown = set(IDS.findall(plan_html(made).decode()))
    for step in made.steps:
        for change in step.changes:
            if change.before is not None:
                assert change.before.id in shown
            if isinstance(change, GrantChange) and change.before is not None and change.before.principal_id:
                assert change.before.principal_id in shown
            if isinstance(change, AssignmentChange):
                known = change.before or change.after
                assert known is not None
                assert known.app_role_id in shown


def test_scopes_that_go_are_marked_and_the_others_are_not() -> None:
    """Before shows what goes struck out; after has what stays, what comes in bold, and says gone where nothing does."""
    [row] = plan_facts.rows(steps()[2])
    assert {mark.text for mark in row.before if mark.state == "goes"} == {"User.Read", "email"}
    assert [mark.text for mark in row.after] == [mark.text for mark in row.before if mark.state == "stays"]
    narrow, wide = plan_facts.rows(steps()[1])
    assert (narrow.before, narrow.id) == ((), "")
    assert [(mark.text, mark.state) for mark in narrow.after] == [("Mail.Read", "comes")]
    assert ([(mark.text, mark.state) for mark in wide.before], wide.after) == ([("Mail.ReadWrite", "goes")], ())
    [account] = plan_facts.rows(steps()[4])
    assert [mark.text for mark in (*account.before, *account.after)] == [
        "accountEnabled: false",
        "accountEnabled: true",
    ]
    html = plan_html(plan()).decode()
    assert "<del><bdi>User.Read</bdi></del>" in html
    assert "<ins><bdi>Mail.Read</bdi></ins>" in html
    assert html.count(">gone<") == sum(change.after is None for step in steps() for change in step.changes)


def test_an_undo_shows_what_comes() -> None:
    """Grants that are made again have no id yet, and everything in them comes."""
    one = steps()[3]
    back = replace(one, action="undo", changes=tuple(inverse(change) for change in one.changes))
    rows = plan_facts.rows(back)
    assert {row.id for row in rows if not row.before} == {""}
    assert all(any(mark.state == "comes" for mark in row.after) for row in rows)
    undo = plan(back, purpose="undo", snapshot_sha256="")
    text = told(undo)
    assert "Give back what was taken: plan for" in text
    assert "what was taken is given back" in text
    assert "what was taken is there again" in text
    assert plan_facts.consents(undo) == (len(consents()), 0)


def test_a_bulk_is_folded_and_a_few_are_not() -> None:
    """Where a step has many objects they are one fold, closed at first; each is in it."""
    one = steps()[3]
    many = replace(one, changes=one.changes * 2)
    assert "<details" not in plan_html(plan(one)).decode()
    folded = plan_html(plan(many)).decode()
    assert f"<summary>{len(many.changes)} objects</summary>" in folded
    assert folded.count("delegated grant, one person") == len(many.changes)


# Afterwards


def test_it_says_what_is_left_what_is_not_proven_and_how_to_undo() -> None:
    """What the plan leaves and why, what stays possible, and the undo with its role, permissions and estimate."""
    text = told(plan())
    assert "The app is not confirmed (sample)." in text
    assert "64 grants of these apps stay" in text
    for sentence in (*plan_facts.AFTER["revoke"], *plan_facts.UNDO["revoke"]):
        assert sentence in text
    undo = text.partition("How to undo it")[2]
    assert "Privileged Role Administrator" in undo
    assert "AppRoleAssignment.ReadWrite.All" in undo
    assert "up to about 17 minutes: 17 writes" in undo


@pytest.mark.parametrize(
    ("number", "begins"),
    [(1, "up to about 1 minute: 1 write,"), (60, "up to about 1 hour:"), (125, "up to about 2 hours 5 minutes:")],
)
def test_the_estimate_shows_how_it_comes_about(number: int, begins: str) -> None:
    """Minutes are writes by seconds, both named, and called an estimate."""
    said = plan_facts.duration(number)
    assert said.startswith(begins)
    assert f"{plan_facts.SECONDS_OF_A_WRITE} seconds each" in said
    assert "estimate" in said


def test_containing_says_what_stays() -> None:
    """An emergency plan says that no token is issued any more, and that the grants stay."""
    text = told(plan(steps()[4], purpose="contain", warnings=(), left=()))
    assert "Switch apps off (emergency)" in text
    assert "no app below can sign in afterwards" in text
    assert "no new token is issued" in text
    assert "Nothing whose decision is to go." not in text
    assert "Exchange Online may" not in text


def test_a_plan_without_steps_is_a_page_too() -> None:
    """Nothing to do is said, and is no error."""
    empty = replace(plan(), steps=(), left=())
    assert "This plan has no step." in told(empty)
    assert "0 steps on 0 apps" in told(empty)


# Nothing alive


def test_the_page_names_its_style_alone_and_runs_nothing() -> None:
    """The policy comes first, allows one style by its hash and no script at all; there is none, and no handler."""
    tree = page(incomplete())
    policy = tree.first_in_head[1]["content"] or ""
    assert tree.first_in_head[1]["http-equiv"] == "Content-Security-Policy"
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert [tag for tag, _ in tree.elements if tag == "script"] == []
    assert "".join(tree.inside["style"]) == asset("report.css") + asset("plan.css")
    assert dangers(tree) == []


@pytest.mark.parametrize("text", TEXTS)
def test_no_hostile_string_lives(text: str) -> None:
    """Whatever stands in every field at once, the page has the elements that it has with x's, and nothing steers.

    As many x's as the text has words: a delegated grant's scopes are words.
    """
    html = plan_html(everywhere(small(), text)).decode()
    tree = Tree(html)
    assert tree.shape == expected(len(set(text.split()))).shape
    assert "".join(tree.inside["style"]) == asset("report.css") + asset("plan.css")
    assert dangers(tree) == []
    assert steering(html) == []


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 60))
def test_strings_are_as_dead_side_by_side(first: int) -> None:
    """Each field holds another string, over the cases every string: no element but the page's own, nothing steers."""
    html = plan_html(side_by_side(first)).decode()
    tree = Tree(html)
    assert dangers(tree) == []
    assert {tag for tag, _ in tree.elements} <= {tag for tag, _ in page(small()).elements}
    assert steering(html) == []


def test_the_same_plan_gives_the_same_bytes() -> None:
    """No clock, order or place is in it."""
    assert plan_html(incomplete()) == plan_html(incomplete())


# In a browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages that are opened: of the sample's plan, and of one with hostile names all over."""
    folder = tmp_path_factory.mktemp("plan")
    made = {"plan": incomplete(), "hostile": everywhere(incomplete(), "W" * 700 + "<img src=x onerror=alert(1)>")}
    for name, one in made.items():
        (folder / f"{name}.html").write_bytes(plan_html(one))
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.browser
@pytest.mark.parametrize("name", ["plan", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits_a_phone(browser: Browser, files: dict[str, Path], name: str, scheme: Any) -> None:
    """No word on the console, no request, no violation, and no sideways scrolling at 390 px, light or dark."""
    check_quiet(browser, files[name], scheme)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, files: dict[str, Path], mode: str) -> None:
    """WCAG 2.2 AA and good practice: 0 violations."""
    check_axe(browser, files["plan"], mode)


def check_quiet(browser: Browser, file: Path, scheme: Any) -> None:
    """Open a page on a phone and on paper."""
    with Opened(browser, file, viewport={"width": 390, "height": 844}, color_scheme=scheme) as window:
        assert window.page.evaluate("document.documentElement.scrollWidth") <= 390
        window.page.emulate_media(media="print")
        assert window.complaints == window.outside() == window.violations() == []


def check_axe(browser: Browser, file: Path, mode: str) -> None:
    """Let axe-core judge a page."""
    if not AXE.exists():
        absent("axe-core (npm ci --ignore-scripts in tests/web)")
    with Opened(browser, file, bypass_csp=True, **MODES[mode]) as window:
        if mode == "print":
            window.page.emulate_media(media="print")
        window.page.add_script_tag(path=AXE)
        options = {"runOnly": STANDARDS, "rules": {"target-size": {"enabled": mode != "print"}}}
        found = window.page.evaluate("(options) => axe.run(document, options)", options)
        assert [(one["id"], one["nodes"][0]["html"][:200], len(one["nodes"])) for one in found["violations"]] == []
        assert len(found["passes"]) > 15
