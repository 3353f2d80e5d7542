"""Writing orders through the API, V2 (bigcommerce.md §2.6)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce import order_checks, pickups, stock
from brightpearl_pipelines.sandbox.bigcommerce.checkout import currency_of, default_currency, set_currency
from brightpearl_pipelines.sandbox.bigcommerce.checks import refuse_wrong_v2
from brightpearl_pipelines.sandbox.bigcommerce.line_writes import LineWrites
from brightpearl_pipelines.sandbox.bigcommerce.order_book import (
    MANUAL_DISCOUNT,
    apply_discount,
    emit_order,
    line_rates,
    modified,
    recompute,
    set_status,
    tax_rule,
    write_taxes,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_checks import ADDRESS_CHECKS, ORDER_CHECKS
from brightpearl_pipelines.sandbox.bigcommerce.order_money import Amount
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import (
    ADDRESS_FIELDS,
    address_of,
    address_with_link,
    blank_order,
    fee_shape,
    order_address,
    set_discounts,
    set_shipping,
    with_links,
)
from brightpearl_pipelines.sandbox.bigcommerce.orders import child_of
from brightpearl_pipelines.sandbox.bigcommerce.payments import need_order
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import PENDING, STATUSES
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    Call,
    Json,
    JsonObject,
    Refusal,
    decimal_of,
    json_answer,
    money,
    nothing,
    parse_instant,
    rfc2822,
    whole,
)

NOT_WRITABLE = "The field '{}' cannot be written to. Please remove it from your request before trying again."

PLAIN = frozenset(
    (
        *("customer_message", "staff_notes", "order_source", "ebay_order_id", "external_source", "external_order_id"),
        *("geoip_country", "geoip_country_iso2", "ip_address", "ip_address_v6", "payment_method"),
        *("payment_provider_id", "customer_locale", "is_email_opt_in", "credit_card_type"),
    )
)
"""Scalars that are stored as they come."""

IGNORED = frozenset(
    {"tax_provider_id", "status", "items_total", "items_shipped", "order_is_digital", "refunded_amount"}
)
"""Accepted without effect: a status is changed by its id, the rest is computed."""

COSTS = ("shipping", "handling", "wrapping")
PAIRS = ("subtotal", "total", *(f"{name}_cost" for name in COSTS))
SUB_RESOURCES = frozenset({"products", "shipping_addresses", "billing_address", "fees", "consignments"})
KEYED = frozenset(
    {"customer_id", "channel_id", "date_created", "status_id", "discount_amount", "external_merchant_id", "is_deleted"}
)
MONEY = frozenset({f"{name}_{side}_tax" for name in PAIRS for side in ("ex", "inc")}) | {
    f"base_{name}_cost" for name in COSTS
}
WRITABLE = PLAIN | IGNORED | SUB_RESOURCES | KEYED | MONEY


def create_order(shop: Shop, call: Call) -> Response:
    """POST /v2/orders: a manual order; no promotions, no e-mail, status Pending unless told otherwise."""
    body = call.object_body()
    _check_create(shop, body)
    inclusive = bool(shop.settings["prices_entered_with_tax"])
    writes = LineWrites(shop, tax_rule(shop, inclusive=inclusive))
    pickup = pickups.asked(body)
    lines = [writes.read_new(each) for each in (pickup["line_items"] if pickup else body["products"])]
    now = shop.now()
    created = _instant(body["date_created"]) if body.get("date_created") else now
    order = blank_order(shop.next_id("orders", 100), created, now, int(body.get("status_id", PENDING)))
    order["is_tax_inclusive_pricing"] = inclusive
    order["order_source"] = "external"
    currency = _currency(shop, body)
    # Always 1 for orders made through V2 (§2.2).
    set_currency(shop, order, currency, Decimal(1))
    order["billing_address"] = address_of(body["billing_address"])
    addresses = [] if pickup else body.get("shipping_addresses") or [body["billing_address"]]
    ids = [_add_address(shop, order, given) for given in addresses]
    pickup_id = pickups.add_pickup(shop, order, pickup) if pickup else 0
    rates = {}
    for facts, priced in lines:
        line = writes.add(order, facts, priced, ids[0] if ids else 0)
        if line["type"] == "physical":
            line["order_pickup_method_id"] = pickup_id
        rates[line["id"]] = priced.rate
    _write_scalars(shop, order, body)
    _write_costs(shop, order, body)
    _write_fees(shop, order, body.get("fees", []))
    _spread_discount(shop, order, body)
    write_taxes(shop, order, rates)
    recompute(shop, order)
    _override_totals(order, body)
    shop.put("orders", order["id"], order)
    shop.index_new_order(order)
    emit_order(shop, order, "created")
    stock.take_for_order(shop, order)
    return json_answer(with_links(shop, order), int(shop.settings["post_order_status"]))


def _check_create(shop: Shop, body: JsonObject) -> None:
    if not body.get("billing_address"):
        raise Refusal(400, "The required field 'billing_address' was not supplied.")
    _check_fields(shop, body, WRITABLE | {"default_currency_code"})
    if pickups.asked(body) is None and not body.get("products"):
        raise Refusal(400, "The required field 'products' was not supplied.")


def _check_fields(shop: Shop, body: JsonObject, allowed: frozenset[str]) -> None:
    """400 for a field that cannot be written, an unknown status, channel or customer."""
    for name in body:
        if name not in allowed:
            raise Refusal(400, NOT_WRITABLE.format(name))
    refuse_wrong_v2(body, {**ORDER_CHECKS, **dict.fromkeys(MONEY | {"discount_amount"}, order_checks.MONEY)})
    if "status_id" in body and body["status_id"] not in STATUSES:
        raise Refusal(400, "The field 'status_id' is invalid.")
    if "channel_id" in body and shop.get("channels", str(body["channel_id"])) is None:
        raise Refusal(400, "The field 'channel_id' is invalid.")
    if body.get("customer_id") and shop.get("customers", str(body["customer_id"])) is None:
        raise Refusal(400, "The field 'customer_id' is invalid.")
    for pair in PAIRS:
        if (f"{pair}_ex_tax" in body) != (f"{pair}_inc_tax" in body):
            raise Refusal(400, f"The fields '{pair}_ex_tax' and '{pair}_inc_tax' must be supplied together.")
    for name in body.keys() & (MONEY | {"discount_amount"}):
        decimal_of(body[name], name)
    if body.get("date_created"):
        _instant(body["date_created"])
    for fee in body.get("fees", ()):
        for name in ("cost_ex_tax", "cost_inc_tax"):
            decimal_of(fee.get(name, 0), name)


def _instant(value: Json) -> datetime:
    try:
        return parse_instant(str(value))
    except ValueError:
        raise Refusal(400, "The field 'date_created' is invalid.") from None


def _currency(shop: Shop, body: JsonObject) -> JsonObject:
    code = body.get("default_currency_code")
    if code is None:
        return default_currency(shop)
    try:
        return currency_of(shop, str(code))
    except ValueError:
        raise Refusal(400, "The field 'default_currency_code' is invalid.") from None


def _add_address(shop: Shop, order: JsonObject, given: Mapping[str, Any]) -> int:
    address = order_address(shop.next_id("order_addresses"), order["id"], given, (0, ""))
    shop.add("order_addresses", address)
    return int(address["id"])


def _write_scalars(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    """The plain fields; an order's external merchant id is written once (§2.2)."""
    for name in PLAIN & body.keys():
        order[name] = body[name]
    for name in ("customer_id", "channel_id"):
        if name in body:
            order[name] = int(body[name])
    if "external_merchant_id" in body:
        if order["external_merchant_id"] not in (None, body["external_merchant_id"]):
            raise Refusal(400, NOT_WRITABLE.format("external_merchant_id"))
        order["external_merchant_id"] = body["external_merchant_id"]
    if body.get("date_created"):
        order["date_created"] = rfc2822(_instant(body["date_created"]))


