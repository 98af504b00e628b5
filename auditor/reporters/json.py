"""JSON: audit.json, the whole result, from which every other report can be rendered again byte for byte."""

from __future__ import annotations

from auditor.model.canonical import to_json
from auditor.model.document import Kind, decode_document
from auditor.model.outcome import SCHEMA, VERSION, AuditResult
from auditor.reporters import Reporter

_KIND = Kind(
    schema=SCHEMA,
    version=VERSION,
    noun="audit result",
    article="an",
    advice="Give the audit.json that `entra-audit run --format json` wrote.",
)


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
    return decode_document(data, where, _KIND, AuditResult)


REPORTER = Reporter(name="json", help="audit.json, the whole result for programs and for `report`", render=render)
