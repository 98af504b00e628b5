"""The environment that every HTML page is made in: what stands in a page is escaped, visible and short by default.

A page carries its own style and script and names both by hash in a content security policy, so that nothing else can
run in it. Every string passes `visible` and `cut` before it is escaped; no template decides that by itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from auditor.knowledge.data import data_dir
from auditor.model.text import count, visible
from auditor.reporters.text import cut, day, host, https_only, prose, steps, when

NAME_LENGTH = 160
"""Characters of a tenant's name or id that a page shows; the whole stands in the title."""

TITLE_LENGTH = 4096
"""Characters of such a title; the JSON file has what is longer."""

_CONFIGURATION_LINE = re.compile(r"`((?:apps\.[a-z0-9-]+\.)?(?:integrations|exclude): [^`]+)`")


def asset(name: str) -> str:
    """Return a text file of reports/, with LF line ends: the policy's hashes are over what a browser parses."""
    return (data_dir("reports") / name).read_text(encoding="utf-8")


def rendered(template: str, *, styles: Iterable[str], scripts: Iterable[str] = (), **values: object) -> bytes:
    """Return the page that a template of reports/ makes, with its style, its script and its policy.

    A page without scripts allows none.
    """
    style, script = ("".join(map(asset, names)) for names in (styles, scripts))
    allowed = f"script-src '{_hash(script)}'; " if script else ""
    page = (
        _environment()
        .get_template(template)
        .render(
            **values,
            style=Markup(style),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=(
                f"default-src 'none'; style-src '{_hash(style)}'; {allowed}"
                "img-src data:; base-uri 'none'; form-action 'none'"
            ),
        )
    )
    return page.encode()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(asset),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "count": count,
        "day": day,
        "host": host,
        "https": https_only,
        "name": _name,
        "prose": prose,
        "steps": steps,
        "with_lines": _with_lines,
        "when": when,
    }
    return environment


def _finalize(value: object) -> object:
    """Make every plain string visible and short before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(cut(value))
    return value


def _name(value: str) -> Markup:
    """Return a tenant's name apart from the text around it (bdi), cut, with the whole as its title where it was cut."""
    title = Markup(' title="{}"').format(visible(cut(value, TITLE_LENGTH))) if len(value) > NAME_LENGTH else ""
    return Markup("<bdi{}>{}</bdi>").format(title, visible(cut(value, NAME_LENGTH)))


def _with_lines(value: str) -> Markup:
    """Return sentences with each configuration line between back-ticks as code that can be copied."""
    parts = _CONFIGURATION_LINE.split(prose(value))
    return Markup().join(
        Markup('<code class="copy">{}</code>').format(part) if place % 2 else part for place, part in enumerate(parts)
    )
