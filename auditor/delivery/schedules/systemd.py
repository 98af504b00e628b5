"""systemd: a service, and a timer that starts it; of a user, or of the system under an account of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION, Request
from auditor.errors import MissingPartError, OutputError, UsageError

SYSTEM = Path("/etc/systemd/system")
_PLAIN = re.compile(r"/[\w./+-]+", re.ASCII)
_SANDBOX = """\
User={account}
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
CapabilityBoundingSet=
"""
_SERVICE = """\
# entra-audit {words}; written by `entra-audit schedule systemd`.
[Unit]
Description=entra-audit watch ({name})
{online}
[Service]
Type=oneshot
ExecStart={command}
# 1: the run is complete and has findings. Whatever else is a failure of this unit.
SuccessExitStatus=1
TimeoutStartSec=6h
# What is found stands in the reports; messages go to the journal.
StandardOutput=null
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
{sandbox}"""
_TIMER = """\
# entra-audit {words}; written by `entra-audit schedule systemd`.
[Unit]
Description=Begins entra-audit watch ({name}) {words}

[Timer]
OnCalendar={calendar}
# A run that the machine slept through begins when it is up again.
Persistent=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def quoted(text: str) -> str:
    """Return a text as one word of a unit's setting in which systemd expands nothing."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def argument(text: str) -> str:
    """Return a text as one argument of ExecStart, where a dollar sign would name a variable."""
    return quoted(text).replace("$", "$$")


def render(request: Request) -> Mapping[str, bytes]:
    """Return the service and the timer.

    Raises:
        UsageError: the program's path is one that systemd would read as more than a path, or a path is not absolute.
    """
    program, *arguments = request.argv
    if not _PLAIN.fullmatch(program):
        raise UsageError(
            "systemd cannot start a program of that path.", where=program, advice="Install it under a plain path."
        )
    if request.account and request.auth == "azure-cli":
        raise UsageError(
            "The Azure CLI writes into its user's home, which is read-only in the sandbox of a system's unit.",
            where="--auth",
            advice="Leave --run-as out, or sign in by managed-identity or certificate.",
        )
    words = request.timetable.words
    sandbox = ""
    if request.account:
        sandbox = _SANDBOX.format(account=request.account, writable=" ".join(map(quoted, _writable(request))))
    # A user's manager does not know the system's targets.
    online = "Wants=network-online.target\nAfter=network-online.target\n" if request.account else ""
    service = _SERVICE.format(
        words=words,
        name=request.name,
        online=online,
        command=" ".join((program, *map(argument, arguments))),
        sandbox=sandbox,
    )
    timer = _TIMER.format(words=words, name=request.name, calendar=request.timetable.calendar)
    return {f"{request.name}.service": service.encode(), f"{request.name}.timer": timer.encode()}


def _writable(request: Request) -> dict[str, None]:
    """Return the folders that a system's service may write to, in order; nothing else is left writable.

    Raises:
        UsageError: the history lies where nobody knows beforehand.
    """
    if request.history == "default":
        raise UsageError(
            "With --run-as the history has to have a path.", where="--history", advice="Name a file in its own folder."
        )
    files = (request.log, request.lock, request.history_file)
    return dict.fromkeys((request.reports, *(str(Path(file).parent) for file in files if file)))


def install(request: Request) -> tuple[str, ...]:
    """Write both units where systemd finds them, and start the timer.

    Raises:
        MissingPartError: there is no systemctl.
        OutputError: the units cannot be written, or systemd refuses them.
    """
    folder = _folder(request.account)
    files = render(request)
    if request.account and not _is_account(request.account):
        raise UsageError("There is no such user.", where="--run-as", advice="Make the account first.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A service whose writable folder is missing does not start.
        for writable in _writable(request) if request.account else (request.reports,):
            _make(Path(writable), request.account)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"The units cannot be written: {error.strerror}.",
            where=str(folder),
            advice="Print them without --install, and put them there as an administrator.",
        ) from None
    _systemctl(request.account, "daemon-reload")
    _systemctl(request.account, "enable", "--now", f"{request.name}.timer")
    return (*(f"written: {folder / name}" for name in files), f"started: {request.name}.timer")


def _make(folder: Path, account: str) -> None:
    """Make a folder, the account's own; one that is there stays as it is."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    if account:
        shutil.chown(folder, user=account)


def remove(name: str, account: str) -> tuple[str, ...]:
    """Stop the timer of a name, and remove both units.

    Raises:
        MissingPartError: there is no systemctl.
        OutputError: there is no such timer, or it cannot be removed.
    """
    folder = _folder(account)
    units = [folder / f"{name}{suffix}" for suffix in (".timer", ".service")]
    if not units[0].exists():
        raise OutputError("There is no such timer.", where=str(units[0]), advice="Check --name and --system.")
    _systemctl(account, "disable", "--now", units[0].name)
    try:
        for unit in units:
            unit.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"A unit cannot be removed: {error.strerror}.", where=str(folder)) from None
    _systemctl(account, "daemon-reload")
    return tuple(f"removed: {unit}" for unit in units)


def _is_account(name: str) -> bool:
    import pwd

    return any(entry.pw_name == name for entry in pwd.getpwall())


def _folder(account: str) -> Path:
    if account:
        return SYSTEM
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _systemctl(account: str, *words: str) -> None:
    command = ["systemctl", "--system" if account else "--user", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - names are checked
    except FileNotFoundError:
        raise MissingPartError(
            "There is no systemctl here.", advice="Print the units without --install, or use cron."
        ) from None
    if done.returncode:
        raise OutputError(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}.", advice="Mend what it says, then install again."
        )


SCHEDULE = Schedule(
    name="systemd",
    help="A service and a timer of systemd, of a user or of the system.",
    auth=("managed-identity", "certificate", "azure-cli", BY_CONFIGURATION),
    render=render,
    install=install,
    remove=remove,
)
