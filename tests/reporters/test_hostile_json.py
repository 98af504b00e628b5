"""Half characters, and JSON that is none: one name never costs an answer, and nothing but our errors is raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import InputError
from auditor.graph import wire
from auditor.graph.answer import http_answer
from auditor.model.canonical import from_json, to_json
from auditor.model.directory import GrantEvent, PasswordCredential, ServicePrincipal
from auditor.model.text import visible
from auditor.sources.export_text import read_text
from tests.hostile import HOSTILE, SURROGATES, as_read, named

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
TEXTS = st.text(st.characters())
ANY_TEXT = st.lists(TEXTS | st.sampled_from(SURROGATES)).map("".join)
NO_JSON = [
    b"",
    b"{",
    b'{"a',
    b"\xff",
    b'"\xff"',
    b'{"\xfe": 1}',
    b"NaN",
    b"[1e999]",
    b"[" * 100_000,
    b"\xed\xa0\x80",
    b'"\x01"',
]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\uDFFF"', "\ufffd"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ude00\ude00"', "\U0001f600\ufffd"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'"\ud800\n\"\\"', '\ufffd\n"\\'),
        (rb'"\\ud800\ud800"', "\\ud800\ufffd"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (b'"\xed\xa0\x80\xc3\xa9"', "\ufffd\u00e9"),
        (b'"\xed\x9f\xbf"', "\ud7ff"),
        ('"\ud800\u00e9"', "\ufffd\u00e9"),
    ],
)
def test_a_surrogate_alone_becomes_one_replacement_character(data: bytes | str, said: str) -> None:
    """As an escape or as it is, alone, reversed or doubled; a pair stays the character that it is."""
    assert from_json(data) == said


@pytest.mark.parametrize("data", NO_JSON, ids=lambda data: ascii(data[:12]))
def test_what_is_no_json_is_refused_in_one_way(data: bytes) -> None:
    """Cut, not UTF-8, a number beyond bounds, nesting without end: msgspec.DecodeError and nothing else."""
    with pytest.raises(msgspec.DecodeError):
        from_json(data)
    with pytest.raises(msgspec.DecodeError):
        wire.decode(data, ServicePrincipal)


@given(
    st.binary(max_size=60)
    | ANY_TEXT
    | st.lists(st.sampled_from(['"', "\\", "u", "ud800", "udc00", "[", "]"])).map("".join)
)
def test_any_bytes_are_json_or_refused(data: bytes | str) -> None:
    """No input raises anything else, and what was read can be written."""
    try:
        value = from_json(data)
    except msgspec.DecodeError:
        return
    assert from_json(to_json(value)) == value


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.lists(ANY_TEXT)))
def test_any_text_is_written(value: dict[str, object]) -> None:
    """to_json raises for no text, in keys, values or lists, and writes UTF-8 that every reader takes."""
    json.loads(to_json(value).decode("utf-8"))


@pytest.mark.parametrize("text", HOSTILE, ids=named)
def test_a_name_is_read_and_written_as_it_is(text: str) -> None:
    """A name survives JSON's escapes, our reader, the model and canonical JSON, but for half characters."""
    sent = json.dumps({"id": "a", "appId": "b", "displayName": text, "replyUrls": [text]}).encode()
    app = wire.decode(sent, ServicePrincipal)
    assert app.display_name == as_read(text)
    assert app.reply_urls == (as_read(text),)
    assert to_json(app) == to_json(ServicePrincipal(id="a", app_id="b", display_name=text, reply_urls=(text,)))
    answer = http_answer(200, {}, b'{"value": [' + sent + b"]}", NOW)
    assert answer.succeeded
    assert answer.body == {"value": [from_json(sent)]}


def test_plain_and_mended_values_have_the_same_shape() -> None:
    """Times, absent fields, null and lists are written as ever where one text of the value holds half a character."""

    def made(text: str) -> ServicePrincipal:
        secret = PasswordCredential(key_id="k", display_name=text, end_date_time=NOW)
        return ServicePrincipal(
            id="a", app_id="b", display_name=text, publisher_name=None, tags=(), password_credentials=(secret,)
        )

    assert to_json(made("\ud800")) == to_json(made("\ufffd"))


def test_half_characters_inside_json_inside_json_are_read() -> None:
    """A modified property of the audit log is JSON text inside JSON text; a permission with half a character stays."""
    record = {
        "id": "event",
        "activityDisplayName": "Add app role assignment to service principal",
        "activityDateTime": "2026-11-02T13:05:40Z",
        "targetResources": [
            {"id": "r", "modifiedProperties": [{"displayName": "AppRole.Value", "newValue": json.dumps("Mail.\ud800")}]}
        ],
    }
    assert wire.decode(json.dumps(record).encode(), GrantEvent).permissions == ("Mail.\ufffd",)
    raw = {
        **record,
        "targetResources": [{"modifiedProperties": [{"displayName": "AppRole.Value", "newValue": '"\ud800"'}]}],
    }
    assert wire.decode(raw, GrantEvent).permissions == ("\ufffd",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_an_export_with_half_characters_is_read(encoding: str) -> None:
    """Saved as an escape or as it is, in every encoding that is read, as JSON or as JSON lines."""
    for text in SURROGATES:
        one = {"displayName": text}
        escaped = json.dumps(one)
        bare = json.dumps(one, ensure_ascii=False)
        for document in (escaped, bare, f"{escaped}\n{bare}\n"):
            read = read_text(document.encode(encoding, "surrogatepass"), where="apps.json")
            assert {value["displayName"] for value in read.values} == {as_read(text)}  # type: ignore[index]
            assert read.faults == ()


@pytest.mark.parametrize("data", [b'"\xff"', b'["\xc3', b'\xff\xfe"', "\ufeff[".encode("utf-16-le") + b"\x00"])
def test_an_export_in_no_encoding_is_refused(data: bytes) -> None:
    """Bytes that are no text stay an error with the file's name."""
    with pytest.raises(InputError) as caught:
        read_text(data, where="apps.json")
    assert caught.value.where == "apps.json"


def test_marks_that_pile_up_are_named() -> None:
    """Three marks upon a letter are a language's; more of them would cover the lines around."""
    assert visible("e\u0301\u0323\u0302") == "e\u0301\u0323\u0302"
    assert visible("Z" + "\u0301" * 5) == "Z\u0301\u0301\u0301\u2039U+0301\u203a\u2039U+0301\u203a"
