"""Shipments into BigCommerce, once each; the shop refuses more than was ordered (bigcommerce.md §2.7)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json, Record
from brightpearl_pipelines.systems.bigcommerce.orders import line_items
from brightpearl_pipelines.systems.bigcommerce.streams import client_of, read_orders
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    Plan,
    PlanContext,
    Session,
    Target,
    Write,
)


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """One shipment per goods-out note and address of the order; nothing that the shop shows shipped already."""
    mine: dict[str, list[Golden]] = {}
    ignored: dict[UUID, str] = {}
    for row in rows:
        shop, _, number = row.content["order_number"].partition(":")
        if shop == context.connection:
            mine.setdefault(number, []).append(row)
    orders = context.hub.records(context.connection, "orders", mine)
    deliveries: list[Delivery] = []
    held: list[DeadLetter] = []
    for number, shipments in mine.items():
        order = orders.get(number)
        if order is None or order.deleted:
            held += [_letter(context.connection, row, number) for row in shipments]
            continue
        for row in shipments:
            deliveries += _deliveries(context, row, order)
    return Plan(deliveries, held, ignored)


def _deliveries(context: PlanContext, row: Golden, order: Record) -> list[Delivery]:
    by_address: dict[int, list[dict[str, int]]] = {}
    address_of = {str(item["id"]): int(item.get("order_address_id") or 0) for item in line_items(order.payload)}
    for line in row.content["lines"]:
        address = address_of.get(line["line"], 0)
        if address:  # pickups and downloads are not shipped
            items = by_address.setdefault(address, [])
            items.append({"order_product_id": int(line["line"]), "quantity": line["quantity"]})
    return [
        Delivery(
            context.connection,
            "shipment",
            row.id,
            "create",
            f"shipment:{row.content['reference']}:{address}",
            {
                "order": order.id,
                "body": {
                    "order_address_id": address,
                    "items": items,
                    "tracking_number": row.content["tracking"],
                    "comments": marker(row.content["reference"]),
                },
            },
        )
        for address, items in sorted(by_address.items())
    ]


def marker(reference: str) -> str:
    """What a shipment says of where it comes from; by it a cut-off creation is found again."""
    return f"Brightpearl goods-out note {reference}"


def _letter(connection: str, row: Golden, number: str) -> DeadLetter:
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="shipment",
        subject=str(row.id),
        reason="reference_not_found",
        sentence=f"goods-out note {row.content['reference']} is of order {number}, which the shop does not have",
        suggestion="If the order was deleted in the shop, discard this letter.",
        waiting_for=[f"order:{connection}:{number}"],
        golden_id=row.id,
        payload=row.content,
    )


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """One call each; the shop has no batch for shipments."""
    client = client_of(session)
    answers = []
    for delivery in deliveries:
        path = f"v2/orders/{delivery.payload['order']}/shipments"
        try:
            made = read_json(await client.api.request("POST", path, json=delivery.payload["body"]))
            answers.append(Answer(delivery, Outcome.CONFIRMED, external_id=f"{delivery.payload['order']}:{made['id']}"))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.AMBIGUOUS, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error), suggestion=_SUGGESTION))
    return answers


_SUGGESTION = (
    "Compare the order's shipments in the shop with its goods-out notes; if a person entered the shipment there, "
    "discard this letter."
)


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Shipments that are there already, by the goods-out note that their comment names."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        order = delivery.payload["order"]
        body: Mapping[str, Any] = delivery.payload["body"]
        for shipment in await client.all(f"v2/orders/{order}/shipments"):
            same_note = shipment.get("comments") == body["comments"]
            if same_note and int(shipment["order_address_id"]) == body["order_address_id"]:
                found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=f"{order}:{shipment['id']}")
    return found


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """What the shop should show shipped of each order: all its parcels together, told once per order."""
    names = {row.content["order_number"] for row in rows if _shop(row) == context.connection}
    found = context.hub.by_keys("shipment", "order", names)
    parcels = context.hub.goldens("shipment", {each for ids in found.values() for each in ids})
    expected: dict[UUID, Expected] = {}
    for name, ids in found.items():
        units: dict[str, int] = {}
        for each in ids:
            for line in parcels[each].content["lines"]:
                units[line["line"]] = units.get(line["line"], 0) + int(line["quantity"])
        first = min(ids)
        fields = {f"line {line}": shipped for line, shipped in sorted(units.items())}
        expected[first] = Expected(name, {"order": name.partition(":")[2]}, fields)
    return expected


def _shop(row: Golden) -> str:
    return str(row.content["order_number"].partition(":")[0])


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """What the shop shows shipped, line by line."""
    ids = {str(each.lookup["order"]): golden for golden, each in expected.items()}
    found: dict[UUID, Json] = {}
    for record in await read_orders(session, sorted(ids)):
        if not record.deleted:
            shipped = {f"line {item['id']}": int(item["quantity_shipped"]) for item in line_items(record.payload)}
            found[ids[record.id]] = {name: units for name, units in shipped.items() if units}
    return found


TARGET = Target("shipment", plan, (Write("create", send, find, links=True),), Comparison(expect, observe))
