"""What a name, a publisher and reply URLs say about whose app it is. All three are chosen by whoever made the app."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

SHOWN = 80
"""Characters of a tenant's string that a reason quotes at most."""

_WEB = re.compile(r"\s*https?\s*:", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9*-]+(\.[a-z0-9*-]+)*|::1")
_MICROSOFT_NATIVE = ("login.microsoftonline.com", "login.live.com", "login.microsoftonline.us")
"""Hosts of the reply URLs that Microsoft gives to native clients, https://learn.microsoft.com/entra/identity-platform/reply-url"""
_LOOPBACK = re.compile(r"localhost|.*\.localhost|127(\.\d{1,3}){3}|\[?::1\]?")
_SWAPPED = {"o": "[o0]", "l": "[l1i]", "i": "[i1l]", "m": "(?:m|rn)", "w": "(?:w|vv)"}
"""Letters that plain ASCII can imitate: Z00m, Zoorn."""


def clean(text: str) -> str:
    """Return `text` without control, bidi, zero-width and unassigned characters, on one line and cut to SHOWN."""
    kept = "".join(c for c in text[: 4 * SHOWN] if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029")
    line = " ".join(kept.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def brand_word(text: str, words: Iterable[str]) -> str:
    """Return the first of `words` that stands in `text` as a word of its own (no letter beside it), or ""."""
    return next((word for word in words if _as_written(word).search(text)), "")


def imitated_word(text: str, words: Iterable[str]) -> str:
    """Return the first of `words` that stands in `text` only once look-alike characters are folded, or ""."""
    words = tuple(words)
    if brand_word(text, words):
        return ""
    folded = _fold(text)
    return next((word for word in words if _as_imitated(word).search(folded)), "")


def host_of(url: str) -> str:
    """Return the host of an http or https URL in lower case, or an empty text where no browser would agree on one."""
    if "\\" in url:
        # A browser reads a backslash as a slash, so the host of https://a\\@b is a, whatever a parser says.
        return ""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""
    return host if parts.scheme in ("http", "https") and (host == "::1" or _HOST.fullmatch(host)) else ""


def is_foreign(url: str, domains: Iterable[str]) -> bool:
    """Return whether the answer leaves by http or https for a host outside `domains`, or one that is told two ways.

    Custom schemes, loopback and Microsoft's page for native clients stay on the user's device and are not foreign.
    """
    host = host_of(url)
    web = bool(host or _WEB.match(url))
    return web and not (on_loopback(host) or on_domain(host, (*domains, *_MICROSOFT_NATIVE)))


def on_loopback(host: str) -> bool:
    """Return whether a host is the device that the user sits at."""
    return bool(_LOOPBACK.fullmatch(host))


def on_domain(host: str, domains: Iterable[str]) -> bool:
    """Return whether `host` is one of `domains` or lies below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


@lru_cache(maxsize=64)
def _as_written(word: str) -> re.Pattern[str]:
    return _alone(re.escape(word))


@lru_cache(maxsize=64)
def _as_imitated(word: str) -> re.Pattern[str]:
    return _alone("".join(_SWAPPED.get(letter, re.escape(letter)) for letter in word))


def _alone(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?ai:{pattern})(?![^\W\d_])")


def _fold(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(_plain(c) for c in decomposed if unicodedata.category(c)[0] not in "CM").lower()


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Return the ASCII letter that `character` can be mistaken for by Unicode's table, else the character itself."""
    if character.isascii():
        return character
    from confusable_homoglyphs.confusables import confusables_data

    likenesses = [entry["c"] for entry in confusables_data.get(character, ())]
    return next((c for c in likenesses if len(c) == 1 and c.isascii() and c.isalpha()), character)
