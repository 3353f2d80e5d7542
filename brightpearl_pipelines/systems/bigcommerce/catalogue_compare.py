"""Compares the shop's catalogue with the hub: each field that is kept in step, and the prices in the shop's lists."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, Protocol
from uuid import UUID

from brightpearl_pipelines.store.types import Golden, Json
from brightpearl_pipelines.systems.bigcommerce.catalogue_fields import Values, shown_of_product, shown_of_variant
from brightpearl_pipelines.systems.bigcommerce.catalogue_prices import PREFIX, shown
from brightpearl_pipelines.systems.bigcommerce.catalogue_reference import shelves_of
from brightpearl_pipelines.systems.bigcommerce.catalogue_view import WRITTEN, View
from brightpearl_pipelines.systems.bigcommerce.catalogue_writes import read_products
from brightpearl_pipelines.systems.contract import Comparison, Expected, PlanContext, Session


class Planned(Protocol):
    """A planner that has done its work."""

    view: View
    stands: dict[UUID, Values]


def comparison(planned: Callable[[PlanContext, Sequence[Golden]], Planned]) -> Comparison:
    """What the shop should hold is what Brightpearl says, but for what stands there by the shop's own word."""

    def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
        planner = planned(context, rows)
        found: dict[UUID, Expected] = {}
        for row in rows:
            offer, fields = planner.view.items[row.id].offer, planner.stands.get(row.id)
            if offer is not None and fields:
                lookup = {"product": offer.product_id, "variant": offer.variant_id, "sku": row.content["sku"]}
                found[row.id] = Expected(str(row.content["sku"]), lookup, fields)
        return found

    return Comparison(expect, observe, repairs=True)


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The same fields as the shop has them: 250 products a call, 100 SKUs a call and price list."""
    products = await read_products(session, {each.lookup["product"] for each in expected.values()})
    prices = await _prices(session, expected)
    # Newer than any record that is stored: planning against what was seen goes by this.
    now = session.clock.now().astimezone(UTC).isoformat()
    found: dict[UUID, Json] = {}
    for golden, each in expected.items():
        product = products.get(each.lookup["product"])
        variants = product["variants"] if product else ()
        variant = next((one for one in variants if one["id"] == each.lookup["variant"]), None)
        if product is None or variant is None:
            continue
        asked = {"brand", "categories"} & each.fields.keys()
        shelves = await shelves_of(session, product) if asked else None
        values: dict[str, Any] = {**shown_of_product(product, shelves), **shown_of_variant(product, variant)}
        values |= prices.get(golden, {})
        found[golden] = {name: values.get(name) for name in each.fields} | {WRITTEN: dict.fromkeys(each.fields, now)}
    return found


async def _prices(session: Session, expected: Mapping[UUID, Expected]) -> dict[UUID, Values]:
    wanted: dict[int, dict[str, UUID]] = {}
    for golden, each in expected.items():
        for name in each.fields:
            if name.startswith(PREFIX):
                price_list = int(name.removeprefix(PREFIX).partition(":")[0])
                wanted.setdefault(price_list, {})[str(each.lookup["sku"]).casefold()] = golden
    found: dict[UUID, Values] = {}
    for price_list, skus in wanted.items():
        for (sku, currency), amount in (await shown(session, price_list, list(skus))).items():
            if sku in skus:
                found.setdefault(skus[sku], {})[f"{PREFIX}{price_list}:{currency}"] = amount
    return found
