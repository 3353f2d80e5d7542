"""The client that all systems use.

From the outside in: auth → guard → retry → circuit breaker → limiter → audit → httpx.
"""

import functools
import ssl
from collections.abc import Mapping, Sequence, Set
from types import TracebackType
from typing import Self

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.answers import error_of, read_json, write_json
from brightpearl_pipelines.http.auth import HeaderAuth, OAuthRefresh
from brightpearl_pipelines.http.breaker import Breaker
from brightpearl_pipelines.http.call import Call
from brightpearl_pipelines.http.errors import AuthenticationError
from brightpearl_pipelines.http.limiter import Lane, Limiter
from brightpearl_pipelines.http.retry import RetryTransport
from brightpearl_pipelines.http.rules import Observation, ServerRules
from brightpearl_pipelines.http.transport import (
    AuditTransport,
    CallLog,
    GateTransport,
    GuardTransport,
    require_encryption,
)
from brightpearl_pipelines.store.database import Store

__all__ = ["Api", "HeaderAuth", "OAuthRefresh", "Observation", "ServerRules", "open_client", "read_json"]

TIMEOUT = httpx.Timeout(60, connect=10)
Query = Mapping[str, str | int | float | bool | Sequence[str | int | float | bool | None] | None]


class Api:
    """One open connection to one system. Make it with `open_client`; close it, so that its audit rows are stored."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        connection: str,
        rules: ServerRules,
        log: CallLog,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self.connection = connection
        self._client = client
        self._rules = rules
        self._log = log
        self._breaker = breaker
        self._clock = clock

    @property
    def calls(self) -> int:
        """Requests sent so far that count against the account's limit, repeated ones included."""
        return self._log.counted

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        expected: Set[int] = frozenset(),
    ) -> httpx.Response:
        """Send a request and return the good answer, its body read. `path` is relative to the base URL.

        `json`: anything JSON knows, and Decimals, which become numbers. `idempotent`: True for a write that may be
        repeated without harm. `expected`: statuses of 300 and above that the caller understands and wants returned.

        Raises AmbiguousError, CircuitOpenError, other TransientErrors, RefusedError, AuthenticationError (errors.py).
        """
        call = Call(self.connection, self._rules, idempotent=idempotent)
        body = None if json is None else write_json(json)
        sent_headers = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
        request = self._client.build_request(method, path, params=params, content=body, headers=sent_headers)
        response = await self._client.send(call.attach(request))
        if response.status_code in expected:
            return response
        error = error_of(response, self._clock.now())
        if error is None:
            return response
        if isinstance(error, AuthenticationError):
            self._breaker.pause(error.message)
        raise error

    def flush_calls(self) -> None:
        """Store the audit rows gathered so far."""
        self._log.flush()

    def resume(self) -> None:
        """Let calls go at once although the account is paused or its circuit open, e.g. to test new credentials."""
        self._breaker.resume()

    async def aclose(self) -> None:
        """Close the connections and store the last audit rows."""
        try:
            await self._client.aclose()
        finally:
            self._log.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def open_client(
    *,
    connection: str,
    base_url: str,
    auth: httpx.Auth | None,
    rules: ServerRules,
    store: Store,
    clock: Clock,
    headers: Mapping[str, str] | None = None,
    lane: Lane = "delta",
    inner: httpx.AsyncBaseTransport | None = None,
    run: str | None = None,
    timeout: httpx.Timeout = TIMEOUT,
) -> Api:
    """An `Api` for one connection, whose name is also the account that limit, circuit and audit go by.

    `lane`: backfills leave the reserve of the limit to deltas. `inner`: what really sends, instead of httpx's own
    transport; it stays open when the client closes. `run`: written to the audit rows.

    Raises ConfigurationError for a plain http address other than this machine's own.
    """
    home = httpx.URL(base_url)
    require_encryption(home, connection)
    log = CallLog(store)
    breaker = Breaker(connection, store, clock)
    audit = AuditTransport(
        inner or httpx.AsyncHTTPTransport(verify=tls_context()),
        log=log,
        clock=clock,
        run=run,
        owned=inner is None,
    )
    limiter = Limiter(connection, rules, lane, store=store, clock=clock)
    gate = GateTransport(audit, breaker=breaker, limiter=limiter, clock=clock)
    stack = GuardTransport(RetryTransport(gate, clock), home)
    if isinstance(auth, OAuthRefresh):
        auth.attach(stack)
    client = httpx.AsyncClient(
        base_url=home,
        auth=auth,
        headers={"Accept": "application/json", "User-Agent": "brightpearl-pipelines", **(headers or {})},
        transport=stack,
        timeout=timeout,
    )
    return Api(client, connection=connection, rules=rules, log=log, breaker=breaker, clock=clock)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later; made once a process, since making one takes longer than a call on this machine."""
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
