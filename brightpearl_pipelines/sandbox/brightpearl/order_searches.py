"""The searches of order-service: orders, sales orders, order notes (brightpearl.md §3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.orders import contact_of
from brightpearl_pipelines.sandbox.brightpearl.reference import (
    ORDER_TYPE_NAMES,
    ORDER_TYPES,
    SHIPPING_STATUSES,
    STOCK_STATUSES,
)
from brightpearl_pipelines.sandbox.brightpearl.search import Column, Item, Search, at, by_id, by_time
from brightpearl_pipelines.sandbox.brightpearl.wire import Json

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

_STOCK_NAMES = {number: "Unset" if code == "NON" else words for code, (number, words) in STOCK_STATUSES.items()}
_SHIPPING_NAMES = dict(SHIPPING_STATUSES.values())


def order_searches(emulator: BrightpearlEmulator) -> list[Search]:
    return [_orders(emulator), _sales_orders(emulator), _notes(emulator)]


_CURRENT = ("assignment", "current")


def _tax_date(order: Item) -> Json:
    return order["invoices"][0].get("taxDate")


def _product_ids(order: Item) -> list[int]:
    return [row["productId"] for row in order["orderRows"].values()]


def _narrower(emulator: BrightpearlEmulator, id_column: str) -> Callable[[Mapping[str, str]], Iterable[Item] | None]:
    """Through the indexes, for the filters that have one; always in ascending order of ids."""

    def listed(numbers: Iterable[int]) -> list[Item]:
        orders = emulator.collection("orders")
        return [orders[str(number)] for number in sorted(set(numbers))]

    def narrow(filters: Mapping[str, str]) -> Iterable[Item] | None:
        orders, index = emulator.collection("orders"), emulator.orders
        if id_column in filters:
            return by_id(orders, filters[id_column])
        if "externalRef" in filters:
            return listed(index.by_external_ref.get(filters["externalRef"], ()))
        if "customerRef" in filters:
            return listed(index.by_reference.get(filters["customerRef"], ()))
        for name in ("contactId", "customerId"):
            if filters.get(name, "").isdigit():
                return listed(index.by_contact.get(int(filters[name]), ()))
        for name, times in (("updatedOn", index.updated), ("createdOn", index.created)):
            if name in filters:
                return by_time(orders, times, filters[name])
        return None

    return narrow


def _orders(emulator: BrightpearlEmulator) -> Search:
    payment_ids: Mapping[str, int] = emulator.settings["order_payment_status_ids"]
    columns = [
        Column("orderId", "IDSET", at("id")),
        Column(
            "orderTypeId", "IDSET", lambda order: ORDER_TYPES[order["orderTypeCode"]][0], reference="orderTypeNames"
        ),
        Column("contactId", "INTEGER", contact_of),
        Column("orderStatusId", "INTEGER", at("orderStatus", "orderStatusId"), reference="orderStatusNames"),
        Column(
            "orderStockStatusId",
            "INTEGER",
            lambda order: STOCK_STATUSES[order["stockStatusCode"]][0],
            reference="orderStockStatusNames",
        ),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("createdById", "INTEGER", at("createdById")),
        Column("customerRef", "STRING", at("reference")),
        Column(
            "orderPaymentStatusId",
            "INTEGER",
            lambda order: payment_ids[order["orderPaymentStatus"]],
            reference="orderPaymentStatusNames",
        ),
        Column("updatedOn", "PERIOD", at("updatedOn")),
        Column("parentOrderId", "IDSET", at("parentOrderId")),
        Column(
            "orderShippingStatusId",
            "INTEGER",
            lambda order: SHIPPING_STATUSES[order["shippingStatusCode"]][0],
            reference="orderShippingStatusNames",
        ),
        Column("externalRef", "STRING", at("externalRef")),
        Column("installedIntegrationInstanceId", "INTEGER", at("installedIntegrationInstanceId")),
        Column("warehouseId", "IDSET", at("warehouseId")),
        Column("staffOwnerContactId", "INTEGER", at(*_CURRENT, "staffOwnerContactId")),
        Column("taxDate", "PERIOD", _tax_date),
        Column("departmentId", "INTEGER", at(*_CURRENT, "channelId")),
        Column("deliveryDate", "PERIOD", at("delivery", "deliveryDate")),
        Column("isHistoricalOrder", "BOOLEAN", at("historicalOrder"), hidden=True),
        Column("customerRefs", "STRING_SET", at("reference"), hidden=True),
        Column("externalRefs", "STRING_SET", at("externalRef"), hidden=True),
        Column("externalRefSearchString", "SEARCH_STRING", at("externalRef"), hidden=True),
        Column("productIds", "IDSET", _product_ids, hidden=True),
        Column("leadSourceId", "INTEGER", at(*_CURRENT, "leadSourceId"), hidden=True),
        Column("projectId", "INTEGER", at(*_CURRENT, "projectId"), hidden=True),
        Column("placedOn", "PERIOD", at("placedOn"), hidden=True),
        Column("shippingMethodId", "INTEGER", at("delivery", "shippingMethodId"), hidden=True),
        Column("isClosed", "BOOLEAN", lambda order: "closedOn" in order, hidden=True),
    ]

    def reference(name: str, value: Json, order: Item) -> Mapping[str, Json]:
        names = {
            "orderTypeNames": ORDER_TYPE_NAMES.get(value),
            "orderStatusNames": order["orderStatus"]["name"],
            "orderStockStatusNames": _STOCK_NAMES.get(value),
            "orderPaymentStatusNames": order["orderPaymentStatus"],
            "orderShippingStatusNames": _SHIPPING_NAMES.get(value),
        }
        return {str(value): names[name]}

    return Search(
        "order-service/order-search",
        columns,
        lambda: emulator.collection("orders").values(),
        "orderId",
        reference=reference,
        narrow=_narrower(emulator, "orderId"),
        lagging="createdOn",
        ordered=True,
    )


def _sales_orders(emulator: BrightpearlEmulator) -> Search:
    """Codes where order-search has ids."""

    def sales(items: Iterable[Item] | None) -> Iterable[Item] | None:
        return None if items is None else [item for item in items if item["orderTypeCode"] == "SO"]

    narrow = _narrower(emulator, "salesOrderId")
    columns = [
        Column("salesOrderId", "IDSET", at("id")),
        Column("customerId", "INTEGER", contact_of),
        Column("orderStatusId", "INTEGER", at("orderStatus", "orderStatusId")),
        Column("orderStockStatus", "STRING", at("stockStatusCode")),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("createdById", "INTEGER", at("createdById")),
        Column("customerRef", "STRING", at("reference")),
        Column("orderPaymentStatus", "STRING", at("orderPaymentStatus")),
        Column("updatedOn", "PERIOD", at("updatedOn")),
        Column("orderShippingStatus", "STRING", at("shippingStatusCode")),
        Column("externalRef", "STRING", at("externalRef")),
        Column("installedIntegrationInstanceId", "INTEGER", at("installedIntegrationInstanceId")),
        Column("warehouseId", "IDSET", at("warehouseId")),
        Column("staffOwnerId", "INTEGER", at(*_CURRENT, "staffOwnerContactId")),
        Column("taxDate", "PERIOD", _tax_date),
        Column("channelId", "INTEGER", at(*_CURRENT, "channelId")),
        Column("deliveryDate", "PERIOD", at("delivery", "deliveryDate")),
        Column("customerRefs", "STRING_SET", at("reference"), hidden=True),
        Column("productIds", "IDSET", _product_ids, hidden=True),
    ]
    return Search(
        "order-service/sales-order-search",
        columns,
        lambda: (order for order in emulator.collection("orders").values() if order["orderTypeCode"] == "SO"),
        "salesOrderId",
        narrow=lambda filters: sales(narrow(filters)),
        lagging="createdOn",
        ordered=True,
    )


def _notes(emulator: BrightpearlEmulator) -> Search:
    columns = [
        Column("orderId", "IDSET", at("orderId")),
        Column("noteId", "IDSET", at("noteId")),
        Column("contactId", "IDSET", at("contactId")),
        Column("noteText", "SEARCH_STRING", at("text")),
        Column("isPublic", "BOOLEAN", at("isPublic")),
        Column("dateAdded", "PERIOD", at("addedOn")),
        Column("addedBy", "IDSET", at("addedBy")),
        Column("orderStatusId", "IDSET", at("orderStatusId")),
    ]
    return Search(
        "order-service/order-note-search",
        columns,
        lambda: emulator.collection("order_notes").values(),
        "noteId",
        ordered=True,
    )
