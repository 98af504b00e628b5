"""Writing results: all files or none under their final names, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from auditor.errors import OutputError


def check_folder(folder: Path) -> None:
    """Raise OutputError when files could not be written into `folder`, before any work is done for them."""
    try:
        taken = folder.exists() and not folder.is_dir()
        nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    except OSError as error:
        raise OutputError(
            f"This cannot be a folder: {error.strerror}.", where=str(folder)[:200], advice="Name another folder."
        ) from error
    if taken:
        raise OutputError("A file stands where the folder should be.", where=str(folder), advice="Name another folder.")
    if not nearest.is_dir():
        raise OutputError("A file stands in the way of the folder.", where=str(nearest), advice="Name another folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(
            "The folder cannot be written to.",
            where=str(nearest),
            advice="Name another folder, or change its permissions.",
        )


def write_files(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write `files` (name to content) into `folder` and return their paths.

    Every file is written whole under a temporary name before the first takes its final name.

    Raises:
        OutputError: the folder or a file could not be written; no temporary file stays behind.
    """
    check_folder(folder)
    for name in files:
        if (folder / name).is_dir():
            raise OutputError(
                "A folder stands where the file should be.",
                where=str(folder / name),
                advice="Move it, or name another place.",
            )
    waiting: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            waiting[folder / name] = _write_temporary(folder, content)
        for path, temporary in waiting.items():
            temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"The result could not be written: {error.strerror or error}.",
            where=str(error.filename or folder),
            advice="Free space or change the permissions, then run again.",
        ) from error
    finally:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
    return tuple(waiting)


def write_file(path: Path, content: bytes) -> Path:
    """Write one file; see write_files."""
    return write_files(path.parent, {path.name: content})[0]


def _write_temporary(folder: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix=".entra-audit-", dir=folder)
    with ExitStack() as undo:
        undo.callback(Path(name).unlink)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        undo.pop_all()
    return Path(name)
