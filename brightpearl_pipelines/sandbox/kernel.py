"""What all emulators share: collections, a clock that can be set, faults, the log of calls, timers, the admin API.

An emulator is an ASGI app made of its own routes plus the admin routes below `/_sandbox`. It holds its whole state in
`collections` (JSON objects by collection and id), so that the state can be read, compared and saved as it is.
"""

import asyncio
import heapq
import itertools
import json
import random
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JsonObject = dict[str, Any]
Timer = Callable[[], Awaitable[None]]

CALLS_KEPT = 500_000
FAULT_KINDS = (
    "refuse",  # cut the connection, nothing applied
    "drop",  # the same as seen from outside; kept apart so that a log says which was meant
    "apply_then_drop",  # applied, but the answer is lost
    "delay",  # applied after `seconds`
    "status",  # answer `status` with `body`, nothing applied
    "throttle",  # the system's own way of saying "too many requests"
    "truncate",  # applied, but the body ends in the middle
    "partial",  # applied only in part, where a system knows such answers; the route finds it in scope["sandbox_fault"]
    "lose_webhook",
    "duplicate_webhook",
    "reorder_webhook",  # held back by `seconds`, so that later ones overtake it
)


class SandboxClock:
    """The machine's clock, moved and stopped at will through the admin API."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._offset

    def set(self, instant: datetime) -> None:
        if self._frozen is not None:
            self._frozen = instant.astimezone(UTC)
        else:
            self._offset = instant.astimezone(UTC) - datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        self.set(self.now() + timedelta(seconds=seconds))

    def freeze(self, frozen: bool) -> None:
        if frozen:
            self._frozen = self.now()
        elif self._frozen is not None:
            instant, self._frozen = self._frozen, None
            self.set(instant)

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Stand still and be set at will meanwhile; afterwards go on as if nothing had been."""
        before = self._offset, self._frozen
        self._frozen = self.now()
        try:
            yield
        finally:
            self._offset, self._frozen = before


@dataclass
class Fault:
    """One rule: calls (or webhooks) that match `method` and `path` meet `kind`, `count` times or with `probability`."""

    kind: str
    method: str = "*"
    path: str = ".*"
    """A regular expression searched in the path with its query; for webhook kinds, in the topic."""
    count: int | None = None
    probability: float = 1.0
    status: int = 500
    body: Any = None
    seconds: float = 1.0
    headers: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    """Let this many matching calls pass first."""

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}: one of {', '.join(FAULT_KINDS)}")
        re.compile(self.path)


