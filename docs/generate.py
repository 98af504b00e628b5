"""Write the generated pages of docs/, from the same tables that the program runs on.

    python -m docs.generate            write every page and block that is stale
    python -m docs.generate --check    write nothing; name what is stale and exit with 1

A page under docs/reference/ is generated whole. In other files a block is generated: the lines between
`<!-- generated: NAME -->` and `<!-- end -->`. Nothing here asks a tenant, a clock or the terminal's width.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from docs import commands, dependencies, knowledge, permissions

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path("docs/reference")
BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"permissions": permissions.needed},
    "SECURITY.md": {"calls": permissions.calls, "writes": permissions.writes},
}
"""File to the names of its generated blocks, and what stands in each."""
END = "<!-- end -->"


def main(arguments: list[str]) -> int:
    """Write what is stale, or with --check only name it; return the exit code."""
    if arguments not in ([], ["--check"]):
        print("Usage: python -m docs.generate [--check]", file=sys.stderr)
        return 2
    stale = find_stale(ROOT)
    if not arguments:
        for name, text in stale.items():
            _write(ROOT / name, text)
            print(f"{'written' if text else 'removed'}: {name}")
        return 0
    for name in stale:
        print(f"stale: {name}; write it with: make docs", file=sys.stderr)
    return 1 if stale else 0


def find_stale(root: Path) -> dict[str, str]:
    """Return the files below `root` that do not read as they must, each with its text; empty: it must go."""
    wanted = pages() | {name: with_blocks(read(root / name), blocks) for name, blocks in BLOCKS.items()}
    stale = {name: text for name, text in wanted.items() if read(root / name) != text}
    strangers = sorted(path.relative_to(root).as_posix() for path in (root / REFERENCE).glob("*.md"))
    return stale | dict.fromkeys((name for name in strangers if name not in wanted), "")


@cache
def pages() -> dict[str, str]:
    """Return every generated page by its path."""
    found = {
        "cli": commands.page(),
        "dependencies": dependencies.page(),
        "facts": knowledge.facts_page(),
        "frameworks": knowledge.frameworks_page(),
        "graph-permissions": permissions.page(),
        "permissions": knowledge.families_page(),
        "rules": knowledge.rules_page(),
        **knowledge.profile_pages(),
    }
    return {(REFERENCE / f"{name}.md").as_posix(): text for name, text in found.items()}


def with_blocks(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return `text` with all of its blocks replaced; see with_block."""
    for name, body in blocks.items():
        text = with_block(text, name, body)
    return text


def with_block(text: str, name: str, body: Callable[[], str]) -> str:
    """Return `text` with the lines of its block `name` replaced.

    Raises:
        ValueError: the block is not there, or has no end.
    """
    start = f"<!-- generated: {name} -->"
    before, found, rest = text.partition(f"{start}\n")
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"There is no block '{name}' between '{start}' and '{END}'.")
    return f"{before}{start}\n\n{body()}\n{END}{after}"


def _write(path: Path, text: str) -> None:
    if text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    else:
        path.unlink()


def read(path: Path) -> str:
    """Return the text of a file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
