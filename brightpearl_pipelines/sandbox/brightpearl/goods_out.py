"""Goods-out notes: allocation, picking, packing, shipping (brightpearl.md §8.2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.stock import DEFAULT_LOCATION
from brightpearl_pipelines.sandbox.brightpearl.timeindex import TimeIndex
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    fixed,
    instant_of,
    int_of,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

MOST = 500
MOST_WEIGHT = Decimal("999999.99")
# event code: the status it sets, whether it sets or clears it, and the specifier of its webhook event
EVENTS = {
    "PRI": ("printed", True, "printed"),
    "UPR": ("printed", False, "un-printed"),
    "PIC": ("picked", True, "picked"),
    "UPI": ("picked", False, "un-picked"),
    "PAC": ("packed", True, "packed"),
    "UPA": ("packed", False, "un-packed"),
    "SHW": ("shipped", True, "shipped"),
}
STEPS = ("shipped", "packed", "picked", "printed")
WAREHOUSE_STAFF = 4


@dataclass(frozen=True)
class Move:
    """Units of an order row to leave a warehouse."""

    row_id: str
    product_id: int
    quantity: int


class GoodsOut:
    """Notes by id, with an index by order. The numbers of the error codes are not documented."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_order: dict[int, list[int]] = defaultdict(list)
        self.shipped = TimeIndex()
        for note in self.emulator.collection("goods_out_notes").values():
            self.by_order[note["orderId"]].append(note["goodsOutNoteId"])
            self._index_shipping(note)

    def _index_shipping(self, note: JsonObject) -> None:
        shipped_on = instant_of(note["status"].get("shippedOn"))
        if shipped_on is not None:
            self.shipped.set(note["goodsOutNoteId"], int(shipped_on.timestamp()))

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service/order"
        direct = "warehouse-service/goods-note/goods-out/{id}"
        return [
            Endpoint("POST", f"{root}/{{id}}/goods-note/goods-out", self.create, "post-goods-out-note"),
            Endpoint("GET", f"{root}/{{orders}}/goods-note/goods-out/{{ids?}}", self.get, "get-goods-out-note"),
            Endpoint(
                "DELETE", f"{root}/{{order_id}}/goods-note/goods-out/{{id}}", self.delete, "delete-goods-out-note"
            ),
            Endpoint("PUT", direct, self.put, "put-goods-out-note"),
            Endpoint("POST", f"{direct}/event", self.post_events, "post-goods-out-note-event"),
        ]

    # -- what others ask ------------------------------------------------------------------------------------------

    def notes_of(self, order_id: int) -> list[JsonObject]:
        notes = self.emulator.collection("goods_out_notes")
        return [notes[str(number)] for number in self.by_order.get(order_id, ())]

    def progress(self, order_id: int) -> tuple[Counter[str], Counter[str]]:
        """Units on notes, and units shipped, by order row id."""
        noted: Counter[str] = Counter()
        shipped: Counter[str] = Counter()
        for note in self.notes_of(order_id):
            for row_id, moves in note["orderRows"].items():
                quantity = sum(move["quantity"] for move in moves)
                noted[row_id] += quantity
                if note["status"]["shipped"]:
                    shipped[row_id] += quantity
        return noted, shipped

    # -- the warehouse's own work ---------------------------------------------------------------------------------

    def open_orders(self) -> list[str]:
        """Sales orders with allocated stock left to ship, oldest first."""
        reservations = self.emulator.collection("reservations")
        return [
            str(number)
            for number in sorted(self.emulator.orders.open)
            if str(number) in reservations or self._waiting_notes(number)
        ]

    def _waiting_notes(self, order_id: int) -> list[JsonObject]:
        return [note for note in self.notes_of(order_id) if not note["status"]["shipped"]]

    def ship(
        self, order_id: str, quantities: dict[str, int] | None, *, tracking: str, shipping_method_id: int | None
    ) -> str:
        """Ship a note that waits, else a new one for the given units or for all that can go; see the emulator."""
        order = self.emulator.orders.find(order_id)
        if order is None or order["orderTypeCode"] != "SO" or self.emulator.orders.is_cancelled(order):
            raise ValueError(f"order {order_id} is not an open sales order")
        waiting = self._waiting_notes(order["id"]) if quantities is None else []
        note = waiting[0] if waiting else self._picked(order, quantities)
        if shipping_method_id is not None:
            note["shipping"]["shippingMethodId"] = shipping_method_id
        note["shipping"]["reference"] = tracking
        for code in ("PRI", "PIC", "PAC", "SHW"):
            self._apply(note, code, self.emulator.clock.now(), WAREHOUSE_STAFF)
        return str(note["goodsOutNoteId"])

    def take_back(self, note_id: str, *, destroy: bool) -> None:
        """Undo the shipping of a note, and with `destroy` the note as well; the units are on the shelf again.

        Neither the API nor the vendor's help offers it ("the only step which can't be undone is shipping"): it stands
        for support, or whoever else has more rights. The webhooks are those of a note that is changed or deleted.
        """
        note = self._existing(note_id)
        for moves in note["orderRows"].values():
            for move in moves:
                self.emulator.stock.dispatch(move["productId"], note["warehouseId"], -move["quantity"])
        for name in ("shipped", "shippedOn", "shippedById"):
            note["status"].pop(name, None)
        note["status"]["shipped"] = False
        self.shipped.forget(note["goodsOutNoteId"])
        order = self.emulator.collection("orders")[str(note["orderId"])]
        if destroy:
            self._destroy(note)
        else:
            self.emulator.webhooks.raise_event("goods-out-note.modified", note["goodsOutNoteId"])
        self.emulator.touch()
        self.emulator.orders.changed(order)

    def correct_tracking(self, note_id: str, tracking: str) -> None:
        """Type another reference into a note in the UI, shipped or not; by the API that is refused once shipped."""
        note = self._existing(note_id)
        note["shipping"]["reference"] = tracking
        self.emulator.touch()
        self.emulator.webhooks.raise_event("goods-out-note.modified", note["goodsOutNoteId"])

    def _picked(self, order: JsonObject, quantities: dict[str, int] | None) -> JsonObject:
        noted, _ = self.progress(order["id"])
        left = {row_id: count - noted[row_id] for row_id, count in self.emulator.orders.tracked_rows(order).items()}
        place = self.emulator.reservations.warehouse_of(order["id"]) or order["warehouseId"]
        wanted = quantities if quantities is not None else self._shippable(order, place, left)
        wanted = {row_id: count for row_id, count in wanted.items() if count}
        if not wanted or any(not 0 < count <= left.get(row_id, 0) for row_id, count in wanted.items()):
            raise ValueError(f"order {order['id']} has not that much to ship: {wanted or 'nothing'}")
        moves = [Move(row_id, order["orderRows"][row_id]["productId"], count) for row_id, count in wanted.items()]
        lacking = self._lacking(order, place, moves)
        if lacking:
            raise ValueError(f"order {order['id']}: warehouse {place} lacks product {lacking}")
        facts = {"shippingMethodId": order["delivery"]["shippingMethodId"], "staff": WAREHOUSE_STAFF}
        return self._add(order, place, moves, facts)

    def _shippable(self, order: JsonObject, place: int, left: dict[str, int]) -> dict[str, int]:
        """What is left of each row, as far as its reservation and the shelf go."""
        reserved = self.emulator.reservations.reserved(order["id"])
        shelf: dict[int, int] = {}
        possible = {}
        for row_id, count in left.items():
            product_id = order["orderRows"][row_id]["productId"]
            held = min(count, reserved.get(row_id, 0))
            on_shelf = shelf.setdefault(product_id, self.emulator.stock.on_hand(product_id, place))
            more = max(0, min(count - held, on_shelf))
            shelf[product_id] -= more
            possible[row_id] = held + more
        return possible

    # -- creation -------------------------------------------------------------------------------------------------

    def create(self, call: Call, id: str) -> Reply:
        order = self.emulator.orders.find(id)
        if order is None or order["orderTypeCode"] != "SO":
            raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {id}"))
        if self.emulator.orders.is_cancelled(order):
            raise ApiError(400, ("WHSB-030", f"Order {id} is cancelled"))
        body = call.object()
        warehouses = body.get("warehouses")
        if not isinstance(warehouses, list) or not warehouses or not all(isinstance(part, dict) for part in warehouses):
            raise ApiError(400, ("WHSC-031", "warehouses is required"))
        if not self.emulator.warehouses.known_method(body.get("shippingMethodId")):
            raise ApiError(
                400, ("WHSC-032", f"You have supplied an invalid shipping method: {body['shippingMethodId']}")
            )
        plans = self._plans(order, warehouses)
        facts = {
            "shippingMethodId": int_of(body.get("shippingMethodId")) or 0,
            "priority": bool(body.get("priority", False)),
            "labelUri": str(body.get("labelUri") or ""),
            "staff": call.staff_id,
        }
        notes = [
            self._add(order, place, moves, {**facts, "releaseDate": part.get("releaseDate")})
            for (place, moves), part in zip(plans, warehouses, strict=True)
        ]
        return answer([note["goodsOutNoteId"] for note in notes])

    def _plans(self, order: JsonObject, warehouses: list[JsonObject]) -> list[tuple[int, list[Move]]]:
        """Checked moves by warehouse, all or nothing."""
        noted, _ = self.progress(order["id"])
        left = {row_id: count - noted[row_id] for row_id, count in self.emulator.orders.tracked_rows(order).items()}
        plans = []
        for part in warehouses:
            place = int_of(part.get("warehouseId"))
            if str(place) not in self.emulator.collection("warehouses") or place is None:
                raise ApiError(
                    400, ("WHSC-033", f"You have supplied an invalid warehouse ID: {part.get('warehouseId')}")
                )
            moves = [self._move(order, left, line) for line in part.get("products") or []]
            if not moves:
                raise ApiError(400, ("WHSC-034", "products is required"))
            lacking = self._lacking(order, place, moves)
            if lacking:
                raise ApiError(
                    400, ("WHSB-035", f"There is not enough stock of product {lacking} in warehouse {place}")
                )
            plans.append((place, moves))
        return plans

    def _move(self, order: JsonObject, left: dict[str, int], line: object) -> Move:
        entry = line if isinstance(line, dict) else {}
        row_id, quantity = str(entry.get("salesOrderRowId")), int_of(entry.get("quantity"))
        row = order["orderRows"].get(row_id)
        if row is None or row_id not in left or int_of(entry.get("productId")) != row["productId"]:
            raise ApiError(400, ("WHSC-036", f"Row {row_id} of order {order['id']} does not hold that stock product"))
        if quantity is None or not 0 < quantity <= left[row_id]:
            raise ApiError(400, ("WHSC-037", f"Row {row_id} has {left[row_id]} left to fulfil, not {quantity}"))
        left[row_id] -= quantity
        return Move(row_id, row["productId"], quantity)

    def _lacking(self, order: JsonObject, place: int, moves: list[Move]) -> int | None:
        """A product of which neither the order's reservation nor the shelf has enough."""
        reserved = self.emulator.reservations.reserved(order["id"])
        if self.emulator.reservations.warehouse_of(order["id"]) != place:
            reserved = {}
        needed: Counter[int] = Counter()
        for move in moves:
            needed[move.product_id] += max(0, move.quantity - reserved.get(move.row_id, 0))
        short = (number for number, count in needed.items() if count > self.emulator.stock.on_hand(number, place))
        return next(short, None)

    def _add(self, order: JsonObject, place: int, moves: list[Move], facts: JsonObject) -> JsonObject:
        emulator = self.emulator
        number = emulator.next_id("goods_note", 7001)
        for move in moves:
            same_place = emulator.reservations.warehouse_of(order["id"]) == place
            taken = emulator.reservations.hand_over(order["id"], move.row_id, move.quantity) if same_place else 0
            if move.quantity > taken:
                emulator.stock.allocate(move.product_id, place, move.quantity - taken)
        now, staff = emulator.stamp(), facts["staff"]
        release = instant_of(facts.get("releaseDate"), emulator.zone)
        note: JsonObject = {
            "goodsOutNoteId": number, "orderId": order["id"], "warehouseId": place,
            **({"externalRef": order["externalRef"]} if "externalRef" in order else {}),
            "transfer": False, "priority": facts.get("priority", False), "status": dict.fromkeys(STEPS, False),
            "shipping": {"reference": "", "boxes": 0, "shippingMethodId": facts["shippingMethodId"], "weight": "0.00"},
            "releaseDate": emulator.stamp(release), "createdOn": now, "createdBy": staff,
            "orderRows": self._order_rows(order, moves), "sequence": len(self.by_order[order["id"]]) + 1,
            "events": [{"occured": now, "eventOwnerId": staff, "eventCode": "PLA"}],
            "labelUri": facts.get("labelUri", ""), "lastEventVersion": emulator.next_id("goods_note_event", 3131001),
        }  # fmt: skip
        emulator.put("goods_out_notes", number, note)
        self.by_order[order["id"]].append(number)
        emulator.webhooks.raise_event("goods-out-note.created", number)
        emulator.orders.changed(order)
        return note

    def _order_rows(self, order: JsonObject, moves: list[Move]) -> JsonObject:
        rows: JsonObject = {}
        for move in moves:
            entry = {"productId": move.product_id, "quantity": move.quantity, "locationId": DEFAULT_LOCATION}
            reference = order["orderRows"][move.row_id].get("externalRef")
            rows.setdefault(move.row_id, []).append({**entry, **({"externalRef": reference} if reference else {})})
        return rows

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, _call: Call, orders: str, ids: str | None) -> Reply:
        """A map by note id; `*` stands for all orders (§2.5)."""
        notes = self.emulator.collection("goods_out_notes")
        wanted = IdSet.parse(ids).limited(MOST) if ids else None
        of_orders = None if orders == "*" else IdSet.parse(orders).limited(MOST)
        if of_orders is not None:
            numbers = [number for order_id in of_orders.among(self.emulator.collection("orders"))
                       for number in self.by_order.get(order_id, ())]  # fmt: skip
            found = [number for number in numbers if wanted is None or number in wanted]
        else:
            found = wanted.among(notes) if wanted else list(map(int, notes))
        if not found:
            raise not_found("No goods out notes found within range of order IDs and goods out note IDs")
        hidden = "goodsOutNoteId"
        shown = {
            str(number): {name: value for name, value in notes[str(number)].items() if name != hidden}
            for number in found
        }
        return answer(shown)

    def _existing(self, note_id: str) -> JsonObject:
        note = self.emulator.collection("goods_out_notes").get(note_id)
        if note is None:
            raise not_found(f"Cannot find goods out note: {note_id}")
        return note

    def _not_shipped(self, note: JsonObject) -> None:
        if note["status"]["shipped"]:
            raise ApiError(400, ("WHSB-040", f"Goods out note {note['goodsOutNoteId']} has been shipped"))

    # -- change ---------------------------------------------------------------------------------------------------

    def put(self, call: Call, id: str) -> Reply:
        note = self._existing(id)
        self._not_shipped(note)
        body = call.object()
        sent = body.get("shipping")
        shipping = sent if isinstance(sent, dict) else {}
        weight = decimal_of(shipping.get("weight", note["shipping"]["weight"]))
        problems = []
        if len(str(shipping.get("reference") or "")) > 64:
            problems.append(("WHSC-041", "The shipping reference may have at most 64 characters"))
        if len(str(body.get("labelUri") or "")) > 512:
            problems.append(("WHSC-042", "labelUri may have at most 512 characters"))
        if weight is None or not 0 <= weight <= MOST_WEIGHT:
            problems.append(("WHSC-043", "The weight may be at most 999,999.99"))
        if not self.emulator.warehouses.known_method(shipping.get("shippingMethodId")):
            problems.append(("WHSC-032", "You have supplied an invalid shipping method"))
        if problems or weight is None:
            raise ApiError(400, *problems)
        for name in ("reference", "boxes", "shippingMethodId"):
            note["shipping"][name] = shipping.get(name, note["shipping"][name])
        note["shipping"]["weight"] = fixed(weight, 2)
        note["priority"] = bool(body.get("priority", note["priority"]))
        note["labelUri"] = str(body.get("labelUri", note["labelUri"]))
        self.emulator.touch()
        self.emulator.webhooks.raise_event("goods-out-note.modified", note["goodsOutNoteId"])
        return DONE

    def delete(self, _call: Call, order_id: str, id: str) -> Reply:
        """Only before shipping; the units go back on the shelf."""
        note = self._existing(id)
        if note["orderId"] != int(order_id):
            raise not_found(f"Cannot find goods out note: {id}")
        self._not_shipped(note)
        self._destroy(note)
        if not note["transfer"]:
            self.emulator.orders.changed(self.emulator.collection("orders")[order_id])
        return DONE

    def _destroy(self, note: JsonObject) -> None:
        number = note["goodsOutNoteId"]
        for moves in note["orderRows"].values():
            for move in moves:
                self.emulator.stock.allocate(move["productId"], note["warehouseId"], -move["quantity"])
        del self.emulator.collection("goods_out_notes")[str(number)]
        self.by_order[note["orderId"]].remove(number)
        self.emulator.webhooks.raise_event("goods-out-note.destroyed", number)

    def post_events(self, call: Call, id: str) -> Reply:
        note = self._existing(id)
        expected = call.headers.get("if-match")
        if expected is not None and expected.strip('"') != str(note["lastEventVersion"]):
            raise ApiError(412, ("WHSC-044", "The goods out note has been changed since it was read"))
        self._not_shipped(note)
        events = call.object().get("events")
        if not isinstance(events, list) or not events:
            raise ApiError(400, ("WHSC-045", "events is required"))
        checked = [self._checked(event if isinstance(event, dict) else {}) for event in events]
        for code, occured, owner in checked:
            self._not_shipped(note)
            self._apply(note, code, occured, owner)
        return DONE

    def _checked(self, event: JsonObject) -> tuple[str, datetime, int]:
        code, owner = event.get("eventCode"), int_of(event.get("eventOwnerId"))
        occured = instant_of(event.get("occured"), self.emulator.zone)
        problems = []
        if code not in EVENTS:
            problems.append(("WHSC-046", f"You have supplied an invalid event code: {code}"))
        if occured is None:
            problems.append(("WHSC-047", "occured is required"))
        if owner is None:
            problems.append(("WHSC-048", "eventOwnerId is required"))
        if problems or occured is None or owner is None:
            raise ApiError(400, *problems)
        return str(code), occured, owner

    def _apply(self, note: JsonObject, code: str, occured: datetime, owner: int) -> None:
        step, on, specifier = EVENTS[code]
        status, moment = note["status"], self.emulator.stamp(occured)
        steps = STEPS if step == "shipped" else (step,)  # shipping fills in what was left out before it
        for name in steps:
            if on and not status[name]:
                status |= {name: True, f"{name}On": moment, f"{name}ById": owner}
            elif not on:
                status[name] = False
                status.pop(f"{name}On", None)
                status.pop(f"{name}ById", None)
        note["events"].append({"occured": moment, "eventOwnerId": owner, "eventCode": code})
        note["lastEventVersion"] = self.emulator.next_id("goods_note_event", 3131001)
        self.emulator.touch()
        self.emulator.webhooks.raise_event(f"goods-out-note.modified.{specifier}", note["goodsOutNoteId"])
        if code == "SHW":
            self._index_shipping(note)
            if note["transfer"]:
                self.emulator.transfers.shipped(note)
                return
            for moves in note["orderRows"].values():
                for move in moves:
                    self.emulator.stock.dispatch(move["productId"], note["warehouseId"], move["quantity"])
            self.emulator.orders.changed(self.emulator.collection("orders")[str(note["orderId"])])
