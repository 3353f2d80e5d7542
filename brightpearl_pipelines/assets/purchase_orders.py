"""Purchase orders: what is on its way from suppliers.

Here: the words and the dependencies of the purchase order assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

PURCHASE_ORDERS = EntityAssets(
    entity="purchase_order",
    extracted="The {what} of **{connection}** as its API gave them: the latest version of each.",
    mapped="Every purchase order once: what was ordered of each SKU, what has been received, and when the rest comes.",
    published="Purchase orders written to **{connection}**.",
)
