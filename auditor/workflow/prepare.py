"""What every judging command needs first: the rulebook and the team's configuration, checked against each other."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from auditor.engine.rulebook import Rulebook, load_rulebook
from auditor.engine.waivers import check_waivers
from auditor.knowledge.attestations import LIMIT, decode_register, encode_register
from auditor.knowledge.configuration import check_configuration, merge_cli, read_configuration, rooted
from auditor.knowledge.documents import Lines
from auditor.knowledge.profile import load_profile, profile_names
from auditor.model.attestation import Register
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration
from auditor.sources.files import read

DEFAULT = Path("entra-audit.yaml")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Rulebook and configuration of one run."""

    rulebook: Rulebook
    configuration: Configuration
    configuration_sha256: str
    """Of what the configuration, command-line options included, says of judging; empty without any."""
    register: Register | None = None
    """What business owners signed; None: nobody attests."""
    attestations_sha256: str = ""
    """Of the register, as it is written; empty without one."""


def prepare(
    app: str,
    *,
    config: Path | None,
    policy: str | None = None,
    features: tuple[str, ...] = (),
    sample: Configuration | None = None,
    attestations: Path | None = None,
    judging: bool = True,
) -> Prepared:
    """Load and check what a run is judged by.

    Args:
        app: the app profile: `zoom`.
        config: the configuration file; None: entra-audit.yaml of the current folder if there is one, else `sample`.
        policy: takes the place of the configured one.
        features: take the place of the configured ones when not empty.
        sample: the configuration of a sample tenant.
        attestations: the register of attestations; takes the place of the configured one.
        judging: the register is read: something will be judged by it.

    Raises:
        ConfigurationError: a file of rules/ or the configuration is wrong.
        InputError: the register cannot be read, or is none.
        UsageError: there is no such app profile.
    """
    rulebook = load_rulebook(app)
    loaded, where = configured(config, sample)
    configuration = merge_cli(loaded, app=app, policy=policy, features=features)
    if attestations is not None or not judging:
        configuration = replace(configuration, attestations=str(attestations or ""))
    check(configuration, app, rulebook, where)
    return prepared(rulebook, configuration)


def configured(config: Path | None, sample: Configuration | None = None) -> tuple[Configuration, str | Lines]:
    """Return the configuration as its file says, unchecked, its relative paths taken from its folder, and its place.

    Args:
        config: the file; None: entra-audit.yaml of the current folder if there is one, else `sample`.
        sample: the configuration of a sample tenant; None: an empty one.

    Raises:
        ConfigurationError: it cannot be read, or does not have the shape.
    """
    if config is None and sample is None and DEFAULT.is_file():
        config = DEFAULT
    if config is None:
        return sample or Configuration(), "the command line"
    loaded, where = read_configuration(config)
    return rooted(loaded, config.parent), where


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
    """Return rulebook and configuration of one run, which were checked, with the register that it names.

    Raises:
        InputError: the register cannot be read, or is none.
    """
    judged_by = judging_part(configuration)
    used = judged_by != Configuration()
    register = read_register(Path(configuration.attestations)) if configuration.attestations else None
    return Prepared(
        rulebook=rulebook,
        configuration=configuration,
        configuration_sha256=sha256(to_json(judged_by)) if used else "",
        register=register,
        attestations_sha256="" if register is None else sha256(encode_register(register)),
    )


def judging_part(configuration: Configuration) -> Configuration:
    """Return what a configuration says of judging: no place, no address, no sign-in."""
    return Configuration(
        apps=configuration.apps,
        policies=configuration.policies,
        waivers=configuration.waivers,
        accepted_gaps=configuration.accepted_gaps,
    )


def read_register(path: Path) -> Register:
    """Return the register of attestations in a file.

    Raises:
        InputError: it cannot be read, or is none.
    """
    return decode_register(read(path, where=str(path), limit=LIMIT), str(path))
