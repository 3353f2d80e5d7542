"""Reservations: one per sales order, from one warehouse (brightpearl.md §8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    JsonObject,
    Reply,
    answer,
    int_of,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator


class Reservations:
    """The collection `reservations` is keyed by order id. The numbers of the error codes are not documented."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service/order/{id}/reservation"
        placed = f"{root}/warehouse/{{warehouse_id}}"
        return [
            Endpoint("POST", placed, self.reserve, "post-reservation"),
            Endpoint("GET", root, self.get, "get-reservation"),
            Endpoint("PUT", placed, self.put, "put-reservation"),
            Endpoint("PUT", root, self.put, "put-reservation"),
            Endpoint("DELETE", root, self.delete, "delete-reservation"),
        ]

    # -- state ----------------------------------------------------------------------------------------------------

    def reserved(self, order_id: int) -> dict[str, int]:
        """Reserved units by order row id."""
        reservation = self.emulator.collection("reservations").get(str(order_id))
        rows = reservation["orderRows"].items() if reservation else ()
        return {row_id: row["quantity"] for row_id, row in rows}

    def warehouse_of(self, order_id: int) -> int | None:
        reservation = self.emulator.collection("reservations").get(str(order_id))
        return reservation["warehouseId"] if reservation else None

    def orders_holding(self, product_id: int) -> list[JsonObject]:
        """The orders that hold units of a product, for `allocatedOrders`."""
        return [
            {"orderId": reservation["orderId"], "quantity": row["quantity"]}
            for reservation in self.emulator.collection("reservations").values()
            for row in reservation["orderRows"].values()
            if row["productId"] == product_id
        ]

    def set_row(self, order: JsonObject, warehouse_id: int, row_id: str, quantity: int) -> None:
        """Bring a row's reserved units to `quantity`, moving the difference from or to the shelf."""
        reservations = self.emulator.collection("reservations")
        reservation = reservations.get(str(order["id"]))
        if reservation is None:
            reservation = {"orderId": order["id"], "warehouseId": warehouse_id, "orderRows": {}}
        product_id = order["orderRows"][row_id]["productId"]
        before = reservation["orderRows"].get(row_id, {"quantity": 0})["quantity"]
        if quantity != before:
            self.emulator.stock.allocate(product_id, warehouse_id, quantity - before)
        self._keep(reservation, row_id, product_id, quantity)

    def hand_over(self, order_id: int, row_id: str, quantity: int) -> int:
        """Take up to `quantity` units out of a row's reservation for a goods-out note: they stay allocated."""
        reservation = self.emulator.collection("reservations").get(str(order_id))
        row = reservation["orderRows"].get(row_id) if reservation else None
        if reservation is None or row is None:
            return 0
        taken: int = min(quantity, row["quantity"])
        self._keep(reservation, row_id, row["productId"], row["quantity"] - taken)
        return taken

    def _keep(self, reservation: JsonObject, row_id: str, product_id: int, quantity: int) -> None:
        reservations = self.emulator.collection("reservations")
        if quantity:
            reservation["orderRows"][row_id] = {"productId": product_id, "quantity": quantity}
        else:
            reservation["orderRows"].pop(row_id, None)
        if reservation["orderRows"]:
            self.emulator.put("reservations", reservation["orderId"], reservation)
        else:
            reservations.pop(str(reservation["orderId"]), None)
            self.emulator.touch()

    def release(self, order_id: int) -> None:
        """Give everything back, as a cancellation does."""
        reservation = self.emulator.collection("reservations").pop(str(order_id), None)
        if reservation is None:
            return
        for row in reservation["orderRows"].values():
            self.emulator.stock.allocate(row["productId"], reservation["warehouseId"], -row["quantity"])
        self.emulator.touch()

    # -- handlers -------------------------------------------------------------------------------------------------

    def _sales_order(self, order_id: str) -> JsonObject:
        order = self.emulator.orders.find(order_id)
        if order is None or order["orderTypeCode"] != "SO":
            raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {order_id}"))
        return order

    def _asked(self, call: Call, order: JsonObject) -> list[tuple[str, int]]:
        """Row ids and quantities of the body, checked against the order."""
        tracked = self.emulator.orders.tracked_rows(order)
        products = call.object().get("products")
        if not isinstance(products, list) or not products:
            raise ApiError(400, ("WHSC-090", "products is required"))
        asked = []
        for entry in products:
            line = entry if isinstance(entry, dict) else {}
            row_id, quantity = str(line.get("salesOrderRowId")), int_of(line.get("quantity"))
            row = order["orderRows"].get(row_id)
            if row is None or int_of(line.get("productId")) != row["productId"]:
                raise ApiError(400, ("WHSC-091", f"Row {row_id} of order {order['id']} does not hold that product"))
            if row_id not in tracked:
                raise ApiError(400, ("WHSC-092", f"The product of row {row_id} is not stock tracked"))
            if quantity is None or quantity < 0:
                raise ApiError(400, ("WHSC-093", f"You have supplied an invalid quantity: {line.get('quantity')}"))
            asked.append((row_id, quantity))
        return asked

    def _check_place(self, order: JsonObject, warehouse_id: str) -> int:
        if warehouse_id not in self.emulator.collection("warehouses"):
            raise ApiError(400, ("WHSC-094", f"You have supplied an invalid warehouse ID: {warehouse_id}"))
        if self.warehouse_of(order["id"]) not in (None, int(warehouse_id)):
            raise ApiError(400, ("WHSB-010", f"Order {order['id']} is already reserved from another warehouse"))
        return int(warehouse_id)

    def reserve(self, call: Call, id: str, warehouse_id: str) -> Reply:
        """Reserve what there is, silently less than asked; nothing at all is an error (§8.5)."""
        order = self._sales_order(id)
        place = self._check_place(order, warehouse_id)
        asked = self._asked(call, order)
        noted, _ = self.emulator.goods_out.progress(order["id"])
        tracked, already = self.emulator.orders.tracked_rows(order), self.reserved(order["id"])
        lacking = reserved = 0
        for row_id, quantity in asked:
            held = already.get(row_id, 0)
            wanted = min(quantity, tracked[row_id] - noted.get(row_id, 0) - held)
            possible = min(wanted, self.emulator.stock.on_hand(order["orderRows"][row_id]["productId"], place))
            lacking += max(0, wanted)
            if possible > 0:
                self.set_row(order, place, row_id, held + possible)
                reserved += possible
        if lacking and not reserved:
            raise ApiError(400, ("WHSB-011", f"There is no stock on hand in warehouse {place} to reserve"))
        if reserved:
            self.emulator.orders.changed(order)
        return DONE

    def get(self, _call: Call, id: str) -> Reply:
        return answer([self._existing(id)])

    def _existing(self, order_id: str) -> JsonObject:
        reservation = self.emulator.collection("reservations").get(order_id)
        if reservation is None:
            raise not_found(f"No reservation exists for order {order_id}")
        return reservation

    def put(self, call: Call, id: str, warehouse_id: str | None = None) -> Reply:
        """Set the reserved quantities of the named rows."""
        order = self._sales_order(id)
        place = self._existing(id)["warehouseId"]
        if warehouse_id is not None:
            self._check_place(order, warehouse_id)
        already, tracked = self.reserved(order["id"]), self.emulator.orders.tracked_rows(order)
        noted, _ = self.emulator.goods_out.progress(order["id"])
        for row_id, quantity in self._asked(call, order):
            product_id = order["orderRows"][row_id]["productId"]
            held = already.get(row_id, 0)
            most = min(tracked[row_id] - noted.get(row_id, 0), held + self.emulator.stock.on_hand(product_id, place))
            self.set_row(order, place, row_id, min(quantity, most))
        self.emulator.orders.changed(order)
        return DONE

    def delete(self, _call: Call, id: str) -> Reply:
        self._existing(id)
        self.release(int(id))
        order = self.emulator.orders.find(id)
        if order is not None:
            self.emulator.orders.changed(order)
        return DONE
