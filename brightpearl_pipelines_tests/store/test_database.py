import threading

import psycopg
import pytest

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store import positions
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store, check_migrated, libpq_url, migrate, sqlalchemy_url


def move(store, version):
    with store.transaction() as tx:
        positions.move(tx, "reader", version=version)


def version(store):
    with store.transaction() as tx:
        return positions.get(tx, "reader").version


def backend(tx):
    return tx.connection.info.backend_pid


def kill(database_url, pid):
    with psycopg.connect(database_url, autocommit=True) as connection:
        # Returns when the backend is gone, or after 20 s.
        assert connection.execute("SELECT pg_terminate_backend(%s, 20000)", (pid,)).fetchone() == (True,)


def test_a_transaction_is_stored_as_a_whole_or_not_at_all(store):
    move(store, 1)
    with pytest.raises(KeyError), store.transaction() as tx:
        positions.move(tx, "reader", version=2)
        raise KeyError("interrupted")
    assert version(store) == 1


def test_a_transaction_whose_failed_statement_was_caught_says_that_nothing_was_stored(store):
    with pytest.raises(psycopg.errors.InFailedSqlTransaction), store.transaction() as tx:
        positions.move(tx, "reader", version=2)
        with pytest.raises(psycopg.errors.UndefinedTable):
            tx.connection.execute("SELECT * FROM sync.nonsense")
    assert version(store) == 0


def test_a_nested_transaction_is_one_of_its_own(store):
    with store.transaction() as outer:
        positions.move(outer, "reader", version=5)
        assert version(store) == 0
    assert version(store) == 5


def test_connections_are_used_again(store):
    with store.transaction() as tx:
        first = backend(tx)
    with store.transaction() as tx:
        assert backend(tx) == first


def test_a_connection_killed_between_transactions_is_not_noticed(store, database_url):
    with store.transaction() as tx:
        pid = backend(tx)
    kill(database_url, pid)
    move(store, 3)
    assert version(store) == 3


def test_a_connection_killed_in_a_transaction_fails_that_one_only(store, database_url):
    with pytest.raises(psycopg.OperationalError), store.transaction() as tx:
        positions.move(tx, "reader", version=2)
        kill(database_url, backend(tx))
        positions.move(tx, "reader", version=3)
    assert version(store) == 0
    move(store, 4)
    assert version(store) == 4


def test_instants_come_back_in_utc_wherever_the_server_is(database_url, clock, encryption_key):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET timezone TO 'Asia/Tokyo'")
    with Store(database_url, Cipher([encryption_key]), clock) as store, store.transaction() as tx:
        positions.move(tx, "reader", watermark=clock.now())
        watermark = positions.get(tx, "reader").watermark
    assert watermark == clock.now()
    assert watermark.utcoffset() == clock.now().utcoffset()


def test_only_one_holds_a_lock_and_the_other_is_told_at_once(store, database_url, clock, encryption_key):
    with Store(database_url, Cipher([encryption_key]), clock) as other:
        with store.lock("extract shop orders") as mine, other.lock("extract shop orders") as theirs:
            assert (mine, theirs) == (True, False)
            with other.lock("extract shop refunds") as elsewhere:
                assert elsewhere
        with other.lock("extract shop orders") as theirs:
            assert theirs


def test_of_many_threads_exactly_one_gets_the_lock(store):
    everybody_tried = threading.Barrier(6)
    got = []

    def attempt():
        with store.lock("sweep") as mine:
            got.append(mine)
            everybody_tried.wait(20)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 5 + [True]


def test_a_lock_is_free_again_when_its_holder_fails(store):
    with pytest.raises(KeyError), store.lock("sweep"):
        raise KeyError("interrupted")
    with store.lock("sweep") as mine:
        assert mine


def test_the_run_shows_in_the_servers_activity(database_url, clock, encryption_key):
    with Store(database_url, Cipher([encryption_key]), clock, run="nightly") as store, store.transaction() as tx:
        assert tx.connection.execute("SHOW application_name").fetchone() == ("brightpearl_pipelines nightly",)


def test_an_empty_database_is_refused_until_it_is_migrated(empty_database_url):
    with pytest.raises(ConfigurationError, match="revision none, this version needs"):
        check_migrated(empty_database_url)
    migrate(empty_database_url)
    check_migrated(empty_database_url)
    migrate(empty_database_url)
    check_migrated(empty_database_url)


def test_a_database_of_a_newer_version_is_refused(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE sync.alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999, which this version does not know"):
        check_migrated(database_url)


def test_several_processes_may_migrate_at_once(empty_database_url):
    failures = []

    def run():
        try:
            migrate(empty_database_url)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check_migrated(empty_database_url)


def test_migrations_leave_schema_public_to_dagster(database_url):
    with psycopg.connect(database_url) as connection:
        schemas = connection.execute(
            "SELECT table_schema, count(*) > 0 FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1"
        ).fetchall()
        assert sorted(schemas) == [("reports", True), ("sync", True)]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_any_way_to_write_a_postgres_address_is_understood(scheme):
    assert libpq_url(f"{scheme}://u:p@h/db?sslmode=require") == "postgresql://u:p@h/db?sslmode=require"
    assert sqlalchemy_url(f"{scheme}://u:p@h/db") == "postgresql+psycopg://u:p@h/db"


@pytest.mark.parametrize("url", ["mysql://h/db", "host=h dbname=db", ""])
def test_an_address_of_something_else_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="DATABASE_URL must be"):
        libpq_url(url)
