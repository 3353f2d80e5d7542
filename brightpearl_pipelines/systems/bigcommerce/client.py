"""Speaks BigCommerce's API: the V2 and V3 families, paging, limits. Source: bigcommerce.md."""

from collections.abc import Mapping, Sequence
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
SKUS_PER_READ = 100


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

    async def stock(self, location: int, skus: Sequence[str]) -> dict[str, int]:
        """On-hand figures at a location by SKU, as the shop shows them now."""
        found: dict[str, int] = {}
        for start in range(0, len(skus), SKUS_PER_READ):
            some = skus[start : start + SKUS_PER_READ]
            rows = await self.all("v3/inventory/items", {"sku:in": ",".join(some), "location_id:in": str(location)})
            for row in rows:
                for place in row["locations"]:
                    if place["location_id"] == location:
                        found[row["identity"]["sku"]] = int(place["total_inventory_onhand"])
        return found
