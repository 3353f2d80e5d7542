"""Returns: what was refunded of an order, with the goods that came back for it.

Here: the words and the dependencies of the return assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets
from brightpearl_pipelines.assets.keys import extracted_for

RETURNS = EntityAssets(
    entity="return",
    extracted="The {what} of **{connection}** as its API gave them: the latest version of each.",
    mapped=(
        "Every refund of a shop order once: which lines, how many of each, net and tax as the shop booked them, "
        "shipping and goodwill apart."
    ),
    published="Sales credits written to **{connection}**, linked to their orders, once each.",
    mapped_after=lambda configuration: extracted_for(configuration, "order"),
    published_after=("order",),
)
