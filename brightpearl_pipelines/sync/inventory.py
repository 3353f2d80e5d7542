"""Reconciled inventory: what each Brightpearl account can still sell of each SKU, shop orders in flight taken off.

How a level is reckoned: shelf.py. Which ones must be: stock_changes.py. What orders promise, which must be known before
figures are reckoned (bigcommerce.md §8.8): promises.py. Here: doing it, some SKUs at a time.
"""

from uuid import UUID

from brightpearl_pipelines.store import dead_letters, goldens
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Golden
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.hub import golden_id, token
from brightpearl_pipelines.sync.scope import Counts, Scope
from brightpearl_pipelines.sync.shelf import Shelf
from brightpearl_pipelines.sync.stock_changes import ENTITY, Batch, StockChanges, figures_consumer

__all__ = ["ENTITY", "figures_consumer", "reconcile_inventory"]


async def reconcile_inventory(engine: Engine, scope: Scope) -> Counts:
    """Reckon the stock levels whose figures, composition, offers, purchase orders or promises changed since last time;
    all of them for a repair, and when a shop sells from other warehouses than before."""
    counts = Counts()
    async with engine.alone(f"merge:{ENTITY}"):
        for account in engine.configuration.accounts:
            changes = StockChanges(engine, account.name)
            for batch in changes.batches(everything=scope.repair or scope.compare_all):
                before = counts.read
                with engine.transaction() as tx:
                    _reckon(tx, changes, batch, counts)
                    changes.done(tx, batch)
                engine.tell("reconciled stock_level", counts.read - before)
    return counts


def _reckon(tx: Transaction, changes: StockChanges, batch: Batch, counts: Counts) -> None:
    shelf, affected = Shelf.around(tx, changes.account, changes.places(), batch.skus)
    rows: dict[UUID, Golden] = {}
    arrived: set[str] = set()
    for sku in affected:
        counts.read += 1
        level = shelf.level(sku)
        if isinstance(level, str):
            counts.ignore(level)
            continue
        row = golden_id(ENTITY, changes.account, str(shelf.products[sku][0]))
        rows[row] = Golden(ENTITY, row, level.model_dump(mode="json"), {"on_hand": changes.account})
        if sum(level.on_hand.values()) > 0:
            arrived.add(token("stock", changes.account, sku))
    existing = goldens.versions(tx, ENTITY, rows)
    changed = goldens.put(tx, rows.values())
    again = {golden_id(ENTITY, changes.account, str(each)) for each in batch.offered}
    goldens.renew(tx, ENTITY, (again | rows.keys() if batch.again else again) - changed)
    dead_letters.release_waiting(tx, arrived)
    counts.changed += len(changed)
    counts.created += len(changed - existing.keys())
    counts.updated += len(changed & existing.keys())
    counts.unchanged += len(rows) - len(changed)
