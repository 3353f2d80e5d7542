"""The circuit breaker of an account, shared by all processes.

After five failures in a row (faults of the server, connections that fail) nothing is sent for 15 s; then one process
probes with the call it has at hand. A probe that works closes the circuit; each that fails doubles the pause, up to
300 s. An account whose credentials are refused is paused in the same way, with a probe every 300 s, so that it comes
back by itself once they are accepted again.
"""

from datetime import timedelta

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.call import Call, request_line
from brightpearl_pipelines.http.errors import ApiError, AuthenticationError, CircuitOpenError
from brightpearl_pipelines.store import budget
from brightpearl_pipelines.store.budget import Verdict
from brightpearl_pipelines.store.database import Store

OPENS_AT = 5
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(seconds=300)
PROBE_LEASE = timedelta(seconds=90)
"""A probe that has not come back after this long is taken for dead; longer than any time-out of a call."""


class Breaker:
    """Records how calls of one account ended, and refuses those that come while it is closed to them."""

    def __init__(self, account: str, store: Store, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._clock = clock

    def enter(self, call: Call, request: httpx.Request) -> None:
        """Let a call pass that needs no permit; raises like `refusal`."""
        if call.probing:
            return
        with self._store.transaction() as tx:
            verdict = budget.enter(tx, self._account, lease=PROBE_LEASE)
        if verdict.granted_at is None:
            raise self.refusal(verdict, request)
        call.probing = verdict.probing

    def refusal(self, verdict: Verdict, request: httpx.Request) -> ApiError:
        """The error for a call that meets a closed account."""
        if verdict.paused_reason is not None:
            return AuthenticationError(
                f"not sent, the connection is paused: {verdict.paused_reason}",
                connection=self._account,
                request=request_line(request),
                advice="Renew its credentials; calls go again once they are accepted.",
            )
        until = verdict.closed_until or self._clock.now()
        return CircuitOpenError(
            f"not sent: the server failed {verdict.failures} times in a row, calls are held back until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC",
            connection=self._account,
            request=request_line(request),
            retry_after=max(0.0, (until - self._clock.now()).total_seconds()),
            advice="Nothing to do: one call will test the server then. If it lasts, see the status page of the system.",
        )

    def failed(self, call: Call) -> None:
        """A fault of the server, or no answer."""
        with self._store.transaction() as tx:
            budget.failed(
                tx,
                self._account,
                opens_at=OPENS_AT,
                first=FIRST_PAUSE,
                longest=LONGEST_PAUSE,
                probing=call.probing,
            )
        call.probing = False

    def succeeded(self, call: Call, verdict: Verdict) -> None:
        """The server answered, in whatever way; costs nothing while all is well."""
        if call.probing or verdict.failures:
            with self._store.transaction() as tx:
                budget.succeeded(tx, self._account, probing=call.probing)
        call.probing = False

    def pause(self, reason: str) -> None:
        """Hold all calls of the account: its credentials are not accepted."""
        with self._store.transaction() as tx:
            budget.pause(tx, self._account, reason=reason, probe_at=self._clock.now() + LONGEST_PAUSE)

    def resume(self) -> None:
        """Let calls go again at once, for instance because there are new credentials."""
        with self._store.transaction() as tx:
            budget.resume(tx, self._account)
