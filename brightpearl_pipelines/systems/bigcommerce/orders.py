"""What a BigCommerce order means: its lines with every discount taken off, its totals, its customer, its payment.

Source: bigcommerce.md §2.2, §2.3, §8.12-15. The shop's own amounts are kept; nothing is recomputed from a rate.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import LineKind
from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.mapping.errors import MappingError
from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.contract import Tables

ZERO = Decimal(0)
PENNIES_A_LINE = 2
"""How many minor units a line may be off by rounding (its price per unit and its tax are rounded apart)."""


def lines(order: Json, tables: Tables) -> list[dict[str, Any]]:
    """All lines of an order, those for shipping, handling, wrapping and fees included, adding up to its totals.

    A remainder of at most two minor units a line is rounding, and becomes a line of its own, named so; a larger one
    means that the order was not understood. Raises MappingError.
    """
    del tables
    currency = str(order["default_currency_code"])
    found = [*_product_lines(order, currency), *_cost_lines(order, currency), *_fees(order, currency)]
    net, tax = totals(order)
    net_left = net - sum((line["net"] for line in found), ZERO)
    tax_left = tax - sum((line["tax"] for line in found), ZERO)
    if net_left or tax_left:
        allowed = to_minor_unit(Decimal("0.01"), currency) * PENNIES_A_LINE * max(len(found), 1)
        if max(abs(net_left), abs(tax_left)) > allowed:
            raise MappingError(
                "lines",
                "total_inc_tax",
                str(order["total_inc_tax"]),
                f"the lines must add up to the total; {net_left} net and {tax_left} tax are left over",
                "Look at the order in the shop: a cost that is no line, or an edit that left the totals as they were.",
            )
        found.append(_line("rounding", LineKind.ROUNDING, "Rounding", 1, net_left, tax_left))
    return found


def totals(order: Json) -> tuple[Decimal, Decimal]:
    """Net and tax of the whole order. The total with tax is what was asked of the customer; the net follows from it."""
    currency = str(order["default_currency_code"])
    gross = to_minor_unit(Decimal(order["total_inc_tax"]), currency)
    tax = to_minor_unit(Decimal(order["total_tax"]), currency)
    return gross - tax, tax


def total_net(order: Json, tables: Tables) -> Decimal:
    """Net of the whole order."""
    del tables
    return totals(order)[0]


def total_tax(order: Json, tables: Tables) -> Decimal:
    """Tax of the whole order."""
    del tables
    return totals(order)[1]


def _line(
    key: str, kind: LineKind, name: str, quantity: int, net: Decimal, tax: Decimal, **more: Any
) -> dict[str, Any]:
    return {"key": key, "kind": kind.value, "name": name, "quantity": quantity, "net": net, "tax": tax, **more}


def line_items(order: Json) -> Iterator[Json]:
    """The order products, wherever the order is sent: shipped, picked up, downloaded or mailed."""
    consignments = order["consignments"]
    for consignment in consignments.get("shipping", []):
        yield from consignment["line_items"]
    for consignment in consignments.get("pickups", []):
        yield from consignment["line_items"]
    for consignment in consignments.get("downloads", []):
        yield from consignment["line_items"]
    email = consignments.get("email") or {}
    for consignment in email.get("gift_certificates", []):
        yield from consignment["line_items"]


def _product_lines(order: Json, currency: str) -> Iterator[dict[str, Any]]:
    for item in sorted(line_items(order), key=lambda each: int(each["id"])):
        gross = to_minor_unit(Decimal(item["discounted_total_inc_tax"]), currency)
        before = Decimal(item["total_inc_tax"])
        # The line's tax is stated before discounts (§2.2): what was taken off takes its share of tax with it.
        share = gross / before if before else ZERO
        tax = to_minor_unit(Decimal(item["total_tax"]) * share, currency)
        discount = sum((Decimal(each["amount"]) for each in item.get("applied_discounts") or []), ZERO)
        yield _line(
            str(item["id"]),
            _kind(item),
            str(item["name"]),
            int(item["quantity"]),
            gross - tax,
            tax,
            sku=str(item.get("sku") or ""),
            discount=to_minor_unit(discount, currency),
        )


def _kind(item: Json) -> LineKind:
    if item["type"] == "giftcertificate":
        return LineKind.GIFT_CERTIFICATE
    # A custom line was typed in by hand: no product stands behind it (§8.15).
    if not item["product_id"] and not item.get("sku"):
        return LineKind.CUSTOM
    return LineKind.PRODUCT


def _cost_lines(order: Json, currency: str) -> Iterator[dict[str, Any]]:
    for kind, name in (
        (LineKind.SHIPPING, shipping_method(order, {}) or "Shipping"),
        (LineKind.HANDLING, "Handling"),
        (LineKind.WRAPPING, "Gift wrapping"),
    ):
        gross = to_minor_unit(Decimal(order[f"{kind.value}_cost_inc_tax"]), currency)
        tax = to_minor_unit(Decimal(order[f"{kind.value}_cost_tax"]), currency)
        if gross or tax:
            yield _line(kind.value, kind, name, 1, gross - tax, tax)


def _fees(order: Json, currency: str) -> Iterator[dict[str, Any]]:
    fees = order.get("fees")
    for fee in fees if isinstance(fees, list) else []:
        gross = to_minor_unit(Decimal(fee["cost_inc_tax"]), currency)
        tax = to_minor_unit(Decimal(fee["cost_tax"]), currency)
        name = str(fee.get("display_name_merchant") or fee.get("display_name_customer") or "Fee")
        yield _line(f"fee-{fee['id']}", LineKind.FEE, name, 1, gross - tax, tax)


def shipping_method(order: Json, tables: Tables) -> str:
    """How the order travels: the first address's way, or the name of how it is picked up. Empty for neither."""
    del tables
    for consignment in order["consignments"].get("shipping", []):
        if consignment.get("shipping_method"):
            return str(consignment["shipping_method"])
    for pickup in order["consignments"].get("pickups", []):
        if pickup.get("pickup_method_display_name"):
            return str(pickup["pickup_method_display_name"])
    return ""


def delivery(order: Json, tables: Tables) -> dict[str, str]:
    """Where the order goes: its first shipping address, or the billing address of an order with nothing to ship."""
    del tables
    shipping = order["consignments"].get("shipping", [])
    given = shipping[0] if shipping else order["billing_address"]
    name = f"{_text(given, 'first_name')} {_text(given, 'last_name')}".strip()
    more = {"name": name, "company": _text(given, "company"), "phone": _text(given, "phone")}
    return {**_postal(given), **more, "email": _text(given, "email")}


def own_delivery_address(order: Json, tables: Tables) -> dict[str, str] | None:
    """The postal address that the order goes to, unless somebody else than the buyer receives it."""
    del tables
    shipping = order["consignments"].get("shipping", [])
    buyer = order["billing_address"]
    if not shipping or _text(shipping[0], "last_name").casefold() != _text(buyer, "last_name").casefold():
        return None
    return _postal(shipping[0])


def _postal(given: Json) -> dict[str, str]:
    return {
        "line1": _text(given, "street_1"),
        "line2": _text(given, "street_2"),
        "city": _text(given, "city"),
        "region": _text(given, "state"),
        "postcode": _text(given, "zip"),
        "country": _text(given, "country_iso2"),
    }


def _text(given: Json, name: str) -> str:
    return str(given.get(name) or "").strip()


def customer_key(order: Json, tables: Tables) -> str:
    """How the shop knows the customer: by number, or, a guest, only through this order."""
    del tables
    return str(order["customer_id"]) if order["customer_id"] else f"guest-{order['id']}"
