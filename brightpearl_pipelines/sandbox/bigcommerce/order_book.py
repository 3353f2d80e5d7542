"""How orders come to be and change: lines, totals, status, and the events that follow (bigcommerce.md §2)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.order_money import (
    CENT,
    FOUR_PLACES,
    ZERO,
    Amount,
    PricedLine,
    TaxRule,
    spread,
    tax_after_discount,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import LINE, set_discounts, set_line_money
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import (
    INCOMPLETE,
    STOCK_RETURNS,
    status_name,
)
from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject, money, rfc2822


def tax_rule(shop: Shop, *, inclusive: bool) -> TaxRule:
    """The shop's way of rounding tax, for an order priced with or without it."""
    keeps_all = shop.settings["rounding_strategy"] == "NO_ROUNDING"
    return TaxRule(inclusive, FOUR_PLACES if keeps_all else CENT)


def rule_of(shop: Shop, order: JsonObject) -> TaxRule:
    return tax_rule(shop, inclusive=order["is_tax_inclusive_pricing"])


# -- lines -----------------------------------------------------------------------------------------------------------


def catalog_facts(shop: Shop, variant: JsonObject) -> JsonObject:
    """What an order line snapshots of the catalogue at the time of purchase."""
    product = shop.need("products", variant["product_id"])
    brand = shop.get("brands", product.get("brand_id", 0))
    weight = variant.get("weight")
    weight = product.get("weight", 0) if weight is None else weight
    cost = money(Decimal(str(product.get("cost_price", 0))))
    return {
        "product_id": product["id"],
        "variant_id": variant["id"],
        "name": product["name"],
        "name_customer": product["name"],
        "name_merchant": product["name"],
        "sku": variant["sku"],
        "upc": variant.get("upc") or product.get("upc", ""),
        "type": product["type"],
        "weight": money(Decimal(str(weight))),
        "base_cost_price": cost,
        "cost_price_ex_tax": cost,
        "cost_price_inc_tax": cost,
        "brand": brand["name"] if brand else "",
        "option_set_id": product["id"] if variant.get("option_values") else None,
    }


def add_line(
    shop: Shop, order: JsonObject, facts: Mapping[str, Any], priced: PricedLine, address_id: int
) -> JsonObject:
    """Store a line of an order; things that are not posted have no address."""
    line = LINE.copy()
    line.update(facts)
    line["id"] = shop.next_id("order_products")
    line["order_id"] = order["id"]
    line["order_address_id"] = address_id if line["type"] == "physical" else 0
    set_line_money(line, priced)
    variant = shop.get("variants", line["variant_id"])
    if variant is not None and variant.get("option_values"):
        line["product_options"] = _chosen_options(shop, line, variant)
    return shop.add("order_products", line)


def _chosen_options(shop: Shop, line: JsonObject, variant: JsonObject) -> list[JsonObject]:
    return [
        {
            "id": shop.next_id("order_product_options"),
            "option_id": value["option_id"],
            "order_product_id": line["id"],
            "product_option_id": value["option_id"],
            "display_name": value["option_display_name"],
            "display_name_customer": value["option_display_name"],
            "display_name_merchant": value["option_display_name"],
            "display_value": value["label"],
            "display_value_customer": value["label"],
            "display_value_merchant": value["label"],
            "value": str(value["id"]),
            "type": "Multiple choice",
            "name": value["option_display_name"],
            "display_style": "Rectangle",
        }
        for value in variant["option_values"]
    ]


def priced_of(line: JsonObject, rate: Decimal) -> PricedLine:
    """A stored line's money, read back."""
    ex, inc, base = (Decimal(line[name]) for name in ("price_ex_tax", "price_inc_tax", "base_price"))
    total_ex, total_inc = Decimal(line["total_ex_tax"]), Decimal(line["total_inc_tax"])
    total = Amount(Decimal(line["base_total"]), total_ex, total_inc)
    return PricedLine(line["quantity"], rate, Amount(base, ex, inc), total)


