"""The audit of every HTTP exchange."""

from collections.abc import Iterable
from datetime import datetime

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.text import storable
from brightpearl_pipelines.store.types import ApiCall


def log(tx: Transaction, calls: Iterable[ApiCall]) -> None:
    """Add calls to the audit."""
    with (
        tx.connection.cursor() as cursor,
        cursor.copy(
            "COPY sync.api_call (connection, at, method, path, status, duration_ms, attempt, error, run) "
            "FROM STDIN (FORMAT binary)"
        ) as copy,
    ):
        copy.set_types(["text", "timestamptz", "text", "text", "int4", "int4", "int4", "text", "text"])
        for call in calls:
            copy.write_row(
                (
                    call.connection,
                    call.at,
                    call.method,
                    storable(call.path),
                    call.status,
                    call.duration_ms,
                    call.attempt,
                    storable(call.error),
                    call.run,
                )
            )


def since(tx: Transaction, at: datetime, connection: str | None = None) -> list[ApiCall]:
    """The calls made at or after that instant, oldest first; of one connection, or of all."""
    rows = tx.connection.execute(
        "SELECT connection, at, method, path, status, duration_ms, attempt, error, run FROM sync.api_call "
        "WHERE at >= %s AND connection = coalesce(%s, connection) ORDER BY at, id",
        (at, connection),
    )
    return [ApiCall(*row) for row in rows]


def count_by_connection(tx: Transaction, since: datetime) -> dict[str, int]:
    """How many calls were made at or after that instant, by connection."""
    rows = tx.connection.execute(
        "SELECT connection, count(*) FROM sync.api_call WHERE at >= %s GROUP BY 1 ORDER BY 1", (since,)
    )
    return {row[0]: row[1] for row in rows}
