"""Notifications by apprise: to every address that was given, in bounded time, and never with an address in words.

An address holds a token or a password as a rule. It comes from the environment or a file, and is shown nowhere: a
channel is called by its place among the others and by its scheme.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from threading import Thread
from time import monotonic

from msgspec import Struct

from auditor.delivery.digest import Digest
from auditor.errors import MissingPartError, UsageError
from auditor.graph.secret import NOTIFY, Secret

TIMEOUT = 30.0
"""Seconds until all channels together are no longer waited for."""
MOST = 20
"""Channels at most."""
_SCHEME = re.compile(r"([a-z][a-z0-9]{1,19})://.")
_LOGGERS = ("apprise", "requests", "urllib3")


class Channel(Struct, frozen=True, kw_only=True):
    """One address to tell."""

    place: int
    """Counts from 1, in the order of the list."""
    scheme: str
    """`slack`, `mailtos`, ...; empty where the text does not begin with one."""
    address: Secret

    @property
    def called(self) -> str:
        """How it is named in words: `channel 2 (slack)`."""
        return f"channel {self.place}" + (f" ({self.scheme})" if self.scheme else "")


def channels(text: Secret) -> tuple[Channel, ...]:
    """Return the channels of a list: one address per line, or several with blanks between; `#` begins a comment.

    Raises:
        UsageError: there are too many.
        MissingPartError: apprise is not installed.
    """
    lines = [line for line in text.reveal().splitlines() if not line.lstrip().startswith("#")]
    addresses = [word for line in lines for word in line.split()]
    if len(addresses) > MOST:
        raise UsageError(
            f"{len(addresses)} addresses are more than the {MOST} that are told.",
            where=NOTIFY,
            advice="Leave some out, or let one channel tell the others.",
        )
    if addresses and find_spec("apprise") is None:
        raise MissingPartError(
            "Notifications need 'apprise', which is not installed.",
            advice='Install it: pip install "entra-auditor[notify]"',
        )
    return tuple(
        Channel(place=place, scheme=_scheme(address), address=Secret(address))
        for place, address in enumerate(addresses, 1)
    )


def send(digest: Digest, to: Sequence[Channel], *, timeout: float = TIMEOUT) -> tuple[str, ...]:
    """Tell every channel, side by side, and return a sentence for each that failed; it names no address.

    Args:
        digest: the message.
        to: the channels.
        timeout: seconds that all of them together get.
    """
    ended: dict[int, str] = {}

    def work(channel: Channel) -> None:
        # What a plugin raises may hold the address in its words, and there is no list of what plugins raise.
        with suppress(Exception):
            ended[channel.place] = _sent(digest, channel)

    with _quiet():
        threads = [Thread(target=work, args=(channel,), name="notify", daemon=True) for channel in to]
        for thread in threads:
            thread.start()
        until = monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
    late = {one.place for one, thread in zip(to, threads, strict=True) if thread.is_alive()}
    why = {
        one.place: f"no answer within {timeout:.0f} s" if one.place in late else ended.get(one.place, "it broke off")
        for one in to
    }
    return tuple(f"{one.called} was not told: {why[one.place]}" for one in to if why[one.place])


def _sent(digest: Digest, channel: Channel) -> str:
    """Tell one channel; return why it was not told, or an empty text."""
    from apprise import Apprise, NotifyFormat, NotifyType

    kinds = {"failure": NotifyType.FAILURE, "warning": NotifyType.WARNING, "info": NotifyType.INFO}
    service = Apprise.instantiate(channel.address.reveal(), suppress_exceptions=True)
    if service is None:
        return "the address is none that apprise can use"
    apprise = Apprise()
    apprise.add(service)
    done = apprise.notify(
        body=digest.body,
        title=digest.title,
        notify_type=kinds[digest.tone],
        body_format=NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    return "" if done else "it could not be reached, or did not take the message"


@contextmanager
def _quiet() -> Iterator[None]:
    """Let no library speak while the block runs: they write addresses and parts of them into their logs."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        logger.propagate = False
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def _scheme(address: str) -> str:
    found = _SCHEME.match(address.lower())
    return found[1] if found else ""
