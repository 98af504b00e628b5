"""entra-audit.yaml, several tenants and history: what is refused and where, and what holds for whom."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from auditor.errors import ConfigurationError
from auditor.knowledge.configuration import (
    check_configuration,
    for_tenant,
    load_configuration,
    read_configuration,
    rooted,
)
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration, Configuration, SignInConfiguration, TenantConfiguration
from auditor.model.outcome import AcceptedGap, Waiver

PROFILES = {"zoom": load_profile("zoom")}
APP = "33333333-3333-4333-8333-333333333333"  # A sample appId.

GOOD = f"""\
history: runs.db
retention: {{days: 730, at_least: 12}}
attestations: attested.json
notify: {{names: false, unchanged: true}}
policies:
  calendars:
    personal-calendar-application: [Calendars.ReadWrite]
tenants:
  contoso:
    tenant_id: contoso.example
    cloud: public
    sign_in: {{method: certificate, client_id: {APP}, certificate: contoso.pem}}
    apps:
      zoom: {{policy: calendars}}
    waivers:
      - rule: some-rule
        app: {APP}
        owner: Adele (sample)
        reason: until the move
        expires: 2027-01-31
    accepted_gaps:
      - collection: grantEvents
        owner: Adele (sample)
        reason: no licence
        expires: 2027-01-31
  fabrikam-eu:
    snapshot: fabrikam.json.gz
  northwind:
    graph_export: /exports/northwind
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "entra-audit.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_several_tenants_are_read_and_accepted(tmp_path: Path) -> None:
    """The documented shape loads, and nothing in it is refused."""
    configuration, lines = read_configuration(write(tmp_path, GOOD))
    check_configuration(configuration, profiles=PROFILES, where=lines)
    assert list(configuration.tenants) == ["contoso", "fabrikam-eu", "northwind"]
    assert configuration.notify.unchanged
    assert configuration.retention.days == 730


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("contoso:", "Contoso:", "no name for a tenant"),
        ("contoso:", "con_toso:", "no name for a tenant"),
        ("fabrikam-eu:", f"{'f' * 41}:", "at most 40"),
        ("northwind:", '"../out":', "no name for a tenant"),
        ("method: certificate", "method: certificat", r"not a way to sign in\. Did you mean 'certificate'"),
        ("cloud: public", "cloud: publik", r"not a cloud\. Did you mean 'public'"),
        ("certificate: contoso.pem", "secret_file: contoso.pem", "method certificate does not use this"),
        ("snapshot: fabrikam.json.gz", "cloud: china", "Nothing says where"),
        ("snapshot: fabrikam.json.gz", 'snapshot: " "', "Nothing says where"),
        ("graph_export: /exports/northwind", "{graph_export: a, tenant_id: b}", "tenant_id and graph_export exclude"),
        ("snapshot: fabrikam.json.gz", "{snapshot: a, graph_export: b}", "snapshot and graph_export exclude"),
        ("snapshot: fabrikam.json.gz", "{snapshot: a, sign_in: {method: browser}}", "read as nobody"),
        ("snapshot: fabrikam.json.gz", "{snapshot: a, cloud: china}", "in no cloud"),
        ("zoom: {policy: calendars}", "zom: {policy: calendars}", "'zom' is not an app"),
        ("policy: calendars", "policy: calendar", "not a policy"),
        (f"        app: {APP}", "        app: Zoom", "'Zoom' is not an appId"),
        ("grantEvents", "grantEvent", "not a collection"),
        ("        reason: no licence", '        reason: " "', "'reason' is blank"),
        ("history: runs.db", 'history: " "', "'history' is blank"),
        ("history: runs.db", "history: mysql://h/d", "no address of a database"),
        ("history: runs.db", "history: postgresql://[h/d", "no address of a database"),
    ],
)
def test_what_is_wrong_with_a_tenant_is_refused_where_it_stands(tmp_path: Path, old: str, new: str, what: str) -> None:
    """Every error names the file and a line of the tenant, and says what to do."""
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    configuration, lines = read_configuration(write(tmp_path, text))
    with pytest.raises(ConfigurationError, match=what) as caught:
        check_configuration(configuration, profiles=PROFILES, where=lines)
    line = text[: text.index(new.strip())].count("\n") + 1
    assert int(caught.value.where.rsplit(":", 2)[1]) in (line, line + 1)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("days: 730", "days: -1", ">= 0"),
        ("at_least: 12", "at_least: 0", ">= 1"),
        ("names: false", "names: maybe", "true or false"),
        ("    tenant_id: contoso.example", "    tenant: contoso.example", "Did you mean 'tenant_id'"),
        ("certificate: contoso.pem", "secret: hunter2", "'secret' is not a key here"),
        ("tenants:\n", "tenants:\n  contoso: {tenant_id: a}\n", "stands here twice"),
    ],
)
def test_the_shape_is_strict(tmp_path: Path, old: str, new: str, what: str) -> None:
    """A negative number of days, a secret where none belongs, an unknown key: refused with file and line."""
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigurationError, match=what) as caught:
        load_configuration(write(tmp_path, GOOD.replace(old, new)))
    assert "entra-audit.yaml:" in caught.value.where


