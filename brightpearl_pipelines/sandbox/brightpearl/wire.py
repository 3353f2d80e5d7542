"""How Brightpearl writes things down: envelopes, errors, numbers, instants, id sets (brightpearl.md §2)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

Json = Any
"""Whatever JSON can hold."""
JsonObject = dict[str, Any]
ZERO = Decimal(0)
PENNY = Decimal("0.01")

_NUMBER_MARK = "\x00"
_MARKED_NUMBER = re.compile(r'"\\u0000(-?[\d.]+)\\u0000"')
_HTML_ESCAPES = {"=": "\\u003d", "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"}
_ID_SET_PART = re.compile(r"(\d+)(?:-(\d+))?")


class ApiError(Exception):
    """An answer with an `errors` array of pairs of code and message. All problems of a call go together."""

    def __init__(self, status: int, *errors: tuple[str, str]) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.errors = errors

    def body(self) -> JsonObject:
        return {"errors": [{"code": code, "message": message} for code, message in self.errors]}


def not_found(message: str) -> ApiError:
    """The empty-list rule: what matches nothing is a 404 with CMNC-404 (brightpearl.md §2.4)."""
    return ApiError(404, ("CMNC-404", message))


@dataclass(frozen=True)
class Reply:
    """What a handler answers: a JSON body with its HTTP status."""

    body: JsonObject
    status: int = 200


DONE = Reply({})


def answer(response: Json, status: int = 200, **siblings: Json) -> Reply:
    """The envelope of a success; `siblings` stand beside `response`."""
    return Reply({"response": response, **siblings}, status)


@dataclass(frozen=True)
class Call:
    """One request below the account, alone or inside a multi-message."""

    method: str
    path: str
    """Without host and account, e.g. `/order-service/order/7`."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    raw: bytes = b""
    staff_id: int = 4
    """The contact to whom what this call does is attributed."""
    instance_id: int | None = None
    """The installed integration instance, for OAuth apps."""

    def json(self) -> Json:
        """The body; CMNC-010 when it is missing or not JSON."""
        try:
            return json.loads(self.raw)
        except ValueError:
            problem = ("CMNC-010", "You must supply a JSON formatted body with your request")
            raise ApiError(400, problem) from None

    def object(self) -> JsonObject:
        """The body, which has to be an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise ApiError(400, ("CMNC-010", "You must supply a JSON formatted body with your request"))
        return body

    def includes(self, section: str) -> bool:
        """Whether `includeOptional` asks for a section and `excludeOptional` does not bar it (brightpearl.md §2.7)."""
        wanted = self.query.get("includeOptional", "").split(",")
        barred = self.query.get("excludeOptional", "").split(",")
        return section in wanted and section not in barred


# -- JSON ---------------------------------------------------------------------------------------------------------


def padded(value: object, places: int) -> str:
    """A JSON number with fixed decimals, e.g. 0.2500: written as a marked string that `dumps` turns into a number."""
    return f"{_NUMBER_MARK}{Decimal(str(value)):.{places}f}{_NUMBER_MARK}"


def dumps(body: Json, *, escape_html: bool = True) -> str:
    """JSON as the service writes it: compact, with = < > & ' escaped inside strings (brightpearl.md §2.1)."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text:
        text = _MARKED_NUMBER.sub(r"\1", text)
    if escape_html:  # none of these characters occurs in JSON outside of strings
        for character, escaped in _HTML_ESCAPES.items():
            if character in text:
                text = text.replace(character, escaped)
    return text


# -- numbers ------------------------------------------------------------------------------------------------------


def decimal_of(value: object) -> Decimal | None:
    """A number or numeric string as a finite Decimal, else None."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def int_of(value: object) -> int | None:
    """A whole number, also when sent as a string, else None."""
    number = decimal_of(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def decimals(value: Decimal) -> int:
    """How many decimals a number really uses: 2 for 1.50 is 1."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def fixed(value: Decimal, places: int) -> str:
    """A decimal string with `places` decimals, rounded half up."""
    return str(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def pennies(value: Decimal) -> Decimal:
    return value.quantize(PENNY, ROUND_HALF_UP)


# -- instants -----------------------------------------------------------------------------------------------------


def stamp(instant: datetime, zone: tzinfo) -> str:
    """Whole seconds, shown with `.000` and the account's offset, `Z` for none (brightpearl.md §2.1)."""
    local = instant.astimezone(zone).replace(microsecond=0)
    text = local.isoformat(timespec="milliseconds")
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def instant_of(value: object, zone: tzinfo = UTC) -> datetime | None:
    """A sent instant or date; without an offset it is taken in `zone`. None when it cannot be read."""
    if not isinstance(value, str) or not value:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def is_date(value: str) -> bool:
    """Whether a text is a bare date."""
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == len("2026-01-01")


def midnight(day: str, zone: tzinfo) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), zone)


# -- id sets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IdSet:
    """Ids as sent: single ones and ascending ranges, both ends included (brightpearl.md §2.5)."""

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "IdSet":
        """Commas or dots between parts; a descending or malformed part is a 400."""
        spans = []
        for part in re.split(r"[,.]", text):
            match = _ID_SET_PART.fullmatch(part)
            first = int(match[1]) if match else 0
            last = int(match[2] or match[1]) if match else 0
            if first < 1 or last < first:
                raise ApiError(400, ("CMNC-012", f"The ID set {text} is not valid"))
            spans.append((first, last))
        return cls(tuple(spans))

    def size(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    def limited(self, most: int) -> "IdSet":
        """The same set, or a 400 when it names more than `most` ids."""
        if self.size() > most:
            raise ApiError(400, ("CMNC-013", f"The ID set names {self.size()} ids, the maximum is {most}"))
        return self

    def __contains__(self, item: object) -> bool:
        return isinstance(item, int) and any(first <= item <= last for first, last in self.spans)

    def each(self) -> Iterator[int]:
        """Every id named, in the order named."""
        return (number for first, last in self.spans for number in range(first, last + 1))

    def ids(self) -> list[int]:
        """Every id named, in the order named, once each."""
        return list(dict.fromkeys(self.each()))

    def among(self, collection: Mapping[str, Any]) -> list[int]:
        """The ids that exist; looks at the smaller side, so that `1-999999999` costs no more than the collection."""
        if self.size() <= len(collection):
            return [number for number in self.ids() if str(number) in collection]
        return [number for number in map(int, collection) if number in self]


def id_set_text(ids: Iterable[int]) -> str:
    """Ascending ids with runs compressed: 1-2,5,8."""
    spans: list[list[int]] = []
    for number in sorted(set(ids)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def get_uris(path: str, ids: Iterable[int], most: int = 200) -> JsonObject:
    """The answer to OPTIONS: URIs of at most `most` existing ids each (brightpearl.md §2.6)."""
    ordered = sorted(ids)
    slices = (ordered[start : start + most] for start in range(0, len(ordered), most))
    return {"getUris": [f"{path}/{id_set_text(part)}" for part in slices]}
