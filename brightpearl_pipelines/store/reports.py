"""Schema `reports`: rows replaced day by day, and read back; and what the reports ask of the other tables."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from psycopg import sql

from brightpearl_pipelines.store.database import Transaction, wait_for_turn
from brightpearl_pipelines.store.types import Record

TABLES: Final = ("documents", "differences", "daily_orders", "daily_taxes", "daily_payments", "daily_refunds")
ROWS_A_TIME = 1_000

Row = Sequence[Any]


def replace_days(
    tx: Transaction, table: str, columns: Sequence[str], days: Sequence[date], rows: Sequence[Row]
) -> None:
    """Put these rows in place of all rows of these days; other days stay as they are.

    Two that replace rows of one table at once do so one after the other. Raises ValueError for a table that is none of
    the reports, and for a row of another day: it would come a second time with its own day.
    """
    place = _place(table)
    at = list(columns).index("day")
    others = {row[at] for row in rows} - set(days)
    if others:
        raise ValueError(f"rows of {', '.join(map(str, sorted(others)))} among those of {', '.join(map(str, days))}")
    wait_for_turn(tx, f"reports:{table}")
    tx.connection.execute(sql.SQL("DELETE FROM {} WHERE day = ANY(%s)").format(place), (list(days),))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with (
        tx.connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(place, names)) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def rows_of(tx: Transaction, table: str, columns: Sequence[str], days: Sequence[date]) -> list[Row]:
    """The rows of these days, in the order of all their columns. Raises ValueError for a table that is no report."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("SELECT {} FROM {} WHERE day = ANY(%s) ORDER BY {}").format(names, _place(table), names)
    return list(tx.connection.execute(query, (list(days),)))


def records_since(tx: Transaction, connection: str, stream: str, first: date) -> Iterator[Sequence[Record]]:
    """All records that last changed on that day or later, deleted ones too, page by page."""
    day, last = first, ""
    while True:
        rows = tx.connection.execute(
            "SELECT connection, stream, id, version, payload, modified_at, fetched_at, deleted, day FROM sync.record "
            "WHERE connection = %s AND stream = %s AND (day, id) > (%s, %s) ORDER BY day, id LIMIT %s",
            (connection, stream, day, last, ROWS_A_TIME),
        ).fetchall()
        if not rows:
            return
        yield [Record(row[0], row[1], row[2], row[3], tx.cipher.open(row[4]), row[5], row[6], row[7]) for row in rows]
        last, day = rows[-1][2], rows[-1][8]


def last_read(tx: Transaction, consumer: str) -> datetime | None:
    """When the consumer last came to the end of what it reads; None if it never did."""
    row = tx.connection.execute("SELECT moved_at FROM sync.position WHERE consumer = %s", (consumer,)).fetchone()
    return row[0] if row else None


def _place(table: str) -> sql.Identifier:
    if table not in TABLES:
        raise ValueError(f"{table!r} is no report; there are: {', '.join(TABLES)}")
    return sql.Identifier("reports", table)
