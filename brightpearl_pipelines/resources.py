"""What assets, checks and sensors work with: `sync` (the store and the engine) and `scope` (what a run is asked to do).

Here: resources that Dagster injects. What they hand out is plain: the engine knows nothing of Dagster, and no rule of
the business belongs here. Nothing is opened before it is used, so that definitions load with an empty environment.
https://docs.dagster.io/guides/build/external-resources
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import Path

import dagster as dg
from pydantic import Field

from brightpearl_pipelines.clock import Clock, SystemClock
from brightpearl_pipelines.configuration import Configuration, configuration_path, load_configuration
from brightpearl_pipelines.http.limiter import Lane
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.embedded import open_store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.sync.sessions import Connector, connect


class LaunchReach(Enum):
    """How much a run looks at, as chosen in the launchpad. The names are what is written there."""

    partition = "partition"
    events = "events"
    changes = "changes"
    everything = "everything"


class ScopeConfig(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What a run is asked to do."""

    reach: LaunchReach = Field(
        default=LaunchReach.partition,
        description=(
            "partition: read the chosen days again, map them again even if unchanged, and compare with what the target "
            "really holds; assets without partitions are compared as a whole. "
            "events: only what webhooks named. changes: everything that changed since the last run. "
            "everything: also what cannot say whether it changed, such as stock."
        ),
    )
    ids: list[str] = Field(
        default=[],
        description="Only these records, by the id that they have in the stream; the partition then does not count.",
    )
    dry_run: bool = Field(
        default=False,
        description=(
            "Work out what would be written, and write nothing anywhere. The change sets appear as observations on "
            "the assets; nothing is materialised, and the later steps of the run are skipped."
        ),
    )

    def of(self, days: list[str], *, daily: bool) -> list[Scope]:
        """What the engine is to do, one after the other: a scope per day where days are repaired, else one."""
        if self.ids:
            return [Scope(ids=tuple(self.ids), dry_run=self.dry_run)]
        if self.reach is not LaunchReach.partition:
            return [Scope(reach=Reach(self.reach.value), dry_run=self.dry_run)]
        if daily and days:
            return [Scope(day=date.fromisoformat(day), dry_run=self.dry_run) for day in days]
        return [Scope(reach=Reach.EVERYTHING, compare_all=not daily, dry_run=self.dry_run)]

    @property
    def repairs(self) -> bool:
        """Whether the chosen days are looked at again, instead of what changed."""
        return self.reach is LaunchReach.partition or bool(self.ids)


class Sync:
    """The store, opened at its first use, and engines that work on it.

    `connector`, `store` and `clock` are for tests, which bring their own; a store that was given is not closed.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        connector: Connector = connect,
        store: Store | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.configuration = configuration
        self._connector = connector
        self._given = store
        self.clock = clock or SystemClock()
        self._opened: Store | None = None
        self._done: set[str] = set()
        self.unreachable: set[str] = set()
        """The connections that could not be used in this run."""

    @property
    def store(self) -> Store:
        """Raises ConfigurationError when the database or its key is not as it must be."""
        if self._given is not None:
            return self._given
        if self._opened is None:
            self._opened = open_store()
        return self._opened

    def engine(self, *, lane: Lane, run: str, progress: Callable[[str, int], None]) -> Engine:
        """A new engine for one step of a run."""
        return Engine(
            self.store,
            self.configuration,
            clock=self.clock,
            lane=lane,
            run=run,
            connector=self._connector,
            progress=progress,
        )

    def first(self, what: str) -> bool:
        """True the first time that this is asked in a run; steps of one run share it when they share a process."""
        new = what not in self._done
        self._done.add(what)
        return new

    def close(self) -> None:
        """Close what was opened here."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class SyncResource(dg.ConfigurableResource[Sync]):
    """Opens the store and the connections."""

    connections: str = Field(
        default="",
        description="The file that names the connections; empty: BPP_CONNECTIONS, or connections.yaml.",
    )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Sync]:
        """One for a run, a tick of a sensor, or a step where each step has a process of its own."""
        del context
        sync = Sync(load_configuration(Path(self.connections) if self.connections else configuration_path()))
        try:
            yield sync
        finally:
            sync.close()
