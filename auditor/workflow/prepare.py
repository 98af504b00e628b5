"""What every judging command needs first: the rulebook and the team's configuration, checked against each other."""

from __future__ import annotations

from pathlib import Path

import msgspec

from auditor.engine.rulebook import Rulebook, load_rulebook
from auditor.engine.waivers import check_waivers
from auditor.knowledge.configuration import check_configuration, merge_cli, read_configuration, rooted
from auditor.knowledge.documents import Lines
from auditor.knowledge.profile import load_profile, profile_names
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration

DEFAULT = Path("entra-audit.yaml")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Rulebook and configuration of one run."""

    rulebook: Rulebook
    configuration: Configuration
    configuration_sha256: str
    """Of what the configuration, command-line options included, says of judging; empty without any."""


def prepare(
    app: str,
    *,
    config: Path | None,
    policy: str | None = None,
    features: tuple[str, ...] = (),
    sample: Configuration | None = None,
) -> Prepared:
    """Load and check what a run is judged by.

    Args:
        app: the app profile: `zoom`.
        config: the configuration file; None: entra-audit.yaml of the current folder if there is one, else `sample`.
        policy: takes the place of the configured one.
        features: take the place of the configured ones when not empty.
        sample: the configuration of a sample tenant.

    Raises:
        ConfigurationError: a file of rules/ or the configuration is wrong.
        UsageError: there is no such app profile.
    """
    rulebook = load_rulebook(app)
    if config is None and sample is None and DEFAULT.is_file():
        config = DEFAULT
    where: str | Lines = "the command line"
    loaded = sample or Configuration()
    if config:
        loaded, where = read_configuration(config)
        loaded = rooted(loaded, config.parent)
    configuration = merge_cli(loaded, app=app, policy=policy, features=features)
    check(configuration, app, rulebook, where)
    return prepared(rulebook, configuration)


def configured(config: Path | None) -> Configuration:
    """Return the configuration as its file says, unchecked; None: of the current folder, or an empty one.

    Raises:
        ConfigurationError: it cannot be read, or does not have the shape.
    """
    if config is None and not DEFAULT.is_file():
        return Configuration()
    path = config or DEFAULT
    return rooted(read_configuration(path)[0], path.parent)


def check(configuration: Configuration, app: str, rulebook: Rulebook, where: str | Lines) -> None:
    """Check a whole configuration, its tenants among it; see `prepare`."""
    named = {*configuration.apps, *(app for tenant in configuration.tenants.values() for app in tenant.apps)}
    profiles = {name: load_profile(name) for name in sorted(named & set(profile_names()) | {app})}
    check_configuration(configuration, profiles=profiles, where=where)
    rules = [rule.id for rule in rulebook.rules]
    check_waivers(configuration.waivers, rules, where)
    for name, tenant in configuration.tenants.items():
        check_waivers(tenant.waivers, rules, where, ("tenants", name))


def prepared(rulebook: Rulebook, configuration: Configuration) -> Prepared:
    """Return rulebook and configuration of one run; both were checked."""
    judged_by = Configuration(
        apps=configuration.apps,
        policies=configuration.policies,
        waivers=configuration.waivers,
        accepted_gaps=configuration.accepted_gaps,
    )
    used = judged_by != Configuration()
    return Prepared(
        rulebook=rulebook,
        configuration=configuration,
        configuration_sha256=sha256(to_json(judged_by)) if used else "",
    )
