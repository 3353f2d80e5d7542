"""Finds the SKUs whose stock must be reckoned again, some at a time: nothing here holds all of a catalogue.

Each batch moves its own offset, in the transaction that stores what was made of it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from brightpearl_pipelines.mapping import MappingError, MappingErrors
from brightpearl_pipelines.store import commitments, crosswalk, goldens, positions, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.shelf import FIGURES
from brightpearl_pipelines.systems.contract import Mapped, Settings

ENTITY = "stock_level"
ROWS_A_TIME = 1000
SETTLING = timedelta(days=1)
"""How long a settled order's SKUs are looked at again: figures are read again well within it."""


@dataclass(frozen=True)
class Batch:
    """Some SKUs, and what to remember once they are done: the offsets that they were found behind."""

    skus: Collection[str] = ()
    again: bool = False
    """Their numbers must be planned again even where the level comes out the same."""
    offered: Collection[UUID] = ()
    """Products whose level is as it was, and whose numbers must be planned again nevertheless."""
    offsets: Mapping[str, int] = field(default_factory=dict)
    shape: str | None = None
    """The settings that all levels were reckoned by, once all of them are done."""


def figures_consumer(account: str) -> str:
    """The name under which is kept how far an account's figures were taken into the stock levels."""
    return f"{ENTITY}:figures:{account}"


