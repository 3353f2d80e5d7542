"""What BigCommerce's records mean in our words. An order says four things: a customer, an order, its payments."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import Customer, OrderStatus
from brightpearl_pipelines.entities.money import to_minor_unit
from brightpearl_pipelines.mapping import Mapping as FieldMapping
from brightpearl_pipelines.matching import MatchKey, match_keys
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.bigcommerce import orders
from brightpearl_pipelines.systems.bigcommerce.client import instant
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source, Tables
from brightpearl_pipelines.systems.mappings import mappings_beside


def _customer_fields(order: Json, tables: Tables) -> dict[str, Any]:
    """The customer part of an order, by the customer's own mapping."""
    return MAPPINGS["customer"].read(order, tables)


MAPPINGS: dict[str, FieldMapping] = mappings_beside(
    __file__,
    {
        "customer": _customer_fields,
        "customer_key": orders.customer_key,
        "delivery": orders.delivery,
        "lines": orders.lines,
        "own_delivery_address": orders.own_delivery_address,
        "shipping_method": orders.shipping_method,
        "total_net": orders.total_net,
        "total_tax": orders.total_tax,
    },
)
PAID = ("captured", "paid", "partially refunded", "refunded")
"""Payment statuses that mean: the money was taken (bigcommerce.md §2.2). An authorisation is not money yet."""
NOT_YET = (OrderStatus.INCOMPLETE.value, OrderStatus.AWAITING_PAYMENT.value, OrderStatus.CANCELLED.value)


def _order(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    content = MAPPINGS["order"].read(record.payload, settings.tables())
    # By this Brightpearl's own record of the order finds it.
    index = [MatchKey("ref", f"{record.connection}:{record.id}")]
    return [Mapped(record.id, content, index=index, day=_day(record))]


def _customer(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """The customer of an order that stands; an abandoned or cancelled checkout makes nobody a customer."""
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    tables = settings.tables()
    status = tables["order_statuses"].get(str(record.payload["status_id"]))
    if status in NOT_YET:
        return [Ignored(record.id, f"order_{status}")]
    content = MAPPINGS["customer"].read(record.payload, tables)
    keys = match_keys(Customer.model_validate(content))
    placed = instant(record.payload["date_created"])
    return [
        Mapped(
            orders.customer_key(record.payload, tables), content, keys=keys, day=_day(record), as_of=placed, shared=True
        )
    ]


def _payments(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """One payment per tender. A payment status that means no money yet makes none."""
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    order = record.payload
    tables = settings.tables()
    status = tables["order_statuses"].get(str(order["status_id"]))
    if status in NOT_YET:
        return [Ignored(record.id, f"order_{status}")]
    common = MAPPINGS["payment"].read(order, tables)
    found: list[Mapped | Ignored] = []
    for name, method, amount in _tenders(order, common["currency"]):
        reference = f"{record.connection}-{record.id}-{name}"
        content = {**common, "reference": reference, "method": method, "amount": amount}
        of_order = [MatchKey("order", f"{record.connection}:{record.id}")]
        found.append(Mapped(reference, content, index=of_order, day=_day(record)))
    return found or [Ignored(record.id, "nothing_paid_yet")]


def _tenders(order: Json, currency: str) -> list[tuple[str, str, Decimal]]:
    """(name, method, amount): gift certificates and store credit pay before the rest does (§2.2)."""

    def amount(field: str) -> Decimal:
        return to_minor_unit(Decimal(order.get(field) or "0"), currency)

    certificates, credit = amount("gift_certificate_amount"), amount("store_credit_amount")
    rest = amount("total_inc_tax") - certificates - credit
    tenders = [("gift", "Gift Certificate", certificates), ("credit", "Store Credit", credit)]
    if order.get("payment_status") in PAID:
        tenders.append(("payment", str(order.get("payment_method") or "Manual"), rest))
    return [each for each in tenders if each[2] > 0]


def _products(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """One product per variant; the variants of a product that is gone are no longer offered."""
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    found: list[Mapped | Ignored] = []
    for variant in record.payload["variants"]:
        external_id = f"{record.id}:{variant['id']}"
        if not variant.get("sku"):
            found.append(Ignored(external_id, "no_sku"))
            continue
        beside: dict[str, Any] = {"product": record.payload, "variant": variant}
        content = MAPPINGS["product"].read(beside, settings.tables())
        found.append(Mapped(external_id, content, keys=[MatchKey("sku", content["sku"])]))
    return found


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (
    Source("orders", "customer", _customer),
    Source("orders", "order", _order),
    Source("orders", "payment", _payments),
    Source("products", "product", _products),
)
