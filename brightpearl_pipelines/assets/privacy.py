"""What may be shown to everyone who opens the UI: Dagster has no roles, and metadata is kept with the history.

Here: what is left out of tables and sentences. Whoever may see all of it uses `bpp dead-letters show`.
"""

import re

from brightpearl_pipelines.http.redaction import redact
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
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_ABOUT_CODES = frozenset({"reference_not_found", "unmapped_value", "not_reserved", "target_differs"})
"""Reasons whose sentences quote nothing but codes: a SKU, a status, a total."""
_OPEN_TOKENS = ("product:", "order:", "stock:")


def shown_value(column: str, value: str) -> str:
    """A cell of a frame, unless it is personal."""
    return WITHHELD if value and column in _PERSONAL_COLUMNS else value


def shown_sentence(letter: DeadLetter) -> str:
    """What happened, without what the record says of a person, and without what a target answered."""
    sentence = letter.sentence
    if letter.stage == "deliver":
        # A target's answer may repeat anything that was sent.
        before, subject, _ = sentence.partition(letter.subject)
        return redact(f"{before}{subject}") if subject else f"{letter.connection} would not take it"
    if letter.stage == "compare" and letter.entity == "customer":
        return f"customer differs in {letter.connection}: {letter.field}"
    if letter.reason not in _ABOUT_CODES:
        sentence = _QUOTED.sub("…", sentence)
        if letter.value:
            sentence = sentence.replace(letter.value, "…")
    return redact(sentence)


def shown_tokens(letter: DeadLetter) -> str:
    """What the letter waits for, as far as it is no person."""
    return ", ".join(token for token in letter.waiting_for if token.startswith(_OPEN_TOKENS))
