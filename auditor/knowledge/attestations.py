"""The register of attestations: read strictly, and written the same way each time."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.errors import InputError
from auditor.model.attestation import SCHEMA, VERSION, Answer, Register, key_of
from auditor.model.canonical import to_json
from auditor.model.document import Kind, decode_document

LIMIT = 128 * 2**20
"""Bytes of JSON above which a register is refused."""
_KIND = Kind(
    schema=SCHEMA,
    version=VERSION,
    noun="register of attestations",
    advice="Give the register that `entra-audit attest import` wrote.",
)


def encode_register(register: Register) -> bytes:
    """Return a register as canonical JSON, its answers in order."""
    return to_json(replace(register, answers=tuple(sorted(register.answers, key=_place))))


def decode_register(data: bytes, where: str) -> Register:
    """Return the register that `encode_register` wrote.

    Raises:
        InputError: it is cut, no JSON, no register, of a newer version, or says two things of one permission; its
            place is `where`.
    """
    register = decode_document(data, where, _KIND, Register)
    if len({_place(answer) for answer in register.answers}) < len(register.answers):
        raise InputError("The register answers one question twice.", where=where, advice=_KIND.advice)
    return register


def merged(register: Register, answers: tuple[Answer, ...]) -> Register:
    """Return a register with new answers in the place of older ones to the same question."""
    latest = {_place(answer): answer for answer in (*register.answers, *answers)}
    return Register(answers=tuple(latest[place] for place in sorted(latest)))


def _place(answer: Answer) -> tuple[str, ...]:
    return (answer.tenant_id.lower(), *key_of(answer))
