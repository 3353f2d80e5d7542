"""Reconciled inventory: what each Brightpearl account can still sell of each SKU, shop orders in flight taken off.

Brightpearl's figure is net of its own allocations. An order that the shop took and Brightpearl has not yet reserved
is not in it: those units are `committed`, until a figure read after the reservation shows them. Bundles are computed
from their components, at any depth, so that no call is made for them (field-lessons.md §5.2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from brightpearl_pipelines.entities.models import Component, OrderStatus, Product, StockLevel
from brightpearl_pipelines.store import (
    agreed,
    commitments,
    crosswalk,
    dead_letters,
    goldens,
    positions,
    records,
)
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Golden, Record
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.hub import golden_id, token
from brightpearl_pipelines.sync.scope import Counts, Scope

RECORDS_A_TIME = 1000
ENTITY = "stock_level"
STREAM = "inventory"
SETTLING = timedelta(days=1)
"""How long a settled order's SKUs are looked at again: figures are read again well within it."""
IN_FLIGHT = (
    OrderStatus.OPEN,
    OrderStatus.AWAITING_PAYMENT,
    OrderStatus.PARTIALLY_SHIPPED,
    OrderStatus.PARTIALLY_REFUNDED,
)


async def reconcile_inventory(engine: Engine, scope: Scope) -> Counts:
    """Recompute the stock levels whose figures, composition or commitments changed since the last time."""
    counts = Counts()
    async with engine.alone(f"merge:{ENTITY}"):
        for account in engine.configuration.accounts:
            with engine.transaction() as tx:
                dirty = _Dirty(tx, account.name)
                skus = dirty.everything() if scope.repair or scope.compare_all else dirty.changed()
                shops = [shop.name for shop in engine.configuration.shops_of(account.name)]
                _recompute(tx, account.name, shops, skus, counts)
                dirty.done()
            engine.tell("reconciled stock_level", counts.read)
    return counts


def figures_consumer(account: str) -> str:
    """The name under which is kept how far an account's figures were taken into the stock levels."""
    return f"{ENTITY}:figures:{account}"


def commit_orders(tx: Transaction, account: str, shop: str, orders: Iterable[Golden]) -> None:
    """Note what shop orders promise: called with each order golden that changed, within the same transaction."""
    moved: set[str] = set()
    for order in orders:
        quantities: dict[str, int] = {}
        lines = [line for line in order.content["lines"] if line["kind"] == "product"]
        if order.content["status"] in IN_FLIGHT:
            for line in lines:
                quantities[line["sku"]] = quantities.get(line["sku"], 0) + int(line["quantity"])
        moved |= {line["sku"] for line in lines}
        commitments.replace(tx, order.id, account, quantities)
    _forget_shown(tx, account, shop, moved)


def forget(tx: Transaction, account: str, shop: str, skus: Iterable[str]) -> None:
    """Have the figures of these SKUs sent to a shop again, even if they come out the same: what it shows has moved, or
    may have, without any order changing, as by a refund (bigcommerce.md §8.7)."""
    skus = list(skus)
    _forget_shown(tx, account, shop, skus)
    products = crosswalk.find_by_keys(tx, "product", "sku", skus)
    goldens.renew(tx, ENTITY, {golden_id(ENTITY, account, str(each)) for ids in products.values() for each in ids})


def _forget_shown(tx: Transaction, account: str, shop: str, skus: Iterable[str]) -> None:
    """The shop moves its own figure when an order is placed or shipped, cancelled or refunded, as its settings say
    (bigcommerce.md §4.4): what we last gave it is no longer what it shows, so that the number must go again even if it
    comes out the same."""
    products = crosswalk.find_by_keys(tx, "product", "sku", skus)
    rows = [golden_id(ENTITY, account, str(each)) for ids in products.values() for each in ids]
    agreed.put(tx, ENTITY, shop, {row: {} for row in agreed.get(tx, ENTITY, shop, rows)})


@dataclass
class _Dirty:
    """Which SKUs of an account must be looked at again, and the offsets that say so."""

    tx: Transaction
    account: str
    moves: dict[str, int] = field(default_factory=dict)

    def changed(self) -> set[str]:
        """SKUs touched since last time by a new figure, a changed product or an order that came or was settled."""
        products = self._products_after() | self._figures_after()
        skus = {each.content["sku"] for each in goldens.by_ids(self.tx, "product", products).values()}
        name = f"{ENTITY}:commitments:{self.account}"
        touched, version = commitments.skus_changed_after(self.tx, self.account, positions.get(self.tx, name).version)
        self.moves[name] = version
        # A settled order stops counting when a later figure is read, and that figure may well be the same number.
        settled = commitments.settled_since(self.tx, self.account, self.tx.clock.now() - SETTLING)
        return skus | touched | settled

    def everything(self) -> set[str]:
        """All SKUs that the account knows."""
        self.changed()
        ids = records.all_ids(self.tx, self.account, "products")
        found = crosswalk.golden_ids(self.tx, "product", self.account, ids).values()
        return {each.content["sku"] for each in goldens.by_ids(self.tx, "product", found).values()}

    def done(self) -> None:
        for name, version in self.moves.items():
            positions.move(self.tx, name, version=version)

    def _figures_after(self) -> set[UUID]:
        name = figures_consumer(self.account)
        version, found = positions.get(self.tx, name).version, set[str]()
        while rows := records.after(self.tx, self.account, STREAM, version, RECORDS_A_TIME):
            found |= {row.id for row in rows}
            version = rows[-1].version
        self.moves[name] = version
        return set(crosswalk.golden_ids(self.tx, "product", self.account, found).values())

    def _products_after(self) -> set[UUID]:
        name = f"{ENTITY}:products:{self.account}"
        version, found = positions.get(self.tx, name).version, set[UUID]()
        while rows := goldens.after(self.tx, "product", version, RECORDS_A_TIME):
            found |= {row.id for row in rows}
            version = rows[-1].version
        self.moves[name] = version
        return found


