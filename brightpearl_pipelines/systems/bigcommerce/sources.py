"""What BigCommerce's records mean in our words. An order says four things: a customer, an order, its payments."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from brightpearl_pipelines.entities.models import Customer, OrderStatus
from brightpearl_pipelines.mapping import Mapping as FieldMapping
from brightpearl_pipelines.matching import MatchKey, all_keys
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.bigcommerce import order_notes, orders
from brightpearl_pipelines.systems.bigcommerce.client import instant
from brightpearl_pipelines.systems.bigcommerce.refund_lines import status_with_refunds
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
        "note": order_notes.note,
        "own_delivery_address": orders.own_delivery_address,
        "shipping_method": orders.shipping_method,
        "total_net": orders.total_net,
        "total_tax": orders.total_tax,
    },
)
NOT_YET = (OrderStatus.INCOMPLETE.value, OrderStatus.AWAITING_PAYMENT.value, OrderStatus.CANCELLED.value)


def _order(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    content = MAPPINGS["order"].read(record.payload, settings.tables())
    content["status"] = status_with_refunds(record.payload, content["status"])
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
    content = {**MAPPINGS["customer"].read(record.payload, tables), "buyer": True}
    keys = all_keys(Customer.model_validate(content))
    placed = instant(record.payload["date_created"])
    return [
        Mapped(
            orders.customer_key(record.payload, tables), content, keys=keys, day=_day(record), as_of=placed, shared=True
        )
    ]


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
        index = [MatchKey("sku_folded", content["sku"].casefold())]
        found.append(Mapped(external_id, content, keys=[MatchKey("sku", content["sku"])], index=index))
    return found


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (
    Source("orders", "customer", _customer),
    Source("orders", "order", _order),
    Source("products", "product", _products),
)
