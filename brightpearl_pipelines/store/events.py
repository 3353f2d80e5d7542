"""The inbox of webhooks: hints, each once, until they are dealt with.

Ids are assigned before commit, so a reader who remembered the last one could pass over a slower writer's: every row has
its own mark instead.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString

from psycopg.rows import TupleRow

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Event

_SELECT: LiteralString = "SELECT id, connection, key, topic, payload, subjects, arrivals, received_at FROM sync.event"


def add(tx: Transaction, event: Event) -> bool:
    """Keep the event; False when one with this (connection, key) was kept before. `id` and `arrivals` are ignored.

    One that comes again is pending again: it may be the second of two changes that share a key, and looking once too
    often changes nothing. It then counts as received when it came again.
    """
    row = tx.connection.execute(
        "INSERT INTO sync.event AS e (connection, key, topic, payload, subjects, received_at) "
        "VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (connection, key) DO UPDATE SET arrivals = e.arrivals + 1, done = false, "
        "received_at = CASE WHEN e.done THEN excluded.received_at ELSE e.received_at END RETURNING arrivals",
        (
            event.connection,
            event.key,
            event.topic,
            tx.cipher.seal(event.payload),
            list(event.subjects),
            event.received_at or tx.clock.now(),
        ),
    ).fetchone()
    return row is not None and row[0] == 1


def pending(tx: Transaction, connection: str, topics: Sequence[str] | None, limit: int) -> list[Event]:
    """What is not finished, oldest first; `topics` are prefixes, None means all."""
    rows = tx.connection.execute(
        f"{_SELECT} WHERE NOT done AND connection = %s AND (%s::text[] IS NULL "
        "OR EXISTS (SELECT FROM unnest(%s::text[]) AS wanted (prefix) WHERE starts_with(topic, prefix))) "
        "ORDER BY id LIMIT %s",
        (connection, _list(topics), _list(topics), limit),
    )
    return [_event(tx, row) for row in rows]


def about(tx: Transaction, connection: str, subject: str) -> list[Event]:
    """Everything that was ever received about one record, oldest first, as long as it is kept."""
    rows = tx.connection.execute(
        f"{_SELECT} WHERE connection = %s AND subjects @> ARRAY[%s] ORDER BY id", (connection, subject)
    )
    return [_event(tx, row) for row in rows]


def finish(tx: Transaction, read: Iterable[Event]) -> None:
    """These, as they were read, are dealt with; one that has come again since stays pending."""
    seen = list(read)
    tx.connection.execute(
        "UPDATE sync.event AS e SET done = true FROM unnest(%s::bigint[], %s::integer[]) AS n (id, arrivals) "
        "WHERE e.id = n.id AND e.arrivals = n.arrivals AND NOT e.done",
        ([event.id for event in seen], [event.arrivals for event in seen]),
    )


def pending_count(tx: Transaction) -> dict[tuple[str, str], int]:
    """How many are not finished, by (connection, topic)."""
    rows = tx.connection.execute(
        "SELECT connection, topic, count(*) FROM sync.event WHERE NOT done GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return {(row[0], row[1]): row[2] for row in rows}


def purge(tx: Transaction, before: datetime) -> int:
    """Forget finished events received before that; returns how many. A repeat of one is then a new event again."""
    return tx.connection.execute("DELETE FROM sync.event WHERE done AND received_at < %s", (before,)).rowcount


def _event(tx: Transaction, row: TupleRow) -> Event:
    event_id, connection, key, topic, payload, subjects, arrivals, received_at = row
    return Event(connection, key, topic, tx.cipher.open(payload), tuple(subjects), arrivals, event_id, received_at)


def _list(topics: Sequence[str] | None) -> list[str] | None:
    return None if topics is None else list(topics)
