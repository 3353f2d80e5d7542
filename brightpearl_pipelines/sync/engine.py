"""What the steps of the engine share: the store, the configuration, the clock, one session a connection."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from brightpearl_pipelines.clock import Clock, SystemClock
from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.store import crosswalk
from brightpearl_pipelines.store.database import Store, Transaction
from brightpearl_pipelines.store.types import Golden
from brightpearl_pipelines.sync.hub import HubView
from brightpearl_pipelines.sync.sessions import Connector, connect
from brightpearl_pipelines.systems.contract import PlanContext, Session

PATIENCE_SECONDS = 600.0
"""How long a step waits for another run that works on the same stream."""


class BusyError(Exception):
    """Another run has been working on the same thing for too long."""


class _DryRunEndError(Exception):
    """Takes back everything that a dry run did to the store."""


class Engine:
    """One run's view of the world. Use as an async context manager; sessions close at the end.

    `lane` "backfill" leaves the reserve of each account's limit to others. `run` names the run in the audit.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        *,
        clock: Clock | None = None,
        lane: str = "delta",
        run: str | None = None,
        connector: Connector = connect,
        progress: Callable[[str, int], None] | None = None,
    ) -> None:
        self.store = store
        self.configuration = configuration
        self.clock = clock or SystemClock()
        self.lane = lane
        self.run = run
        self._connector = connector
        self._sessions: dict[str, Session] = {}
        self._dry: Transaction | None = None
        self._progress = progress
        self.to_read_back: dict[tuple[str, str], set[str]] = {}
        """(connection, stream) of records that writes of this run made or changed, until they are read."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.api.aclose()
        self._sessions.clear()

    def tell(self, what: str, count: int) -> None:
        """Let whoever watches know that `count` more of `what` are done."""
        if self._progress:
            self._progress(what, count)

    async def session(self, connection: str) -> Session:
        """The live session of a connection, opened at its first use."""
        if connection not in self._sessions:
            self._sessions[connection] = await self._connector(self, self.configuration.connection(connection))
        return self._sessions[connection]

    def calls(self, connection: str) -> int:
        """How many API calls this run made to a connection so far."""
        return self._sessions[connection].api.calls if connection in self._sessions else 0

    @property
    def dry(self) -> bool:
        return self._dry is not None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction of the store; in a dry run, all are one, which is taken back at the end."""
        if self._dry is not None:
            yield self._dry
            return
        with self.store.transaction() as tx:
            yield tx

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything that happens inside leaves no trace in the store."""
        try:
            with self.store.transaction() as tx:
                self._dry = tx
                try:
                    yield
                finally:
                    self._dry = None
                raise _DryRunEndError
        except _DryRunEndError:
            return

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[None]:
        """Nobody else does `what` meanwhile: one writer a stream, one merger an entity, one deliverer a target."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            with self.store.lock(what) as mine:
                if mine:
                    yield
                    return
            if self.clock.monotonic() > deadline:
                raise BusyError(
                    f"{what}: another run has been at it for {PATIENCE_SECONDS:.0f} s; look for a stuck run"
                )
            await self.clock.sleep(0.2)

    def of_account(self, tx: Transaction, connection: str, rows: Sequence[Golden]) -> Sequence[Golden]:
        """The golden records without those that another Brightpearl account, or a shop of it, knows."""
        family = self.configuration.family(connection)
        if family is None or not rows:
            return rows
        strangers = crosswalk.known_outside(tx, rows[0].entity, [row.id for row in rows], family)
        return [row for row in rows if row.id not in strangers]

    def plan_context(self, tx: Transaction, connection: Connection) -> PlanContext:
        """What a planner of this connection works with."""
        account = connection.settings.brightpearl or connection.name
        shops = {each.name: each.settings for each in self.configuration.shops_of(account)}
        hub = HubView(tx, self.configuration.family(connection.name))
        ranking = self.configuration.ranking
        return PlanContext(connection.name, connection.settings, shops, hub, self.clock.now(), ranking)
