"""What a reply URL says: where the sign-in answer goes. Reply URLs are chosen by whoever made the app."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from auditor.knowledge.evidence import host_of, on_domain, on_loopback

_MICROSOFT_NATIVE = ("login.microsoftonline.com", "login.live.com", "login.microsoftonline.us")
"""Hosts of the reply URLs that Microsoft gives to native clients, https://learn.microsoft.com/entra/identity-platform/reply-url"""
_WEB = re.compile(r"\s*(https?)\s*:", re.IGNORECASE)


def _host(url: str) -> str:
    try:
        return (urlsplit(url.strip()).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_loopback(url: str) -> bool:
    """Return whether the answer goes to the device that the user sits at."""
    return bool(_WEB.match(url) and on_loopback(_host(url)))


def is_insecure(url: str) -> bool:
    """Return whether the answer crosses a network in clear text."""
    web = _WEB.match(url)
    return bool(web and web[1].lower() == "http") and not is_loopback(url)


def is_wildcard(url: str) -> bool:
    """Return whether the URL stands for many addresses."""
    return "*" in url


def is_foreign(url: str, domains: Iterable[str]) -> bool:
    """Return whether a web URL lies outside `domains`, or has no host that every reader would agree on."""
    if not _WEB.match(url) or is_loopback(url):
        return False
    host = host_of(url)
    return not on_domain(host, (*domains, *_MICROSOFT_NATIVE))
