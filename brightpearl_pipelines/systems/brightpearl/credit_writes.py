"""The writes that a refund makes in Brightpearl: the credit, and what its goods do to the shelf; and comparing them.

Credit §5.6, reservations §8.5, goods-in §8.4 of brightpearl.md.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Golden, Json
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient, Message
from brightpearl_pipelines.systems.brightpearl.credits import credit_ref, plan
from brightpearl_pipelines.systems.brightpearl.customers import answer_for, find_nothing
from brightpearl_pipelines.systems.brightpearl.refunded import coming_back, magnitude, parent_of, root_key, to_keep
from brightpearl_pipelines.systems.brightpearl.reservations import units_on_notes
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    PlanContext,
    Session,
    Target,
    Write,
)

CREDIT_TYPE = "3"
"""§5: the order type of sales credits in searches."""


# -- the credit -----------------------------------------------------------------------------------------------------


async def send_create(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Post the credits. The server's own key makes a repeated post harmless: it is refused, and the credit is found."""
    client = client_of(session)
    replies = await client.write(
        [Message("POST", "order-service/sales-credit", _body(session, each)) for each in deliveries]
    )
    answers = [answer_for(each, reply, created=True) for each, reply in zip(deliveries, replies, strict=True)]
    refused = [answer.delivery for answer in answers if answer.outcome is Outcome.REFUSED]
    known = await find_create(session, refused)
    return [known.get(answer.delivery.key, answer) for answer in answers]


def _body(session: Session, delivery: Delivery) -> dict[str, Any]:
    body = delivery.payload["body"]
    instance = session.facts["integration_instance_id"]
    return {**body, "parentId": int(body["parentId"]), "installedIntegrationInstanceId": instance}


async def find_create(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Credits that are there already, by their externalRef and our integration instance."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        filters = {
            "externalRef": delivery.payload["body"]["externalRef"],
            "installedIntegrationInstanceId": str(session.facts["integration_instance_id"]),
            "orderTypeId": CREDIT_TYPE,
            "columns": "orderId",
        }
        rows = await client.search("order-service/order-search", filters)
        if rows:
            found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=str(rows[0]["orderId"]))
    return found


# -- what is not packed any more ------------------------------------------------------------------------------------


