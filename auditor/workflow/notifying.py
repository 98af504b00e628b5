"""Who is told of a watch, and of what; a channel that fails changes nothing of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from auditor.delivery.digest import digest, digest_of_error, worth_telling
from auditor.delivery.notify import Channel, channels, send
from auditor.errors import AuditorError, SignInError, UsageError
from auditor.graph.secret import NOTIFY, Secret, secret_from_file
from auditor.model.configuration import NotifyConfiguration
from auditor.workflow.watch import Watched


def whom(file: Path | None, environ: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return the channels of a file, else those of the environment; none where neither names one.

    Raises:
        UsageError: the file cannot be read, is empty, or others may read it; or there are too many addresses.
        MissingPartError: apprise is not installed.
    """
    if file is None:
        return channels(Secret(environ.get(NOTIFY, "")))
    try:
        return channels(secret_from_file(file, "the addresses of notifications"))
    except SignInError as error:
        raise UsageError(error.what, where=error.where, advice=error.advice) from None


def tell(watched: Watched, to: Sequence[Channel], settings: NotifyConfiguration, *, where: str) -> tuple[str, ...]:
    """Tell the channels of a watch where somebody has to know; return a sentence for each that failed.

    Args:
        watched: the watch.
        to: the channels.
        settings: what may be said.
        where: where the combined report lies.
    """
    if not to or not worth_telling(watched.watch, unchanged=settings.unchanged):
        return ()
    told = list(zip(watched.watch.audits, watched.drifts, strict=True))
    return send(digest(told, exit_code=watched.watch.exit_code, where=where, names=settings.names), to)


def tell_error(error: AuditorError, to: Sequence[Channel], *, names: bool) -> tuple[str, ...]:
    """Tell the channels that a watch came to no report; return a sentence for each that failed."""
    return send(digest_of_error(str(error), exit_code=int(error.exit_code), names=names), to) if to else ()
