"""What a compiled condition is made of, as CEL's own checker says it, and the bounds that keep it quick.

The library stops at 32 levels of nesting and at 10,000 steps of loops in one evaluation. It bounds neither what a
condition builds (a text that is doubled in each of 25 steps fills the memory) nor its patterns, which are compiled
anew at every evaluation, in up to 0.3 s. So a condition compares what the facts hold and builds nothing, and its
patterns are few, short and written out.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

MAX_CHARACTERS = 5_000
MAX_PATTERNS = 8
MAX_PATTERN = 200
"""Characters of one pattern."""

_Message = list[tuple[int, int | bytes]]

# Field numbers of https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto and syntax.proto
_ANY_VALUE = 2
_REFERENCES, _TYPES, _EXPRESSION = 2, 3, 4
_NAME, _OVERLOAD = 1, 3
_PRIMITIVE, _LIST, _TYPE = 3, 6, 11
_ID, _CONSTANT, _IDENTIFIER, _SELECT, _CALL, _LISTED, _STRUCT, _LOOP = 2, 3, 4, 5, 6, 7, 8, 9
_TARGET, _FUNCTION, _ARGUMENT = 1, 2, 3
_TEXT = 6
_RANGE = 2
_JOINING = frozenset({b"add_string", b"add_bytes", b"add_list"})


class Condition(Struct, frozen=True, kw_only=True):
    """A condition that compiled."""

    names: frozenset[str]
    """Every variable that it asks."""
    problem: str
    """Which bound it breaks, and `advice` how to keep it; empty when it keeps all."""
    advice: str = ""


def read(serialized: bytes) -> Condition:
    """Return what a serialized cel.expr.CheckedExpr (in a google.protobuf.Any) says."""
    checked = _message(_body(_message(serialized), _ANY_VALUE))
    references = {_number(entry, 1): _message(_body(entry, 2)) for entry in _messages(checked, _REFERENCES)}
    kinds = [_message(_body(entry, 2)) for entry in _messages(checked, _TYPES)]
    names = frozenset(_body(reference, _NAME).decode() for reference in references.values())
    broken = _broken(_message(_body(checked, _EXPRESSION)), references, kinds)
    return Condition(names=names, problem=broken[0], advice=broken[1])


def _broken(expression: _Message, references: dict[int, _Message], kinds: list[_Message]) -> tuple[str, str]:
    if not all(_is_simple(kind) for kind in kinds):
        return (
            "The condition uses another kind of value than true and false, numbers, texts and lists of them.",
            "Compare facts with such values only.",
        )
    patterns = 0
    for node, looped in _nodes(expression, looped=False):
        call = _message(_body(node, _CALL))
        function = _body(call, _FUNCTION)
        overloads = {value for field, value in references.get(_number(node, _ID), []) if field == _OVERLOAD}
        if overloads & _JOINING and not _gathers(call):
            return ("The condition joins texts or lists with `+`.", "Compare the parts; a condition builds nothing.")
        if function == b"matches":
            patterns += 1
            if problem := _pattern(call, looped=looped, number=patterns):
                return problem
    return "", ""


def _pattern(call: _Message, *, looped: bool, number: int) -> tuple[str, str] | None:
    if looped:
        return "`matches` stands inside a loop.", "Use startsWith, endsWith, contains or == there."
    if number > MAX_PATTERNS:
        return f"The condition has more than {MAX_PATTERNS} patterns.", "Make two rules of it."
    argument = _messages(call, _ARGUMENT)[-1]
    constant = _message(_body(argument, _CONSTANT))
    if not any(field == _TEXT for field, _ in constant):
        return "The pattern of `matches` is not a text.", "Write the pattern out, in quotes."
    if len(_body(constant, _TEXT).decode()) > MAX_PATTERN:
        return f"A pattern is longer than {MAX_PATTERN} characters.", "Make it shorter."
    return None


def _is_simple(kind: _Message) -> bool:
    """Tell whether a type is a primitive, the name of a type, or a list of primitives."""
    [(field, value)] = kind
    if field != _LIST or not isinstance(value, bytes):
        return field in (_PRIMITIVE, _TYPE)
    return [inner for inner, _ in _message(_body(_message(value), 1))] == [_PRIMITIVE]


def _gathers(call: _Message) -> bool:
    """Tell whether a `+` is the one by which `filter` and `map` gather their result."""
    first = _messages(call, _ARGUMENT)[0]
    return _body(_message(_body(first, _IDENTIFIER)), _NAME) == b"@result"


def _nodes(node: _Message, *, looped: bool) -> Iterator[tuple[_Message, bool]]:
    """Yield an expression and all inside it, each with whether a loop repeats it."""
    yield node, looped
    for field, value in node:
        if field in (_SELECT, _CALL, _LISTED, _LOOP) and isinstance(value, bytes):
            for part, inner in _message(value):
                if isinstance(inner, bytes) and _is_expression(field, part):
                    yield from _nodes(_message(inner), looped=looped or (field == _LOOP and part != _RANGE))


def _is_expression(kind: int, part: int) -> bool:
    return part in {_SELECT: (1,), _CALL: (_TARGET, _ARGUMENT), _LISTED: (1,), _LOOP: (_RANGE, 4, 5, 6, 7)}[kind]


def _message(data: bytes) -> _Message:
    """Return the fields of a protobuf message in their order: numbers, and everything else as bytes."""
    found: _Message = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            number, at = _varint(data, at)
            found.append((key >> 3, number))
            continue
        size, at = _varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)  # noqa: PLR2004 - wire types
        found.append((key >> 3, data[at : at + size]))
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while data[at] & 128:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return number | data[at] << shift, at + 1


def _messages(message: _Message, field: int) -> list[_Message]:
    return [_message(value) for number, value in message if number == field and isinstance(value, bytes)]


def _body(message: _Message, field: int) -> bytes:
    return next((value for number, value in message if number == field and isinstance(value, bytes)), b"")


def _number(message: _Message, field: int) -> int:
    return next((value for number, value in message if number == field and isinstance(value, int)), 0)
