"""What shop orders have promised and Brightpearl's figures do not show yet.

An order promises its quantities until they are reserved in Brightpearl (settled), all of them or a part. A figure
fetched before that instant, or at it, still has to be reduced by them; a figure fetched later shows the reservation
itself. A quantity that is withdrawn stays as a row of 0, so that readers of changes see it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from brightpearl_pipelines.store.database import Transaction, wait_for_turn


def replace(tx: Transaction, order_id: UUID, connection: str, quantities: Mapping[str, int]) -> bool:
    """The order, seen in the connection, promises exactly these units by SKU; an empty mapping withdraws it all.

    Repeating it changes nothing. What was settled stays settled: of an order edited after its reservation only what is
    new is promised. Returns whether it promised anything else before.
    """
    wait_for_turn(tx, "commitment")
    promised = {sku: quantity for sku, quantity in quantities.items() if quantity}
    changed = tx.connection.execute(
        "WITH wanted AS (SELECT sku, quantity FROM unnest(%s::text[], %s::integer[]) AS n (sku, quantity) "
        "UNION ALL SELECT sku, 0 FROM sync.commitment "
        "WHERE order_id = %s AND connection = %s AND quantity > 0 AND sku <> ALL (%s::text[])) "
        "INSERT INTO sync.commitment AS c (order_id, connection, sku, quantity, version, changed_at) "
        "SELECT %s, %s, sku, quantity, nextval('sync.version_seq'), %s FROM wanted "
        "ON CONFLICT (order_id, connection, sku) DO UPDATE SET quantity = excluded.quantity, "
        "version = excluded.version, changed_at = excluded.changed_at WHERE c.quantity <> excluded.quantity",
        (
            list(promised),
            list(promised.values()),
            order_id,
            connection,
            list(promised),
            order_id,
            connection,
            tx.clock.now(),
        ),
    ).rowcount
    return changed > 0


def settle(tx: Transaction, order_ids: Iterable[UUID], at: datetime) -> None:
    """The orders were reserved in Brightpearl, as a whole, at that instant. A repeat changes nothing."""
    wanted = list(order_ids)
    if not wanted:
        return
    wait_for_turn(tx, "commitment")
    tx.connection.execute(
        "UPDATE sync.commitment SET settled_at = %s, settled = quantity, version = nextval('sync.version_seq'), "
        "changed_at = %s WHERE order_id = ANY(%s) AND (settled_at IS NULL OR settled <> quantity)",
        (at, tx.clock.now(), wanted),
    )


def settle_part(tx: Transaction, order_id: UUID, units: Mapping[str, int], at: datetime) -> None:
    """So many units by SKU were reserved, or have left, by that instant; the rest of the order is still promised."""
    wait_for_turn(tx, "commitment")
    tx.connection.execute(
        "UPDATE sync.commitment AS c SET settled_at = %s, settled = n.units, version = nextval('sync.version_seq'), "
        "changed_at = %s FROM unnest(%s::text[], %s::integer[]) AS n (sku, units) "
        "WHERE c.order_id = %s AND c.sku = n.sku AND c.settled <> n.units",
        (at, tx.clock.now(), list(units), list(units.values()), order_id),
    )


def rename(tx: Transaction, connection: str, old: str, new: str) -> None:
    """A product has another SKU now: its promises, and what is settled of them, go over to that."""
    wait_for_turn(tx, "commitment")
    now = tx.clock.now()
    tx.connection.execute(
        "INSERT INTO sync.commitment AS c "
        "(order_id, connection, sku, quantity, settled, settled_at, version, changed_at) "
        "SELECT order_id, connection, %s, quantity, settled, settled_at, nextval('sync.version_seq'), %s "
        "FROM sync.commitment WHERE connection = %s AND sku = %s AND quantity > 0 "
        "ON CONFLICT (order_id, connection, sku) DO UPDATE SET quantity = c.quantity + excluded.quantity, "
        "settled = c.settled + excluded.settled, settled_at = greatest(c.settled_at, excluded.settled_at), "
        "version = excluded.version, changed_at = excluded.changed_at",
        (new, now, connection, old),
    )
    tx.connection.execute(
        "UPDATE sync.commitment SET quantity = 0, settled = 0, settled_at = NULL, "
        "version = nextval('sync.version_seq'), changed_at = %s WHERE connection = %s AND sku = %s AND quantity > 0",
        (now, connection, old),
    )


def committed(
    tx: Transaction, connection: str, skus: Iterable[str], fetched_at: Mapping[str, datetime]
) -> dict[str, dict[str, int]]:
    """Units by which the figure of each SKU, fetched at that instant, must be reduced, by the shop that promised them;
    every SKU asked for is named.

    The shop is the other connection that knows the order, "" if none does. For a SKU without a fetched figure all that
    is known counts.
    """
    asked = list(dict.fromkeys(skus))
    rows = tx.connection.execute(
        "SELECT n.sku, coalesce(shop.connection, ''), sum(c.quantity - CASE WHEN c.settled_at < n.fetched_at "
        "THEN least(c.settled, c.quantity) ELSE 0 END)::bigint "
        "FROM unnest(%s::text[], %s::timestamptz[]) AS n (sku, fetched_at) "
        "JOIN sync.commitment AS c ON c.connection = %s AND c.sku = n.sku AND c.quantity > 0 "
        "AND (c.settled < c.quantity OR n.fetched_at IS NULL OR c.settled_at >= n.fetched_at) "
        "LEFT JOIN LATERAL (SELECT x.connection FROM sync.crosswalk AS x WHERE x.entity = 'order' "
        "AND x.golden_id = c.order_id AND x.connection <> c.connection ORDER BY x.linked_at, x.connection LIMIT 1) "
        "AS shop ON true GROUP BY 1, 2 ORDER BY 1, 2",
        (asked, [fetched_at.get(sku) for sku in asked], connection),
    )
    found: dict[str, dict[str, int]] = {sku: {} for sku in asked}
    for sku, shop, units in rows:
        found[sku][shop] = units
    return found


def latest_version(tx: Transaction, connection: str) -> int:
    """The version to ask with when everything so far is known; 0 when nothing was ever promised."""
    row = tx.connection.execute(
        "SELECT coalesce(max(version), 0) FROM sync.commitment WHERE connection = %s", (connection,)
    ).fetchone()
    return row[0] if row else 0


def skus_changed_after(tx: Transaction, connection: str, version: int) -> tuple[set[str], int]:
    """The SKUs whose promises changed after the version, withdrawn ones too, and the version to ask with next time."""
    rows = tx.connection.execute(
        "SELECT sku, max(version) FROM sync.commitment WHERE connection = %s AND version > %s GROUP BY sku",
        (connection, version),
    ).fetchall()
    return {row[0] for row in rows}, max((row[1] for row in rows), default=version)


def skus_of(tx: Transaction, order_ids: Iterable[UUID]) -> set[str]:
    """All that the orders promise, or promised before."""
    rows = tx.connection.execute(
        "SELECT DISTINCT sku FROM sync.commitment WHERE order_id = ANY(%s)", (list(order_ids),)
    )
    return {row[0] for row in rows}


def settled_since(tx: Transaction, connection: str, at: datetime) -> set[str]:
    """The SKUs of orders that were reserved at or after that instant."""
    rows = tx.connection.execute(
        "SELECT DISTINCT sku FROM sync.commitment WHERE connection = %s AND quantity > 0 AND settled_at >= %s",
        (connection, at),
    )
    return {row[0] for row in rows}


def purge(tx: Transaction, before: datetime) -> int:
    """Forget what was settled, or withdrawn, before that; returns how many rows. To be used with weeks, not minutes."""
    return tx.connection.execute(
        "DELETE FROM sync.commitment WHERE (settled_at < %s AND settled >= quantity) "
        "OR (quantity = 0 AND changed_at < %s)",
        (before, before),
    ).rowcount
