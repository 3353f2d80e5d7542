"""Stock by product and warehouse: availability, bundles, corrections (brightpearl.md §8.1, §8.6).

The collection `availability` has the shape of the API: inStock = onHand + allocated; onHand is what can be sold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    int_of,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

ON_HAND_EVENT = "product.modified.on-hand-modified"
DEFAULT_LOCATION = 2
_FIGURES = ("inStock", "onHand", "allocated", "inTransit")


class Stock:
    """The figures, and the few moves that change them; every change of onHand is told to the subscribers."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service"
        correction = f"{root}/warehouse/{{id}}/stock-correction"
        return [
            Endpoint("GET", f"{root}/product-availability/{{ids}}", self.availability, "get-product-availability"),
            Endpoint("GET", f"{root}/bundle-availability/{{id}}", self.bundle_availability, "get-bundle-availability"),
            Endpoint("POST", correction, self.post_corrections, "post-stock-correction"),
            Endpoint("GET", f"{correction}/{{ids}}", self.get_corrections, "get-stock-correction"),
        ]

    # -- moves ----------------------------------------------------------------------------------------------------

    def first_stock(self, product_id: int, units: Mapping[int, int]) -> None:
        """What was there before the story begins."""
        for warehouse_id, quantity in units.items():
            self._change(product_id, warehouse_id, {"inStock": quantity, "onHand": quantity}, quietly=True)

    def on_hand(self, product_id: int, warehouse_id: int) -> int:
        entry = self.emulator.collection("availability").get(str(product_id))
        figures = entry["warehouses"].get(str(warehouse_id)) if entry else None
        return int(figures["onHand"]) if figures else 0

    def receive(self, product_id: int, warehouse_id: int, quantity: int) -> None:
        """Units arrive, or with a negative quantity disappear, on the shelf."""
        self._change(product_id, warehouse_id, {"inStock": quantity, "onHand": quantity})

    def allocate(self, product_id: int, warehouse_id: int, quantity: int) -> None:
        """Set units aside for an order; negative gives them back."""
        self._change(product_id, warehouse_id, {"onHand": -quantity, "allocated": quantity})

    def dispatch(self, product_id: int, warehouse_id: int, quantity: int) -> None:
        """Allocated units leave the building; onHand had already lost them."""
        self._change(product_id, warehouse_id, {"inStock": -quantity, "allocated": -quantity})

    def await_release(self, product_id: int, warehouse_id: int, quantity: int) -> None:
        """Units reach a warehouse's quarantine: its own, and for sale to nobody; negative lets them out."""
        self._change(product_id, warehouse_id, {"inTransit": quantity})

    def in_transit(self, product_id: int, warehouse_id: int) -> int:
        entry = self.emulator.collection("availability").get(str(product_id))
        figures = entry["warehouses"].get(str(warehouse_id)) if entry else None
        return int(figures["inTransit"]) if figures else 0

    def _change(self, product_id: int, warehouse_id: int, by: Mapping[str, int], *, quietly: bool = False) -> None:
        availability = self.emulator.collection("availability")
        entry = availability.get(str(product_id))
        if entry is None:
            entry = {"productId": product_id, "total": dict.fromkeys(_FIGURES, 0), "warehouses": {}}
            self.emulator.put("availability", product_id, entry)
        figures = entry["warehouses"].setdefault(str(warehouse_id), dict.fromkeys(_FIGURES, 0))
        for name, quantity in by.items():
            figures[name] += quantity
            entry["total"][name] += quantity
        self.emulator.touch()
        if by.get("onHand") and not quietly:
            self.emulator.webhooks.raise_event(ON_HAND_EVENT, product_id)

    def correct(self, sku: str, warehouse_id: int, change: int, reason: str) -> None:
        """A stock take in the UI."""
        product_id = self.emulator.products.by_sku.get(sku)
        if product_id is None or not self.emulator.products.stock_tracked(product_id):
            raise ValueError(f"{sku!r} is not a stock tracked product")
        if self.on_hand(product_id, warehouse_id) + change < 0:
            raise ValueError(f"warehouse {warehouse_id} has fewer than {-change} of {sku!r} on hand")
        self._correct(product_id, warehouse_id, change, reason, call_staff=4)

    def _correct(self, product_id: int, warehouse_id: int, change: int, reason: str, *, call_staff: int) -> int:
        number = self.emulator.next_id("goods_note", 7001)
        moved = {
            "productId": product_id,
            "quantity": change,
            "destinationLocationId": DEFAULT_LOCATION,
            "batchGoodsNoteId": number,
            "createdOn": self.emulator.stamp(),
            "createdBy": call_staff,
        }
        note = {"goodsNoteId": number, "warehouseId": warehouse_id, "reason": reason, "goodsMoved": [moved]}
        self.emulator.put("stock_corrections", number, note)
        self.receive(product_id, warehouse_id, change)
        return number

    # -- availability ---------------------------------------------------------------------------------------------

    def availability(self, call: Call, ids: str) -> Reply:
        """One unknown id refuses the whole set; what is not stock tracked is left out (§8.1)."""
        wanted = IdSet.parse(ids)
        products = self.emulator.collection("products")
        missing = next((number for number in wanted.each() if str(number) not in products), None)
        if missing is not None:
            raise ApiError(400, ("WHSC-011", f"You have supplied an invalid product ID: {missing}"))
        tracked = filter(self.emulator.products.stock_tracked, wanted.ids())
        return answer({str(number): self._shown(call, number) for number in tracked})

    def _shown(self, call: Call, product_id: int) -> JsonObject:
        entry = self.emulator.collection("availability").get(str(product_id))
        if entry is None:
            entry = {"total": dict.fromkeys(_FIGURES, 0), "warehouses": {}}
        view: JsonObject = {"total": dict(entry["total"]), "warehouses": entry["warehouses"]}
        if call.includes("onOrder"):
            view["total"]["onOrder"] = self.emulator.goods_in.on_order(product_id)
        if call.includes("breakDownByLocation"):
            view["warehouses"] = {
                warehouse: {**figures, "byLocation": {str(DEFAULT_LOCATION): figures}}
                for warehouse, figures in entry["warehouses"].items()
            }
        if call.includes("allocatedOrders"):
            view["allocatedOrders"] = self.emulator.reservations.orders_holding(product_id)
        if call.includes("allocatedTransfers"):
            view["allocatedTransfers"] = self.emulator.transfers.holding(product_id)
        return view

    def bundle_availability(self, _call: Call, id: str) -> Reply:
        parts = self.emulator.products.components(int(id))
        if not parts:
            raise not_found(f"Product {id} is not a bundle")
        warehouses = {
            number: {"onHand": self.bundles_on_hand(int(id), int(number))} for number in self._warehouses_of(parts)
        }
        total = sum(figures["onHand"] for figures in warehouses.values())
        return answer({id: {"total": {"onHand": total}, "warehouses": warehouses}})

    def _warehouses_of(self, parts: list[JsonObject]) -> list[str]:
        availability = self.emulator.collection("availability")
        numbers = {
            warehouse
            for part in parts
            for warehouse in availability.get(str(part["productId"]), {"warehouses": {}})["warehouses"]
        }
        return sorted(numbers, key=int)

    def bundles_on_hand(self, product_id: int, warehouse_id: int) -> int:
        """How many bundles the components in one warehouse make; parts without stock keeping do not limit."""
        limits = []
        for part in self.emulator.products.components(product_id):
            number, quantity = part["productId"], part["productQuantity"]
            if self.emulator.products.components(number):
                limits.append(self.bundles_on_hand(number, warehouse_id) // quantity)
            elif self.emulator.products.stock_tracked(number):
                limits.append(self.on_hand(number, warehouse_id) // quantity)
        return max(0, min(limits, default=0))

    # -- corrections ----------------------------------------------------------------------------------------------

    def post_corrections(self, call: Call, id: str) -> Reply:
        if id not in self.emulator.collection("warehouses"):
            raise not_found("No Warehouses Found")
        corrections = call.object().get("corrections")
        if not isinstance(corrections, list) or not corrections:
            raise ApiError(400, ("WHSC-012", "corrections is required"))
        checked = [self._checked(entry if isinstance(entry, dict) else {}, int(id)) for entry in corrections]
        return answer(
            [
                self._correct(product_id, int(id), quantity, str(entry.get("reason", "")), call_staff=call.staff_id)
                for (product_id, quantity), entry in zip(checked, corrections, strict=True)
            ]
        )

    def _checked(self, entry: JsonObject, warehouse_id: int) -> tuple[int, int]:
        product_id, quantity = int_of(entry.get("productId")), int_of(entry.get("quantity"))
        if product_id is None or product_id < 1:
            raise ApiError(400, ("WHSC-014", "Product ID must be set and greater than 0"))
        if not self.emulator.products.stock_tracked(product_id):
            raise ApiError(400, ("WHSC-011", f"You have supplied an invalid product ID: {product_id}"))
        if not quantity:
            raise ApiError(400, ("WHSC-015", f"You have supplied an invalid quantity: {entry.get('quantity')}"))
        cost = entry.get("cost")
        if quantity > 0 and not (isinstance(cost, dict) and decimal_of(cost.get("value")) is not None):
            raise ApiError(400, ("WHSC-016", "A cost is required when stock is added"))
        if self.on_hand(product_id, warehouse_id) + quantity < 0:
            raise ApiError(400, ("WHSB-020", f"There is not enough stock of product {product_id}"))
        return product_id, quantity

    def get_corrections(self, _call: Call, id: str, ids: str) -> Reply:
        notes = self.emulator.collection("stock_corrections")
        found = IdSet.parse(ids).limited(200).among(notes)
        shown = [notes[str(number)] for number in found if notes[str(number)]["warehouseId"] == int(id)]
        if not shown:
            raise not_found("No stock corrections found")
        return answer(shown)
