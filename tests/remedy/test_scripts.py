"""Scripts as text: what may stand in them and what may not, whoever named the app; and the command that writes them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from auditor.errors import RefusedError, UsageError
from auditor.graph.clouds import CLOUDS
from auditor.model.plan import AccountChange, AssignmentChange, Closes, GrantChange, Intent, RevokePlan, Step
from auditor.remedy.journal import intent
from auditor.remedy.scripts import scripts
from auditor.remedy.scripts.pieces import AT, LONGEST, comment
from auditor.remedy.seal import encode_plan
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture
from tests.hostile import HOSTILE, named
from tests.remedy.plans import assignment, consents, plan, steps, tenant_wide, without
from tests.remedy.powershell import broken, without_comments

LANGUAGES = tuple(scripts())
SHELLS = ("az", "sh")
PRINTABLE = re.compile(r"[ -~]*")


def rendered(made: RevokePlan, language: str) -> dict[str, str]:
    return {name: content.decode("ascii") for name, content in scripts()[language].render(made, "plan").items()}


def shellcheck(*files: Path) -> str:
    found = shutil.which("shellcheck", path=Path(sys.executable).parent)
    if found is None:
        pytest.skip("shellcheck is not installed here")
    command = [found, "--shell=sh", "--severity=style", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module", params=SHELLS)
def shell_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp(request.param)
    for name, source in rendered(plan(), request.param).items():
        (folder / name).write_text(source)
    return tuple(sorted(folder.iterdir()))


def test_shellcheck_finds_nothing(shell_files: tuple[Path, ...]) -> None:
    assert len(shell_files) == 2
    assert shellcheck(*shell_files) == ""


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_shells_read_it(shell: str, shell_files: tuple[Path, ...]) -> None:
    for file in shell_files:
        assert subprocess.run([shell, "-n", file], capture_output=True, check=False).stderr == b""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_plan_gives_the_same_bytes(language: str) -> None:
    assert scripts()[language].render(plan(), "plan") == scripts()[language].render(plan(), "plan")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_journals_lines_stand_in_it_as_apply_writes_them(language: str) -> None:
    """But for the time: every change's line, in the plan's order."""
    source = next(source for name, source in rendered(plan(), language).items() if name.startswith("revoke"))
    found = [
        line[line.index('{"app_id"') :] for line in source.split("\n") if '"event":"intent"' in line and AT in line
    ]
    made = plan()
    expected = [
        intent(each, index, change, at=made.created_at)
        for each in made.steps
        for index, change in enumerate(each.changes)
    ]
    moment = msgspec.json.encode(made.created_at).decode().strip('"')
    assert [msgspec.json.decode(line.replace(AT, moment), type=Intent) for line in found] == expected
    assert [line.replace(AT, moment) + "\n" for line in found] == [
        msgspec.json.encode(line, order="sorted").decode() + "\n" for line in expected
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_it_asks_the_plans_cloud(language: str, cloud: str) -> None:
    text = "".join(rendered(plan(cloud=cloud), language).values())
    assert (CLOUDS[cloud].graph in text) == (language != "powershell")
    others = [other.graph for other in CLOUDS.values() if other.name != cloud]
    assert not any(f"'{other}'" in text for other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_undo_says_that_it_grants_power_again(language: str) -> None:
    files = rendered(plan(), language)
    undo = next(source for name, source in files.items() if name.startswith("undo"))
    for said in ("grants power again", "Ids and dates will be new", "Privileged Role Administrator", "vendor's own"):
        assert said in undo
    carried = next(source for name, source in files.items() if name.startswith("revoke"))
    assert "grants power again" not in carried
    for said in ("90", "2 hours", "no success", "reconnect", "entra-audit revoke verify plan.json"):
        assert said in carried


def test_a_containment_says_that_the_grants_stay() -> None:
    made = plan(steps()[4], purpose="contain")
    for language in LANGUAGES:
        source = next(iter(rendered(made, language).values()))
        assert "The grants stay." in source
        assert '"purpose":"contain"' in source


def test_no_language_overwrites_the_scripts_of_another() -> None:
    """All of them can lie in one folder."""
    names = [name for language in LANGUAGES for name in rendered(plan(), language)]
    assert len(set(names)) == len(names) == 2 * len(LANGUAGES)


def test_a_check_is_whole_in_lines_of_ascii() -> None:
    """However long it is, and whatever is in it; each check once, with its steps."""
    check = "Ask whether somebody connected. " * 20 + "\u202e$(calc) `x` # END"
    made = plan(*(replace(one, checks=(check,)) for one in steps()[:2]))
    for language in LANGUAGES:
        source = next(iter(rendered(made, language).values()))
        lines = [line for line in source.split("\n") if line.startswith("# check first: ")]
        assert len(lines) > 5
        assert all(len(line) <= 120 and PRINTABLE.fullmatch(line) for line in lines)
        said = " ".join(" ".join(line.removeprefix("# check first: ") for line in lines).split())
        escaped = "[U+202E][U+0024](calc) [U+0060]x[U+0060] [U+0023] END"
        assert said == f"[ ] {'Ask whether somebody connected. ' * 20}{escaped} (steps 1, 2)"


def test_checks_are_boxes_to_tick() -> None:
    made = plan(replace(steps()[0], checks=("UPNs equal the Zoom e-mail addresses",)))
    for language in LANGUAGES:
        files = list(rendered(made, language).values())
        assert "# check first: [ ] UPNs equal the Zoom e-mail addresses (step 1)" in files[0]
        assert "# check first: [ ]" not in files[1]


# ---- What somebody else has named.


def named_by(*texts: str) -> RevokePlan:
    """Return a plan with a step for each text, which stands wherever a tenant or a person may have written."""
    made = steps()

    def of(number: int, text: str) -> Step:
        each = made[number % len(made)]
        target = replace(each.target, app_name=text, resource_name=text)
        what = replace(each.impact, who_notices=text, when=text, way_back=text)
        return replace(
            each, number=number + 1, target=target, impact=what, title=text, why=text, checks=(text,), changes=changes
        )

    changes = made[0].changes
    first = texts[0]
    chosen = (of(number, text) for number, text in enumerate(texts))
    return plan(*chosen, tenant_name=first, tool_version=first, warnings=(first,))


def code_of(made: RevokePlan, language: str) -> Iterator[list[str]]:
    """Yield each script without its comments and without the two hashes, which are over the names too."""
    for source in rendered(made, language).values():
        bare = source.replace(made.sha256, "PLAN").replace(made.approved_hash, "APPROVED")
        if language == "powershell":
            yield [line for line in without_comments(bare) if line.strip()]
        else:
            yield [line for line in bare.split("\n") if not line.lstrip().startswith("#")]


def require_ascii(source: str) -> None:
    assert all(PRINTABLE.fullmatch(line) for line in source.split("\n"))
    assert "<#" not in source
    assert "#>" not in source


@pytest.mark.parametrize(
    "language", ["az", *(pytest.param(name, marks=pytest.mark.slow) for name in LANGUAGES if name != "az")]
)
def test_hostile_names_stand_in_comments_alone(language: str, tmp_path: Path) -> None:
    """All of them in every place of a step: the same code, line by line, and each comment one line of ASCII."""
    made = named_by(*HOSTILE)
    assert len(made.steps) == len(HOSTILE) > 200
    assert list(code_of(made, language)) == list(code_of(named_by(*["Zoom"] * len(HOSTILE)), language))
    for name, source in rendered(made, language).items():
        require_ascii(source)
        if language == "powershell":
            assert broken(source) == []
        elif (language, name) == ("sh", "revoke.sh"):
            (tmp_path / name).write_text(source)
            assert shellcheck(tmp_path / name) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_of_a_tenant_stand_in_comments_alone(language: str) -> None:
    """One by one, in the place that a script has for it once."""

    def lines(text: str) -> list[str]:
        made = plan(steps()[0], tenant_name=text, tool_version=text)
        source = next(iter(rendered(made, language).values()))
        require_ascii(source)
        bare = source.replace(made.sha256, "PLAN").replace(made.approved_hash, "APPROVED")
        return ["" if line.startswith("# ") else line for line in bare.split("\n")]

    harmless = lines("Contoso")
    for text in (*HOSTILE, "shellcheck disable=all", "# shellcheck disable=all", "# SIG # Begin signature block"):
        assert lines(text) == harmless, named(text)


def test_a_comment_is_one_line_of_ascii_that_no_language_reads() -> None:
    for text in HOSTILE:
        made = comment(text)
        assert PRINTABLE.fullmatch(made), named(text)
        assert made, named(text)
        assert not set("`$\\<>#") & set(made), named(text)
        assert len(made) <= 10 * LONGEST + 3, named(text)


def test_a_harmless_name_stands_as_it_is() -> None:
    assert (
        comment("Zoom for Outlook (pilot), 50% & more: 'x' \"y\"") == "Zoom for Outlook (pilot), 50% & more: 'x' \"y\""
    )
    assert comment("a\nb") == "a[U+000A]b"
    assert comment("  ") == "(none)"


# ---- What may not stand in code.

ROLE = AssignmentChange(before=assignment("Calendars.Read"), after=None)
CONSENT = without(consents()[0], "Contacts.ReadWrite")
ACCOUNT = steps()[4].changes[0]
assert isinstance(ACCOUNT, AccountChange)
BAD = ("x'; Start-Process calc #", "$(calc)", "a b", "a|b", "a\nb", "\u2019", "")


def with_change(change: Any) -> RevokePlan:
    return plan(replace(steps()[0], changes=(change,)))


def in_target(**fields: Any) -> RevokePlan:
    return plan(replace(steps()[0], target=replace(steps()[0].target, **fields)))


def of_role(**fields: Any) -> RevokePlan:
    return with_change(replace(ROLE, before=replace(assignment("Calendars.Read"), **fields)))


def of_grant(**fields: Any) -> RevokePlan:
    return with_change(GrantChange(before=replace(tenant_wide(), **fields), after=None))


def of_account(**fields: Any) -> RevokePlan:
    assert isinstance(ACCOUNT, AccountChange)
    return with_change(
        replace(ACCOUNT, before=replace(ACCOUNT.before, **fields), after=replace(ACCOUNT.after, **fields))
    )


PLACES: dict[str, Callable[[str], RevokePlan]] = {
    "tenant_id": lambda bad: plan(tenant_id=bad),
    "cloud": lambda bad: plan(cloud=bad),
    "step id": lambda bad: plan(replace(steps()[0], id=bad)),
    "app_id": lambda bad: in_target(app_id=bad),
    "permission": lambda bad: in_target(permissions=(bad,)),
    "finding": lambda bad: plan(
        replace(steps()[0], closes=(Closes(finding_id=bad, rule_id="x", severity=steps()[0].closes[0].severity),))
    ),
    "rule": lambda bad: plan(
        replace(steps()[0], closes=(Closes(finding_id="x", rule_id=bad, severity=steps()[0].closes[0].severity),))
    ),
    "assignment id": lambda bad: of_role(id=bad),
    "role id": lambda bad: of_role(app_role_id=bad),
    "principal id": lambda bad: of_role(principal_id=bad),
    "resource id": lambda bad: of_role(resource_id=bad),
    "principal type": lambda bad: of_role(principal_type=bad),
    "grant id": lambda bad: of_grant(id=bad),
    "client id": lambda bad: of_grant(client_id=bad),
    "consent type": lambda bad: of_grant(consent_type=bad),
    "grant's principal": lambda bad: of_grant(principal_id=bad),
    "grant's resource": lambda bad: of_grant(resource_id=bad),
    "account id": lambda bad: of_account(id=bad),
    "account's appId": lambda bad: of_account(app_id=bad),
    "needed permission": lambda bad: plan(replace(steps()[0], needs=replace(steps()[0].needs, permission=bad))),
    "needed role": lambda bad: plan(replace(steps()[0], needs=replace(steps()[0].needs, role=bad))),
}
MAY_BE_EMPTY = {
    "reader_app_id": lambda bad: plan(reader_app_id=bad),
    "reader_object_id": lambda bad: plan(reader_object_id=bad),
    "resource_app_id": lambda bad: in_target(resource_app_id=bad),
    "permission id": lambda bad: in_target(permission_ids=(bad,)),
    "replaced by": lambda bad: in_target(replaced_by=bad),
    "scope": lambda bad: of_grant(scope=bad and f"User.Read {bad}x?"),
}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_no_id_or_name_is_refused(place: str) -> None:
    for bad in BAD:
        if place == "needed role" and bad == "a b":
            continue  # A role's name has spaces.
        with pytest.raises(RefusedError) as refused:
            scripts()["sh"].render(PLACES[place](bad), "plan")
        assert refused.value.exit_code == 4
        if place not in ("tenant_id", "cloud", "needed permission", "needed role"):
            assert "step 1" in str(refused.value), "it names the step"
        assert str(refused.value).isascii()


@pytest.mark.parametrize("place", MAY_BE_EMPTY)
def test_what_may_be_empty_is_refused_when_it_is_no_id(place: str) -> None:
    scripts()["sh"].render(MAY_BE_EMPTY[place](""), "plan")
    for bad in filter(None, BAD):
        with pytest.raises(RefusedError):
            scripts()["sh"].render(MAY_BE_EMPTY[place](bad), "plan")


@pytest.mark.parametrize(
    "change",
    [
        AssignmentChange(before=None, after=None),
        AssignmentChange(before=assignment("Calendars.Read"), after=assignment("Mail.ReadWrite")),
        GrantChange(before=None, after=None),
        GrantChange(before=tenant_wide(), after=replace(tenant_wide(), id="other")),
        GrantChange(before=tenant_wide(), after=replace(tenant_wide(), scope="")),
        GrantChange(before=replace(tenant_wide(), id=""), after=None),
        replace(ACCOUNT, after=replace(ACCOUNT.after, id="99999999-9999-4999-8999-999999999999")),
    ],
)
def test_a_change_that_is_no_single_write_is_refused(change: Any) -> None:
    with pytest.raises(RefusedError, match="step 1"):
        scripts()["powershell"].render(with_change(change), "plan")


def test_the_plan_of_an_undo_is_refused() -> None:
    with pytest.raises(RefusedError, match="undo"):
        scripts()["az"].render(plan(purpose="undo"), "plan")


@pytest.mark.parametrize("name", ["", "-plan", "my plan", "a'b", "$(calc)", "pl\u00e4n", "a/b", "x" * 200])
def test_a_file_name_that_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="Rename it"):
        scripts()["sh"].render(plan(), name)


def test_a_permission_that_its_resource_does_not_publish_stands_by_its_id() -> None:
    made = in_target(permissions=("99999999-9999-4999-8999-999999999999",))
    assert '"permissions":["99999999-9999-4999-8999-999999999999"]' in rendered(made, "sh")["revoke.sh"]


# ---- The command.


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_writes_two_scripts_and_says_where(language: str, run: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "plan.json").write_bytes(encode_plan(plan()))
    done = run("revoke", "script", "plan.json", "--lang", language, "--out", "scripts")
    assert done.code == 0, done.err
    end = "ps1" if language == "powershell" else "sh"
    for name in ("revoke", "undo"):
        path = tmp_path / "scripts" / f"{name}{'-az' if language == 'az' else ''}.{end}"
        assert str(path.relative_to(tmp_path)) in done.out
        assert path.read_text() == rendered(plan(), language)[path.name]
        assert (path.stat().st_mode & 0o777) == (0o700 if end == "sh" else 0o600)


def test_the_command_refuses_an_edited_and_an_overlarge_plan(run: Run, tmp_path: Path) -> None:  # noqa: F811
    data = encode_plan(plan())
    (tmp_path / "plan.json").write_bytes(data.replace(b"Contoso (sample)", b"Fabrikam (sample)"))
    assert run("revoke", "script", "plan.json", "--lang", "sh", "--out", "x").code == 4
    (tmp_path / "plan.json").write_bytes(data)
    assert run("revoke", "script", "plan.json", "--lang", "sh", "--out", "x", "--max-steps", "4").code == 4
    assert not (tmp_path / "x").exists()
    (tmp_path / "my plan.json").write_bytes(data)
    assert run("revoke", "script", "my plan.json", "--lang", "sh", "--out", "x").code == 2
