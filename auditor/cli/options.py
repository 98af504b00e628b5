"""Options that several verbs share: which source is read, as whom, and for which app."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct

from auditor.cli.progress import progress
from auditor.errors import UsageError
from auditor.graph.auth import (
    SIMULATOR_TOKEN,
    SIMULATOR_WRITE_TOKEN,
    Connection,
    SignIn,
    connection,
)
from auditor.graph.clouds import CLOUDS
from auditor.graph.secret import CERTIFICATE_PASSWORD, Secret, secret_from_environment, secret_from_file
from auditor.graph.ways import METHODS
from auditor.knowledge.permissions import GUID
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.sources import SourceKind, SourceRequest, sources

F = TypeVar("F", bound=Callable[..., Any])


class Chosen(Struct, frozen=True, kw_only=True):
    """What the source options said."""

    kind: SourceKind
    location: str
    demo: bool
    taken_at: datetime | None
    sign_in: SignIn | None
    """None for a source that needs no sign-in."""
    strict_identity: bool


SIGN_IN = (
    click.option("--auth", type=click.Choice(METHODS), default="default", show_default=True, help="How to sign in."),
    click.option(
        "--cloud",
        type=click.Choice(list(CLOUDS)),
        help="The tenant's cloud; else that of AZURE_AUTHORITY_HOST, else public.",
    ),
    click.option("--tenant-id", metavar="ID", default="", help="The tenant's id or domain."),
    click.option("--client-id", metavar="ID", default="", help="appId of the identity that reads."),
    click.option(
        "--secret-file",
        type=click.Path(path_type=Path),
        help="File with the client secret; else ENTRA_AUDIT_CLIENT_SECRET, else a prompt.",
    ),
    click.option("--certificate", metavar="FILE", default="", help="PEM or PKCS #12 file of the certificate."),
    click.option(
        "--token-file",
        metavar="FILE",
        default="",
        help="File with the token of workload-identity; else AZURE_FEDERATED_TOKEN_FILE.",
    ),
)
"""How to sign in, and as whom."""


def sign_in_options(command: F) -> F:
    """Add the options that choose a sign-in; `reader_connection` and `writer_connection` read them back."""
    for option in reversed(SIGN_IN):
        command = option(command)
    return command


def reader_connection(values: dict[str, Any]) -> Connection:
    """Take the sign-in options out of a command's `values`, and return how to reach the tenant as they say.

    Raises:
        UsageError: an option is missing or too many.
    """
    chosen = _sign_in(values, needed=True)
    assert chosen  # noqa: S101 - it was needed
    return connection(chosen, os.environ)


def writer_connection(values: dict[str, Any]) -> Connection:
    """Return the same for an identity that writes; the simulator has a token of its own for it."""
    chosen = _sign_in(values, needed=True)
    assert chosen  # noqa: S101 - it was needed
    token = os.environ.get(SIMULATOR_WRITE_TOKEN)
    return connection(chosen, {**os.environ, SIMULATOR_TOKEN: token} if token else os.environ)


def source_options(command: F) -> F:
    """Add the options that choose a source and a sign-in; `choose` reads them back."""
    for kind in reversed([kind for kind in sources().values() if kind.option]):
        command = click.option(kind.option, metavar=kind.metavar, help=kind.help)(command)
    for option in reversed(
        (
            click.option("--demo", is_flag=True, help="Audit a made-up tenant that is served on this machine."),
            click.option("--taken-at", metavar="TIME", help="When an export was made, as 2026-11-22T09:14:00Z."),
            *SIGN_IN,
            click.option("--strict-identity", is_flag=True, help="Refuse an identity that could also write."),
        )
    ):
        command = option(command)
    return command


def choose(values: dict[str, Any]) -> Chosen:
    """Take the source options out of a command's `values` and return what they say.

    Raises:
        UsageError: two sources, or an unreadable time.
    """
    kinds = [kind for kind in sources().values() if kind.option]
    locations = {kind: values.pop(kind.option.removeprefix("--").replace("-", "_")) for kind in kinds}
    named = [kind for kind, location in locations.items() if location is not None]
    demo = bool(values.pop("demo"))
    if len(named) + demo > 1:
        options = [*(["--demo"] if demo else []), *(kind.option for kind in named)]
        raise UsageError(f"{' and '.join(options)} exclude each other.", advice="Name one source.")
    kind = named[0] if named else next(kind for kind in sources().values() if not kind.option)
    strict = bool(values.pop("strict_identity"))
    if strict and named:
        raise UsageError(
            "A file is read as nobody.", where="--strict-identity", advice="Leave it out: it is for a tenant."
        )
    sign_in = _sign_in(values, needed=not named and not demo)
    return Chosen(
        kind=kind,
        location=locations.get(kind) or "",
        demo=demo,
        taken_at=_moment(values.pop("taken_at")),
        sign_in=sign_in,
        strict_identity=strict,
    )


def app_ids(values: tuple[str, ...]) -> frozenset[str]:
    """Return the appIds of --app-id in lower case.

    Raises:
        UsageError: one is no GUID.
    """
    for value in values:
        if not GUID.fullmatch(value.lower()):
            raise UsageError(f"'{value}' is no appId.", where="--app-id", advice="Write it as 8-4-4-4-12 hex digits.")
    return frozenset(value.lower() for value in values)


class Target(click.Path):
    """A path to write to; an empty one, as an unset shell variable gives, would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, and refuse an empty one."""
        if value == "":
            self.fail("the path is empty; write . for the current folder", param, ctx)
        return super().convert(value, param, ctx)


def sample_configuration(chosen: Chosen) -> Configuration | None:
    """Return the answers of the sample tenant's made-up team where that tenant is read, else None."""
    if not chosen.demo:
        return None
    from auditor.workflow.demo import demo_configuration

    return demo_configuration()


