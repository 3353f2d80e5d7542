"""Goods-out notes: what can be read of them, how changes are found, and what they mean (brightpearl.md §8.2).

A note that left is a shipment of a shop's order. It can be taken back: the note goes, or is no longer shipped. Nothing
is left of that in the API (§11.15), so it is noticed in three ways: by the note's webhooks, by looking again at the
notes of orders that changed and are not wholly shipped, and by the repair of a day, which asks for what it misses.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import date
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import ShipmentState
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.brightpearl.client import IDS_PER_GET, BrightpearlClient, instant, wire_instant
from brightpearl_pipelines.systems.brightpearl.streams import client_of, event_ids, searched, with_missing
from brightpearl_pipelines.systems.contract import Ignored, Joining, Mapped, Session, Settings, Source, Stream, Window
from brightpearl_pipelines.systems.paging import chunks

ALL_SHIPPED = 4
"""`orderShippingStatusId` of an order of which everything left (§5.1): nothing of it was taken back."""


# -- reading ------------------------------------------------------------------------------------------------------


async def _read(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Notes with the order they belong to and all its other notes: bundles ship when all their parts have (§5.3)."""
    client = client_of(session)
    notes: dict[str, Any] = {}
    for chunk in chunks(ids, IDS_PER_GET):
        notes |= await client.get_map("warehouse-service/order/*/goods-note/goods-out/{ids}", chunk)
    order_ids = {str(note["orderId"]) for note in notes.values() if note.get("orderId")}
    orders = {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", order_ids)}
    siblings: dict[str, dict[str, Any]] = {}
    for key, note in (await client.get_map("warehouse-service/order/{ids}/goods-note/goods-out", order_ids)).items():
        siblings.setdefault(str(note["orderId"]), {})[key] = note
    parts = {order_id: _parts_of_bundles(order) for order_id, order in orders.items()}
    untracked = await _untracked(client, {each for ids in parts.values() for each in ids})
    records = []
    for key, note in notes.items():
        order_id = str(note.get("orderId") or "")
        payload = {"id": key, "note": note, "order": orders.get(order_id), "notes": siblings.get(order_id, {key: note})}
        if never_leaving := sorted(parts.get(order_id, set()) & untracked):
            payload["untracked"] = never_leaving
        shipped = note.get("status", {}).get("shippedOn") or note.get("createdOn")
        records.append(SourceRecord(key, payload, instant(shipped)))
    return with_missing(records, ids)


def _parts_of_bundles(order: Json) -> set[str]:
    rows: Mapping[str, Json] = order["orderRows"]
    return {str(row["productId"]) for row in rows.values() if (row.get("composition") or {}).get("bundleChild")}


async def _untracked(client: BrightpearlClient, product_ids: set[str]) -> set[str]:
    """Those of the products that no stock is kept of, bundles left out: they never stand on a goods-out note."""
    products = await client.get_many("product-service/product/{ids}", product_ids)
    return {
        str(each["id"]) for each in products if not each["stock"]["stockTracked"] and not each["composition"]["bundle"]
    }


async def _suspects(session: Session, window: Window) -> Sequence[MatchKey]:
    """Orders older than the last note we know, changed since, and not wholly shipped: one of their notes may have been
    taken back. One call, whatever the number of new orders."""
    assert window.since is not None and window.until is not None  # noqa: S101 - the engine gives both
    rows = await client_of(session).search(
        "order-service/order-search",
        {
            "orderTypeId": "1",
            "updatedOn": f"{wire_instant(window.since)}/",
            "createdOn": f"2000-01-01T00:00:00.000Z/{wire_instant(window.until)}",
            "columns": "orderId,orderShippingStatusId,externalRef",
            "sort": "orderId.ASC",
        },
    )
    return [
        MatchKey("order", str(row["externalRef"]))
        for row in rows
        if row["externalRef"] and int(row["orderShippingStatusId"]) != ALL_SHIPPED
    ]


STREAM = Stream(
    "shipments",
    "shipment",
    searched("warehouse-service/goods-note/goods-out-search", "goodsOutNoteId", _read, ("shippedOn",), shipped="true"),
    _read,
    # Without a specifier it is about the note itself: its tracking number (§10.3).
    topics={"goods-out-note.modified": event_ids, "goods-out-note.destroyed": event_ids},
    suspects=_suspects,
)


# -- meaning ------------------------------------------------------------------------------------------------------


def _shipments(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """A shipped goods-out note of one of our orders; which shop's, says the order's externalRef (`shop:number`)."""
    del settings
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    note, order = record.payload["note"], record.payload["order"]
    if note.get("transfer") or order is None:
        return [Ignored(record.id, "transfer_between_warehouses")]
    if not _shipped(note):
        return [Ignored(record.id, "not_shipped_yet")]
    shop, _, number = str(order.get("externalRef") or "").partition(":")
    if not number:
        return [Ignored(record.id, "order_of_no_shop")]
    lines = _shipped_lines(record.id, record.payload)
    if not lines:
        return [Ignored(record.id, "part_of_a_bundle")]
    shipping = note.get("shipping") or {}
    content = {
        "order_number": f"{shop}:{number}",
        "reference": record.id,
        "shipped_at": instant(note["status"]["shippedOn"]),
        "tracking": str(shipping.get("reference") or ""),
        "method": str(shipping.get("shippingMethodId") or ""),
        "warehouse": str(note.get("warehouseId") or ""),
        "lines": [{"line": line, "quantity": quantity} for line, quantity in sorted(lines.items())],
    }
    of_order = [MatchKey("order", f"{shop}:{number}")]
    return [Mapped(record.id, content, index=of_order, day=_day(record))]


def _state(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """Whether a note that was a shipment still is one."""
    del settings
    stands = not record.deleted and _shipped(record.payload["note"])
    return [Mapped(record.id, {"undone": not (stands and _shipped_lines(record.id, record.payload))})]


def _no_key(record: Record) -> None:
    """A note's state is about the shipment that its note already is, by its id."""
    del record


def _shipped(note: Json) -> bool:
    return bool((note.get("status") or {}).get("shipped"))


def _shipped_lines(note_id: str, payload: Json) -> dict[str, int]:
    """Shop lines that this note completes, by the lines' keys (the rows' externalRef).

    A bundle leaves when its parts have left; so its count is what all notes up to this one complete, less what the
    notes before it completed.
    """
    rows: Mapping[str, Any] = payload["order"]["orderRows"]
    notes = sorted(
        (each for each in payload["notes"].items() if _shipped(each[1])),
        key=lambda each: (each[1]["status"]["shippedOn"], int(each[0])),
    )
    position = [key for key, _ in notes].index(note_id)
    before = _left([note for _, note in notes[:position]])
    after = _left([note for _, note in notes[: position + 1]])
    lines: dict[str, int] = {}
    for row_id, row in rows.items():
        composition = row.get("composition") or {}
        if composition.get("bundleChild") or not row.get("externalRef"):
            continue
        if composition.get("bundleParent"):
            untracked = set(payload.get("untracked") or ())
            shipped = _whole(row_id, rows, after, untracked) - _whole(row_id, rows, before, untracked)
        else:
            shipped = after.get(row_id, 0) - before.get(row_id, 0)
        if shipped > 0:
            lines[str(row["externalRef"])] = shipped
    return lines


def _parent(row: Json) -> str:
    return str((row.get("composition") or {}).get("parentOrderRowId") or "")


def _left(notes: Sequence[Json]) -> dict[str, int]:
    """Units by order row that these notes took away."""
    units: dict[str, int] = {}
    for note in notes:
        for row_id, moves in note["orderRows"].items():
            units[row_id] = units.get(row_id, 0) + sum(int(move["quantity"]) for move in moves)
    return units


def _whole(parent_id: str, rows: Mapping[str, Json], left: Mapping[str, int], untracked: Set[str]) -> int:
    """How many whole bundles have left, by their parts, which may be bundles; what no stock is kept of never leaves."""
    bundles = int(Decimal(rows[parent_id]["quantity"]["magnitude"]))
    makes = [bundles]
    for key, part in rows.items():
        if _parent(part) != parent_id or str(part["productId"]) in untracked:
            continue
        per_bundle = int(Decimal(part["quantity"]["magnitude"])) // bundles if bundles else 0
        gone = _whole(key, rows, left, untracked) if part["composition"].get("bundleParent") else left.get(key, 0)
        if per_bundle:
            makes.append(gone // per_bundle)
    return min(makes) if len(makes) > 1 else 0


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (
    Source("shipments", "shipment", _shipments),
    Source("shipments", "shipment", _state, joins=Joining(ShipmentState, _no_key, "no_shipment_of_a_shop")),
)