def line_rates(shop: Shop, order_id: int) -> dict[int, Decimal]:
    """The tax rate of each line, from the order's tax rows."""
    taxes = shop.get("order_taxes", order_id)
    rows = taxes["rows"] if taxes else []
    return {row[0]: Decimal(row[2]) for row in rows if row[0]}


def discountable(lines: Sequence[JsonObject]) -> list[JsonObject]:
    """Discounts do not lie on gift certificates."""
    return [line for line in lines if line["type"] != "giftcertificate"]


def apply_discount(lines: Sequence[JsonObject], amount: Decimal, label: JsonObject) -> None:
    """Spread an order-level discount over the lines, beside those that lie there already.

    ValueError when it is more than the lines are worth.
    """
    bearing = discountable(lines)
    worth = [Decimal(line["discounted_total_inc_tax"]) for line in bearing]
    if amount > sum(worth, ZERO):
        raise ValueError(f"a discount of {amount} is more than the {sum(worth, ZERO)} that the lines are worth")
    for line, share in zip(bearing, spread(amount, worth), strict=True):
        if share:
            entry = {**label, "amount": money(share), "target": "order"}
            set_discounts(line, [*line["applied_discounts"], entry])


MANUAL_DISCOUNT: JsonObject = {"id": "manual-discount", "amount": "", "name": "Manual Discount", "code": None}


def coupon_discount(code: str) -> JsonObject:
    """How a coupon names itself in `applied_discounts`."""
    return {"id": "total-coupon", "amount": "", "name": code, "code": code}


# -- totals ----------------------------------------------------------------------------------------------------------


def write_taxes(
    shop: Shop, order: JsonObject, rates: Mapping[int, Decimal], shipping_rate: Decimal | None = None
) -> None:
    """Compute the order's tax rows anew: tax falls on what is left after discounts (§8.12).

    `shipping_rate` None: worked out of the shipping cost's two sides.
    """
    rule = rule_of(shop, order)
    rows: list[list[Any]] = []
    for line in shop.children("order_products", order["id"]):
        priced = priced_of(line, rates.get(line["id"], ZERO))
        off = priced.total.inc - Decimal(line["discounted_total_inc_tax"])
        tax = tax_after_discount(priced, off, rule)
        rows.append([line["id"], "item", money(priced.rate), money(tax), 0, line["order_address_id"]])
    shipping_tax = Decimal(order["shipping_cost_tax"])
    if shipping_tax:
        addresses = shop.index.children["order_addresses"].get(order["id"], [])
        if shipping_rate is None:
            shipping_rate = (shipping_tax * 100 / Decimal(order["shipping_cost_ex_tax"])).quantize(CENT)
        rows.append([0, "shipping", money(shipping_rate), money(shipping_tax), 0, addresses[0] if addresses else 0])
    old = shop.get("order_taxes", order["id"])
    first = shop.sequences.get("order_tax_rows", 0) + 1
    shop.sequences["order_tax_rows"] = first + len(rows) - 1
    kind = old["class"] if old else ("API Tax Override" if order["order_source"] == "external" else "Default Tax Class")
    taxes = {"id": order["id"], "first_id": first, "class": kind, "rows": rows}
    shop.put("order_taxes", order["id"], taxes)


