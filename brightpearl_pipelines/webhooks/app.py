"""The receiver: takes a webhook call, makes sure that the system sent it, stores it, answers.

What is refused is told by its status alone: 401 for a caller who cannot prove itself, 404 for a connection that does
not exist, 413 for a body that is too large, 400 for one that the system never sends. What could not be stored is
answered with 503, which every system repeats; nothing is answered with 2xx before it is committed.
"""

import logging
from collections import Counter
from collections.abc import Callable

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.store import events
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import Event
from brightpearl_pipelines.systems.contract import MalformedNoticeError, Notice, Webhooks
from brightpearl_pipelines.webhooks.limits import TokenBucket, TooLargeError, read_body
from brightpearl_pipelines.webhooks.shared_secret import shared_secret

MOST_BYTES = 256 * 1024
PER_SECOND = 200.0
LOOK_AGAIN_SECONDS = 5.0
"""How soon after a failed proof the stored secret is looked at again: it may have been made anew meanwhile."""

OnEvent = Callable[[str, str], None]
"""(connection, topic); called in the event loop once the event is committed, so it must not block."""

log = logging.getLogger(__name__)


def build_app(
    store: Store,
    configuration: Configuration,
    *,
    clock: Clock,
    on_event: OnEvent | None = None,
    most_bytes: int = MOST_BYTES,
    per_second: float = PER_SECOND,
) -> Starlette:
    """The ASGI app: `POST /webhooks/{connection}` and `POST /webhooks/{connection}/{secret}`, `GET /health`.

    `per_second`: calls that each connection may make; what proves nothing does not count towards it, so that strangers
    cannot use it up. Raises ConfigurationError for a client secret that is named but not set.
    """
    desks = {
        connection.name: _Desk(store, connection, connection.system.webhooks, clock, per_second, most_bytes, on_event)
        for connection in configuration.connections.values()
        if connection.system.webhooks is not None
    }

    async def receive(request: Request) -> Response:
        desk = desks.get(request.path_params["connection"])
        return PlainTextResponse("unknown connection", 404) if desk is None else await desk.receive(request)

    async def health(_: Request) -> Response:
        try:
            await run_in_threadpool(_reach, store)
        except psycopg.Error:
            return JSONResponse({"status": "the store cannot be reached"}, 503)
        return JSONResponse({"status": "ok", "received": {name: dict(desk.counts) for name, desk in desks.items()}})

    return Starlette(
        routes=[
            Route("/webhooks/{connection}", receive, methods=["POST"]),
            Route("/webhooks/{connection}/{secret}", receive, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


def _reach(store: Store) -> None:
    """Raises psycopg.OperationalError when the store does not answer."""
    with store.transaction():
        pass


class _Desk:
    """Where the calls of one connection are dealt with. `counts`: how many ended how, since the start."""

    def __init__(
        self,
        store: Store,
        connection: Connection,
        webhooks: Webhooks,
        clock: Clock,
        per_second: float,
        most_bytes: int,
        on_event: OnEvent | None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store
        self._connection = connection
        self._webhooks = webhooks
        self._clock = clock
        self._bucket = TokenBucket(per_second, clock)
        self._most_bytes = most_bytes
        self._on_event = on_event
        self._client_secret = webhooks.client_secret(connection.name, connection.settings)
        self._secret: str | None = None
        self._looked_at = 0.0

    async def receive(self, request: Request) -> Response:
        """Deal with one call, whatever it brings."""
        try:
            body = await read_body(request, self._most_bytes)
            return await self._taken(request, body)
        except TooLargeError:
            # A line that stays open would be read, and thrown away, for as long as the sender likes.
            return self._answer("too_large", 413, f"at most {self._most_bytes} bytes", {"Connection": "close"})
        except MalformedNoticeError as error:
            log.warning("%s: a webhook call was not understood and is dropped: %s", self._connection.name, error)
            return self._answer("malformed", 400, str(error))
        except ClientDisconnect:
            return self._answer("cut_off", 400)
        except psycopg.Error as error:
            return self._not_stored(error)

    async def _taken(self, request: Request, body: bytes) -> Response:
        if not await self._proven(request, body):
            return self._answer("refused", 401, "not accepted")
        if not self._bucket.take():
            return self._answer("too_many", self._webhooks.too_many, "too many at once", {"Retry-After": "1"})
        notice = self._webhooks.read(body)
        if self._connection.system.stream_of(notice.topic) is None:
            return self._answer("ignored", 200)
        new = await run_in_threadpool(self._store_event, notice)
        if self._on_event is not None:
            self._on_event(self._connection.name, notice.topic)
        return self._answer("stored" if new else "duplicate", 200)

    def _store_event(self, notice: Notice) -> bool:
        subjects = self._connection.system.ids_named(notice.topic, notice.payload)
        event = Event(
            self._connection.name,
            notice.key,
            notice.topic,
            notice.payload,
            subjects=subjects,
            received_at=self._clock.now(),
        )
        with self._store.transaction() as tx:
            return events.add(tx, event)

    async def _proven(self, request: Request, body: bytes) -> bool:
        if self._secret is not None and self._authentic(request, body, self._secret):
            return True
        if self._secret is not None and self._clock.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = self._clock.monotonic()
        self._secret = await run_in_threadpool(shared_secret, self._store, self._connection.name)
        return self._authentic(request, body, self._secret)

    def _authentic(self, request: Request, body: bytes, secret: str) -> bool:
        return self._webhooks.authenticate(
            {name.lower(): value for name, value in request.headers.items()},
            body,
            request.path_params.get("secret"),
            secret=secret,
            client_secret=self._client_secret,
            now=self._clock.now(),
        )

    def _not_stored(self, error: psycopg.Error) -> Response:
        # The text of a database error can hold values; its kind says enough to look into the database's own log.
        log.error("%s: a webhook could not be stored (%s)", self._connection.name, type(error).__name__)
        return self._answer("not_stored", 503, "not stored, send it again", {"Retry-After": "10"})

    def _answer(self, what: str, status: int, text: str = "", headers: dict[str, str] | None = None) -> Response:
        self.counts[what] += 1
        return PlainTextResponse(text, status, headers)
