"""cron: a block of one line in a user's crontab."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION, Request
from auditor.delivery.schedules.timetable import DAYS
from auditor.errors import MissingPartError, OutputError, UsageError

_LONGEST = 998
"""Characters of a line; Debian's cron takes 998 for the command, and cuts or refuses what is longer."""


def block(request: Request) -> str:
    """Return the lines of a crontab, with the marks by which they are found again.

    cron counts in the machine's own time, which may leap. So the line begins at each quarter of an hour that could be
    the one, and ends at once unless it is: every time zone lies whole quarters from UTC.

    Raises:
        UsageError: the line would be longer than cron takes.
    """
    plan = request.timetable
    quarters = ",".join(str(minute) for minute in range(plan.minute % 15, 60, 15))
    form, moment = "+%H:%M", f"{plan.hour:02}:{plan.minute:02}"
    if plan.every == "week":
        form, moment = f"+%u.{form[1:]}", f"{DAYS.index(plan.on) + 1}.{moment}"
    command = f'test "$(date -u {form})" != {moment} || exec {shlex.join(request.argv)} >/dev/null'
    line = f"{quarters} * * * * {command}".replace("%", "\\%")
    if len(line.encode()) > _LONGEST:
        raise UsageError(
            f"The line would be longer than the {_LONGEST} characters that cron takes.",
            where="cron",
            advice="Use shorter paths, or systemd.",
        )
    begin, end = _marks(request.name)
    return f"{begin}\n# {plan.words}; written by `entra-audit schedule cron`.\n{line}\n{end}\n"


def render(request: Request) -> Mapping[str, bytes]:
    """Return the block as a file."""
    return {f"{request.name}.crontab": block(request).encode()}


def install(request: Request) -> tuple[str, ...]:
    """Put the block into the user's crontab, in the place of an earlier one of the same name.

    Raises:
        MissingPartError: there is no crontab.
        OutputError: the crontab cannot be read or written, or has half a block.
    """
    added = block(request).encode()
    try:
        Path(request.reports).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder cannot be made: {error.strerror}.", where=request.reports) from None
    rest = _without(_read(), request.name)
    _write(rest + (b"" if not rest or rest.endswith(b"\n") else b"\n") + added)
    return (f"installed: {request.name} in your crontab, {request.timetable.words}",)


def remove(name: str, account: str) -> tuple[str, ...]:
    """Take the block of a name out of the user's crontab.

    Raises:
        MissingPartError: there is no crontab.
        OutputError: the crontab has no such block, or cannot be read or written.
        UsageError: an account was named.
    """
    if account:
        raise UsageError("A crontab is its user's.", where="--system", advice="Run this as that user, without it.")
    before = _read()
    after = _without(before, name)
    if after == before:
        raise OutputError("Your crontab has no such schedule.", where=name, advice="Check --name.")
    _write(after)
    return (f"removed: {name} from your crontab",)


def _marks(name: str) -> tuple[str, str]:
    return f"# BEGIN entra-audit {name}", f"# END entra-audit {name}"


def _without(crontab: bytes, name: str) -> bytes:
    """Return a crontab without the block of a name; everything else stays byte for byte.

    Raises:
        OutputError: the block has a beginning and no end.
    """
    begin, end = (mark.encode() + b"\n" for mark in _marks(name))
    lines = crontab.splitlines(keepends=True)
    if begin not in lines:
        return crontab
    first = lines.index(begin)
    if end not in lines[first:]:
        raise OutputError(
            f"The block of {name} in your crontab has no end.", advice="Mend it with `crontab -e`, then try again."
        )
    return b"".join(lines[:first] + lines[lines.index(end, first) + 1 :])


def _read() -> bytes:
    done = _crontab("-l")
    if done.returncode and b"no crontab for" not in done.stderr:
        raise OutputError(f"Your crontab cannot be read: {_said(done)}.", advice="Ask who administers this machine.")
    return b"" if done.returncode else done.stdout


def _write(crontab: bytes) -> None:
    done = _crontab("-", crontab)
    if done.returncode:
        raise OutputError(f"Your crontab cannot be written: {_said(done)}.", advice="It is as it was.")


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip()


def _crontab(word: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["crontab", word], input=given, capture_output=True, check=False)  # noqa: S603, S607 - the user's own
    except FileNotFoundError:
        raise MissingPartError("There is no crontab here.", advice="Install cron, or use systemd.") from None


SCHEDULE = Schedule(
    name="cron",
    help="A line of your crontab.",
    auth=("managed-identity", "certificate", "azure-cli", BY_CONFIGURATION),
    render=render,
    install=install,
    remove=remove,
)
