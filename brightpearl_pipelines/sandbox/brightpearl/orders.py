"""Orders as they are kept: building them, their rows, totals and status codes (brightpearl.md §5.1).

The collection `orders` has the shape of `GET /order-service/order`; all money is a string with fixed decimals.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl import order_parts
from brightpearl_pipelines.sandbox.brightpearl.products import FREE_TEXT_PRODUCT
from brightpearl_pipelines.sandbox.brightpearl.timeindex import TimeIndex
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ZERO,
    JsonObject,
    decimal_of,
    decimals,
    fixed,
    instant_of,
    pennies,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

SALES_TYPES = ("SO", "SC")
Key = tuple[str, str, int]


@dataclass
class RowDraft:
    """A checked order row about to be stored; money in the order's currency."""

    product_id: int
    name: str | None
    quantity: Decimal
    tax_code: str
    net: Decimal
    tax: Decimal
    nominal_code: str | None = None
    external_ref: str | None = None
    parent_row_id: int = 0


@dataclass
class OrderDraft:
    """A checked order about to be stored."""

    kind: str
    contact_id: int
    staff_id: int
    reference: str = ""
    external_ref: str | None = None
    instance_id: int | None = None
    parent_id: int = 0
    price_list_id: int = 2
    price_mode: str = "EXC"
    status_id: int | None = None
    placed_on: datetime | None = None
    tax_date: datetime | None = None
    delivery_date: datetime | None = None
    shipping_method_id: int = 0
    currency: str = ""
    exchange_rate: Decimal | None = None
    fixed_exchange_rate: bool = True
    warehouse_id: int = 2
    assignment: Mapping[str, int] = field(default_factory=dict)
    """channelId, staffOwnerContactId, projectId, leadSourceId, teamId."""
    addresses: Mapping[str, JsonObject] = field(default_factory=dict)
    """Overrides by party: customer, supplier, delivery, billing."""
    rows: list[RowDraft] = field(default_factory=list)


