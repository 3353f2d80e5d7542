"""The Dagster project over two served emulators and an instance that forgets."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from brightpearl_pipelines.assets import factory
from brightpearl_pipelines.store import budget
from brightpearl_pipelines_tests.dagster_room.plant import Plant
from brightpearl_pipelines_tests.sync.harness import harnessed


@pytest.fixture(scope="session")
def served(embedded_server, encryption_key) -> Iterator[Plant]:
    """The small world, which all tests share, after a first run of everything: each looks only at its own orders."""
    with _plant(embedded_server, encryption_key) as plant:
        plant.number = plant.world.place(("MUG", 2), ("BOOK", 1))
        plant.first = plant.job("full_sync")
        yield plant


@pytest.fixture
def plant(served) -> Iterator[Plant]:
    """`served`, with its faults taken away afterwards."""
    served.world.mark()
    yield served
    served.world.calm()
    with served.world.store.transaction() as tx:
        for connection in served.world.configuration.connections:
            budget.resume(tx, connection)


@contextmanager
def _plant(server: str, key: str) -> Iterator[Plant]:
    with (
        harnessed(server, key) as world,
        dg.DagsterInstance.ephemeral() as instance,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(factory, "RETRIES", dg.RetryPolicy(max_retries=2))
        yield Plant(world, instance)