class Emulator(ABC):
    """State and machinery of one emulated system. Subclasses bring routes, credentials and their world."""

    name = "emulator"

    def __init__(self, *, seed: int = 7, clock: SandboxClock | None = None, settings: JsonObject | None = None) -> None:
        self.clock = clock or SandboxClock()
        self.rng = random.Random(f"{self.name}:{seed}")
        self.settings: JsonObject = settings or {}
        self.collections: dict[str, dict[str, JsonObject]] = {}
        self.sequences: dict[str, int] = {}
        self.calls: deque[JsonObject] = deque(maxlen=CALLS_KEPT)
        self.faults: list[Fault] = []
        self.base_url = ""
        self.webhook_client: httpx.AsyncClient | None = None
        self._timers: list[tuple[datetime, int, Timer]] = []
        self._timer_order = itertools.count()
        self._changes = 0
        self._saved_changes = -1

    # -- what a system brings -------------------------------------------------------------------------------------

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The system's own API."""

    @abstractmethod
    def credentials(self) -> JsonObject:
        """What a client needs to log in; printed at start and served at `/_sandbox/credentials`."""

    def throttled(self) -> Response:
        """The system's own answer to too many requests."""
        return JSONResponse({"error": "too many requests"}, status_code=429)

    def restored(self) -> None:  # noqa: B027 - many have nothing to rebuild
        """Called after the collections came back from disk: rebuild indexes and timers here."""

    # -- state ----------------------------------------------------------------------------------------------------

    def collection(self, name: str) -> dict[str, JsonObject]:
        return self.collections.setdefault(name, {})

    def put(self, collection: str, key: str | int, value: JsonObject) -> JsonObject:
        """Store an object; every change of state should pass here or call `touch`."""
        self.collection(collection)[str(key)] = value
        self.touch()
        return value

    def touch(self) -> None:
        """Say that state changed, so that the next save writes it."""
        self._changes += 1

    def next_id(self, sequence: str, start: int = 1) -> int:
        """Ids grow and are never used again."""
        value = self.sequences.get(sequence, start - 1) + 1
        self.sequences[sequence] = value
        return value

    def save(self, folder: Path) -> None:
        """Write the state atomically if it changed since the last save."""
        if self._changes == self._saved_changes:
            return
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.name}.json"
        body = json.dumps({"collections": self.collections, "sequences": self.sequences, "settings": self.settings})
        temporary = target.with_suffix(".tmp")
        temporary.write_text(body)
        temporary.replace(target)
        self._saved_changes = self._changes

    def restore(self, folder: Path) -> bool:
        """Read the state back; False when there is none."""
        target = folder / f"{self.name}.json"
        if not target.exists():
            return False
        state = json.loads(target.read_text())
        self.collections, self.sequences = state["collections"], state["sequences"]
        self.settings |= state["settings"]
        self._saved_changes = self._changes
        self.restored()
        return True

    # -- time -----------------------------------------------------------------------------------------------------

    def after(self, seconds: float, timer: Timer) -> None:
        """Run `timer` when the emulator's clock has moved on by `seconds`."""
        due = self.clock.now() + timedelta(seconds=seconds)
        heapq.heappush(self._timers, (due, next(self._timer_order), timer))

    def next_due(self) -> datetime | None:
        """When the earliest timer is due: a simulation jumps its clock there."""
        return self._timers[0][0] if self._timers else None

    async def tick(self) -> int:
        """Run the timers that are due; returns how many."""
        done = 0
        while self._timers and self._timers[0][0] <= self.clock.now():
            _, _, timer = heapq.heappop(self._timers)
            await timer()
            done += 1
        return done

    # -- faults ---------------------------------------------------------------------------------------------------

    def fault_for(self, method: str, path: str, *, webhook: bool = False) -> Fault | None:
        """The first rule that strikes this call, counted down."""
        for fault in self.faults:
            if fault.kind.endswith("_webhook") is not webhook:
                continue
            if fault.method not in ("*", method) or not re.search(fault.path, path) or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self.rng.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None

    # -- the app --------------------------------------------------------------------------------------------------

    def app(self) -> ASGIApp:
        """The system's API, with faults and call log around it, and the admin API beside it."""
        inner = Starlette(routes=[*self._admin_routes(), *self.routes()])
        return _Intercepted(self, inner)

    async def run_timers(self, interval: float = 0.05) -> None:
        """Keep the timers going while the emulator is served."""
        while True:
            await self.tick()
            await asyncio.sleep(interval)

    def _admin_routes(self) -> list[BaseRoute]:
        async def state(_: Request) -> Response:
            return JSONResponse({name: len(items) for name, items in sorted(self.collections.items())})

        async def objects(request: Request) -> Response:
            name = request.path_params["collection"]
            if name not in self.collections:
                known = ", ".join(sorted(self.collections))
                return JSONResponse({"error": f"no collection {name!r}; there are: {known}"}, status_code=404)
            items = list(self.collections[name].values())
            if "fields" in request.query_params:
                # A hundred thousand whole objects are more than a reader who compares a few fields wants to wait for.
                wanted = request.query_params["fields"].split(",")
                items = [{field: item[field] for field in wanted if field in item} for item in items]
            return JSONResponse(items)

        async def add_faults(request: Request) -> Response:
            try:
                body = await request.json()
                rules = body if isinstance(body, list) else [body]
                self.faults.extend(Fault(**rule) for rule in rules)
            except (ValueError, TypeError, re.error) as error:
                return JSONResponse({"error": str(error)}, status_code=400)
            return JSONResponse({"faults": [vars(fault) for fault in self.faults]})

        async def clear_faults(_: Request) -> Response:
            self.faults.clear()
            return JSONResponse({"faults": []})

        async def clock(request: Request) -> Response:
            body = await request.json()
            if "frozen" in body:
                self.clock.freeze(bool(body["frozen"]))
            if "now" in body:
                self.clock.set(datetime.fromisoformat(body["now"]))
            if "advance" in body:
                self.clock.advance(float(body["advance"]))
            ran = await self.tick()
            return JSONResponse({"now": self.clock.now().isoformat(), "timers_run": ran})

        async def calls(request: Request) -> Response:
            first = int(request.query_params.get("from", 0))
            return JSONResponse(list(itertools.islice(self.calls, first, None)))

        async def clear_calls(_: Request) -> Response:
            self.calls.clear()
            return JSONResponse([])

        async def credentials(_: Request) -> Response:
            return JSONResponse(self.credentials())

        async def settings(request: Request) -> Response:
            if request.method == "POST":
                self.settings |= await request.json()
                self.touch()
            return JSONResponse(self.settings)

        return [
            Route("/_sandbox/state", state),
            Route("/_sandbox/state/{collection}", objects),
            Route("/_sandbox/faults", add_faults, methods=["POST"]),
            Route("/_sandbox/faults", clear_faults, methods=["DELETE"]),
            Route("/_sandbox/clock", clock, methods=["POST"]),
            Route("/_sandbox/calls", calls, methods=["GET"]),
            Route("/_sandbox/calls", clear_calls, methods=["DELETE"]),
            Route("/_sandbox/credentials", credentials),
            Route("/_sandbox/settings", settings, methods=["GET", "POST"]),
        ]


