"""What every schedule promises, and what the platforms' own tools say of each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION
from auditor.delivery.schedules.timetable import DAYS, Every, Timetable, timetable
from auditor.errors import UsageError
from auditor.graph.secret import SECRET_VARIABLES
from auditor.workflow.schedule import render
from tests.delivery.planned import GUID, PLATFORMS, argv, request, yaml
from tests.hostile import FAMILIES, named

TOOLS = Path(sys.executable).parent
AIMED = (*FAMILIES["shell"], *FAMILIES["templates"], *FAMILIES["parsers"], *FAMILIES["quotes"], *FAMILIES["controls"])
DAILY = Timetable(every="day", hour=23, minute=5)
WEEKLY = Timetable(every="week", hour=0, minute=59, on="sunday")
every_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)


def tool(*command: str) -> str:
    """Run a platform's own checker, and return what it says; it has to agree."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(platform: Schedule, folder: Path, **other: object) -> list[str]:
    paths = []
    for name, content in render(platform, request(platform, **other)).items():
        (folder / name).write_bytes(content)
        paths.append(str(folder / name))
    return paths


def named_platform(name: str) -> Schedule:
    return next(platform for platform in PLATFORMS if platform.name == name)


def test_every_platform_is_found() -> None:
    assert [platform.name for platform in PLATFORMS] == [
        "azure-container-job",
        "cron",
        "github-actions",
        "kubernetes",
        "systemd",
    ]


@every_platform
def test_no_schedule_holds_or_asks_for_a_secret(platform: Schedule) -> None:
    """No sign-in by a stored secret is offered, no variable of one is named, nothing refers to a platform's secrets."""
    text = b"".join(render(platform, request(platform)).values()).decode()
    assert not re.search("|".join((*SECRET_VARIABLES, "secret", "password")), text, re.IGNORECASE)
    for method in ("client-secret", "environment", "default", "browser", "device-code"):
        with pytest.raises(UsageError, match="store a secret"):
            render(platform, request(platform, auth=method))


@every_platform
def test_the_same_request_gives_the_same_files(platform: Schedule) -> None:
    asked = request(platform)
    first = render(platform, asked)
    assert first == render(platform, asked)
    assert all(content.endswith(b"\n") for content in first.values())
    assert any(asked.timetable.words.encode() in content for content in first.values())


@pytest.mark.parametrize("platform", [p for p in PLATFORMS if p.name != "systemd"], ids=lambda platform: platform.name)
def test_a_hostile_path_is_refused_or_arrives_as_it_is(platform: Schedule) -> None:
    """Whatever stands in the path of the reports, the platform would start exactly the command line that was asked
    for; else nothing is written."""
    arrived = 0
    moment = datetime.now(UTC) + timedelta(hours=5)  # Not now: the line of cron would do nothing then.
    table = Timetable(every="day", hour=moment.hour, minute=moment.minute)
    for text in dict.fromkeys(AIMED):
        reports = f"{platform.reports or '/srv/reports'}/{text}"
        asked = request(platform, reports=reports, log=f"{reports}.log", timetable=table)
        try:
            files = render(platform, asked)
        except UsageError:
            continue
        if platform.name == "cron":  # Let the line think that it is the moment.
            files = {name: data.replace(b" != ", b" = ") for name, data in files.items()}
        assert argv(platform.name, files) == asked.argv, named(text)
        arrived += 1
    assert arrived > (3 if platform.name == "github-actions" else 40)


