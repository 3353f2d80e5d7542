"""The values that both sides last held in common: the base of the three-way merge."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Json


def get(tx: Transaction, entity: str, connection: str, golden_ids: Iterable[UUID]) -> dict[UUID, Json]:
    """What was last agreed with the connection about these golden records, as far as anything was."""
    rows = tx.connection.execute(
        "SELECT golden_id, content FROM sync.agreed WHERE entity = %s AND connection = %s AND golden_id = ANY(%s)",
        (entity, connection, list(golden_ids)),
    )
    return {row[0]: tx.cipher.open(row[1]) for row in rows}


def move(tx: Transaction, entity: str, present: UUID, wanted: UUID) -> None:
    """What was agreed about one golden record is about another now, unless that has its own."""
    tx.connection.execute(
        "INSERT INTO sync.agreed (entity, connection, golden_id, content, agreed_at) "
        "SELECT entity, connection, %s, content, agreed_at FROM sync.agreed WHERE entity = %s AND golden_id = %s "
        "ON CONFLICT DO NOTHING",
        (wanted, entity, present),
    )
    tx.connection.execute("DELETE FROM sync.agreed WHERE entity = %s AND golden_id = %s", (entity, present))


def put(tx: Transaction, entity: str, connection: str, values: Mapping[UUID, Json]) -> None:
    """Remember what is agreed now, in place of what was."""
    tx.connection.execute(
        "INSERT INTO sync.agreed (entity, connection, golden_id, content, agreed_at) "
        "SELECT %s, %s, golden_id, content, %s FROM unnest(%s::uuid[], %b::bytea[]) AS n (golden_id, content) "
        "ON CONFLICT (entity, connection, golden_id) "
        "DO UPDATE SET content = excluded.content, agreed_at = excluded.agreed_at",
        (
            entity,
            connection,
            tx.clock.now(),
            list(values),
            [tx.cipher.seal(value) for value in values.values()],
        ),
    )
