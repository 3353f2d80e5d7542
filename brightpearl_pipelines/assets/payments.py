"""Payments: money that moved for an order, per tender.

Here: the words and the dependencies of the payment assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

PAYMENTS = EntityAssets(
    entity="payment",
    extracted="The {what} of **{connection}** as its API gave them: the latest version of each.",
    mapped=(
        "Every movement of money of a shop order once: what was charged, and apart from it what gift certificates and "
        "store credit paid; what was only authorised, and whether that was taken or released; what went back."
    ),
    published="Payments recorded in **{connection}** against their orders, refunds against their credits, once each.",
    published_after=("order", "return"),
)
