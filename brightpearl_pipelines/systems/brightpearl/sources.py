"""What Brightpearl's records mean in our words."""

from collections.abc import Mapping, Sequence, Set
from datetime import date
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import MatchKey, match_keys
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.brightpearl import order_progress
from brightpearl_pipelines.systems.brightpearl.client import instant
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source, Tables
from brightpearl_pipelines.systems.mappings import mappings_beside


def _product_name(product: Json, tables: Tables) -> str:
    """The name in the channel that Brightpearl itself is (§7.1)."""
    del tables
    channels = product.get("salesChannels") or [{}]
    return str(channels[0].get("productName") or "")


def _live(product: Json, tables: Tables) -> bool:
    del tables
    return str(product.get("status") or "LIVE") == "LIVE"


def _options(product: Json, tables: Tables) -> dict[str, str]:
    del tables
    return {str(each["optionName"]): str(each["optionValue"]) for each in product.get("variations") or []}


MAPPINGS = mappings_beside(
    __file__,
    {"product_name": _product_name, "live": _live, "options": _options},
)


def _customers(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    relation = record.payload.get("relationshipToAccount") or {}
    if relation.get("isSupplier") or relation.get("isStaff"):
        return [Ignored(record.id, "supplier_or_staff")]
    content = MAPPINGS["customer"].read(record.payload, settings.tables())
    return [Mapped(record.id, content, keys=match_keys(Customer.model_validate(content)), day=_day(record))]


def _products(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    if not (record.payload.get("identity") or {}).get("sku"):
        return [Ignored(record.id, "no_sku")]
    content = MAPPINGS["product"].read(record.payload, settings.tables())
    parts = (record.payload.get("composition") or {}).get("bundleComponents") or []
    skus = record.payload.get("componentSkus") or {}
    content["components"] = [
        {"sku": skus[str(part["productId"])], "quantity": int(part["productQuantity"])} for part in parts
    ]
    return [
        Mapped(
            record.id,
            content,
            keys=[MatchKey("sku", content["sku"])],
            index=[MatchKey("component", part["sku"]) for part in content["components"]],
            day=_day(record),
        )
    ]


def _shipments(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """A shipped goods-out note of one of our orders; which shop's, says the order's externalRef (`shop:number`)."""
    del settings
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    note, order = record.payload["note"], record.payload["order"]
    if note.get("transfer") or order is None:
        return [Ignored(record.id, "transfer_between_warehouses")]
    if not (note.get("status") or {}).get("shipped"):
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


def _shipped_lines(note_id: str, payload: Json) -> dict[str, int]:
    """Shop lines that this note completes, by the lines' keys (the rows' externalRef).

    A bundle leaves when its parts have left; so its count is what all notes up to this one complete, less what the
    notes before it completed.
    """
    rows: Mapping[str, Any] = payload["order"]["orderRows"]
    notes = sorted(
        (each for each in payload["notes"].items() if (each[1].get("status") or {}).get("shipped")),
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
    Source("customers", "customer", _customers),
    Source("products", "product", _products),
    Source("shipments", "shipment", _shipments),
    order_progress.SOURCE,
)
