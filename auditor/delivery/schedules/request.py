"""What a schedule runs, checked: nothing of it can leave the place where a unit, a crontab or a manifest has it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

from auditor.delivery.schedules.timetable import Timetable
from auditor.errors import UsageError
from auditor.graph.clouds import CLOUDS
from auditor.graph.ways import NEEDS, Method
from auditor.model.canonical import to_json
from auditor.model.text import visible

BY_CONFIGURATION = "configuration"
"""The sign-in is that of each tenant of the configuration."""
NO_SECRET: tuple[Method, ...] = ("managed-identity", "workload-identity", "github-oidc", "certificate", "azure-cli")
"""The methods that need no secret which somebody would have to store for a schedule."""
SQLITE = "sqlite:///"
_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,30}", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TENANT = re.compile(rf"{_GUID.pattern}|[a-z0-9](?:[a-z0-9.-]{{0,250}}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_IMAGE = re.compile(
    r"[a-z0-9][a-z0-9.-]{0,253}(:\d{1,5})?(/[a-z0-9._-]{1,128}){1,8}(:[\w.-]{1,128})?(@sha256:[0-9a-f]{64})?", re.ASCII
)
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_LONGEST = 1024


class Request(Struct, frozen=True, kw_only=True):
    """What to run, when and as whom; paths are those of the machine or container that runs it."""

    timetable: Timetable
    name: str = "entra-audit"
    command: tuple[str, ...]
    """The program with its verb."""
    config: str
    reports: str
    history: str = ""
    """As `--history` takes it; empty: as the configuration says."""
    notify_file: str = ""
    log: str = ""
    lock: str = ""
    retries: int = 3
    jitter: int = 300
    """Seconds."""
    auth: str = BY_CONFIGURATION
    """A method of NO_SECRET, or BY_CONFIGURATION."""
    tenant_id: str = ""
    client_id: str = ""
    cloud: str = ""
    certificate: str = ""
    image: str = ""
    """Of a container."""
    account: str = ""
    """As whom the machine runs it; empty: as the user who installs it."""

    @property
    def history_file(self) -> str:
        """The file of the history; empty where it is a database's address, `default`, or as configured."""
        path = self.history.removeprefix(SQLITE)
        return "" if "://" in path or path == "default" else path

    @property
    def argv(self) -> tuple[str, ...]:
        """The whole command line."""
        options = {
            "--config": self.config,
            "--out": self.reports,
            "--history": self.history,
            "--notify-file": self.notify_file,
            "--log": self.log,
            "--lock": self.lock,
            "--retries": str(self.retries),
            "--jitter": str(self.jitter),
            "--auth": "" if self.auth == BY_CONFIGURATION else self.auth,
            "--cloud": self.cloud,
            "--tenant-id": self.tenant_id,
            "--client-id": self.client_id,
            "--certificate": self.certificate,
        }
        return (*self.command, *(part for option, value in options.items() if value for part in (option, value)))


def check(request: Request) -> None:
    """Refuse what could not stand in what is written, and what would store a secret there.

    Raises:
        UsageError: a value is not of its form, or the sign-in lacks a part.
    """
    check_name(request.name)
    _match(_TENANT, request.tenant_id, "--tenant-id", "Give the tenant's id or one of its domains.")
    _match(_GUID, request.client_id, "--client-id", "Write it as 8-4-4-4-12 hex digits.")
    _match(_IMAGE, request.image, "--image", "Write it as registry.example/entra-audit@sha256:...")
    _match(_ACCOUNT, request.account, "--run-as", "Name a user of the machine.")
    if request.cloud and request.cloud not in CLOUDS:
        raise UsageError(
            f"There is no cloud '{request.cloud}'.", where="--cloud", advice=f"One of {', '.join(CLOUDS)}."
        )
    for option, path in (
        ("--config", request.config),
        ("--reports", request.reports),
        ("--history", request.history),
        ("--notify-file", request.notify_file),
        ("--log", request.log),
        ("--lock", request.lock),
        ("--certificate", request.certificate),
        ("the program's path", "".join(request.command)),
    ):
        check_path(path, option)
    if _has_password(request.history):
        raise UsageError(
            "The address holds a password, and a schedule stores no secret.",
            where="--history",
            advice="Leave it out: docs/history.md says where the password comes from.",
        )
    _check_sign_in(request)


def check_name(name: str) -> None:
    """Refuse a name that could not be a unit's, a job's and a file's.

    Raises:
        UsageError: it could not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{visible(name)[:100]}' cannot be a schedule's name.",
            where="--name",
            advice="Use lower-case letters, digits and single hyphens; at most 31, a letter first.",
        )


def check_path(path: str, option: str) -> None:
    """Refuse a path that could not be written on one line, or that would be taken for an option.

    Raises:
        UsageError: it is such.
    """
    if visible(path) != path:
        raise UsageError("A path holds a character that cannot be seen.", where=option, advice="Rename the file.")
    if path.startswith("-") or len(path) > _LONGEST:
        raise UsageError(
            "A path begins with a hyphen, or is too long.",
            where=option,
            advice="Give it from the root, or a shorter one.",
        )


def _match(form: re.Pattern[str], value: str, option: str, advice: str) -> None:
    if value and not form.fullmatch(value):
        raise UsageError(f"'{visible(value)[:100]}' cannot stand there.", where=option, advice=advice)


def _has_password(location: str) -> bool:
    try:
        return "://" in location and (urlsplit(location).password is not None or "password" in location.lower())
    except ValueError:
        return True


def _check_sign_in(request: Request) -> None:
    given = {"tenant_id": request.tenant_id, "client_id": request.client_id, "certificate_path": request.certificate}
    if request.auth == BY_CONFIGURATION:
        if any(given.values()) or request.cloud:
            raise UsageError(
                "The configuration says how each tenant is read.",
                where="--tenant-id, --client-id, --cloud, --certificate",
                advice="Leave them out, or name a method with --auth.",
            )
        return
    method = next((method for method in NO_SECRET if method == request.auth), None)
    if method is None:
        raise UsageError(
            f"A schedule does not sign in by '{visible(request.auth)}': somebody would store a secret, or sit there.",
            where="--auth",
            advice=f"One of {', '.join((*NO_SECRET, BY_CONFIGURATION))}.",
        )
    options = {"tenant_id": "--tenant-id", "client_id": "--client-id", "certificate_path": "--certificate"}
    missing = [options[part] for part in NEEDS.get(method, ()) if part in given and not given[part]]
    if missing:
        raise UsageError(
            f"Signing in by {method} needs more.", where=" and ".join(missing), advice="Give what is missing."
        )
    if request.certificate and method != "certificate":
        raise UsageError(f"{method} does not use this.", where="--certificate", advice="Leave it out.")


def in_yaml(value: object) -> str:
    """Return a value in YAML's flow style, which JSON is; every text is quoted."""
    return to_json(value).decode().rstrip("\n")
