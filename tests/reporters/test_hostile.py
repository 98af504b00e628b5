"""What every format promises whatever stands in every text field: nothing in it runs, steers, hides or gets lost."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from msgspec.structs import replace
from rich.console import Console

from auditor.cli.main import printable
from auditor.cli.summary import print_summary
from auditor.errors import AuditorError
from auditor.model.outcome import AuditResult
from auditor.reporters import reporters
from auditor.reporters.environment import asset
from auditor.reporters.json import decode_audit
from auditor.reporters.schema import audit_schema
from tests.hostile import FAMILIES, HOSTILE, LONG, as_read, named
from tests.reporters.fill import declared_fields, fill, text_fields, texts
from tests.reporters.hostile_formats import CHECKS as FOREIGN
from tests.reporters.hostile_formats import TRIGGERS, steering
from tests.reporters.sample import sample_result
from tests.reporters.tree import Tree, dangers

Rendered = Mapping[str, bytes]

AIMED_AT = (
    "tags ends attributes quotes entities urls homoglyphs formulas controls terminal bidi invisible marks emoji "
    "surrogates templates shell parsers chat long"
)
KEYS = ("service_principal_id", "rule_id", "RuleInfo.id")
"""Ends of the fields by which rows find each other; told apart, a report would have no rows to show."""
NOT_ON_THE_PAGE = {
    "Finding.finding_id",
    "Grant.resource_app_id",
    "Grant.resource_id",
    "JudgedGrant.family",
    "JudgedGrant.integration",
    "JudgedGrant.policy_name",
    "LedgerEntry.app_id",
    "RuleInfo.controls",
    "Subject.app_id",
    "Subject.grant_id",
    "Subject.principal_id",
    "Subject.resource_app_id",
}
"""What report.html says once under the app or the audit and not again for each row."""
IN_OTHER_FORMATS = {
    "Act.id",
    "Act.result",
    "Attestation.signer",
    "Drift.after_snapshot_sha256",
    "Drift.before_snapshot_sha256",
    "Drift.profile",
    "Drift.schema",
    "Drift.tenant_id",
    "FindingChange.axis",
    "FindingChange.finding_id",
    "FindingChange.replaces",
}
"""What audit.json holds, and report.html does not show."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SCHEMA = jsonschema.Draft202012Validator(audit_schema())


def everywhere(result: AuditResult, text: str) -> AuditResult:
    return fill(result, lambda path, value: value if path == "AuditResult.schema" else text)


def printed(result: AuditResult, text: str, *, colour: bool) -> str:
    """Return what the terminal gets: the summary, and an error that speaks of the text."""
    stream = io.StringIO()
    console = Console(
        file=stream, width=80, force_terminal=colour, color_system="standard" if colour else None, legacy_windows=False
    )
    print_summary(result, (Path("out") / (text.replace("/", "")[:40] or "x"),), console)
    return stream.getvalue() + printable(str(AuditorError(text, where=text, advice=text)))


def all_formats(result: AuditResult, names: Iterable[str] = ()) -> dict[str, Rendered]:
    """Render `names`; without any, every format."""
    return {name: reporters()[name].render(result) for name in names or reporters()}


@pytest.fixture(scope="module")
def small() -> AuditResult:
    """Return an audit with one app and few rows that holds every text field."""
    rich = sample_result()
    held = replace(rich.grants[1], rule_ids=("outside-policy",))
    assert rich.drift
    changed = replace(rich.drift, grants=rich.drift.grants[:1])
    small = replace(rich, apps=rich.apps[4:], grants=(held, *rich.grants[7:8], *rich.grants[15:17]), drift=changed)
    assert set(text_fields(small)) == set(declared_fields(AuditResult))
    return small


class Plain:
    """What the formats hold where an x stands in every field."""

    def __init__(self, result: AuditResult) -> None:
        formats = self.formats = all_formats(everywhere(result, "x"))
        self.page = Tree(formats["html"]["report.html"].decode())
        self.frameworks = Tree(formats["frameworks"]["frameworks.html"].decode())
        self.cells = {
            name: (len(rows), len(rows[0])) for name, rows in tables({**formats["csv"], **sheet(formats["frameworks"])})
        }
        self.colours = set(COLOUR.findall(printed(everywhere(result, "x"), "x", colour=True)))


def sheet(rendered: Rendered) -> dict[str, bytes]:
    """Return the CSV files of a format that writes others too."""
    return {name: content for name, content in rendered.items() if name.endswith(".csv")}


