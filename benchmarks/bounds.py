"""The fewest calls that the systems' own rules allow, at best use of each; what is measured is told beside them.

Brightpearl: ten writes in a multi-message count as one call, 200 ids a read, 500 rows a search (brightpearl.md §2.5,
§3, §4.2). BigCommerce: 250 orders a page with their lines (bigcommerce.md §2.1). Stock: stock.py.
"""

import math

MESSAGES_PER_CALL = 10
IDS_PER_READ = 200
ROWS_PER_SEARCH = 500
ORDERS_PER_PAGE = 250


def writes(things: int) -> int:
    """Calls that so many writes to Brightpearl take."""
    return math.ceil(things / MESSAGES_PER_CALL)


def rows_before_reserving(orders: int) -> int:
    """The rows that Brightpearl gave to the orders are read before they are reserved."""
    return math.ceil(orders / IDS_PER_READ)


def shop_pages(orders: int) -> int:
    return math.ceil(orders / ORDERS_PER_PAGE)


def orders_read_back(orders: int) -> int:
    """A search that finds them, and their contents: 7 calls for 1,000."""
    return math.ceil(orders / ROWS_PER_SEARCH) + math.ceil(orders / IDS_PER_READ)


def contacts_read_back(contacts: int) -> int:
    """A search that finds them, their contents and their addresses."""
    return math.ceil(contacts / ROWS_PER_SEARCH) + 2 * math.ceil(contacts / IDS_PER_READ)


def orders_in(orders: int, *, new_customers: bool) -> int:
    """All calls to Brightpearl: order, reservation and payment, with address and contact for who is new, and
    one read of rows (field-lessons §5.2: 0.305 and 0.505 an order)."""
    return math.ceil(orders * (505 if new_customers else 305) / 1000)
