"""Goods-in notes: receipts on purchase orders and returns on sales credits (brightpearl.md §8.4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.stock import DEFAULT_LOCATION
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    instant_of,
    int_of,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

MOST = 200


class GoodsIn:
    """Notes by id in `goods_in_notes`; a receipt raises what is on hand. Error code numbers are not documented."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_order: dict[int, Counter[str]] = defaultdict(Counter)
        """Units received by order and row."""
        for note in self.emulator.collection("goods_in_notes").values():
            self._index(note)

    def _index(self, note: JsonObject) -> None:
        for move in note["goodsMoved"]:
            self.by_order[note["orderId"]][str(move["purchaseOrderRowId"])] += move["quantity"]

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service/order"
        return [
            Endpoint("POST", f"{root}/{{id}}/goods-note/goods-in", self.create, "post-goods-in-note"),
            Endpoint("GET", f"{root}/{{orders}}/goods-note/goods-in/{{ids?}}", self.get, "get-goods-in-note"),
        ]

    def received(self, order_id: int) -> int:
        """Units received on an order so far."""
        return self.by_order[order_id].total() if order_id in self.by_order else 0

    def on_order(self, product_id: int) -> int:
        """Units of a product on purchase orders and not yet received."""
        total = 0
        for order in self.emulator.collection("orders").values():
            if order["orderTypeCode"] != "PO" or self.emulator.orders.is_cancelled(order):
                continue
            received = self.by_order.get(order["id"], Counter())
            for row_id, count in self.emulator.orders.tracked_rows(order).items():
                if order["orderRows"][row_id]["productId"] == product_id:
                    total += count - received.get(row_id, 0)
        return total

    def create(self, call: Call, id: str) -> Reply:
        order = self.emulator.orders.find(id)
        if order is None or order["orderTypeCode"] not in ("PO", "SC"):
            raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {id}"))
        body = call.object()
        place, moved = self._checked(order, body)
        number = self.emulator.next_id("goods_note", 7001)
        received_on = self.emulator.stamp(instant_of(body.get("receivedOn"), self.emulator.zone))
        note: JsonObject = {
            "goodsNoteId": number,
            "orderId": order["id"],
            "transfer": False,
            "goodsNoteStatus": "CLOSED",
            "userBatchReference": body.get("userBatchReference", ""),
            "receivedOn": received_on,
            "createdBy": call.staff_id,
            "goodsMoved": [{**move, "warehouseId": place, "goodsNoteId": number} for move in moved],
        }
        self.emulator.put("goods_in_notes", number, note)
        self._index(note)
        for move in moved:
            self.emulator.stock.receive(move["productId"], place, move["quantity"])
        self.emulator.webhooks.raise_event("goods-in-note.created", number)
        self.emulator.orders.changed(order)
        return answer(number)

    def _checked(self, order: JsonObject, body: JsonObject) -> tuple[int, list[JsonObject]]:
        place, sent = int_of(body.get("warehouseId")), body.get("goodsMoved")
        if place is None or str(place) not in self.emulator.collection("warehouses"):
            raise ApiError(400, ("WHSC-060", f"You have supplied an invalid warehouse ID: {body.get('warehouseId')}"))
        batch = body.get("userBatchReference")
        notes = self.emulator.collection("goods_in_notes").values()
        if batch and any(note["userBatchReference"] == batch for note in notes):
            raise ApiError(400, ("WHSB-061", f"The userBatchReference {batch} is already used"))
        if not isinstance(sent, list) or not sent:
            raise ApiError(400, ("WHSC-062", "goodsMoved is required"))
        return place, [self._move(order, entry if isinstance(entry, dict) else {}) for entry in sent]

    def _move(self, order: JsonObject, entry: JsonObject) -> JsonObject:
        row_id, quantity = str(entry.get("purchaseOrderRowId")), int_of(entry.get("quantity"))
        ordered = self.emulator.orders.tracked_rows(order)
        product_id = int_of(entry.get("productId"))
        if row_id not in ordered or order["orderRows"][row_id]["productId"] != product_id:
            raise ApiError(400, ("WHSC-063", f"Row {row_id} of order {order['id']} does not hold that stock product"))
        left = ordered[row_id] - self.by_order.get(order["id"], Counter()).get(row_id, 0)
        if quantity is None or not 0 < quantity <= left:
            raise ApiError(400, ("WHSC-064", f"Row {row_id} has {left} left to receive, not {quantity}"))
        value = entry.get("productValue")
        if not isinstance(value, dict) or "value" not in value:
            raise ApiError(400, ("WHSC-065", "productValue is required"))
        return {
            "productId": product_id,
            "purchaseOrderRowId": int(row_id),
            "quantity": quantity,
            "destinationLocationId": int_of(entry.get("destinationLocationId")) or DEFAULT_LOCATION,
            "productValue": value,
        }

    def get(self, _call: Call, orders: str, ids: str | None) -> Reply:
        """A map by note id; all notes of all orders cannot be asked for at once."""
        if orders == "*" and ids is None:
            raise ApiError(400, ("WHSC-066", "An order or goods in note ID set is required"))
        notes = self.emulator.collection("goods_in_notes")
        of_orders = None if orders == "*" else IdSet.parse(orders).limited(MOST)
        wanted = IdSet.parse(ids).limited(MOST) if ids else None
        found = {
            number: note
            for number, note in notes.items()
            if (of_orders is None or note["orderId"] in of_orders) and (wanted is None or note["goodsNoteId"] in wanted)
        }
        if not found:
            raise not_found("No goods in notes found within range of order IDs and goods in note IDs")
        return answer(found)