@contextmanager
def request(
    chosen: Chosen, *, profile: AppProfile, configuration: AppConfiguration, only: frozenset[str] = frozenset()
) -> Iterator[SourceRequest]:
    """Yield the request for the chosen source; the demo tenant is served for as long as the block runs."""
    with _connection(chosen) as to, progress() as show:
        yield SourceRequest(
            profile=profile,
            configuration=configuration,
            location=chosen.location,
            only=only,
            taken_at=chosen.taken_at,
            connection=to,
            strict_identity=chosen.strict_identity,
            progress=show,
        )


@contextmanager
def _connection(chosen: Chosen) -> Iterator[Connection | None]:
    if chosen.demo:
        from auditor.workflow.demo import demo_connection

        with demo_connection() as to:
            yield to
    else:
        yield connection(chosen.sign_in, os.environ) if chosen.sign_in else None


_SIGN_IN_OPTIONS = ("auth", "cloud", "tenant_id", "client_id", "secret_file", "certificate", "token_file")


def _sign_in(values: dict[str, Any], *, needed: bool) -> SignIn | None:
    said = {name: values.pop(name) for name in _SIGN_IN_OPTIONS}
    if not needed:
        if said.pop("auth") != "default" or any(said.values()):
            raise UsageError(
                "Sign-in options need a tenant to sign in to, and this source is none.",
                where=", ".join(f"--{name.replace('_', '-')}" for name in _SIGN_IN_OPTIONS),
                advice="Leave them out, or leave out the source to read the tenant.",
            )
        return None
    method, file, password = said["auth"], said["secret_file"], os.environ.get(CERTIFICATE_PASSWORD)
    return SignIn(
        method=method,
        cloud=CLOUDS.get(said["cloud"] or ""),
        tenant_id=said["tenant_id"],
        client_id=said["client_id"],
        secret=_secret(file) if file or method == "client-secret" else None,
        certificate_path=said["certificate"],
        certificate_password=Secret(password) if password else None,
        token_file=said["token_file"],
    )


def _secret(path: Path | None) -> Secret | None:
    if path is not None:
        return secret_from_file(path)
    found = secret_from_environment(os.environ)
    if found is None and sys.stdin is not None and sys.stdin.isatty():
        found = Secret(click.prompt("Client secret", hide_input=True, err=True))
    return found


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text}' is not a time.", where="--taken-at", advice="Write it as 2026-11-22T09:14:00Z."
        ) from None
