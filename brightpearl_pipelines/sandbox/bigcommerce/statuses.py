"""The fixed order statuses (bigcommerce.md §2.5) and what each says about payment."""

INCOMPLETE = 0
PENDING = 1
SHIPPED = 2
PARTIALLY_SHIPPED = 3
REFUNDED = 4
CANCELLED = 5
DECLINED = 6
AWAITING_PAYMENT = 7
COMPLETED = 10
AWAITING_FULFILLMENT = 11
PARTIALLY_REFUNDED = 14

STATUSES: dict[int, tuple[str, int, str]] = {
    0: ("Incomplete", 0, "The shopper reached the payment page and did not finish."),
    1: ("Pending", 1, "The checkout was begun and is not finished."),
    2: ("Shipped", 8, "The order left; it is not confirmed to have arrived."),
    3: ("Partially Shipped", 6, "Some of the items left."),
    4: ("Refunded", 11, "The whole order was refunded."),
    5: ("Cancelled", 9, "The order was cancelled by the seller."),
    6: ("Declined", 10, "The seller will not accept the order."),
    7: ("Awaiting Payment", 2, "The checkout is done and the payment is not."),
    8: ("Awaiting Pickup", 5, "The order waits for the customer to fetch it."),
    9: ("Awaiting Shipment", 4, "The order is packed and waits to be collected."),
    10: ("Completed", 7, "The order arrived or was downloaded."),
    11: ("Awaiting Fulfillment", 3, "The order is paid and waits to be packed."),
    12: ("Manual Verification Required", 13, "A person must look at the order first."),
    13: ("Disputed", 12, "The customer disputes the payment."),
    14: ("Partially Refunded", 14, "A part of the order was refunded."),
}
"""Name, place in the list of statuses, description."""

UNPAID = frozenset({INCOMPLETE, PENDING, DECLINED, AWAITING_PAYMENT})
NO_STOCK_TAKEN = frozenset({INCOMPLETE, REFUNDED, CANCELLED, DECLINED})
STOCK_RETURNS = frozenset({REFUNDED, CANCELLED})


def status_name(status_id: int) -> str:
    """The label a status is known by; KeyError for a number that is none."""
    return STATUSES[status_id][0]
