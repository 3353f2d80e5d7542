"""Which external ids, in which connections, are the same golden record; and the keys by which a match is found."""

from collections.abc import Collection, Iterable
from uuid import UUID

from brightpearl_pipelines.store.database import Transaction

Link = tuple[str, str, UUID]
"""(connection, external id, golden id)"""


class CrosswalkConflict(Exception):
    """An external id that is one golden record was to become another. `relink` would do it on purpose."""

    def __init__(self, entity: str, connection: str, external_id: str, present: UUID, wanted: UUID) -> None:
        super().__init__(
            f"{entity} {external_id!r} of {connection} is golden record {present} and cannot also be {wanted}"
        )
        self.entity = entity
        self.connection = connection
        self.external_id = external_id
        self.present = present
        self.wanted = wanted


def link(tx: Transaction, entity: str, links: Iterable[Link]) -> None:
    """Remember that these external ids are these golden records; what is known already is left alone.

    Raises CrosswalkConflict for the first that is another golden record by now, or in the same call.
    """
    connections, external_ids, golden_ids = _columns(links)
    tx.connection.execute(
        "INSERT INTO sync.crosswalk (entity, connection, external_id, golden_id, linked_at) "
        "SELECT %s, connection, external_id, golden_id, %s "
        "FROM unnest(%s::text[], %s::text[], %s::uuid[]) AS n (connection, external_id, golden_id) "
        "ON CONFLICT DO NOTHING",
        (entity, tx.clock.now(), connections, external_ids, golden_ids),
    )
    conflict = tx.connection.execute(
        "SELECT c.connection, c.external_id, c.golden_id, n.golden_id FROM sync.crosswalk AS c "
        "JOIN unnest(%s::text[], %s::text[], %s::uuid[]) WITH ORDINALITY AS n (connection, external_id, golden_id, i) "
        "ON c.connection = n.connection AND c.external_id = n.external_id "
        "WHERE c.entity = %s AND c.golden_id <> n.golden_id ORDER BY n.i LIMIT 1",
        (connections, external_ids, golden_ids, entity),
    ).fetchone()
    if conflict is not None:
        raise CrosswalkConflict(entity, *conflict)


def relink(tx: Transaction, entity: str, links: Iterable[Link]) -> None:
    """Make these external ids these golden records, whatever they were before."""
    for connection, external_id, golden_id in links:
        tx.connection.execute(
            "INSERT INTO sync.crosswalk (entity, connection, external_id, golden_id, linked_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (entity, connection, external_id) "
            "DO UPDATE SET golden_id = excluded.golden_id, linked_at = excluded.linked_at",
            (entity, connection, external_id, golden_id, tx.clock.now()),
        )


def unlink(tx: Transaction, entity: str, connection: str, external_ids: Iterable[str]) -> int:
    """Forget what these external ids are; returns how many were known."""
    return tx.connection.execute(
        "DELETE FROM sync.crosswalk WHERE entity = %s AND connection = %s AND external_id = ANY(%s)",
        (entity, connection, list(external_ids)),
    ).rowcount


def golden_ids(tx: Transaction, entity: str, connection: str, external_ids: Iterable[str]) -> dict[str, UUID]:
    """Which golden records these external ids are, as far as known."""
    rows = tx.connection.execute(
        "SELECT external_id, golden_id FROM sync.crosswalk "
        "WHERE entity = %s AND connection = %s AND external_id = ANY(%s)",
        (entity, connection, list(external_ids)),
    )
    return {row[0]: row[1] for row in rows}


