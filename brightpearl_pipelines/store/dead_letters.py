"""What is held, why, what a person can do about it, and what happened to it so far.

open: held · released: goes again at the next round · resolved: it went through · discarded: a person gave it up. Of one
(connection, stage, entity, subject) at most one letter is open or released.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from psycopg import sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.text import storable
from brightpearl_pipelines.store.types import DeadLetter

HISTORY = 50
"""Entries kept: the first one and the newest. An input may be met again every few minutes for weeks."""

_SELECT = sql.SQL(
    "SELECT id, connection, stage, entity, subject, reason, field, facts, golden_id, state, attempts, note, "
    "first_seen, last_seen, history FROM sync.dead_letter "
)


def hold(tx: Transaction, letter: DeadLetter) -> int:
    """Hold an input or a delivery; returns the letter's id.

    If the same one is held already, or was released and failed again, that letter is open with one more attempt and the
    newest facts. id, state, attempts, note and times of the given letter are ignored.
    """
    now = tx.clock.now()
    facts = {
        "sentence": letter.sentence,
        "suggestion": letter.suggestion,
        "value": letter.value,
        "waiting_for": list(letter.waiting_for),
        "payload": letter.payload,
    }
    row = tx.connection.execute(
        "INSERT INTO sync.dead_letter AS d (connection, stage, entity, subject, reason, field, waiting_tokens, facts, "
        "golden_id, first_seen, last_seen, history) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (connection, stage, entity, subject) WHERE state IN ('open', 'released') DO UPDATE SET "
        "reason = excluded.reason, field = excluded.field, waiting_tokens = excluded.waiting_tokens, "
        "facts = excluded.facts, golden_id = excluded.golden_id, state = 'open', attempts = d.attempts + 1, "
        "last_seen = excluded.last_seen, history = "
        "(CASE WHEN jsonb_array_length(d.history) >= %s THEN d.history - 1 ELSE d.history END) || excluded.history "
        "RETURNING id",
        (
            letter.connection,
            letter.stage,
            letter.entity,
            letter.subject,
            letter.reason,
            storable(letter.field),
            _tokens(tx, letter.waiting_for),
            tx.cipher.seal(facts),
            letter.golden_id,
            now,
            now,
            _entry(tx, "held", letter.reason),
            HISTORY,
        ),
    ).fetchone()
    if row is None:
        raise LookupError("Postgres returned no id for a row that it inserted")
    return int(row[0])


def resolve(tx: Transaction, connection: str, stage: str, entity: str, subjects: Iterable[str]) -> int:
    """These went through: their letters, if any are held, are done with. Returns how many there were."""
    return tx.connection.execute(
        "UPDATE sync.dead_letter SET state = 'resolved', history = history || %s "
        "WHERE connection = %s AND stage = %s AND entity = %s AND subject = ANY(%s) AND state IN ('open', 'released')",
        (_entry(tx, "resolved"), connection, stage, entity, list(subjects)),
    ).rowcount


def resolve_golden(tx: Transaction, golden_id: UUID) -> int:
    """What is held of a golden record that is another one by now is done with. Returns how many there were."""
    return tx.connection.execute(
        "UPDATE sync.dead_letter SET state = 'resolved', history = history || %s "
        "WHERE golden_id = %s AND state IN ('open', 'released')",
        (_entry(tx, "resolved"), golden_id),
    ).rowcount


def release_waiting(tx: Transaction, tokens: Iterable[str]) -> list[DeadLetter]:
    """What arrived, as tokens such as `product:HAT-1`, lets go what waits for any of it. Returns what was released."""
    rows = tx.connection.execute(
        "UPDATE sync.dead_letter SET state = 'released', history = history || %s "
        "WHERE state = 'open' AND waiting_tokens && %s::text[] RETURNING id",
        (_entry(tx, "released"), _tokens(tx, tokens)),
    ).fetchall()
    found = tx.connection.execute(_SELECT + sql.SQL("WHERE id = ANY(%s) ORDER BY id"), ([row[0] for row in rows],))
    return [_letter(tx, row) for row in found]


def waiting(tx: Transaction, connection: str, stage: str, entity: str, limit: int) -> list[DeadLetter]:
    """Open letters that wait for something to arrive, the longest unseen first.

    What they wait for may have come between the look-up that missed it and the letter: looking again finds it.
    """
    rows = tx.connection.execute(
        _SELECT
        + sql.SQL(
            "WHERE state = 'open' AND connection = %s AND stage = %s AND entity = %s "
            "AND cardinality(waiting_tokens) > 0 ORDER BY last_seen, id LIMIT %s"
        ),
        (connection, stage, entity, limit),
    )
    return [_letter(tx, row) for row in rows]


def released(tx: Transaction, connection: str, stage: str, entity: str, limit: int) -> list[DeadLetter]:
    """What is to go again, oldest first."""
    rows = tx.connection.execute(
        _SELECT
        + sql.SQL("WHERE state = 'released' AND connection = %s AND stage = %s AND entity = %s ORDER BY id LIMIT %s"),
        (connection, stage, entity, limit),
    )
    return [_letter(tx, row) for row in rows]


def open_letters(
    tx: Transaction,
    *,
    connection: str | None = None,
    entity: str | None = None,
    reason: str | None = None,
    limit: int,
) -> list[DeadLetter]:
    """What is held now, the newest trouble first; filters that are None let everything pass."""
    rows = tx.connection.execute(
        _SELECT
        + sql.SQL(
            "WHERE state = 'open' AND connection = coalesce(%s, connection) AND entity = coalesce(%s, entity) "
            "AND reason = coalesce(%s, reason) ORDER BY last_seen DESC, id DESC LIMIT %s"
        ),
        (connection, entity, reason, limit),
    )
    return [_letter(tx, row) for row in rows]


def of_golden(tx: Transaction, golden_id: UUID) -> list[DeadLetter]:
    """Every letter that was ever written about a golden record, oldest first, whatever its state."""
    rows = tx.connection.execute(_SELECT + sql.SQL("WHERE golden_id = %s ORDER BY id"), (golden_id,))
    return [_letter(tx, row) for row in rows]


def get(tx: Transaction, id: int) -> DeadLetter | None:
    """The letter, whatever its state; None if there is none with this id."""
    row = tx.connection.execute(_SELECT + sql.SQL("WHERE id = %s"), (id,)).fetchone()
    return None if row is None else _letter(tx, row)


def retry(tx: Transaction, ids: Iterable[int]) -> int:
    """A person lets open letters go again. Returns how many were open."""
    return tx.connection.execute(
        "UPDATE sync.dead_letter SET state = 'released', history = history || %s WHERE id = ANY(%s) AND state = 'open'",
        (_entry(tx, "retried"), list(ids)),
    ).rowcount


def discard(tx: Transaction, id: int, note: str) -> None:
    """A person gives it up, and says why. Raises LookupError unless it is open or released."""
    done = tx.connection.execute(
        "UPDATE sync.dead_letter SET state = 'discarded', note = %s, history = history || %s "
        "WHERE id = %s AND state IN ('open', 'released')",
        (storable(note), _entry(tx, "discarded"), id),
    ).rowcount
    if done != 1:
        raise LookupError(f"there is no dead letter {id} that is open or released")


def counts(tx: Transaction) -> list[tuple[str, str, str, str, int]]:
    """(connection, entity, reason, state, how many), sorted."""
    rows = tx.connection.execute(
        "SELECT connection, entity, reason, state, count(*) FROM sync.dead_letter "
        "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def _tokens(tx: Transaction, tokens: Iterable[str]) -> list[str]:
    # A token may hold an e-mail address: it is matched by its hash and read from the sealed facts.
    return [tx.cipher.token(token) for token in tokens]


def _entry(tx: Transaction, did: str, reason: str | None = None) -> Jsonb:
    entry = {"at": tx.clock.now().isoformat(), "did": did}
    return Jsonb([entry if reason is None else {**entry, "reason": reason}])


def _letter(tx: Transaction, row: TupleRow) -> DeadLetter:
    (
        letter_id, connection, stage, entity, subject, reason, field, facts, golden_id, state, attempts, note,
        first_seen, last_seen, history,
    ) = row  # fmt: skip
    opened = tx.cipher.open(facts)
    waiting_for: Sequence[str] = opened["waiting_for"]
    return DeadLetter(
        connection=connection,
        stage=stage,
        entity=entity,
        subject=subject,
        reason=reason,
        sentence=opened["sentence"],
        suggestion=opened["suggestion"],
        field=field,
        value=opened["value"],
        waiting_for=tuple(waiting_for),
        payload=opened["payload"],
        golden_id=golden_id,
        id=letter_id,
        state=state,
        attempts=attempts,
        note=note,
        first_seen=first_seen,
        last_seen=last_seen,
        history=tuple(history),
    )
