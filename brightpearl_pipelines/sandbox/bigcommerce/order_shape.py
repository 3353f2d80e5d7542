"""How orders, their lines, addresses, taxes and fees look as JSON (bigcommerce.md §2.2 to §2.4)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce.order_money import ZERO, Amount, PricedLine
from brightpearl_pipelines.sandbox.bigcommerce.pickups import shown as pickup_shown
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import status_name
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, money, number, rate, rfc2822

NIL = money(ZERO)

ADDRESS_FIELDS = (
    *("first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip"),
    *("country", "country_iso2", "phone", "email"),
)

LINE: JsonObject = {
    "id": 0,
    "order_id": 0,
    "product_id": 0,
    "variant_id": 0,
    "order_pickup_method_id": 0,
    "order_address_id": 0,
    "name": "",
    "name_customer": "",
    "name_merchant": "",
    "sku": "",
    "upc": "",
    "type": "physical",
    "base_price": NIL,
    "price_ex_tax": NIL,
    "price_inc_tax": NIL,
    "price_tax": NIL,
    "base_total": NIL,
    "total_ex_tax": NIL,
    "total_inc_tax": NIL,
    "total_tax": NIL,
    "discounted_total_inc_tax": NIL,
    "quantity": 0,
    "quantity_shipped": 0,
    "quantity_refunded": 0,
    "is_refunded": False,
    "refund_amount": NIL,
    "return_id": 0,
    "weight": NIL,
    "width": NIL,
    "height": NIL,
    "depth": NIL,
    "base_cost_price": NIL,
    "cost_price_ex_tax": NIL,
    "cost_price_inc_tax": NIL,
    "cost_price_tax": NIL,
    "wrapping_id": 0,
    "wrapping_name": "",
    "wrapping_message": "",
    "base_wrapping_cost": NIL,
    "wrapping_cost_ex_tax": NIL,
    "wrapping_cost_inc_tax": NIL,
    "wrapping_cost_tax": NIL,
    "event_name": None,
    "event_date": None,
    "fixed_shipping_cost": NIL,
    "ebay_item_id": "",
    "ebay_transaction_id": "",
    "option_set_id": None,
    "parent_order_product_id": None,
    "is_bundled_product": False,
    "bin_picking_number": "",
    "external_id": None,
    "brand": "",
    "gift_certificate_id": None,
    "applied_discounts": [],
    "product_options": [],
    "configurable_fields": [],
}
"""A line before anything is known about it. Its lists are shared between lines: replace them, never fill them."""

ORDER_MONEY = (
    *("subtotal_ex_tax", "subtotal_inc_tax", "subtotal_tax", "base_shipping_cost", "shipping_cost_ex_tax"),
    *("shipping_cost_inc_tax", "shipping_cost_tax", "base_handling_cost", "handling_cost_ex_tax"),
    *("handling_cost_inc_tax", "handling_cost_tax", "base_wrapping_cost", "wrapping_cost_ex_tax"),
    *("wrapping_cost_inc_tax", "wrapping_cost_tax", "total_ex_tax", "total_inc_tax", "total_tax", "discount_amount"),
    *("coupon_discount", "gift_certificate_amount", "store_credit_amount", "refunded_amount"),
)


def blank_order(order_id: int, created: datetime, modified: datetime, status_id: int) -> JsonObject:
    """An order with every documented field and no money yet; links are added when it is read."""
    return {
        "id": order_id,
        "customer_id": 0,
        "date_created": rfc2822(created),
        "date_modified": rfc2822(modified),
        "date_shipped": "",
        "status_id": status_id,
        "status": status_name(status_id),
        "custom_status": status_name(status_id),
        **dict.fromkeys(ORDER_MONEY, NIL),
        "shipping_cost_tax_class_id": 0,
        "handling_cost_tax_class_id": 0,
        "wrapping_cost_tax_class_id": 0,
        "is_tax_inclusive_pricing": False,
        "items_total": 0,
        "items_shipped": 0,
        "payment_method": "",
        "payment_provider_id": "",
        "payment_status": "",
        "order_is_digital": False,
        "ip_address": "",
        "ip_address_v6": "",
        "geoip_country": "",
        "geoip_country_iso2": "",
        "currency_id": 1,
        "currency_code": "",
        "currency_exchange_rate": rate(Decimal(1)),
        "default_currency_id": 1,
        "default_currency_code": "",
        "store_default_currency_code": "",
        "store_default_to_transactional_exchange_rate": rate(Decimal(1)),
        "staff_notes": "",
        "customer_message": "",
        "shipping_address_count": 0,
        "ebay_order_id": "0",
        "cart_id": None,
        "billing_address": {},
        "is_email_opt_in": False,
        "credit_card_type": None,
        "order_source": "www",
        "channel_id": 1,
        "external_source": None,
        "external_id": None,
        "external_merchant_id": None,
        "external_order_id": "",
        "tax_provider_id": "BasicTaxProvider",
        "customer_locale": "en",
        "is_deleted": False,
    }


def with_links(shop: Shop, order: JsonObject) -> JsonObject:
    """The order as GET answers it: with links to what hangs on it."""
    path = f"/orders/{order['id']}"

    def link(name: str) -> JsonObject:
        return {"url": shop.address(f"{path}/{name}"), "resource": f"{path}/{name}"}

    return {
        **order,
        "products": link("products"),
        # The published links miss the underscore of the documented path (§2.2).
        "shipping_addresses": link("shippingaddresses"),
        "coupons": link("coupons"),
        "consignments": link("consignments"),
        "fees": link("fees"),
    }


def set_line_money(line: JsonObject, priced: PricedLine) -> None:
    """Write a line's money; its discounts are gone."""
    unit, total = priced.unit, priced.total
    line["quantity"] = priced.quantity
    line["base_price"], line["base_total"] = money(unit.base), money(total.base)
    line["price_ex_tax"], line["price_inc_tax"], line["price_tax"] = money(unit.ex), money(unit.inc), money(unit.tax)
    line["total_ex_tax"], line["total_inc_tax"] = money(total.ex), money(total.inc)
    line["total_tax"] = money(total.tax)
    line["discounted_total_inc_tax"] = money(total.inc)
    line["applied_discounts"] = []