@pytest.mark.parametrize("url", ["postgresql://me:h4unter2@h/d", "postgresql://h/d?password=h4unter2&x=1"])
def test_a_password_in_the_history_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    """The error says that there is one, and not which."""
    configuration, lines = read_configuration(write(tmp_path, GOOD.replace("runs.db", url)))
    with pytest.raises(ConfigurationError, match="holds a password") as caught:
        check_configuration(configuration, profiles=PROFILES, where=lines)
    assert "h4unter2" not in str(caught.value)


def test_a_tenants_section_takes_the_place_of_the_outer_one() -> None:
    """Whole sections, each by itself; policies, history and the rest stay the outer ones."""
    waiver = Waiver(rule="r", app=APP, owner="o", reason="r", expires=date(2027, 1, 31))
    gap = AcceptedGap(collection="grantEvents", owner="o", reason="r", expires=date(2027, 1, 31))
    outer = Configuration(
        apps={"zoom": AppConfiguration(policy="minimal")}, waivers=(waiver,), accepted_gaps=(gap,), history="h"
    )
    own = {"zoom": AppConfiguration(features=("presence",))}
    assert for_tenant(outer, TenantConfiguration()) == outer
    tenant = TenantConfiguration(tenant_id="t", apps=own)
    held = for_tenant(Configuration(tenants={"t": tenant}, policies={"p": {}}), tenant)
    assert held == Configuration(apps=own, policies={"p": {}})
    assert for_tenant(outer, tenant) == Configuration(apps=own, waivers=(waiver,), accepted_gaps=(gap,), history="h")


def test_paths_are_relative_to_the_file() -> None:
    """Absolute ones, `default` and a server's address stay as they are."""
    sign_in = SignInConfiguration(certificate="c.pem", secret_file="s", token_file="/t")
    tenants = {
        "a": TenantConfiguration(tenant_id="a", sign_in=sign_in),
        "b": TenantConfiguration(snapshot="b.json", graph_export="/b"),
    }
    found = rooted(Configuration(history="h.db", attestations="a.json", tenants=tenants), Path("/etc/audit"))
    assert found.history == "/etc/audit/h.db"
    assert found.attestations == "/etc/audit/a.json"
    own = found.tenants["a"].sign_in
    assert (own.certificate, own.secret_file, own.token_file) == ("/etc/audit/c.pem", "/etc/audit/s", "/t")
    assert found.tenants["b"] == TenantConfiguration(snapshot="/etc/audit/b.json", graph_export="/b")
    for history in ("", "default", "~/h.db", "postgresql://h/d", "sqlite:////var/h.db"):
        assert rooted(Configuration(history=history), Path("/etc/audit")).history == history
    assert rooted(Configuration(history="sqlite:///h.db"), Path("/x")).history == "sqlite:////x/h.db"
