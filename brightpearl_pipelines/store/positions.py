"""How far each consumer has read. To be moved in the transaction that stores what was made of the reading."""

from datetime import datetime

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Position


def get(tx: Transaction, consumer: str) -> Position:
    """Where the consumer is; the beginning if it was never moved."""
    row = tx.connection.execute(
        "SELECT version, watermark, token FROM sync.position WHERE consumer = %s", (consumer,)
    ).fetchone()
    return Position() if row is None else Position(*row)


def move(
    tx: Transaction,
    consumer: str,
    *,
    version: int | None = None,
    watermark: datetime | None = None,
    token: str | None = None,
) -> None:
    """Set what is given, forwards or backwards; None leaves a part as it is."""
    tx.connection.execute(
        "INSERT INTO sync.position AS p (consumer, version, watermark, token, moved_at) "
        "VALUES (%s, coalesce(%s, 0), %s, %s, %s) ON CONFLICT (consumer) DO UPDATE SET "
        "version = coalesce(%s, p.version), watermark = coalesce(excluded.watermark, p.watermark), "
        "token = coalesce(excluded.token, p.token), moved_at = excluded.moved_at",
        (consumer, version, watermark, token, tx.clock.now(), version),
    )


def all(tx: Transaction) -> dict[str, Position]:
    """Every consumer's position, by name, sorted."""
    rows = tx.connection.execute("SELECT consumer, version, watermark, token FROM sync.position ORDER BY consumer")
    return {row[0]: Position(*row[1:]) for row in rows}
