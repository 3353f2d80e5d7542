"""Emulators with a small world and a receiver that they can call; each test has its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import WORLD
from brightpearl_pipelines_tests.sandbox.serving import Sandbox, serving
from brightpearl_pipelines_tests.webhooks.receiving import Receiver, receiving


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serving(world=WORLD, settings={"brightpearl": {"known_people_every": 1}}) as served:
        yield served


@pytest.fixture
def receiver(store, clock) -> Iterator[Receiver]:
    with receiving(store, clock) as served:
        yield served


@pytest.fixture
def outage(embedded_server, database_url):
    """While it lasts, the test's database takes no connection and has thrown out those that were there."""
    name = database_url.split("?")[0].rsplit("/", 1)[1]

    @contextmanager
    def down() -> Iterator[None]:
        with psycopg.connect(embedded_server % "postgres", autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                yield
            finally:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    return down
