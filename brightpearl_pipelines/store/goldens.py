"""What we believe is true: one row per business thing, versioned by the same offset rule as the records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from uuid import UUID

from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from brightpearl_pipelines.store.crypto import canonical
from brightpearl_pipelines.store.database import Transaction, wait_for_turn
from brightpearl_pipelines.store.types import Golden

CHUNK = 1_000
"""Rows worked on at once: bounds the memory that their JSON and its sealed form take."""


def put(tx: Transaction, rows: Iterable[Golden]) -> set[UUID]:
    """Store the rows; returns the ids of those that are new or whose content differs, which get new versions.

    Origin and day are kept up to date as well, but their change alone is no news. `version` of the given rows is
    ignored; of several with the same id the last counts. Until the transaction ends, other writers of the same entities
    wait.
    """
    latest = {(row.entity, row.id): row for row in rows}
    # In a fixed order, so that two writers of several entities cannot wait for each other.
    for entity in sorted({entity for entity, _ in latest}):
        wait_for_turn(tx, f"golden:{entity}")
    rest = iter(latest.values())
    changed: set[UUID] = set()
    while chunk := list(islice(rest, CHUNK)):
        changed |= _put_chunk(tx, chunk)
    return changed


def by_ids(tx: Transaction, entity: str, ids: Iterable[UUID]) -> dict[UUID, Golden]:
    """The rows with these ids, as far as they exist."""
    rows = tx.connection.execute(
        "SELECT entity, id, content, origin, day, version FROM sync.golden WHERE entity = %s AND id = ANY(%s)",
        (entity, list(ids)),
    )
    return {golden.id: golden for golden in (_golden(tx, row) for row in rows)}


def after(tx: Transaction, entity: str, version: int, limit: int) -> list[Golden]:
    """The rows that changed after the version, in the order of their changes."""
    rows = tx.connection.execute(
        "SELECT entity, id, content, origin, day, version FROM sync.golden "
        "WHERE entity = %s AND version > %s ORDER BY version LIMIT %s",
        (entity, version, limit),
    )
    return [_golden(tx, row) for row in rows]


def on_day(tx: Transaction, entity: str, day: date, *, after_id: UUID | None = None, limit: int) -> list[Golden]:
    """The rows of a partition in the order of their ids; the next page begins after the last id."""
    rows = tx.connection.execute(
        "SELECT entity, id, content, origin, day, version FROM sync.golden "
        "WHERE entity = %s AND day = %s AND (%s::uuid IS NULL OR id > %s) ORDER BY id LIMIT %s",
        (entity, day, after_id, after_id, limit),
    )
    return [_golden(tx, row) for row in rows]


def renew(tx: Transaction, entity: str, ids: Iterable[UUID]) -> list[Golden]:
    """Give rows new versions although nothing changed, so that all who follow them look at them again."""
    wait_for_turn(tx, f"golden:{entity}")
    wanted = list(ids)
    tx.connection.execute(
        "UPDATE sync.golden SET version = nextval('sync.version_seq') WHERE entity = %s AND id = ANY(%s)",
        (entity, wanted),
    )
    return sorted(by_ids(tx, entity, wanted).values(), key=lambda row: row.version)


def remove(tx: Transaction, entity: str, id: UUID) -> None:
    """Forget a row that is another one by now."""
    wait_for_turn(tx, f"golden:{entity}")
    tx.connection.execute("DELETE FROM sync.golden WHERE entity = %s AND id = %s", (entity, id))


def versions(tx: Transaction, entity: str, ids: Iterable[UUID]) -> dict[UUID, int]:
    """The present versions of these rows, as far as they exist."""
    rows = tx.connection.execute(
        "SELECT id, version FROM sync.golden WHERE entity = %s AND id = ANY(%s)", (entity, list(ids))
    )
    return {row[0]: row[1] for row in rows}


def days_after(tx: Transaction, entity: str, version: int) -> dict[date, int]:
    """How many rows of each day came or changed after the version; those without a day are left out."""
    rows = tx.connection.execute(
        "SELECT day, count(*) FROM sync.golden WHERE entity = %s AND version > %s AND day IS NOT NULL "
        "GROUP BY day ORDER BY day",
        (entity, version),
    )
    return {row[0]: row[1] for row in rows}


def count(tx: Transaction, entity: str) -> int:
    """How many rows the entity has."""
    row = tx.connection.execute("SELECT count(*) FROM sync.golden WHERE entity = %s", (entity,)).fetchone()
    return row[0] if row else 0


def latest_version(tx: Transaction, entity: str) -> int:
    """The highest version of the entity; 0 when it has no rows."""
    row = tx.connection.execute(
        "SELECT coalesce(max(version), 0) FROM sync.golden WHERE entity = %s", (entity,)
    ).fetchone()
    return row[0] if row else 0


def _golden(tx: Transaction, row: TupleRow) -> Golden:
    entity, golden_id, content, origin, day, version = row
    return Golden(entity, golden_id, tx.cipher.open(content), origin, day, version)


@dataclass(frozen=True, slots=True)
class _Draft:
    golden: Golden
    text: bytes
    digest: bytes


def _put_chunk(tx: Transaction, chunk: Sequence[Golden]) -> set[UUID]:
    known: dict[tuple[str, UUID], bytes] = {
        (row[0], row[1]): row[2]
        for row in tx.connection.execute(
            "SELECT entity, id, digest FROM sync.golden WHERE entity = ANY(%s) AND id = ANY(%s)",
            (list({row.entity for row in chunk}), [row.id for row in chunk]),
        )
    }
    changed: list[_Draft] = []
    same: list[Golden] = []
    for golden in chunk:
        text = canonical(golden.content)
        digest = tx.cipher.digest_bytes(text)
        if known.get((golden.entity, golden.id)) == digest:
            same.append(golden)
        else:
            changed.append(_Draft(golden, text, digest))
    _touch(tx, same)
    _write(tx, changed)
    return {draft.golden.id for draft in changed}


def _touch(tx: Transaction, same: Sequence[Golden]) -> None:
    if same:
        tx.connection.execute(
            "UPDATE sync.golden AS g SET origin = n.origin, day = n.day "
            "FROM unnest(%s::text[], %s::uuid[], %s::jsonb[], %s::date[]) AS n (entity, id, origin, day) "
            "WHERE g.entity = n.entity AND g.id = n.id AND (g.origin, g.day) IS DISTINCT FROM (n.origin, n.day)",
            (
                [row.entity for row in same],
                [row.id for row in same],
                [Jsonb(dict(row.origin)) for row in same],
                [row.day for row in same],
            ),
        )


def _write(tx: Transaction, drafts: Sequence[_Draft]) -> None:
    if not drafts:
        return
    with tx.connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE incoming_golden (n integer, entity text, id uuid, digest bytea, content bytea, "
            "origin jsonb, day date) ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming_golden FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "uuid", "bytea", "bytea", "jsonb", "date"])
            for n, draft in enumerate(drafts):
                golden = draft.golden
                sealed = tx.cipher.seal_bytes(draft.text)
                origin = Jsonb(dict(golden.origin))
                copy.write_row((n, golden.entity, golden.id, draft.digest, sealed, origin, golden.day))
        cursor.execute(
            "INSERT INTO sync.golden (entity, id, version, digest, content, origin, day, changed_at) "
            "SELECT entity, id, nextval('sync.version_seq'), digest, content, origin, day, %s "
            "FROM (SELECT * FROM incoming_golden ORDER BY n) AS incoming "
            "ON CONFLICT (entity, id) DO UPDATE SET version = excluded.version, digest = excluded.digest, "
            "content = excluded.content, origin = excluded.origin, day = excluded.day, "
            "changed_at = excluded.changed_at",
            (tx.clock.now(),),
        )
        cursor.execute("DROP TABLE incoming_golden")
