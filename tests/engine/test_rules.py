"""What a rule file promises when it is loaded, and what its condition says when it is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.engine.fact import Value
from auditor.engine.facts import FACTS, declared
from auditor.engine.rules import CompiledRule, Undecided, activation, load_rules, render
from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir

GOOD = """\
id: sample
title: Sample
subject: app
when: app.owners > 0
severity: low
axis: hygiene
why: Because.
remediation: Look.
references: [https://learn.microsoft.com/graph]
controls: ["NIST-800-53r5:AC-6"]
basis: inferred
reason: "Owners: {app.owners}"
cases:
  - {name: one, tenant: {}, expect: finding}
  - {name: none, tenant: {}, expect: pass}
  - {name: not read, tenant: {}, expect: not-evaluated}
"""


def load(folder: Path, text: str, name: str = "sample.yaml") -> CompiledRule:
    (folder / name).write_text(text, encoding="utf-8")
    return load_rules(folder)[0]


def refused(folder: Path, text: str, name: str = "sample.yaml") -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, name)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_rule_loads(tmp_path: Path) -> None:
    """A rule keeps what its file says, and knows the facts that its condition asks."""
    rule = load(tmp_path, GOOD)
    assert (rule.id, rule.severity.value, rule.decides) == ("sample", "low", False)
    assert rule.facts == ("app.owners",)


def test_rules_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """The order does not depend on how the folder lists its files; hidden files are no rules."""
    (tmp_path / ".hidden").write_text("", encoding="utf-8")
    for name in ("b", "a-b", "a"):
        (tmp_path / f"{name}.yaml").write_text(changed("id: sample", f"id: {name}"), encoding="utf-8")
    assert [rule.id for rule in load_rules(tmp_path)] == ["a", "a-b", "b"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("axis: hygiene", "axes: hygiene", 6, ["'axes' is not a key here", "Did you mean 'axis'"]),
        ("severity: low", "severity: lowish", 5, ["'lowish' is not allowed here"]),
        ("app.owners > 0", "app.ownrs > 0", 4, ["undeclared reference to 'app.ownrs'", "mean 'app.owners'"]),
        ("app.owners > 0", "grant.tier == 0", 4, ["undeclared reference to 'grant.tier'", "rules facts"]),
        ("app.owners > 0", "app.owners == 'x'", 4, ["no matching overload", "https://cel.dev"]),
        ("app.owners > 0", "app.owners >", 4, ["Syntax error"]),
        ("app.owners > 0", "app.owners", 4, ["gives INT, not BOOL"]),
        ("app.owners > 0", "dyn(app.owners)", 4, ["gives DYN, not BOOL"]),
        ("app.owners > 0", "1 > 0 // app.owners", 4, ["asks nothing of its subject, the app"]),
        ("app.owners > 0", "true // app.owners", 4, ["asks nothing of its subject"]),
        ("id: sample", "id: other", 1, ["'other' is not the file's name", "id: sample"]),
        ("id: sample", "id: Sample One", 1, ["lower-case words joined by hyphens"]),
        ("{app.owners}", "{app.ownrs}", 12, ["'{app.ownrs}' is not a declared fact", "mean 'app.owners'"]),
        ("{app.owners}", "{subject.x}", 12, ["'{subject.x}' is not a declared fact"]),
        ("https://learn", "http://learn", 9, ["is not an https URL"]),
        ("NIST-800-53r5:AC-6", "AC-6", 10, ["'AC-6' is not a control"]),
        ("expect: pass", "expect: finding", 14, ["No case expects 'pass'"]),
        ("expect: not-evaluated", "expect: pass", 14, ["No case expects 'not-evaluated'"]),
        ("expect: pass", "expect: fine", 15, ["'fine' is not allowed here"]),
        ("title: Sample", "title: Sample\ntitle: Twice", 3, ["stands here twice"]),
    ],
)
def test_a_wrong_rule_is_refused(tmp_path: Path, old: str, new: str, line: int, words: list[str]) -> None:
    """A defect of a rule file is an error with file, line and the way out, before anything is judged."""
    message = refused(tmp_path, changed(old, new))
    assert f"sample.yaml:{line}" in message
    for word in words:
        assert word in message


def test_the_caret_stands_under_the_error(tmp_path: Path) -> None:
    """In a condition of several lines the error names the line of the file and shows CEL's caret."""
    text = changed("when: app.owners > 0", "when: |\n  app.owners > 0\n    && app.ownrz == 1")
    message = refused(tmp_path, text)
    assert "sample.yaml:6" in message
    assert " |   && app.ownrz == 1\n | ........^\n" in message


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    """Two files with one id are told by both names."""
    (tmp_path / "sample.yaml").write_text(GOOD, encoding="utf-8")
    assert "sample.yaml has it" in refused(tmp_path, GOOD, "another.yaml")


def test_no_file_is_dropped_in_silence(tmp_path: Path) -> None:
    """A rule under another suffix is an error, not a rule that never runs."""
    assert "not a rule file" in refused(tmp_path, GOOD, "sample.yml")


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("app.has_owners && app.owners > 1", ["app.has_owners", "app.owners"]),
        ("app.match == 'app.owners'", ["app.match"]),
        ('app.match == "app.owners \\" app.confirmed"', ["app.match"]),
        ("app . match == 'x' // app.owners", ["app.match"]),
        ("app.directory_roles.exists(role, role == app.match)", ["app.directory_roles", "app.match"]),
    ],
)
def test_facts_are_read_from_the_condition(tmp_path: Path, condition: str, asked: list[str]) -> None:
    """The facts of a rule are those outside text and remarks, whole names only, without being listed by hand."""
    rule = load(tmp_path, changed("when: app.owners > 0", f"when: |-\n  {condition}"))
    assert list(rule.facts) == asked


