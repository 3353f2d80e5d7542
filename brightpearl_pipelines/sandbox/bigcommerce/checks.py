"""What a field of a request may hold: types, lengths, bounds and choices as the vendor's OpenAPI files give them.

A `Check` says in words what is wrong with a value, or None. V3 refuses with 422 and `errors` by field, V2 with 400 and
the name of the first bad field (bigcommerce.md §1.2); the words themselves are documented nowhere. Null passes only
where the vendor's file says so.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject, Refusal

Check = Callable[[Json], str | None]
Checks = Mapping[str, Check]

LONG_TEXT = 65535
MOST = 2_147_483_647
MOST_MEASURE = 9_999_999_999
NOT_VALID = "Invalid field(s)"


# -- what is wrong with a value --------------------------------------------------------------------------------------


def text(most: int = LONG_TEXT, *, least: int = 0) -> Check:
    """Text of `least` to `most` characters."""
    words = f"must be text of {least} to {most} characters"
    return lambda value: None if isinstance(value, str) and least <= len(value) <= most else words


def integer(low: int = 0, high: int = MOST) -> Check:
    """A whole number, written as one: neither text nor 1.0."""
    words = f"must be a whole number from {low} to {high}"
    return lambda value: None if type(value) is int and low <= value <= high else words


def numeric(low: float = 0, high: float = math.inf) -> Check:
    """A finite number, money or a measure."""
    bounds = f" of at least {low}" if high == math.inf else f" from {low} to {high}"
    words = "must be a number" + ("" if low == -math.inf else bounds)
    return lambda value: None if _is_number(value) and low <= value <= high else words


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def moment(value: Json) -> str | None:
    """A date with a time, RFC-3339."""
    try:
        return (
            None if "T" in value and datetime.fromisoformat(value).tzinfo else "must be a date with a time and a zone"
        )
    except (TypeError, ValueError):
        return "must be a date with a time and a zone"


def flag(value: Json) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be true or false"


def one_of(*choices: str) -> Check:
    words = f"must be one of {', '.join(choices)}"
    return lambda value: None if isinstance(value, str) and value in choices else words


def or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def either(*checks: Check) -> Check:
    """What one of the checks lets pass; the words are the first one's."""
    return lambda value: None if any(check(value) is None for check in checks) else checks[0](value)


def list_of(check: Check, most: int | None = None) -> Check:
    """A list of at most `most`, each of which passes; the words name the place of the first bad one."""

    def wrong(value: Json) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        if most is not None and len(value) > most:
            return f"must have at most {most} entries"
        return next((f"entry {place} {words}" for place, each in enumerate(value) if (words := check(each))), None)

    return wrong


def object_of(checks: Checks, required: Iterable[str] = ()) -> Check:
    """An object whose known fields pass; unknown fields are let through, as the API ignores them."""
    needed = tuple(required)

    def wrong(value: Json) -> str | None:
        if not isinstance(value, dict):
            return "must be an object"
        missing = next((f"needs {name}" for name in needed if name not in value), None)
        return missing or next((f"{name} {words}" for name, words in wrong_fields(value, checks).items()), None)

    return wrong


# -- refusing --------------------------------------------------------------------------------------------------------


def wrong_fields(given: JsonObject, checks: Checks) -> dict[str, str]:
    """What is wrong, by field, with those given."""
    return {name: words for name in checks.keys() & given.keys() if (words := checks[name](given[name]))}


def refuse_wrong(given: JsonObject, checks: Checks, *, title: str = NOT_VALID, place: str = "") -> None:
    """V3: 422 that names every bad field, after `place` for an item of a batch, such as "0."."""
    errors = wrong_fields(given, checks)
    if errors:
        raise Refusal(422, title, errors={f"{place}{name}": words for name, words in sorted(errors.items())})


def refuse_wrong_v2(given: JsonObject, checks: Checks) -> None:
    """V2: 400 that names the first bad field."""
    errors = wrong_fields(given, checks)
    if errors:
        raise Refusal(400, f"The field '{min(errors)}' is invalid.")
