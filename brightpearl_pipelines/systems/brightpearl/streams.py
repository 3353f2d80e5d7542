"""What can be read from Brightpearl, and how changes are found."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from brightpearl_pipelines.store.types import Json, SourceRecord
from brightpearl_pipelines.systems.brightpearl.client import (
    IDS_PER_GET,
    ROWS_PER_SEARCH,
    BrightpearlClient,
    instant,
    wire_instant,
)
from brightpearl_pipelines.systems.contract import Page, Session, Stream, Window
from brightpearl_pipelines.systems.paging import by_instant, chunks


def client_of(session: Session) -> BrightpearlClient:
    """The session's client, made at its first use."""
    if "client" not in session.facts:
        multi_message = bool(getattr(session.settings, "multi_message", False))
        session.facts["client"] = BrightpearlClient(session.api, multi_message=multi_message)
    client: BrightpearlClient = session.facts["client"]
    return client


def ids_in_set(text: str) -> list[str]:
    """The ids of an id set such as `3,5-7.9` (§2.5, §10.2: webhooks send ranges too)."""
    ids: list[str] = []
    for part in re.split(r"[,.]", text):
        first, _, last = part.partition("-")
        ids += [str(n) for n in range(int(first), int(last or first) + 1)]
    return ids


def event_ids(payload: Json) -> Sequence[str]:
    """The ids that a webhook names (§10.2)."""
    return ids_in_set(str(payload["id"]))


async def _changed_ids(
    client: BrightpearlClient, path: str, column: str, filter_name: str, window: Window, extra: dict[str, str]
) -> AsyncIterator[list[tuple[str, datetime]]]:
    """Ids whose `filter_name` instant lies in the window, in ascending order of it."""

    async def fetch(since: datetime | None, page: int) -> list[dict[str, Any]]:
        period = f"{wire_instant(since) if since else '2000-01-01T00:00:00.000Z'}/"
        if window.until:
            period += wire_instant(window.until)
        filters = {filter_name: period, "sort": f"{filter_name}.ASC", "columns": f"{column},{filter_name}", **extra}
        return await client.search_page(path, filters, first=(page - 1) * ROWS_PER_SEARCH + 1)

    async for rows in by_instant(
        fetch,
        key=lambda row: str(row[column]),
        instant=lambda row: instant(row[filter_name]),
        page_size=ROWS_PER_SEARCH,
        since=window.since,
    ):
        yield [(str(row[column]), instant(row[filter_name])) for row in rows]


def searched(
    path: str,
    column: str,
    read: Callable[[Session, Sequence[str]], Any],
    instants: Sequence[str],
    **extra: str,
) -> Callable[[Session, Window], AsyncIterator[Page]]:
    """Changes found by search. Several instants are searched one after the other: a thing that was never updated has no
    `updatedOn` and is only found by `createdOn` (§5.1)."""

    async def changes(session: Session, window: Window) -> AsyncIterator[Page]:
        done: set[str] = set()
        newest: datetime | None = None
        for position, name in enumerate(instants):
            final = position == len(instants) - 1
            async for found in _changed_ids(client_of(session), path, column, name, window, extra):
                newest = max(newest or found[-1][1], found[-1][1])
                fresh = [each for each, _ in found if each not in done]
                done.update(fresh)
                for chunk in chunks(fresh, IDS_PER_GET):
                    yield Page(await read(session, chunk))
                if final:
                    yield Page([], watermark=found[-1][1])
        # Only instants that the server named move the watermark: our clock may differ from its.
        yield Page([], watermark=newest)

    return changes


# -- contacts -----------------------------------------------------------------------------------------------------


async def read_contacts(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Contacts with their postal addresses by use."""
    client = client_of(session)
    contacts = await client.get_many("contact-service/contact/{ids}", ids)
    address_ids = {str(each) for contact in contacts for each in contact.get("postAddressIds", {}).values() if each}
    addresses = {
        str(each["addressId"]): each
        for each in await client.get_many("contact-service/postal-address/{ids}", address_ids)
    }
    records = []
    for contact in contacts:
        used = {
            kind: addresses[str(each)]
            for kind, each in contact.get("postAddressIds", {}).items()
            if str(each) in addresses
        }
        records.append(_record(str(contact["contactId"]), {**contact, "addresses": used}))
    return with_missing(records, ids)


def _record(key: str, payload: dict[str, Any]) -> SourceRecord:
    changed = payload.get("updatedOn") or payload.get("createdOn")
    return SourceRecord(key, payload, instant(changed) if changed else None)


def with_missing(records: list[SourceRecord], asked: Sequence[str]) -> list[SourceRecord]:
    """Ids that were asked for and not found are gone."""
    found = {record.id for record in records}
    return records + [SourceRecord(each, {}, deleted=True) for each in asked if each not in found]


# -- products, orders ---------------------------------------------------------------------------------------------


async def _products(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Products; beside a bundle, the SKUs of its components, which the answer may name by id only (§7.1)."""
    client = client_of(session)
    found = await client.get_many("product-service/product/{ids}?includeOptional=customFields", ids)
    skus = {str(each["id"]): each["identity"].get("sku", "") for each in found}
    unknown = {part for each in found for part in _component_ids(each)} - skus.keys()
    for each in await client.get_many("product-service/product/{ids}", unknown):
        skus[str(each["id"])] = each["identity"].get("sku", "")
    records = []
    for each in found:
        parts = {part: skus[part] for part in _component_ids(each) if part in skus}
        records.append(_record(str(each["id"]), {**each, "componentSkus": parts} if parts else each))
    return with_missing(records, ids)


def _component_ids(product: Json) -> list[str]:
    parts = (product.get("composition") or {}).get("bundleComponents") or []
    return [str(part["productId"]) for part in parts]


async def read_orders(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Orders of any type."""
    found = await client_of(session).get_many("order-service/order/{ids}", ids)
    return with_missing([_record(str(each["id"]), each) for each in found], ids)


STREAMS = (
    Stream(
        "customers",
        "customer",
        searched("contact-service/contact-search", "contactId", read_contacts, ("createdOn", "updatedOn")),
        read_contacts,
    ),
    Stream(
        "products",
        "product",
        searched("product-service/product-search", "productId", _products, ("createdOn", "updatedOn")),
        _products,
        topics={"product.created": event_ids, "product.modified": event_ids, "product.destroyed": event_ids},
    ),
    Stream(
        "orders",
        "order",
        searched("order-service/order-search", "orderId", read_orders, ("createdOn", "updatedOn"), orderTypeId="1"),
        read_orders,
        topics={"order.modified": event_ids},
    ),
)
