"""Whatever stands in a rule file: it is refused with file and line, or gives outcomes for every subject, soon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.engine import condition as bounds
from auditor.engine.cases import run_cases
from auditor.engine.fact import Value
from auditor.engine.rules import CompiledRule, Undecided, activation, load_rules
from auditor.errors import ConfigurationError
from auditor.knowledge.outline import Outline
from auditor.knowledge.references import known_permissions
from auditor.knowledge.sketch import sketch
from tests.engine.world import rulebook
from tests.fuzz.mutation import SURROGATE
from tests.fuzz.targets import RULE, condition, rule

FEW = settings(max_examples=200)
SEEDS = st.integers(0, 2**32 - 1)


@FEW
@given(SEEDS)
def test_a_changed_rule_file_is_refused_or_its_cases_run(seed: int) -> None:
    rule(seed)


@FEW
@given(SEEDS)
def test_a_changed_condition_is_refused_or_judges(seed: int) -> None:
    condition(seed)


def load(folder: Path, when: str) -> CompiledRule:
    (folder / "sample.yaml").write_text(RULE.format(subject="app", when=json.dumps(when)), encoding="utf-8")
    [loaded] = load_rules(folder)
    return loaded


OWNED = "app.owners > 0"
DOUBLED = "[app.match].map(a, a + a)" + ".map(a, a + a)" * 25 + "[0] != ''"
BUILT = "[app.match].map(a, [a, a])" + ".map(a, [a, a])" * 20 + " == []"
NINE = " || ".join(["app.match.matches('x')"] * 9)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (OWNED + " " * 10_000, "longer than 5,000 characters"),
        ("(" * 1_000 + OWNED + ")" * 1_000, "nested too deeply"),
        ("+".join(["app.owners"] * 400) + " > 0", "nested too deeply"),
        ("app.owners" + "[0]" * 100 + " == 1", "nested too deeply"),
        (DOUBLED, "joins texts or lists"),
        ("app.match + 'x' == 'y'", "joins texts or lists"),
        ("app.directory_roles + ['a'] == ['b']", "joins texts or lists"),
        ("b'x' + b'y' == b'' && app.owners > 1", "joins texts or lists"),
        (BUILT, "another kind of value"),
        ("dyn(app.owners) == 1", "another kind of value"),
        ("{'a': 1}['a'] == app.owners", "another kind of value"),
        ("[app.owners, app.match] == []", "another kind of value"),
        ("timestamp('x') > timestamp('y') && app.owners > 1", "another kind of value"),
        (NINE, "more than 8 patterns"),
        (f"app.match.matches('{'a' * 201}')", "longer than 200 characters"),
        ("app.match.matches(app.match)", "not a text"),
        ("matches(app.match, app.match)", "not a text"),
        ("app.directory_roles.exists(r, r.matches('x'))", "inside a loop"),
        ("app.directory_roles.filter(r, r.size() > 1).all(r, !r.matches('x'))", "inside a loop"),
        (f"app.match == '{'x' * 2000}' &&", "Syntax error"),
        ("@ " * 2_000, "Syntax error"),
    ],
)
def test_a_condition_that_could_take_long_is_refused(tmp_path: Path, when: str, words: str) -> None:
    """The library would fill the memory with doubled texts, or compile patterns by the thousand: not loaded."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(tmp_path, when)
    assert caught.value.where == f"{tmp_path / 'sample.yaml'}:4"
    assert caught.value.advice
    assert len(str(caught.value)) < 5_000


FACTS: dict[str, Value] = {
    "app.owners": 3,
    "app.match": "configured",
    "app.directory_roles": ("Reader", "Writer"),
    "app.other_integrations": (),
}