class ConnectionCutError(Exception):
    """Raised after a half-sent answer, so that the server closes the connection."""


class _Intercepted:
    """Logs every API call and applies the fault rules."""

    def __init__(self, emulator: Emulator, inner: ASGIApp) -> None:
        self.emulator = emulator
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self.inner(scope, receive, send)
            return
        method = scope["method"]
        query = scope["query_string"].decode()
        path = scope["path"] + (f"?{query}" if query else "")
        entry: JsonObject = {
            "time": self.emulator.clock.now().isoformat(),
            "method": method,
            "path": path,
            "status": None,
            "fault": None,
        }
        self.emulator.calls.append(entry)
        fault = self.emulator.fault_for(method, path)
        if fault is not None:
            entry["fault"] = scope["sandbox_fault"] = fault.kind
        await self._answer(fault, entry, scope, receive, send)

    async def _answer(self, fault: Fault | None, entry: JsonObject, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        async def into_the_void(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]

        match fault.kind if fault else None:
            case None:
                await self.inner(scope, receive, noting)
            case "refuse" | "drop":
                await self._cut(send)
            case "apply_then_drop":
                await self.inner(scope, receive, into_the_void)
                await self._cut(send)
            case "delay":
                assert fault is not None  # noqa: S101 - narrows the type for the checker
                await asyncio.sleep(fault.seconds)
                await self.inner(scope, receive, noting)
            case "status":
                assert fault is not None  # noqa: S101 - as above
                body = fault.body if fault.body is not None else {"error": "injected fault"}
                await JSONResponse(body, fault.status, headers=dict(fault.headers))(scope, receive, noting)
            case "throttle":
                await self.emulator.throttled()(scope, receive, noting)
            case "truncate":
                await self._truncated(scope, receive, noting)
            case _:
                await self.inner(scope, receive, noting)

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the announced length but only half of the body."""

        async def halved(message: Message) -> None:
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                raise ConnectionCutError
            await send(message)

        await self.inner(scope, receive, halved)

    async def _cut(self, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"', "more_body": True})
        raise ConnectionCutError
