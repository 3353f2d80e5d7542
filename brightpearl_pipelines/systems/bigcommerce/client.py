"""Speaks BigCommerce's API: the V2 and V3 families, paging, limits. Source: bigcommerce.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from brightpearl_pipelines.http.client import Api, read_json
from brightpearl_pipelines.http.rules import Observation, ServerRules

ROWS_PER_PAGE = 250
"""§2.1, §3.1: the largest page of V2 and V3 collections."""
ITEMS_PER_ADJUSTMENT = 2000
"""§4.1."""
ITEMS_PER_READ = 1000
"""§4.2."""
LONGEST_LIST = 7000
"""Characters of ids in an address. Nothing is documented; 8 KB for all of it is what web servers usually take."""


def rules(requests_per_30_seconds: int) -> ServerRules:
    """How BigCommerce limits, throttles and fails (§1.2, §1.3)."""
    return ServerRules(
        limit=requests_per_30_seconds,
        window_seconds=30.0,
        observe=_observe,
        throttled=_throttled,
        transient=lambda response: response.status_code in (500, 502, 503, 504),
        request_id=lambda response: response.headers.get("X-Request-Id"),
    )


def _observe(response: httpx.Response) -> Observation | None:
    left = response.headers.get("X-Rate-Limit-Requests-Left")
    reset = response.headers.get("X-Rate-Limit-Time-Reset-Ms")
    if left is None or reset is None:
        return None
    return Observation(remaining=int(left), resets_in_seconds=int(reset) / 1000)


def _throttled(response: httpx.Response) -> float | None:
    """A 429 asks to wait for the window or X-Retry-After, the longer of both; without headers: overload (§1.3)."""
    if response.status_code != 429:
        return None
    reset = int(response.headers.get("X-Rate-Limit-Time-Reset-Ms", "0")) / 1000
    asked = float(response.headers.get("X-Retry-After", "0"))
    return max(reset, asked) or 5.0


def instant(value: str) -> datetime:
    """V2 writes RFC 2822, V3 ISO 8601; both become aware UTC."""
    if value[:1].isdigit():
        return datetime.fromisoformat(value).astimezone(UTC)
    return parsedate_to_datetime(value).astimezone(UTC)


def wire_instant(value: datetime) -> str:
    """Always a full instant: a filter without a time gets the present time of day added (§3.1)."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


class BigCommerceClient:
    """The calls that the streams and writes are made of. Errors are those of `http.errors`."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """A GET's body; None for 404, an empty list for 204, which is how V2 says "nothing" (§1.2)."""
        answer = await self.api.request("GET", path, params=params, expected={404})
        if answer.status_code == 404:
            return None
        return [] if answer.status_code == 204 else read_json(answer)

    async def page(self, path: str, params: Mapping[str, str], page: int) -> list[Any]:
        """One page of a V2 or V3 collection, as a list."""
        body = await self.get(path, {"limit": str(ROWS_PER_PAGE), **params, "page": str(page)})
        rows = body["data"] if isinstance(body, dict) else body
        return list(rows or [])

    async def all(self, path: str, params: Mapping[str, str] | None = None) -> list[Any]:
        """All pages of a collection; total_pages is not relied on (§1.2), a short page ends it."""
        rows: list[Any] = []
        page = 1
        while True:
            found = await self.page(path, params or {}, page)
            rows += found
            if len(found) < ROWS_PER_PAGE:
                return rows
            page += 1

    async def adjust_stock(self, location: int, quantities: Sequence[tuple[Mapping[str, Any], int]]) -> str:
        """Set on-hand figures at a location (§4.1): (identity, quantity), at most 2,000; returns the transaction id.

        The identity is exactly one of sku, variant_id, product_id. The whole payload is refused if one item is wrong.
        """
        items = [{"location_id": location, **identity, "quantity": quantity} for identity, quantity in quantities]
        body = {"reason": "Brightpearl stock", "items": items}
        answer = await self.api.request("PUT", "v3/inventory/adjustments/absolute", json=body, idempotent=True)
        return str(read_json(answer)["transaction_id"])

    async def stock(self, locations: Sequence[int], variants: Sequence[int]) -> dict[int, dict[int, int]]:
        """On-hand figures as the shop shows them now: by variant id, by location id (§4.2).

        By id and not by SKU: a comma within a SKU would make it two.
        """
        found: dict[int, dict[int, int]] = {}
        places = ",".join(str(each) for each in locations)
        for ids in _lists(variants):
            for row in await self._items(f"location_id:in={places}", ids):
                levels = {int(each["location_id"]): int(each["total_inventory_onhand"]) for each in row["locations"]}
                found[int(row["identity"]["variant_id"])] = levels
        return found

    async def _items(self, filters: str, ids: Sequence[str]) -> list[Any]:
        """The inventory items of these variants; a list that is too long for the server is halved.

        Written out, because encoded commas would make the address half as long again.
        """
        path = f"v3/inventory/items?variant_id:in={','.join(ids)}&{filters}&limit={ITEMS_PER_READ}"
        answer = await self.api.request("GET", path, expected={414} if len(ids) > 1 else frozenset())
        if answer.status_code != 414:
            return list(read_json(answer)["data"])
        half = len(ids) // 2
        return [*await self._items(filters, ids[:half]), *await self._items(filters, ids[half:])]


def _lists(ids: Iterable[int]) -> Iterator[list[str]]:
    """The ids in lists that one read may name."""
    some: list[str] = []
    length = 0
    for each in dict.fromkeys(ids):
        text = str(each)
        if some and (len(some) == ITEMS_PER_READ or length + len(text) + 1 > LONGEST_LIST):
            yield some
            some, length = [], 0
        some.append(text)
        length += len(text) + 1
    if some:
        yield some
