"""What may be told to everyone who reads a table or a page: no person's data, and no answer that may quote it."""

import re
from typing import Any

from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.store.types import DeadLetter

_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_ABOUT_CODES = frozenset({"reference_not_found", "unmapped_value", "not_reserved", "target_differs"})
"""Reasons whose sentences quote nothing but codes: a SKU, a status, a total."""


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


MASK = "…"
PERSONAL = re.compile(
    r"(first|last|full)_?name|addressfullname|^name$|company|organisation|(address_?)?line_?\d|street|city|postcode|"
    r"postal_?code|zip|phone|mobile|telephone|fax|email|contact$|salutation|ip_address|note|message|text",
    re.IGNORECASE,
)
"""Names of fields that hold, or may quote, what is personal."""
NOT_PERSONAL = ("rows", "lines", "items", "set")
"""Lists of goods: the names in them are of things."""


def shown_payload(payload: Any, *, goods: bool = False) -> Any:
    """A payload as it may be shown to whoever looks for a fault: codes, amounts and goods in clear, people masked."""
    if isinstance(payload, dict):
        return {
            name: MASK
            if not goods and isinstance(value, str) and value and PERSONAL.search(name)
            else shown_payload(value, goods=goods or name in NOT_PERSONAL)
            for name, value in payload.items()
        }
    if isinstance(payload, list):
        return [shown_payload(each, goods=goods) for each in payload]
    return redact(payload) if isinstance(payload, str) else payload
