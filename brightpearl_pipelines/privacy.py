"""What may be told to everyone who reads a table or a page: no person's data, and no answer that may quote it."""

import re

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