async def send_release(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Give free what is reserved and was refunded before it left: the rest is still packed. May be repeated."""
    client = client_of(session)
    orders, left = await _orders_and_left(client, [_order_id(each) for each in deliveries])
    answers = []
    for delivery in deliveries:
        order = orders.get(_order_id(delivery))
        if order is None:
            answers.append(Answer(delivery, Outcome.RETRY, error="the order cannot be read yet"))
            continue
        try:
            await _release(client, order, delivery.payload["body"]["refunded"], left.get(str(order["id"]), {}))
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error)))
    return answers


def _order_id(delivery: Delivery) -> str:
    return str(delivery.payload["body"]["order"])


async def _orders_and_left(
    client: BrightpearlClient, ids: Sequence[str]
) -> tuple[dict[str, Json], dict[str, dict[str, int]]]:
    """Orders by id, and the units on their goods-out notes by order and row."""
    orders = {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", ids)}
    return orders, await units_on_notes(client, ids)


async def _release(
    client: BrightpearlClient, order: Json, refunded: Mapping[str, int], left: Mapping[str, int]
) -> None:
    for reservation in await client.get(f"warehouse-service/order/{order['id']}/reservation"):
        kept = to_keep(order["orderRows"], refunded, left)
        held: Mapping[str, Json] = reservation["orderRows"]
        if all(kept.get(row_id, 0) == 0 for row_id in held):
            path = f"warehouse-service/order/{order['id']}/reservation"
            await client.api.request("DELETE", path, idempotent=True)
            continue
        fewer = [
            {"productId": row["productId"], "salesOrderRowId": int(row_id), "quantity": kept.get(row_id, 0)}
            for row_id, row in held.items()
            if int(row["quantity"]) > kept.get(row_id, 0)
        ]
        if fewer:
            path = f"warehouse-service/order/{order['id']}/reservation/warehouse/{reservation['warehouseId']}"
            await client.api.request("PUT", path, json={"products": fewer}, idempotent=True)


# -- what comes back ------------------------------------------------------------------------------------------------


async def send_receive(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Take goods back into the warehouse that the order left from, as far as they ever left it."""
    client = client_of(session)
    orders, left = await _orders_and_left(client, [_order_id(each) for each in deliveries])
    credits_, _ = await _orders_and_left(client, [str(each.payload["body"]["credit"]) for each in deliveries])
    there = await find_receive(session, deliveries)
    answers = []
    for delivery in deliveries:
        body = delivery.payload["body"]
        order, credit = orders.get(_order_id(delivery)), credits_.get(str(body["credit"]))
        if delivery.key in there:
            answers.append(there[delivery.key])
        elif order is None or credit is None:
            answers.append(Answer(delivery, Outcome.RETRY, error="the order or its credit cannot be read yet"))
        else:
            answers.append(await _receive(session, delivery, order, credit, left.get(str(order["id"]), {})))
    return answers


async def _receive(session: Session, delivery: Delivery, order: Json, credit: Json, left: Mapping[str, int]) -> Answer:
    client, body = client_of(session), delivery.payload["body"]
    goods = _goods_moved(order, credit, body, left)
    if not goods:
        return Answer(delivery, Outcome.CONFIRMED, body={"rule": "goods_never_left"})
    place = int(order["warehouseId"])
    location = await client.get(f"warehouse-service/warehouse/{place}/location/default")
    note = {
        "transfer": False,
        "warehouseId": place,
        "receivedOn": body["received_at"],
        "userBatchReference": body["batch"],
        "goodsMoved": [{**each, "destinationLocationId": int(location)} for each in goods],
    }
    (reply,) = await client.write(
        [Message("POST", f"warehouse-service/order/{credit['id']}/goods-note/goods-in", note)]
    )
    return answer_for(delivery, reply)


def _goods_moved(order: Json, credit: Json, body: Json, left: Mapping[str, int]) -> list[dict[str, Any]]:
    """The credit's rows whose goods had left, with how many of them come back now, valued at cost."""
    rows = order["orderRows"]
    now, before = coming_back(rows, body["refunded"], left), coming_back(rows, body["before"], left)
    units: dict[tuple[str, int], int] = {}
    for row_id, row in rows.items():
        place = (root_key(rows, row_id), int(row["productId"]))
        units[place] = units.get(place, 0) + now[row_id] - before[row_id]
    moved = []
    for row_id, row in sorted(credit["orderRows"].items(), key=lambda each: int(each[0])):
        line = body["lines"].get(root_key(credit["orderRows"], row_id))
        place = (line, int(row["productId"]))
        count = min(units.get(place, 0), int(magnitude(row)))
        # Parents of bundles never leave; nothing of them is on a note.
        if count > 0 and row_id not in {parent_of(each) for each in credit["orderRows"].values()}:
            units[place] -= count
            moved.append(
                {
                    "productId": int(row["productId"]),
                    "purchaseOrderRowId": int(row_id),
                    "quantity": count,
                    "productValue": _cost(credit, row),
                }
            )
    return moved


def _cost(credit: Json, row: Json) -> dict[str, str]:
    """The row's own cost in the base currency, in which goods come in (§8.4, §11.6)."""
    base = credit["currency"]["accountingCurrencyCode"]
    value = Decimal(row["itemCost"]["value"])
    if row["itemCost"].get("currencyCode", base) != base:
        value /= Decimal(credit["currency"]["exchangeRate"])
    return {"currency": base, "value": str(round(value, 4))}


async def find_receive(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Notes that are there already, by the batch reference, which is unique among all notes (§8.4)."""
    client = client_of(session)
    ids = [str(each.payload["body"]["credit"]) for each in deliveries]
    notes = await client.get_map("warehouse-service/order/{ids}/goods-note/goods-in", ids)
    there = {note.get("userBatchReference") for note in notes.values()}
    return {each.key: Answer(each, Outcome.CONFIRMED) for each in deliveries if each.payload["body"]["batch"] in there}


# -- comparing ------------------------------------------------------------------------------------------------------


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The credits that Brightpearl has taken."""
    mine = [row for row in rows if row.origin.get("reference") in context.shops]
    known = context.hub.external_ids("return", context.connection, [row.id for row in mine])
    orders: dict[tuple[str, str], str] = {}
    for shop in context.shops:
        numbers = {row.content["order_number"] for row in mine if row.origin["reference"] == shop}
        found = context.hub.golden_ids("order", shop, numbers)
        ids = context.hub.external_ids("order", context.connection, found.values())
        orders |= {(shop, number): ids[each][0] for number, each in found.items() if each in ids}
    return {
        row.id: Expected(
            credit_ref(row.origin["reference"], row.content["order_number"], row.content["reference"]),
            {"id": known[row.id][0]},
            _expected_fields(row, orders.get((row.origin["reference"], row.content["order_number"]))),
            row.content["currency"],
            Decimal(row.content["total_net"]) + Decimal(row.content["total_tax"]),
        )
        for row in mine
        if row.id in known
    }


def _expected_fields(row: Golden, order_id: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "order": order_id,
        "currency": row.content["currency"],
        "total_net": Decimal(row.content["total_net"]),
        "total_tax": Decimal(row.content["total_tax"]),
    }
    for line in row.content["lines"]:
        fields[f"line {line['key']}"] = (int(line["quantity"]), Decimal(line["net"]), Decimal(line["tax"]))
    return fields


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The credits as they are now; a row that no refunded line explains shows as a line of its own."""
    ids = {each.lookup["id"]: golden for golden, each in expected.items()}
    found: dict[UUID, Json] = {}
    for credit in await client_of(session).get_many("order-service/order/{ids}", ids):
        total = credit["totalValue"]
        fields: dict[str, Any] = {
            "order": str(credit["parentOrderId"]),
            "currency": credit["currency"]["orderCurrencyCode"],
            "total_net": Decimal(total["net"]),
            "total_tax": Decimal(total["taxAmount"]),
            "amount": Decimal(total["total"]),
        }
        for row_id, row in credit["orderRows"].items():
            if (row.get("composition") or {}).get("bundleChild"):
                continue
            value = row["rowValue"]
            fields[f"line {row.get('externalRef') or f'row {row_id}'}"] = (
                int(magnitude(row)),
                Decimal(value["rowNet"]["value"]),
                Decimal(value["rowTax"]["value"]),
            )
        found[ids[str(credit["id"])]] = fields
    return found


TARGET = Target(
    "return",
    plan,
    (
        Write("create", send_create, find_create, links=True),
        Write("release", send_release, find_nothing),
        Write("receive", send_receive, find_receive),
    ),
    Comparison(expect, observe),
)
