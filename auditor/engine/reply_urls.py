"""What a reply URL says: where the sign-in answer goes. Reply URLs are chosen by whoever made the app."""

from __future__ import annotations

import re

from auditor.knowledge.evidence import host_of, on_loopback

_WEB = re.compile(r"\s*(https?)\s*:", re.IGNORECASE)


def is_loopback(url: str) -> bool:
    """Return whether the answer goes to the device that the user sits at."""
    return on_loopback(host_of(url))


def is_insecure(url: str) -> bool:
    """Return whether the answer crosses a network in clear text."""
    web = _WEB.match(url)
    return bool(web and web[1].lower() == "http") and not is_loopback(url)


def is_wildcard(url: str) -> bool:
    """Return whether the URL stands for many addresses."""
    return "*" in url
