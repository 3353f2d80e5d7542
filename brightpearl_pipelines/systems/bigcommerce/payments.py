"""What was paid, promised or released for a BigCommerce order, by its payment status (§2.2), per tender.

| payment status                               | what we take it for                                                  |
| -------------------------------------------- | -------------------------------------------------------------------- |
| captured, paid, partially refunded, refunded | the money was taken; what went back are refunds of their own          |
| authorized, capture pending, void pending    | an authorisation: promised, not taken, not yet released              |
| void                                         | an authorisation that was released                                   |
| pending, declined, held for review           | nothing: no money moved                                              |
| none, or one that is not documented          | what the order's transactions say, which are read only for these     |

Gift certificates and store credit pay before the rest does and are money from the start.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from brightpearl_pipelines.entities.models import PaymentKind
from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.bigcommerce.client import instant
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.sources import MAPPINGS, NOT_YET
from brightpearl_pipelines.systems.bigcommerce.transactions import TRANSACTIONS, all_authorised, all_taken
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source

TAKEN = ("captured", "paid", "partially refunded", "refunded")
PROMISED = ("authorized", "capture pending", "void pending")
RELEASED = "void"
ENDS_AUTHORISATION = ("payment", "void")

_Tender = tuple[str, PaymentKind, str, Decimal]
"""(name, kind, method in the shop's words, amount)"""


def _payments(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """One payment per tender. A payment status that means no money yet makes none."""
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this source belongs to this system
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    order = record.payload
    tables = settings.tables()
    status = tables["order_statuses"].get(str(order["status_id"]))
    if status in NOT_YET and order.get("payment_status") != RELEASED:
        return [Ignored(record.id, f"order_{status}")]
    common = MAPPINGS["payment"].read(order, tables)
    expires = instant(order["date_created"]) + timedelta(days=settings.authorisation_days)
    of_order = MatchKey("order", f"{record.connection}:{record.id}")
    found: list[Mapped | Ignored] = []
    for name, kind, method, amount in _tenders(order, common["currency"]):
        reference = f"{record.connection}-{record.id}-{name}"
        content = {**common, "reference": reference, "kind": kind.value, "method": method, "amount": amount}
        if kind is PaymentKind.AUTHORISATION:
            content["expires_at"] = expires
        elif name in ENDS_AUTHORISATION:
            content["authorisation"] = f"{record.connection}-{record.id}-auth"
        index = [of_order, MatchKey("reference", reference)]
        found.append(Mapped(reference, content, index=index, day=_day(record)))
    return found or [Ignored(record.id, "nothing_paid_yet")]


def _tenders(order: Json, currency: str) -> Iterator[_Tender]:
    """Each way of paying with what it paid; an authorisation, its capture and its release have names of their own."""

    def amount(field: str) -> Decimal:
        return to_minor_unit(Decimal(order.get(field) or "0"), currency)

    certificates, credit = amount("gift_certificate_amount"), amount("store_credit_amount")
    rest = amount("total_inc_tax") - certificates - credit
    if certificates > 0:
        yield "gift", PaymentKind.RECEIPT, "Gift Certificate", certificates
    if credit > 0:
        yield "credit", PaymentKind.RECEIPT, "Store Credit", credit
    if rest <= 0:
        return
    status, method = str(order.get("payment_status") or ""), str(order.get("payment_method") or "Manual")
    if status in TAKEN:
        yield "payment", PaymentKind.RECEIPT, method, rest
    elif status in PROMISED:
        yield "auth", PaymentKind.AUTHORISATION, method, rest
    elif status == RELEASED:
        yield "void", PaymentKind.VOID, method, rest
    elif TRANSACTIONS in order:
        yield from _by_transactions(order[TRANSACTIONS], method, rest, currency)


def _by_transactions(rows: Sequence[Json], method: str, rest: Decimal, currency: str) -> Iterator[_Tender]:
    """What the transactions add up to; never more than the order still asks for beside certificates and credit."""
    taken = min(to_minor_unit(all_taken(rows), currency), rest)
    promised = min(to_minor_unit(all_authorised(rows), currency), rest)
    if promised > 0:
        yield "auth", PaymentKind.AUTHORISATION, method, promised
    if taken > 0:
        yield "payment", PaymentKind.RECEIPT, method, taken


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (Source("orders", "payment", _payments),)
