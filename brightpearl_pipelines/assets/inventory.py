"""Inventory: how many of each SKU can still be sold, and the number that each shop shows.

Here: the words and the dependencies of the inventory assets. How they come about: factory.py and perform.py.
"""

from collections.abc import Iterator

import dagster as dg

from brightpearl_pipelines.assets.factory import EntityAssets
from brightpearl_pipelines.assets.keys import HUB, extracted, published_to
from brightpearl_pipelines.configuration import Configuration


def _figures_and_promises(configuration: Configuration) -> Iterator[dg.AssetKey]:
    """Stock is reckoned from figures, products, orders that the figures do not show yet, and what suppliers send."""
    for connection in configuration.connections.values():
        for stream in connection.system.streams:
            if stream.entity == "stock_level":
                yield extracted(connection.name, stream.name)
    yield HUB["product"]
    yield HUB["order"]
    yield HUB["purchase_order"]
    yield from published_to(configuration, "order")


INVENTORY = EntityAssets(
    entity="stock_level",
    daily=False,
    extracted=(
        "Stock by warehouse as **{connection}** gives it, already without what it has allocated. A product whose "
        "figure could not be read keeps its last one: unreachable is never zero."
    ),
    mapped=(
        "What can still be sold of each SKU, by warehouse: the stock figure; what shop orders took that it does "
        "not show yet; what open purchase orders will bring, and when. Bundles are computed from their components."
    ),
    published=(
        "Stock numbers written to **{connection}**, for each of its locations: the sum over the warehouses that feed "
        "it, less what is kept back and what is in flight, never below 0; only numbers that changed. Each is read back "
        "until it shows."
    ),
    mapped_after=_figures_and_promises,
    published_after=("product",),
    published_from=("product",),
)
