"""Orders: what the shops sold, with every line, and the sales orders that they become.

Here: the words and the dependencies of the order assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

ORDERS = EntityAssets(
    entity="order",
    extracted=(
        "The {what} of **{connection}** as its API gave them, with their lines, addresses and fees: the latest version "
        "of each. Customers and payments are read from here too."
    ),
    mapped=(
        "Every shop order once, in one form: lines, shipping, discounts and taxes add up to the order's total to the "
        "penny, or a named rounding line says what does not.\n\n"
        "An order that breaks a rule is held whole, with the reason, and goes on by itself once the cause is mended."
    ),
    published=(
        "Orders written to **{connection}**: one sales order for each, with all its lines, then its reservation, or "
        "its cancellation. Sending one again makes no second order.\n\n"
        "An order with a SKU that {connection} does not know waits for the product."
    ),
    published_after=("customer",),
    published_from=("product",),
)
