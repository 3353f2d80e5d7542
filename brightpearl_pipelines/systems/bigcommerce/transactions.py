"""Transactions of an order, read only where its payment status alone does not say what was paid (bigcommerce.md §2.8).

That is one call an order, so it is made for no order whose status decides: an ordinary captured order costs none.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.bigcommerce.client import BigCommerceClient
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.sources import NOT_YET
from brightpearl_pipelines.systems.contract import Session

TRANSACTIONS = "transactions"
"""The name under which they are laid into the order."""
DECISIVE = frozenset(
    {
        "captured",
        "paid",
        "partially refunded",
        "refunded",
        "authorized",
        "capture pending",
        "void pending",
        "void",
        "pending",
        "declined",
        "held for review",
    }
)
"""Every documented payment status that says something (§2.2). An order taken by hand has none at all."""
MONEY_IN = ("purchase", "capture", "settled")


async def lay_beside(client: BigCommerceClient, session: Session, orders: Sequence[dict[str, Any]]) -> None:
    """Lay their transactions into those orders that need them; an order that did not change meanwhile is asked about
    once a run. Raises the errors of `http.errors`."""
    settings, known = session.settings, session.facts.setdefault(TRANSACTIONS, {})
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this stream belongs to this system
    for order in orders:
        if _unclear(order, settings):
            state = (order["id"], order["date_modified"])
            if state not in known:
                body = await client.get(f"v3/orders/{order['id']}/transactions")
                known[state] = body["data"] if isinstance(body, dict) else []
            order[TRANSACTIONS] = known[state]


def _unclear(order: Json, settings: BigCommerceSettings) -> bool:
    word = settings.order_statuses.get(str(order["status_id"]))
    if word is None or word.value in NOT_YET or order.get("payment_status") in DECISIVE:
        return False
    total, *tenders = (
        Decimal(order.get(name) or "0") for name in ("total_inc_tax", "gift_certificate_amount", "store_credit_amount")
    )
    return total > sum(tenders)


def all_taken(rows: Sequence[Json]) -> Decimal:
    """The money that came in, whatever went back afterwards: refunds are booked as such."""
    return _sum(rows, MONEY_IN)


def all_authorised(rows: Sequence[Json]) -> Decimal:
    """The money that was promised; nothing once the promise was released."""
    return Decimal(0) if _sum(rows, ("void",)) else _sum(rows, ("authorization",))


def _sum(rows: Sequence[Json], events: Sequence[str]) -> Decimal:
    """Certificates and store credit are told by the order itself and left out here."""
    return sum(
        (
            Decimal(str(row["amount"]))
            for row in rows
            if row["event"] in events
            and row.get("status") == "ok"
            and row.get("method") not in ("gift_certificate", "store_credit")
        ),
        Decimal(0),
    )
