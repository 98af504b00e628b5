"""The checkers of reports are pinned by hash, and the lock leaves to npm's configuration where they come from."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_lock_pins_versions_and_hashes_and_names_no_host() -> None:
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    wanted = package["devDependencies"] | package["optionalDependencies"]
    text = (HERE / "package-lock.json").read_text(encoding="utf-8")
    packages = {
        name.rpartition("node_modules/")[2]: held for name, held in json.loads(text)["packages"].items() if name
    }
    assert {name: held["version"] for name, held in packages.items()} == wanted
    assert all(held["integrity"].startswith("sha512-") for held in packages.values())
    assert "resolved" not in text
    assert "://" not in text