def external_ids(tx: Transaction, entity: str, connection: str, golden_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """What these golden records are called in the connection, the longest known first; unknown ones are left out."""
    rows = tx.connection.execute(
        "SELECT golden_id, external_id FROM sync.crosswalk "
        "WHERE entity = %s AND connection = %s AND golden_id = ANY(%s) ORDER BY linked_at, external_id",
        (entity, connection, list(golden_ids)),
    )
    found: dict[UUID, list[str]] = {}
    for golden_id, external_id in rows:
        found.setdefault(golden_id, []).append(external_id)
    return found


def links_of(tx: Transaction, entity: str, golden_id: UUID) -> list[tuple[str, str]]:
    """All names of a golden record: (connection, external id), sorted."""
    rows = tx.connection.execute(
        "SELECT connection, external_id FROM sync.crosswalk WHERE entity = %s AND golden_id = %s "
        "ORDER BY connection, external_id",
        (entity, golden_id),
    )
    return [(row[0], row[1]) for row in rows]


def search(tx: Transaction, entity: str, external_id: str) -> list[tuple[str, UUID]]:
    """Where an external id occurs, when the connection is not known: (connection, golden id), sorted."""
    rows = tx.connection.execute(
        "SELECT connection, golden_id FROM sync.crosswalk WHERE entity = %s AND external_id = %s ORDER BY connection",
        (entity, external_id),
    )
    return [(row[0], row[1]) for row in rows]


def put_keys(tx: Transaction, entity: str, rows: Iterable[tuple[str, str, UUID]]) -> None:
    """Remember match keys: (kind, value, golden id).

    Values are normalised by the caller and stored only as keyed hashes.
    Keys add up: a customer is found by a former e-mail address too.
    """
    kinds: list[str] = []
    tokens: list[str] = []
    ids: list[UUID] = []
    for kind, value, golden_id in rows:
        kinds.append(kind)
        tokens.append(tx.cipher.token(value))
        ids.append(golden_id)
    tx.connection.execute(
        "INSERT INTO sync.match_key (entity, kind, token, golden_id) "
        "SELECT %s, kind, token, golden_id "
        "FROM unnest(%s::text[], %s::text[], %s::uuid[]) AS n (kind, token, golden_id) ON CONFLICT DO NOTHING",
        (entity, kinds, tokens, ids),
    )


def drop_keys(tx: Transaction, entity: str, rows: Iterable[tuple[str, str, UUID]]) -> None:
    """Forget match keys: (kind, value, golden id)."""
    for kind, value, golden_id in rows:
        tx.connection.execute(
            "DELETE FROM sync.match_key WHERE entity = %s AND kind = %s AND token = %s AND golden_id = %s",
            (entity, kind, tx.cipher.token(value), golden_id),
        )


def move_keys(tx: Transaction, entity: str, present: UUID, wanted: UUID) -> None:
    """All match keys of one golden record are another's now."""
    tx.connection.execute(
        "INSERT INTO sync.match_key (entity, kind, token, golden_id) "
        "SELECT entity, kind, token, %s FROM sync.match_key WHERE entity = %s AND golden_id = %s "
        "ON CONFLICT DO NOTHING",
        (wanted, entity, present),
    )
    tx.connection.execute("DELETE FROM sync.match_key WHERE entity = %s AND golden_id = %s", (entity, present))


def find_by_keys(
    tx: Transaction,
    entity: str,
    kind: str,
    values: Iterable[str],
    within: Collection[str] | None = None,
    most: int | None = None,
) -> dict[str, list[UUID]]:
    """The golden records with these keys, by the value asked for, sorted; values that nobody has are left out.

    `within`: without those that a connection other than these knows. `most`: no more than so many for each value.
    """
    asked = {tx.cipher.token(value): value for value in values}
    rows = tx.connection.execute(
        "SELECT asked.token, k.golden_id FROM unnest(%s::text[]) AS asked (token) CROSS JOIN LATERAL ("
        "SELECT golden_id FROM sync.match_key WHERE entity = %s AND kind = %s AND token = asked.token "
        "ORDER BY golden_id LIMIT %s) AS k ORDER BY k.golden_id",
        (list(asked), entity, kind, most),
    ).fetchall()
    strangers = known_outside(tx, entity, {row[1] for row in rows}, within) if within is not None else set()
    found: dict[str, list[UUID]] = {}
    for token, golden_id in rows:
        if golden_id not in strangers:
            found.setdefault(asked[token], []).append(golden_id)
    return found


def known_outside(tx: Transaction, entity: str, golden_ids: Iterable[UUID], within: Collection[str]) -> set[UUID]:
    """Those golden records that a connection other than these knows."""
    rows = tx.connection.execute(
        "SELECT DISTINCT golden_id FROM sync.crosswalk "
        "WHERE entity = %s AND golden_id = ANY(%s) AND connection <> ALL(%s)",
        (entity, list(golden_ids), list(within)),
    )
    return {row[0] for row in rows}


def _columns(links: Iterable[Link]) -> tuple[list[str], list[str], list[UUID]]:
    rows = list(links)
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
