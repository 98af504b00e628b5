"""The configuration that `init` writes: what only the team knows, with who said it and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct

from auditor.engine.answers import identify_in
from auditor.engine.decide import holds
from auditor.errors import OutputError
from auditor.knowledge.configuration import check_configuration, count_unequal, read_configuration, render_configuration
from auditor.knowledge.identify import IdentifiedApp
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import Answer, AppConfiguration, Configuration
from auditor.model.snapshot import Snapshot
from auditor.workflow.writing import write_file

UPN_QUESTION = "upn_equals_zoom_email"


class Question(Struct, frozen=True, kw_only=True):
    """A question of the profile that is open."""

    id: str
    text: str
    ask_whom: str


def open_apps(snapshot: Snapshot, profile: AppProfile) -> tuple[IdentifiedApp, ...]:
    """Return the apps whose integration no document confirms: what the team must say something of."""
    apps = identify_in(snapshot, profile=profile, configuration=AppConfiguration()).apps
    return tuple(app for app in apps if not app.confirmed)


def open_questions(profile: AppProfile, app: AppConfiguration) -> Iterator[Question]:
    """Yield each question that features and answers leave open, once."""
    said: set[str] = set()
    for condition in profile.preconditions:
        if condition.id not in said and holds(condition, app.features, app.answers) is None:
            said.add(condition.id)
            yield Question(id=condition.id, text=condition.question, ask_whom=condition.ask_whom)


def answer_from_users(path: Path, today: date) -> Answer:
    """Return the answer to UPN_QUESTION that a CSV of Zoom's users gives.

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    users = count_unequal(path, None)
    counted = f"{path.name}: {users.unequal:,} of {users.total:,} people differ"
    return Answer(value=users.unequal == 0, answered_by=counted, date=today)


def from_file(path: Path, profile: AppProfile) -> Configuration:
    """Return the answers that a file of entra-audit.yaml's shape gives.

    Raises:
        ConfigurationError: the file is wrong.
    """
    configuration, lines = read_configuration(path)
    check_configuration(configuration, profiles={profile.id: profile}, where=lines)
    return configuration


def with_answers(configuration: Configuration, app: str, answers: Mapping[str, Answer]) -> Configuration:
    """Return the configuration with answers added to one app's."""
    part = configuration.apps.get(app, AppConfiguration())
    part = msgspec.structs.replace(part, answers={**part.answers, **answers})
    return msgspec.structs.replace(configuration, apps={**configuration.apps, app: part})


def write(configuration: Configuration, profile: AppProfile, *, out: Path, force: bool) -> Path:
    """Check the configuration and write it to `out`.

    Raises:
        ConfigurationError: the answers contradict the profile.
        OutputError: the file exists and `force` is not set, or it cannot be written.
    """
    check_configuration(configuration, profiles={profile.id: profile}, where=str(out))
    if out.exists() and not force:
        raise OutputError(
            "The file exists.", where=str(out), advice="Add --force to replace it, or name another --out."
        )
    return write_file(out, render_configuration(configuration).encode())
