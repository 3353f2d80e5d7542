"""Every write that is intended, before it is made; and what became of it.

A row is committed before its call goes out. One that is found `sent` was cut off: whether the target has it is looked
up there before anything is written again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from psycopg import sql
from psycopg.rows import TupleRow

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Delivery, DeliveryState, Json

SUPERSEDED = "superseded before it was sent"

_SELECT = sql.SQL(
    "SELECT d.id, d.connection, d.entity, d.golden_id, d.kind, d.key, d.payload, d.after, d.state, d.attempts, "
    "d.external_id, d.answer, d.error, d.next_attempt_at, d.created_at, d.sent_at, d.confirmed_at, d.note "
    "FROM sync.delivery AS d "
)

# What nothing but time holds back. That the first unfinished one of a golden record is looked for, instead of asking
# whether an earlier one exists, is on purpose: Postgres would make that a join, and take the wrong one when its
# statistics are old, comparing each unfinished row with every other.
_FREE = sql.SQL(
    "WHERE d.connection = %s AND d.entity = %s AND d.state IN ('pending', 'sent', 'failed') "
    "AND d.id = (SELECT min(e.id) FROM sync.delivery AS e WHERE e.connection = d.connection "
    "AND e.golden_id = d.golden_id AND e.state IN ('pending', 'sent', 'failed', 'dead')) "
    "AND NOT EXISTS (SELECT FROM unnest(d.after) AS earlier (key) "
    "WHERE NOT EXISTS (SELECT FROM sync.delivery AS a "
    "WHERE a.connection = d.connection AND a.key = earlier.key AND a.state = 'confirmed')) "
)


def plan(tx: Transaction, rows: Iterable[Delivery]) -> int:
    """Intend these writes, in this order; one whose (connection, key) was ever intended is left as it is.

    Except one that is dead or discarded: planning it again means that the cause was mended, so it goes again, with the
    new payload. Returns how many are intended now that were not before. Only connection, entity, golden_id, kind, key,
    payload and after of a row count.
    """
    new = list(rows)
    if not new:
        return 0
    with tx.connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE incoming_delivery (n integer, connection text, entity text, golden_id uuid, kind text, "
            "key text, payload bytea, after text[]) ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming_delivery FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "text", "uuid", "text", "text", "bytea", "text[]"])
            for n, row in enumerate(new):
                sealed = tx.cipher.seal(row.payload)
                after = list(row.after)
                copy.write_row((n, row.connection, row.entity, row.golden_id, row.kind, row.key, sealed, after))
        cursor.execute(
            "INSERT INTO sync.delivery (connection, entity, golden_id, kind, key, payload, after, state, created_at) "
            "SELECT connection, entity, golden_id, kind, key, payload, after, 'pending', %s "
            "FROM (SELECT DISTINCT ON (connection, key) * FROM incoming_delivery ORDER BY connection, key, n) AS first "
            "ORDER BY n ON CONFLICT (connection, key) DO UPDATE SET payload = excluded.payload, "
            "after = excluded.after, state = 'pending', next_attempt_at = NULL, note = NULL "
            "WHERE sync.delivery.state IN ('dead', 'discarded')",
            (tx.clock.now(),),
        )
        inserted = cursor.rowcount
        cursor.execute("DROP TABLE incoming_delivery")
    return inserted


def due(tx: Transaction, connection: str, entity: str, limit: int) -> list[Delivery]:
    """What may go now, oldest first, at most one of each golden record.

    Pending ones, sent ones (cut off: look them up first) and failed ones; the latter two when their time has come. All
    that one comes after must be confirmed, and no earlier delivery of the same golden record in the connection may be
    unfinished; a dead one is.
    """
    rows = tx.connection.execute(
        _SELECT + _FREE + sql.SQL("AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= %s) ORDER BY d.id LIMIT %s"),
        (connection, entity, tx.clock.now(), limit),
    )
    return [_delivery(tx, row) for row in rows]


def next_due(tx: Transaction, connection: str, entity: str) -> datetime | None:
    """When the next one will be due for which nothing but time is missing; None if there is no such one."""
    row = tx.connection.execute(
        sql.SQL("SELECT min(d.next_attempt_at) FROM sync.delivery AS d ")
        + _FREE
        + sql.SQL("AND d.next_attempt_at > %s"),
        (connection, entity, tx.clock.now()),
    ).fetchone()
    return row[0] if row else None


def mark_sent(tx: Transaction, ids: Iterable[int]) -> None:
    """The calls go out after this commits: one more attempt each.

    Raises LookupError, and so sends nothing, if one of them is confirmed, dead, discarded or unknown.
    """
    wanted = set(ids)
    done = tx.connection.execute(
        "UPDATE sync.delivery SET state = 'sent', attempts = attempts + 1, sent_at = %s, next_attempt_at = NULL "
        "WHERE id = ANY(%s) AND state IN ('pending', 'sent', 'failed')",
        (tx.clock.now(), list(wanted)),
    ).rowcount
    if done != len(wanted):
        raise LookupError(f"{len(wanted) - done} of the deliveries {sorted(wanted)} cannot be sent (any more)")


def confirm(tx: Transaction, rows: Sequence[tuple[int, str | None, Json | None]]) -> None:
    """The target has these: (delivery id, the target's id of it, what is worth remembering of the answer).

    Raises LookupError, and confirms nothing, when there is no such delivery.
    """
    done = tx.connection.execute(
        "UPDATE sync.delivery AS d SET state = 'confirmed', external_id = n.external_id, answer = n.answer, "
        "error = NULL, next_attempt_at = NULL, confirmed_at = %s "
        "FROM unnest(%s::bigint[], %s::text[], %b::bytea[]) AS n (id, external_id, answer) WHERE d.id = n.id",
        (
            tx.clock.now(),
            [row[0] for row in rows],
            [row[1] for row in rows],
            [None if row[2] is None else tx.cipher.seal(row[2]) for row in rows],
        ),
    ).rowcount
    if done != len({row[0] for row in rows}):
        raise LookupError(f"of the deliveries {sorted(row[0] for row in rows)} only {done} exist")


def fail(tx: Transaction, id: int, error: str, next_attempt_at: datetime) -> None:
    """The target surely does not have it; it goes again at that time. Raises LookupError when it is finished."""
    _update(
        tx,
        id,
        "UPDATE sync.delivery SET state = 'failed', error = %s, next_attempt_at = %s "
        "WHERE id = %s AND state NOT IN ('confirmed', 'discarded')",
        (_sealed_error(tx, error), next_attempt_at, id),
    )


def unsure(tx: Transaction, id: int, error: str, next_attempt_at: datetime) -> None:
    """Whether the target has it is not known: it stays `sent`, to be looked up at that time.

    Raises LookupError when it was not sent.
    """
    _update(
        tx,
        id,
        "UPDATE sync.delivery SET error = %s, next_attempt_at = %s WHERE id = %s AND state = 'sent'",
        (_sealed_error(tx, error), next_attempt_at, id),
    )


def kill(tx: Transaction, id: int, error: str) -> None:
    """Another try would not help: a person has to look. What comes after it waits.

    Raises LookupError when it is finished.
    """
    _update(
        tx,
        id,
        "UPDATE sync.delivery SET state = 'dead', error = %s, next_attempt_at = NULL "
        "WHERE id = %s AND state NOT IN ('confirmed', 'discarded')",
        (_sealed_error(tx, error), id),
    )


def revive(tx: Transaction, id: int) -> None:
    """A dead or failed one goes again now. Raises LookupError when it is neither."""
    _update(
        tx,
        id,
        "UPDATE sync.delivery SET state = 'pending', next_attempt_at = NULL "
        "WHERE id = %s AND state IN ('dead', 'failed')",
        (id,),
    )


def discard(tx: Transaction, id: int, note: str) -> None:
    """Give it up; what waits for its golden record's turn goes on. LookupError when it is confirmed or does not exist.

    A delivery that names its key in `after` goes on waiting: what it builds on will never be there.
    """
    _update(
        tx,
        id,
        "UPDATE sync.delivery SET state = 'discarded', note = %s, next_attempt_at = NULL "
        "WHERE id = %s AND state <> 'confirmed'",
        (note, id),
    )


def supersede(tx: Transaction, connection: str, golden_ids: Iterable[UUID], kind: str) -> list[tuple[str, str]]:
    """Discard what the target surely does not have of this kind: something newer makes it pointless.

    Returns (entity, key) of the discarded. Those whose fate is unknown stay: it has to be found out first.
    """
    rows = tx.connection.execute(
        "UPDATE sync.delivery SET state = 'discarded', note = %s, next_attempt_at = NULL "
        "WHERE connection = %s AND golden_id = ANY(%s) AND kind = %s "
        "AND state IN ('pending', 'failed', 'dead') RETURNING entity, key",
        (SUPERSEDED, connection, list(golden_ids), kind),
    )
    return [(row[0], row[1]) for row in rows]


def by_golden(tx: Transaction, golden_id: UUID) -> list[Delivery]:
    """Everything that was ever to be written of a golden record, in order."""
    rows = tx.connection.execute(_SELECT + sql.SQL("WHERE d.golden_id = %s ORDER BY d.id"), (golden_id,))
    return [_delivery(tx, row) for row in rows]


def by_keys(tx: Transaction, connection: str, keys: Iterable[str]) -> dict[str, Delivery]:
    """The deliveries with these keys, as far as they exist."""
    rows = tx.connection.execute(
        _SELECT + sql.SQL("WHERE d.connection = %s AND d.key = ANY(%s)"), (connection, list(keys))
    )
    return {delivery.key: delivery for delivery in (_delivery(tx, row) for row in rows)}


def counts(tx: Transaction) -> list[tuple[str, str, DeliveryState, int]]:
    """(connection, entity, state, how many), sorted."""
    rows = tx.connection.execute(
        "SELECT connection, entity, state, count(*) FROM sync.delivery GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [(row[0], row[1], DeliveryState(row[2]), row[3]) for row in rows]


def _update(tx: Transaction, delivery_id: int, statement: str, parameters: tuple[object, ...]) -> None:
    if tx.connection.execute(statement, parameters).rowcount != 1:
        raise LookupError(f"there is no delivery {delivery_id} in a state that allows this")


def _sealed_error(tx: Transaction, error: str) -> bytes:
    # What a target says in refusing often quotes the customer.
    return tx.cipher.seal({"error": error})


def _delivery(tx: Transaction, row: TupleRow) -> Delivery:
    (
        delivery_id, connection, entity, golden_id, kind, key, payload, after, state, attempts,
        external_id, answer, error, next_attempt_at, created_at, sent_at, confirmed_at, note,
    ) = row  # fmt: skip
    return Delivery(
        connection=connection,
        entity=entity,
        golden_id=golden_id,
        kind=kind,
        key=key,
        payload=tx.cipher.open(payload),
        after=tuple(after),
        id=delivery_id,
        state=DeliveryState(state),
        attempts=attempts,
        external_id=external_id,
        answer=None if answer is None else tx.cipher.open(answer),
        error=None if error is None else tx.cipher.open(error)["error"],
        next_attempt_at=next_attempt_at,
        created_at=created_at,
        sent_at=sent_at,
        confirmed_at=confirmed_at,
        note=note,
    )
