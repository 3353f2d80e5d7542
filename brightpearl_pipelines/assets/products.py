"""Products: what is sold, under which SKU, for how much, and what bundles are made of.

Here: the words and the dependencies of the product assets. How they come about: factory.py and perform.py.
"""

from collections.abc import Iterator

import dagster as dg

from brightpearl_pipelines.assets.factory import EntityAssets
from brightpearl_pipelines.assets.keys import extracted
from brightpearl_pipelines.configuration import Configuration


def _what_stands_beside(configuration: Configuration) -> Iterator[dg.AssetKey]:
    """What is read beside products: prices, brands, categories."""
    for connection in configuration.connections.values():
        for stream in connection.system.streams:
            if stream.entity == "product" and stream.follows is not None:
                yield extracted(connection.name, stream.name)


PRODUCTS = EntityAssets(
    entity="product",
    extracted=(
        "The {what} of **{connection}** as its API gave them: the latest version of each, nothing changed or left out."
    ),
    mapped=(
        "Every product once, by its SKU, whichever systems know it: texts, options, prices by price list, identifiers, "
        "the components of bundles.\n\n"
        "Orders and stock find their products here. A product that fails a rule is held as a dead letter with the "
        "reason; the others go on."
    ),
    published=(
        "Products written to **{connection}**: made where the settings say so, kept in step field by field, hidden "
        "when they are no longer sold, never deleted. Prices go to the price lists that the settings name; SKUs that "
        "clash are held."
    ),
    mapped_after=_what_stands_beside,
)
