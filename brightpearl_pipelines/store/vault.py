"""Small secrets that change by themselves, such as OAuth tokens: sealed, by name."""

from typing import Any

from brightpearl_pipelines.store.database import Transaction, wait_for_turn
from brightpearl_pipelines.store.types import Json


def get(tx: Transaction, name: str) -> dict[str, Any] | None:
    """What is kept under the name, or None."""
    row = tx.connection.execute("SELECT value FROM sync.vault WHERE name = %s", (name,)).fetchone()
    return None if row is None else tx.cipher.open(row[0])


def put(tx: Transaction, name: str, value: Json) -> None:
    """Keep the value under the name, in place of what was there."""
    tx.connection.execute(
        "INSERT INTO sync.vault (name, value, changed_at) VALUES (%s, %s, %s) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at",
        (name, tx.cipher.seal(value), tx.clock.now()),
    )


def locked(tx: Transaction, name: str) -> dict[str, Any] | None:
    """Like `get`, but first waits until no other transaction holds the name, and then holds it until this one ends.

    So that of two processes which find a token expired one refreshes it and the other finds it fresh. Two tasks on one
    event loop must not both wait here: the one that holds the name could never go on. Waiting longer than 30 s raises
    psycopg.errors.LockNotAvailable.
    """
    tx.connection.execute("SET LOCAL lock_timeout = '30s'")
    wait_for_turn(tx, f"vault:{name}")
    tx.connection.execute("SET LOCAL lock_timeout = 0")
    return get(tx, name)
