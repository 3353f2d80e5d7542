"""A buyer at work in Brightpearl: orders from a supplier, by the API that buyers' tools use."""

from datetime import datetime
from decimal import Decimal


def supplier(harness):
    """A contact that is a supplier; its id."""
    address = {"addressLine1": "1 Forge Lane", "postalCode": "S1 1AA", "countryIsoCode": "GBR"}
    place = harness.post_to_brightpearl("contact-service/postal-address", address)
    body = {
        "postAddressIds": {"DEF": place, "BIL": place, "DEL": place},
        "firstName": "Sue",
        "lastName": "Supplier",
        "organisation": {"name": "Ironworks Ltd"},
        "relationshipToAccount": {"isSupplier": True, "isStaff": False},
    }
    return harness.post_to_brightpearl("contact-service/contact", body)


def order_from_supplier(harness, *lines, warehouse=2, due=None):
    """A purchase order of (SKU, quantity); its id and its row ids in that order. `due`: a datetime."""
    body = {
        "orderTypeCode": "PO",
        "reference": "PO",
        "parties": {"supplier": {"contactId": supplier(harness)}},
        "warehouseId": warehouse,
        "delivery": {"deliveryDate": due.isoformat()} if due else {},
    }
    order_id = harness.post_to_brightpearl("order-service/order", body)
    rows = []
    for sku, quantity in lines:
        row = {
            "productId": harness.brightpearl.products.by_sku[sku],
            "quantity": {"magnitude": str(quantity)},
            "rowValue": {"taxCode": "T20", "rowNet": {"value": "1.00"}, "rowTax": {"value": "0.20"}},
        }
        rows.append(harness.post_to_brightpearl(f"order-service/order/{order_id}/row", row))
    return order_id, rows


def receive(harness, order_id, row_id, sku, quantity, *, warehouse=2):
    """Goods arrive."""
    move = {
        "productId": harness.brightpearl.products.by_sku[sku],
        "purchaseOrderRowId": row_id,
        "quantity": quantity,
        "destinationLocationId": 2,
        "productValue": {"currency": "GBP", "value": str(Decimal(1))},
    }
    now: datetime = harness.sandbox.clock.now()
    body = {"transfer": False, "warehouseId": warehouse, "receivedOn": now.isoformat(), "goodsMoved": [move]}
    harness.post_to_brightpearl(f"warehouse-service/order/{order_id}/goods-note/goods-in", body)
