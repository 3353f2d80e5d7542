"""What can be read from BigCommerce, and how changes are found."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from brightpearl_pipelines.store.types import Json, SourceRecord
from brightpearl_pipelines.systems.bigcommerce import transactions
from brightpearl_pipelines.systems.bigcommerce.client import (
    ROWS_PER_PAGE,
    BigCommerceClient,
    instant,
    wire_instant,
)
from brightpearl_pipelines.systems.contract import Page, Session, Stream, Window
from brightpearl_pipelines.systems.paging import by_instant, chunks, whole_numbers

ORDER_DETAILS = {"include": "consignments.line_items,fees", "consignment_structure": "object"}
"""Lines, addresses and fees come with the list of orders: four calls for 1,000 orders instead of three thousand."""
ORDER_EVENTS = ("created", "updated", "archived", "statusUpdated")
RANGE_SPAN = 50
"""Orders have no filter by ids; ids this close together are read as one range."""


def client_of(session: Session) -> BigCommerceClient:
    """The session's client, made at its first use."""
    if "client" not in session.facts:
        session.facts["client"] = BigCommerceClient(session.api)
    client: BigCommerceClient = session.facts["client"]
    return client


Complete = Callable[[BigCommerceClient, Session, Sequence[dict[str, Any]]], Awaitable[None]]


async def _as_it_is(client: BigCommerceClient, session: Session, rows: Sequence[dict[str, Any]]) -> None:
    del client, session, rows


def changed(
    path: str,
    params: Mapping[str, str],
    filters: tuple[str, str],
    record: Callable[[dict[str, Any]], SourceRecord],
    complete: Complete = _as_it_is,
) -> Callable[[Session, Window], AsyncIterator[Page]]:
    """Changes of a collection by `date_modified`; `filters` are the names of its lower and upper bound; `complete`
    reads what some rows still lack."""

    async def changes(session: Session, window: Window) -> AsyncIterator[Page]:
        client = client_of(session)

        async def fetch(since: datetime | None, page: int) -> list[Any]:
            bounds = {}
            if since:
                # Whether the filter includes its own instant is not documented (§2.1), so ask a second earlier.
                bounds[filters[0]] = wire_instant(since - timedelta(seconds=1))
            if window.until:
                bounds[filters[1]] = wire_instant(window.until)
            return await client.page(path, {**params, **bounds}, page)

        async for rows in by_instant(
            fetch,
            key=lambda row: str(row["id"]),
            instant=lambda row: instant(row["date_modified"]),
            page_size=ROWS_PER_PAGE,
            since=window.since,
        ):
            await complete(client, session, rows)
            yield Page([record(row) for row in rows], watermark=instant(rows[-1]["date_modified"]))

    return changes


def _order(row: dict[str, Any]) -> SourceRecord:
    return SourceRecord(str(row["id"]), row, instant(row["date_modified"]))


async def read_orders(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Orders by id, as changes give them."""
    client = client_of(session)
    rows: dict[str, dict[str, Any]] = {}
    wanted = set(ids)
    for first, last in _ranges([int(each) for each in whole_numbers(wanted, session.connection)]):
        params = {"min_id": str(first), "max_id": str(last), **ORDER_DETAILS}
        rows |= {str(row["id"]): row for row in await client.all("v2/orders", params)}
    for missing in wanted - rows.keys():
        # Archived orders may be left out of lists (§2.1); only a 404 says that an order is gone.
        row = await client.get(f"v2/orders/{missing}", ORDER_DETAILS)
        if row is not None:
            rows[missing] = row
    asked = [rows[each] for each in ids if each in rows]
    await transactions.lay_beside(client, session, asked)
    return [_order(rows[each]) if each in rows else SourceRecord(each, {}, deleted=True) for each in ids]


def _ranges(ids: list[int]) -> list[tuple[int, int]]:
    """Runs of ids in which neighbours are close enough to be read by one call."""
    ranges: list[tuple[int, int]] = []
    for each in ids:
        if ranges and each - ranges[-1][0] < RANGE_SPAN:
            ranges[-1] = (ranges[-1][0], each)
        else:
            ranges.append((each, each))
    return ranges


def _product(row: dict[str, Any]) -> SourceRecord:
    # Stock moves the product without changing what it is: the figures are left out, or each sale would be a change.
    kept = {key: value for key, value in row.items() if key not in ("inventory_level", "total_sold", "date_modified")}
    kept["variants"] = [
        {key: value for key, value in variant.items() if key != "inventory_level"} for variant in row["variants"]
    ]
    return SourceRecord(str(row["id"]), kept, instant(row["date_modified"]))


async def _products(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    client = client_of(session)
    found: dict[str, SourceRecord] = {}
    for chunk in chunks(whole_numbers(ids, session.connection), ROWS_PER_PAGE):
        rows = await client.all("v3/catalog/products", {"id:in": ",".join(chunk), "include": "variants,custom_fields"})
        found |= {str(row["id"]): _product(row) for row in rows}
    return [found.get(each) or SourceRecord(each, {}, deleted=True) for each in ids]


def event_id(payload: Json) -> Sequence[str]:
    """The id that most webhooks name (§7.3)."""
    return [str(payload["data"]["id"])]


STREAMS = (
    Stream(
        "orders",
        "order",
        changed(
            "v2/orders",
            {"sort": "date_modified:asc", **ORDER_DETAILS},
            ("min_date_modified", "max_date_modified"),
            _order,
            transactions.lay_beside,
        ),
        read_orders,
        topics={f"store/order/{what}": event_id for what in ORDER_EVENTS},
    ),
    Stream(
        "products",
        "product",
        changed(
            "v3/catalog/products",
            {"include": "variants,custom_fields", "sort": "date_modified", "direction": "asc"},
            ("date_modified:min", "date_modified:max"),
            _product,
        ),
        _products,
        topics={f"store/product/{what}": event_id for what in ("created", "updated", "deleted")},
    ),
)
