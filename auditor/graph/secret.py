"""Secrets: texts that live in memory only, where they come from, and how they are kept out of errors."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_plus

from auditor.errors import SignInError

SECRET_VARIABLES = ("ENTRA_AUDIT_CLIENT_SECRET", "AZURE_CLIENT_SECRET")
CERTIFICATE_PASSWORD = "ENTRA_AUDIT_CERTIFICATE_PASSWORD"  # noqa: S105 - the variable's name
NOTIFY = "ENTRA_AUDIT_NOTIFY"
"""The variable with the addresses of notifications; each holds a secret."""
_HIDDEN_VARIABLES = (
    *SECRET_VARIABLES,
    CERTIFICATE_PASSWORD,
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)
_REDACTED = "**redacted**"
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]*(\.[\w-]*)?")
"""A JSON Web Token, whole or cut."""
_USER_INFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Secret:
    """A text that no way of printing, formatting, copying, pickling or encoding shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return _REDACTED

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled")


def secret_from_environment(environ: Mapping[str, str]) -> Secret | None:
    """Return the client secret of the first of SECRET_VARIABLES that is set, or None."""
    value = next((environ[name] for name in SECRET_VARIABLES if environ.get(name)), "")
    return Secret(value) if value else None


def secret_from_file(path: Path, of: str = "the client secret") -> Secret:
    """Return the secret that a file holds, without blanks and line ends around it; `of` says what it is in errors.

    Raises:
        SignInError: the file cannot be read, is empty, or may be read by others (Windows has other rules, and is
            not asked).
    """
    advice = f"Write {of}, and nothing else, into a UTF-8 file that only you may read."
    try:
        with path.open(encoding="utf-8-sig") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_ISREG(mode) and mode & _OTHERS:
                raise SignInError(
                    f"The file of {of} may be read or changed by others (mode {stat.S_IMODE(mode):04o}).",
                    where=str(path),
                    advice=f"Close it to them: chmod 600 {path}. Who else could read it before may have the secret.",
                )
            value = file.read().strip()
    except OSError as error:
        what = f"The file of {of} cannot be read: {error.strerror}."
        raise SignInError(what, where=str(path), advice=advice) from None
    except UnicodeDecodeError:
        raise SignInError(f"The file of {of} is not UTF-8.", where=str(path), advice=advice) from None
    if not value:
        raise SignInError(f"The file of {of} is empty.", where=str(path), advice=advice)
    return Secret(value)


def redacted(text: str, secrets: Iterable[Secret | None], environ: Mapping[str, str]) -> str:
    """Return a text of others without secrets: those given, those of `environ`, tokens, and passwords of URLs."""
    known = [secret.reveal() for secret in secrets if secret]
    known += [value for name, value in environ.items() if value and _hidden(name)]
    known += environ.get(NOTIFY, "").split()
    for value in sorted(known, key=len, reverse=True):
        for written in (value, quote_plus(value), quote(value)):
            text = text.replace(written, _REDACTED)
    return _USER_INFO.sub(f"{_REDACTED}@", _TOKEN.sub(_REDACTED, text))


def _hidden(name: str) -> bool:
    """Tell whether a variable holds a secret: by its name, or by that with a tenant's behind it."""
    return any(name == hidden or name.startswith(f"{hidden}_") for hidden in _HIDDEN_VARIABLES)
