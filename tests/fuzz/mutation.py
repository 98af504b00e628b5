"""Valid documents made wrong, one seed each: as JSON, as YAML, as CSV, as CEL, as bytes and as archives.

The same seed gives the same bytes, so a failing test names everything that is needed to see it again.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

LONG = "x" * 2**20
LARGEST = 4 * 2**20
"""Bytes: copies of copies are cut there."""
SURROGATE = "\ud800"
KEYS = (
    "",
    "id",
    "value",
    "@odata.type",
    "appId",
    "é",
    "a.b[0]",
    "x` - at `$.apps[...].y",
    "\u202e",
    SURROGATE,
    "__class__",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    10**400,
    1e308,
    0.5,
    "",
    " ",
    "no",
    "0001-01-01T00:00:00Z",
    "2026-11-22T09:14:00",
    "9999-12-31T23:59:59+23:59",
    "/Date(99999999999999)/",
    "00000000-0000-0000-0000-000000000000",
    "\x00",
    "\x1b[31m",
    "\u202e\u2066",
    SURROGATE,
    "=1+1",
    "<script>",
    "a" * 70_000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"value": []},
    {"error": {"code": "x", "message": {"y": 1}}},
)
_AGAIN = "~again"


def places(document: Any) -> list[tuple[Any, Any]]:
    """Return every container with every key or index in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        inner = waiting.pop()
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        found += [(inner, key) for key in keys]
        waiting += [inner[key] for key in keys]
    return found


def as_json(random: Random, document: Any, *, long: bool = True) -> bytes:
    """Return a document as JSON after one to three changes of its structure; a rare one holds a megabyte of text."""
    changed = deepcopy(document)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if there := places(changed):
            _change(random, *random.choice(there))
    if long and random.random() < 0.01 and (there := places(changed)):
        inner, key = random.choice(there)
        inner[key] = LONG
    text = json.dumps(changed, ensure_ascii=random.random() < 0.5).replace(f'{_AGAIN}"', '"')
    if random.random() < 0.1:
        text = text.replace("1", random.choice(["NaN", "Infinity", "1e999", "-", "9" * 5000]), 1)
    return text.encode("utf-8", "surrogatepass")[:LARGEST]


def _change(random: Random, inner: Any, key: Any) -> None:
    value = inner[key]
    nest: Any = value
    for number in range(random.choice([1, 21, 150])):
        nest = [nest] if number % 2 else {"value": nest}
    ways: list[Callable[[], Any]] = [
        lambda: inner.__setitem__(key, deepcopy(random.choice(VALUES))),
        lambda: inner.__delitem__(key),
        lambda: inner.__setitem__(key, nest),
        lambda: inner.__setitem__(key, str(value)[:1000] if not isinstance(value, str) else [value]),
    ]
    if isinstance(inner, dict):
        ways += [
            lambda: inner.__setitem__(random.choice(KEYS), inner.pop(key)),
            lambda: inner.__setitem__(f"{key}{_AGAIN}", deepcopy(random.choice([value, *VALUES]))),
            lambda: inner.__setitem__(key[:1].upper() + key[1:], inner.pop(key)),
        ]
    else:
        ways.append(lambda: inner.extend([deepcopy(value)] * random.choice([1, 3, 50])))
    random.choice(ways)()


