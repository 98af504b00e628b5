"""What is fuzzed: for each target, one seed becomes one wrong document, which is read or refused with our own error."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random

from msgspec.structs import replace

from auditor.engine.cases import case_context, run_cases
from auditor.engine.evaluate import evaluate
from auditor.engine.facts import FACTS
from auditor.engine.rules import Case, load_rules
from auditor.engine.view import Context
from auditor.engine.waivers import check_waivers
from auditor.errors import AuditorError, ConfigurationError
from auditor.knowledge.configuration import check_configuration, read_configuration, render_configuration
from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import load_text
from auditor.knowledge.outline import Outline
from auditor.knowledge.people import count_unequal
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.profile import load_profile
from auditor.knowledge.references import known_permissions
from auditor.model.canonical import to_json
from auditor.model.configuration import Configuration
from auditor.model.outcome import Finding, NotEvaluated, Passed
from auditor.reporters.json import decode_audit
from auditor.sources.snapshot_file import decode, encode
from tests.engine.world import ROOMS, app, judged, rulebook, tenant
from tests.fuzz.mutation import as_bytes, as_condition, as_csv, as_json, as_yaml
from tests.sources.exports import lay, read

CONTOSO = Path(__file__).parents[1] / "exports" / "contoso"
CONFIGURATION = """\
apps:
  zoom:
    policy: required
    integrations: {aaaaaaaa-0001-4000-8000-000000000001: personal-calendar-application}
    features: [personal-calendar-application]
    answers:
      upn_equals_zoom_email: {value: true, answered_by: "zoom-users.csv: 0 of 4,210 people differ", date: 2026-11-22}
    allowed:
      personal-calendar-application: [Calendars.ReadWrite, "User.Read@delegated"]
    exclude: [bbbbbbbb-0001-4000-8000-000000000001]
policies:
  strict: {personal-calendar-application: [Calendars.ReadWrite]}
waivers:
  - rule: outside-policy
    app: aaaaaaaa-0001-4000-8000-000000000001
    permission: Mail.Read
    owner: dana@contoso.example
    reason: sample
    expires: 2026-12-31
accepted_gaps:
  - {collection: owners, owner: dana@contoso.example, reason: sample, expires: 2026-12-31}
