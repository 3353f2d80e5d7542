"""The fewest calls that the systems' own rules allow, at best use of each; what is measured is told beside them.

Brightpearl: ten writes in a multi-message count as one call, 200 ids a read, 500 rows a search (brightpearl.md §2.5,
§3, §4.2). BigCommerce: 250 orders a page with their lines, 2,000 stock items a call (bigcommerce.md §1.4, §4.1).
"""

import math

MESSAGES_PER_CALL = 10
IDS_PER_READ = 200
ROWS_PER_SEARCH = 500
ORDERS_PER_PAGE = 250
ITEMS_PER_ADJUSTMENT = 2000


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


def stock_read(products: int) -> int:
    """Which products there are, and their figures."""
    return math.ceil(products / ROWS_PER_SEARCH) + math.ceil(products / IDS_PER_READ)


def stock_written(changed: int) -> int:
    return math.ceil(changed / ITEMS_PER_ADJUSTMENT)
