"""Payments of an order: what a checkout leaves, capture and void, transactions (bigcommerce.md §2.8)."""

from decimal import Decimal

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.order_book import modified
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    iso,
    json_answer,
    nothing,
    number,
    v3_slice,
)

GATEWAY = "testgateway"

CARD = {
    "card_type": "visa",
    "card_iin": "411111",
    "card_last4": "1111",
    "card_expiry_month": 12,
    "card_expiry_year": 2030,
}


def pay_at_checkout(shop: Shop, order: JsonObject) -> None:
    """The payment of an order that was placed as paid: captured at once, or only authorised."""
    event = str(shop.settings["payment_event"])
    order["payment_status"] = "captured" if event == "purchase" else "authorized"
    if order["payment_method"] == "Credit Card":
        order["credit_card_type"] = "visa"
    order["payment_provider_id"] = GATEWAY
    others = sum(Decimal(order[name]) for name in ("gift_certificate_amount", "store_credit_amount"))
    add_transaction(shop, order, event, Decimal(order["total_inc_tax"]) - others)


def add_transaction(
    shop: Shop, order: JsonObject, event: str, amount: Decimal, *, reference: int | None = None
) -> JsonObject:
    """Store a transaction of an order and tell it."""
    id_ = shop.next_id("transactions")
    card = order["payment_method"] == "Credit Card"
    transaction: JsonObject = {
        "id": id_,
        "order_id": str(order["id"]),
        "event": event,
        "method": "credit_card" if card else "offline",
        "amount": number(amount),
        "currency": order["default_currency_code"],
        "gateway": GATEWAY if card else "custom",
        "gateway_transaction_id": f"tx-{order['id']}-{id_}",
        "status": "ok",
        "test": True,
        "fraud_review": False,
        "date_created": iso(shop.now()),
        "payment_method_id": f"{GATEWAY}.card" if card else "",
        "avs_result": {},
        "cvv_result": {},
        "credit_card": dict(CARD) if card else None,
        "offline": None if card else {"display_name": order["payment_method"]},
        "custom": None,
        "gift_certificate": None,
        "store_credit": None,
    }
    if reference is not None:
        transaction["reference_transaction_id"] = reference
    shop.add("transactions", transaction)
    data = {
        "type": "transaction",
        "order_id": str(order["id"]),
        "transaction_id": id_,
        "transaction_status": "ok",
        "transaction_type": event,
        "result": {"code": "", "message": "", "type": ""},
        "platform_transaction_id": str(id_),
        "provider_transaction_id": transaction["gateway_transaction_id"],
    }
    emit(shop, "store/order/transaction/created", data)
    return transaction


def need_order(shop: Shop, call: Call) -> JsonObject:
    """The order that the path names; 404 when there is none."""
    order = shop.get("orders", call.ids["order_id"])
    if order is None:
        raise Refusal(404, NOT_FOUND)
    return order


def transactions(shop: Shop, call: Call) -> Response:
    """GET /v3/orders/{order_id}/transactions; 204 when there are none."""
    order = need_order(shop, call)
    found = shop.children("transactions", order["id"])
    return v3_slice(call, found) if found else nothing()


SETTLING = {"capture pending": ("captured", "capture"), "void pending": ("void", "void")}
"""What a pending payment becomes, and the transaction that says so."""


def capture(shop: Shop, call: Call) -> Response:
    """POST …/payment_actions/capture: "capture pending" now, captured later."""
    return _settle(shop, call, "capture pending")


def void(shop: Shop, call: Call) -> Response:
    """POST …/payment_actions/void: "void pending" now, void later."""
    return _settle(shop, call, "void pending")


def _settle(shop: Shop, call: Call, pending: str) -> Response:
    order = need_order(shop, call)
    if order["payment_status"] != "authorized":
        state = order["payment_status"] or "not authorized"
        raise Refusal(422, f"The order's payment cannot be settled: it is {state}.")
    order["payment_status"] = pending
    modified(shop, order)
    _settle_later(shop, order)
    return json_answer({}, 201)


def _settle_later(shop: Shop, order: JsonObject) -> None:
    async def settle() -> None:
        settled, event = SETTLING[order["payment_status"]]
        order["payment_status"] = settled
        first = shop.children("transactions", order["id"])
        reference = first[0]["id"] if first else None
        add_transaction(shop, order, event, Decimal(order["total_inc_tax"]), reference=reference)
        modified(shop, order)

    shop.after(float(shop.settings["payment_delay_seconds"]), settle)


def resume(shop: Shop) -> None:
    """Set the timers of payments that a restart found pending."""
    for order in shop.collections["orders"].values():
        if order["payment_status"] in SETTLING:
            _settle_later(shop, order)
