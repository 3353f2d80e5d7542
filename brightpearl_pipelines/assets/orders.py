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
        "An order that breaks a rule is held whole, with the reason, and goes on by itself once the cause is mended. "
        "Beside what the shop says stands where Brightpearl has it."
    ),
    published=(
        "What orders bring to **{connection}**. Brightpearl gets one sales order for each with all its lines, then its "
        "reservation, its later edits until the warehouse has begun, its cancellation; sending one again makes no "
        "second order, and a SKU that is not known there waits for the product. A shop gets the status that its order "
        "has reached in Brightpearl, a cancellation included, where that is further than what the shop shows."
    ),
    published_after=("customer",),
    published_from=("product", "return"),
)
