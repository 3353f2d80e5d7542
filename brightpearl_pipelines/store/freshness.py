"""What waits, and since when: the questions of whoever keeps watch. Each costs little however much is stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from brightpearl_pipelines.store.database import Transaction

LOOKED_AT_OF_A_QUEUE = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the one that waits longest; None when none does."""

    count: int = 0
    since: datetime | None = None

    def __add__(self, other: "Waiting") -> "Waiting":
        times = [each.since for each in (self, other) if each.since is not None]
        return Waiting(self.count + other.count, min(times, default=None))


@dataclass(frozen=True, slots=True)
class Cause:
    """Why letters are held: those of one connection, entity, reason and field; `example` is the id of the newest."""

    connection: str
    entity: str
    reason: str
    field: str | None
    waits: bool
    """They go by themselves when what they wait for arrives."""
    count: int
    since: datetime
    example: int


def moved(tx: Transaction) -> Mapping[str, datetime]:
    """When each consumer's position was moved last."""
    return dict(tx.connection.execute("SELECT consumer, moved_at FROM sync.position").fetchall())


def expect(tx: Transaction, consumers: Iterable[str]) -> None:
    """Note, for those that were never waited for, that they are waited for from now on."""
    tx.connection.execute(
        "INSERT INTO sync.position (consumer, moved_at) SELECT each, %s FROM unnest(%s::text[]) AS each "
        "ON CONFLICT (consumer) DO NOTHING",
        (tx.clock.now(), sorted(consumers)),
    )


def pending_events(tx: Transaction) -> Mapping[tuple[str, str], Waiting]:
    """Webhooks that are not dealt with, by (connection, topic)."""
    rows = tx.connection.execute(
        "SELECT connection, topic, count(*), min(received_at) FROM sync.event WHERE NOT done GROUP BY 1, 2"
    )
    return {(row[0], row[1]): Waiting(row[2], row[3]) for row in rows}


def unmerged(tx: Transaction, connection: str, stream: str, version: int) -> Waiting:
    """Records that were read after the version; since the instant at which the oldest of them was last seen."""
    return _waiting(
        tx,
        "SELECT count(*), min(fetched_at) FROM sync.record WHERE connection = %s AND stream = %s AND version > %s",
        (connection, stream, version),
    )


def unplanned(tx: Transaction, entity: str, version: int) -> Waiting:
    """Golden records that changed after the version."""
    return _waiting(
        tx,
        "SELECT count(*), min(changed_at) FROM sync.golden WHERE entity = %s AND version > %s",
        (entity, version),
    )


def undelivered(tx: Transaction, connection: str, entity: str) -> Waiting:
    """Writes that nothing but time holds back: all of them are counted, of the oldest the longest wait is told.

    One that waits for another counts from the other's confirmation. What waits behind a dead one, or is held by a
    letter of its own, is told by the letter.
    """
    row = tx.connection.execute(
        "SELECT count(*) FROM sync.delivery WHERE connection = %s AND entity = %s "
        "AND state IN ('pending', 'sent', 'failed')",
        (connection, entity),
    ).fetchone()
    if row is None or not row[0]:
        return Waiting()
    oldest = tx.connection.execute(
        "SELECT min(since) FROM (SELECT greatest(d.created_at, "
        "(SELECT max(a.confirmed_at) FROM sync.delivery AS a WHERE a.connection = d.connection AND a.key = ANY(d.after)"
        "), (SELECT max(e.confirmed_at) FROM sync.delivery AS e WHERE e.connection = d.connection "
        "AND e.golden_id = d.golden_id AND e.id < d.id)) AS since FROM sync.delivery AS d "
        "WHERE d.connection = %s AND d.entity = %s AND d.state IN ('pending', 'sent', 'failed') "
        "AND d.id = (SELECT min(e.id) FROM sync.delivery AS e WHERE e.connection = d.connection "
        "AND e.golden_id = d.golden_id AND e.state IN ('pending', 'sent', 'failed', 'dead')) "
        "AND NOT EXISTS (SELECT FROM unnest(d.after) AS earlier (key) WHERE NOT EXISTS (SELECT FROM sync.delivery AS a "
        "WHERE a.connection = d.connection AND a.key = earlier.key AND a.state = 'confirmed')) "
        "AND NOT EXISTS (SELECT FROM sync.dead_letter AS l WHERE l.connection = d.connection AND l.stage = 'deliver' "
        "AND l.entity = d.entity AND l.subject = d.key AND l.state IN ('open', 'released')) "
        "ORDER BY d.id LIMIT %s) AS free",
        (connection, entity, LOOKED_AT_OF_A_QUEUE),
    ).fetchone()
    return Waiting(row[0], oldest[0] if oldest else None)


def confirmed_since(tx: Transaction, connection: str, entity: str, since: datetime) -> int:
    """How many writes were confirmed since then."""
    row = tx.connection.execute(
        "SELECT count(*) FROM sync.delivery WHERE connection = %s AND entity = %s AND confirmed_at >= %s",
        (connection, entity, since),
    ).fetchone()
    return row[0] if row else 0


def last_call(tx: Transaction) -> datetime | None:
    """When any system was called last."""
    row = tx.connection.execute("SELECT max(at) FROM sync.api_call").fetchone()
    return row[0] if row else None


def circuits(tx: Transaction) -> Mapping[str, datetime]:
    """Since when the circuits of accounts are open, by account."""
    return dict(
        tx.connection.execute(
            "SELECT account, opened_at FROM sync.api_budget WHERE opened_at IS NOT NULL ORDER BY account"
        ).fetchall()
    )


def causes(tx: Transaction, waiting_before: datetime) -> list[Cause]:
    """Why letters are open, sorted. One that waits for something to arrive counts if it has since before that time."""
    rows = tx.connection.execute(
        "SELECT connection, entity, reason, field, cardinality(waiting_tokens) > 0 AS waits, count(*), "
        "min(first_seen), max(id) FROM sync.dead_letter "
        "WHERE state = 'open' AND (cardinality(waiting_tokens) = 0 OR first_seen <= %s) "
        "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        (waiting_before,),
    )
    return [Cause(*row) for row in rows]


def _waiting(tx: Transaction, query: LiteralString, parameters: tuple[object, ...]) -> Waiting:
    row = tx.connection.execute(query, parameters).fetchone()
    return Waiting() if row is None else Waiting(*row)