def judged(rule: CompiledRule, known: dict[str, Value]) -> bool | Undecided:
    return rule.judge(activation(known), known)


def test_absent_facts_leave_a_rule_undecided(tmp_path: Path) -> None:
    """An absent fact is neither false nor zero: it is named, unless what is known decides alone."""
    rule = load(tmp_path, changed("app.owners > 0", "app.confirmed && app.owners > 0"))
    assert judged(rule, {"app.confirmed": True, "app.owners": 1}) is True
    assert judged(rule, {"app.confirmed": True, "app.owners": 0}) is False
    assert judged(rule, {"app.confirmed": False}) is False
    assert judged(rule, {"app.owners": 0}) is False
    assert judged(rule, {"app.confirmed": True}) == Undecided(missing=("app.owners",))
    assert judged(rule, {}) == Undecided(missing=("app.confirmed", "app.owners"))


@pytest.mark.parametrize("condition", ["1 / app.owners == 1", "app.match.matches('[') && app.owners == 0"])
def test_a_defect_is_told_from_an_absence(tmp_path: Path, condition: str) -> None:
    """A division by zero or a bad pattern is a defect of the rule: nothing is missing, and it is no pass."""
    rule = load(tmp_path, changed("app.owners > 0", condition))
    verdict = judged(rule, {"app.owners": 0, "app.match": "x"})
    assert isinstance(verdict, Undecided)
    assert verdict.missing == ()
    assert verdict.defect.startswith("INVALID_ARGUMENT")


def test_an_index_out_of_range_is_a_defect(tmp_path: Path) -> None:
    """CEL calls it unknown too, yet no declared fact is absent."""
    rule = load(tmp_path, changed("app.owners > 0", "app.directory_roles[5] == 'x'"))
    verdict = judged(rule, {"app.directory_roles": ()})
    assert isinstance(verdict, Undecided)
    assert verdict.missing == ()
    assert "Index error" in verdict.defect


def test_reasons_show_facts_and_survive_hostile_ones() -> None:
    """A reason shows numbers, lists and yes or no, says unknown for what is absent, and drops control characters."""
    facts: dict[str, Value] = {
        "app.owners": 3,
        "app.confirmed": False,
        "app.has_owners": True,
        "app.match": "a\x1b[31m\u202eb\n{app.owners}",
        "app.directory_roles": tuple("abcdefg"),
        "app.other_integrations": (),
    }
    assert render("{app.owners} {app.confirmed} {app.has_owners}", facts) == "3 no yes"
    assert render("{app.match}", facts) == "a[31mb{app.owners}"
    assert render("{app.directory_roles}; {app.other_integrations}", facts) == "a, b, c, d, e and 2 more; none"
    assert render("{app.credentials}", facts) == "unknown"


def test_declared_facts_are_well_formed() -> None:
    """A fact's name says its subject, and an app rule cannot ask of a grant."""
    assert all(name.split(".")[0] in ("app", "grant") for name in FACTS)
    assert not [name for name in declared("app") if name.startswith("grant.")]
    assert declared("grant") == FACTS


def test_loading_the_engine_does_not_load_cel() -> None:
    """Help and version stay fast: the library comes in with the first rule that is compiled."""
    code = "import sys, auditor.engine.rules; sys.exit('cel_expr_python' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_one_module_knows_the_library() -> None:
    """CEL's Python library is named in rules.py and nowhere else."""
    package = data_dir("rules").parent / "auditor"
    naming = {path.name for path in package.rglob("*.py") if "cel_expr_python" in path.read_text(encoding="utf-8")}
    assert naming == {"rules.py"}


def test_an_id_longer_than_a_file_name_is_refused(tmp_path: Path) -> None:
    """And not looked for as a file."""
    text = (data_dir("rules") / "checks" / "owners.yaml").read_text(encoding="utf-8")
    (tmp_path / "a.yaml").write_text(text.replace("id: owners", f"id: {'a' * 5000}"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not an id"):
        load_rules(tmp_path)