def as_bytes(random: Random, data: bytes) -> bytes:
    """Return bytes cut, overwritten, nested, in another encoding or inside an archive."""
    at = random.randint(0, len(data))
    new = random.choice(
        [b"\x00", b"\xff", b"\xed\xa0\x80", b"null", b'"', b"\\ud800", b"[" * 3, b"\r", b"\t", b"1e999"]
    )
    text = data.decode("utf-8", "replace")
    ways: list[Callable[[], bytes]] = [
        lambda: data[:at],
        lambda: data[:at] + new + data[at:],
        lambda: data[:at] + new + data[at + len(new) :],
        lambda: b"[" * random.choice([21, 5_000, 100_000]) + data,
        lambda: b'{"value":' * 5_000 + data + b"}" * 5_000,
        lambda: b"\xef\xbb\xbf" + data,
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-le"),
        lambda: text.encode("utf-16-be")[:at],
        lambda: text.encode("utf-32"),
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: random.randbytes(random.randint(0, 200)),
        lambda: gzip.compress(data),
        lambda: gzip.compress(data)[: at // 4],
        lambda: gzip.compress(gzip.compress(data)),
        lambda: _flipped(random, gzip.compress(data)),
        lambda: archive({"../../servicePrincipals.json": data, "/etc/x": data}),
    ]
    return random.choice(ways)()


def _flipped(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def archive(files: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def as_yaml(random: Random, text: str) -> bytes:
    """Return a YAML document after one to three changes of its lines and words."""
    lines = text.split("\n")
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        _change_line(random, lines)
    changed = "\n".join(lines)
    if random.random() < 0.1:
        return as_bytes(random, changed.encode("utf-8", "surrogatepass"))
    return changed.encode("utf-8", "surrogatepass")


def _change_line(random: Random, lines: list[str]) -> None:
    at = random.randrange(len(lines))
    line = lines[at]
    key, colon, value = line.partition(":")
    indent = line[: len(line) - len(line.lstrip())]
    other = random.choice(YAML_VALUES)
    ways: list[Callable[[], Any]] = [
        lambda: lines.pop(at) if len(lines) > 1 else None,
        lambda: lines.insert(at, line),
        lambda: lines.insert(random.randrange(len(lines)), lines.pop(at)),
        lambda: lines.__setitem__(at, f"{key}{colon} {other}"),
        lambda: lines.__setitem__(at, f"{key}{colon} {other}{value}"),
        lambda: lines.__setitem__(at, f"{indent}{random.choice(YAML_KEYS)}{colon}{value}"),
        lambda: lines.__setitem__(at, random.choice(["\t", " ", "  - ", "? ", "- - - "]) + line),
        lambda: lines.__setitem__(at, line.lstrip()),
        lambda: lines.__setitem__(at, line[: random.randint(0, len(line))]),
        lambda: lines.insert(
            at, random.choice(["---", "...", "%YAML 1.1", "%TAG ! x:", "# é", "<<: *x", "\ufeff", "\x85"])
        ),
        lambda: lines.__setitem__(at, f"{key}{colon} {'[' * random.choice([5, 21, 2000])}"),
        lambda: lines.__setitem__(at, _spoiled(random, line)),
    ]
    random.choice(ways)()


YAML_KEYS = (
    "id",
    "apps",
    "zoom",
    "no",
    "null",
    "1",
    "&x a",
    "*x ",
    "!!str a",
    "? a",
    '"\\ud800"',
    "'it''s'",
    '"x` - at `$.apps"',
    "<<",
)
YAML_VALUES = (
    "no",
    "off",
    "1e3",
    "0x1F",
    "~",
    "",
    "9" * 5000,
    "-1",
    "1e999",
    ".nan",
    "&x [*x, *x]",
    "*x",
    "!!python/object:os.system x",
    "!!binary aGk=",
    '"\\ud800"',
    '"\\U00110000"',
    '"\\x00"',
    '"\\e[31m"',
    "2026-13-45",
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "2026-11-22T09:14:00",
    "{a: {b: {c: d}}}",
    "[[[[]]]]",
    "{a: 1, a: 2}",
    "|\n  x",
    ">-",
    "'",
    "{",
    "graph/x@delegated",
    "a" * 5000,
)


def _spoiled(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    return (
        text[:at]
        + random.choice(list("'\"{}[]:,&*!|>%@`#\t\x00\x7f\u2028\\(").__add__(["&& ", " || ", "((", "matches("]))
        + text[at:]
    )


def as_csv(random: Random, text: str) -> bytes:
    """Return a CSV document after one to three changes of its rows and cells."""
    rows = [line.split(",") for line in text.split("\n")]
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        row = random.choice(rows)
        cell = random.choice(CELLS)
        ways: list[Callable[[], Any]] = [
            lambda: row.insert(random.randint(0, len(row)), cell),  # noqa: B023 - called at once
            lambda: row.pop() if row else None,  # noqa: B023
            lambda: row.__setitem__(random.randrange(len(row)), cell) if row else None,  # noqa: B023
            lambda: rows.append(list(row)),  # noqa: B023
            lambda: rows.remove(row) if len(rows) > 1 else None,  # noqa: B023
            lambda: rows.extend([row] * 50),  # noqa: B023
        ]
        random.choice(ways)()
    data = random.choice("\n\n\n\r").join(random.choice(",,,,;\t").join(row) for row in rows)
    encoded = data.encode("utf-8", "surrogatepass")
    return as_bytes(random, encoded) if random.random() < 0.3 else encoded


CELLS = (
    "",
    '"',
    '""',
    '"a\nb"',
    "Email",
    "E-mail",
    "UPN",
    "SSO ID",
    "\x00",
    "é\u2028x",
    SURROGATE,
    "=1+1",
    "y" * 140_000,
    "A@CONTOSO.example",
)


def as_condition(random: Random, good: Sequence[str]) -> str:
    """Return a CEL condition after one to three changes of its words, or several conditions made one."""
    text = random.choice(good)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        words = re.findall(r"[\w.]+|'[^']*'|\s+|[^\w\s]+", text) or [""]
        at = random.randrange(len(words))
        other = random.choice(good)
        ways: list[Callable[[], str]] = [
            lambda: f"({text}) {random.choice(['&&', '||', '==', '!=', '+', 'in', '?'])} ({other})",  # noqa: B023
            lambda: "".join([*words[:at], random.choice(CEL), *words[at + 1 :]]),  # noqa: B023
            lambda: "".join([*words[:at], random.choice(CEL), *words[at:]]),  # noqa: B023
            lambda: "".join([*words[:at], *words[at + 1 :]]),  # noqa: B023
            lambda: f"{text} {random.choice(['&&', '||'])} {random.choice(BOMBS)}",  # noqa: B023
            lambda: random.choice([10, 40, 6_000]) * "(" + text + ")",  # noqa: B023
            lambda: f" {random.choice(['&&', '||'])} ".join([text] * random.choice([3, 40])),  # noqa: B023
            lambda: f"!({text})",  # noqa: B023
        ]
        text = random.choice(ways)()[:20_000]
    return text


CEL = (
    *("", "true", "0", "-1", "9223372036854775807", "1u", "1.5", "1e400", "null", "'x'", "b'x'", "r'\\'", "'''it's'''"),
    *(
        "app.owners",
        "app.match",
        "app.directory_roles",
        "grant.permission",
        "app",
        "grant.",
        "size",
        "[]",
        "{}",
        "[[1]]",
        "{'a': 1}",
    ),
    *(
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "?",
        ":",
        "==",
        "<",
        "in",
        "&&",
        "||",
        ".",
        ",",
        "$",
        "@",
        "`",
        "//",
        "\n",
        "\x00",
        "\u202e",
    ),
    *(
        "dyn(app.owners)",
        "type(app.match)",
        "int(app.match)",
        "timestamp('x')",
        "has(app.owners)",
        "app.directory_roles[9]",
    ),
)
BOMBS = (
    "[app.match].map(a, a + a)" + ".map(a, a + a)" * 25 + "[0] != ''",
    "[app.match].map(a, [a, a])" + ".map(a, [a, a])" * 25 + " == []",
    "app.directory_roles.all(a, app.directory_roles.all(b, app.directory_roles.all(c, a != b)))",
    "".join(f"[1,2,3,4,5,6,7,8,9].all({name}, " for name in "abcde") + "app.owners != a)))))",
    "app.match.matches('(a*)*b')",
    "app.match.matches('" + "a{1000}" * 28 + "')",
    "app.match.matches('(')",
    "app.match.matches('" + "(a|b)?" * 500 + "')",
    "app.match.matches(app.match)",
    "['a', 'b'].exists(x, x.matches('a{1000}'))",
    "app.match == '" + "x" * 9_000 + "'",
    "app.owners / 0 == 1",
    "{1: 1, 1: 2}[1] == app.owners",
    "app.owners + 9223372036854775807 > 0",
)
