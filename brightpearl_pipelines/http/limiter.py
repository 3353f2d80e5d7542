"""The rate limit of an account: an exact sliding window in Postgres, shared by all processes.

In any `window_seconds` (plus a second for unequal travel) at most `limit` calls go out. Backfills leave the reserve to
deltas. What the server says in its headers narrows this further, since others may draw on the same pool
(brightpearl.md §11.18); a throttle answer to one holds all.
"""

import asyncio
from datetime import timedelta
from typing import Literal

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.answers import throttle_wait
from brightpearl_pipelines.http.breaker import PROBE_LEASE, Breaker
from brightpearl_pipelines.http.call import Call, request_line
from brightpearl_pipelines.http.errors import TransientError
from brightpearl_pipelines.http.rules import ServerRules
from brightpearl_pipelines.store import budget
from brightpearl_pipelines.store.budget import Allowance, Verdict
from brightpearl_pipelines.store.database import Store

Lane = Literal["delta", "backfill"]
LONGEST_WAIT = 120.0
"""Seconds that a call waits at most at a time; beyond, it fails with `retry_after`, and the caller decides."""
_SHORTEST_WAIT = 0.001


class Limiter:
    """Gives out permits for one account and lane, in the order they were asked for."""

    def __init__(self, account: str, rules: ServerRules, lane: Lane, *, store: Store, clock: Clock) -> None:
        kept = int(rules.limit * rules.reserve) if lane == "backfill" else 0
        self._allowance = Allowance(limit=rules.limit, kept=kept, window=timedelta(seconds=rules.window_seconds))
        self._account = account
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()

    async def acquire(self, call: Call, request: httpx.Request, breaker: Breaker) -> Verdict:
        """Wait for a permit. Raises what `breaker` says of a closed account; TransientError if it takes too long."""
        async with self._turn:
            while True:
                verdict = self._ask(call)
                if verdict.granted_at is not None:
                    call.probing = verdict.probing
                    return verdict
                if verdict.closed_until is not None or verdict.wait_until is None:
                    raise breaker.refusal(verdict, request)
                wait = (verdict.wait_until - self._clock.now()).total_seconds()
                if wait > LONGEST_WAIT:
                    raise self._too_long(wait, request)
                await self._clock.sleep(max(wait, _SHORTEST_WAIT))

    def learn(self, call: Call, response: httpx.Response, verdict: Verdict) -> None:
        """Take in what the server said about its limit; writes only what narrows what is known already."""
        now = self._clock.now()
        wait = throttle_wait(call, response, now)
        seen = call.rules.observe(response)
        narrows = seen is not None and seen.resets_in_seconds > 0 and seen.remaining < verdict.left
        if not wait and not narrows:
            return
        with self._store.transaction() as tx:
            if wait:
                budget.block(tx, self._account, until=now + timedelta(seconds=wait))
            if narrows and seen is not None and verdict.granted_at is not None:
                budget.observe(
                    tx,
                    self._account,
                    remaining=seen.remaining,
                    granted_at=verdict.granted_at,
                    resets_at=now + timedelta(seconds=seen.resets_in_seconds),
                )

    def _ask(self, call: Call) -> Verdict:
        with self._store.transaction() as tx:
            return budget.acquire(tx, self._account, self._allowance, lease=PROBE_LEASE, probing=call.probing)

    def _too_long(self, wait: float, request: httpx.Request) -> TransientError:
        return TransientError(
            f"not sent: the limit of the account leaves no room for another {wait:.0f} s",
            connection=self._account,
            request=request_line(request),
            retry_after=wait,
            advice="Nothing to do: it is tried again later.",
        )
