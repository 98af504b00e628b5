"""OData query options, as far as Microsoft Graph takes them on the collections that the simulator serves."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from auditor.simulator.refused import Refused, unsupported

Json = dict[str, object]
Test = Callable[[object], bool]

OPTIONS = frozenset({"$filter", "$select", "$top", "$count", "$orderby", "$skiptoken"})
MAX_OR = 15
"""Microsoft Graph refuses directory queries with more alternatives than this."""
MAX_DEPTH = 20
"""Brackets, `not` and `any` inside one another that the simulator follows; Microsoft Graph's own limit is unknown."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),])|(?P<any>[\w.]+/any\(\s*\w+\s*:)|(?P<word>[^\s'(),]+))"
)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}


class Filter(Struct, frozen=True, kw_only=True):
    """A parsed $filter."""

    test: Test
    properties: frozenset[str]
    """Properties that it looks at."""
    literals: frozenset[str]
    """Strings and ids that it compares with."""
    advanced: bool
    """It needs `ConsistencyLevel: eventual` and `$count=true`: it says ne or not."""


def split(target: str) -> tuple[str, dict[str, str]]:
    """Return the decoded path and query options of a request target; `%24filter` and `$filter` are the same."""
    path, _, query = target.partition("?")
    return unquote(path), dict(parse_qsl(query, keep_blank_values=True))


def parse_filter(text: str) -> Filter:
    """Read a $filter.

    Raises:
        Refused: it is not OData, or uses what Microsoft Graph does not offer here.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split(text)
        self.at = 0
        self.properties: set[str] = set()
        self.literals: set[str] = set()
        self.ors = 0
        self.depth = 0
        self.advanced = False

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at, text = [], 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise unsupported(f"Syntax error at position {at} in '{text}'.")
            tokens.append(match.group().strip())
            at = match.end()
        return tokens

    def whole(self) -> Filter:
        test = self._either("")
        if self.at < len(self.tokens):
            raise self._wrong()
        if self.ors > MAX_OR:
            raise unsupported(
                "Too many child clauses specified in search filter expression containing 'OR' operators: "
                f"{self.ors}. Max allowed: {MAX_OR}."
            )
        return Filter(
            test=test,
            properties=frozenset(self.properties),
            literals=frozenset(self.literals),
            advanced=self.advanced,
        )

    def _wrong(self) -> Refused:
        return unsupported(f"Syntax error at token {self.at + 1} in '{self.text}'.")

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._wrong()
        self.at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            self.at -= 1
            raise self._wrong()

    def _either(self, variable: str) -> Test:
        tests = [self._both(variable)]
        while self._peek() == "or":
            self.at += 1
            tests.append(self._both(variable))
        if len(tests) > 1:
            self.ors = max(self.ors, len(tests))
        return lambda item: any(test(item) for test in tests)

    def _both(self, variable: str) -> Test:
        tests = [self._one(variable)]
        while self._peek() == "and":
            self.at += 1
            tests.append(self._one(variable))
        return lambda item: all(test(item) for test in tests)

    def _one(self, variable: str) -> Test:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise unsupported(f"The filter is nested more than {MAX_DEPTH} levels deep.")
        test = self._term(variable)
        self.depth -= 1
        return test

    def _term(self, variable: str) -> Test:
        word = self._next()
        if word == "(":
            test = self._either(variable)
            self._expect(")")
            return test
        if word == "not":
            self.advanced = True
            inner = self._one(variable)
            return lambda item: not inner(item)
        if word == "startswith":
            return self._startswith(variable)
        if "/any(" in word:
            return self._any(word)
        return self._compare(word, variable)

    def _startswith(self, variable: str) -> Test:
        self._expect("(")
        read = self._reader(self._next(), variable)
        self._expect(",")
        prefix = self._literal()
        self._expect(")")
        return lambda item: str(read(item) or "").casefold().startswith(str(prefix))

    def _any(self, token: str) -> Test:
        name, _, variable = token.partition("/any(")
        read = self._reader(name, "")
        test = self._either(variable.rstrip(":").strip())
        self._expect(")")
        return lambda item: any(test(element) for element in _sequence(read(item)))

    def _compare(self, token: str, variable: str) -> Test:
        read = self._reader(token, variable)
        word = self._next()
        if word == "in":
            values = self._literals()
            self.ors = max(self.ors, len(values))
            return lambda item: _comparable(read(item)) in values
        if word not in _OPERATORS:
            self.at -= 1
            raise self._wrong()
        self.advanced |= word == "ne"
        compare, value = _OPERATORS[word], self._literal()

        def test(item: object) -> bool:
            try:
                return compare(_comparable(read(item)), value)
            except TypeError:
                return False

        return test

    def _literals(self) -> list[object]:
        self._expect("(")
        values = [self._literal()]
        while self._peek() == ",":
            self.at += 1
            values.append(self._literal())
        self._expect(")")
        return values

    def _literal(self) -> object:
        token = self._next()
        if token.startswith("'"):
            token = token[1:-1].replace("''", "'")
        elif token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        self.literals.add(token.casefold())
        return _comparable(token)

    def _reader(self, path: str, variable: str) -> Callable[[object], object]:
        if not re.fullmatch(r"[A-Za-z]\w*(?:/\w+)*", path):
            self.at -= 1
            raise self._wrong()
        names = path.split("/")
        if variable and names[0] == variable:
            names = names[1:]
        else:
            self.properties.add(names[0])

        def read(item: object) -> object:
            for name in names:
                item = item.get(name) if isinstance(item, Mapping) else None
            return item

        return read


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _comparable(value: object) -> object:
    """Strings compare without case, moments as moments."""
    if not isinstance(value, str):
        return value
    if re.match(r"\d{4}-\d\d-\d\dT", value):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(value)
    return value.casefold()
