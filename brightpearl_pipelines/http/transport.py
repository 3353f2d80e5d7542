"""The inner layers of the stack: the guard of addresses, the gate (circuit breaker and limiter), the audit."""

import ipaddress

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.answers import throttle_wait
from brightpearl_pipelines.http.breaker import Breaker
from brightpearl_pipelines.http.call import Call, call_of, request_line
from brightpearl_pipelines.http.errors import RefusedError
from brightpearl_pipelines.http.limiter import Limiter
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.store import calls
from brightpearl_pipelines.store.budget import Verdict
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import ApiCall

FLUSH_AT = 200
_LONGEST_ERROR = 300


def require_encryption(url: httpx.URL, what: str) -> None:
    """Raises ConfigurationError unless `url` is https, or http on this very machine."""
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host)):
        return
    raise ConfigurationError(
        f"{what}: {redact(str(url))} would send credentials unencrypted; use an https:// address "
        "(plain http is only allowed to this machine itself)"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class GuardTransport(httpx.AsyncBaseTransport):
    """Keeps credentials at home: counted calls go to the configured server only, all calls encrypted."""

    def __init__(self, inner: httpx.AsyncBaseTransport, home: httpx.URL) -> None:
        self._inner = inner
        self._home = home

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call, url = call_of(request), request.url
        require_encryption(url, call.connection)
        if call.counted and (url.scheme, url.host, url.port) != (self._home.scheme, self._home.host, self._home.port):
            raise RefusedError(
                f"not sent: {url.host} is not the configured server {self._home.host}",
                connection=call.connection,
                request=request_line(request),
                advice="Check the address of this connection; an answer pointed somewhere else.",
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class GateTransport(httpx.AsyncBaseTransport):
    """Lets a call pass when the circuit is closed and the limit has room, and learns from how it ended."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, breaker: Breaker, limiter: Limiter, clock: Clock) -> None:
        self._inner = inner
        self._breaker = breaker
        self._limiter = limiter
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = call_of(request)
        verdict: Verdict | None = None
        if call.counted:
            verdict = await self._limiter.acquire(call, request, self._breaker)
        else:
            self._breaker.enter(call, request)
        # The token endpoint may be another server: its faults say nothing about this one, unless it is being probed.
        telling = call.counted or call.probing
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.RequestError:
            if telling:
                self._breaker.failed(call)
            raise
        if self._failed(call, response):
            if telling:
                self._breaker.failed(call)
        elif verdict is not None and not (call.probing and response.status_code == 401):
            # A probe that meets 401 keeps the probe: the auth flow may renew the token and send it again.
            self._breaker.succeeded(call, verdict)
        if verdict is not None:
            self._limiter.learn(call, response, verdict)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _failed(self, call: Call, response: httpx.Response) -> bool:
        if response.status_code < 400 or throttle_wait(call, response, self._clock.now()) is not None:
            return False
        return call.rules.transient(response)


class CallLog:
    """Audit rows on their way to the store."""

    def __init__(self, store: Store) -> None:
        self.counted = 0
        """Sends so far that count against the account's limit."""
        self._store = store
        self._rows: list[ApiCall] = []

    def add(self, row: ApiCall) -> None:
        """Remember a row until the next flush."""
        self._rows.append(row)

    def flush(self, at: int = 1) -> None:
        """Write what has gathered, if it is at least `at` rows."""
        if len(self._rows) < at:
            return
        with self._store.transaction() as tx:
            calls.log(tx, self._rows)
        self._rows.clear()


class AuditTransport(httpx.AsyncBaseTransport):
    """Makes one ApiCall row of every send, and reads the whole body, so that a cut one shows here and not later."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        log: CallLog,
        clock: Clock,
        run: str | None,
        owned: bool,
    ) -> None:
        self._inner = inner
        self._log = log
        self._clock = clock
        self._run = run
        self._owned = owned

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = call_of(request)
        # Before the call rather than after it: a store that fails must not hide that a write was made.
        self._log.flush(at=FLUSH_AT)
        call.attempts += 1
        self._log.counted += call.counted
        at, started = self._clock.now(), self._clock.monotonic()
        status: int | None = None
        error: str | None = "cut off before the answer came"
        try:
            response = await self._inner.handle_async_request(request)
            status = response.status_code
            await _read(response)
            error = None
        except httpx.RequestError as trouble:
            error = redact(f"{type(trouble).__name__}: {trouble}")[:_LONGEST_ERROR]
            raise
        finally:
            duration = round((self._clock.monotonic() - started) * 1000)
            self._log.add(
                ApiCall(
                    connection=call.connection,
                    at=at,
                    method=request.method,
                    path=redact(request.url.raw_path.decode("ascii", "replace")),
                    status=status,
                    duration_ms=duration,
                    attempt=call.attempts,
                    error=error,
                    run=self._run,
                )
            )
        return response

    async def aclose(self) -> None:
        if self._owned:
            await self._inner.aclose()


async def _read(response: httpx.Response) -> None:
    try:
        await response.aread()
    finally:
        await response.aclose()
