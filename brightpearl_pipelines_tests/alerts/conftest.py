"""The project's own connections over an empty store, watched by whoever the test says, told to a real listener."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

import brightpearl_pipelines
from brightpearl_pipelines.alerts import watch
from brightpearl_pipelines.alerts.budgets import Kind, budgets
from brightpearl_pipelines.alerts.conditions import WATCH, Situation
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.configuration import Configuration, load_configuration
from brightpearl_pipelines.store import alerts, positions
from brightpearl_pipelines.store.alerts import Raised
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync import extract
from brightpearl_pipelines_tests.alerts.ears import Listener, listener
from brightpearl_pipelines_tests.clocks import TestClock

CONNECTIONS = Path(brightpearl_pipelines.__file__).parents[1] / "connections.yaml"


@dataclass
class House:
    """A store, a configuration, a clock that the test moves, and somebody who listens."""

    store: Store
    clock: TestClock
    ear: Listener
    configuration: Configuration = field(default_factory=lambda: load_configuration(CONNECTIONS))

    def look(self, watcher: str | None = WATCH) -> Situation:
        return watch.look(self.store, self.configuration, watcher)

    def pass_time(
        self, time: timedelta, *, syncing: bool = False, but: str = "", watcher: str | None = WATCH
    ) -> list[str]:
        """Minutes pass, with a look in each; returns what was said meanwhile.

        `syncing`: every round of five minutes every stream is read, except that one (`connection/stream`).
        """
        before = len(self.ear.posts)
        for minute in range(int(time.total_seconds()) // 60):
            if syncing and minute % 5 == 0:
                self.read(but)
            self.clock.advance(60)
            self.look(watcher)
        return self.ear.texts[before:]

    def read(self, but: str = "") -> None:
        """A round finds nothing anywhere; stock is read as a whole, too."""
        with self.store.transaction() as tx:
            for budget in budgets(self.configuration):
                stream = None if budget.kind is Kind.FLOW else self.system(budget.connection).stream(budget.name)
                if stream is not None and f"{budget.connection}/{budget.name}" != but:
                    name = extract.looked if budget.kind is Kind.STREAM else extract.consumer
                    positions.move(tx, name(budget.connection, stream))

    def system(self, connection: str):
        return self.configuration.connection(connection).system

    def open(self) -> dict[str, Raised]:
        """The open alerts by key; those that are going are not counted."""
        with self.store.transaction() as tx:
            return {each.alert.key: each for each in alerts.open_alerts(tx) if each.cleared_at is None}

    def settle(self, **changes: object) -> None:
        """Other settings of alerts."""
        made = AlertSettings.model_validate({**self.configuration.alerts.model_dump(by_alias=True), **changes})
        self.configuration = replace(self.configuration, alerts=made)


@pytest.fixture
def house(store, clock, monkeypatch) -> Iterator[House]:
    with listener() as ear:
        monkeypatch.setenv("TEAM_CHAT", ear.url)
        made = House(store, clock, ear)
        made.settle(channels={"chat": {"kind": "slack", "url_env": "TEAM_CHAT"}}, routes=[{"channels": ["chat"]}])
        yield made


@pytest.fixture
def running(house) -> House:
    """A house in which everything was just read, and somebody keeps watch."""
    house.look()
    house.read()
    house.look()
    return house
