"""Refunds, V3: quotes, records, and what they do to the order (bigcommerce.md §2.8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import refuse_wrong
from brightpearl_pipelines.sandbox.bigcommerce.order_book import emit_order, modified, set_status
from brightpearl_pipelines.sandbox.bigcommerce.order_checks import REFUND_CHECKS
from brightpearl_pipelines.sandbox.bigcommerce.order_money import CENT, ZERO
from brightpearl_pipelines.sandbox.bigcommerce.payments import GATEWAY, add_transaction, need_order
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import PARTIALLY_REFUNDED, REFUNDED
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    STATUS_PAGE,
    Call,
    Json,
    JsonObject,
    Refusal,
    id_filter,
    instant_filter,
    iso,
    number,
    parse_instant,
    v3_data,
    v3_slice,
)

SETTLED = frozenset({"captured", "paid", "partially refunded", "refunded"})
BY_QUANTITY = frozenset({"PRODUCT", "GIFT_WRAPPING"})
BY_AMOUNT = frozenset({"SHIPPING", "HANDLING", "ORDER", "FEE"})
GUEST_CREDIT = "Unable to provide store credit for a guest customer."


class RefundError(ValueError):
    """A refund that cannot be: more than is left, an unknown line, an order that is not paid."""


@dataclass
class Quote:
    """What a refund comes to."""

    items: list[JsonObject] = field(default_factory=list)
    total: Decimal = ZERO
    tax: Decimal = ZERO
    order_level: Decimal = ZERO
    adjustment: Decimal = ZERO

    def add(self, item: JsonObject, amount: Decimal, tax: Decimal) -> None:
        self.items.append({**item, "requested_amount": number(amount)})
        self.total += amount
        self.tax += tax


def refunded_so_far(shop: Shop, order_id: int) -> Decimal:
    """The sum of an order's refunds."""
    return sum((Decimal(str(each["total_amount"])) for each in shop.children("refunds", order_id)), ZERO)


def quote_for(shop: Shop, order: JsonObject, items: Sequence[Mapping[str, Any]], tax_adjustment: Decimal) -> Quote:
    """Work out what items are worth; RefundError when they cannot be refunded."""
    if order["payment_status"] not in SETTLED:
        raise RefundError(f"Order {order['id']} cannot be refunded: its payment is not settled.")
    quote = Quote()
    asked: dict[int, int] = {}
    for item in items:
        kind = item.get("item_type")
        if kind in BY_QUANTITY:
            _add_line(shop, order, quote, item, asked)
        elif kind in BY_AMOUNT:
            _add_amount(shop, order, quote, item)
        else:
            raise RefundError(f"The item type {kind!r} cannot be refunded.")
    if tax_adjustment:
        quote.total += tax_adjustment
        quote.tax += tax_adjustment
    left = Decimal(order["total_inc_tax"]) - refunded_so_far(shop, order["id"])
    if quote.total > left:
        raise RefundError(f"The refund of {quote.total} is more than the {left} that is left of the order.")
    return quote


def _add_line(shop: Shop, order: JsonObject, quote: Quote, item: Mapping[str, Any], asked: dict[int, int]) -> None:
    line = shop.get("order_products", item.get("item_id", 0))
    quantity = item.get("quantity")
    if line is None or line["order_id"] != order["id"]:
        raise RefundError(f"Order {order['id']} has no line {item.get('item_id')}.")
    before = line["quantity_refunded"] + asked.get(line["id"], 0)
    if type(quantity) is not int or quantity < 1 or before + quantity > line["quantity"]:
        raise RefundError(f"Line {line['id']} has {line['quantity'] - before} left to refund, not {quantity}.")
    asked[line["id"]] = asked.get(line["id"], 0) + quantity
    amount, tax = ZERO, ZERO
    if item["item_type"] == "PRODUCT":
        amount = _share(Decimal(line["discounted_total_inc_tax"]), line["quantity"], before, quantity)
        tax = _share(_line_tax(shop, line), line["quantity"], before, quantity)
    adjustments = [_adjustment(each) for each in item.get("adjustments") or []]
    off = sum((amount for amount, _ in adjustments), ZERO)
    quote.adjustment += off
    shown = {
        "item_type": item["item_type"],
        "item_id": line["id"],
        "quantity": quantity,
        "reason": str(item.get("reason") or ""),
        "adjustments": [{"amount": number(amount), "description": text} for amount, text in adjustments],
    }
    quote.add(shown, amount + off, tax)


