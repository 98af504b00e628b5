"""App profiles: which files the loader takes, and what it refuses where."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import ConfigurationError, UsageError
from auditor.knowledge.profile import load_profile, profile_names

SAMPLE = """\
id: acme
title: Acme
default_policy: minimal
identity:
  app_ids:
    - app_id: 11111111-1111-4111-8111-111111111111
      integration: calendar
      text: A sample.
      basis: documented
      source: https://acme.example/ids
      date: "2026-11-22"
  templates: []
  not_this_vendor:
    - name: Acme Two
      text: A sample.
      basis: inferred
      source: a look at the name
      date: "2026-11-22"
  names: [acme]
  hosts: [acme.example]
  hosts_basis: inferred
  publishers: [acme]
  inferred_integration: calendar
basics: [User.Read]
basics_text: A sample.
integrations:
  calendar:
    title: Calendar
    what: calendar app
    kind: application
    policies:
      minimal: {list: complete, allowed: [Calendars.ReadWrite], text: A., basis: unknown, source: "", date: ""}
      required:
        list: complete
        conditional: [{permission: Mail.Read, not_needed_when: asked, check: Look.}]
        text: A sample.
        basis: unknown
        source: ""
        date: ""
    vendor:
      - about: {permissions: [Mail.Read, User.Read@delegated]}
        says: optional
        text: A sample.
        basis: unknown
        source: ""
        date: ""
tests:
  - id: try
    title: Try it
    integrations: [ calendar ]
    about: {families: [calendars]}
    steps: [Look.]
    expected: It is there.
    basis: inferred
    source: https://acme.example/tests
    date: "2026-11-22"
preconditions:
  - id: asked
    integrations: [calendar]
    about: {families: [mail]}
    question: Is it?
    check: Look.
    ask_whom: somebody
    basis: unknown
    source: ""
    date: ""
impacts:
  - {about: {}, what: A., who_notices: A., when: unknown, way_back: A., basis: unknown, source: "", date: ""}
"""


def write(folder: Path, text: str = SAMPLE) -> Path:
    (folder / "acme.yaml").write_text(text, encoding="utf-8")
    return folder


def test_names_are_the_files_of_the_folder(tmp_path: Path) -> None:
    """Zoom is there out of the box; another vendor is one more file."""
    assert "zoom" in profile_names()
    assert profile_names(write(tmp_path)) == ("acme",)
    assert load_profile("acme", tmp_path).title == "Acme"


def test_an_unknown_app_names_the_known_ones_and_the_nearest() -> None:
    """A typo is a usage error that helps."""
    with pytest.raises(UsageError, match=r"'zom'.*Did you mean 'zoom'\?.*Known apps: zoom"):
        load_profile("zom")


@pytest.mark.parametrize(
    ("old", "new", "at", "what"),
    [
        ("id: acme\n", "id: other\n", "id: other", "called 'other'"),
        ("[User.Read]", "[User.Reed]", "User.Reed", "'User.Reed' is no delegated permission.*'User.Read'"),
        ("[Calendars.ReadWrite]", "[Calendar.Write]", "Calendar.Write", "is no application permission of graph"),
        ("[Calendars.ReadWrite]", "[nowhere/A.B]", "nowhere", "'nowhere/A.B' is not a permission"),
        ("permission: Mail.Read,", "permission: Mail.Reed,", "Mail.Reed", "Did you mean 'Mail.Read'"),
        ("when: asked", "when: asks", "when: asks", "'asks' is not the id of a question.*'asked'"),
        ("[Mail.Read, User.Read@delegated]", "[Presence.ReadWrite]", "Presence", "no application permission"),
        ("[Mail.Read, User.Read@delegated]}", "[Mail.Read], families: [mail]}", "[Mail.Read], families", "not both"),
        ("families: [mail]", "families: [mails]", "mails", "'mails' is not a permission family.*'mail'"),
        ("integrations: [calendar]", "integrations: [calender]", "calender", "not an integration.*'calendar'"),
        ("whom: somebody\n", "whom: me\n    fails_with_features: [x]\n", "fails_with", "not an integration"),
        ("whom: somebody\n", "whom: me\n    holds_without_features: [x]\n", "holds_w", "not an integration"),
        ("    kind: application\n", "    kind: application\n    carried_by: [x]\n", "carried_by", "not an integration"),
        ("inferred_integration: calendar", "inferred_integration: x", "inferred_integration", "not an integration"),
        ("      integration: calendar\n", "      integration: x\n", "- app_id", "not an integration"),
        ("11111111-1111-4111-8111-111111111111", "acme-1", "- app_id", "'acme-1' is not a GUID"),
        ("    - name: Acme Two\n", "    - name: ''\n", "- name", "neither an appId nor a name"),
        ("      required:\n", "      requird:\n", "title: Calendar", "'required' is missing"),
        ("default_policy: minimal", "default_policy: usual", "title: Calendar", "'usual' is missing"),
        ("source: https://acme.example/ids", "source: the web", "the web", "needs the address"),
        ("source: a look at the name", "source: ''", "source: ''", "inferred from"),
        ('/ids\n      date: "2026-11-22"', '/ids\n      date: " "', 'date: " "', "not a day"),
        ('/ids\n      date: "2026-11-22"', '/ids\n      date: ""', 'date: ""', "not a day"),
        ('/ids\n      date: "2026-11-22"', '/ids\n      date: "20261122"', "20261122", "not a day"),
        ('/ids\n      date: "2026-11-22"', '/ids\n      date: "2026-02-30"', "2026-02-30", "not a day"),
        ("integrations: [ calendar ]", "integrations: [ other ]", "integrations: [ other", "not an integration"),
        (
            "families: [calendars]",
            "families: [calendar]",
            "families: [calendar]",
            "'calendar' is not a permission family",
        ),
        ("source: https://acme.example/tests", "source: ''", "source: ''", "inferred from"),
        ("{about: {}, what", "{about: {kind: delegated}, what", "{about: {kind", "last impact statement"),
    ],
)
def test_what_contradicts_itself_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, at: str, what: str
) -> None:
    """Each error names file and line, says what is wrong and what to do."""
    assert SAMPLE.count(old) == 1
    text = SAMPLE.replace(old, new)
    line = text[: text.index(at)].count("\n") + 1
    with pytest.raises(ConfigurationError, match=what) as caught:
        load_profile("acme", write(tmp_path, text))
    assert caught.value.where.startswith(f"{tmp_path / 'acme.yaml'}:{line}:")
    assert caught.value.advice


def test_a_profile_without_impacts_or_with_a_question_twice_is_refused(tmp_path: Path) -> None:
    """Every grant finds an impact, and every answer one question."""
    with pytest.raises(ConfigurationError, match="last impact statement"):
        load_profile("acme", write(tmp_path, SAMPLE[: SAMPLE.index("impacts:")]))
    start, end = SAMPLE.index("  - id: asked"), SAMPLE.index("impacts:")
    with pytest.raises(ConfigurationError, match="'asked' is there already"):
        load_profile("acme", write(tmp_path, SAMPLE[:end] + SAMPLE[start:]))


def test_a_statement_of_the_profile_takes_any_kind(tmp_path: Path) -> None:
    """Outside an integration a reference without kind is an application permission unless the selector has one."""
    vendor = (
        "vendor:\n  - {about: {permissions: [Mail.Send], kind: KIND}, says: silent, text: A., basis: unknown, "
        'source: "", date: ""}\n'
    )
    for kind in ("any", "delegated", "application"):
        load_profile("acme", write(tmp_path, SAMPLE + vendor.replace("KIND", kind)))
