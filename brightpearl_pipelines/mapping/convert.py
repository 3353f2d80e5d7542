"""Types: what a system's value becomes with us, and what ours becomes in the system's JSON.

With us: str, int, Decimal, bool, aware datetime in UTC, date. Written values may also come as the store keeps them,
that is, decimals, instants and days as strings. No value is ever a float.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final, Literal, NoReturn
from zoneinfo import ZoneInfo

TypeName = Literal["string", "integer", "decimal", "boolean", "datetime", "date"]
WrittenAs = Literal["string", "integer", "number", "boolean"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
NAMED_FORMATS: Final = ("iso8601", "rfc2822", "epoch_seconds")
INSTANT_FORMATS: Final = "iso8601, rfc2822, epoch_seconds or a strptime pattern such as '%d/%m/%Y %H:%M'"


class ConversionError(ValueError):
    """A value that is not of the declared type."""

    def __init__(self, rule: str, suggestion: str) -> None:
        self.rule = rule
        self.suggestion = suggestion
        super().__init__(f"{rule}. {suggestion}")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one value is converted, in both directions; without a type values pass as they are."""

    type: TypeName | None = None
    format: str | None = None
    timezone: ZoneInfo | None = None
    scale: int | None = None
    write_as: WrittenAs | None = None

    def read(self, value: Any) -> Any:
        """From the system's value to ours. Raises ConversionError."""
        refuse_floats(value)
        return value if self.type is None else _READERS[self.type](self, value)

    def write(self, value: Any) -> Any:
        """From our value to the system's. Raises ConversionError."""
        refuse_floats(value)
        if self.type is None and isinstance(value, date):
            raise ConversionError("JSON has no dates", "Declare the type, datetime or date.")
        return self.wire(value if self.type is None else _WRITERS[self.type](self, value))

    def wire(self, value: Any) -> Any:
        """Put a written value into the JSON type that `write_as` asks for."""
        match self.write_as:
            case "string":
                return to_text(value)
            case "integer":
                return int(value) if isinstance(value, bool) else to_integer(value)
            case "number":
                number = to_decimal(value)
                return int(number) if number == number.to_integral_value() and self.scale is None else number
            case "boolean":
                return to_boolean(value)
        return value


def refuse_floats(value: object) -> None:
    """Floats have lost digits before we see them: JSON is to be decoded with Decimals. Looks into lists and objects."""
    if isinstance(value, Mapping):
        for inner in value.values():
            refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_floats(inner)
    elif isinstance(value, float):
        raise ConversionError("numbers are never floats", "Decode the JSON with decimals (parse_float=Decimal).")


def to_text(value: object) -> str:
    """Text of a scalar as JSON writes it: true, 12, 1.50. Raises ConversionError for objects and lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return _iso_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    _fail("string", "Map a single value, not an object or a list; `fields` and `each` go into those.")


def to_decimal(value: object) -> Decimal:
    """A finite decimal from a number or its text. Raises ConversionError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        _fail("decimal", "Give a number, or a string that holds one.")
    text = str(value).strip()
    if not _DECIMAL.fullmatch(text):
        _fail("decimal", "Give a number such as 12.50, without currency signs or thousands separators.")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ConversionError("type decimal", "Give a number with fewer digits.") from error


def to_integer(value: object) -> int:
    """A whole number; "2.0000" is one, 2.5 is not. Raises ConversionError."""
    try:
        number = to_decimal(value)
    except ConversionError as error:
        raise ConversionError("type integer", "Give a whole number, or a string that holds one.") from error
    if number != number.to_integral_value():
        _fail("integer", "Give a whole number, or declare the type decimal.")
    return int(number)


def to_boolean(value: object) -> bool:
    """True or false, also as 1/0 or their text; other words go through a lookup table. Raises ConversionError."""
    if isinstance(value, bool | int | str):
        known = _BOOLEANS.get(str(value).strip().lower())
        if known is not None:
            return known
    _fail("boolean", "Give true, false, 1 or 0; map other words with a lookup table.")


def _fail(type_name: str, suggestion: str) -> NoReturn:
    raise ConversionError(f"type {type_name}", suggestion)


