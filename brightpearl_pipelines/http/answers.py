"""Reads answers: is it a throttle, is it whole, what error does it amount to, what JSON does it hold."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx

from brightpearl_pipelines.http.call import Call, call_of, request_line, safe
from brightpearl_pipelines.http.errors import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    Facts,
    RefusedError,
    TransientError,
)
from brightpearl_pipelines.http.redaction import redact

EXCERPT = 300
_CLOSERS = {b"{": b"}", b"[": b"]"}
_TRIED_AGAIN = "Nothing to do: it is tried again."
_CREDENTIALS = "Check the token of this connection, or authorise the app again; calls are held until it works."
_LOOK_FIRST = "Read the target before writing again."
_ADVICE = {
    403: "Give the credentials of this connection the missing permission or scope.",
    404: "Check that the record still exists there and that the address of the connection is right.",
    413: "Send fewer items at a time.",
    414: "Send fewer ids at a time.",
}
_CORRECT = "The same request will be refused again: correct the record, the mapping or the settings first."


def retry_after(response: httpx.Response, now: datetime) -> float | None:
    """Seconds that the header Retry-After asks for, given in seconds or as a date; None without a readable one."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        instant = parsedate_to_datetime(value)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return max(0.0, (instant - now).total_seconds())


def throttle_wait(call: Call, response: httpx.Response, now: datetime) -> float | None:
    """Seconds to wait when the answer is a throttle, the longer of what rules and Retry-After say; None otherwise."""
    seconds = call.rules.throttled(response)
    return None if seconds is None else max(seconds, retry_after(response, now) or 0.0)


def looks_cut(response: httpx.Response) -> bool:
    """Whether a successful JSON answer ends before its own end: cheap, finds bodies cut in the middle."""
    if not response.is_success or "json" not in response.headers.get("Content-Type", ""):
        return False
    body = response.content.strip()
    return body[:1] in _CLOSERS and not body.endswith(_CLOSERS[body[:1]])


def read_json(response: httpx.Response) -> Any:
    """The answer's JSON, numbers with a fraction as Decimal; None when there is no content (204, 205).

    Raises TransientError when the body is not JSON or ends too early, AmbiguousError when it answers a write.
    """
    if response.status_code in (204, 205):
        return None
    try:
        return _parsed(response.content)
    except ValueError as error:
        raise unreadable(response) from error


def write_json(value: object) -> bytes:
    """`value` as JSON in UTF-8; Decimals become numbers with exactly their digits."""
    return _written(value).encode()


def unreadable(response: httpx.Response) -> TransientError:
    """The error for a successful answer whose body cannot be read."""
    call, request = call_of(response.request), response.request
    message = f"answered {response.status_code} with a body that is cut or not JSON: {excerpt(response)}"
    return lost(call, request, message, response=response)


def lost(
    call: Call,
    request: httpx.Request,
    message: str,
    *,
    response: httpx.Response | None = None,
    wait: float | None = None,
) -> TransientError:
    """The error for a call without a usable answer: ambiguous when it writes, transient when it reads."""
    facts = _facts(call, request, response)
    if safe(request):
        return TransientError(message, retry_after=wait, **facts | {"advice": _TRIED_AGAIN})
    return AmbiguousError(message, retry_after=wait, **facts | {"advice": _LOOK_FIRST})


def error_of(response: httpx.Response, now: datetime) -> ApiError | None:
    """The error that an answer amounts to, None for a good one. Expected statuses are the caller's affair."""
    request = response.request
    call, status = call_of(request), response.status_code
    facts = _facts(call, request, response)
    wait = throttle_wait(call, response, now)
    if wait is not None:
        message = f"answered {status}: too many requests"
        if call.maybe_applied:
            return AmbiguousError(message, retry_after=wait or None, **facts | {"advice": _LOOK_FIRST})
        return TransientError(message, retry_after=wait or None, **facts | {"advice": _TRIED_AGAIN})
    if status == 401:
        return AuthenticationError(
            f"the server does not accept the credentials: {excerpt(response)}", **facts | {"advice": _CREDENTIALS}
        )
    if status >= 400 and call.rules.transient(response):
        message = f"failed with {status}: {excerpt(response)}"
        return lost(call, request, message, response=response, wait=retry_after(response, now))
    if status >= 400 or response.is_redirect:
        return _refused(response, facts)
    return unreadable(response) if looks_cut(response) else None


def excerpt(response: httpx.Response) -> str:
    """The first characters of a body, on one line, redacted."""
    text = " ".join(redact(response.text).split())
    return f"{text[:EXCERPT]}…" if len(text) > EXCERPT else text or "(empty body)"


def _refused(response: httpx.Response, facts: Facts) -> RefusedError:
    try:
        body = _parsed(response.content)
    except ValueError:
        body = None
    if response.is_redirect:
        advice = "The server sends callers elsewhere: check the address of this connection."
    else:
        advice = _ADVICE.get(response.status_code, _CORRECT)
    return RefusedError(
        f"refused with {response.status_code}: {excerpt(response)}", body=body, **facts | {"advice": advice}
    )


def _facts(call: Call, request: httpx.Request, response: httpx.Response | None) -> Facts:
    return {
        "connection": call.connection,
        "request": request_line(request),
        "status": None if response is None else response.status_code,
        "request_id": None if response is None else call.rules.request_id(response),
    }


def _parsed(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _written(value: object) -> str:
    # json.dumps knows Decimals only as floats or strings; a money figure must be neither.
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not JSON")
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
