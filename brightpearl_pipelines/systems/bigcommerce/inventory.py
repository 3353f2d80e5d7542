"""Stock for BigCommerce: the number of each SKU at each of the shop's locations, planned only where it changed.

Available = what the location's warehouses can sell − what is kept back − orders in flight, never below 0; and what is
not known is not sent, for "unreachable" is never "zero" (bigcommerce.md §4, field-lessons §5.3). Always absolute
numbers: a relative one is refused where none was ever set, and would count a sale twice (§4.1, §8.8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json
from brightpearl_pipelines.systems.bigcommerce import restock, stock_writes
from brightpearl_pipelines.systems.bigcommerce.client import ITEMS_PER_ADJUSTMENT
from brightpearl_pipelines.systems.bigcommerce.pools import Pool
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.stock_writes import SET_STOCK, at
from brightpearl_pipelines.systems.contract import (
    Comparison,
    Expected,
    Plan,
    PlanContext,
    Session,
    Settings,
    Target,
    Write,
)

ENTITY = "stock_level"
TRACKED = "tracked by"
"""Kept among what is agreed: by what the shop counts (`product`, `variant`); a change makes its numbers unknown."""


@dataclass(frozen=True)
class Offer:
    """The shop's variant of a SKU."""

    product: int
    variant: int
    tracking: str
    """How its product counts stock: `none`, `product` or `variant` (bigcommerce.md §3.4)."""
    siblings: int
    """How many variants its product has, itself included."""

    @property
    def counted_together(self) -> bool:
        """Whether one number stands for several SKUs."""
        return self.tracking == "product" and self.siblings > 1

    def identity(self) -> dict[str, int]:
        """§8.11: what is tracked by product refuses to be adjusted by variant."""
        return {"product_id": self.product} if self.tracking == "product" else {"variant_id": self.variant}


def available(content: Json, pool: Pool, kept_back: int, shops: Mapping[str, Settings]) -> int:
    """The number to show for a stock level at a location.

    Of an order in flight nobody knows yet which location's stock it will take, so each that its shop sells from gives
    it up in full: for that short time a few too low, never too high. Other shops' orders count where the same
    warehouse serves both.
    """
    places = {str(warehouse) for warehouse in pool.warehouses}
    on_hand = sum(int(content["on_hand"].get(place, 0)) for place in places)
    promised = sum(
        int(units)
        for shop, units in content["committed"].items()
        if shop not in shops or shops[shop].sells_from() & places
    )
    return max(on_hand - kept_back - promised, 0)


@dataclass
class _Numbers:
    """The numbers of some stock levels in one shop."""

    context: PlanContext
    rows: Sequence[Golden]

    def __post_init__(self) -> None:
        settings = self.context.settings
        assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
        self.settings = settings
        self.rows = [row for row in self.rows if row.origin.get("on_hand") == settings.brightpearl]
        found = self.context.hub.by_keys("product", "sku", [row.content["sku"] for row in self.rows])
        # A product is found by a SKU that it had before, too: of several, the one that has it now is meant.
        doubtful = {each for ids in found.values() if len(ids) > 1 for each in ids}
        asked = settings.safety_stock_for.asks_for_products
        wanted = {each for ids in found.values() for each in ids} if asked else doubtful
        contents = self.context.hub.goldens("product", wanted)
        self.products = {golden.content["sku"]: golden.content for golden in contents.values()}
        self.offers = self._offers(
            {
                sku: [each for each in ids if each not in doubtful or contents[each].content["sku"] == sku]
                for sku, ids in found.items()
            }
        )

    def of(self, row: Golden) -> dict[int, int]:
        """The number of a SKU at each location."""
        sku = row.content["sku"]
        rule = self.settings.safety_stock_for.of(sku, self.products.get(sku, {}))
        numbers = {}
        for pool in self.settings.pools:
            general = self.settings.safety_stock if pool.safety_stock is None else pool.safety_stock
            kept_back = general if rule is None else rule
            numbers[pool.location] = available(row.content, pool, kept_back, self.context.shops)
        return numbers

    def why_not(self, offer: Offer | None) -> str | None:
        """The rule by which the shop gets no number, None where it gets one."""
        if offer is None:
            return "not_offered_in_the_shop"
        return "stock_not_tracked_in_the_shop" if offer.tracking == "none" else None

    def _offers(self, products: Mapping[str, Sequence[UUID]]) -> dict[str, Offer]:
        hub, connection = self.context.hub, self.context.connection
        known = hub.external_ids("product", connection, {each for found in products.values() for each in found})
        by_sku = {sku: known[each][0] for sku, found in products.items() for each in found if known.get(each)}
        records = hub.records(connection, "products", {each.partition(":")[0] for each in by_sku.values()})
        offers: dict[str, Offer] = {}
        for sku, external_id in by_sku.items():
            product_id, _, variant_id = external_id.partition(":")
            record = records.get(product_id)
            if record is not None and not record.deleted:
                tracking = str(record.payload.get("inventory_tracking") or "none")
                siblings = len(record.payload.get("variants") or ())
                offers[sku] = Offer(int(product_id), int(variant_id), tracking, siblings)
        return offers


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """Numbers that differ from what the shop last had, and restock dates where it wants them."""
    numbers = _Numbers(context, rows)
    agreed = context.hub.agreed(ENTITY, context.connection, [row.id for row in numbers.rows])
    deliveries: list[Delivery] = []
    held: list[DeadLetter] = []
    ignored: dict[UUID, str] = {}
    details: dict[UUID, list[tuple[str, Any, Any]]] = {}
    for row in numbers.rows:
        offer = numbers.offers.get(row.content["sku"])
        rule = numbers.why_not(offer)
        if rule is not None or offer is None:
            ignored[row.id] = rule or "not_offered_in_the_shop"
        elif offer.counted_together:
            held.append(_counted_together(context, row, offer))
        else:
            before = agreed.get(row.id) or {}
            made, changes = _of_row(context, row, offer, numbers.of(row), before)
            deliveries += made
            details[row.id] = changes
    stopped = [golden for golden in (*ignored, *(each.golden_id for each in held)) if golden and agreed.get(golden)]
    kinds = (SET_STOCK, restock.SET_RESTOCK)
    superseded = [(row.id, kind) for row in numbers.rows for kind in kinds]
    return Plan(deliveries, held, ignored, superseded, forgotten=stopped, details=details)


