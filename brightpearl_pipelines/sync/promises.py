"""What shop orders promise of the stock, and when the shop's own figures are no longer what we last gave it.

Promises are kept by the SKU that a product has now: a SKU that is renamed takes its promises along, and an order that
was placed under the old one still holds its units back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from brightpearl_pipelines.entities.models import LineKind, OrderStatus
from brightpearl_pipelines.entities.returned import units_returned
from brightpearl_pipelines.store import agreed, commitments, crosswalk, goldens
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Golden
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines.sync.stock_changes import ENTITY

IN_FLIGHT = (
    OrderStatus.OPEN,
    OrderStatus.AWAITING_PAYMENT,
    OrderStatus.PARTIALLY_SHIPPED,
    OrderStatus.PARTIALLY_REFUNDED,
)


def commit_orders(tx: Transaction, account: str, shop: str, orders: Iterable[Golden]) -> None:
    """Note what shop orders promise: called with each order golden that changed, within the same transaction.

    What was refunded of an order is promised no more.
    """
    rows = list(orders)
    names = {row.id: f"{shop}:{row.content['number']}" for row in rows}
    found = crosswalk.find_by_keys(tx, "return", "order", names.values())
    returns = goldens.by_ids(tx, "return", {each for ids in found.values() for each in ids})
    lines = {row.id: [line for line in row.content["lines"] if line["kind"] == LineKind.PRODUCT] for row in rows}
    skus = _present_skus(tx, account, {line["sku"] for some in lines.values() for line in some})
    for row in rows:
        quantities: dict[str, int] = {}
        if row.content["status"] in IN_FLIGHT and not row.content.get("archived"):
            back = units_returned(returns[each].content for each in found.get(names[row.id], ()))
            for line in lines[row.id]:
                left = max(int(line["quantity"]) - back.get(line["key"], 0), 0)
                quantities[skus[line["sku"]]] = quantities.get(skus[line["sku"]], 0) + left
        commitments.replace(tx, row.id, account, quantities)
    # A line that was taken out has moved the shop's figure as well.
    forget(tx, account, shop, {*skus, *commitments.skus_of(tx, names)})


def commit_returns(tx: Transaction, account: str, shop: str, returns: Iterable[Golden]) -> None:
    """Note that less is promised of the orders that these returns are of."""
    rows = list(returns)
    known = crosswalk.golden_ids(tx, "order", shop, {row.content["order_number"] for row in rows})
    commit_orders(tx, account, shop, goldens.by_ids(tx, "order", known.values()).values())
    # Goods of an order that we do not know move the shop's figures as well.
    forget(tx, account, shop, {line["sku"] for row in rows for line in row.content["lines"]} - {""})


def rename(tx: Transaction, account: str, old: str, new: str) -> None:
    """A product of the account has another SKU now: its promises go over to that, and bundles name it by that."""
    commitments.rename(tx, account, old, new)
    found = crosswalk.find_by_keys(tx, "product", "component", [old]).get(old, [])
    bundles = []
    for row in goldens.by_ids(tx, "product", crosswalk.external_ids(tx, "product", account, found)).values():
        parts = [{**part, "sku": new} if part["sku"] == old else part for part in row.content["components"]]
        bundles.append(replace(row, content={**row.content, "components": parts}))
    goldens.put(tx, bundles)
    crosswalk.put_keys(tx, "product", [("component", new, row.id) for row in bundles])


def settle_part(tx: Transaction, account: str, order: UUID, units: Mapping[str, int], at: datetime) -> None:
    """So many units, by the SKUs that Brightpearl's rows have, are in its figures already."""
    present = _present_skus(tx, account, units)
    settled: dict[str, int] = {}
    for sku, some in units.items():
        settled[present[sku]] = settled.get(present[sku], 0) + some
    commitments.settle_part(tx, order, settled, at)


def forget(tx: Transaction, account: str, shop: str, skus: Iterable[str]) -> None:
    """The shop moved its own figures of these SKUs: what we last gave it is no longer what it shows.

    To be called, in the transaction that stores the reason, for every order that is placed, edited or shipped, and for
    every cancellation and refund (bigcommerce.md §4.4, §8.7: which of them move stock is a matter of settings, and the
    documents disagree). The number then goes again, even if it comes out the same.
    """
    products = crosswalk.find_by_keys(tx, "product", "sku", skus)
    rows = [golden_id(ENTITY, account, str(each)) for ids in products.values() for each in ids]
    known = agreed.get(tx, ENTITY, shop, rows)
    agreed.put(tx, ENTITY, shop, {key: {} for key in known})
    goldens.renew(tx, ENTITY, known)


def _present_skus(tx: Transaction, account: str, skus: Iterable[str]) -> dict[str, str]:
    """What the account's products are called now, by the SKUs that they are, or were, known by. A SKU that nobody has,
    or that several had, stays as it is."""
    wanted = set(skus)
    found = crosswalk.find_by_keys(tx, "product", "sku", wanted)
    candidates = {each for ids in found.values() for each in ids}
    rows = goldens.by_ids(tx, "product", crosswalk.external_ids(tx, "product", account, candidates))
    names: dict[str, str] = {}
    for sku in wanted:
        present = {rows[each].content["sku"] for each in found.get(sku, ()) if each in rows}
        names[sku] = present.pop() if len(present) == 1 and sku not in present else sku
    return names
