"""Reckons stock levels: figures, bundles, promises and what is on its way, of one Brightpearl account.

Brightpearl's figure is net of its own allocations. An order that a shop took and Brightpearl has not yet reserved is
not in it: those units are `committed`, until a figure read after the reservation shows them. Bundles are computed from
their components, at any depth, so that no call is made for them (field-lessons.md §5.2). What is in transit between
warehouses, or in quarantine, is not on hand (brightpearl.md §8.1, §8.6).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from brightpearl_pipelines.entities.models import Arrival, Component, Product, PurchaseOrder, StockLevel
from brightpearl_pipelines.store import commitments, crosswalk, goldens, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Record

FIGURES = "inventory"
"""The stream of Brightpearl's figures."""
ORDERED = "ordered_product"
"""The kind of key by which purchase orders are found: `account:product id`."""


@dataclass
class Shelf:
    """Products, figures and promises of one account, for some SKUs and all that their numbers depend on."""

    tx: Transaction
    account: str
    shops: Mapping[str, Collection[str]]
    """The warehouses that each shop sells from; none named: any."""
    products: dict[str, tuple[UUID, Product]] = field(default_factory=dict)
    figures: dict[str, Record] = field(default_factory=dict)
    parents: dict[str, dict[str, int]] = field(default_factory=dict)
    """SKU to the bundles it is part of, with its units a bundle."""
    committed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """SKU to the units on orders in flight, by shop."""
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)

    @classmethod
    def around(
        cls, tx: Transaction, account: str, shops: Mapping[str, Collection[str]], skus: Iterable[str]
    ) -> tuple["Shelf", list[str]]:
        """The shelf, and the SKUs whose numbers the given ones touch: their components, and all bundles of those."""
        shelf = cls(tx, account, shops)
        affected = shelf.up(shelf.down(skus))
        # A touched bundle has other components too, and those are promised by still other bundles.
        everything = shelf.up(shelf.down(affected))
        shelf.committed = commitments.committed(tx, account, everything, shelf.fetched_at(everything))
        shelf.await_arrivals(affected)
        return shelf, sorted(affected)

    def down(self, skus: Iterable[str]) -> set[str]:
        """The SKUs and, to the last level, their components."""
        reached: set[str] = set()
        wanted = set(skus)
        while wanted:
            self._fetch(wanted)
            reached |= wanted
            wanted = {part.sku for sku in wanted for part in self._components(sku)} - reached
        return reached

    def up(self, skus: Iterable[str]) -> set[str]:
        """The SKUs and, to the last level, the bundles that contain them."""
        reached: set[str] = set()
        wanted = set(skus)
        while wanted:
            reached |= wanted
            found = crosswalk.find_by_keys(self.tx, "product", "component", wanted)
            bundles = goldens.by_ids(self.tx, "product", {each for ids in found.values() for each in ids})
            above = {golden.content["sku"] for golden in bundles.values()}
            self._fetch(above)
            for bundle in above:
                for part in self._components(bundle):
                    self.parents.setdefault(part.sku, {})[bundle] = part.quantity
            wanted = above - reached
        return reached

    def fetched_at(self, skus: Iterable[str]) -> dict[str, datetime]:
        """When the figure behind each SKU was read; of a bundle, the oldest of its components'."""
        ages: dict[str, datetime] = {}
        for sku in skus:
            read = [self.figures[each].fetched_at for each in self.down([sku]) if each in self.figures]
            if read:
                ages[sku] = min(read)
        return ages

    def await_arrivals(self, skus: Iterable[str]) -> None:
        """Look up what open purchase orders bring of these SKUs."""
        here = {sku: self.products[sku][0] for sku in skus if sku in self.products}
        named = crosswalk.external_ids(self.tx, "product", self.account, here.values())
        by_key = {f"{self.account}:{named[key][0]}": sku for sku, key in here.items()}
        found = crosswalk.find_by_keys(self.tx, "purchase_order", ORDERED, by_key)
        rows = goldens.by_ids(self.tx, "purchase_order", {each for ids in found.values() for each in ids})
        orders = [PurchaseOrder.model_validate(row.content) for row in rows.values()]
        expected: dict[str, dict[tuple[str, datetime | None], int]] = {}
        for order in (each for each in orders if each.open):
            for line in order.lines:
                sku = by_key.get(f"{self.account}:{line.product}")
                if sku is not None and line.quantity > line.received:
                    place = (order.warehouse, order.expected_at)
                    units = expected.setdefault(sku, {})
                    units[place] = units.get(place, 0) + line.quantity - line.received
        self.arrivals = {
            sku: [Arrival(warehouse=where, at=when, quantity=units) for (where, when), units in places.items()]
            for sku, places in expected.items()
        }

    def demand(self, sku: str) -> dict[str, int]:
        """Units promised by each shop and not in the figures: sold as themselves, or inside bundles."""
        total = dict(self.committed.get(sku, {}))
        for bundle, units in self.parents.get(sku, {}).items():
            for shop, promised in self.demand(bundle).items():
                total[shop] = total.get(shop, 0) + units * promised
        return total

    def on_hand(self, sku: str) -> dict[str, int]:
        """Sellable units by warehouse; of a bundle, how many the scarcest of all that it is made of still allows there.

        Reckoned from the simple products: one that a bundle contains twice, itself and in a bundle within, is needed
        twice. What no stock is kept of never limits.
        """
        if not self._components(sku):
            return _by_warehouse(self.figures.get(sku))
        makes: list[dict[str, int]] = []
        for part, units in self.pieces(sku).items():
            left = self._less(_by_warehouse(self.figures.get(part)), self.demand(part))
            makes.append({place: count // units for place, count in left.items()})
        places = sorted({place for each in makes for place in each})
        return {place: min(each.get(place, 0) for each in makes) for place in places}

    def pieces(self, sku: str) -> dict[str, int]:
        """The simple products in one of a SKU that stock is kept of, or that are not known, with their units."""
        parts = self._components(sku)
        if not parts:
            counted = sku not in self.products or self.products[sku][1].stock_tracked
            return {sku: 1} if counted else {}
        total: dict[str, int] = {}
        for part in parts:
            for piece, units in self.pieces(part.sku).items():
                total[piece] = total.get(piece, 0) + units * part.quantity
        return total

    def level(self, sku: str) -> StockLevel | str:
        """The stock level of a SKU, or the rule by which it has none."""
        if sku not in self.products:
            return "not_in_brightpearl"
        product = self.products[sku][1]
        pieces = self.pieces(sku)
        if not pieces:
            return "not_stock_tracked"
        if any(piece not in self.figures for piece in pieces):
            return "no_figure_yet"  # unread or unreachable is never zero
        if product.is_bundle:
            return StockLevel(sku=sku, on_hand=self.on_hand(sku))
        promised = {shop: units for shop, units in sorted(self.demand(sku).items()) if units}
        arrivals = sorted(self.arrivals.get(sku, ()), key=lambda each: (each.at is None, each.at, each.warehouse))
        return StockLevel(sku=sku, on_hand=self.on_hand(sku), committed=promised, expected=tuple(arrivals))

    def _less(self, on_hand: Mapping[str, int], promised: Mapping[str, int]) -> dict[str, int]:
        """What is left of a component if the promised units leave: nobody knows yet from where, so each warehouse that
        the shop sells from may be it."""
        left = {}
        for place, units in on_hand.items():
            leaving = sum(count for shop, count in promised.items() if place in (self.shops.get(shop) or (place,)))
            left[place] = max(units - leaving, 0)
        return left

    def _components(self, sku: str) -> Sequence[Component]:
        return self.products[sku][1].components if sku in self.products else ()

    def _fetch(self, skus: Iterable[str]) -> None:
        wanted = set(skus) - self.products.keys()
        if not wanted:
            return
        keys = crosswalk.find_by_keys(self.tx, "product", "sku", wanted)
        candidates = {each for found in keys.values() for each in found}
        ids = crosswalk.external_ids(self.tx, "product", self.account, candidates)
        here = goldens.by_ids(self.tx, "product", ids)
        figures = records.by_ids(self.tx, self.account, FIGURES, [external[0] for external in ids.values()])
        for key, golden in here.items():
            product = Product.model_validate(golden.content)
            self.products[product.sku] = (key, product)
            if ids[key][0] in figures:
                self.figures[product.sku] = figures[ids[key][0]]


def _by_warehouse(record: Record | None) -> dict[str, int]:
    if record is None or record.deleted:
        return {}
    return {place: int(each["onHand"]) for place, each in sorted(record.payload["warehouses"].items())}