"""
RULE = """\
id: sample
title: Sample
subject: {subject}
when: {when}
severity: low
axis: hygiene
why: Because.
remediation: Look.
references: [https://learn.microsoft.com/graph]
basis: inferred
reason: Sample
cases:
  - {{name: one, tenant: {{}}, expect: finding}}
  - {{name: none, tenant: {{}}, expect: pass}}
  - {{name: not read, tenant: {{}}, expect: not-evaluated}}
"""
USERS = """\
Email,First Name,User Principal Name
adele@contoso.example,A,ADELE@contoso.example
b@contoso.example,B,bob@contoso.example
,,
c@contoso.example,C,
"""


def refused(error: AuditorError, *, file: Path | None = None) -> bool:
    """Check that an error says what, where (in which file) and what to do, and return False: it was not read."""
    assert error.what
    assert file is None or error.where.startswith(str(file))
    assert error.where
    assert error.advice
    str(error).encode()
    return False


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    place = Path(tempfile.mkdtemp())
    try:
        yield place
    finally:
        shutil.rmtree(place)


@cache
def export_files() -> dict[str, bytes]:
    """Return the export of tests/exports: Graph path to the bytes of its file."""
    return {str(p.relative_to(CONTOSO)): p.read_bytes() for p in sorted(CONTOSO.rglob("*.json"))}


@cache
def sample() -> tuple[bytes, bytes]:
    """Return the snapshot of the small export and the audit of a sketched tenant, as JSON."""
    with folder() as place:
        snapshot = encode(read(lay(place, dict(export_files()))))
    return snapshot, to_json(judged(tenant(app("Mail.ReadWrite", "Calendars.ReadWrite"))))


def export(seed: int) -> bool:
    """One file of an export is wrong: a snapshot that can be written and read again, or an error."""
    random = Random(seed)
    name = random.choice(sorted(export_files()))
    good = export_files()[name]
    wrong = as_bytes(random, good) if random.random() < 0.3 else as_json(random, _parsed(good))
    with folder() as place:
        try:
            snapshot = read(lay(place, {**export_files(), name: wrong}))
        except AuditorError as error:
            return refused(error)
    assert decode(encode(snapshot), "again") == snapshot
    return True


def _parsed(data: bytes) -> object:
    """Return the value of JSON, or the list of those of JSON lines."""
    try:
        return json.loads(data)
    except json.JSONDecodeError:
        return [json.loads(line) for line in data.splitlines()]


def snapshot(seed: int) -> bool:
    """A snapshot file is wrong."""
    random = Random(seed)
    good = sample()[0]
    wrong = as_bytes(random, good) if random.random() < 0.3 else as_json(random, json.loads(good))
    try:
        value = decode(wrong, "snapshot.json")
    except AuditorError as error:
        return refused(error)
    assert decode(encode(value), "again") == value
    return True


def judged_snapshot(seed: int) -> bool:
    """What a changed snapshot holds is judged by every rule, and none fails."""
    data = as_json(Random(seed), json.loads(encode(tenant(app("Mail.ReadWrite", "Calendars.ReadWrite")))), long=False)
    try:
        value = decode(data, "snapshot.json")
    except AuditorError as error:
        return refused(error)
    result = judged(value)
    assert decode_audit(to_json(result), "again") == result
    return True


def audit(seed: int) -> bool:
    """An audit.json is wrong."""
    random = Random(seed)
    good = sample()[1]
    wrong = as_bytes(random, good) if random.random() < 0.3 else as_json(random, json.loads(good))
    try:
        value = decode_audit(wrong, "audit.json")
    except AuditorError as error:
        return refused(error)
    assert decode_audit(to_json(value), "again") == value
    return True


def users(seed: int) -> bool:
    """A list of Zoom's users is wrong."""
    with folder() as place:
        file = place / "users.csv"
        file.write_bytes(as_csv(Random(seed), USERS))
        try:
            found = count_unequal(file, None)
        except AuditorError as error:
            return refused(error)
    assert 0 <= found.not_comparable <= found.unequal <= found.total
    assert found.repeated >= 0
    return True


def configuration(seed: int) -> bool:
    """An entra-audit.yaml is wrong, its waivers included; what is read can be written and read again."""
    with folder() as place:
        file = place / "entra-audit.yaml"
        file.write_bytes(as_yaml(Random(seed), CONFIGURATION))
        try:
            value, lines = read_configuration(file)
            check_configuration(value, profiles={"zoom": rulebook().profile}, where=lines)
            check_waivers(value.waivers, [rule.id for rule in rulebook().rules], lines)
        except ConfigurationError as error:
            return refused(error)
    assert load_text(render_configuration(value), Configuration, "again") == value
    return True


def rule(seed: int) -> bool:
    """A rule file is wrong: it is refused with file and line, or its cases run, whatever comes of them."""
    random = Random(seed)
    good = random.choice(_texts("checks"))
    with folder() as place:
        file = place / good[0]
        file.write_bytes(as_yaml(random, good[1]))
        try:
            [loaded] = load_rules(place)
        except ConfigurationError as error:
            return refused(error, file=file)
    try:
        run_cases(replace(loaded, cases=loaded.cases[:3]), profile=rulebook().profile, permissions=known_permissions())
    except ConfigurationError as error:
        refused(error)
    return True


def condition(seed: int) -> bool:
    """A rule's condition is wrong: it is refused with file and line, or gives outcomes for every subject."""
    random = Random(seed)
    subject = random.choice(["app", "grant"])
    with folder() as place:
        file = place / "sample.yaml"
        text = RULE.format(subject=subject, when=json.dumps(as_condition(random, _conditions())))
        file.write_text(text, encoding="utf-8")
        try:
            [loaded] = load_rules(place)
        except ConfigurationError as error:
            assert re.match(rf"{re.escape(str(file))}:\d+", error.where)  # noqa: PT017 - either way must hold
            return refused(error, file=file)
    outcomes = evaluate(_context(), (loaded,))
    assert outcomes
    for outcome in outcomes:
        assert isinstance(outcome, Finding | Passed | NotEvaluated)
        if isinstance(outcome, NotEvaluated):
            assert outcome.missing or outcome.why.startswith("rule error: ")
    return True


@cache
def _conditions() -> tuple[str, ...]:
    facts = (f"{name} == {_LITERALS[fact.type]}" for name, fact in FACTS.items())
    return (*(one.when for one in rulebook().rules), *facts)


@cache
def _context() -> Context:
    case = Case(
        name="sample",
        tenant=Outline(
            apps=(app("Mail.ReadWrite", "Calendars.ReadWrite", owners=("megan@contoso.example",)), app(app_id=ROOMS)),
            unavailable=("signInActivity",),
        ),
        expect="pass",
    )
    return case_context(case, profile=rulebook().profile, permissions=known_permissions())


_LITERALS = {"bool": "true", "int": "1", "string": "'x'", "list(string)": "['x']"}


def permissions(seed: int) -> bool:
    """A permission family is wrong."""
    random = Random(seed)
    good = random.choice(_texts("permissions"))
    with folder() as place:
        (place / good[0]).write_bytes(as_yaml(random, good[1]))
        try:
            load_permissions(place)
        except ConfigurationError as error:
            return refused(error)
    return True


def profile(seed: int) -> bool:
    """An app profile is wrong."""
    random = Random(seed)
    good = random.choice(_texts("apps"))
    with folder() as place:
        (place / good[0]).write_bytes(as_yaml(random, good[1]))
        try:
            load_profile(Path(good[0]).stem, place)
        except ConfigurationError as error:
            return refused(error)
    return True


@cache
def _texts(kind: str) -> tuple[tuple[str, str], ...]:
    return tuple((p.name, p.read_text(encoding="utf-8")) for p in sorted((data_dir("rules") / kind).glob("*.yaml")))


TARGETS: Mapping[str, Callable[[int], bool]] = {
    one.__name__: one
    for one in (export, snapshot, judged_snapshot, audit, users, configuration, rule, condition, permissions, profile)
}
