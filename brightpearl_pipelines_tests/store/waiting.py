"""Waiting for the other side of a test with threads, without guessing how long it takes."""

import time

import psycopg


def until_somebody_waits(database_url: str) -> None:
    """Return as soon as a backend of the database waits for an advisory lock."""
    deadline = time.monotonic() + 20
    with psycopg.connect(database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            waiting = connection.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
                "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
            ).fetchone()
            if waiting != (0,):
                return
    raise AssertionError("nobody waits for a lock")
