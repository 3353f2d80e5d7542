"""Brightpearl's purchase orders, with what has been received of each line (brightpearl.md §5.1, §8.4).

No webhook hints at them: `order.modified` does not say which kind of order it means, and kit-expansion orders raise
none (§10.2), so they are found by search. A receipt moves an order's stock status and with it `updatedOn`.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.brightpearl.client import instant
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.streams import client_of, searched, with_missing
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Session, Settings, Source, Stream

PURCHASE_ORDERS = "2"
FREE_TEXT = 1000
"""The product id of rows that name no product (§11.5)."""
RECEIVED_SOME = ("POP", "POA")
"""Stock statuses of orders of which goods have arrived (§5.1)."""
RECEIVED_ALL = "POA"


async def _read(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Purchase orders; under `received`, units by row. Sales and credits with these ids are not found here."""
    client = client_of(session)
    found = await client.get_many("order-service/order/{ids}", ids)
    orders = [each for each in found if each["orderTypeCode"] == "PO"]
    begun = [str(each["id"]) for each in orders if each["stockStatusCode"] in RECEIVED_SOME]
    received: dict[str, dict[str, int]] = {}
    for note in (await client.get_map("warehouse-service/order/{ids}/goods-note/goods-in", begun)).values():
        units = received.setdefault(str(note["orderId"]), {})
        for move in note["goodsMoved"]:
            row = str(move["purchaseOrderRowId"])
            units[row] = units.get(row, 0) + int(move["quantity"])
    return with_missing([_record(each, received.get(str(each["id"]), {})) for each in orders], ids)


def _record(order: Json, received: Json) -> SourceRecord:
    changed = order.get("updatedOn") or order["createdOn"]
    return SourceRecord(str(order["id"]), {**order, "received": received}, instant(changed))


def _purchase_orders(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this source belongs to this system
    order = record.payload
    content = MAPPINGS["purchase_order"].read(order, settings.tables())
    content["lines"] = [
        _line(row_id, row, order["received"]) for row_id, row in order["orderRows"].items() if _of_stock(row)
    ]
    cancelled = order["orderStatus"]["orderStatusId"] == settings.order_statuses[OrderStatus.CANCELLED]
    content["open"] = not cancelled and order["stockStatusCode"] != RECEIVED_ALL
    ordered = {MatchKey("ordered_product", f"{record.connection}:{line['product']}") for line in content["lines"]}
    day = record.modified_at.date() if record.modified_at else None
    return [Mapped(record.id, content, index=sorted(ordered, key=lambda key: key.value), day=day)]


def _of_stock(row: Json) -> bool:
    """Whether a row stands for units of a product; only rows of other things may have a broken quantity (§5.3)."""
    quantity = Decimal(str(row["quantity"]["magnitude"]))
    bundle = (row.get("composition") or {}).get("bundleParent")
    whole = quantity > 0 and quantity == quantity.to_integral_value()
    return bool(whole and row.get("productSku") and row["productId"] != FREE_TEXT and not bundle)


def _line(row_id: str, row: Json, received: Json) -> dict[str, Any]:
    return {
        "key": row_id,
        "sku": row["productSku"],
        "product": str(row["productId"]),
        "quantity": int(Decimal(str(row["quantity"]["magnitude"]))),
        "received": max(int(received.get(row_id, 0)), 0),
    }


STREAM = Stream(
    "purchase_orders",
    "purchase_order",
    searched("order-service/order-search", "orderId", _read, ("createdOn", "updatedOn"), orderTypeId=PURCHASE_ORDERS),
    _read,
)
SOURCE = Source("purchase_orders", "purchase_order", _purchase_orders)
