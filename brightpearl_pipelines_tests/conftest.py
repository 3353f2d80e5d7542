"""A real Postgres for whoever asks: one embedded server per test process, a fresh migrated database per test."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.store import embedded
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store, migrate
from brightpearl_pipelines_tests.clocks import TestClock

TEMPLATE = "migrated"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def data_folder_factory() -> Iterator[Callable[[str], Path]]:
    """Makes folders in which an embedded server can live, given a name. They are deleted at the end.

    Not pytest's own temporary folder: every pytest that starts closes that to other users, while the server, started
    by root, runs as another user. A short path also leaves room for the socket's name.
    """
    base = Path(tempfile.mkdtemp(prefix="bpp-"))
    base.chmod(0o755)
    yield lambda name: _made(base / f"{name}-{next(_numbers)}")
    shutil.rmtree(base)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def embedded_server(data_folder_factory) -> Iterator[str]:
    """The address of an embedded server, for this process alone: a %s stands where the database's name goes."""
    folder = data_folder_factory("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPP_DATA_DIR", str(folder))
        patch.delenv("DATABASE_URL", raising=False)
        server = embedded.database_url().replace(f"/{embedded.DATABASE}?", "/%s?")
    with psycopg.connect(server % "postgres", autocommit=True) as connection:
        # What the tests write need not survive a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(server % TEMPLATE)
    yield server
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPP_DATA_DIR", str(folder))
        embedded.stop_embedded()


@pytest.fixture
def database_url(embedded_server) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    yield from _database(embedded_server, TEMPLATE)


@pytest.fixture
def empty_database_url(embedded_server) -> Iterator[str]:
    """The address of a fresh database with nothing in it."""
    yield from _database(embedded_server, "template1")


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server % "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield server % name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> TestClock:
    """A clock that stands still until the test moves it; the store of the same test goes by it."""
    return TestClock()


@pytest.fixture(scope="session")
def encryption_key() -> str:
    """The key of `store`."""
    return Fernet.generate_key().decode()


@pytest.fixture
def store(database_url, clock, encryption_key) -> Iterator[Store]:
    """A store on a fresh database."""
    with Store(database_url, Cipher([encryption_key]), clock) as opened:
        yield opened
