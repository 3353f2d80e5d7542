"""What may be shown to everyone who opens the UI: Dagster has no roles, and metadata is kept with the history.

Here: what is left out of tables; of sentences: ../privacy.py. Whoever may see all of it uses `bpp dead-letters show`.
"""

from brightpearl_pipelines.store.types import DeadLetter

SHOWN = {
    "customer": ("golden_id", "country"),
    "product": ("golden_id", "sku", "name", "live", "stock_tracked", "components"),
    "order": ("golden_id", "number", "placed_at", "channel", "currency", "status", "lines", "total"),
    "payment": ("golden_id", "order_number", "kind", "method", "currency", "amount", "paid_at"),
    "shipment": ("golden_id", "order_number", "reference", "shipped_at", "units"),
    "return": ("golden_id", "order_number", "reference", "returned_at", "currency", "total_net", "total_tax"),
    "purchase_order": ("golden_id", "reference", "placed_at", "warehouse", "open", "lines"),
    "stock_level": ("golden_id", "sku", "on_hand", "warehouses", "committed"),
}
"""The columns of each entity's frame that say nothing of a person."""
VALUES_SHOWN = frozenset({"stock_level", "shipment", "payment", "product", "return", "purchase_order"})
"""Entities whose writes may be shown with their values; of the others only the names of the fields are."""
WITHHELD = "withheld"
_PERSONAL_COLUMNS = frozenset({"first_name", "last_name", "company", "email", "phone", "postcode"})
_OPEN_TOKENS = ("product:", "order:", "stock:")


def shown_value(column: str, value: str) -> str:
    """A cell of a frame, unless it is personal."""
    return WITHHELD if value and column in _PERSONAL_COLUMNS else value


def shown_tokens(letter: DeadLetter) -> str:
    """What the letter waits for, as far as it is no person."""
    return ", ".join(token for token in letter.waiting_for if token.startswith(_OPEN_TOKENS))
