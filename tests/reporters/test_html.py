"""What report.html promises, whatever a tenant calls its apps."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, Severity
from auditor.reporters.html import asset, render
from auditor.reporters.page import families, page
from tests.hostile import HOSTILE, SURROGATES
from tests.reporters.fill import fill, text_fields
from tests.reporters.sample import CALENDAR, guid, judged, sample_result

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


class Tree(HTMLParser):
    """The elements of a page in order, with the names of their attributes; text apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, ...]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *sorted(name for name, _ in attrs if name != "title")))
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self.shape.append((f"/{tag}",))
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.inside.get(self._open, self.text).append(data)


def html(result: AuditResult) -> str:
    return render(result)["report.html"].decode()


def everywhere(result: AuditResult, text: str) -> AuditResult:
    return fill(result, lambda _path, _value: text)


def dangers(tree: Tree) -> list[str]:
    """Return what in the page could run, load or hide its target."""
    found = []
    for tag, attributes in tree.elements:
        if tag in {"img", "iframe", "object", "embed", "base", "video", "audio", "image", "foreignobject"}:
            found.append(tag)
        found += [name for name in attributes if name.startswith("on") or name in {"style", "srcdoc", "formaction"}]
        for name in {"href", "src", "action", "xlink:href"} & attributes.keys():
            address = attributes[name] or ""
            if not (address.startswith("#") or address == "data:," or urlsplit(address).scheme == "https"):
                found.append(address)
            if address.startswith("https:") and attributes.get("rel") != "noopener noreferrer":
                found.append(f"{address} without rel")
    scripts = sum(tag == "script" for tag, _ in tree.elements)
    return found + ["a second script"] * (scripts - 1)


@pytest.fixture(scope="module")
def small(result: AuditResult) -> AuditResult:
    """Return the sample with two apps and nine grants, and still every text field."""
    few = replace(result, apps=result.apps[1::2], grants=tuple(result.grants[number] for number in FEW))
    assert set(FIELDS) == set(text_fields(few))
    return few


@pytest.fixture(scope="module")
def plain(small: AuditResult) -> Tree:
    return Tree(html(everywhere(small, "x")))


@pytest.mark.parametrize("text", [*HOSTILE, *SURROGATES], ids=lambda text: ascii(text)[:40])
def test_hostile_text_changes_no_element(small: AuditResult, plain: Tree, text: str) -> None:
    """Whatever stands in every text field at once, the page has the elements that it has with an x; nothing can run."""
    page = html(everywhere(small, text))
    tree = Tree(page)
    assert plain.shape == tree.shape
    assert dangers(tree) == []
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]", page)


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
        for item in app.not_checked:
            place = words.index(item.what, place)
            place = words.index(item.who, place)
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
