"""Where the program's own data lies: rules/ and reports/, installed or in the checkout."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Literal

from auditor.errors import ConfigurationError


def data_dir(name: Literal["rules", "reports"]) -> Path:
    """Return the folder `name`: inside the installed package, else beside it in the checkout.

    Raises:
        ConfigurationError: neither holds it.
    """
    package = Path(str(files("auditor")))
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise ConfigurationError(
        f"The program's own folder '{name}' is missing.",
        where=str(package / name),
        advice="Install the program again, or run it from a whole checkout.",
    )


def rules_sha256(directory: Path | None = None) -> str:
    """Return the SHA-256, as lower-case hex, over name and content of every file below rules/.

    Files are taken in the order of their relative POSIX paths, and line ends count as LF, so that a
    checkout on Windows gives the same value.
    """
    root = directory or data_dir("rules")
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for name in names:
        content = (root / name).read_bytes().replace(b"\r\n", b"\n")
        whole.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return whole.hexdigest()
