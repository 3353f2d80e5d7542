"""Stock on its way between warehouses, and within one (brightpearl.md §8.6).

A transfer is announced, its goods are noted at the source (allocated there), shipped like any goods-out note, and land
in the quarantine of the target: `inTransit` there, not `inStock` and not `onHand`, until somebody releases them. That
`inTransit` is the figure for it is inferred from §8.1; the request of a quarantine release is not documented, so there
is no endpoint for it, only the person who does it: `release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.goods_out import STEPS
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


class Transfers:
    """Announced transfers by id in `stock_transfers`; their goods-out notes have `transfer` true and no order."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service"
        return [
            Endpoint("POST", f"{root}/warehouse/{{id}}/stock-transfer", self.announce, "post-stock-transfer"),
            Endpoint("GET", f"{root}/stock-transfer/{{ids?}}", self.get, "get-stock-transfer"),
            Endpoint("POST", f"{root}/warehouse/{{id}}/external-transfer", self.send, "post-external-transfer"),
            Endpoint("POST", f"{root}/warehouse/{{id}}/internal-transfer", self.within, "post-internal-transfer"),
        ]

    def _warehouse(self, number: object) -> int:
        if str(number) not in self.emulator.collection("warehouses"):
            raise ApiError(400, ("WHSC-070", f"You have supplied an invalid warehouse ID: {number}"))
        return int(str(number))

    # -- announcing -----------------------------------------------------------------------------------------------

    def announce(self, call: Call, id: str) -> Reply:
        body = call.object()
        source, target = self._warehouse(id), self._warehouse(body.get("targetWarehouseId"))
        if source == target:
            raise ApiError(400, ("WHSC-071", "The source and the target warehouse must differ"))
        reference = str(body.get("reference") or "")
        known = self.emulator.collection("stock_transfers")
        if reference and any(each["reference"] == reference for each in known.values()):
            raise ApiError(400, ("WHSC-072", f"The reference {reference} is already used"))
        number = self.emulator.next_id("stock_transfer", 60)
        transfer = {
            "stockTransferId": number,
            "sourceWarehouseId": source,
            "targetWarehouseId": target,
            "goodsOutNoteId": 0,
            "reference": reference,
            "createdBy": call.staff_id,
            "createdOn": self.emulator.stamp(),
        }
        self.emulator.put("stock_transfers", number, transfer)
        return answer(number)

    def get(self, _call: Call, ids: str | None) -> Reply:
        transfers = self.emulator.collection("stock_transfers")
        found = IdSet.parse(ids).limited(MOST).among(transfers) if ids else [int(each) for each in transfers]
        if not found:
            raise not_found("No stock transfers found")
        return answer([transfers[str(number)] for number in found])

    # -- moving ---------------------------------------------------------------------------------------------------

    def send(self, call: Call, id: str) -> Reply:
        """A goods-out note for an announced transfer: the goods are allocated at the source."""
        body = call.object()
        source = self._warehouse(id)
        transfer = self.emulator.collection("stock_transfers").get(str(body.get("stockTransferId")))
        if transfer is None or transfer["sourceWarehouseId"] != source or transfer["goodsOutNoteId"]:
            raise ApiError(400, ("WHSC-073", "You have supplied an invalid stockTransferId"))
        if int_of(body.get("targetWarehouseId")) != transfer["targetWarehouseId"]:
            raise ApiError(400, ("WHSC-074", "The target warehouse is not that of the stock transfer"))
        moves = [self._move(each, source) for each in self._products(body)]
        released = instant_of(body.get("releaseDate"), self.emulator.zone)
        note = self._note(transfer, moves, call.staff_id, int_of(body.get("shippingMethodId")) or 0)
        note["releaseDate"] = self.emulator.stamp(released)
        for product_id, quantity in moves:
            self.emulator.stock.allocate(product_id, source, quantity)
        transfer["goodsOutNoteId"] = note["goodsOutNoteId"]
        self.emulator.webhooks.raise_event("goods-out-note.created", note["goodsOutNoteId"])
        return answer([note["goodsOutNoteId"]])

    @staticmethod
    def _products(body: JsonObject) -> list[JsonObject]:
        products = body.get("transferredProducts")
        if not isinstance(products, list) or not products or not all(isinstance(each, dict) for each in products):
            raise ApiError(400, ("WHSC-075", "transferredProducts is required"))
        return products

    def _move(self, entry: JsonObject, source: int) -> tuple[int, int]:
        product_id, quantity = int_of(entry.get("productId")), int_of(entry.get("quantity"))
        if product_id is None or not self.emulator.products.stock_tracked(product_id):
            raise ApiError(400, ("WHSC-011", f"You have supplied an invalid product ID: {entry.get('productId')}"))
        if quantity is None or not 0 < quantity <= self.emulator.stock.on_hand(product_id, source):
            raise ApiError(400, ("WHSB-020", f"There is not enough stock of product {product_id}"))
        return product_id, quantity

    def _note(self, transfer: JsonObject, moves: list[tuple[int, int]], staff: int, method: int) -> JsonObject:
        emulator = self.emulator
        number, now = emulator.next_id("goods_note", 7001), emulator.stamp()
        rows = {
            str(place): [{"productId": product_id, "quantity": quantity, "locationId": DEFAULT_LOCATION}]
            for place, (product_id, quantity) in enumerate(moves, start=1)
        }
        note: JsonObject = {
            "goodsOutNoteId": number, "orderId": 0, "warehouseId": transfer["sourceWarehouseId"],
            "targetWarehouseId": transfer["targetWarehouseId"], "transfer": True, "priority": False,
            "status": dict.fromkeys(STEPS, False),
            "shipping": {"reference": "", "boxes": 0, "shippingMethodId": method, "weight": "0.00"},
            "createdOn": now, "createdBy": staff, "orderRows": rows, "sequence": 1,
            "events": [{"occured": now, "eventOwnerId": staff, "eventCode": "PLA"}],
            "labelUri": "", "lastEventVersion": emulator.next_id("goods_note_event", 3131001),
        }  # fmt: skip
        emulator.put("goods_out_notes", number, note)
        emulator.goods_out.by_order[0].append(number)
        return note

    def within(self, call: Call, id: str) -> Reply:
        """From shelf to shelf: the figures of the warehouse stay as they are."""
        source = self._warehouse(id)
        for each in self._products(call.object()):
            self._move(each, source)
        return answer(self.emulator.next_id("goods_note", 7001))

    # -- what happens then ----------------------------------------------------------------------------------------

    def shipped(self, note: JsonObject) -> None:
        """The goods of a transfer's note have left: they are in the target's quarantine at once (§8.6)."""
        for moves in note["orderRows"].values():
            for move in moves:
                self.emulator.stock.dispatch(move["productId"], note["warehouseId"], move["quantity"])
                self.emulator.stock.await_release(move["productId"], note["targetWarehouseId"], move["quantity"])

    def holding(self, product_id: int) -> list[JsonObject]:
        """Transfers that have units of a product set aside; the shape is that of the orders that do, not documented."""
        notes = [
            note
            for note in self.emulator.goods_out.notes_of(0)
            if note["transfer"] and not note["status"]["shipped"] and product_id in _units(note)
        ]
        return [{"goodsOutNoteId": each["goodsOutNoteId"], "quantity": _units(each)[product_id]} for each in notes]

    def release(self, sku: str, warehouse_id: int, quantity: int) -> None:
        """Somebody lets goods out of a warehouse's quarantine. ValueError if there are not so many."""
        product_id = self.emulator.products.by_sku[sku]
        if self.emulator.stock.in_transit(product_id, warehouse_id) < quantity:
            raise ValueError(f"fewer than {quantity} of {sku!r} are in quarantine in warehouse {warehouse_id}")
        self.emulator.stock.await_release(product_id, warehouse_id, -quantity)
        self.emulator.stock.receive(product_id, warehouse_id, quantity)
        self.emulator.webhooks.raise_event("quarantine-release.created", self.emulator.next_id("goods_note", 7001))


def _units(note: JsonObject) -> dict[int, int]:
    """What a note moves, by product."""
    units: dict[int, int] = {}
    for moves in note["orderRows"].values():
        for move in moves:
            units[move["productId"]] = units.get(move["productId"], 0) + move["quantity"]
    return units
