"""How BigCommerce speaks: V2 and V3 envelopes, errors, paging, dates and money (bigcommerce.md §1.2, §2.1)."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

Json = Any
"""Any JSON value."""
JsonObject = dict[str, Any]

STATUS_PAGE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
NOT_FOUND = "The requested resource was not found."
MOST_WHOLE = 2**63 - 1
MOST_MONEY = Decimal(10) ** 12
"""Where our money ends, in either direction; the shop's own limit is documented nowhere."""


class Refusal(Exception):
    """A call that BigCommerce refuses; the gateway writes it in the shape of the API version that was called.

    `title` becomes V2's `message` or V3's `title`; `errors` goes into V3's, `details` into V2's; `body` replaces all.
    """

    def __init__(
        self, status: int, title: str, *, errors: JsonObject | None = None, details: Json = None, body: Json = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors or {}
        self.details = details
        self.body = body

    def answer(self, version: str, path: str) -> Response:
        """The refusal as V2 (array) or V3 (object) says it; the inventory service has a media type of its own."""
        if self.body is not None:
            return json_answer(self.body, self.status)
        if version == "v2":
            entry: JsonObject = {"status": self.status, "message": self.title}
            if self.details is not None:
                entry["details"] = self.details
            return json_answer([entry], self.status)
        body = {"status": self.status, "title": self.title, "type": STATUS_PAGE, "errors": self.errors}
        media = "application/problem+json" if path.startswith("/inventory") else "application/json"
        return json_answer(body, self.status, media)


@dataclass(frozen=True)
class Call:
    """One authenticated request: path numbers, query, decoded body (None without one), and who calls."""

    method: str
    version: str
    path: str
    ids: Mapping[str, str]
    query: QueryParams
    body: Json
    client_id: str
    fault: str | None = None

    def number(self, name: str) -> int:
        """A number from the path."""
        return int(self.ids[name])

    def object_body(self) -> JsonObject:
        """The body as an object; 422 (V2: 400) when it is not one."""
        if not isinstance(self.body, dict):
            raise Refusal(400 if self.version == "v2" else 422, "JSON data is missing or invalid")
        return self.body

    def array_body(self, most: int) -> list[JsonObject]:
        """The body as an array of objects; 413 above `most` (bigcommerce.md §3.1)."""
        if not isinstance(self.body, list) or not all(isinstance(item, dict) for item in self.body):
            raise Refusal(422, "JSON data is missing or invalid")
        if len(self.body) > most:
            text = f"The request payload is too large. The maximum items allowed in the array is {most}."
            raise Refusal(413, text)
        return self.body


# -- answers ---------------------------------------------------------------------------------------------------------


def json_answer(body: Json, status: int = 200, media_type: str = "application/json") -> Response:
    """A JSON answer, compact and in UTF-8."""
    content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(content, status_code=status, media_type=media_type)


def nothing() -> Response:
    """204: no content, which is also how V2 says "empty list"."""
    return Response(status_code=204)


def v2_list(items: Sequence[Any]) -> Response:
    """A V2 collection: a bare array, or 204 when there is nothing."""
    return json_answer(items) if items else nothing()


def v3_data(data: Json, status: int = 200) -> Response:
    """A V3 single object or unpaged list."""
    return json_answer({"data": data, "meta": {}}, status)


def v3_page(call: Call, items: Sequence[Any], total: int, page: int, limit: int) -> Response:
    """A V3 page; `items` is the page itself, `total` counts the whole collection."""
    return json_answer({"data": items, "meta": {"pagination": pagination(call, len(items), total, page, limit)}})


def pagination(call: Call, count: int, total: int, page: int, limit: int) -> JsonObject:
    """V3 `meta.pagination`; links are relative query strings, absent at the ends (bigcommerce.md §1.2)."""
    pages = max(1, math.ceil(total / limit))

    def link(number: int) -> str:
        kept = [(name, value) for name, value in call.query.multi_items() if name not in ("page", "limit")]
        return "?" + urlencode([*kept, ("page", number), ("limit", limit)])

    links = {"current": link(page)}
    if page > 1:
        links["previous"] = link(page - 1)
    if page < pages:
        links["next"] = link(page + 1)
    return {
        "total": total,
        "count": count,
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }


def v3_slice(
    call: Call,
    items: Sequence[JsonObject],
    *,
    maximum: int = 250,
    shape: Callable[[JsonObject], JsonObject] | None = None,
) -> Response:
    """Cut the asked page out of a whole list, give what is on it its shape, and answer it."""
    page, limit = page_and_limit(call, maximum=maximum)
    first = (page - 1) * limit
    shown = items[first : first + limit]
    return v3_page(call, [shape(each) for each in shown] if shape else shown, len(items), page, limit)


# -- queries ---------------------------------------------------------------------------------------------------------


def page_and_limit(call: Call, *, maximum: int = 250, default: int = 50, clamp: bool = False) -> tuple[int, int]:
    """`page` and `limit`; 413 when more is asked than a page may hold (unless the store clamps)."""
    page, limit = whole(call, "page", 1), whole(call, "limit", default)
    if page < 1 or limit < 1:
        raise Refusal(400 if call.version == "v2" else 422, "The page and limit must be positive whole numbers.")
    if limit > maximum:
        if not clamp:
            raise Refusal(413, f"The limit may not be greater than {maximum}.")
        limit = maximum
    return page, limit


def whole(call: Call, name: str, default: int) -> int:
    """A whole number from the query."""
    value = call.query.get(name)
    if value is None or value == "":
        return default
    return parse_whole(call, name, value)


def parse_whole(call: Call, name: str, value: str) -> int:
    """A whole number of at most 64 bits; otherwise the field is invalid."""
    if re.fullmatch(r"-?[0-9]{1,19}", value) and abs(int(value)) <= MOST_WHOLE:
        return int(value)
    raise invalid_field(call, name)


def invalid_field(call: Call, name: str) -> Refusal:
    """400 in V2, 422 in V3."""
    if call.version == "v2":
        return Refusal(400, f"The field '{name}' is invalid.")
    return Refusal(422, f"The filter {name} is invalid", errors={name: "invalid value"})


def id_filter(call: Call, name: str) -> set[int] | None:
    """A comma list of ids such as `id:in=1,2`; None when the filter is absent."""
    value = call.query.get(name)
    if value is None:
        return None
    return {parse_whole(call, name, part) for part in value.split(",") if part != ""}


def text_filter(call: Call, name: str) -> set[str] | None:
    """A comma list of texts, folded to lower case; None when the filter is absent."""
    value = call.query.get(name)
    return None if value is None else {part.lower() for part in value.split(",") if part != ""}


def instant_filter(call: Call, name: str) -> int | None:
    """A date filter as epoch seconds; ISO-8601 and RFC-2822 are both understood."""
    value = call.query.get(name)
    if value is None or value == "":
        return None
    try:
        return int(parse_instant(value).timestamp())
    except ValueError:
        raise invalid_field(call, name) from None


def bool_filter(call: Call, name: str) -> bool | None:
    value = call.query.get(name)
    return None if value is None else value.lower() in ("1", "true")


def includes(call: Call) -> set[str]:
    """What `include` asks for, as a comma list."""
    return {part for part in call.query.get("include", "").split(",") if part}


# -- dates and money -------------------------------------------------------------------------------------------------


def parse_instant(text: str) -> datetime:
    """RFC-2822 or ISO-8601; ValueError for anything else. A bare date or an instant without zone is UTC."""
    try:
        instant = _instant(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies beyond the calendar") from None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        return parsedate_to_datetime(text)


def rfc2822(instant: datetime) -> str:
    """`Thu, 20 Apr 2017 11:32:00 +0000`, as V2 prints every date."""
    return format_datetime(instant.astimezone(UTC).replace(microsecond=0))


def iso(instant: datetime) -> str:
    """`2017-04-20T11:32:00+00:00`, as V3 prints its dates."""
    return instant.astimezone(UTC).replace(microsecond=0).isoformat()


def zulu(instant: datetime) -> str:
    """`2017-04-20T11:32:00Z`, as customers and inventory print theirs."""
    return iso(instant).replace("+00:00", "Z")


def epoch(text: str) -> int:
    """Seconds of a date that we printed ourselves."""
    return int(parse_instant(text).timestamp())


@lru_cache(maxsize=65536)
def money(amount: Decimal) -> str:
    """V2 money: a string with 4 decimals. Cached, so that a hundred thousand orders share their common amounts."""
    return f"{amount:.4f}"


def rate(amount: Decimal) -> str:
    """An exchange rate: a string with 10 decimals."""
    return f"{amount:.10f}"


def number(amount: Decimal) -> int | float:
    """A JSON number for a decimal: V3 money is not quoted."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def decimal_of(value: Json, field: str) -> Decimal:
    """Money as a client may send it, number or string; 400 with the field's name otherwise."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Refusal(400, f"The field '{field}' is invalid.") from None
    if not amount.is_finite() or abs(amount) >= MOST_MONEY:
        raise Refusal(400, f"The field '{field}' is invalid.")
    return amount


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
