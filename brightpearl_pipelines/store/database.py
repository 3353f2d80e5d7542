"""Connections, transactions, locks and migrations."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store.crypto import Cipher

MOST_IDLE_CONNECTIONS = 4
MIGRATION_LOCK = 0x6270705F73796E63
"""The advisory lock that migrating processes take: any number will do that nobody else in the database uses."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What every query is given. All of its instants come from `clock`, never from the server's own."""

    connection: psycopg.Connection[TupleRow]
    cipher: Cipher
    clock: Clock


class Store:
    """The database, opened. Safe to share between threads; not across a fork.

    Connections are opened when needed and kept for the next transaction; one that the server has dropped meanwhile is
    replaced. `run` names the run this store serves; it shows in pg_stat_activity.
    """

    def __init__(self, url: str, cipher: Cipher, clock: Clock, *, run: str | None = None) -> None:
        self.cipher = cipher
        self.clock = clock
        self.run = run
        self._url = libpq_url(url)
        self._idle: list[psycopg.Connection[TupleRow]] = []
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits when the block ends, rolls back when it raises. A nested call is a transaction of its own.

        Raises psycopg.OperationalError when the server is not there or goes away in the middle; the next transaction
        then connects afresh.
        """
        connection = self._take()
        try:
            with connection.transaction():
                yield Transaction(connection, self.cipher, self.clock)
                # Postgres answers COMMIT of a transaction in which a statement failed with a silent ROLLBACK.
                if connection.info.transaction_status == TransactionStatus.INERROR:
                    raise psycopg.errors.InFailedSqlTransaction(
                        "a statement of this transaction failed and the error was caught: nothing of it can be stored"
                    )
        finally:
            self._give_back(connection)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Try to be the only one, in any process, who holds `name`; yields False at once if somebody else is.

        The lock has a connection of its own, so it outlives transactions and ends with the block or the process.
        """
        with self._connect() as connection:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"lock:{name}",)
            ).fetchone()
            yield row is not None and bool(row[0])

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> psycopg.Connection[TupleRow]:
        name = "brightpearl_pipelines" if self.run is None else f"brightpearl_pipelines {self.run}"
        connection = psycopg.connect(self._url, autocommit=True, application_name=name[:63])
        connection.execute(
            "SELECT set_config('timezone', 'UTC', false), set_config('client_min_messages', 'warning', false)"
        )
        return connection

    def _take(self) -> psycopg.Connection[TupleRow]:
        while True:
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._connect()
            if _is_quiet(connection):
                return connection
            connection.close()

    def _give_back(self, connection: psycopg.Connection[TupleRow]) -> None:
        with self._guard:
            if not connection.closed and len(self._idle) < MOST_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()


def _is_quiet(connection: psycopg.Connection[TupleRow]) -> bool:
    """Whether an idle connection is still good, found without a round trip.

    A server says nothing to an idle client, except that it is going away: then there is something to read.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


def wait_for_turn(tx: Transaction, name: str) -> None:
    """Until this transaction ends, the others that ask for the same turn wait.

    Version numbers are assigned before commit. Who assigns them takes the turn of the stream (or entity) first, so that
    they become visible in their order, and a reader who remembers the last one it saw misses none.
    """
    tx.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"turn:{name}",))


# -- addresses ----------------------------------------------------------------------------------------------------


def libpq_url(url: str) -> str:
    """The address as psycopg and libpq take it: without the driver's name that SQLAlchemy puts into the scheme."""
    scheme, separator, rest = url.partition("://")
    if scheme.partition("+")[0] not in {"postgresql", "postgres"} or not separator:
        raise ConfigurationError(
            "DATABASE_URL must be a Postgres address such as postgresql://user:password@host/database"
        )
    return f"postgresql://{rest}"


def sqlalchemy_url(url: str) -> str:
    """The address as SQLAlchemy takes it, with psycopg 3 as the driver."""
    return "postgresql+psycopg://" + libpq_url(url).partition("://")[2]


# -- migrations ---------------------------------------------------------------------------------------------------


class NotMigrated(ConfigurationError):
    """The database is behind what this version needs; `migrate` helps."""


def migrate(url: str) -> None:
    """Bring the database to the newest revision, in one transaction; nothing happens if it is there already.

    Several processes may do so at once: the first does the work, the others wait for it.
    """
    with _engine_connection(url) as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.execute(sqlalchemy.text("CREATE SCHEMA IF NOT EXISTS sync"))
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_migrated(url: str) -> None:
    """Raise NotMigrated if the database is behind the newest revision, ConfigurationError if it is ahead or away."""
    with _engine_connection(url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": "sync"})
        present = context.get_current_revision()
    script = ScriptDirectory.from_config(_alembic_config())
    newest = script.get_current_head()
    if present == newest:
        return
    if present is not None and present not in {revision.revision for revision in script.walk_revisions()}:
        raise ConfigurationError(
            f"the database is at revision {present}, which this version does not know: a newer version of "
            "brightpearl_pipelines has used it; install that one"
        )
    raise NotMigrated(
        f"the database is at revision {present or 'none'}, this version needs {newest}: start any `bpp` command that "
        "uses the store; it migrates by itself"
    )


@contextmanager
def _engine_connection(url: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url), poolclass=sqlalchemy.NullPool)
    try:
        connection = engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        raise ConfigurationError(f"the database cannot be reached, check DATABASE_URL: {error.orig}") from error
    with connection, connection.begin():
        yield connection


def _alembic_config() -> Config:
    config = Config()
    # Alembic reads % in its options as a reference.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
