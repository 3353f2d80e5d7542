"""What shoppers and clerks do in the shop without the API: buy, cancel (bigcommerce.md §2, §8.9)."""

import hashlib
import uuid
from decimal import Decimal

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.customer_book import customer_for
from brightpearl_pipelines.sandbox.bigcommerce.order_book import (
    MANUAL_DISCOUNT,
    add_line,
    apply_discount,
    catalog_facts,
    coupon_discount,
    emit_order,
    emit_status,
    modified,
    recompute,
    set_status,
    tax_rule,
    write_taxes,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_money import (
    NO_AMOUNT,
    ZERO,
    Amount,
    PricedLine,
    TaxRule,
    amount_from_net,
    line_from_net,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import (
    address_of,
    blank_order,
    fee_shape,
    order_address,
    set_shipping,
)
from brightpearl_pipelines.sandbox.bigcommerce.payments import pay_at_checkout
from brightpearl_pipelines.sandbox.bigcommerce.pickups import add_pickup
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import CANCELLED, UNPAID, status_name
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, money, rate
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder, Person

LINE_TYPES = {"product": "physical", "custom": "physical", "gift_certificate": "giftcertificate"}

BasketLine = tuple[DraftLine, JsonObject, PricedLine]
"""The draft, what the catalogue says of it, its price."""


def place(shop: Shop, draft: DraftOrder) -> int:
    """A checkout from basket to order; returns the order's id.

    ValueError, with nothing changed, for an unknown SKU, currency or status, and for a discount above the lines' worth.
    """
    status_name(draft.status_id)
    rule = tax_rule(shop, inclusive=draft.tax_inclusive)
    basket = [(line, _facts(shop, draft, line), _priced(line, rule)) for line in draft.lines]
    _check(shop, draft, basket)
    currency = currency_of(shop, draft.currency)
    order = blank_order(shop.next_id("orders", 100), draft.placed_at, shop.now(), draft.status_id)
    order["customer_id"] = customer_for(shop, draft.person)
    _describe(shop, order, draft, currency)
    shipping = amount_from_net(draft.shipping_price, draft.shipping_tax_rate, rule)
    addresses = _addresses(shop, order, draft, basket, shipping)
    pickup_id = _pickup(shop, order, draft)
    rates: dict[int, Decimal] = {}
    lines = []
    for draft_line, facts, priced in basket:
        line = add_line(shop, order, facts, priced, addresses.get(draft_line.ship_to or draft.ship_to, 0))
        if line["type"] == "physical":
            line["order_pickup_method_id"] = pickup_id
        _wrap(line, draft_line, rule)
        rates[line["id"]] = draft_line.tax_rate
        lines.append(line)
    _discount(shop, order, draft, lines)
    if draft.fee_name is not None:
        names = {"display_name_customer": draft.fee_name, "source": "storefront"}
        amount = Amount(draft.fee_price, draft.fee_price, draft.fee_price)
        shop.add("order_fees", fee_shape(shop.next_id("order_fees"), order["id"], names, amount))
    _charge_wrapping(order, lines)
    write_taxes(shop, order, rates, draft.shipping_tax_rate)
    recompute(shop, order)
    _tender(order, draft)
    shop.put("orders", order["id"], order)
    shop.index_new_order(order)
    emit_order(shop, order, "created")
    if draft.status_id not in UNPAID:
        pay_at_checkout(shop, order)
        emit_status(shop, order)
    stock.take_for_order(shop, order)
    return int(order["id"])


def cancel(shop: Shop, order_id: int) -> None:
    """A clerk sets the order to Cancelled: a label, no refund; the stock returns if the shop says so (§8.7)."""
    order = shop.need("orders", order_id)
    set_status(shop, order, CANCELLED)
    modified(shop, order)


def _facts(shop: Shop, draft: DraftOrder, line: DraftLine) -> JsonObject:
    if line.sku is None or line.kind != "product":
        kind = LINE_TYPES[line.kind]
        names = dict.fromkeys(("name", "name_customer", "name_merchant"), line.name or line.kind)
        return {**names, "type": kind, "sku": line.sku or "", "product_id": 0, "variant_id": 0}
    variant = shop.variant_of_sku(line.sku)
    if variant is None:
        raise ValueError(
            f"the shop has no product with the SKU {line.sku!r} (order {draft.external_id or 'without id'})"
        )
    return catalog_facts(shop, variant)


def _priced(line: DraftLine, rule: TaxRule) -> PricedLine:
    return line_from_net(line.price, line.quantity, line.tax_rate, rule)


def _check(shop: Shop, draft: DraftOrder, basket: list[BasketLine]) -> None:
    worth = sum((priced.total.inc for _, facts, priced in basket if facts["type"] != "giftcertificate"), ZERO)
    if draft.discount < 0 or draft.discount > worth:
        raise ValueError(f"a discount of {draft.discount} does not fit lines worth {worth}")
    if not basket:
        raise ValueError("an order needs at least one line")
    if not shop.settings["checkout_requires_stock"]:
        return
    for line, facts, _ in basket:
        variant = shop.get("variants", facts["variant_id"])
        key = None if variant is None else stock.key_of(shop, variant)
        if key is not None and stock.level_of_key(shop, key) < line.quantity:
            raise ValueError(f"the shop has fewer than {line.quantity} of {line.sku!r}")


def currency_of(shop: Shop, code: str) -> JsonObject:
    """The shop's currency with this code; ValueError when it has none."""
    for currency in shop.collections["currencies"].values():
        if currency["currency_code"] == code.upper():
            return currency
    raise ValueError(f"the shop does not sell in {code}")


def default_currency(shop: Shop) -> JsonObject:
    return next(currency for currency in shop.collections["currencies"].values() if currency["is_default"])


def set_currency(shop: Shop, order: JsonObject, currency: JsonObject, exchange_rate: Decimal) -> None:
    """The currency paid in; `exchange_rate` is what `currency_exchange_rate` says (§2.2)."""
    order["currency_id"] = order["default_currency_id"] = currency["id"]
    order["currency_code"] = order["default_currency_code"] = currency["currency_code"]
    order["currency_exchange_rate"] = rate(exchange_rate)
    order["store_default_currency_code"] = default_currency(shop)["currency_code"]
    order["store_default_to_transactional_exchange_rate"] = rate(Decimal(currency["currency_exchange_rate"]))


def billing_fields(person: Person) -> JsonObject:
    """A person as an order's address."""
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "company": person.company,
        "street_1": person.street_1,
        "street_2": person.street_2,
        "city": person.city,
        "state": person.state,
        "zip": person.postcode,
        "country": person.country,
        "country_iso2": person.country_iso2,
        "phone": person.phone,
        "email": person.email,
    }


def _describe(shop: Shop, order: JsonObject, draft: DraftOrder, currency: JsonObject) -> None:
    set_currency(shop, order, currency, Decimal(currency["currency_exchange_rate"]))
    order["billing_address"] = address_of(billing_fields(draft.person))
    order["is_tax_inclusive_pricing"] = draft.tax_inclusive
    order["payment_method"] = draft.payment_method
    order["customer_message"], order["order_source"] = draft.message, draft.source
    order["channel_id"] = draft.channel_id
    order["external_order_id"] = draft.external_id or ""
    order["geoip_country"], order["geoip_country_iso2"] = draft.person.country, draft.person.country_iso2
    order["ip_address"] = "192.0.2.10"
    # A cart id that is the same for the same order of the same world.
    seed = hashlib.sha256(f"{shop.hash}:{order['id']}".encode()).digest()[:16]
    order["cart_id"] = str(uuid.UUID(bytes=seed, version=4))


def _addresses(
    shop: Shop, order: JsonObject, draft: DraftOrder, basket: list[BasketLine], shipping: Amount
) -> dict[Person | None, int]:
    """The order's addresses by recipient (None: the buyer); the first one bears the cost of shipping."""
    recipients = {line.ship_to or draft.ship_to: 0 for line, facts, _ in basket if facts["type"] == "physical"}
    if draft.pickup_at is not None or not recipients:
        # Nobody charges postage for a download, but a draft may: then the cost stays on the order alone.
        set_shipping(order, "shipping_cost", "base_shipping_cost", shipping if draft.shipping_price else NO_AMOUNT)
        return {}
    set_shipping(order, "shipping_cost", "base_shipping_cost", shipping)
    for place, recipient in enumerate(recipients):
        person = recipient or draft.person
        given = {**billing_fields(person), "shipping_method": draft.shipping_method}
        address = order_address(shop.next_id("order_addresses"), order["id"], given, (1, person.country))
        if place == 0:
            set_shipping(address, "cost", "base_cost", shipping)
        shop.add("order_addresses", address)
        recipients[recipient] = int(address["id"])
    return recipients


def _pickup(shop: Shop, order: JsonObject, draft: DraftOrder) -> int:
    """How the order is picked up; 0 if it is not."""
    if draft.pickup_at is None:
        return 0
    place = {"name": draft.pickup_at, "code": draft.pickup_at.upper(), "country_alpha2": draft.person.country_iso2}
    given = {"pickup_method_id": 1, "pickup_method_display_name": draft.shipping_method, "location": place}
    return add_pickup(shop, order, given)


def _wrap(line: JsonObject, draft: DraftLine, rule: TaxRule) -> None:
    """Gift wrapping stands on the line that is wrapped (§2.3)."""
    if draft.wrapping is None:
        return
    line["wrapping_id"], line["wrapping_name"], line["wrapping_message"] = 1, draft.wrapping, draft.wrapping_message
    cost = amount_from_net(draft.wrapping_price * draft.quantity, draft.tax_rate, rule)
    set_shipping(line, "wrapping_cost", "base_wrapping_cost", cost)


def _charge_wrapping(order: JsonObject, lines: list[JsonObject]) -> None:
    """The order's own cost of wrapping is that of its lines."""
    base, ex, inc = (
        sum((Decimal(line[name]) for line in lines), ZERO)
        for name in ("base_wrapping_cost", "wrapping_cost_ex_tax", "wrapping_cost_inc_tax")
    )
    set_shipping(order, "wrapping_cost", "base_wrapping_cost", Amount(base, ex, inc))


def _tender(order: JsonObject, draft: DraftOrder) -> None:
    """What gift certificates and store credit pay of the total."""
    order["gift_certificate_amount"] = money(draft.gift_certificate)
    order["store_credit_amount"] = money(draft.store_credit)


def _discount(shop: Shop, order: JsonObject, draft: DraftOrder, lines: list[JsonObject]) -> None:
    """Lay the draft's discount on order and lines, as a coupon when it has a code."""
    if not draft.discount:
        return
    if draft.coupon_code is None:
        apply_discount(lines, draft.discount, MANUAL_DISCOUNT)
        order["discount_amount"] = money(draft.discount)
        return
    apply_discount(lines, draft.discount, coupon_discount(draft.coupon_code))
    order["coupon_discount"] = money(draft.discount)
    coupon_id = _coupon_id(shop, draft.coupon_code)
    shop.add(
        "order_coupons",
        {
            "id": shop.next_id("order_coupons"),
            "coupon_id": coupon_id,
            "order_id": order["id"],
            "code": draft.coupon_code,
            "amount": money(draft.discount),
            "type": 2,
            "discount": float(draft.discount),
        },
    )


def _coupon_id(shop: Shop, code: str) -> int:
    known = shop.named_ids.setdefault("coupons", {})
    if code.lower() not in known:
        known[code.lower()] = shop.next_id("coupons")
    return known[code.lower()]
