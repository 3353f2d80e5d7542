"""Stock into BigCommerce: one number per SKU, only what changed, read back because the write is asynchronous.

Available = what the shop's warehouses can sell − the safety stock − orders in flight, never below 0; and what is not
known is not sent, for "unreachable" is never "zero" (bigcommerce.md §4, field-lessons §5.3).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Golden, Json
from brightpearl_pipelines.systems.bigcommerce.client import ITEMS_PER_ADJUSTMENT, BigCommerceClient
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    Plan,
    PlanContext,
    Session,
    Target,
    Write,
)

READ_BACK_PAUSES = (0.3, 0.7, 1.5, 3.0, 5.0)
"""Seconds between looks at whether an asynchronous write has arrived; the delay is "short" and undocumented (§4.1)."""

LATER = timedelta(seconds=30)
"""Beyond what one run waits: by the next one the sale that may have come in between is known."""


def available(content: Mapping[str, Any], settings: BigCommerceSettings) -> int:
    """The number to show for a stock level."""
    on_hand = sum(int(content["on_hand"].get(str(warehouse), 0)) for warehouse in settings.warehouses)
    return max(on_hand - settings.safety_stock - int(content["committed"]), 0)


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """Numbers that differ from what the shop last had."""
    settings = context.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
    mine = [row for row in rows if row.origin.get("on_hand") == settings.brightpearl]
    offered = _offered(context, mine)
    agreed = context.hub.agreed("stock_level", context.connection, [row.id for row in mine])
    deliveries: list[Delivery] = []
    ignored: dict[UUID, str] = {}
    details: dict[UUID, list[tuple[str, Any, Any]]] = {}
    superseded: list[tuple[UUID, str]] = []
    for row in mine:
        variant = offered.get(row.content["sku"])
        if variant is None:
            ignored[row.id] = "not_offered_in_the_shop"
            continue
        if variant["tracking"] == "none":
            ignored[row.id] = "stock_not_tracked_in_the_shop"
            continue
        quantity = available(row.content, settings)
        superseded.append((row.id, "set_stock"))
        before = (agreed.get(row.id) or {}).get("quantity")
        if quantity == before:
            continue
        body = {"sku": row.content["sku"], "quantity": quantity, "identity": _identity(variant)}
        deliveries.append(
            Delivery(
                context.connection,
                "stock_level",
                row.id,
                "set_stock",
                f"stock:{row.content['sku']}:v{row.version}",
                {"body": body, "agreed": {"quantity": quantity}},
            )
        )
        details[row.id] = [("quantity", before, quantity)]
    return Plan(deliveries, (), ignored, superseded, details=details)


def _offered(context: PlanContext, rows: Sequence[Golden]) -> dict[str, dict[str, Any]]:
    """The shop's variant of each SKU, with how its product tracks stock."""
    products = context.hub.by_keys("product", "sku", [row.content["sku"] for row in rows])
    known = context.hub.external_ids(
        "product", context.connection, {each for found in products.values() for each in found}
    )
    by_sku = {sku: known[each][0] for sku, found in products.items() for each in found if known.get(each)}
    records = context.hub.records(context.connection, "products", {each.partition(":")[0] for each in by_sku.values()})
    offered: dict[str, dict[str, Any]] = {}
    for sku, external_id in by_sku.items():
        product_id, _, variant_id = external_id.partition(":")
        record = records.get(product_id)
        if record is not None and not record.deleted:
            tracking = str(record.payload.get("inventory_tracking") or "none")
            offered[sku] = {"product": int(product_id), "variant": int(variant_id), "tracking": tracking}
    return offered


def _identity(variant: Mapping[str, Any]) -> dict[str, int]:
    """§8.11: what is tracked by product refuses to be adjusted by variant."""
    if variant["tracking"] == "product":
        return {"product_id": variant["product"]}
    return {"variant_id": variant["variant"]}


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Set the numbers, 2,000 a call, one call at a time (§1.3), and look until they show.

    A payload is refused whole for one bad item; it is halved until the bad one stands alone.
    """
    client, settings = client_of(session), session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this writer belongs to this system
    refused = await _set(client, settings.location, deliveries)
    sent = [each for each in deliveries if each.key not in refused]
    shown = await _read_back(session, client, settings.location, sent)
    return [
        *(Answer(each, Outcome.REFUSED, error=refused[each.key]) for each in deliveries if each.key in refused),
        *(_answer(each, shown.get(each.payload["body"]["sku"])) for each in sent),
    ]


async def _set(client: BigCommerceClient, location: int, deliveries: Sequence[Delivery]) -> dict[str, str]:
    items = [(each.payload["body"]["identity"], each.payload["body"]["quantity"]) for each in deliveries]
    if not items:
        return {}
    try:
        await client.adjust_stock(location, items)
        return {}
    except RefusedError as error:
        if len(deliveries) == 1:
            return {deliveries[0].key: str(error)}
    except AmbiguousError:
        # An absolute figure may be set again; whether it was, the read-back says.
        return {}
    half = len(deliveries) // 2
    first = await _set(client, location, deliveries[:half])
    return {**first, **await _set(client, location, deliveries[half:])}


async def _read_back(
    session: Session, client: BigCommerceClient, location: int, sent: Sequence[Delivery]
) -> dict[str, int]:
    """What the shop shows of these SKUs, once it shows what was written, or the pauses are used up."""
    wanted = {each.payload["body"]["sku"]: each.payload["body"]["quantity"] for each in sent}
    shown: dict[str, int] = {}
    for pause in (*READ_BACK_PAUSES, None):
        shown |= await client.stock(location, [sku for sku in wanted if shown.get(sku) != wanted[sku]])
        if pause is None or all(shown.get(sku) == quantity for sku, quantity in wanted.items()):
            break
        await session.clock.sleep(pause)
    return shown


def _answer(delivery: Delivery, shown: int | None) -> Answer:
    """Another number than was sent may mean a sale in between, or a write that is late or lost: it goes again in a
    later run, unless the plan of that run has a newer number."""
    if shown != delivery.payload["body"]["quantity"]:
        error = f"the shop shows {shown if shown is not None else 'no number'}"
        return Answer(delivery, Outcome.RETRY, error=error, retry_after=LATER)
    return Answer(delivery, Outcome.CONFIRMED)


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Numbers that show already."""
    client, settings = client_of(session), session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this writer belongs to this system
    shown = await client.stock(settings.location, [each.payload["body"]["sku"] for each in deliveries])
    return {
        each.key: Answer(each, Outcome.CONFIRMED)
        for each in deliveries
        if shown.get(each.payload["body"]["sku"]) == each.payload["body"]["quantity"]
    }


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The numbers that the shop should show."""
    settings = context.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this target belongs to this system
    mine = [row for row in rows if row.origin.get("on_hand") == settings.brightpearl]
    offered = _offered(context, mine)
    return {
        row.id: Expected(row.content["sku"], {}, {"quantity": available(row.content, settings)})
        for row in mine
        if offered.get(row.content["sku"], {}).get("tracking", "none") != "none"
    }


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The numbers that the shop shows."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this target belongs to this system
    shown = await client_of(session).stock(settings.location, [each.key for each in expected.values()])
    return {golden: {"quantity": shown[each.key]} for golden, each in expected.items() if each.key in shown}


TARGET = Target(
    "stock_level",
    plan,
    (Write("set_stock", send, find, batch=ITEMS_PER_ADJUSTMENT),),
    Comparison(expect, observe, repairs=True),
)
