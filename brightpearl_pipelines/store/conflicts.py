"""Fields that two connections changed differently, and whose value survived."""

from typing import Any
from uuid import UUID

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Conflict


def record(
    tx: Transaction,
    entity: str,
    golden_id: UUID,
    field: str,
    winner_connection: str,
    winner_value: Any,
    loser_connection: str,
    loser_value: Any,
) -> None:
    """Write down a conflict that survivorship decided."""
    tx.connection.execute(
        "INSERT INTO sync.conflict (entity, golden_id, field, winner_connection, loser_connection, facts, at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            entity,
            golden_id,
            field,
            winner_connection,
            loser_connection,
            tx.cipher.seal({"winner": winner_value, "loser": loser_value}),
            tx.clock.now(),
        ),
    )


def recent(tx: Transaction, limit: int) -> list[Conflict]:
    """The newest conflicts first."""
    rows = tx.connection.execute(
        "SELECT id, entity, golden_id, field, winner_connection, loser_connection, facts, at FROM sync.conflict "
        "ORDER BY id DESC LIMIT %s",
        (limit,),
    )
    found = []
    for conflict_id, entity, golden_id, field, winner, loser, facts, at in rows:
        values = tx.cipher.open(facts)
        found.append(
            Conflict(entity, golden_id, field, winner, values["winner"], loser, values["loser"], id=conflict_id, at=at)
        )
    return found
