"""Products: what is sold, under which SKU, and what bundles are made of.

Here: the words and the dependencies of the product assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

PRODUCTS = EntityAssets(
    entity="product",
    extracted=(
        "The {what} of **{connection}** as its API gave them: the latest version of each, nothing changed or left out."
    ),
    mapped=(
        "Every product once, by its SKU, whichever systems know it, with the components of bundles.\n\n"
        "Orders and stock find their products here. A product that fails a rule is held as a dead letter with the "
        "reason; the others go on."
    ),
    published="Products written to **{connection}**: only what it lacks or has differently.",
)
