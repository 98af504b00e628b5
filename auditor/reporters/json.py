"""JSON: audit.json, the whole result, from which every other report can be rendered again byte for byte."""

from __future__ import annotations

import msgspec

from auditor.errors import InputError
from auditor.model.canonical import to_json
from auditor.model.outcome import SCHEMA, VERSION, AuditResult
from auditor.reporters import Reporter

_ADVICE = "Give the audit.json that `entra-audit run --format json` wrote."


class _Envelope(msgspec.Struct):
    schema: str = ""
    version: int = 0


def render(result: AuditResult) -> dict[str, bytes]:
    """Return audit.json: canonical, so that equal results give equal bytes."""
    return {"audit.json": to_json(result)}


def decode_audit(data: bytes, where: str) -> AuditResult:
    """Return the result that `render` wrote.

    Args:
        data: the content of an audit.json.
        where: its path, for messages.

    Raises:
        InputError: it is cut, no JSON, no audit, or of a newer version.
    """
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.schema != SCHEMA:
            raise InputError("This is not an audit result.", where=where, advice=_ADVICE)
        if envelope.version > VERSION:
            raise InputError(
                f"This audit result has version {envelope.version}; this program reads up to {VERSION}.",
                where=where,
                advice="Render it with the entra-audit that wrote it, or a newer one.",
            )
        return msgspec.json.decode(data, type=AuditResult)
    except msgspec.ValidationError as error:
        raise InputError(f"This is not a valid audit result: {error}.", where=where, advice=_ADVICE) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"This is not JSON, or it was cut: {error}.", where=where, advice=_ADVICE) from error


REPORTER = Reporter(name="json", help="audit.json, the whole result for programs and for `report`", render=render)