def tables(rendered: Rendered, delimiter: str = ",") -> Iterator[tuple[str, list[list[str]]]]:
    """Give each CSV file's rows; under another delimiter than its own, whole lines may be one cell."""
    usual = csv.field_size_limit(2**30)
    for name, content in rendered.items():
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        yield name, list(csv.reader(text, delimiter=delimiter, strict=delimiter == ","))
    csv.field_size_limit(usual)


def formulas(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the cells that a spreadsheet could take for formulas, whatever it skips before them."""
    return [cell for row in rows for cell in row if cell.lstrip(' \xa0\u3000\t\r\n\v\f"').startswith(TRIGGERS)]


@pytest.fixture(scope="module")
def plain(small: AuditResult) -> Plain:
    return Plain(small)


def check_html(rendered: Rendered, plain: Plain, _hostile: AuditResult) -> None:
    """The page has the elements that it has with an x, the policy first, our one script, and nothing that can run."""
    page = rendered["report.html"].decode()
    tree = Tree(page)
    assert tree.shape == plain.page.shape
    assert dangers(tree) == []
    assert tree.first_in_head == plain.page.first_in_head
    assert tree.first_in_head[1]["http-equiv"] == "Content-Security-Policy"
    for kind, own in (("script", "report.js"), ("style", "report.css")):
        assert "".join(tree.inside[kind]) == asset(own)
    assert steering(page) == []


def check_csv(rendered: Rendered, plain: Plain, _hostile: AuditResult) -> None:
    """Rows and columns are those with an x, and no cell begins a formula, wherever a locale splits the lines."""
    for name, rows in tables(rendered):
        assert {len(row) for row in rows} == {plain.cells[name][1]}
        assert len(rows) == plain.cells[name][0]
        frame = pd.read_csv(io.BytesIO(rendered[name]), dtype=str, keep_default_na=False, header=None)
        # pandas loses blanks at the beginning of a line where one of its buffers ends.
        assert [[c.lstrip() for c in row] for row in frame.to_numpy().tolist()] == [
            [c.lstrip() for c in row] for row in rows
        ]
        assert steering("".join(cell for row in rows for cell in row)) == []
    for delimiter in (",", ";", "\t"):
        for _, rows in tables(rendered, delimiter):
            assert formulas(rows) == []


def check_frameworks(rendered: Rendered, plain: Plain, hostile: AuditResult) -> None:
    """The page has the elements that it has with an x and no script; the CSV has the rows, and no formula."""
    page = rendered["frameworks.html"].decode()
    tree = Tree(page)
    assert tree.shape == plain.frameworks.shape
    assert dangers(tree) == []
    assert tree.first_in_head[1]["http-equiv"] == "Content-Security-Policy"
    assert "script-src" not in str(tree.first_in_head[1]["content"])
    assert "".join(tree.inside["style"]) == asset("report.css") + asset("frameworks.css")
    assert steering(page) == []
    check_csv(sheet(rendered), plain, hostile)


def check_json(rendered: Rendered, _plain: Plain, hostile: AuditResult) -> None:
    """audit.json is JSON for every reader and gives every string back; half characters as U+FFFD."""
    json.loads(rendered["audit.json"])
    again = decode_audit(rendered["audit.json"], "audit.json")
    assert again == fill(hostile, lambda _path, text: as_read(text))
    assert reporters()["json"].render(again) == rendered


CHECKS: Mapping[str, Callable[[Rendered, Plain, AuditResult], None]] = {
    "csv": check_csv,
    "frameworks": check_frameworks,
    "html": check_html,
    "json": check_json,
}
QUICK = [name for name in (*CHECKS, *FOREIGN) if name != "xlsx"]
"""Formats that each string is tried in; a workbook takes its reader long: most strings wait for the slow tests."""


def test_there_are_200_strings_in_every_family() -> None:
    """At least 200 distinct strings, of every kind that is aimed at a reader."""
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200
    assert list(FAMILIES) == AIMED_AT.split()
    assert all(FAMILIES.values())
    assert {len(text) for text in FAMILIES["long"]} >= {65536}


def test_every_format_is_checked() -> None:
    """A new format needs a check of its own."""
    assert {*CHECKS, *FOREIGN} == reporters().keys()


def test_every_field_is_filled_and_reaches_the_reports(small: AuditResult) -> None:
    """No text field of the model is left out, and none is hidden but those that stand elsewhere on the page."""
    fields = declared_fields(AuditResult)
    assert len(fields) >= 107
    held = texts(everywhere(small, "<x>"))
    assert len(held) > 2 * len(fields)
    assert {path for path, text in held if text != "<x>"} == {"AuditResult.schema"}
    marks = {field: f"q{number:03}z" for number, field in enumerate(fields) if not field.endswith(KEYS)}
    formats = all_formats(fill(sample_result(), marks.get), QUICK)
    told = {name: b"".join(files.values()).decode() for name, files in formats.items()}
    unseen = {name: {field for field, mark in marks.items() if mark not in text} for name, text in told.items()}
    assert unseen["json"] == set()
    assert unseen["html"] == NOT_ON_THE_PAGE | IN_OTHER_FORMATS
    least = {"csv": 40, "md": 38, "sarif": 27, "junit": 19}
    assert {name for name, number in least.items() if len(marks) - len(unseen[name]) < number} == set()


TEXTS = [
    pytest.param(text, id=named(text), marks=[pytest.mark.slow] if number % 3 or text in LONG[1:] else [])
    for family in FAMILIES.values()
    for number, text in enumerate(family)
]
"""Every string; the fast suite takes each third one of a family."""


@pytest.mark.parametrize("text", TEXTS)
def test_no_format_lets_a_hostile_string_live(small: AuditResult, plain: Plain, text: str) -> None:
    """Whatever stands in every text field at once, each format holds what it holds with an x, and nothing is lost."""
    check(QUICK, plain, everywhere(small, text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=named(text), marks=[] if text in family[:1] else [pytest.mark.slow])
        for family in FAMILIES.values()
        for text in family
    ],
)
def test_no_workbook_lets_a_hostile_string_live(small: AuditResult, plain: Plain, text: str) -> None:
    """The same of report.xlsx, read by openpyxl."""
    check(["xlsx"], plain, everywhere(small, text))


def check(names: Iterable[str], plain: Plain, hostile: AuditResult) -> None:
    for name, rendered in all_formats(hostile, names).items():
        if name in CHECKS:
            CHECKS[name](rendered, plain, hostile)
        else:
            FOREIGN[name](rendered, plain.formats[name])


@pytest.mark.parametrize("text", [family[0] for family in FAMILIES.values()], ids=named)
def test_audit_json_fits_its_schema(small: AuditResult, text: str) -> None:
    """One string of every family in every field, and the document is what its schema says."""
    SCHEMA.validate(json.loads(all_formats(everywhere(small, text))["json"]["audit.json"]))


@pytest.mark.parametrize("text", TEXTS)
def test_no_string_reaches_the_terminal_raw(small: AuditResult, plain: Plain, text: str) -> None:
    """Summary and errors print no character that steers, turns or hides; colours are the ones that an x gets."""
    hostile = everywhere(small, text)
    assert steering(printed(hostile, text, colour=False)) == []
    coloured = printed(hostile, text, colour=True)
    assert set(COLOUR.findall(coloured)) <= plain.colours
    assert steering(COLOUR.sub("", coloured)) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(HOSTILE), 8))
def test_strings_are_as_dead_side_by_side(first: int) -> None:
    """Each field of a rich audit holds another string, in other runs yet another: nothing runs, steers or is lost."""
    rich = sample_result()
    following = cycle((*HOSTILE[first:], *HOSTILE[:first]))
    kept = {"AuditResult.schema", *(path for path in declared_fields(AuditResult) if path.endswith(KEYS))}
    hostile = fill(rich, lambda path, value: value if path in kept else next(following))
    mild = fill(rich, lambda path, value: value if path in kept else "x")
    formats, expected = all_formats(hostile), all_formats(mild)
    tree = Tree(formats["html"]["report.html"].decode())
    assert dangers(tree) == []
    assert {tag for tag, _ in tree.elements} <= {
        tag for tag, _ in Tree(expected["html"]["report.html"].decode()).elements
    }
    plain = Plain(rich)
    plain.cells = {name: (len(rows), len(rows[0])) for name, rows in tables(expected["csv"])}
    check_csv(formats["csv"], plain, hostile)
    controls = formats["frameworks"]["frameworks.html"].decode()  # Grouped by what is said: other texts, other rows.
    assert dangers(Tree(controls)) == []
    assert steering(controls) == []
    assert [formulas(rows) for _, rows in tables(sheet(formats["frameworks"]))] == [[]]
    for name, check_one in FOREIGN.items():
        check_one(formats[name], None)
    check_json(formats["json"], plain, hostile)
    SCHEMA.validate(json.loads(formats["json"]["audit.json"]))
    assert steering(printed(hostile, "x", colour=False)) == []
