"""What Microsoft Graph refuses, and the words that it uses: https://learn.microsoft.com/graph/errors."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[int, tuple[str, str]] = {
    400: ("BadRequest", "The request is malformed."),
    401: ("InvalidAuthenticationToken", "Access token is empty or not valid for this tenant."),
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "The resource does not exist."),
    405: ("Request_BadRequest", "Specified HTTP method is not allowed for the request target."),
    409: ("Request_MultipleObjectsWithSameKeyValue", "The object exists already."),
    410: ("Gone", "The resource is no longer available."),
    429: ("TooManyRequests", "Too many requests."),
    500: ("InternalServerError", "An unexpected error occurred."),
    502: ("BadGateway", "Bad gateway."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The gateway timed out."),
    507: ("InsufficientStorage", "The storage quota has been reached."),
}


class Refused(Exception):  # noqa: N818 - an answer of the simulator, not an error of this program
    """An answer with Graph's error body.

    Args:
        status: the HTTP status.
        message: what to say; empty: what Graph says of the status.
        code: Graph's error code; empty: the one of the status.
        retry_after: the value of the Retry-After header; None sends none.
    """

    def __init__(self, status: int, message: str = "", *, code: str = "", retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or _WORDS[status][0]
        self.message = message or _WORDS[status][1]
        self.headers = {} if retry_after is None else {"Retry-After": retry_after}

    def body(self, inner: Mapping[str, str]) -> dict[str, object]:
        """Return the error body; `inner` is what it says of the request."""
        return {"error": {"code": self.code, "message": self.message, "innerError": dict(inner)}}


def unsupported(message: str) -> Refused:
    """Return the refusal of a query that Graph does not offer."""
    return Refused(400, message, code="Request_UnsupportedQuery")


def absent(name: str) -> Refused:
    """Return the refusal of what names an object that does not exist."""
    said = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return Refused(404, said)