def set_discounts(line: JsonObject, discounts: list[JsonObject]) -> None:
    """Write a line's shares of discounts and what remains of it."""
    line["applied_discounts"] = discounts
    off = sum((Decimal(each["amount"]) for each in discounts), ZERO)
    line["discounted_total_inc_tax"] = money(Decimal(line["total_inc_tax"]) - off)


def set_shipping(target: JsonObject, prefix: str, base_name: str, amount: Amount) -> None:
    """Write one cost on both sides of tax: `shipping_cost_*` of an order, `cost_*` of an address."""
    target[base_name] = money(amount.base)
    target[f"{prefix}_ex_tax"], target[f"{prefix}_inc_tax"] = money(amount.ex), money(amount.inc)
    target[f"{prefix}_tax"] = money(amount.tax)


def address_of(given: Mapping[str, Any]) -> JsonObject:
    """A billing address with every field; unknown ones are left out."""
    address: JsonObject = {name: "" if given.get(name) is None else str(given[name]) for name in ADDRESS_FIELDS}
    address["form_fields"] = list(given.get("form_fields") or [])
    return address


def order_address(id_: int, order_id: int, given: Mapping[str, Any], zone: tuple[int, str]) -> JsonObject:
    """A shipping address of an order, without cost yet."""
    return {
        "id": id_,
        "order_id": order_id,
        **address_of(given),
        "items_total": 0,
        "items_shipped": 0,
        "shipping_method": given.get("shipping_method") or "None",
        "base_cost": NIL,
        "cost_ex_tax": NIL,
        "cost_inc_tax": NIL,
        "cost_tax": NIL,
        "cost_tax_class_id": 0,
        "base_handling_cost": NIL,
        "handling_cost_ex_tax": NIL,
        "handling_cost_inc_tax": NIL,
        "handling_cost_tax": NIL,
        "handling_cost_tax_class_id": 0,
        "shipping_zone_id": zone[0],
        "shipping_zone_name": zone[1],
    }


