"""What the transport must know of one logical request while it passes through retry, gate and audit."""

from dataclasses import dataclass

import httpx

from brightpearl_pipelines.http.rules import ServerRules

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TRIES = 6
_KEY = "brightpearl_pipelines.call"


@dataclass(eq=False, slots=True)
class Call:
    """Travels in the request's `extensions`; one for all sends of the same request, re-sends after a 401 included."""

    connection: str
    rules: ServerRules
    idempotent: bool | None = None
    """True: a write that may be repeated without harm."""
    counted: bool = True
    """False for calls outside the account's limit, such as token requests."""
    tries: int = TRIES
    attempts: int = 0
    probing: bool = False
    """It holds the probe of a closed account."""
    maybe_applied: bool = False
    """It writes, and at least one send may have been applied without our knowing."""

    def attach(self, request: httpx.Request) -> httpx.Request:
        """Put this call on the request."""
        request.extensions[_KEY] = self
        return request

    def repeatable(self, request: httpx.Request) -> bool:
        """Whether the request may be sent again although the one before may have been applied."""
        return safe(request) or self.idempotent is True


def safe(request: httpx.Request) -> bool:
    """Whether the request only reads."""
    return request.method.upper() in SAFE_METHODS


def call_of(request: httpx.Request) -> Call:
    """The call that a request belongs to; every request of this room carries one."""
    call = request.extensions[_KEY]
    if not isinstance(call, Call):
        raise TypeError(f"the request extension {_KEY} holds {call!r}")
    return call


def request_line(request: httpx.Request) -> str:
    """Method, path and query, as errors and the audit name a request (still to be redacted)."""
    return f"{request.method} {request.url.raw_path.decode('ascii', 'replace')}"
