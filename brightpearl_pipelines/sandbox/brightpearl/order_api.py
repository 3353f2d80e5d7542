"""The order resource: header, rows, status, notes, PATCH, closing (brightpearl.md §5.1–5.4, §5.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl import order_parts
from brightpearl_pipelines.sandbox.brightpearl.drafts import LONGEST_REFERENCE, Checker
from brightpearl_pipelines.sandbox.brightpearl.orders import (
    OrderDraft,
    contact_of,
    main_party,
    money_problem,
)
from brightpearl_pipelines.sandbox.brightpearl.patching import apply_patch, paths
from brightpearl_pipelines.sandbox.brightpearl.reference import ORDER_TYPES
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    decimals,
    get_uris,
    instant_of,
    int_of,
    is_date,
    midnight,
    not_found,
    pennies,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

MOST = 200
_ORDER_PATCHES = (
    (re.compile(r"/reference|/delivery/shippingMethodId"), ("test", "replace", "remove")),
    (re.compile(r"/warehouseId|/delivery/deliveryDate"), ("test", "replace")),
    (re.compile(r"/parties/(customer|billing)/contactId"), ("test", "replace")),
)
_ROW_PATCHES = (
    (re.compile(r"/quantity/magnitude|/rowValue/(rowNet|rowTax)/value"), ("test", "replace")),
    (re.compile(r"/nominalCode|/rowValue/taxCalculator|/orderRowSequence"), ("test", "replace")),
)
_CLOSED_KINDS = {"sales-order": "SO", "sales-credit": "SC", "purchase-order": "PO", "purchase-credit": "PC"}


class OrderApi:
    """Handlers of the order resource. Of the error codes, only those of §2.3 are documented."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "order-service/order"
        closing = [
            Endpoint("POST", f"order-service/{name}/{{id}}/close", self._closer(kind), f"post-{name}-close")
            for name, kind in _CLOSED_KINDS.items()
        ]
        return [
            Endpoint("GET", f"{root}/{{ids}}", self.get, "get-order"),
            Endpoint("POST", root, self.create, "post-order"),
            Endpoint("PATCH", f"{root}/{{id}}", self.patch, "patch-order"),
            Endpoint("OPTIONS", f"{root}/{{ids?}}", self.options, "options-order"),
            Endpoint("POST", f"{root}/{{id}}/row", self.add_row, "post-order-row"),
            Endpoint("PATCH", f"{root}/{{id}}/row/{{row_id}}", self.patch_row, "patch-order-row"),
            Endpoint("DELETE", f"{root}/{{id}}/row/{{row_id}}", self.delete_row, "delete-order-row"),
            Endpoint("PUT", f"{root}/{{id}}/status", self.put_status, "put-order-status"),
            Endpoint("POST", f"{root}/{{id}}/note", self.add_note, "post-order-note"),
            Endpoint("GET", f"{root}/{{id}}/note/{{ids?}}", self.notes, "get-order-note"),
            *closing,
        ]

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, call: Call, ids: str) -> Reply:
        """An array, empty when nothing matches: the exception to the 404 rule (§2.4)."""
        orders = self.emulator.collection("orders")
        found = IdSet.parse(ids).limited(MOST).among(orders)
        return answer([self._shown(call, orders[str(number)]) for number in found])

    def _shown(self, call: Call, order: JsonObject) -> JsonObject:
        area = self.emulator.custom_fields.area_of("orders", order)
        view = {name: value for name, value in order.items() if name != "customFields"}
        return {**view, **self.emulator.custom_fields.shown(call, order, area)}

    def options(self, _call: Call, ids: str | None) -> Reply:
        orders = self.emulator.collection("orders")
        return answer(get_uris("/order", IdSet.parse(ids).among(orders) if ids else map(int, orders)))

    def _existing(self, order_id: str) -> JsonObject:
        order = self.emulator.orders.find(order_id)
        if order is None:
            raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {order_id}"))
        return order

    # -- creation -------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Reply:
        """The header only; rows follow one by one (§5.2)."""
        body = call.object()
        checker = Checker(self.emulator)
        kind = body.get("orderTypeCode")
        if kind is None:
            checker.fail("ORDC-005", "You have not supplied an order type code")
        elif str(kind) not in ORDER_TYPES:
            checker.fail("ORDC-006", "You have supplied an invalid order type code")
        checker.done()
        draft = self._draft(checker, body, str(kind), call.staff_id)
        checker.done()
        return answer(self.emulator.orders.create(draft)["id"])

    def _draft(self, checker: Checker, body: JsonObject, kind: str, staff_id: int) -> OrderDraft:
        parties, delivery, currency = _part(body, "parties"), _part(body, "delivery"), _part(body, "currency")
        role = main_party(kind)
        invoices = body.get("invoices")
        invoice = invoices[0] if isinstance(invoices, list) and invoices and isinstance(invoices[0], dict) else {}
        addresses = {
            name: checker.address(parties[name])
            for name in ("customer", "supplier", "delivery", "billing")
            if isinstance(parties.get(name), dict) and parties[name].get("addressFullName")
        }
        current = _part(_part(body, "assignment"), "current")
        return OrderDraft(
            kind=kind,
            contact_id=checker.contact(_part(parties, role).get("contactId"), role),
            staff_id=staff_id,
            reference=checker.reference(body.get("reference")),
            external_ref=str(body["externalRef"]) if body.get("externalRef") else None,
            instance_id=int_of(body.get("installedIntegrationInstanceId")),
            parent_id=checker.parent(body.get("parentOrderId")),
            price_list_id=checker.entry("price_lists", body.get("priceListId"), "price list", 2),
            price_mode=checker.price_mode(body.get("priceModeCode")),
            status_id=checker.status(_part(body, "orderStatus").get("orderStatusId"), kind),
            placed_on=checker.instant(body.get("placedOn"), "placedOn"),
            tax_date=checker.instant(invoice.get("taxDate"), "taxDate"),
            delivery_date=checker.instant(delivery.get("deliveryDate"), "delivery date"),
            shipping_method_id=checker.shipping_method(delivery.get("shippingMethodId")),
            currency=checker.currency(currency.get("orderCurrencyCode")),
            exchange_rate=checker.rate(currency.get("exchangeRate")),
            fixed_exchange_rate=bool(currency.get("fixedExchangeRate", True)),
            warehouse_id=checker.entry("warehouses", body.get("warehouseId"), "warehouse", 2),
            assignment={name: int_of(value) or 0 for name, value in current.items() if name in order_parts.ASSIGNMENT},
            addresses={name: address for name, address in addresses.items() if address is not None},
        )

    # -- rows -----------------------------------------------------------------------------------------------------

    def add_row(self, call: Call, id: str) -> Reply:
        order = self._existing(id)
        self.not_invoiced(order)
        body = call.object()
        value = _part(body, "rowValue")
        checker = Checker(self.emulator)
        row = checker.row(
            0,
            order["orderTypeCode"],
            product_id=body.get("productId"),
            name=body.get("productName"),
            quantity=_part(body, "quantity").get("magnitude"),
            tax_code=value.get("taxCode"),
            net=_part(value, "rowNet").get("value", 0),
            tax=_part(value, "rowTax").get("value", 0),
            nominal_code=body.get("nominalCode"),
            external_ref=body.get("externalRef") if self.emulator.settings["added_rows_keep_external_ref"] else None,
        )
        checker.done()
        if row is None:
            raise ApiError(400, ("ORDC-055", "The row is not valid"))
        row_id = self.emulator.orders.add_row(order, row)
        self.emulator.orders.changed(order)
        return answer(row_id)

    def _row(self, order: JsonObject, row_id: str) -> JsonObject:
        row: JsonObject | None = order["orderRows"].get(row_id)
        if row is None:
            raise not_found(f"No order row {row_id} exists on order {order['id']}")
        return row

    def not_invoiced(self, order: JsonObject) -> None:
        if self.emulator.orders.is_invoiced(order):
            raise ApiError(400, ("ORDB-010", f"Order {order['id']} has been invoiced and cannot be changed"))

    def patch_row(self, call: Call, id: str, row_id: str) -> Reply:
        """The new state of the row; a new net takes its tax along (§5.3)."""
        order = self._existing(id)
        row = self._row(order, row_id)
        operations = call.json()
        changed = apply_patch(row, operations, _ROW_PATCHES)
        self.not_invoiced(order)
        written = paths(operations)
        self._check_row(order, row_id, changed)
        net, tax = (Decimal(str(changed["rowValue"][name]["value"])) for name in ("rowNet", "rowTax"))
        if "/rowValue/rowNet/value" in written and "/rowValue/rowTax/value" not in written:
            tax = self._retaxed(row, net)
        changed["quantity"] = order_parts.quantity(Decimal(str(changed["quantity"]["magnitude"])))
        changed["rowValue"] = order_parts.changed_value(changed["rowValue"], net=net, tax=tax)
        order["orderRows"][row_id] = changed
        self.emulator.orders.rescale(order, int(row_id))
        self.emulator.orders.changed(order)
        return answer(changed)

    def _retaxed(self, row: JsonObject, net: Decimal) -> Decimal:
        """In proportion to the old tax, as recorded (13 on 100 became 26 on 200), else by the rate."""
        old_net, old_tax = (Decimal(row["rowValue"][name]["value"]) for name in ("rowNet", "rowTax"))
        if old_net:
            return pennies(net * old_tax / old_net)
        return pennies(net * Decimal(row["rowValue"]["taxRate"]) / 100)

    def _check_row(self, order: JsonObject, row_id: str, row: JsonObject) -> None:
        checker = Checker(self.emulator)
        problem = self.quantity_problem(order, row_id, row["quantity"]["magnitude"])
        if problem:
            checker.fail("ORDC-024", problem)
        for name in ("rowNet", "rowTax"):
            if money_problem(row["rowValue"][name]["value"], 4):
                checker.fail("ORDC-028", f"You have supplied an invalid {name} value for row {row_id}")
        if row["rowValue"]["taxCalculator"] not in ("brightpearl", "manual", "avalara"):
            checker.fail("ORDC-056", "You have supplied an invalid tax calculator")
        codes = {entry["code"] for entry in self.emulator.collection("nominal_codes").values()}
        if str(row["nominalCode"]) not in codes:
            checker.fail("ORDC-029", f"You have supplied an invalid nominal code: {row['nominalCode']}")
        checker.done()

    def quantity_problem(self, order: JsonObject, row_id: str, value: object) -> str | None:
        """What is wrong with a new quantity: not whole for stock, or below what is reserved or fulfilled."""
        quantity = decimal_of(value)
        row = order["orderRows"][row_id]
        if quantity == Decimal(row["quantity"]["magnitude"]):
            return None
        tracked = row_id in self.emulator.orders.tracked_rows(order)
        lowest = 0 if self.emulator.settings["row_quantity_zero"] else Decimal("0.0001")
        if quantity is None or quantity < lowest or decimals(quantity) > (0 if tracked else 4):
            return f"You have supplied an invalid quantity: {value} for row {row_id}"
        if row["composition"]["bundleChild"]:
            return f"Row {row_id} is a bundle component"
        return self._taken_problem(order, row_id, Fraction(quantity) / (Fraction(row["quantity"]["magnitude"]) or 1))

    def _taken_problem(self, order: JsonObject, row_id: str, share: Fraction) -> str | None:
        """Whether a share of a row, and of its components, would be less than what is reserved or fulfilled of them."""
        noted, _ = self.emulator.goods_out.progress(order["id"])
        reserved = self.emulator.reservations.reserved(order["id"])
        for number in self.emulator.orders.family(order, row_id):
            taken = noted[number] + reserved.get(number, 0)
            left = Fraction(order["orderRows"][number]["quantity"]["magnitude"]) * share
            if left < taken:
                return f"The quantity of row {number} cannot be below the {taken} reserved or fulfilled"
        return None

    def delete_row(self, _call: Call, id: str, row_id: str) -> Reply:
        order = self._existing(id)
        row = self._row(order, row_id)
        self.not_invoiced(order)
        reason = self._undeletable(order, row_id, row)
        if reason:
            raise ApiError(400, ("ORDB-011", f"Row {row_id} cannot be deleted: {reason}"))
        self._drop_row(order, row_id)
        self.emulator.orders.changed(order)
        return DONE

    def _drop_row(self, order: JsonObject, row_id: str) -> None:
        """With its component rows; what was reserved for them goes back."""
        for number in self.emulator.orders.family(order, row_id):
            if self.emulator.reservations.reserved(order["id"]).get(number):
                place = self.emulator.reservations.warehouse_of(order["id"])
                self.emulator.reservations.set_row(order, place or 0, number, 0)
            order["orderRows"].pop(number, None)

    def _undeletable(self, order: JsonObject, row_id: str, row: JsonObject) -> str | None:
        noted, _ = self.emulator.goods_out.progress(order["id"])
        family = self.emulator.orders.family(order, row_id)
        if row["composition"]["bundleChild"]:
            return "it is a bundle component"
        if order["orderPaymentStatus"] in ("PAID", "PARTIALLY_PAID"):
            return "the order has payments"
        if any(noted[number] for number in family) or self.emulator.goods_in.received(order["id"]):
            return "stock has been moved"
        others = self.emulator.orders.by_contact[contact_of(order)]
        orders = self.emulator.collection("orders")
        if any(orders[str(number)]["parentOrderId"] == order["id"] for number in others):
            return "the order is a parent"
        return None

    # -- status and notes -----------------------------------------------------------------------------------------

    def put_status(self, call: Call, id: str) -> Reply:
        order = self._existing(id)
        body = call.object()
        checker = Checker(self.emulator)
        status_id = checker.status(body.get("orderStatusId"), order["orderTypeCode"])
        cancelling = body.get("orderStatusId") == self.emulator.settings["cancelled_status"]
        if cancelling and status_id is None:  # cancelling is for all types, whatever type the status was made for
            checker.problems.clear()
            status_id = int(body["orderStatusId"])
        if status_id is None and not checker.problems:
            checker.fail("ORDC-041", "You have not supplied an order status id")
        if cancelling:
            self._check_cancellation(checker, order)
        checker.done()
        note = _part(body, "orderNote")
        self.emulator.orders.set_status(order, status_id or 0)
        self._put_note(order, call, note)
        return DONE

    def _check_cancellation(self, checker: Checker, order: JsonObject) -> None:
        """No goods-out notes, not invoiced, payments zero (§5.4)."""
        if self.emulator.goods_out.notes_of(order["id"]):
            checker.fail("ORDB-020", f"Order {order['id']} has goods out notes and cannot be cancelled")
        if self.emulator.orders.is_invoiced(order):
            checker.fail("ORDB-021", f"Order {order['id']} has been invoiced and cannot be cancelled")
        if self.emulator.accounting.paid(order)[0]:
            checker.fail("ORDB-022", f"Order {order['id']} has payments and cannot be cancelled")

    def _put_note(self, order: JsonObject, call: Call, sent: JsonObject) -> int:
        number = self.emulator.next_id("order_note")
        added = instant_of(sent.get("addedOn"), self.emulator.zone)
        note: JsonObject = {
            "noteId": number,
            "orderId": order["id"],
            "contactId": contact_of(order),
            "text": str(sent.get("text", "")),
            "isPublic": bool(sent.get("isPublic", False)),
            "addedOn": self.emulator.stamp(added),
            "addedBy": call.staff_id,
            "orderStatusId": order["orderStatus"]["orderStatusId"],
        }
        if sent.get("fileId"):
            note["fileId"] = sent["fileId"]
        self.emulator.put("order_notes", number, note)
        return number

    def add_note(self, call: Call, id: str) -> Reply:
        order = self._existing(id)
        body = call.object()
        if not body.get("text"):
            raise ApiError(400, ("ORDC-057", "You have not supplied a note text"))
        return answer(self._put_note(order, call, body))

    def notes(self, _call: Call, id: str, ids: str | None) -> Reply:
        self._existing(id)
        wanted = IdSet.parse(ids) if ids else None
        found = [
            {name: value for name, value in note.items() if name != "orderId"}
            for note in self.emulator.collection("order_notes").values()
            if note["orderId"] == int(id) and (wanted is None or note["noteId"] in wanted)
        ]
        if not found:
            raise not_found(f"No notes exist for order {id}")
        return answer(found)

    # -- PATCH ----------------------------------------------------------------------------------------------------

    def patch(self, call: Call, id: str) -> Reply:
        """The whole order as it is afterwards (§5.4)."""
        order = self._existing(id)
        operations = call.json()
        document = deepcopy({name: order[name] for name in ("reference", "warehouseId", "delivery", "parties")})
        document["delivery"].setdefault("deliveryDate", None)  # only `replace` is allowed, also where there is none yet
        changed = apply_patch(document, operations, _ORDER_PATCHES)
        written = paths(operations)
        checker = Checker(self.emulator)
        reference = str(changed.get("reference", ""))
        if len(reference) > LONGEST_REFERENCE:
            checker.fail("ORDC-046", f"The reference may have at most {LONGEST_REFERENCE} characters")
        contacts = self._patched_contacts(checker, order, changed, written)
        warehouse_id = self._patched_warehouse(checker, order, changed)
        method = checker.shipping_method(changed["delivery"].get("shippingMethodId", 0))
        date = self._patched_date(checker, changed, written)
        checker.done()
        self.emulator.orders.move_reference(order, reference)
        order["warehouseId"] = warehouse_id
        order["delivery"]["shippingMethodId"] = method
        if date is not None:
            order["delivery"]["deliveryDate"] = self.emulator.stamp(date)
        for role, contact_id in contacts.items():
            if role == "customer":
                self.emulator.orders.move_contact(order, contact_id)
            else:
                self.emulator.orders.set_party_contact(order, role, contact_id)
        self.emulator.orders.changed(order)
        return answer(self._shown(call, order))

    def _patched_contacts(
        self, checker: Checker, order: JsonObject, changed: JsonObject, written: set[str]
    ) -> dict[str, int]:
        roles = [role for role in ("customer", "billing") if f"/parties/{role}/contactId" in written]
        if roles and self.emulator.orders.is_invoiced(order):
            checker.fail("ORDB-010", f"Order {order['id']} has been invoiced and cannot be changed")
        return {role: checker.contact(changed["parties"][role]["contactId"], role) for role in roles}

    def _patched_warehouse(self, checker: Checker, order: JsonObject, changed: JsonObject) -> int:
        old = order["warehouseId"]
        new = checker.entry("warehouses", changed["warehouseId"], "warehouse", old)
        if new != old and order["allocationStatusCode"] in ("APA", "AAA"):
            checker.fail("ORDB-012", f"Order {order['id']} has allocated stock: its warehouse cannot be changed")
        return new

    def _patched_date(self, checker: Checker, changed: JsonObject, written: set[str]) -> datetime | None:
        """A bare date is midnight UTC here, whatever the account's zone (§5.4)."""
        if "/delivery/deliveryDate" not in written:
            return None
        value = changed["delivery"]["deliveryDate"]
        if isinstance(value, str) and is_date(value):
            return midnight(value, UTC)
        return checker.instant(value, "delivery date")

    # -- closing --------------------------------------------------------------------------------------------------

    def _closer(self, kind: str) -> Callable[..., Reply]:
        def handler(call: Call, id: str) -> Reply:
            """Invoice: the reference is `pending` first, the real one a little later (§5.6)."""
            order = self._existing(id)
            if order["orderTypeCode"] != kind:
                raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {id}"))
            invoice = order["invoices"][0]
            if invoice["invoiceReference"] not in ("", "pending"):
                raise ApiError(400, ("ORDB-013", f"Order {id} has already been invoiced"))
            body = call.object() if call.raw else {}
            if body.get("taxDate") and instant_of(body["taxDate"], self.emulator.zone) is None:
                raise ApiError(400, ("ORDC-042", f"You have supplied an invalid taxDate: {body['taxDate']}"))
            if body.get("taxDate"):
                invoice["taxDate"] = self.emulator.stamp(instant_of(body["taxDate"], self.emulator.zone))
            invoice["invoiceReference"] = "pending"
            self.emulator.orders.changed(order)
            self.emulator.after(float(self.emulator.settings["invoice_pending_seconds"]), partial(self._invoice, id))
            return DONE

        return handler

    def resume_closing(self) -> None:
        """After a restart: finish what was pending."""
        for number, order in self.emulator.collection("orders").items():
            if order["invoices"][0]["invoiceReference"] == "pending":
                self.emulator.after(0, partial(self._invoice, number))

    async def _invoice(self, order_id: str) -> None:
        order = self.emulator.collection("orders")[order_id]
        invoice = order["invoices"][0]
        if invoice["invoiceReference"] != "pending":  # closed twice while it was pending
            return
        kind = order["orderTypeCode"]
        prefix = {"SO": "SI", "SC": "SC", "PO": "PI", "PC": "PC"}[kind]
        invoice["invoiceReference"] = f"{prefix}-{self.emulator.next_id('invoice', 1001)}"
        invoice["dueDate"] = invoice["taxDate"]
        order["originalInvoiceDate"] = invoice["taxDate"]
        order["closedOn"] = self.emulator.stamp()
        order["state"] = order_parts.INVOICED
        if kind == "SO":
            self.emulator.orders.set_status(order, int(self.emulator.settings["invoiced_status"]))
        else:
            self.emulator.orders.changed(order)


def _part(body: JsonObject, name: str) -> JsonObject:
    """A nested object, empty when it is missing or not one."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}
