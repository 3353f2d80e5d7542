"""Virtual time, a server that answers from a script, and clients wired to both and to the real store."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

import httpx

from brightpearl_pipelines.http.client import open_client
from brightpearl_pipelines.http.rules import Observation, ServerRules
from brightpearl_pipelines.store import calls

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class VirtualClock:
    """Time that stands still while anything can run, then jumps to the next sleeper."""

    def __init__(self):
        self._elapsed = 0.0
        self._sleepers = []
        self._order = itertools.count()

    def now(self):
        return START + timedelta(seconds=self._elapsed)

    def monotonic(self):
        return self._elapsed

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(seconds, 0.0), next(self._order), future))
        await future

    def advance(self, seconds):
        """Let this much time pass while nobody runs."""
        self._elapsed += seconds

    def run(self, *coroutines):
        """Run them together to their ends; returns their results, the single one bare."""
        results = asyncio.run(self._drive(coroutines))
        return results[0] if len(results) == 1 else results

    async def _drive(self, coroutines):
        everything = asyncio.gather(*coroutines)
        while True:
            for _ in range(30):
                await asyncio.sleep(0)
            if everything.done():
                return everything.result()
            assert self._sleepers, "all tasks wait for something that will never come"
            wakes, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, wakes)
            if not future.done():
                future.set_result(None)


class Server(httpx.AsyncBaseTransport):
    """Answers each request with what `script(request)` returns or raises; `seen` holds (elapsed seconds, request).

    `travel`: the seconds that each request is under way, in turn.
    """

    def __init__(self, clock, script, travel=()):
        self.clock = clock
        self.script = script
        self.travel = iter(travel)
        self.seen = []

    async def handle_async_request(self, request):
        await self.clock.sleep(next(self.travel, 0.0))
        self.seen.append((self.clock.monotonic(), request))
        answer = self.script(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def instants(self):
        return [instant for instant, _ in self.seen]


def answers(*sequence):
    """A script that gives these answers in turn and repeats the last one for ever; each is called if it can be."""
    remaining = list(sequence)

    def script(request):
        answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return answer(request) if callable(answer) else copied(answer)

    return script


def copied(answer):
    """Responses hold state: every send gets its own."""
    if not isinstance(answer, httpx.Response):
        return answer
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def ok(body=None):
    return httpx.Response(200, json={"response": []} if body is None else body)


def fault(status=500, **headers):
    return httpx.Response(status, json={"errors": [{"code": "CMNU-003"}]}, headers=headers)


def mistake():
    return httpx.Response(500, json={"errors": [{"code": "CMNC-018", "message": "cannot be parsed"}]})


def throttle(seconds):
    return httpx.Response(429, headers={"X-Wait": str(seconds)})


def _observe(response):
    if "X-Left" not in response.headers:
        return None
    return Observation(int(response.headers["X-Left"]), float(response.headers["X-Reset"]))


def rules(limit=100, window=60.0, reserve=0.25):
    return ServerRules(
        limit=limit,
        window_seconds=window,
        reserve=reserve,
        observe=_observe,
        throttled=lambda r: float(r.headers.get("X-Wait", "0")) if r.status_code == 429 else None,
        transient=lambda r: r.status_code >= 500 and "CMNC" not in r.text,
        request_id=lambda r: r.headers.get("X-Request-Id"),
    )


def client(store, clock, inner, *, name="north", limits=None, base="https://api.example.com/base", auth=None, **more):
    """An Api on the script's server."""
    return open_client(
        connection=name,
        base_url=base,
        auth=auth,
        rules=limits or rules(),
        store=store,
        clock=clock,
        inner=inner,
        **more,
    )


def audit(store):
    with store.transaction() as tx:
        return calls.since(tx, START - timedelta(days=1))


async def caught(awaitable):
    """The error that it raises."""
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return error
    raise AssertionError("no error was raised")
