"""A file of faults: what it may say, and what is said of one that is wrong, with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from auditor.errors import ConfigurationError
from auditor.knowledge.documents import load
from auditor.simulator.fault import Fault, FaultKind, FaultStatus

WHOLE = """\
- match: /organization        # a part of the call
  status: 429
  retry_after: "2.128"
  times: 3
- {match: 'GET .*count=', kind: wrong-count, times: 0}
- {match: GET, status: 401, after: 20}
"""


def faults(tmp_path: Path, text: str) -> tuple[Fault, ...]:
    file = tmp_path / "faults.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, tuple[Fault, ...])


def test_a_file_says_what_a_test_says(tmp_path: Path) -> None:
    """Each item has the fields of a Fault, with the same defaults."""
    assert faults(tmp_path, WHOLE) == (
        Fault(match="/organization", status=429, retry_after="2.128", times=3),
        Fault(match="GET .*count=", kind="wrong-count", times=0),
        Fault(match="GET", status=401, after=20),
    )
    assert faults(tmp_path, "[]") == ()


def test_json_says_the_same(tmp_path: Path) -> None:
    """JSON is YAML: what msgspec writes of faults reads back as the same faults."""
    written = faults(tmp_path, WHOLE)
    for text in (msgspec.json.encode(written).decode(), json.dumps(msgspec.to_builtins(written), indent=2)):
        assert faults(tmp_path, text) == written


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_kind_can_be_named(tmp_path: Path, kind: FaultKind) -> None:
    """A file can name each kind that a test can."""
    assert faults(tmp_path, f"- {{match: x, kind: {kind}}}") == (Fault(match="x", kind=kind),)


@pytest.mark.parametrize("status", get_args(FaultStatus))
def test_every_status_can_be_named(tmp_path: Path, status: FaultStatus) -> None:
    """The statuses too, beside or without their kind."""
    assert faults(tmp_path, f"- {{match: x, status: {status}, kind: status}}") == (Fault(match="x", status=status),)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("- {match: x}\n- match: x\n  kinds: reset\n", ":3:3", "'kinds' is not a key here. Did you mean 'kind'?"),
        ("- match: x\n  match: z\n", ":2:3", "The key 'match' stands here twice."),
        ("- match: x\n  kind: timeouts\n", ":2:9", "Did you mean 'timeout'? Allowed values: cut-json, empty-page"),
        ("- match: x\n  status: 418\n", ":2:11", "Allowed values: 400, 401, 403, 404, 410, 429, 500"),
        ("- match: x\n  retry_after: 7\n", ":2:16", "Put the value in quotes."),
        ("- match: x\n  times: -1\n", ":2:10", "Expected `int` >= 0."),
        ("- match: x\n  after: soon\n", ":2:10", "Expected a whole number, got text."),
        ("- match: ''\n", ":1:10", "Expected `str` of length >= 1."),
        ("- status: 503\n", ":1:3", "The key 'match' is missing."),
        ("- match: x\n  kind: reset\n  retry_after: '7'\n", ":1:3", "belong to the kind 'status', and not to 'reset'"),
        ("- match: x\n  times: 1\n- match: &a x\n", ":3:10", "Anchors and aliases are not allowed."),
        ("match: x\n", ":1:1", "Expected a list, got a mapping of keys to values."),
        ("- match: [\n", ":2:1", "This is not valid YAML"),
        ("", "", "The file is empty."),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, place: str, said: str) -> None:
    """Unknown and double keys, wrong values, numbers where text is meant: file and line, and what is allowed."""
    with pytest.raises(ConfigurationError) as error:
        faults(tmp_path, text)
    assert error.value.where == f"{tmp_path / 'faults.yaml'}{place}"
    assert said in str(error.value)
