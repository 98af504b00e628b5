"""The model: canonical bytes, the ledger, and words that are the same everywhere."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from auditor.errors import AuditorError, ExitCode
from auditor.model.canonical import sha256, to_gzip, to_json
from auditor.model.directory import ServicePrincipal
from auditor.model.outcome import Severity
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    EXCHANGE,
    TENANT_COLLECTIONS,
    Complete,
    Partial,
    Unavailable,
    client_collections,
    items,
    ledger,
    tenant_collections,
)
from auditor.model.text import count, listed, moment
from auditor.registry import discover
from tests.engine.world import app, tenant


def test_equal_values_give_equal_bytes_whatever_the_order() -> None:
    assert (
        to_json({"b": 1, "a": {"d": 2, "c": 3}})
        == to_json({"a": {"c": 3, "d": 2}, "b": 1})
        == b'{"a":{"c":3,"d":2},"b":1}\n'
    )


def test_an_archive_depends_on_its_content_alone() -> None:
    assert to_gzip(b"x" * 100) == to_gzip(b"x" * 100)
    assert gzip.decompress(to_gzip(b"data")) == b"data"
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_absent_null_and_empty_are_three_things() -> None:
    """A field that the answer did not carry is not the same as null, and null not as an empty list."""
    absent = msgspec.json.decode(b'{"id":"1","appId":"2"}', type=ServicePrincipal)
    null = msgspec.json.decode(b'{"id":"1","appId":"2","publisherName":null}', type=ServicePrincipal)
    assert absent.publisher_name is msgspec.UNSET
    assert null.publisher_name is None
    assert b"publisherName" not in to_json(absent)
    assert b'"publisherName":null' in to_json(null)


def test_the_ledger_has_a_line_for_every_collection() -> None:
    snapshot = tenant(app("Mail.Read"), app(app_id="aaaaaaaa-0001-4000-8000-000000000009"), unavailable=("owners",))
    lines = ledger(snapshot)
    assert len(lines) == len(TENANT_COLLECTIONS) + 1 + 2 * len(CLIENT_COLLECTIONS)
    assert {line.state for line in lines if line.collection == "owners"} == {"unavailable"}
    assert {line.state for line in lines if line.collection == EXCHANGE} == {"unavailable"}
    assert set(tenant_collections(snapshot)) == {*TENANT_COLLECTIONS, EXCHANGE}
    assert tuple(client_collections(snapshot.clients[0])) == CLIENT_COLLECTIONS


def test_what_could_not_be_read_has_no_items() -> None:
    assert items(Unavailable(why="refused")) == ()
    assert items(Partial(items=(1,), why="cut")) == items(Complete(items=(1,))) == (1,)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=14))])
def test_a_moment_is_written_in_utc(zone: timezone) -> None:
    assert moment(datetime(2026, 11, 22, 9, 14, tzinfo=UTC).astimezone(zone)) == "22 Nov 2026 09:14 UTC"


def test_numbers_and_lists_in_words() -> None:
    assert (count(1, "grant"), count(4210, "grant"), count(2, "entry", "entries")) == (
        "1 grant",
        "4,210 grants",
        "2 entries",
    )
    assert (listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == (
        "",
        "a",
        "a and b",
        "a, b and c",
    )


def test_severities_rank_from_worst_to_mildest() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]


def test_every_error_has_an_exit_code_and_reads_as_one_paragraph() -> None:
    def tree(kind: type[AuditorError]) -> list[type[AuditorError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in tree(child))]

    for kind in tree(AuditorError):
        error = kind("It broke.", where="here", advice="Mend it.")
        assert str(error) == "here: It broke. Mend it."
        assert error.exit_code in ExitCode
    assert str(AuditorError("It broke.")) == "It broke."


def test_a_plug_in_is_found_by_its_constant_in_name_order() -> None:
    found = discover("auditor.reporters", "REPORTER")
    assert list(found) == ["csv", "frameworks", "html", "json", "junit", "md", "sarif", "xlsx"]
    assert list(discover("auditor.sources", "SOURCE")) == ["graph_export", "snapshot_file", "tenant"]
