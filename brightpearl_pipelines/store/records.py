"""The latest version of each source record, exactly as the API gave it.

The offset rule: content that really changed gets the next number of one global sequence, anything else keeps its own. A
consumer that has read a stream up to version n reads what is above n and misses nothing (see database.wait_for_turn).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from itertools import islice

from psycopg.rows import TupleRow

from brightpearl_pipelines.store.crypto import canonical
from brightpearl_pipelines.store.database import Transaction, wait_for_turn
from brightpearl_pipelines.store.types import Record, SourceRecord

CHUNK = 1_000
"""Records worked on at once: bounds the memory that their JSON and its sealed form take."""


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """How many distinct records came, and the ids of those that are new or differ from what was stored."""

    read: int
    changed: list[str]


def upsert(tx: Transaction, connection: str, stream: str, records: Iterable[SourceRecord]) -> UpsertResult:
    """Store the records as the latest ones; of several with the same id the last counts.

    Changed are those whose payload or deleted flag differs; they get new versions in the order given. `fetched_at`
    becomes now for all of them. Until the transaction ends, other writers of the same stream wait.
    """
    latest = {record.id: record for record in records}
    if not latest:
        return UpsertResult(0, [])
    wait_for_turn(tx, f"record:{connection}:{stream}")
    rest = iter(latest.values())
    changed: list[str] = []
    while chunk := list(islice(rest, CHUNK)):
        changed += _upsert_chunk(tx, connection, stream, chunk)
    return UpsertResult(len(latest), changed)


def after(tx: Transaction, connection: str, stream: str, version: int, limit: int) -> list[Record]:
    """The records that changed after the version, in the order of their changes."""
    rows = tx.connection.execute(
        "SELECT connection, stream, id, version, payload, modified_at, fetched_at, deleted FROM sync.record "
        "WHERE connection = %s AND stream = %s AND version > %s ORDER BY version LIMIT %s",
        (connection, stream, version, limit),
    )
    return [_record(tx, row) for row in rows]


def by_ids(tx: Transaction, connection: str, stream: str, ids: Iterable[str]) -> dict[str, Record]:
    """The records with these ids, as far as they are known."""
    rows = tx.connection.execute(
        "SELECT connection, stream, id, version, payload, modified_at, fetched_at, deleted FROM sync.record "
        "WHERE connection = %s AND stream = %s AND id = ANY(%s)",
        (connection, stream, list(ids)),
    )
    return {record.id: record for record in (_record(tx, row) for row in rows)}


def on_day(tx: Transaction, connection: str, stream: str, day: date, *, after_id: str = "", limit: int) -> list[Record]:
    """The records of a partition in the order of their ids, by bytes; the next page begins after the last id."""
    rows = tx.connection.execute(
        "SELECT connection, stream, id, version, payload, modified_at, fetched_at, deleted FROM sync.record "
        "WHERE connection = %s AND stream = %s AND day = %s AND id > %s ORDER BY id LIMIT %s",
        (connection, stream, day, after_id, limit),
    )
    return [_record(tx, row) for row in rows]


def renew(tx: Transaction, connection: str, stream: str, ids: Iterable[str]) -> None:
    """Give records new versions although nothing changed, so that all who follow them look at them again."""
    wait_for_turn(tx, f"record:{connection}:{stream}")
    tx.connection.execute(
        "UPDATE sync.record SET version = nextval('sync.version_seq') "
        "WHERE connection = %s AND stream = %s AND id = ANY(%s)",
        (connection, stream, list(ids)),
    )


def days_after(tx: Transaction, connection: str, stream: str, version: int) -> dict[date, int]:
    """How many records of each day came or changed after the version; those without a day are left out."""
    rows = tx.connection.execute(
        "SELECT day, count(*) FROM sync.record WHERE connection = %s AND stream = %s AND version > %s "
        "AND day IS NOT NULL GROUP BY day ORDER BY day",
        (connection, stream, version),
    )
    return {row[0]: row[1] for row in rows}


def all_ids(tx: Transaction, connection: str, stream: str) -> set[str]:
    """The ids of all records that are not deleted."""
    rows = tx.connection.execute(
        "SELECT id FROM sync.record WHERE connection = %s AND stream = %s AND NOT deleted", (connection, stream)
    )
    return {row[0] for row in rows}


def count(tx: Transaction, connection: str, stream: str) -> int:
    """How many records are stored that are not deleted."""
    row = tx.connection.execute(
        "SELECT count(*) FROM sync.record WHERE connection = %s AND stream = %s AND NOT deleted", (connection, stream)
    ).fetchone()
    return row[0] if row else 0


def latest_version(tx: Transaction, connection: str, stream: str) -> int:
    """The highest version in the stream; 0 when it is empty."""
    row = tx.connection.execute(
        "SELECT coalesce(max(version), 0) FROM sync.record WHERE connection = %s AND stream = %s", (connection, stream)
    ).fetchone()
    return row[0] if row else 0


def _record(tx: Transaction, row: TupleRow) -> Record:
    connection, stream, record_id, version, payload, modified_at, fetched_at, deleted = row
    return Record(connection, stream, record_id, version, tx.cipher.open(payload), modified_at, fetched_at, deleted)


@dataclass(frozen=True, slots=True)
class _Draft:
    record: SourceRecord
    text: bytes
    digest: bytes


def _upsert_chunk(tx: Transaction, connection: str, stream: str, chunk: Sequence[SourceRecord]) -> list[str]:
    known: dict[str, tuple[bytes, bool]] = {
        row[0]: (row[1], row[2])
        for row in tx.connection.execute(
            "SELECT id, digest, deleted FROM sync.record WHERE connection = %s AND stream = %s AND id = ANY(%s)",
            (connection, stream, [record.id for record in chunk]),
        )
    }
    changed: list[_Draft] = []
    gone: list[str] = []
    same: list[SourceRecord] = []
    for record in chunk:
        present = known.get(record.id)
        if present is not None and record.deleted and not record.payload:
            if not present[1]:
                gone.append(record.id)
            continue
        text = canonical(record.payload)
        draft = _Draft(record, text, tx.cipher.digest_bytes(text))
        if present == (draft.digest, record.deleted):
            same.append(record)
        else:
            changed.append(draft)
    _touch(tx, connection, stream, chunk, same)
    _write(tx, connection, stream, changed)
    _bury(tx, connection, stream, gone)
    news = {draft.record.id for draft in changed}.union(gone)
    return [record.id for record in chunk if record.id in news]


def _touch(
    tx: Transaction, connection: str, stream: str, seen: Sequence[SourceRecord], same: Sequence[SourceRecord]
) -> None:
    """What was seen is fetched now; what came with equal content may still carry a newer instant."""
    tx.connection.execute(
        "UPDATE sync.record SET fetched_at = %s WHERE connection = %s AND stream = %s AND id = ANY(%s)",
        (tx.clock.now(), connection, stream, [record.id for record in seen]),
    )
    tx.connection.execute(
        "UPDATE sync.record AS r SET modified_at = n.modified_at, day = n.day "
        "FROM unnest(%s::text[], %s::timestamptz[], %s::date[]) AS n (id, modified_at, day) "
        "WHERE r.connection = %s AND r.stream = %s AND r.id = n.id "
        "AND (r.modified_at, r.day) IS DISTINCT FROM (n.modified_at, n.day)",
        (
            [record.id for record in same],
            [record.modified_at for record in same],
            [_day(record) for record in same],
            connection,
            stream,
        ),
    )


def _write(tx: Transaction, connection: str, stream: str, drafts: Sequence[_Draft]) -> None:
    if not drafts:
        return
    with tx.connection.cursor() as cursor:
        cursor.execute(
            'CREATE TEMP TABLE incoming_record (n integer, id text COLLATE "C", digest bytea, payload bytea, '
            "modified_at timestamptz, day date, deleted boolean) ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming_record FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "bytea", "bytea", "timestamptz", "date", "bool"])
            for n, draft in enumerate(drafts):
                record = draft.record
                sealed = tx.cipher.seal_bytes(draft.text)
                copy.write_row((n, record.id, draft.digest, sealed, record.modified_at, _day(record), record.deleted))
        cursor.execute(
            "INSERT INTO sync.record "
            "(connection, stream, id, version, digest, payload, modified_at, fetched_at, day, deleted) "
            "SELECT %s, %s, id, nextval('sync.version_seq'), digest, payload, modified_at, %s, day, deleted "
            "FROM (SELECT * FROM incoming_record ORDER BY n) AS incoming "
            "ON CONFLICT (connection, stream, id) DO UPDATE SET version = excluded.version, digest = excluded.digest, "
            "payload = excluded.payload, modified_at = excluded.modified_at, fetched_at = excluded.fetched_at, "
            "day = excluded.day, deleted = excluded.deleted",
            (connection, stream, tx.clock.now()),
        )
        cursor.execute("DROP TABLE incoming_record")


def _bury(tx: Transaction, connection: str, stream: str, ids: Sequence[str]) -> None:
    """Mark as deleted; the last payload stays, since whoever cleans up after it has to know what it was."""
    if ids:
        tx.connection.execute(
            "UPDATE sync.record SET deleted = true, version = nextval('sync.version_seq') "
            "WHERE connection = %s AND stream = %s AND id = ANY(%s)",
            (connection, stream, list(ids)),
        )


def _day(record: SourceRecord) -> date | None:
    if record.day is not None or record.modified_at is None:
        return record.day
    return record.modified_at.astimezone(UTC).date()