def _of_row(
    context: PlanContext, row: Golden, offer: Offer, numbers: Mapping[int, int], before: Json
) -> tuple[list[Delivery], list[tuple[str, Any, Any]]]:
    """The deliveries of one SKU, with its field diff. What is agreed after the second includes the first: deliveries of
    one golden record go out one after the other."""
    held = dict(before) if before.get(TRACKED) == offer.tracking else {}
    changed = {location: units for location, units in numbers.items() if held.get(at(location)) != units}
    after = {TRACKED: offer.tracking, **{at(location): units for location, units in numbers.items()}}
    if restock.KNOWN in held:
        after[restock.KNOWN] = held[restock.KNOWN]
    deliveries = []
    details: list[tuple[str, Any, Any]] = [
        (at(location), held.get(at(location)), units) for location, units in changed.items()
    ]
    if changed:
        body = {
            "sku": row.content["sku"],
            "variant": offer.variant,
            "identity": offer.identity(),
            "numbers": {str(location): units for location, units in changed.items()},
        }
        key = f"stock:{row.content['sku']}:v{row.version}"
        deliveries.append(_delivery(context, row, SET_STOCK, key, body, after))
    settings = context.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
    promise = restock.promise(row.content, settings)
    if promise != held.get(restock.KNOWN, restock.NOTHING):
        key = f"restock:{row.content['sku']}:v{row.version}"
        body = {"sku": row.content["sku"], "variant": offer.variant, "product": offer.product, "value": promise}
        deliveries.append(_delivery(context, row, restock.SET_RESTOCK, key, body, {**after, restock.KNOWN: promise}))
        details.append((restock.KNOWN, held.get(restock.KNOWN), promise))
    return deliveries, details


def _delivery(context: PlanContext, row: Golden, kind: str, key: str, body: Json, agreed: Json) -> Delivery:
    return Delivery(context.connection, ENTITY, row.id, kind, key, {"body": body, "agreed": agreed})


def _counted_together(context: PlanContext, row: Golden, offer: Offer) -> DeadLetter:
    sku = row.content["sku"]
    return DeadLetter(
        connection=context.connection,
        stage="publish",
        entity=ENTITY,
        subject=str(row.id),
        reason="counted_together",
        sentence=(
            f"{context.connection} keeps one number for all {offer.siblings} variants of product {offer.product}; "
            f"Brightpearl counts {sku}, one of them, on its own, so that no number would be right for all"
        ),
        suggestion="Let the shop track the stock of this product by variant; the letter is then resolved by itself.",
        field="inventory_tracking",
        value=offer.tracking,
        golden_id=row.id,
    )


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The numbers that the shop should show."""
    numbers = _Numbers(context, rows)
    expected: dict[UUID, Expected] = {}
    for row in numbers.rows:
        offer = numbers.offers.get(row.content["sku"])
        if offer is not None and numbers.why_not(offer) is None and not offer.counted_together:
            fields = {at(location): units for location, units in numbers.of(row).items()}
            expected[row.id] = Expected(row.content["sku"], {"variant": offer.variant}, fields)
    return expected


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The numbers that the shop shows."""
    shown = await stock_writes.shown(session, [each.lookup["variant"] for each in expected.values()])
    found: dict[UUID, Json] = {}
    for golden, each in expected.items():
        there = shown.get(each.lookup["variant"], {})
        if there:
            found[golden] = {at(location): units for location, units in there.items()}
    return found


def _shape(settings: Settings) -> str:
    """The settings that the numbers depend on, as text."""
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this target belongs to this system
    parts = [pool.model_dump_json() for pool in settings.pools]
    return "\n".join(
        [*parts, str(settings.safety_stock), settings.safety_stock_for.model_dump_json(), settings.restock]
    )


TARGET = Target(
    ENTITY,
    plan,
    (
        Write(SET_STOCK, stock_writes.send, stock_writes.find, batch=ITEMS_PER_ADJUSTMENT),
        Write(restock.SET_RESTOCK, restock.send, restock.find, batch=restock.BATCH),
    ),
    Comparison(expect, observe, repairs=True),
    shaped_by=_shape,
)
