"""What audit.json and the published schemas promise."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from auditor.errors import InputError
from auditor.knowledge.configuration import configuration_schema
from auditor.knowledge.data import data_dir
from auditor.model.configuration import Configuration
from auditor.model.outcome import AuditResult
from auditor.reporters import reporters
from auditor.reporters.json import decode_audit, render
from auditor.reporters.schema import audit_schema, schemas
from tests.hostile import FAMILIES, named
from tests.reporters.fill import fill


def audit(result: AuditResult) -> bytes:
    return render(result)["audit.json"]


def test_published_schemas_are_current() -> None:
    """The files under reports/schemas/ are what the Structs give; `python -m auditor.reporters.schema` makes them."""
    folder = data_dir("reports") / "schemas"
    assert schemas() == {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_audit_is_valid_against_its_schema(result: AuditResult) -> None:
    """A rich audit fits the published schema, which itself is a valid one."""
    jsonschema.Draft202012Validator.check_schema(audit_schema())
    jsonschema.validate(json.loads(audit(result)), audit_schema())


def test_schema_refuses_another_document(result: AuditResult) -> None:
    """The schema pins name and version."""
    for change in ({"schema": "other"}, {"version": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(audit(result)) | change, audit_schema())


def test_configuration_schema_takes_the_documented_shape() -> None:
    """A configuration in the documented shape is valid; an unknown key is not."""
    good: dict[str, Any] = {"apps": {"zoom": {"policy": "minimal", "features": ["rooms-application"]}}}
    jsonschema.validate(good, configuration_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {"polices": {}}, configuration_schema())
    assert Configuration.__name__ in json.dumps(configuration_schema())


@pytest.mark.parametrize(
    "text", ["x", *(family[-1] for name, family in FAMILIES.items() if name != "surrogates")], ids=named
)
def test_round_trip_is_byte_equal(result: AuditResult, text: str) -> None:
    """Whatever stands in the text fields, audit.json is valid JSON and reads back to the same bytes in every format."""
    hostile = fill(result, lambda path, value: value if path == "AuditResult.schema" else text)
    again = decode_audit(audit(hostile), "audit.json")
    assert hostile == again
    assert audit(hostile) == audit(again)
    json.loads(audit(hostile))


def test_reports_made_later_are_the_same(result: AuditResult) -> None:
    """Every reporter renders a decoded audit.json to the bytes that it rendered from the audit itself."""
    again = decode_audit(audit(result), "audit.json")
    for reporter in reporters().values():
        assert reporter.render(result) == reporter.render(again)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "cut"),
        (b"{", "cut"),
        (b"\xff\xfe{", "cut"),
        (b'"\xff"', "not"),
        (b"[" * 100_000, "not"),
        (b"[]", "not a valid audit"),
        (b"{}", "not an audit"),
        (b'{"schema": "entra-auditor/snapshot", "version": 1}', "not an audit"),
        (b'{"schema": "entra-auditor/audit", "version": 99}', "version 99"),
        (b'{"schema": "entra-auditor/audit", "version": 1}', "missing required field"),
    ],
)
def test_bad_input_is_an_error_with_advice(data: bytes, word: str) -> None:
    """What is cut, no JSON, another document or newer is refused with the file's name and what to do."""
    with pytest.raises(InputError) as caught:
        decode_audit(data, "old/audit.json")
    assert word in caught.value.what
    assert caught.value.where == "old/audit.json"
    assert caught.value.advice


def test_a_cut_file_is_refused_at_every_length(result: AuditResult) -> None:
    """No beginning of an audit.json reads as an audit."""
    whole = audit(result).rstrip()
    for length in range(0, len(whole), 997):
        with pytest.raises(InputError):
            decode_audit(whole[:length], "audit.json")
