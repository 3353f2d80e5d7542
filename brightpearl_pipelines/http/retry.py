"""Sends again what may be sent again, after the wait the server asks for or an exponential one with full jitter.

Reads always may; writes when the caller says so (`idempotent=True`) or when it is certain that nothing was applied: a
throttle answer, or a connection that was never made. Any other write without a usable answer is ambiguous and goes
back to the caller, who must look before writing again.
"""

from dataclasses import dataclass

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    wait_random,
    wait_random_exponential,
)

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.answers import looks_cut, lost, retry_after, throttle_wait
from brightpearl_pipelines.http.call import Call, call_of, request_line, safe
from brightpearl_pipelines.http.errors import AmbiguousError, TransientError
from brightpearl_pipelines.http.limiter import LONGEST_WAIT

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BACK_OFF = wait_random_exponential(multiplier=1, max=30)
_SPREAD = wait_random(0, 1)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one send ended: an answer or none, whether to send again, and the seconds that the server wants."""

    end: httpx.Response | httpx.RequestError
    again: bool
    wait: float = 0.0


class RetryTransport(httpx.AsyncBaseTransport):
    """Returns the last answer, good or bad; raises TransientError or AmbiguousError when there is none."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = call_of(request)
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(call.tries),
            wait=_wait,
            retry=retry_if_result(lambda outcome: outcome.again),
            retry_error_callback=_last,
        )
        try:
            outcome: _Outcome = await retrying(self._send, request, call)
        except AmbiguousError:
            raise
        except TransientError as error:
            # This send was held back, but one before it may have been applied.
            if not call.maybe_applied:
                raise
            raise lost(call, request, error.message, wait=error.retry_after) from error
        if isinstance(outcome.end, httpx.Response):
            return outcome.end
        raise self._no_answer(call, request, outcome.end) from outcome.end

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx.Request, call: Call) -> _Outcome:
        try:
            response = await self._inner.handle_async_request(request)
        except _NEVER_SENT as error:
            return _Outcome(error, again=True)
        except httpx.RequestError as error:
            call.maybe_applied |= not safe(request)
            return _Outcome(error, again=call.repeatable(request))
        now = self._clock.now()
        throttle = throttle_wait(call, response, now)
        if throttle is not None:
            return _Outcome(response, again=throttle <= LONGEST_WAIT, wait=throttle)
        failed = response.status_code >= 400 and call.rules.transient(response)
        if not failed and not looks_cut(response):
            return _Outcome(response, again=False)
        call.maybe_applied |= not safe(request)
        wait = retry_after(response, now) or 0.0
        return _Outcome(response, again=call.repeatable(request) and wait <= LONGEST_WAIT, wait=wait)

    def _no_answer(self, call: Call, request: httpx.Request, error: httpx.RequestError) -> TransientError:
        what = f"{type(error).__name__} after {call.attempts} {'try' if call.attempts == 1 else 'tries'}"
        message = f"no answer: {what}: {error}" if str(error) else f"no answer: {what}"
        if safe(request) or call.maybe_applied:
            return lost(call, request, message)
        return TransientError(
            message,
            connection=call.connection,
            request=request_line(request),
            advice="Nothing was sent; it is tried again. If it lasts, check the address and the network.",
        )


def _wait(state: RetryCallState) -> float:
    asked = _last(state).wait
    return asked + _SPREAD(state) if asked else _BACK_OFF(state)


def _last(state: RetryCallState) -> _Outcome:
    if state.outcome is None:
        raise RuntimeError("tenacity asks about a try that has not ended")
    outcome: _Outcome = state.outcome.result()
    return outcome
