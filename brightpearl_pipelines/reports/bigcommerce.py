"""A BigCommerce store's side of the books, straight from its records: none of our mappings stands in between.

Source: bigcommerce.md §2.2 (orders, tenders), §2.8 (refunds).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.reports.entries import UNREADABLE, ZERO, Entry, Kind
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings

NO_SALE = (OrderStatus.INCOMPLETE, OrderStatus.CANCELLED)
"""Where an order stands when it counts for nothing: the checkout was never finished, or it was taken back."""
TAKEN = ("captured", "paid", "partially refunded", "refunded")
"""Payment statuses of money that was taken, whatever became of it later; an authorisation is a promise."""
OWN_WAYS = {"storecredit": "Store Credit", "giftcertificate": "Gift Certificate", "custom": "Manual"}
"""Providers of refund payments that are no payment gateway, in the words of the checkout."""


def order_entries(record: Record, settings: BigCommerceSettings, methods: Mapping[str, str]) -> list[Entry]:
    """The order itself, and one entry per payment method that it was paid with; none if the shop has it no more.

    `methods`: the shop's words for payment methods, and Brightpearl's code. A record without the fields that the fact
    sheet promises becomes an entry of 0, on the day on which it changed: it has to be explained too.
    """
    if record.deleted:
        return []
    try:
        return list(_order_entries(record, settings, methods))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return [_unreadable(record, Kind.ORDER, record.id, record.id)]


def refund_entries(record: Record, order: Record | None, methods: Mapping[str, str]) -> list[Entry]:
    """The refund, and one entry per method by which money went back; channel and currency are those of its order.

    Refund records are called `order-refund`.
    """
    if record.deleted:
        return []
    number = record.id.partition("-")[0]
    if order is None:
        return [_unreadable(record, Kind.REFUND, number, record.id)]
    try:
        return list(_refund_entries(record, order.payload, number, methods))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return [_unreadable(record, Kind.REFUND, number, record.id)]


def payment_key(name: str, method: str) -> str:
    """What the payments of an order, or of a refund, by one method are called."""
    return f"{name}:{method}"


def _order_entries(record: Record, settings: BigCommerceSettings, methods: Mapping[str, str]) -> Iterator[Entry]:
    order = record.payload
    currency = str(order["default_currency_code"])
    status = settings.order_statuses.get(str(order["status_id"]))
    counts = status not in NO_SALE
    gross, tax = _amount(order["total_inc_tax"], currency), _amount(order["total_tax"], currency)
    entry = Entry(
        kind=Kind.ORDER,
        shop=record.connection,
        number=record.id,
        key=record.id,
        day=_instant(order["date_created"]).date(),
        channel=str(order["channel_id"]),
        currency=currency,
        amount=gross if counts else ZERO,
        tax=tax if counts else ZERO,
        stated=gross,
        record=record.id,
        fetched_at=record.fetched_at,
        cancelled=status is OrderStatus.CANCELLED,
    )
    yield entry
    if status is OrderStatus.INCOMPLETE:
        return
    received: dict[str, Decimal] = {}
    for word, amount in _tenders(order, currency, gross):
        method = methods.get(word, word)
        received[method] = received.get(method, ZERO) + amount
    for method, amount in received.items():
        key = payment_key(record.id, method)
        yield replace(entry, kind=Kind.RECEIVED, key=key, amount=amount, tax=ZERO, stated=amount, method=method)


def _tenders(order: Json, currency: str, gross: Decimal) -> Iterator[tuple[str, Decimal]]:
    """What paid: gift certificates and store credit go first and are no part of the shop's arithmetic (§2.2)."""
    certificates = _amount(order.get("gift_certificate_amount") or "0", currency)
    credit = _amount(order.get("store_credit_amount") or "0", currency)
    if certificates > 0:
        yield "Gift Certificate", certificates
    if credit > 0:
        yield "Store Credit", credit
    rest = gross - certificates - credit
    if order.get("payment_status") not in TAKEN:
        # Orders taken by hand have no status; then their transactions tell, where they were read.
        rest = min(rest, _amount(_transacted(order.get("transactions") or ()), currency))
    if rest > 0:
        yield str(order.get("payment_method") or "Manual"), rest


def _transacted(transactions: Sequence[Json]) -> Decimal:
    """Money that came in by a gateway (§2.8)."""
    came_in = [
        Decimal(str(each["amount"]))
        for each in transactions
        if each["event"] in ("purchase", "capture", "settled")
        and each.get("status") == "ok"
        and each.get("method") not in ("gift_certificate", "store_credit")
    ]
    return sum(came_in, ZERO)


def _refund_entries(record: Record, order: Json, number: str, methods: Mapping[str, str]) -> Iterator[Entry]:
    refund = record.payload
    currency = str(order["default_currency_code"])
    gross = _amount(refund["total_amount"], currency)
    entry = Entry(
        kind=Kind.REFUND,
        shop=record.connection,
        number=number,
        key=record.id,
        day=_instant(refund["created"]).date(),
        channel=str(order["channel_id"]),
        currency=currency,
        amount=gross,
        tax=_amount(refund["total_tax"], currency),
        stated=gross,
        record=record.id,
        fetched_at=record.fetched_at,
        refund=record.id,
    )
    yield entry
    back: dict[str, Decimal] = {}
    for payment in refund["payments"]:
        amount = _amount(payment["amount"], currency)
        if amount and not payment.get("is_declined"):
            method = _way_back(payment, order, methods)
            back[method] = back.get(method, ZERO) + amount
    for method, amount in back.items():
        key = payment_key(record.id, method)
        yield replace(entry, kind=Kind.PAID_BACK, key=key, amount=amount, tax=ZERO, stated=amount, method=method)


def _way_back(payment: Json, order: Json, methods: Mapping[str, str]) -> str:
    """By the way that the order was paid, unless the provider is one of the shop's own (§2.8)."""
    provider = str(payment.get("provider_id") or "")
    own = OWN_WAYS.get(provider) if provider != str(order.get("payment_provider_id") or "") else None
    word = own or str(order.get("payment_method") or "Manual")
    return methods.get(word, word)


def _unreadable(record: Record, kind: Kind, number: str, key: str) -> Entry:
    day = (record.modified_at or record.fetched_at).astimezone(UTC).date()
    return Entry(
        kind, record.connection, number, key, day, "", UNREADABLE, ZERO, ZERO, ZERO, record.id, record.fetched_at
    )


def _amount(value: object, currency: str) -> Decimal:
    return to_minor_unit(Decimal(str(value)), currency)


def _instant(value: str) -> datetime:
    """V2 writes RFC 2822, V3 ISO 8601 (§1.2)."""
    parsed = datetime.fromisoformat(value) if value[:1].isdigit() else parsedate_to_datetime(value)
    return parsed.astimezone(UTC)