class Orders:
    """Orders by id, with indexes for what is searched often."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_key: dict[Key, int] = {}
        self.by_external_ref: dict[str, list[int]] = defaultdict(list)
        self.by_reference: dict[str, list[int]] = defaultdict(list)
        self.by_contact: dict[int, list[int]] = defaultdict(list)
        self.open: dict[int, None] = {}
        """Sales orders with something left to ship."""
        self.created = TimeIndex()
        self.updated = TimeIndex()
        for order in self.emulator.collection("orders").values():
            order_parts.share(order)
            self._index(order)

    def _index(self, order: JsonObject) -> None:
        number = order["id"]
        external_ref, instance = order.get("externalRef"), order.get("installedIntegrationInstanceId")
        if external_ref:
            self.by_external_ref[external_ref].append(number)
            if instance is not None:
                self.by_key[order["orderTypeCode"], external_ref, instance] = number
        self.by_reference[order["reference"]].append(number)
        self.by_contact[contact_of(order)].append(number)
        self._index_progress(order)

    def _index_progress(self, order: JsonObject) -> None:
        """What changes with time: the instants, and whether there is something left to ship."""
        to_ship = order["orderTypeCode"] == "SO" and order["shippingStatusCode"] in ("SNS", "SPS")
        if to_ship and not self.is_cancelled(order):
            self.open.setdefault(order["id"])
        else:
            self.open.pop(order["id"], None)
        for index, name in ((self.created, "createdOn"), (self.updated, "updatedOn")):
            instant = instant_of(order.get(name))
            if instant is not None:
                index.set(order["id"], int(instant.timestamp()))

    def find(self, order_id: int | str) -> JsonObject | None:
        return self.emulator.collection("orders").get(str(order_id))

    def move_reference(self, order: JsonObject, reference: str) -> None:
        self.by_reference[order["reference"]].remove(order["id"])
        order["reference"] = reference
        self.by_reference[reference].append(order["id"])

    def move_contact(self, order: JsonObject, contact_id: int) -> None:
        self.by_contact[contact_of(order)].remove(order["id"])
        self.set_party_contact(order, main_party(order["orderTypeCode"]), contact_id)
        self.by_contact[contact_id].append(order["id"])

    def set_party_contact(self, order: JsonObject, role: str, contact_id: int) -> None:
        order["parties"][role] = {**order["parties"][role], "contactId": contact_id}

    # -- creation -------------------------------------------------------------------------------------------------

    def create(self, draft: OrderDraft) -> JsonObject:
        """Store an order whole, with its rows; raises `order.modified`, which fires on creation too (§10.3)."""
        order = self._header(draft)
        for row in draft.rows:
            self.add_row(order, row)
        self.refresh(order)
        self.emulator.put("orders", order["id"], order)
        self._index(order)
        self.emulator.webhooks.raise_event("order.modified", order["id"])
        return order

    def _header(self, draft: OrderDraft) -> JsonObject:
        emulator = self.emulator
        now = emulator.stamp()
        base = emulator.settings["base_currency"]
        currency = draft.currency or base
        entry = emulator.reference.currency(currency)
        rate = draft.exchange_rate or Decimal(entry["exchangeRate"] if entry else 1)
        status_id = draft.status_id or emulator.settings["default_sales_status"][draft.kind]
        order: JsonObject = {
            "id": emulator.next_id("order", 5001),
            "parentOrderId": draft.parent_id,
            "orderTypeCode": draft.kind,
            "reference": draft.reference,
        }
        if draft.external_ref:
            order["externalRef"] = draft.external_ref
        if draft.instance_id is not None:
            order["installedIntegrationInstanceId"] = draft.instance_id
        order |= {
            "version": 1,
            "state": order_parts.READY,
            "orderStatus": self.status(status_id),
            "tax": order_parts.NO_TAX_ERRORS,
            "placedOn": emulator.stamp(draft.placed_on) if draft.placed_on else now,
            "createdOn": now,
            "createdById": draft.staff_id,
            "priceListId": draft.price_list_id,
            "priceModeCode": draft.price_mode,
            "delivery": {"shippingMethodId": draft.shipping_method_id},
            "invoices": [
                {"invoiceReference": "", "taxDate": emulator.stamp(draft.tax_date) if draft.tax_date else now}
            ],
            "currency": order_parts.currency(base, currency, fixed(rate, 6), draft.fixed_exchange_rate),
            "assignment": order_parts.assignment(*(draft.assignment.get(name, 0) for name in order_parts.ASSIGNMENT)),
            "parties": self._parties(draft),
            "orderRows": {},
            "warehouseId": draft.warehouse_id,
            "acknowledged": 0,
            "costPriceListId": 1,
            "historicalOrder": False,
            "isDropship": False,
            "orderWeighting": 100,
        }
        if draft.delivery_date is not None:
            order["delivery"]["deliveryDate"] = emulator.stamp(draft.delivery_date)
        if emulator.settings["updated_on_at_creation"]:
            order["updatedOn"] = now
        return order

    def status(self, status_id: int) -> JsonObject:
        """`orderStatus` as an order carries it."""
        name = self.emulator.collection("order_statuses")[str(status_id)]["name"]
        return order_parts.status(status_id, name)

    def _parties(self, draft: OrderDraft) -> JsonObject:
        main = main_party(draft.kind)
        return {
            main: self._party(draft, main, "DEF", draft.contact_id),
            "delivery": self._party(draft, "delivery", "DEL", None),
            "billing": self._party(draft, "billing", "BIL", draft.contact_id),
        }

    def _party(self, draft: OrderDraft, role: str, kind: str, contact_id: int | None) -> JsonObject:
        address = draft.addresses.get(role)
        if address is None:
            address = self._own_address(draft.contact_id, kind)
        return order_parts.party(address, contact_id)

    def _own_address(self, contact_id: int, kind: str) -> JsonObject:
        """A contact's address of a type, with the names and numbers of the contact."""
        contact = self.emulator.collection("contacts")[str(contact_id)]
        address = self.emulator.contacts.address_of(contact_id, kind) or {}
        telephones = contact["communication"]["telephones"]
        return {
            **address,
            "addressFullName": f"{contact['firstName']} {contact['lastName']}".strip(),
            "companyName": contact.get("organisation", {}).get("name", ""),
            "telephone": telephones.get("PRI", ""),
            "mobileTelephone": telephones.get("MOB", ""),
            "fax": telephones.get("FAX", ""),
            "email": contact["communication"]["emails"].get("PRI", {}).get("email", ""),
        }

    # -- rows -----------------------------------------------------------------------------------------------------

    def add_row(self, order: JsonObject, draft: RowDraft) -> int:
        """Append a row; a bundle brings its component rows along, at no price of their own (§5.3)."""
        row_id = self.emulator.next_id("order_row", 9001)
        parts = self.emulator.products.components(draft.product_id) if order["orderTypeCode"] in SALES_TYPES else []
        order["orderRows"][str(row_id)] = self._row(order, draft, bundle=bool(parts))
        for part in parts:
            quantity = draft.quantity * part["productQuantity"]
            child = RowDraft(part["productId"], None, quantity, draft.tax_code, ZERO, ZERO, parent_row_id=row_id)
            self.add_row(order, child)
        return row_id

    def _row(self, order: JsonObject, draft: RowDraft, *, bundle: bool) -> JsonObject:
        emulator = self.emulator
        product = emulator.products.find(draft.product_id) if draft.product_id != FREE_TEXT_PRODUCT else None
        tax = emulator.reference.tax_code(draft.tax_code) or {"id": 0, "code": draft.tax_code, "rate": 0}
        currency = order["currency"]["orderCurrencyCode"]
        prices = emulator.prices
        cost = prices.price(draft.product_id, order["costPriceListId"], draft.quantity) if product else ZERO
        price = prices.price(draft.product_id, order["priceListId"], draft.quantity) if product else ZERO
        row: JsonObject = {
            "orderRowSequence": str(10 * (len(order["orderRows"]) + 1)),
            "productId": draft.product_id,
            "productName": draft.name or (emulator.products.name_of(product) if product else ""),
        }
        if product is not None:
            row["productSku"] = product["identity"].get("sku", "")
        row["quantity"] = order_parts.quantity(draft.quantity)
        options = product.get("variations", []) if product else []
        if options:
            row["productOptions"] = {option["optionName"]: option["optionValue"] for option in options}
        row |= {
            "itemCost": order_parts.money(currency, fixed(cost, 4)),
            "productPrice": order_parts.money(currency, fixed(price, 4)),
            "discountPercentage": "0.00",
            "rowValue": order_parts.new_value(currency, tax, draft.net, draft.tax),
            "nominalCode": draft.nominal_code or (product["nominalCodeSales"] if product else "4000"),
            "composition": order_parts.composition(bundle, draft.parent_row_id),
        }
        if draft.external_ref:
            row["externalRef"] = draft.external_ref
        row["clonedFromId"] = 0
        return row

    def children(self, order: JsonObject, row_id: int) -> list[str]:
        """The component rows of a bundle row."""
        rows = order["orderRows"].items()
        return [number for number, row in rows if row["composition"]["parentOrderRowId"] == row_id]

    def family(self, order: JsonObject, row_id: str) -> list[str]:
        """A row and, for a bundle, its component rows to the last level."""
        below = [each for child in self.children(order, int(row_id)) for each in self.family(order, child)]
        return [row_id, *below]

    def rescale(self, order: JsonObject, row_id: int) -> None:
        """Component quantities after a bundle row's quantity changed."""
        parent = order["orderRows"][str(row_id)]
        parts = {
            part["productId"]: part["productQuantity"]
            for part in self.emulator.products.components(parent["productId"])
        }
        for number in self.children(order, row_id):
            row = order["orderRows"][number]
            units = Decimal(parent["quantity"]["magnitude"]) * parts.get(row["productId"], 1)
            row["quantity"] = order_parts.quantity(units)
            self.rescale(order, int(number))

    def tracked_rows(self, order: JsonObject) -> dict[str, int]:
        """Units by id of the rows whose product is kept in stock: no free text, no bundle parents."""
        return {
            number: int(Decimal(row["quantity"]["magnitude"]))
            for number, row in order["orderRows"].items()
            if self.emulator.products.stock_tracked(row["productId"]) and not row["composition"]["bundleParent"]
        }

    # -- change ---------------------------------------------------------------------------------------------------

    def changed(self, order: JsonObject, event: str = "order.modified") -> None:
        """After any change: version, `updatedOn`, totals, status codes, indexes, the event."""
        order["version"] += 1
        order["updatedOn"] = self.emulator.stamp()
        before = order["shippingStatusCode"]
        self.refresh(order)
        self._index_progress(order)
        self.emulator.touch()
        self.emulator.webhooks.raise_event(event, order["id"])
        if before != "ASS" and order["shippingStatusCode"] == "ASS":
            self.emulator.webhooks.raise_event("order.modified.fully-shipped", order["id"])

    def refresh(self, order: JsonObject) -> None:
        """Compute what Brightpearl computes: totals and the four status codes (§5.1)."""
        rows = [row["rowValue"] for row in order["orderRows"].values()]
        net = pennies(sum((Decimal(row["rowNet"]["value"]) for row in rows), ZERO))
        tax = pennies(sum((Decimal(row["rowTax"]["value"]) for row in rows), ZERO))
        rate = Decimal(order["currency"]["exchangeRate"])
        base_net, base_tax = pennies(net / rate), pennies(tax / rate)
        order["totalValue"] = {
            "net": fixed(net, 2),
            "taxAmount": fixed(tax, 2),
            "baseNet": fixed(base_net, 2),
            "baseTaxAmount": fixed(base_tax, 2),
            "baseTotal": fixed(base_net + base_tax, 2),
            "total": fixed(net + tax, 2),
        }
        order["orderPaymentStatus"] = self._payment_status(order, net + tax)
        self._refresh_stock_codes(order)

    def _payment_status(self, order: JsonObject, total: Decimal) -> str:
        if total == 0:
            return "NOT_APPLICABLE"
        paid, authorized = self.emulator.accounting.paid(order)
        if total < 0:
            paid, total = -paid, -total
        if paid >= total:
            return "PAID"
        if paid > 0:
            return "PARTIALLY_PAID"
        return "AUTHORIZED" if authorized >= total else "UNPAID"

    def _refresh_stock_codes(self, order: JsonObject) -> None:
        kind = order["orderTypeCode"]
        wanted = self.tracked_rows(order)
        total = sum(wanted.values())
        if total == 0:
            order |= {"stockStatusCode": "NON", "allocationStatusCode": "ANR", "shippingStatusCode": "NST"}
            return
        if kind == "SO":
            noted, shipped = self.emulator.goods_out.progress(order["id"])
            moved = sum(noted.values())
            allocated = moved + sum(self.emulator.reservations.reserved(order["id"]).values())
        else:
            shipped, allocated = Counter(), 0
            moved = self.emulator.goods_in.received(order["id"])
        order["stockStatusCode"] = kind + "NPA"[_part(moved, total)]
        order["allocationStatusCode"] = ("ANA", "APA", "AAA")[_part(allocated, total)] if kind == "SO" else "ANR"
        order["shippingStatusCode"] = ("SNS", "SPS", "ASS")[_part(sum(shipped.values()), total)]

    def set_status(self, order: JsonObject, status_id: int) -> None:
        order["orderStatus"] = self.status(status_id)
        if status_id == self.emulator.settings["cancelled_status"]:
            self.emulator.reservations.release(order["id"])
        self.changed(order, "order.modified.order-status")

    def is_cancelled(self, order: JsonObject) -> bool:
        cancelled: bool = order["orderStatus"]["orderStatusId"] == self.emulator.settings["cancelled_status"]
        return cancelled

    def is_invoiced(self, order: JsonObject) -> bool:
        return bool(order["invoices"][0]["invoiceReference"])


def main_party(kind: str) -> str:
    """Who the order is with: `customer` for sales, `supplier` for purchases."""
    return "customer" if kind in SALES_TYPES else "supplier"


def contact_of(order: JsonObject) -> int:
    number: int = order["parties"][main_party(order["orderTypeCode"])]["contactId"]
    return number


def money_problem(value: object, most_decimals: int) -> bool:
    """Whether a sent amount cannot be read or has too many decimals."""
    amount = decimal_of(value)
    return amount is None or decimals(amount) > most_decimals


def _part(done: int, total: int) -> int:
    """0 for none, 1 for part, 2 for all."""
    return 0 if done <= 0 else 1 if done < total else 2