@dataclass
class _Shelf:
    """Products, figures and promises of one account, for some SKUs and all that their numbers depend on."""

    tx: Transaction
    account: str
    products: dict[str, tuple[UUID, Product]] = field(default_factory=dict)
    figures: dict[str, Record] = field(default_factory=dict)
    parents: dict[str, dict[str, int]] = field(default_factory=dict)
    """SKU to the bundles it is part of, with its units a bundle."""
    committed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def around(cls, tx: Transaction, account: str, skus: Iterable[str]) -> tuple["_Shelf", list[str]]:
        """The shelf, and the SKUs whose numbers the given ones touch: their components, and all bundles of those."""
        shelf = cls(tx, account)
        affected = shelf.up(shelf.down(skus))
        # A touched bundle has other components too, and those are promised by still other bundles.
        everything = shelf.up(shelf.down(affected))
        shelf.committed = commitments.committed(tx, account, everything, shelf.fetched_at(everything))
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

    def demand(self, sku: str) -> int:
        """Units promised and not in the figures: sold as themselves, or inside bundles."""
        inside = sum(units * self.demand(bundle) for bundle, units in self.parents.get(sku, {}).items())
        return self.committed.get(sku, 0) + inside

    def on_hand(self, sku: str) -> dict[str, int]:
        """Sellable units by warehouse; of a bundle, how many its scarcest component still allows there."""
        parts = self._components(sku)
        if not parts:
            return _by_warehouse(self.figures.get(sku))
        makes: list[dict[str, int]] = []
        for part in parts:
            there = self.on_hand(part.sku)
            left = there if self._components(part.sku) else _less(there, self.demand(part.sku))
            makes.append({place: max(units, 0) // part.quantity for place, units in left.items()})
        places = sorted({place for each in makes for place in each})
        return {place: min(each.get(place, 0) for each in makes) for place in places}

    def level(self, sku: str) -> StockLevel | str:
        """The stock level of a SKU, or the rule by which it has none."""
        if sku not in self.products:
            return "not_in_brightpearl"
        product = self.products[sku][1]
        if product.is_bundle:
            tracked = [part for part in self.down([sku]) if not self._components(part)]
            if any(part not in self.figures for part in tracked):
                return "no_figure_yet"
            return StockLevel(sku=sku, on_hand=self.on_hand(sku))
        if not product.stock_tracked:
            return "not_stock_tracked"
        if sku not in self.figures:
            return "no_figure_yet"  # unread or unreachable is never zero
        return StockLevel(sku=sku, on_hand=self.on_hand(sku), committed=self.demand(sku))

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
        figures = records.by_ids(self.tx, self.account, STREAM, [external[0] for external in ids.values()])
        for key, golden in here.items():
            product = Product.model_validate(golden.content)
            self.products[product.sku] = (key, product)
            if ids[key][0] in figures:
                self.figures[product.sku] = figures[ids[key][0]]


def _by_warehouse(record: Record | None) -> dict[str, int]:
    if record is None or record.deleted:
        return {}
    return {place: int(each["onHand"]) for place, each in sorted(record.payload["warehouses"].items())}


def _less(on_hand: Mapping[str, int], units: int) -> dict[str, int]:
    """What is left of a component if the promised units leave: nobody knows yet from where, so each place may be it."""
    return {place: max(left - units, 0) for place, left in on_hand.items()}


def _recompute(tx: Transaction, account: str, shops: Iterable[str], skus: Iterable[str], counts: Counts) -> None:
    shelf, affected = _Shelf.around(tx, account, skus)
    rows: dict[UUID, Golden] = {}
    arrived: set[str] = set()
    for sku in affected:
        counts.read += 1
        level = shelf.level(sku)
        if isinstance(level, str):
            counts.ignore(level)
            continue
        row = golden_id(ENTITY, account, str(shelf.products[sku][0]))
        rows[row] = Golden(ENTITY, row, level.model_dump(mode="json"), {"on_hand": account})
        if sum(level.on_hand.values()) > 0:
            arrived.add(token("stock", account, sku))
    existing = goldens.by_ids(tx, ENTITY, rows)
    changed = goldens.put(tx, rows.values())
    for shop in shops:
        forgotten = {row for row, shown in agreed.get(tx, ENTITY, shop, rows).items() if not shown}
        goldens.renew(tx, ENTITY, forgotten - changed)
    dead_letters.release_waiting(tx, arrived)
    counts.changed += len(changed)
    counts.created += len(changed - existing.keys())
    counts.updated += len(changed & existing.keys())
    counts.unchanged += len(rows) - len(changed)