class StockChanges:
    """What happened to the stock of one account since the last time."""

    def __init__(self, engine: Engine, account: str) -> None:
        self.engine = engine
        self.account = account
        self.shops = engine.configuration.shops_of(account)

    def places(self) -> dict[str, frozenset[str]]:
        """The warehouses that each shop sells from."""
        return {shop.name: shop.settings.sells_from() for shop in self.shops}

    def batches(self, *, everything: bool) -> Iterator[Batch]:
        """What must be looked at. The caller stores what becomes of a batch, with its offsets, and takes the next."""
        with self.engine.transaction() as tx:
            known = positions.get(tx, self._shape_name).token
        if everything or known != self._shape:
            yield from self._everything()
            return
        yield from self._products()
        for shop in self.shops:
            yield from self._offers(shop.name, shop.settings)
        yield from self._figures()
        yield from self._purchases()
        yield from self._promises()

    def done(self, tx: Transaction, batch: Batch) -> None:
        """Remember that a batch is done with."""
        for name, version in batch.offsets.items():
            positions.move(tx, name, version=version)
        if batch.shape is not None:
            positions.move(tx, self._shape_name, token=batch.shape)

    # -- everything -----------------------------------------------------------------------------------------------

    @property
    def _shape_name(self) -> str:
        return f"{ENTITY}:shape:{self.account}"

    @property
    def _shape(self) -> str:
        """The settings of the shops that the levels themselves depend on."""
        return json.dumps({name: sorted(places) for name, places in sorted(self.places().items())})

    def _everything(self) -> Iterator[Batch]:
        with self.engine.transaction() as tx:
            ends = self._ends(tx)
        version = 0
        while True:
            with self.engine.transaction() as tx:
                rows = goldens.after(tx, "product", version, ROWS_A_TIME)
                known = crosswalk.external_ids(tx, "product", self.account, [row.id for row in rows])
            # What changes meanwhile comes once more, and is nothing to wait for.
            if not rows or version >= ends[self._products_name]:
                break
            version = rows[-1].version
            yield Batch([row.content["sku"] for row in rows if row.id in known])
        yield Batch(offsets=ends, shape=self._shape)

    def _ends(self, tx: Transaction) -> dict[str, int]:
        """How far everything goes at present, by the name of the offset."""
        ends = {
            self._products_name: goldens.latest_version(tx, "product"),
            self._purchases_name: goldens.latest_version(tx, "purchase_order"),
            figures_consumer(self.account): records.latest_version(tx, self.account, FIGURES),
            self._promises_name: commitments.latest_version(tx, self.account),
        }
        for shop in self.shops:
            for stream in self._streams_of_offers(shop.name):
                ends[self._offers_name(shop.name, stream)] = records.latest_version(tx, shop.name, stream)
        return ends

    # -- what changed ---------------------------------------------------------------------------------------------

    @property
    def _products_name(self) -> str:
        return f"{ENTITY}:products:{self.account}"

    @property
    def _purchases_name(self) -> str:
        return f"{ENTITY}:purchases:{self.account}"

    @property
    def _promises_name(self) -> str:
        return f"{ENTITY}:commitments:{self.account}"

    @staticmethod
    def _offers_name(shop: str, stream: str) -> str:
        return f"{ENTITY}:offers:{shop}:{stream}"

    def _products(self) -> Iterator[Batch]:
        """What a product is made of, and what is kept back of it, may have changed."""
        while True:
            with self.engine.transaction() as tx:
                offset = positions.get(tx, self._products_name).version
                rows = goldens.after(tx, "product", offset, ROWS_A_TIME)
            if not rows:
                return
            skus = {row.content["sku"] for row in rows}
            yield Batch(skus, again=True, offsets={self._products_name: rows[-1].version})

    def _streams_of_offers(self, shop: str) -> list[str]:
        sources = self.engine.configuration.connection(shop).system.sources
        return [each.stream for each in sources if each.entity == "product" and not each.joins and not each.beside]

    def _offers(self, shop: str, settings: Settings) -> Iterator[Batch]:
        """How a shop counts a product may have changed: its numbers are planned again, and go if they must."""
        for stream in self._streams_of_offers(shop):
            name = self._offers_name(shop, stream)
            while True:
                with self.engine.transaction() as tx:
                    rows = records.after(tx, shop, stream, positions.get(tx, name).version, ROWS_A_TIME)
                    variants = self._variants(shop, stream, rows, settings)
                    offered = set(crosswalk.golden_ids(tx, "product", shop, variants).values())
                if not rows:
                    break
                yield Batch(offered=offered, offsets={name: rows[-1].version})

    def _variants(self, shop: str, stream: str, rows: Sequence[Record], settings: Settings) -> set[str]:
        sources = self.engine.configuration.connection(shop).system.sources
        (source,) = [each for each in sources if each.entity == "product" and each.stream == stream]
        found: set[str] = set()
        for row in rows:
            try:
                parts = source.read(row, settings)
            except (MappingErrors, MappingError, LookupError, TypeError, ValueError, ArithmeticError):
                continue  # held where products are merged
            found |= {part.external_id for part in parts if isinstance(part, Mapped)}
        return found

    def _figures(self) -> Iterator[Batch]:
        name = figures_consumer(self.account)
        while True:
            with self.engine.transaction() as tx:
                rows = records.after(tx, self.account, FIGURES, positions.get(tx, name).version, ROWS_A_TIME)
                skus = self._skus(tx, self.account, [row.id for row in rows])
            if not rows:
                return
            yield Batch(skus, offsets={name: rows[-1].version})

    def _purchases(self) -> Iterator[Batch]:
        """What is on its way changed."""
        while True:
            with self.engine.transaction() as tx:
                offset = positions.get(tx, self._purchases_name).version
                rows = goldens.after(tx, "purchase_order", offset, ROWS_A_TIME)
                mine = [row for row in rows if row.origin.get("reference") == self.account]
                products = {line["product"] for row in mine for line in row.content["lines"]}
                skus = self._skus(tx, self.account, products)
            if not rows:
                return
            yield Batch(skus, offsets={self._purchases_name: rows[-1].version})

    def _promises(self) -> Iterator[Batch]:
        """What was promised or withdrawn. A settled order stops counting when a later figure is read, and that figure
        may well be the same number: what was settled of late is looked at as well."""
        with self.engine.transaction() as tx:
            offset = positions.get(tx, self._promises_name).version
            touched, version = commitments.skus_changed_after(tx, self.account, offset)
            touched |= commitments.settled_since(tx, self.account, tx.clock.now() - SETTLING)
        skus = sorted(touched)
        for start in range(0, len(skus), ROWS_A_TIME):
            yield Batch(skus[start : start + ROWS_A_TIME])
        yield Batch(offsets={self._promises_name: version})

    @staticmethod
    def _skus(tx: Transaction, connection: str, external_ids: Iterable[str]) -> set[str]:
        """The SKUs of products by what the connection calls them."""
        known = crosswalk.golden_ids(tx, "product", connection, external_ids).values()
        return {row.content["sku"] for row in goldens.by_ids(tx, "product", known).values()}