@pytest.mark.parametrize(
    "when",
    [
        "app.owners + 1 == 4",
        "app.match.matches('^con[a-z]{3}')",
        "app.directory_roles[app.owners - 2].matches('^W') && app.match.matches('red$')",
        "app.directory_roles.filter(r, r.startsWith('W')).size() == 1",
        "app.directory_roles.map(r, r.size()).exists(n, n == 6) && app.owners > 0",
        "app.directory_roles.exists_one(r, r in ['Writer']) && app.other_integrations == []",
        "type(app.match) == string && size(app.match) > 3",
        "has(app.owners) == 3",
        "app.match != '''it's \"app.confirmed\"''' && app.owners > 2 // app.confirmed",
        "app.match == 'configured' ? app.owners > 1 : app.owners < 1",
    ],
)
def test_what_a_condition_needs_stays_allowed(tmp_path: Path, when: str) -> None:
    """Sums, patterns, loops, lists and choices load and judge; the bounds keep out nothing that compares facts."""
    loaded = load(tmp_path, when)
    assert loaded.judge(activation(FACTS), FACTS) is True
    assert "app.confirmed" not in loaded.facts


@pytest.mark.parametrize(
    ("when", "facts", "words"),
    [
        ("app.directory_roles.all(r, r != '')", {"app.directory_roles": ("x",) * 10_000}, "Iteration budget exceeded"),
        (
            "app.directory_roles.all(a, app.directory_roles.all(b, a + b != ''))".replace("a + b", "a"),
            {"app.directory_roles": ("x",) * 500},
            "Iteration budget exceeded",
        ),
        ("app.owners == 1", {"app.owners": 2**70}, "too big"),
        ("app.owners + 9223372036854775807 > 0", {"app.owners": 3}, "overflow"),
        ("int(app.match) == 1", {"app.match": "x"}, "cannot convert"),
        ("app.match == 'x'", {"app.match": SURROGATE}, "basic_string"),
    ],
)
def test_what_the_library_cannot_judge_is_a_rule_error(
    tmp_path: Path, when: str, facts: dict[str, Value], words: str
) -> None:
    """A list too long to walk, a number or a text that it cannot hold: undecided with its words, never an exception."""
    verdict = load(tmp_path, when).judge(activation(facts), facts)
    assert isinstance(verdict, Undecided)
    assert verdict.missing == ()
    assert words in verdict.defect


def test_the_checker_still_speaks_as_it_is_read(tmp_path: Path) -> None:
    """The facts of a condition are those that the checker names; a change of its format would be noticed here."""
    loaded = load(tmp_path, "app.directory_roles.exists(r, r == app.match) && -app.owners < 5")
    made_of = bounds.read(loaded.expression.serialize())
    assert made_of.problem == ""
    assert made_of.names >= {"app.directory_roles", "app.match", "app.owners", "r"}
    assert loaded.facts == ("app.directory_roles", "app.match", "app.owners")


@pytest.mark.parametrize(
    ("outline", "where"),
    [
        ({"taken_at": "0001-01-01T00:00:00Z"}, "taken_at"),
        ({"taken_at": "9999-12-31T23:59:59Z"}, "taken_at"),
        ({"taken_at": "2026-11-22T09:14:00"}, "taken_at"),
        ({"apps": [{"app_id": "a", "service_principal": {"createdDateTime": "2023-05-04T08:00:00"}}]}, "Zoom"),
        (
            {"apps": [{"app_id": "a", "service_principal": {"passwordCredentials": [
                {"keyId": "77777777-7777-4777-8777-777777777777", "endDateTime": "2023-05-04T08:00:00"}]}}]},
            "Zoom",
        ),
    ],
)  # fmt: skip
def test_a_case_with_an_impossible_time_is_refused(outline: dict[str, object], where: str) -> None:
    """A time without a zone cannot be held against others, and nothing lies before year 1."""
    import msgspec

    with pytest.raises(ConfigurationError, match="no zone, or is out of range") as caught:
        sketch(msgspec.convert(outline, Outline), permissions=known_permissions())
    assert where in caught.value.where


def test_a_wrong_case_is_named_with_its_rule(tmp_path: Path) -> None:
    """Whoever runs all cases learns which rule and which case holds the mistake."""
    loaded = load(tmp_path, "app.owners > 0")
    wrong = replace(loaded.cases[0], tenant=Outline(unavailable=("ownrs",)))
    with pytest.raises(ConfigurationError, match="'ownrs' is not a collection") as caught:
        run_cases(replace(loaded, cases=(wrong,)), profile=rulebook().profile, permissions=known_permissions())
    assert caught.value.where == "rule sample, case 'one': outline"
