"""What can go wrong with an API call: a small closed family.

    ApiError
    ├── TransientError            try again later; nothing was applied
    │   ├── AmbiguousError        a write that may or may not have been applied: look before writing again
    │   └── CircuitOpenError      not sent: the server has been failing, calls are held back for a while
    ├── RefusedError              permanent: the server will not have this request as it is
    └── AuthenticationError       the credentials are not accepted: the connection pauses

Catch `AmbiguousError` before `TransientError`. Every error says what happened and what to do, with secrets and e-mail
addresses taken out, so that its text can go to logs and dead letters as it is.
"""

from typing import Any, TypedDict, Unpack

from brightpearl_pipelines.http.redaction import redact


class Facts(TypedDict, total=False):
    """What is known of a call that failed; see ApiError."""

    connection: str
    request: str
    status: int | None
    request_id: str | None
    advice: str


class ApiError(Exception):
    """A call that did not do what was asked.

    `request` is the request line without host, e.g. `GET /v2/orders?page=2`; `status` is None when no answer came;
    `request_id` is the server's own id of the exchange, to quote to its support.
    """

    def __init__(self, message: str, **facts: Unpack[Facts]) -> None:
        self.connection = facts.get("connection", "")
        self.request = redact(facts.get("request", ""))
        self.status = facts.get("status")
        self.request_id = facts.get("request_id")
        self.message = redact(message)
        self.advice = facts.get("advice", "")
        super().__init__(self.message)

    def __str__(self) -> str:
        where = f"{self.connection}: {self.request}: " if self.request else f"{self.connection}: "
        quoted = f" [request id {self.request_id}]" if self.request_id else ""
        return " ".join(part for part in (f"{where}{self.message}{quoted}", self.advice) if part)


class TransientError(ApiError):
    """It may work later. `retry_after`: seconds after which a new try makes sense, None when nobody said."""

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Unpack[Facts]) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class AmbiguousError(TransientError):
    """A write whose fate is unknown: it reached, or may have reached, the server, and no usable answer came back."""


class CircuitOpenError(TransientError):
    """Not sent: the account's circuit is open; the message says until when."""


class RefusedError(ApiError):
    """The server refused the request. `body` is its answer as parsed JSON, None when it was not JSON."""

    def __init__(self, message: str, *, body: object = None, **facts: Unpack[Facts]) -> None:
        super().__init__(message, **facts)
        self.body: Any = body


class AuthenticationError(ApiError):
    """The credentials of the connection are not accepted; its calls pause until they are."""
