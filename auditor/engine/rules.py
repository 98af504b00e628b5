"""Rules: one YAML file each, its condition in CEL (https://cel.dev), checked whole when it is loaded.

The only module that knows the library behind CEL; it is imported when the first rule is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from auditor.engine import condition
from auditor.engine.fact import Facts, SubjectKind
from auditor.engine.facts import declared
from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import Lines, load_with_lines
from auditor.knowledge.evidence import clean
from auditor.knowledge.frameworks import control_names, known_frameworks
from auditor.knowledge.outline import Outline
from auditor.model.configuration import AppConfiguration
from auditor.model.outcome import Axis, Basis, Severity

SHOWN = 5
"""Items of a list that a reason names at most."""
LONGEST_ID = 100
"""Characters of a rule's id: it is the name of a file."""
Expectation = Literal["finding", "pass", "not-evaluated"]
EXPECTATIONS: tuple[Expectation, ...] = ("finding", "pass", "not-evaluated")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CONTROL = re.compile(r"[A-Za-z0-9.+-]+:\S.*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACE = re.compile(r"ERROR: <input>:(\d+):\d+: (.*)")
_PICTURE = 1_000
"""Characters of CEL's picture of an error that are shown at most."""
_ABSENT = re.compile(r'No value with name "([^"]+)" found in Activation')


class SignedOutline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody signed of one permission of every app that holds it."""

    permission: str
    decision: Literal["keep", "remove"] = "keep"
    signer: str = "Dana Reyes (sample)"
    next_review: date | None = date(2027, 5, 31)
    of_another_grant: bool = False
    """It was signed when the grant had another id."""


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant in a few lines, and what the rule says of it."""

    name: str
    tenant: Outline
    configuration: AppConfiguration = AppConfiguration()
    """The team's word on the app profile, policy and features included."""
    expect: Expectation
    subject: str = ""
    """The permission, or the app's name, that the outcome must be about; empty: any."""
    collection: str = ""
    """For `not-evaluated`: the collection that the outcome must name; empty: any."""
    attestations: tuple[SignedOutline, ...] | None = None
    """What was signed; left out: no register of attestations is in use."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of rules/checks/."""

    id: str
    """The file's name without `.yaml`: lower-case words joined by hyphens."""
    title: str
    subject: SubjectKind
    when: str
    """A CEL condition over declared facts; true makes a finding."""
    severity: Severity
    axis: Axis
    why: str
    remediation: str
    """One step to take."""
    references: tuple[str, ...]
    """https URLs."""
    controls: tuple[str, ...] = ()
    """Controls that the rule supports, as FRAMEWORK:ID."""
    basis: Basis
    """Whether the rule rests on a documented fact or on inference."""
    decides: bool = False
    """A finding argues for taking the grant away; a grant whose every such finding is waived is kept."""
    needs_register: bool = False
    """It judges where a register of attestations is in use; elsewhere it gives no outcome, and so never a pass."""
    reason: str
    """A finding's reason, with `{app.owners}`-like places for facts."""
    cases: tuple[Case, ...]


class Undecided(Struct, frozen=True, kw_only=True):
    """Neither true nor false: declared facts are absent, or the rule itself fails."""

    missing: tuple[str, ...]
    defect: str = ""
    """CEL's own words; empty unless the rule is at fault."""


class CompiledRule(Rule, frozen=True, kw_only=True):
    """A rule that was checked, ready to judge."""

    facts: tuple[str, ...]
    """The declared facts that the condition asks, in name order."""
    expression: Any

    def judge(self, activation: Any, known: Facts) -> bool | Undecided:  # noqa: ANN401 - CEL's type stays in here
        """Return whether the condition holds; `activation` is that of the `known` facts."""
        from cel_expr_python import cel

        try:
            value = self.expression.eval(activation)
        except RuntimeError as error:
            # Raised where a loop takes over 10,000 steps, and for text that the library cannot hold.
            return Undecided(missing=(), defect=str(error))
        if value.type() != cel.Type.ERROR:
            return bool(value.value())
        text = str(value.value())
        absent = _ABSENT.search(text)
        if absent and absent[1] in declared(self.subject) and absent[1] not in known:
            return Undecided(missing=tuple(fact for fact in self.facts if fact not in known))
        return Undecided(missing=(), defect=text)


def load_rules(directory: Path | None = None, *, controls: tuple[str, ...] | None = None) -> tuple[CompiledRule, ...]:
    """Read and compile every rule of a folder, rules/checks/ unless told otherwise, in the order of their ids.

    Args:
        directory: the folder.
        controls: the controls that a rule may name, as FRAMEWORK:ID; None: those of rules/frameworks/.

    Raises:
        ConfigurationError: a file is no rule, names an unknown fact or control, has a condition that is not true or
            false, an id other than its name, or lacks a case of some kind; with file, line and CEL's caret.
    """
    known = control_names(known_frameworks()) if controls is None else controls
    folder = directory or data_dir("rules") / "checks"
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in files:
        if path.suffix != ".yaml":
            raise ConfigurationError(
                "This is not a rule file.", where=str(path), advice="Name it ID.yaml, or move it elsewhere."
            )
    return tuple(_load(path, known) for path in sorted(files, key=lambda path: path.stem))


def activation(facts: Facts) -> Any:  # noqa: ANN401
    """Return CEL's view of one subject's facts; it serves every rule."""
    return _environment("grant").Activation(
        {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    )


def render(template: str, facts: Facts) -> str:
    """Return a template with its `{fact}` places filled; an absent fact reads `unknown`."""
    return _PLACEHOLDER.sub(lambda place: _shown(facts.get(place[1])), template)


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        rest = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
        return (", ".join(clean(str(item)) for item in value[:SHOWN]) or "none") + rest
    return clean(str(value))


@cache
def _environment(subject: SubjectKind) -> Any:  # noqa: ANN401
    from cel_expr_python import cel

    types = {
        "bool": cel.Type.BOOL,
        "int": cel.Type.INT,
        "string": cel.Type.STRING,
        "list(string)": cel.Type.List(cel.Type.STRING),
    }
    return cel.NewEnv(variables={name: types[fact.type] for name, fact in declared(subject).items()})


def _load(path: Path, controls: tuple[str, ...]) -> CompiledRule:
    rule, lines = load_with_lines(path, Rule)
    _check_id(rule, path, lines)
    for index, url in enumerate(rule.references):
        if not url.startswith("https://"):
            raise _wrong(lines, f"references.{index}", f"'{url}' is not an https URL.", "Write https://...")
    for index, control in enumerate(rule.controls):
        if control not in controls:
            raise _unknown_control(control, controls, lines, index)
    kinds = {case.expect for case in rule.cases}
    for expected in EXPECTATIONS:
        if expected not in kinds:
            raise _wrong(lines, "cases", f"No case expects '{expected}'.", "Add one: a rule shows all three.")
    facts = declared(rule.subject)
    for name in _PLACEHOLDER.findall(rule.reason):
        if name not in facts:
            raise _wrong(lines, "reason", f"'{{{name}}}' is not a declared fact.", _known(name, facts))
    expression = _compile(rule, lines)
    asked = _asked(rule, lines, expression, facts)
    return CompiledRule(**asdict(rule), facts=asked, expression=expression)


def _unknown_control(control: str, controls: tuple[str, ...], lines: Lines, index: int) -> ConfigurationError:
    if not _CONTROL.fullmatch(control):
        return _wrong(lines, f"controls.{index}", f"'{control}' is not a control.", "Write FRAMEWORK:ID.")
    close = get_close_matches(control, controls, n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    return _wrong(
        lines,
        f"controls.{index}",
        f"The control '{control}' is in no file of rules/frameworks/.",
        f"{meant}A control is added there with the source in which it was read.",
    )


def _asked(rule: Rule, lines: Lines, expression: Any, facts: Mapping[str, object]) -> tuple[str, ...]:  # noqa: ANN401
    """Return the declared facts that a compiled condition asks, after checking its bounds."""
    made_of = condition.read(expression.serialize())
    if made_of.problem:
        raise _wrong(lines, "when", made_of.problem, made_of.advice)
    asked = tuple(sorted(made_of.names & facts.keys()))
    if not any(name.startswith(f"{rule.subject}.") for name in asked):
        raise _wrong(
            lines,
            "when",
            f"The condition asks nothing of its subject, the {rule.subject}.",
            f"Ask a fact that begins with '{rule.subject}.', or change the subject.",
        )
    return asked


def _check_id(rule: Rule, path: Path, lines: Lines) -> None:
    if not _SLUG.fullmatch(rule.id) or len(rule.id) > LONGEST_ID:
        what = f"'{rule.id[:LONGEST_ID]}' is not an id."
        raise _wrong(lines, "id", what, "Write lower-case words joined by hyphens.")
    if rule.id != path.stem:
        other = path.with_name(f"{rule.id}.yaml")
        twice = f", and {other.name} has it" if other.exists() else ""
        raise _wrong(
            lines,
            "id",
            f"The id '{rule.id}' is not the file's name{twice}.",
            f"Write `id: {path.stem}`, or rename the file.",
        )


def _compile(rule: Rule, lines: Lines) -> Any:  # noqa: ANN401
    if len(rule.when) > condition.MAX_CHARACTERS:
        what = f"The condition is longer than {condition.MAX_CHARACTERS:,} characters."
        raise _wrong(lines, "when", what, "Make several rules of it.")
    try:
        expression = _environment(rule.subject).compile(rule.when)
    except RuntimeError as error:
        raise _not_compiled(rule, lines, str(error)) from error
    kind = expression.return_type().name()
    if kind != "BOOL":
        raise _wrong(lines, "when", f"The condition gives {kind}, not BOOL.", "Write a comparison.")
    return expression


def _not_compiled(rule: Rule, lines: Lines, error: str) -> ConfigurationError:
    """Return the error for what CEL says of a condition, with its caret where the line is short enough to show."""
    head, _, below = error.partition("\n")
    if "recursion" in head:
        return _wrong(lines, "when", "The condition is nested too deeply.", "Make it flatter, at most 32 levels.")
    place = _PLACE.search(head)
    row, what = (int(place[1]), place[2]) if place else (1, head)
    what = re.sub(r" \(in container ''\)| \[[A-Z_]+\]$", "", what)
    picture = "".join(f"\n{line}" for line in takewhile(lambda line: line.startswith(" |"), below.split("\n")))
    picture = picture.removesuffix(" [INVALID_ARGUMENT]")
    unknown = re.search(r"undeclared reference to '([^']*)'", what)
    return ConfigurationError(
        f"The condition is wrong: {what}.{picture}\n"
        if len(picture) <= _PICTURE
        else f"The condition is wrong: {what}.",
        where=f"{lines.where}:{lines.at('when') + row - 1}",
        advice=_known(unknown[1], declared(rule.subject))
        if unknown
        else "Correct the condition; its language is described at https://cel.dev.",
    )


def _known(name: str, facts: Mapping[str, object]) -> str:
    close = get_close_matches(name, facts, n=1)
    suggestion = f"Did you mean '{close[0]}'? " if close else ""
    return f"{suggestion}`entra-audit rules facts` lists every fact."


def _wrong(lines: Lines, path: str, what: str, advice: str) -> ConfigurationError:
    return ConfigurationError(what, where=f"{lines.where}:{lines.at(path)}", advice=advice)
