"""What Brightpearl has booked besides its orders, read back: sales credits and customer payments (BP-17, BP-18).

Both are kept exactly as the API gave them. Of those that we wrote ourselves the number in Brightpearl is linked with
what they are; the others, made there by people or other programs, are left out by a named rule.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Record, SourceRecord
from brightpearl_pipelines.systems.brightpearl.client import IDS_PER_GET, ROWS_PER_SEARCH, instant, wire_instant
from brightpearl_pipelines.systems.brightpearl.credit_writes import CREDIT_TYPE
from brightpearl_pipelines.systems.brightpearl.streams import client_of, read_orders, searched, with_missing
from brightpearl_pipelines.systems.contract import Ignored, Linked, Page, Session, Settings, Source, Stream, Window
from brightpearl_pipelines.systems.paging import by_instant, chunks, whole_numbers

PAYMENTS = "accounting-service/customer-payment-search"


async def _changed_payments(session: Session, window: Window) -> AsyncIterator[Page]:
    """Payments by when they were made; they are never changed afterwards, and have no GET of their own (§9.2)."""
    client = client_of(session)

    async def fetch(since: datetime | None, page: int) -> list[dict[str, Any]]:
        period = f"{wire_instant(since) if since else '2000-01-01T00:00:00.000Z'}/"
        if window.until:
            period += wire_instant(window.until)
        filters = {"createdOn": period, "sort": "createdOn.ASC"}
        return await client.search_page(PAYMENTS, filters, first=(page - 1) * ROWS_PER_SEARCH + 1)

    async for rows in by_instant(
        fetch,
        key=lambda row: str(row["paymentId"]),
        instant=lambda row: instant(row["createdOn"]),
        page_size=ROWS_PER_SEARCH,
        since=window.since,
    ):
        yield Page([_payment(row) for row in rows], watermark=instant(rows[-1]["createdOn"]))


async def _payments(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    client = client_of(session)
    found: list[SourceRecord] = []
    for chunk in chunks(whole_numbers(ids, session.connection), IDS_PER_GET):
        rows = await client.search(PAYMENTS, {"paymentId": ",".join(chunk), "sort": "paymentId.ASC"})
        found += [_payment(row) for row in rows]
    return with_missing(found, ids)


def _payment(row: dict[str, Any]) -> SourceRecord:
    return SourceRecord(str(row["paymentId"]), row, instant(row["createdOn"]))


STREAMS = (
    Stream(
        "credits",
        "return",
        # Webhooks tell of orders of every type under one topic, which hints at sales orders (§10.3).
        searched(
            "order-service/order-search", "orderId", read_orders, ("createdOn", "updatedOn"), orderTypeId=CREDIT_TYPE
        ),
        read_orders,
    ),
    Stream("payments", "payment", _changed_payments, _payments),
)


def _credit(record: Record, settings: Settings) -> Sequence[Linked | Ignored]:
    """A credit of ours, by its externalRef (`shop:order:refund`)."""
    del settings
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    if record.payload.get("orderTypeCode") != "SC":
        return [Ignored(record.id, "no_sales_credit")]
    reference = str(record.payload.get("externalRef") or "")
    if reference.count(":") != 2:
        return [Ignored(record.id, "credit_of_no_shop")]
    return [Linked(record.id, MatchKey("credit", reference), otherwise="credit_of_an_unknown_refund")]


def _own_payment(record: Record, settings: Settings) -> Sequence[Linked | Ignored]:
    """A payment of ours, by its transaction reference; what a later capture added carries the first one's too."""
    del settings
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    reference = str(record.payload.get("transactionRef") or "")
    if not reference:
        return [Ignored(record.id, "payment_without_reference")]
    if reference.endswith("-back"):
        return [Ignored(record.id, "paid_back_with_a_cancellation")]
    key = MatchKey("reference", reference.partition("-to-")[0])
    return [Linked(record.id, key, otherwise="payment_of_no_shop")]


SOURCES = (
    Source("credits", "return", _credit),
    Source("payments", "payment", _own_payment),
)
