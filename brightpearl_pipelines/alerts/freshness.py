"""How old everything is, measured on our own store: when each stream was last looked at, what waits in each flow.

A stream is as old as the last time that it was looked at to the end, whether anything was found or not, or as the
oldest webhook about it that nobody dealt with. A flow is as old as what waits in it longest: records that were read and
not merged, golden records that were merged and not planned, writes that were planned and not made. A flow in which
nothing waits is fresh, however long ago the last thing went through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from brightpearl_pipelines.alerts.budgets import Budget, Kind, budgets
from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.store import freshness, positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.freshness import Waiting
from brightpearl_pipelines.sync import extract, inventory, merge, publish
from brightpearl_pipelines.sync.shelf import FIGURES

RESUMED = "resumed"
"""The heartbeat that says since when somebody keeps watch again, after a time when nobody did."""


@dataclass(frozen=True)
class Freshness:
    """How something stands. `since`: what it is as old as; None for a flow in which nothing waits."""

    budget: Budget
    since: datetime | None
    now: datetime
    waiting: int = 0
    """Webhooks not dealt with, for a stream; what is not through yet, for a flow."""
    moving: bool = False
    """It is over its budget, and yet something goes on: it is catching up."""
    never: bool = False
    """It was never looked at to the end."""

    @property
    def age(self) -> timedelta:
        """Zero when nothing waits."""
        return timedelta(0) if self.since is None else max(self.now - self.since, timedelta(0))

    @property
    def over(self) -> bool:
        """Older than it may be."""
        return self.age > self.budget.allowed


def measure(tx: Transaction, configuration: Configuration, resumed: datetime | None = None) -> list[Freshness]:
    """Everything that has a budget, in the order of the configuration.

    Time before `resumed` does not count: nothing ran then that could have looked, and nobody watched. What was never
    looked at counts from the first time that it is measured, which is noted.
    """
    everything = budgets(configuration)
    freshness.expect(tx, [expected(each) for each in everything])
    measuring = _Measuring(
        tx, configuration, freshness.moved(tx), freshness.pending_events(tx), resumed, tx.clock.now()
    )
    return [measuring.of(each) for each in everything]


def expected(budget: Budget) -> str:
    """The consumer whose position says since when something is waited for."""
    return f"watched:{budget.kind}:{budget.connection}:{budget.name}"


@dataclass(frozen=True)
class _Measuring:
    tx: Transaction
    configuration: Configuration
    moved: Mapping[str, datetime]
    events: Mapping[tuple[str, str], Waiting]
    resumed: datetime | None
    now: datetime

    def of(self, budget: Budget) -> Freshness:
        connection = self.configuration.connection(budget.connection)
        match budget.kind:
            case Kind.STREAM:
                return self._stream(budget, connection)
            case Kind.IN_FULL:
                stream = connection.system.stream(budget.name)
                # A snapshot has no watermark: its position moves when it was read to the end, and at no other time.
                return self._looked(budget, extract.consumer(budget.connection, stream), None)
            case Kind.FLOW:
                return self._flow(budget, connection)

    def _stream(self, budget: Budget, connection: Connection) -> Freshness:
        stream = connection.system.stream(budget.name)
        told = sum(
            (
                waiting
                for (name, topic), waiting in self.events.items()
                if name == connection.name and connection.system.stream_of(topic) == stream
            ),
            Waiting(),
        )
        reading = None if stream.snapshot else self.moved.get(extract.consumer(connection.name, stream))
        found = self._looked(budget, extract.looked(connection.name, stream), reading)
        if told.since is None or found.since is None or told.since >= found.since:
            return Freshness(budget, found.since, self.now, told.count, found.moving, found.never)
        return Freshness(budget, self._counted(told.since), self.now, told.count)

    def _looked(self, budget: Budget, consumer: str, reading: datetime | None) -> Freshness:
        """`reading`: when the watermark moved last, which it also does in the middle of a long read."""
        at = self.moved.get(consumer)
        since = self._counted(at or self.moved.get(expected(budget), self.now))
        moving = reading is not None and self.now - reading <= budget.allowed
        return Freshness(budget, since, self.now, moving=moving, never=at is None)

    def _flow(self, budget: Budget, connection: Connection) -> Freshness:
        waiting = (
            self._unmerged(budget.entity, connection)
            + freshness.unplanned(self.tx, budget.entity, self._planned(connection.name, budget.entity))
            + freshness.undelivered(self.tx, connection.name, budget.entity)
        )
        since = None if waiting.since is None else self._counted(waiting.since)
        found = Freshness(budget, since, self.now, waiting.count)
        if not found.over:
            return found
        made = freshness.confirmed_since(self.tx, connection.name, budget.entity, self.now - budget.allowed)
        return Freshness(budget, since, self.now, waiting.count, moving=made > 0)

    def _planned(self, connection: str, entity: str) -> int:
        return positions.get(self.tx, publish.consumer(connection, entity)).version

    def _unmerged(self, entity: str, connection: Connection) -> Waiting:
        if entity == inventory.ENTITY:
            account = connection.settings.brightpearl or connection.name
            return self._after(account, FIGURES, inventory.figures_consumer(account))
        waiting = Waiting()
        for each in self.configuration.connections.values():
            for source in each.system.sources:
                if source.entity == entity:
                    waiting += self._after(each.name, source.stream, merge.consumer(each.name, source))
        return waiting

    def _after(self, connection: str, stream: str, consumer: str) -> Waiting:
        return freshness.unmerged(self.tx, connection, stream, positions.get(self.tx, consumer).version)

    def _counted(self, since: datetime) -> datetime:
        return since if self.resumed is None else max(since, self.resumed)
