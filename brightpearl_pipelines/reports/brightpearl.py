"""A Brightpearl account's side of the books, straight from its records.

Source: brightpearl.md §5.1 (orders), §5.6 (sales credits), §9.2 (customer payments). What belongs to no shop, such as
an order taken by telephone, has no entry: there is nothing that it could be compared with.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.reports.bigcommerce import payment_key
from brightpearl_pipelines.reports.entries import ZERO, Entry, Kind
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings

ROUNDING = "rounding"
"""The externalRef of a row that takes up what rounding leaves over."""
MONEY_IN = ("RECEIPT", "CAPTURE")
MONEY_OUT = "PAYMENT"
"""Of the other payment types, AUTH and VOID, no money moves."""


@dataclass(frozen=True, slots=True)
class Belongs:
    """Whose an order or a sales credit is: the shop, the order's number there, the refund's name if it is a credit."""

    shop: str
    number: str
    refund: str
    channel: str


def belongs(record: Record, shops: Collection[str]) -> Belongs | None:
    """None for what belongs to none of the shops. Orders are called `shop:number`, credits `shop:number:refund`."""
    if record.deleted:
        return None
    shop, _, name = str(record.payload.get("externalRef") or "").partition(":")
    if shop not in shops or not name:
        return None
    number, _, refund = name.partition(":")
    assigned = (record.payload.get("assignment") or {}).get("current") or {}
    return Belongs(shop, number, f"{number}-{refund}" if refund else "", str(assigned.get("channelId", "")))


def sale_entry(record: Record, whose: Belongs, settings: BrightpearlSettings) -> Entry:
    """A sales order, or a sales credit: the entry of an order or of a refund."""
    payload = record.payload
    total = payload["totalValue"]
    amount, tax = _amount(total["total"]), _amount(total["taxAmount"])
    rounding, rounding_tax = _rounding(payload["orderRows"])
    status = (payload.get("orderStatus") or {}).get("orderStatusId")
    cancelled = status == settings.order_statuses[OrderStatus.CANCELLED]
    return Entry(
        kind=Kind.REFUND if whose.refund else Kind.ORDER,
        shop=whose.shop,
        number=whose.number,
        key=whose.refund or whose.number,
        day=_day(payload["placedOn"]),
        channel=whose.channel,
        currency=str(payload["currency"]["orderCurrencyCode"]),
        amount=ZERO if cancelled else amount,
        tax=ZERO if cancelled else tax,
        stated=amount,
        record=record.id,
        fetched_at=record.fetched_at,
        refund=whose.refund,
        rounding=rounding,
        rounding_tax=rounding_tax,
        cancelled=cancelled,
    )


def payment_entry(record: Record, whose: Belongs) -> Entry | None:
    """Money received for an order, or paid back; None for an authorisation, which moves no money."""
    payload = record.payload
    kind = Kind.RECEIVED if payload["paymentType"] in MONEY_IN else Kind.PAID_BACK
    if record.deleted or (kind is Kind.PAID_BACK and payload["paymentType"] != MONEY_OUT):
        return None
    amount, method = _amount(payload["amountPaid"]), str(payload["paymentMethodCode"])
    return Entry(
        kind=kind,
        shop=whose.shop,
        number=whose.number,
        # What goes back without a refund does so because the order was cancelled.
        key=payment_key(whose.refund or whose.number, method),
        day=_day(payload["paymentDate"]),
        channel=whose.channel,
        currency=str(payload["currencyCode"]),
        amount=amount,
        tax=ZERO,
        stated=amount,
        record=record.id,
        fetched_at=record.fetched_at,
        method=method,
        refund=whose.refund,
    )


def _rounding(rows: Mapping[str, Json]) -> tuple[Decimal, Decimal]:
    values = [row["rowValue"] for row in rows.values() if row.get("externalRef") == ROUNDING]
    net, tax = (sum((_amount(each[name]["value"]) for each in values), ZERO) for name in ("rowNet", "rowTax"))
    return net, tax


def _amount(value: object) -> Decimal:
    return Decimal(str(value))


def _day(instant: str) -> date:
    return datetime.fromisoformat(instant).astimezone(UTC).date()