def _write_costs(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    """Shipping, handling and wrapping: the pair as given, or the base cost untaxed."""
    for name in COSTS:
        base, pair = f"base_{name}_cost", f"{name}_cost"
        if f"{pair}_ex_tax" in body:
            ex, inc = (decimal_of(body[f"{pair}_{side}_tax"], f"{pair}_{side}_tax") for side in ("ex", "inc"))
            entered = inc if order["is_tax_inclusive_pricing"] else ex
            amount = Amount(decimal_of(body[base], base) if base in body else entered, ex, inc)
        elif base in body:
            entered = decimal_of(body[base], base)
            amount = Amount(entered, entered, entered)
        else:
            continue
        set_shipping(order, pair, base, amount)
        addresses = shop.children("order_addresses", order["id"])
        if name != "wrapping" and addresses:
            prefix = "" if name == "shipping" else "handling_"
            set_shipping(addresses[0], f"{prefix}cost", f"base_{prefix}cost", amount)


def _write_fees(shop: Shop, order: JsonObject, given: list[JsonObject]) -> None:
    """The order's fees, replaced as a whole."""
    for fee in shop.children("order_fees", order["id"]):
        shop.drop("order_fees", fee["id"])
    for each in given:
        ex = decimal_of(each.get("cost_ex_tax", each.get("cost_inc_tax", 0)), "cost_ex_tax")
        inc = decimal_of(each.get("cost_inc_tax", ex), "cost_inc_tax")
        base = inc if order["is_tax_inclusive_pricing"] else ex
        shop.add("order_fees", fee_shape(shop.next_id("order_fees"), order["id"], each, Amount(base, ex, inc)))


def _spread_discount(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    """An order-level discount, spread over the lines in place of an earlier manual one."""
    if "discount_amount" not in body:
        return
    amount = decimal_of(body["discount_amount"], "discount_amount")
    lines = shop.children("order_products", order["id"])
    for line in lines:
        set_discounts(line, [each for each in line["applied_discounts"] if each["id"] != MANUAL_DISCOUNT["id"]])
    try:
        apply_discount(lines, amount, MANUAL_DISCOUNT)
    except ValueError:
        raise Refusal(400, "The field 'discount_amount' is invalid.") from None
    order["discount_amount"] = money(amount)


def _override_totals(order: JsonObject, body: JsonObject) -> None:
    """Subtotal and total as the caller wants them, both sides or neither."""
    for name in ("subtotal", "total"):
        if f"{name}_ex_tax" in body:
            ex, inc = (decimal_of(body[f"{name}_{side}_tax"], f"{name}_{side}_tax") for side in ("ex", "inc"))
            order[f"{name}_ex_tax"], order[f"{name}_inc_tax"] = money(ex), money(inc)
            order[f"{name}_tax"] = money(inc - ex)


# -- changing --------------------------------------------------------------------------------------------------------


def update_order(shop: Shop, call: Call) -> Response:
    """PUT /v2/orders/{order_id}: only what is given changes; fees are replaced as a whole (§2.6)."""
    order, body = need_order(shop, call), call.object_body()
    _check_fields(shop, body, WRITABLE)
    _check_parts(shop, order, body)
    _change_money(shop, order, body)
    old_key, old_customer = order["external_order_id"], order["customer_id"]
    _write_scalars(shop, order, body)
    shop.move_order_keys(order, old_key, old_customer)
    if "billing_address" in body:
        _merge_address(order["billing_address"], body["billing_address"])
    for given in body.get("shipping_addresses", ()):
        _change_address(shop, given)
    _archive_if_asked(shop, order, body)
    modified(shop, order)
    if "status_id" in body:
        set_status(shop, order, int(body["status_id"]))
    return json_answer(with_links(shop, order))


def _check_parts(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    """Refuse bad parts before anything is written."""
    if body.get("consignments"):
        raise Refusal(400, "The sandbox does not change how an order is picked up.")
    own = {address["id"] for address in shop.children("order_addresses", order["id"])}
    for given in body.get("shipping_addresses", ()):
        if given.get("id") not in own:
            raise Refusal(400, "The field 'shipping_addresses' is invalid.")
        _check_address(given)
    fixed = order["external_merchant_id"]
    if "external_merchant_id" in body and fixed not in (None, body["external_merchant_id"]):
        raise Refusal(400, NOT_WRITABLE.format("external_merchant_id"))


def _change_money(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    """Lines, costs, fees and discount, and the totals that follow from them."""
    touched = body.keys() & ({"products", "fees", "discount_amount"} | MONEY)
    if not touched:
        return
    rates = line_rates(shop, order["id"])
    writes = LineWrites(shop, tax_rule(shop, inclusive=order["is_tax_inclusive_pricing"]))
    if "products" in body:
        writes.change(order, body["products"], rates)
    _write_costs(shop, order, body)
    if "fees" in body:
        _write_fees(shop, order, body["fees"])
    _spread_discount(shop, order, body)
    write_taxes(shop, order, rates)
    recompute(shop, order)
    _override_totals(order, body)


def _archive_if_asked(shop: Shop, order: JsonObject, body: JsonObject) -> None:
    if "is_deleted" in body and bool(body["is_deleted"]) != order["is_deleted"]:
        order["is_deleted"] = bool(body["is_deleted"])
        if order["is_deleted"]:
            emit_order(shop, order, "archived")


def _merge_address(address: JsonObject, given: Mapping[str, Any]) -> None:
    for name in ADDRESS_FIELDS:
        if name in given:
            address[name] = given[name]
    if "form_fields" in given:
        address["form_fields"] = given["form_fields"]


ADDRESS_WRITABLE = frozenset({*ADDRESS_FIELDS, "form_fields", "shipping_method"})


def _check_address(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in ADDRESS_WRITABLE | {"id"}:
            raise Refusal(400, NOT_WRITABLE.format(name))


def _change_address(shop: Shop, given: Mapping[str, Any]) -> None:
    """Change where an order goes; its cost is not computed anew (§2.4)."""
    address = shop.need("order_addresses", given["id"])
    _merge_address(address, given)
    if "shipping_method" in given:
        address["shipping_method"] = given["shipping_method"]


def put_address(shop: Shop, call: Call) -> Response:
    """PUT /v2/orders/{order_id}/shipping_addresses/{address_id}: address fields and the method's name only."""
    address = child_of(shop, call, "order_addresses", "address_id")
    body = call.object_body()
    if "id" in body:
        raise Refusal(400, NOT_WRITABLE.format("id"))
    _check_address(body)
    refuse_wrong_v2(body, ADDRESS_CHECKS)
    order = need_order(shop, call)
    _change_address(shop, {**body, "id": address["id"]})
    modified(shop, order)
    return json_answer(address_with_link(shop, address))


def archive_order(shop: Shop, call: Call) -> Response:
    """DELETE /v2/orders/{order_id}: archived, not gone."""
    _archive(shop, need_order(shop, call))
    return nothing()


def archive_orders(shop: Shop, call: Call) -> Response:
    """DELETE /v2/orders: archives everything, at most `limit` when that is given."""
    most = whole(call, "limit", len(shop.collections["orders"]))
    live = [order for order in shop.collections["orders"].values() if not order["is_deleted"]]
    for order in live[:most]:
        _archive(shop, order)
    return nothing()


def _archive(shop: Shop, order: JsonObject) -> None:
    if not order["is_deleted"]:
        order["is_deleted"] = True
        modified(shop, order, tell=False)
        emit_order(shop, order, "archived")