@every_platform
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("name", "a b", "--name"),
        ("name", "x\nExecStartPre=/bin/sh", "--name"),
        ("name", "-x", "--name"),
        ("name", "x" * 32, "--name"),
        ("name", "a--b", "--name"),
        ("tenant_id", "contoso.example --strict", "--tenant-id"),
        ("client_id", "$(id)", "--client-id"),
        ("cloud", "mars", "--cloud"),
        ("config", "/a\nb", "--config"),
        ("config", "/a\ud800b", "--config"),
        ("config", "--help", "--config"),
        ("reports", "/a\u202eb", "--reports"),
        ("log", "/" + "x" * 2000, "--log"),
        ("history", "postgresql://me:made-up@db.example/x", "--history"),
        ("history", "postgresql://db.example/x?password=made-up", "--history"),
        ("certificate", "/etc/reader.pem", "--certificate"),
    ],
)
def test_what_has_no_place_there_is_refused(platform: Schedule, option: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        render(platform, request(platform, **{option: value}))
    assert refused.value.where == said
    assert refused.value.advice


@every_platform
def test_an_image_is_named_for_containers_and_for_nothing_else(platform: Schedule) -> None:
    with pytest.raises(UsageError, match="image"):
        render(platform, request(platform, image="" if platform.container else "registry.example/x:1"))
    if platform.container:
        for image in ("registry.example/x:1 --privileged", "x", "https://registry.example/x", "[parameters('x')]/y"):
            with pytest.raises(UsageError):
                render(platform, request(platform, image=image))
        digest = f"registry.example:5000/team/x:1@sha256:{'0' * 64}"
        assert digest.encode() in b"".join(render(platform, request(platform, image=digest)).values())


@every_platform
def test_several_tenants_sign_in_as_the_configuration_says(platform: Schedule) -> None:
    """Then no sign-in option stands in the command line, and none is accepted."""
    asked = request(platform, auth=BY_CONFIGURATION, tenant_id="", client_id="")
    assert "--auth" not in asked.argv
    assert render(platform, asked)
    with pytest.raises(UsageError, match="The configuration says"):
        render(platform, request(platform, auth=BY_CONFIGURATION, tenant_id="", client_id=GUID))


# When


def test_times_are_said_in_each_syntax() -> None:
    assert (DAILY.cron, DAILY.calendar) == ("5 23 * * *", "*-*-* 23:05:00 UTC")
    assert (WEEKLY.cron, WEEKLY.calendar) == ("59 0 * * 0", "Sun *-*-* 00:59:00 UTC")
    assert Timetable().words == "every week on monday at 06:17 UTC"
    assert timetable("day", "23:05", "monday") == DAILY


@pytest.mark.parametrize("text", ["24:00", "6:17", "06:60", "", "06:17:00", "\u0660\u0666:17", "06:17\n"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time of a day"):
        timetable("day", text, "monday")


@pytest.mark.parametrize("every", ["day", "week"])
def test_the_due_moments_are_the_next_minutes_that_fit(every: Every) -> None:
    """Held against a search through all minutes."""
    start = datetime(2026, 11, 22, tzinfo=UTC)
    for day in DAYS:
        table = Timetable(every=every, hour=6, minute=17, on=day)
        fitting = [
            moment
            for hours in range(24 * 21)
            if (moment := start - timedelta(days=7) + timedelta(hours=hours, minutes=17)).hour == 6
            and (every == "day" or moment.weekday() == DAYS.index(day))
        ]
        for minutes in range(0, 60 * 24 * 7, 61):
            now = start + timedelta(minutes=minutes)
            before = max(moment for moment in fitting if moment <= now)
            assert table.due(now) == (before, min(moment for moment in fitting if moment > now))


def test_the_line_of_cron_acts_at_its_minute_of_utc_alone(tmp_path: Path) -> None:
    """The shell runs it at every quarter of a week under a clock that the test sets, in a machine of any time zone:
    it acts once."""
    date = tmp_path / "date"
    date.write_text('#!/bin/sh\nshift\n/bin/date -u -d "@$NOW" "$@"\n')
    date.chmod(0o700)
    asked = request(named_platform("cron"), command=("/bin/echo", "watch"), timetable=WEEKLY)
    (data,) = render(named_platform("cron"), asked).values()
    (line,) = [line for line in data.decode().split("\n") if line and not line.startswith("#")]
    minutes, command = line.split(" ")[0], line.split(" ", 5)[5].replace("\\%", "%").removesuffix(" >/dev/null")
    assert minutes == "14,29,44,59"
    start = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    quarters = [start + 60 * (15 * quarter + 14) for quarter in range(4 * 24 * 7)]
    loop = f'for NOW in {" ".join(map(str, quarters))}; do export NOW; ( {command} ) && echo "at $NOW"; done'
    environment = {"PATH": f"{tmp_path}:/bin:/usr/bin", "TZ": "Asia/Kathmandu"}
    done = subprocess.run(["sh", "-c", loop], env=environment, capture_output=True, text=True, check=True)
    acted = [block for block in done.stdout.split("at ") if "watch" in block]
    assert len(acted) == 1
    sunday = int(datetime(2026, 11, 29, 0, 59, tzinfo=UTC).timestamp())
    assert f"--jitter 300 --auth managed-identity --client-id {GUID}\nat {sunday}\n" in done.stdout


# What the platforms' own tools say


@pytest.mark.parametrize("table", [DAILY, WEEKLY], ids=["daily", "weekly"])
@pytest.mark.parametrize("account", ["", "root"], ids=["user", "system"])
def test_systemd_takes_the_units(table: Timetable, account: str, tmp_path: Path) -> None:
    """systemd-analyze finds nothing to say, and reads the same moment out of the timer."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is absent")
    reports = "/srv/a \"b\" 'c' $d %e \\f ;g"
    other = {"timetable": table, "account": account, "command": ("/bin/true", "watch"), "reports": reports}
    units = written(named_platform("systemd"), tmp_path, **other)
    assert tool("systemd-analyze", "verify", "--man=no", *units) == ""
    said = tool("systemd-analyze", "calendar", "--base-time=2026-11-22 12:00:00 UTC", table.calendar)
    _, following = table.due(datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert f"Next elapse: {following:%a %Y-%m-%d %H:%M:%S} UTC" in said


def test_a_unit_of_the_system_is_confined(tmp_path: Path) -> None:
    """systemd's own measure of exposure, 0 to 10, is below 4; of a unit without settings it is above 9."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is absent")
    service, _ = written(named_platform("systemd"), tmp_path, account="root", command=("/bin/true", "watch"))
    said = tool("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=40", service)
    assert "Overall exposure level" in said


def test_zizmor_finds_nothing_in_the_workflow(tmp_path: Path) -> None:
    """Not even what it shows to auditors only; and it is a workflow by GitHub's schema."""
    (path,) = written(named_platform("github-actions"), tmp_path)
    said = tool(str(TOOLS / "zizmor"), "--offline", "--no-progress", "--persona", "auditor", path)
    assert "No findings to report" in said
    tool(str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", path)
    (workflow,) = yaml(Path(path).read_bytes())
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["watch"]["permissions"] == {"contents": "read", "id-token": "write"}
    used = [step["uses"] for step in workflow["jobs"]["watch"]["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", uses) for uses in used)


def test_kubernetes_takes_the_manifest(tmp_path: Path) -> None:
    """By its own schemas, of the oldest version that knows timeZone for good and of the newest."""
    (path,) = written(named_platform("kubernetes"), tmp_path)
    for version in ("1.27", "1.37"):
        tool(str(TOOLS / "kubernetes-validate"), "--strict", "-k", version, path)
    account, _, job = yaml(Path(path).read_bytes())
    assert account["metadata"]["annotations"]["azure.workload.identity/client-id"] == GUID
    pod = job["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert job["spec"]["timeZone"] == "Etc/UTC"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("name", ["on", "yes", "null", "true", "y"])
def test_a_name_that_yaml_could_take_for_something_else_stays_a_name(name: str) -> None:
    for platform in PLATFORMS:
        if platform.name in ("kubernetes", "github-actions"):
            (data,) = render(platform, request(platform, name=name)).values()
            assert f'name: "{name}"' in data.decode()


# What a platform cannot do


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("github-actions", {"history": "history.db"}, "Nothing stays on a runner"),
        ("github-actions", {"history": "postgresql://db.example/${{ github.token }}"}, "GitHub would fill this in"),
        ("github-actions", {"notify_file": "notify.txt"}, "it holds secrets"),
        ("github-actions", {"config": "../other/entra-audit.yaml"}, "in the repository"),
        ("github-actions", {"reports": "/srv/report"}, "in the repository"),
        ("kubernetes", {"reports": "/report"}, "has /data alone"),
        ("kubernetes", {"history": "/data/../history.db"}, "has /data alone"),
        ("kubernetes", {"history": "default"}, "has to have a path"),
        ("azure-container-job", {"config": "/config/entra-audit.yaml"}, "has /data alone"),
        ("azure-container-job", {"history": "sqlite:////tmp/history.db"}, "has /data alone"),
        ("systemd", {"command": ("/opt/a b/entra-audit", "watch")}, "cannot start a program"),
        ("systemd", {"command": ("entra-audit", "watch")}, "cannot start a program"),
        ("systemd", {"account": "entra", "history": "default"}, "has to have a path"),
        ("systemd", {"account": "entra; id"}, "cannot stand there"),
        ("cron", {"reports": "/srv/" + "x" * 1000}, "longer than the 998 characters"),
        ("cron", {"auth": "github-oidc", "tenant_id": "contoso.example"}, "does not sign in by github-oidc"),
        ("kubernetes", {"tenant_id": ""}, "needs more"),
    ],
)
def test_what_a_platform_cannot_do_is_said(name: str, other: dict[str, object], said: str) -> None:
    platform = named_platform(name)
    with pytest.raises(UsageError, match=re.escape(said)):
        render(platform, request(platform, **other))
