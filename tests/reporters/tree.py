"""A report's page as its elements, and what in it could run, load or hide its target."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

EMBEDS = frozenset(
    {"applet", "audio", "base", "embed", "foreignobject", "frame", "iframe", "image", "img", "math", "object", "video"}
)


class Tree(HTMLParser):
    """The elements of a page in order, with the names of their attributes; text apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, ...]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *sorted(name for name, _ in attrs if name != "title")))
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self.shape.append((f"/{tag}",))
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.inside.get(self._open, self.text).append(data)

    def handle_comment(self, data: str) -> None:
        self.shape.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.shape.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.shape.append(("instruction", data))

    def unknown_decl(self, data: str) -> None:
        self.shape.append(("unknown", data))

    @property
    def first_in_head(self) -> tuple[str, dict[str, str | None]]:
        """The first element of the head."""
        return self.elements[[tag for tag, _ in self.elements].index("head") + 1]


def dangers(tree: Tree) -> list[str]:
    """Return what in the page could run, load or hide its target."""
    found = []
    for tag, attributes in tree.elements:
        if tag in EMBEDS:
            found.append(tag)
        found += [name for name in attributes if name.startswith("on") or name in {"style", "srcdoc", "formaction"}]
        for name in {"href", "src", "action", "xlink:href"} & attributes.keys():
            address = attributes[name] or ""
            if not (address.startswith("#") or address == "data:," or urlsplit(address).scheme == "https"):
                found.append(address)
            if address.startswith("https:") and attributes.get("rel") != "noopener noreferrer":
                found.append(f"{address} without rel")
    scripts = sum(tag == "script" for tag, _ in tree.elements)
    return found + ["a second script"] * (scripts - 1)
