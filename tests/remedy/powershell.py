"""PowerShell read without PowerShell: a grammar, and a lint for what that grammar is known to let through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_pwsh.language()))
_TYPOGRAPHIC = re.compile("[\u2018-\u201b\u201c-\u201e]")
_SCOPES = frozenset({"script", "env", "global", "local", "private", "using", "function", "variable"})
_COLON = re.compile(r"(?<!`)\$(\w+):(?!:)")
_OPENS = re.compile(r"@(['\"])[ \t]*$")


def broken(source: str) -> list[str]:
    """Return what is wrong with a script, each with its line; empty: nothing that these two can see."""
    tree = _PARSER.parse(source.encode())
    return [*_unparsed(tree.root_node), *_linted(tree.root_node), *_here_strings(source), *_characters(source)]


def without_comments(source: str) -> list[str]:
    """Return a script's lines without its comments, which are found by the grammar and not by their looks."""
    data = source.encode()
    for node in reversed([node for node in _walk(_PARSER.parse(data).root_node) if node.type == "comment"]):
        data = data[: node.start_byte] + data[node.end_byte :]
    return data.decode().split("\n")


def _walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(here.children))


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _at(node: Node, what: str) -> str:
    return f"line {node.start_point[0] + 1}: {what}"


def _unparsed(root: Node) -> Iterator[str]:
    for node in _walk(root):
        if node.is_error or node.is_missing:
            yield _at(node, f"not understood: {_text(node)[:60]!r}")


def _linted(root: Node) -> Iterator[str]:
    for node in _walk(root):
        kinds = [child.type for child in node.children]
        if node.type == "try_statement" and not {"catch_clauses", "finally_clause"} & set(kinds):
            yield _at(node, "try without catch or finally")
        if node.type == "command_name" and _text(node).lower() in ("else", "elseif", "catch", "finally"):
            yield _at(node, f"{_text(node)} without its beginning")
        if node.type in ("expandable_string_literal", "expandable_here_string_literal"):
            for name in _COLON.findall(_text(node)):
                if name.lower() not in _SCOPES:
                    yield _at(node, f"${name}: in a string has to be ${{{name}}}:")
        if node.type == "assignment_expression" and node.children and _is_constant(node.children[0]):
            yield _at(node, "assignment to a constant")
        if node.type in ("redirection", "<") and _text(node).lstrip().startswith("<"):
            yield _at(node, "< is no operator")
        if node.type in ("generic_token", "command_token") and _text(node).startswith("<"):
            yield _at(node, "< is no operator")


def _is_constant(node: Node) -> bool:
    return re.fullmatch(r"\s*(\d+|'[^']*'|\"[^\"$]*\")\s*", _text(node)) is not None


def _here_strings(source: str) -> Iterator[str]:
    """Tell of a here-string that does not end, or of an end without a beginning."""
    opened, since = "", 0
    for number, line in enumerate(source.split("\n"), 1):
        if opened:
            if line.startswith(f"{opened}@"):
                opened = ""
        elif line.startswith(("'@", '"@')):
            yield f"line {number}: a here-string ends that did not begin"
        elif not line.lstrip().startswith("#") and (hit := _OPENS.search(line)):
            opened, since = hit[1], number
    if opened:
        yield f"line {since}: a here-string does not end"


def _characters(source: str) -> Iterator[str]:
    for number, line in enumerate(source.split("\n"), 1):
        if _TYPOGRAPHIC.search(line):
            yield f"line {number}: a typographic quote ends strings"
        if not line.isascii() or not (line.isprintable() or not line):
            yield f"line {number}: not printable ASCII"