def _share(whole: Decimal, parts: int, before: int, quantity: int) -> Decimal:
    """A share of a line in cents, such that all shares together make the whole."""

    def upto(count: int) -> Decimal:
        return (whole * count / parts).quantize(CENT, ROUND_HALF_UP)

    return upto(before + quantity) - upto(before)


def _line_tax(shop: Shop, line: JsonObject) -> Decimal:
    """The line's tax after discounts."""
    rows = shop.need("order_taxes", line["order_id"])["rows"]
    return next((Decimal(row[3]) for row in rows if row[0] == line["id"]), ZERO)


def _adjustment(given: Json) -> tuple[Decimal, str]:
    amount = _amount(given.get("amount"))
    if amount > 0:
        raise RefundError("An adjustment may not be above 0.")
    return amount, str(given.get("description") or "")


def _amount(value: Json) -> Decimal:
    try:
        return Decimal(str(value)).quantize(CENT, ROUND_HALF_UP)
    except ArithmeticError:
        raise RefundError(f"The amount {value!r} is not a number.") from None


def _add_amount(shop: Shop, order: JsonObject, quote: Quote, item: Mapping[str, Any]) -> None:
    """Shipping and handling by order address, a fee by its id, or an order-level amount, which has no tax effect."""
    kind, id_ = item["item_type"], item.get("item_id", 0)
    amount = _amount(item.get("amount"))
    if kind == "ORDER":
        gross, tax = Decimal(order["total_inc_tax"]), ZERO
        quote.order_level += amount
        known = id_ == order["id"]
    else:
        table, prefix = ("order_fees", "") if kind == "FEE" else ("order_addresses", "")
        prefix = "handling_" if kind == "HANDLING" else prefix
        owner = shop.get(table, id_)
        known = owner is not None and owner["order_id"] == order["id"]
        gross = Decimal(owner[f"{prefix}cost_inc_tax"]) if known and owner else ZERO
        tax = Decimal(owner[f"{prefix}cost_tax"]) if known and owner else ZERO
    if not known:
        raise RefundError(f"Order {order['id']} has nothing of type {kind} with the id {id_}.")
    left = gross - _refunded_of(shop, order["id"], kind, id_)
    if amount <= 0 or amount > left:
        raise RefundError(f"{kind} {id_} has {left} left to refund, not {amount}.")
    share = (tax * amount / gross).quantize(CENT, ROUND_HALF_UP) if gross else ZERO
    quote.add({"item_type": kind, "item_id": id_, "reason": str(item.get("reason") or "")}, amount, share)


def _refunded_of(shop: Shop, order_id: int, kind: str, id_: int) -> Decimal:
    return sum(
        (
            Decimal(str(item["requested_amount"]))
            for refund in shop.children("refunds", order_id)
            for item in refund["items"]
            if item["item_type"] == kind and item["item_id"] == id_
        ),
        ZERO,
    )


# -- making one ------------------------------------------------------------------------------------------------------


def record(
    shop: Shop,
    order: JsonObject,
    quote: Quote,
    payments: Sequence[Mapping[str, Any]],
    *,
    reason: str,
    override: tuple[Decimal, Decimal] | None,
    restock: bool,
) -> JsonObject:
    """Store a refund and let the order follow: refunded quantities, payment status, status 14 or 4, events."""
    total, tax = override or (quote.total, quote.tax)
    refund: JsonObject = {
        "id": shop.next_id("refunds"),
        "order_id": order["id"],
        "user_id": 0,
        "created": iso(shop.now()),
        "reason": reason,
        "total_amount": number(total),
        "total_tax": number(tax),
        "uses_merchant_override_values": override is not None,
        "items": quote.items,
        "payments": [_payment(shop, each) for each in payments],
    }
    shop.add("refunds", refund)
    for item in quote.items:
        if item["item_type"] == "PRODUCT":
            line = shop.need("order_products", item["item_id"])
            line["quantity_refunded"] += item["quantity"]
            line["is_refunded"] = line["quantity_refunded"] >= line["quantity"]
    whole = refunded_so_far(shop, order["id"]) >= Decimal(order["total_inc_tax"])
    order["payment_status"] = "refunded" if whole else "partially refunded"
    emit_order(shop, order, "refund/created", refund={"refund_id": refund["id"]})
    set_status(shop, order, REFUNDED if whole else PARTIALLY_REFUNDED, restock=restock)
    modified(shop, order)
    _pay_later(shop, order, refund)
    return refund