def recompute(shop: Shop, order: JsonObject) -> None:
    """Subtotals and totals from lines, taxes, costs, fees and discounts (§2.2)."""
    lines = shop.children("order_products", order["id"])
    fees = shop.children("order_fees", order["id"])
    taxes = shop.get("order_taxes", order["id"])
    item_tax = sum((Decimal(row[3]) for row in taxes["rows"] if row[1] == "item"), ZERO) if taxes else ZERO
    subtotal_inc = sum((Decimal(line["total_inc_tax"]) for line in lines), ZERO)
    order["subtotal_ex_tax"] = money(sum((Decimal(line["total_ex_tax"]) for line in lines), ZERO))
    order["subtotal_inc_tax"], order["subtotal_tax"] = money(subtotal_inc), money(item_tax)
    costs = ("shipping", "handling", "wrapping")
    cost_inc = sum((Decimal(order[f"{name}_cost_inc_tax"]) for name in costs), ZERO)
    cost_tax = sum((Decimal(order[f"{name}_cost_tax"]) for name in costs), ZERO)
    fee_inc = sum((Decimal(str(fee["cost_inc_tax"])) for fee in fees), ZERO)
    fee_tax = sum((Decimal(str(fee["cost_tax"])) for fee in fees), ZERO)
    off = Decimal(order["discount_amount"]) + Decimal(order["coupon_discount"])
    # What is charged is whole cents, however many places the shop keeps for tax.
    total, tax = (
        (subtotal_inc + cost_inc + fee_inc - off).quantize(CENT),
        (item_tax + cost_tax + fee_tax).quantize(CENT),
    )
    order["total_inc_tax"], order["total_tax"], order["total_ex_tax"] = money(total), money(tax), money(total - tax)
    recount(shop, order, lines)


def recount(shop: Shop, order: JsonObject, lines: Sequence[JsonObject]) -> None:
    """Count items ordered and shipped, on the order and on its addresses."""
    order["items_total"] = sum(line["quantity"] for line in lines)
    order["items_shipped"] = sum(line["quantity_shipped"] for line in lines)
    order["order_is_digital"] = bool(lines) and all(line["type"] != "physical" for line in lines)
    addresses = shop.children("order_addresses", order["id"])
    order["shipping_address_count"] = len(addresses)
    for address in addresses:
        here = [line for line in lines if line["order_address_id"] == address["id"]]
        address["items_total"] = sum(line["quantity"] for line in here)
        address["items_shipped"] = sum(line["quantity_shipped"] for line in here)


# -- changes ---------------------------------------------------------------------------------------------------------


def emit_order(shop: Shop, order: JsonObject, what: str, **extra: Json) -> None:
    """An order event, and its channel's own form (§7.3)."""
    emit(shop, f"store/order/{what}", {"type": "order", "id": order["id"], **extra})
    if shop.settings["channel_order_events"]:
        emit(shop, f"store/channel/{order['channel_id']}/order/{what}", {"order_id": order["id"]})


def modified(shop: Shop, order: JsonObject, *, tell: bool = True) -> None:
    """Note that the order changed now."""
    order["date_modified"] = rfc2822(shop.now())
    shop.index_order(order)
    shop.touch()
    if tell:
        emit_order(shop, order, "updated")


def write_to_customer(shop: Shop, order: JsonObject, shipment_id: int = 0) -> None:
    """The e-mail about the order's status, if the shop's settings say so; `shipment_id` 0: about the status alone."""
    if order["status_id"] in shop.settings["emails_on_statuses"]:
        about = {"order_id": order["id"], "status_id": order["status_id"], "shipment_id": shipment_id}
        shop.add("customer_emails", {"id": shop.next_id("customer_emails"), **about})


def set_status(
    shop: Shop, order: JsonObject, status_id: int, *, restock: bool = True, by_shipment: bool = False
) -> None:
    """Change the status; stock moves as the shop's settings say, money never does (§2.6).

    `restock` False: as a refund through the API, which puts nothing back (§8.7). `by_shipment`: the customer hears of
    it with the shipment.
    """
    previous = order["status_id"]
    if previous == status_id:
        return
    order["status_id"] = status_id
    order["status"] = order["custom_status"] = status_name(status_id)
    emit_status(shop, order, previous)
    if not by_shipment:
        write_to_customer(shop, order)
    if status_id in STOCK_RETURNS:
        if restock and shop.inventory_setting("refund_order_stock_adjustment", order["channel_id"]):
            stock.give_back_all(shop, order)
    else:
        stock.take_for_order(shop, order)


def emit_status(shop: Shop, order: JsonObject, previous: int = INCOMPLETE) -> None:
    status = {"previous_status_id": previous, "new_status_id": order["status_id"]}
    emit_order(shop, order, "statusUpdated", status=status)
