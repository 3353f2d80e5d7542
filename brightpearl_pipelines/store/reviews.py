"""Matches that wait for a person to look at them: made on weak grounds, or only suspected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import TupleRow

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.text import storable
from brightpearl_pipelines.store.types import Json

MADE = Decimal("0.5")
"""The score of a match by rule: rules give no probability."""
_SELECT = sql.SQL(
    "SELECT id, entity, golden_id, candidate_id, evidence, state, note, proposed_at, decided_at FROM sync.match_review "
)


@dataclass(frozen=True, slots=True)
class Review:
    """A question to a person: are these two one?"""

    id: int
    entity: str
    golden_id: UUID
    """Who was met: a golden record of its own, or, where it was taken for the candidate, the one it would be."""
    candidate_id: UUID
    evidence: Json
    state: Literal["open", "same", "different"]
    note: str | None
    proposed_at: datetime
    decided_at: datetime | None


def propose(tx: Transaction, entity: str, golden_id: UUID, candidate_id: UUID, evidence: Json) -> None:
    """Ask whether `golden_id` is `candidate_id`. Asking again changes nothing, whatever was decided."""
    tx.connection.execute(
        "INSERT INTO sync.match_review (entity, golden_id, candidate_id, score, evidence, proposed_at) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (entity, golden_id, candidate_id) DO NOTHING",
        (entity, golden_id, candidate_id, MADE, tx.cipher.seal(evidence), tx.clock.now()),
    )


def get(tx: Transaction, id: int) -> Review | None:
    """The review, whatever its state; None if there is none with this id."""
    row = tx.connection.execute(_SELECT + sql.SQL("WHERE id = %s"), (id,)).fetchone()
    return None if row is None else _review(tx, row)


def undecided(tx: Transaction, limit: int) -> Sequence[Review]:
    """What waits for a person, the oldest first."""
    rows = tx.connection.execute(_SELECT + sql.SQL("WHERE state = 'open' ORDER BY id LIMIT %s"), (limit,))
    return [_review(tx, row) for row in rows]


def count_undecided(tx: Transaction) -> int:
    """How many wait for a person."""
    row = tx.connection.execute("SELECT count(*) FROM sync.match_review WHERE state = 'open'").fetchone()
    return row[0] if row else 0


def decide(tx: Transaction, id: int, state: Literal["same", "different"], note: str) -> None:
    """Write down what a person decided. Raises LookupError unless the review is open."""
    done = tx.connection.execute(
        "UPDATE sync.match_review SET state = %s, note = %s, decided_at = %s WHERE id = %s AND state = 'open'",
        (state, storable(note), tx.clock.now(), id),
    ).rowcount
    if done != 1:
        raise LookupError(f"there is no review {id} that is open")


def _review(tx: Transaction, row: TupleRow) -> Review:
    review_id, entity, golden_id, candidate_id, evidence, state, note, proposed_at, decided_at = row
    opened = tx.cipher.open(evidence)
    return Review(review_id, entity, golden_id, candidate_id, opened, state, note, proposed_at, decided_at)