def _payment(shop: Shop, given: Mapping[str, Any]) -> JsonObject:
    return {
        "id": shop.next_id("refund_payments"),
        "provider_id": str(given.get("provider_id") or GATEWAY),
        "amount": number(_amount(given.get("amount"))),
        "offline": bool(given.get("offline")),
        "is_declined": False,
        "declined_message": "",
        "transaction_id": "",
    }


def _pay_later(shop: Shop, order: JsonObject, refund: JsonObject) -> None:
    """The money moves afterwards; then the refund names its transaction."""

    async def pay() -> None:
        for payment in refund["payments"]:
            amount = Decimal(str(payment["amount"]))
            payment["transaction_id"] = str(add_transaction(shop, order, "refund", amount)["id"])

    shop.after(float(shop.settings["payment_delay_seconds"]), pay)


def resume(shop: Shop) -> None:
    """Set the timers of refunds whose money a restart found on its way."""
    for refund in shop.collections["refunds"].values():
        if any(payment["transaction_id"] == "" for payment in refund["payments"]):
            _pay_later(shop, shop.need("orders", refund["order_id"]), refund)


def by_clerk(
    shop: Shop, order_id: int, items: Sequence[tuple[int, int]], amount_override: Decimal | None, reason: str
) -> int:
    """A refund made in the control panel; a full one returns stock if the shop's settings say so (§8.7)."""
    order = shop.need("orders", order_id)
    wanted = [{"item_type": "PRODUCT", "item_id": id_, "quantity": quantity} for id_, quantity in items]
    quote = quote_for(shop, order, wanted, ZERO)
    total = quote.total
    override = None
    if amount_override is not None:
        total = amount_override.quantize(CENT, ROUND_HALF_UP)
        left = Decimal(order["total_inc_tax"]) - refunded_so_far(shop, order_id)
        if total <= 0 or total > left:
            raise RefundError(f"Order {order_id} has {left} left to refund, not {total}.")
        share = quote.tax * total / quote.total if quote.total else ZERO
        override = (total, share.quantize(CENT, ROUND_HALF_UP))
    payments = [{"provider_id": order["payment_provider_id"] or GATEWAY, "amount": total, "offline": False}]
    refund = record(shop, order, quote, payments, reason=reason, override=override, restock=True)
    return int(refund["id"])


# -- the API ---------------------------------------------------------------------------------------------------------


def _asked(shop: Shop, order: JsonObject, body: JsonObject) -> Quote:
    items = body.get("items")
    adjustment = body.get("tax_adjustment_amount")
    if adjustment is None and (not isinstance(items, list) or not items):
        raise Refusal(422, "Missing Required Fields", errors={"items": "Please provide items or a tax adjustment."})
    refuse_wrong(body, REFUND_CHECKS)
    try:
        return quote_for(shop, order, items or [], ZERO if adjustment is None else _amount(adjustment))
    except RefundError as error:
        raise Refusal(422, str(error)) from None


