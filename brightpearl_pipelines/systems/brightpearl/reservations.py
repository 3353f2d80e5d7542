"""Stock set aside for orders in Brightpearl: one reservation an order, from one warehouse (brightpearl.md §8.5)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient, Message
from brightpearl_pipelines.systems.brightpearl.customers import answer_for, find_nothing
from brightpearl_pipelines.systems.brightpearl.refunded import to_keep
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session, Write

NO_STOCK_PAUSE = timedelta(minutes=15)
ALLOCATED = ("AAA", "ANR")
"""Allocation codes (§5.1) of an order that needs no more: all allocated, nothing to allocate."""
UNTOUCHED = ("ANA", "SNS")
"""Allocation and shipping codes (§5.1) of an order of which nothing is set aside and nothing has left."""


async def send_reserve(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Reserve what is stock tracked: one read for the rows of up to 200 orders, one write each, one read afterwards.

    The read afterwards tells what was really reserved: fewer on hand than asked for is a silent part (§8.5). What is
    reserved already stays so, hence this may be repeated.
    """
    client = client_of(session)
    orders = await _orders_by_id(client, [_order_id(each) for each in deliveries])
    begun = [key for key, order in orders.items() if _codes(order) != UNTOUCHED and not _allocated(order)]
    left, reserved = await units_on_notes(client, begun), await _reserved(client, begun)
    messages, waiting, answers = [], [], []
    for delivery in deliveries:
        key = _order_id(delivery)
        order = orders.get(key)
        if order is None:
            answers.append(Answer(delivery, Outcome.RETRY, error="the order cannot be read yet"))
            continue
        products = _to_reserve(order, delivery.payload["body"], left.get(key, {}))
        if not products or _allocated(order):
            answers.append(Answer(delivery, Outcome.CONFIRMED, body={"rule": "nothing_to_reserve"}))
            continue
        # A person may have moved the order to another warehouse since it was imported.
        path = f"warehouse-service/order/{key}/reservation/warehouse/{order['warehouseId']}"
        # There is one reservation an order: where a part of it is there already, it is set anew.
        messages.append(Message("PUT" if key in reserved else "POST", path, {"products": products}))
        waiting.append((delivery, products))
    replies = await client.write(messages)
    taken = [_order_id(each) for (each, _), reply in zip(waiting, replies, strict=True) if reply.ok]
    after = await _orders_by_id(client, taken)
    short = [key for key, order in after.items() if not _allocated(order)]
    reserved |= await _reserved(client, short)
    for (delivery, products), reply in zip(waiting, replies, strict=True):
        key = _order_id(delivery)
        held = reserved.get(key, {})
        answer = answer_for(delivery, reply)
        if answer.outcome is Outcome.REFUSED:
            answer = _without_stock(delivery, answer.error, _shown(orders[key], held, left.get(key, {})))
        elif key in short and any(held.get(str(each["salesOrderRowId"]), 0) < each["quantity"] for each in products):
            error = "only a part of it is on hand there, and is reserved"
            answer = _without_stock(delivery, error, _shown(orders[key], held, left.get(key, {})))
        answers.append(answer)
    return answers


async def units_on_notes(client: BrightpearlClient, order_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Units on the goods-out notes of orders, by order and row; orders without a note are left out."""
    units: dict[str, dict[str, int]] = {}
    pattern = "warehouse-service/order/{ids}/goods-note/goods-out"
    for note in (await client.get_map(pattern, list(order_ids))).values():
        rows = units.setdefault(str(note["orderId"]), {})
        for row_id, moves in note["orderRows"].items():
            rows[row_id] = rows.get(row_id, 0) + sum(int(move["quantity"]) for move in moves)
    return units


async def _reserved(client: BrightpearlClient, order_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Units reserved for orders, by order and row; a call for each, so only asked where the order's code is not enough.
    Orders without a reservation are left out."""
    found: dict[str, dict[str, int]] = {}
    for key in order_ids:
        for reservation in await client.get(f"warehouse-service/order/{key}/reservation"):
            rows: Mapping[str, Json] = reservation["orderRows"]
            found[key] = {row_id: int(row["quantity"]) for row_id, row in rows.items()}
    return found


def _order_id(delivery: Delivery) -> str:
    return str(delivery.payload["body"]["order"])


async def _orders_by_id(client: BrightpearlClient, ids: Sequence[str]) -> dict[str, Json]:
    return {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", ids)}


def _codes(order: Json) -> tuple[str, str]:
    return str(order.get("allocationStatusCode")), str(order.get("shippingStatusCode"))


def _allocated(order: Json) -> bool:
    return _codes(order)[0] in ALLOCATED


def _to_reserve(order: Json, body: Json, left: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows with what of them is wanted: what was ordered, less what has left and what was refunded before it could
    leave."""
    rows: Mapping[str, Json] = order["orderRows"]
    tracked, wanted = set(body["tracked"]), to_keep(rows, body.get("refunded") or {}, left)
    return [
        {"productId": int(row["productId"]), "salesOrderRowId": int(row_id), "quantity": wanted[row_id]}
        for row_id, row in sorted(rows.items(), key=lambda each: int(each[0]))
        if str(row.get("productId")) in tracked and wanted[row_id]
    ]


def _shown(order: Json, held: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """Units by SKU that Brightpearl's figures show already although the order waits for more: reserved, or left. Of
    bundles none: which whole ones their parts make, the rows alone do not say."""
    units: dict[str, int] = {}
    for row_id, row in order["orderRows"].items():
        made_of = row.get("composition") or {}
        if row.get("productSku") and not made_of.get("bundleParent") and not made_of.get("bundleChild"):
            sku = str(row["productSku"])
            units[sku] = units.get(sku, 0) + held.get(row_id, 0) + left.get(row_id, 0)
    return units


def _without_stock(delivery: Delivery, error: str | None, shown: Mapping[str, int]) -> Answer:
    """Too little on hand is no mistake: the order waits for stock, and is tried again now and then."""
    return Answer(
        delivery,
        Outcome.RETRY,
        error=error,
        reason="not_reserved",
        suggestion="Receive stock, or move the order to a warehouse that has it; it is tried again every 15 minutes.",
        retry_after=NO_STOCK_PAUSE,
        settled=shown,
    )


WRITE = Write("reserve", send_reserve, find_nothing, settles=True)
