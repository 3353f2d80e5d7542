"""What a world has come to, by the emulators' own state, told without ids that depend on who came first."""

from collections import Counter
from typing import Any

from brightpearl_pipelines_tests.sync.harness import Harness, money

Json = dict[str, Any]


def outcome(harness: Harness) -> Json:
    """Everything that the sync is there for, in both systems. Equal outcomes mean that nobody could tell."""
    orders = harness.orders_in_brightpearl()
    return {
        "orders": {number: _order(harness, order) for number, order in sorted(orders.items())},
        "sales orders in all": len(harness.brightpearl.collection("orders")),
        "contacts": Counter(_contact(harness, each) for each in harness.contacts()),
        "payments in all": len(harness.brightpearl.collection("customer_payments")),
        "reservations in all": len(harness.brightpearl.collection("reservations")),
        "stock in brightpearl": _stock(harness),
        "shipments": {
            number: sorted((_shipment(each) for each in harness.shipments(number)), key=str)
            for number in sorted(harness.bigcommerce.collection("orders"))
        },
        "shop statuses": {
            number: order["status_id"] for number, order in sorted(harness.bigcommerce.collection("orders").items())
        },
        "stock in the shop": {sku: harness.shop_stock(sku) for sku in _skus_of_the_shop(harness)},
        "held": Counter((each.stage, each.entity, each.reason) for each in harness.letters()),
    }


def _order(harness: Harness, order: Json) -> Json:
    number = order["externalRef"].partition(":")[2]
    return {
        "status": order["orderStatus"]["orderStatusId"],
        "currency": order["currency"]["orderCurrencyCode"],
        "money": tuple(money(order["totalValue"][name]) for name in ("net", "taxAmount", "total")),
        "customer": _contact(harness, harness.contact_of(number)),
        "channel": order["assignment"]["current"]["channelId"],
        "rows": sorted(_row(row) for row in order["orderRows"].values()),
        "payments": sorted(
            (each["transactionRef"], each["paymentType"], money(each["amountPaid"]))
            for each in harness.payments_of(number)
        ),
        "reserved": harness.reserved(number),
        "notes": sorted(
            (each["shipping"]["reference"], each["status"]["shipped"])
            for each in harness.brightpearl.collection("goods_out_notes").values()
            if each["orderId"] == order["id"]
        ),
    }


def _row(row: Json) -> tuple[Any, ...]:
    value = row["rowValue"]
    return (
        str(row.get("externalRef") or ""),
        str(row.get("productSku") or ""),
        row["quantity"]["magnitude"],
        money(value["rowNet"]["value"]),
        money(value["rowTax"]["value"]),
        value["taxCode"],
        row["nominalCode"],
    )


def _contact(harness: Harness, contact: Json) -> tuple[Any, ...]:
    """Who a contact is, with the addresses it uses. An address that nobody uses is no part of anybody."""
    addresses = harness.brightpearl.collection("postal_addresses")
    used = {
        use: tuple(str(addresses[str(each)].get(f"addressLine{line}") or "") for line in (1, 3))
        for use, each in contact["postAddressIds"].items()
    }
    emails = contact["communication"]["emails"].get("PRI") or {}
    return (
        contact["firstName"],
        contact["lastName"],
        emails.get("email", ""),
        contact["communication"]["telephones"].get("PRI", ""),
        tuple(sorted(used.items())),
    )


def _stock(harness: Harness) -> Json:
    return {
        harness.sku_of(each["productId"]): {
            place: (figures["inStock"], figures["onHand"]) for place, figures in each["warehouses"].items()
        }
        for each in harness.brightpearl.collection("availability").values()
    }


def _shipment(shipment: Json) -> tuple[Any, ...]:
    items = sorted((each["order_product_id"], each["quantity"]) for each in shipment["items"])
    return shipment["tracking_number"], shipment["order_address_id"], tuple(items)


def _skus_of_the_shop(harness: Harness) -> list[str]:
    return sorted(each["sku"] for each in harness.bigcommerce.collection("variants").values())


def differences(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """Where two outcomes differ, one line each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for name in sorted({*ours, *theirs}, key=str)
            for line in differences(ours.get(name), theirs.get(name), f"{place}/{name}")
        ]
    return [] if ours == theirs else [f"{place}: {ours} instead of {theirs}"]