def create_quote(shop: Shop, call: Call) -> Response:
    """POST …/refund_quotes: what the items come to, and the ways to pay it back."""
    order = need_order(shop, call)
    quote = _asked(shop, order, call.object_body())
    online = order["payment_provider_id"] or "custom"
    ways = [[_way(online, order["payment_method"] or "Custom", quote.total, offline=False)]]
    ways.append([_way("custom", "Custom", quote.total, offline=True)])
    if order["customer_id"]:
        ways.append([_way("storecredit", "Store Credit", quote.total, offline=False)])
    data = {
        "order_id": order["id"],
        "total_refund_amount": number(quote.total),
        "total_refund_tax_amount": number(quote.tax),
        "order_level_refund_amount": number(quote.order_level),
        "rounding": 0,
        "adjustment": number(quote.adjustment),
        "tax_inclusive": order["is_tax_inclusive_pricing"],
        "refund_methods": ways,
    }
    return v3_data(data, 201)


def _way(provider: str, description: str, amount: Decimal, *, offline: bool) -> JsonObject:
    return {
        "provider_id": provider,
        "provider_description": description,
        "amount": number(amount),
        "offline": offline,
        "offline_provider": provider == "custom",
        "offline_reason": "",
    }


def create_refund(shop: Shop, call: Call) -> Response:
    """POST …/refunds: the payments must come to the quote, or to the merchant's own figures (§2.8)."""
    order, body = need_order(shop, call), call.object_body()
    quote = _asked(shop, order, body)
    payments = body.get("payments")
    if not payments:
        raise Refusal(422, "Missing Required Fields", errors={"payments": "Please provide payments."})
    if not order["customer_id"] and any(each.get("provider_id") == "storecredit" for each in payments):
        guest = {"status": 422, "title": GUEST_CREDIT, "type": STATUS_PAGE}
        raise Refusal(422, GUEST_CREDIT, body={"data": [guest]})
    override = None
    try:
        given = body.get("merchant_calculated_override")
        if given is not None:
            override = (_amount(given.get("total_amount")), _amount(given.get("total_tax")))
        wanted = override[0] if override else quote.total
        paid = sum((_amount(each.get("amount")) for each in payments), ZERO)
        left = Decimal(order["total_inc_tax"]) - refunded_so_far(shop, order["id"])
    except RefundError as error:
        raise Refusal(422, str(error)) from None
    if paid != wanted or wanted > left:
        raise Refusal(422, f"The payments come to {paid}, but {wanted} is to be refunded and {left} is left.")
    restock = bool(shop.settings["api_refunds_restock"])
    refund = record(
        shop, order, quote, payments, reason=str(body.get("reason") or ""), override=override, restock=restock
    )
    return v3_data(refund, 201)


def list_order_refunds(shop: Shop, call: Call) -> Response:
    """GET /v3/orders/{order_id}/payment_actions/refunds."""
    return v3_data(shop.children("refunds", need_order(shop, call)["id"]))


def list_refunds(shop: Shop, call: Call) -> Response:
    """GET /v3/orders/payment_actions/refunds: all refunds by id, with filters; what a sync polls."""
    orders, ids = id_filter(call, "order_id:in"), id_filter(call, "id:in")
    low, high = instant_filter(call, "created:min"), instant_filter(call, "created:max")
    transaction = call.query.get("transaction_id")

    def passes(refund: JsonObject) -> bool:
        second = int(parse_instant(refund["created"]).timestamp())
        paid = {payment["transaction_id"] for payment in refund["payments"]}
        return (
            (orders is None or refund["order_id"] in orders)
            and (ids is None or refund["id"] in ids)
            and (low is None or second >= low)
            and (high is None or second <= high)
            and (transaction is None or transaction in paid)
        )

    if orders is not None:
        candidates = sorted(
            (refund for id_ in orders for refund in shop.children("refunds", id_)), key=lambda refund: refund["id"]
        )
    else:
        candidates = list(shop.collections["refunds"].values())
    return v3_slice(call, [refund for refund in candidates if passes(refund)])


def get_refund(shop: Shop, call: Call) -> Response:
    """GET /v3/orders/payment_actions/refunds/{refund_id}; here the amounts asked for are texts."""
    refund = shop.get("refunds", call.ids["refund_id"])
    if refund is None:
        raise Refusal(404, NOT_FOUND)
    items = [{**item, "requested_amount": f"{item['requested_amount']:.2f}"} for item in refund["items"]]
    return v3_data({**refund, "items": items})