def _read_instant(conversion: Conversion, value: Any) -> datetime:
    pattern = conversion.format or "iso8601"
    if pattern == "epoch_seconds":
        return _from_epoch(to_decimal(value))
    if isinstance(value, datetime):
        instant = value
    else:
        if not isinstance(value, str):
            _fail(f"datetime, format {pattern}", "Give a text in that format.")
        instant = _parse_instant(value.strip(), pattern)
    if instant.tzinfo is None:
        if conversion.timezone is None:
            _fail(f"datetime, format {pattern}", "The text has no offset: declare the `timezone` that it is in.")
        instant = instant.replace(tzinfo=conversion.timezone)
    return instant.astimezone(UTC)


def _parse_instant(text: str, pattern: str) -> datetime:
    try:
        if pattern == "iso8601":
            return datetime.fromisoformat(text)
        if pattern == "rfc2822":
            return parsedate_to_datetime(text)
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - a missing offset is settled by the caller
    except ValueError as error:
        raise ConversionError(f"type datetime, format {pattern}", f"Expected {INSTANT_FORMATS}.") from error


def _from_epoch(seconds: Decimal) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as error:
        raise ConversionError("type datetime, format epoch_seconds", "Give seconds, not smaller units.") from error


def _write_instant(conversion: Conversion, value: Any) -> str | int:
    instant = _our_instant(value)
    match conversion.format or "iso8601":
        case "iso8601":
            return _iso_instant(instant.astimezone(conversion.timezone or UTC))
        case "rfc2822":
            return format_datetime(instant.astimezone(conversion.timezone or UTC))
        case "epoch_seconds":
            return (instant - _EPOCH) // timedelta(seconds=1)
        case pattern:
            return instant.astimezone(conversion.timezone or UTC).strftime(pattern)


def _our_instant(value: object) -> datetime:
    if isinstance(value, str):
        value = _parse_instant(value, "iso8601")
    if not isinstance(value, datetime) or value.tzinfo is None:
        _fail("datetime", "Our instants carry an offset.")
    return value.astimezone(UTC)


def _iso_instant(instant: datetime) -> str:
    precision = "microseconds" if instant.microsecond % 1000 else "milliseconds"
    text = instant.isoformat(timespec=precision)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _read_day(conversion: Conversion, value: Any) -> date:
    if isinstance(value, datetime):
        return value.astimezone(conversion.timezone).date() if conversion.timezone and value.tzinfo else value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        _fail("date", "Give a text such as 2026-02-03.")
    text = value.strip()
    if conversion.format is not None and conversion.format != "iso8601":
        return _parse_instant(text, conversion.format).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        # Not a bare day: an instant, whose day depends on where one stands.
        return _read_day(conversion, _parse_instant(text, "iso8601"))


def _write_day(conversion: Conversion, value: Any) -> str:
    if isinstance(value, str):
        value = _read_day(Conversion(), value)
    if not isinstance(value, date) or isinstance(value, datetime):
        _fail("date", "Our days are dates without a time.")
    pattern = conversion.format or "iso8601"
    return value.isoformat() if pattern == "iso8601" else value.strftime(pattern)


def _write_decimal(conversion: Conversion, value: Any) -> Any:
    number = to_decimal(value)
    if conversion.scale is not None:
        number = to_scale(number, conversion.scale)
    return number if conversion.write_as == "number" else format(number, "f")


def to_scale(number: Decimal, scale: int) -> Decimal:
    """The number with exactly `scale` decimals. Raises ConversionError if that would drop digits other than 0."""
    scaled = round(number, scale)
    if scaled != number:
        raise ConversionError(f"scale {scale}", f"{number} has more decimals: round it where it is worked out.")
    return scaled


_READERS: Final[dict[TypeName, Callable[[Conversion, Any], Any]]] = {
    "string": lambda _, value: to_text(value),
    "integer": lambda _, value: to_integer(value),
    "decimal": lambda _, value: to_decimal(value),
    "boolean": lambda _, value: to_boolean(value),
    "datetime": _read_instant,
    "date": _read_day,
}
_WRITERS: Final[dict[TypeName, Callable[[Conversion, Any], Any]]] = {
    "string": lambda _, value: to_text(value),
    "integer": lambda _, value: to_integer(value),
    "decimal": _write_decimal,
    "boolean": lambda _, value: to_boolean(value),
    "datetime": _write_instant,
    "date": _write_day,
}