def address_with_link(shop: Shop, address: JsonObject) -> JsonObject:
    """The address as GET answers it."""
    path = f"/orders/{address['order_id']}/shipping_addresses/{address['id']}/shipping_quotes"
    return {**address, "shipping_quotes": {"url": shop.address(path), "resource": path}}


def shipping_consignment(shop: Shop, address: JsonObject, line_items: list[JsonObject]) -> JsonObject:
    """A shipping address as a consignment: money is numbers there (§2.4)."""
    path = f"/orders/{address['order_id']}/consignments/shipping/{address['id']}/shipping_quotes"
    numbers = {
        name: number(Decimal(value))
        for name, value in address.items()
        if "cost" in name and not name.endswith("class_id")
    }
    kept = {name: value for name, value in address.items() if name != "order_id"}
    quotes = {"url": shop.address(path), "resource": path}
    return {**kept, **numbers, "line_items": line_items, "shipping_quotes": quotes}


def consignments(shop: Shop, order: JsonObject, *, full_lines: bool) -> JsonObject:
    """Who gets what and how: shipped, picked up, downloaded, or mailed as a gift certificate (§2.4)."""
    order_id = order["id"]
    by_place: dict[int | str, list[JsonObject]] = {}
    for line in shop.children("order_products", order_id):
        pickup = line["order_pickup_method_id"]
        place = f"pickup-{pickup}" if pickup else line["order_address_id"] or line["type"]
        path = f"/orders/{order_id}/products/{line['id']}"
        shown = line if full_lines else {"url": shop.address(path), "resource": path}
        by_place.setdefault(place, []).append(shown)
    recipient = order["billing_address"].get("email", "")
    shipping = [
        shipping_consignment(shop, address, by_place.get(address["id"], []))
        for address in shop.children("order_addresses", order_id)
    ]
    digital, gifts = by_place.get("digital"), by_place.get("giftcertificate")
    pickups = [
        pickup_shown(pickup, by_place.get(f"pickup-{pickup['id']}", []))
        for pickup in shop.children("order_pickups", order_id)
    ]
    return {
        "pickups": pickups,
        "shipping": shipping,
        "downloads": [{"recipient_email": recipient, "line_items": digital}] if digital else [],
        "email": {"gift_certificates": [{"recipient_email": recipient, "line_items": gifts}] if gifts else []},
    }


def fee_shape(id_: int, order_id: int, given: Mapping[str, Any], amount: Amount) -> JsonObject:
    """A custom fee; it is part of the total and no line (§2.4)."""
    customer_name = str(given.get("display_name_customer") or given.get("display_name_merchant") or "Fee")
    return {
        "id": id_,
        "order_id": order_id,
        "type": "custom_fee",
        "display_name_customer": customer_name,
        "display_name_merchant": str(given.get("display_name_merchant") or customer_name),
        "source": str(given.get("source") or "AA"),
        "base_cost": money(amount.base),
        "cost_ex_tax": money(amount.ex),
        "cost_inc_tax": money(amount.inc),
        "cost_tax": money(amount.tax),
        "tax_class_id": given.get("tax_class_id"),
    }


def fees(shop: Shop, order_id: int) -> list[JsonObject]:
    """The order's fees as the API shows them."""
    return [
        {name: value for name, value in fee.items() if name != "order_id"}
        for fee in shop.children("order_fees", order_id)
    ]


def tax_rows(shop: Shop, order_id: int, *, details: bool) -> list[JsonObject]:
    """What the order is taxed by: one row a line, after discounts, and one for shipping."""
    taxes = shop.get("order_taxes", order_id)
    if taxes is None:
        return []
    rows = []
    for place, (line_id, kind, percent, amount, class_id, address_id) in enumerate(taxes["rows"]):
        row = {
            "id": taxes["first_id"] + place,
            "order_id": order_id,
            "order_address_id": address_id,
            "tax_rate_id": 1,
            "sales_tax_id": "",
            "tax_class_id": class_id,
            "name": "Tax",
            "class": taxes["class"],
            "rate": percent,
            "priority": 0,
            "priority_amount": amount,
            "line_amount": amount,
            "order_pickup_method_id": 0,
        }
        if details:
            row["line_item_type"] = kind
            if line_id:
                row["order_product_id"] = str(line_id)
        rows.append(row)
    return rows
