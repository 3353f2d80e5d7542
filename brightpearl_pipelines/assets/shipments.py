"""Shipments: what left a warehouse, and what the shop tells its customer about it.

Here: the words and the dependencies of the shipment assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

SHIPMENTS = EntityAssets(
    entity="shipment",
    extracted=(
        "What **{connection}** shipped, as its API gave it: each shipped goods-out note with the order that it belongs "
        "to."
    ),
    streams_are="shipments",
    mapped=(
        "Every shipment of a shop order once: which lines left, how many of each, the warehouse and the tracking "
        "number. A bundle has left when all its parts have."
    ),
    published=(
        "Shipments written to **{connection}** with carrier and tracking number, partial ones included, once each. "
        "Corrected tracking numbers change them; what the warehouse took back is deleted again."
    ),
)
