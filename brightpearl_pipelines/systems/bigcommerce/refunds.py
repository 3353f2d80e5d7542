"""Refunds of the shop: what can be read, and what they mean: a return, and the money that goes back (§2.8).

A refund is called by its order and itself, `100-17`, since its own number alone would be mistaken for an order's.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import PaymentKind
from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.bigcommerce import refund_lines
from brightpearl_pipelines.systems.bigcommerce.client import ROWS_PER_PAGE, instant, wire_instant
from brightpearl_pipelines.systems.bigcommerce.sources import MAPPINGS
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Beside,
    Ignored,
    Linked,
    Mapped,
    Page,
    Session,
    Settings,
    Source,
    Stream,
    Window,
)
from brightpearl_pipelines.systems.paging import chunks, whole_numbers

REFUNDS = "v3/orders/payment_actions/refunds"
OVERLAP = timedelta(hours=6)
"""The money moves after the refund is made, and may be declined then (§2.8): recent refunds are read again."""
METHODS = {"storecredit": "Store Credit", "giftcertificate": "Gift Certificate", "custom": "Manual"}
"""What the shop calls the ways of paying back that are not the way of paying, as its checkout calls them."""


# -- reading ------------------------------------------------------------------------------------------------------


async def _changes(session: Session, window: Window) -> AsyncIterator[Page]:
    """Refunds by when they were made. They are listed by id and only ever added at the end, so pages never shift."""
    client = client_of(session)
    bounds = {}
    if window.since:
        bounds["created:min"] = wire_instant(window.since - timedelta(seconds=1))
    if window.until:
        bounds["created:max"] = wire_instant(window.until)
    page = 1
    while True:
        rows = await client.page(REFUNDS, bounds, page)
        if rows:
            yield Page([_record(row) for row in rows], watermark=max(instant(row["created"]) for row in rows))
        if len(rows) < ROWS_PER_PAGE:
            return
        page += 1


async def _by_ids(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Refunds by our name for them; an order's number alone means all of its refunds."""
    client = client_of(session)
    orders = {each.partition("-")[0] for each in ids}
    found: dict[str, SourceRecord] = {}
    for chunk in chunks(whole_numbers(orders, session.connection), ROWS_PER_PAGE):
        rows = await client.all(REFUNDS, {"order_id:in": ",".join(chunk)})
        found |= {record.id: record for record in map(_record, rows)}
    gone = [SourceRecord(each, {}, deleted=True) for each in ids if "-" in each and each not in found]
    return [*(found[key] for key in found if key in ids or key.partition("-")[0] in ids), *gone]


def _record(row: dict[str, Any]) -> SourceRecord:
    return SourceRecord(f"{row['order_id']}-{row['id']}", row, instant(row["created"]))


def _named(payload: Json) -> Sequence[str]:
    data = payload["data"]
    return [f"{data['id']}-{data['refund']['refund_id']}"]


STREAM = Stream("refunds", "return", _changes, _by_ids, overlap=OVERLAP, topics={"store/order/refund/created": _named})


# -- meaning ------------------------------------------------------------------------------------------------------


def _return(record: Record, settings: Settings) -> Sequence[Mapped | Linked | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    refund, order = record.payload, record.payload["orders"]
    restock = getattr(settings, "returned_goods", "none") == "restock"
    lines = refund_lines.lines(refund, order, restock=restock)
    if not lines:
        return [Ignored(record.id, "refund_of_nothing")]
    gross, tax = refund_lines.gross_and_tax(refund, order)
    content = {
        **MAPPINGS["return"].read(refund, settings.tables()),
        "lines": lines,
        "total_net": gross - tax,
        "total_tax": tax,
    }
    name = f"{record.connection}:{content['order_number']}"
    index = [MatchKey("order", name), MatchKey("credit", f"{name}:{content['reference']}")]
    return [Mapped(record.id, content, index=index, day=_day(record))]


def _payments(record: Record, settings: Settings) -> Sequence[Mapped | Linked | Ignored]:
    """The money that goes back, by tender; each has a number of its own in the shop."""
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    refund, order = record.payload, record.payload["orders"]
    common = MAPPINGS["return"].read(refund, settings.tables())
    found: list[Mapped | Linked | Ignored] = []
    for payment in refund.get("payments") or []:
        reference = f"{record.connection}-{refund['order_id']}-refund-{refund['id']}-{payment['id']}"
        amount = to_minor_unit(Decimal(str(payment["amount"])), common["currency"])
        if payment.get("is_declined"):
            found.append(Ignored(reference, "refund_payment_declined"))
            continue
        if not amount:
            continue
        content = {
            "order_number": common["order_number"],
            "reference": reference,
            "kind": PaymentKind.REFUND.value,
            "method": _method(payment, order),
            "currency": common["currency"],
            "exchange_rate": common["exchange_rate"],
            "amount": amount,
            "paid_at": common["returned_at"],
            "return_reference": record.id,
        }
        index = [MatchKey("order", f"{record.connection}:{refund['order_id']}"), MatchKey("reference", reference)]
        found.append(Mapped(reference, content, index=index, day=_day(record)))
    return found or [Ignored(record.id, "nothing_paid_back")]


def _method(payment: Json, order: Json) -> str:
    """The words of the checkout for the way the money goes: those of the order, if it goes the way it came."""
    provider = str(payment.get("provider_id") or "")
    if provider in METHODS and provider != str(order.get("payment_provider_id") or ""):
        return METHODS[provider]
    return str(order.get("payment_method") or "Manual")


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


_ORDER = Beside("orders", "order", lambda payload: str(payload["order_id"]))
SOURCES = (
    Source("refunds", "return", _return, beside=_ORDER),
    Source("refunds", "payment", _payments, beside=_ORDER),
)
