"""Where Brightpearl has an order, told to the shop: its status there, cancellations included (BC-30).

A status in the shop is only a label: it moves no money (bigcommerce.md §2.6). It is written when the shop would show
something else by it, once for each step, and only forwards: what is shipped, cancelled or refunded in the shop is never
taken back, and what a clerk sets afterwards stays. Shipping itself is told by shipments, which move the status on their
own (§2.7); a word for "shipped" is written only once nothing is left that a shipment would still have to tell, as with
pickups and downloads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json, Record
from brightpearl_pipelines.systems.bigcommerce.orders import line_items
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
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
    cancel_key,
)

FORWARDS = (
    OrderStatus.INCOMPLETE,
    OrderStatus.AWAITING_PAYMENT,
    OrderStatus.OPEN,
    OrderStatus.PARTIALLY_SHIPPED,
    OrderStatus.SHIPPED,
)
FINAL = (OrderStatus.CANCELLED, OrderStatus.REFUNDED)
REFUNDS = (OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED)
"""A refund is a movement of money: no label of ours makes one, and none but a cancellation takes its place."""
SHIPPED = (OrderStatus.PARTIALLY_SHIPPED, OrderStatus.SHIPPED)


@dataclass
class _Planner:
    context: PlanContext
    settings: BigCommerceSettings
    records: Mapping[str, Record]
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    superseded: list[tuple[UUID, str]] = field(default_factory=list)
    details: dict[UUID, list[tuple[str, Any, Any]]] = field(default_factory=dict)

    def one(self, row: Golden) -> None:
        """Write the status, or say why not."""
        self.superseded.append((row.id, "status"))
        progress = row.content.get("progress")
        record = self.records.get(row.content["number"])
        if progress is None:
            return
        if record is None or record.deleted:
            self.ignored[row.id] = "gone_from_the_shop"
        else:
            self._compare(row, OrderStatus(progress), record)

    def _compare(self, row: Golden, progress: OrderStatus, record: Record) -> None:
        here = self.settings.order_statuses.get(str(record.payload["status_id"]))
        wanted = self.settings.progress_statuses.get(progress)
        if here is None or here is progress:
            return  # a status that is not mapped holds the order's own record
        if progress is OrderStatus.CANCELLED and here in SHIPPED:
            self.held.append(_cancelled_too_late(self.context.connection, row))
        elif not forwards(here, progress):
            self.ignored[row.id] = "the_shop_is_further"
        elif wanted is None:
            self.ignored[row.id] = "status_not_written"
        elif progress in SHIPPED and to_be_shipped(record.payload):
            self.ignored[row.id] = "told_by_shipments"
        else:
            self._write(row, progress, wanted, record)

    def _write(self, row: Golden, progress: OrderStatus, wanted: int, record: Record) -> None:
        name, number = self.context.connection, row.content["number"]
        key = f"status:{progress.value}:{name}:{number}"
        if progress is OrderStatus.CANCELLED:
            # Once in an order's life: whoever plans the other direction can see by it that the shop only follows.
            key = cancel_key(name, number)
        payload = {"order": number, "progress": progress.value, "body": {"status_id": wanted}}
        self.deliveries.append(Delivery(name, "order", row.id, "status", key, payload))
        self.details[row.id] = [("status_id", record.payload["status_id"], wanted)]


def forwards(here: OrderStatus, progress: OrderStatus) -> bool:
    """Whether an order that the shop shows as `here` may become `progress`."""
    if here in FINAL or progress in REFUNDS:
        return False
    if progress is OrderStatus.CANCELLED:
        return here not in SHIPPED
    return here not in REFUNDS and FORWARDS.index(progress) > FORWARDS.index(here)


def to_be_shipped(order: Json) -> bool:
    """Whether something of it goes to an address and has not left."""
    return any(
        item.get("order_address_id") and int(item["quantity_shipped"]) < int(item["quantity"])
        for item in line_items(order)
    )


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """One status write for each of this shop's orders that Brightpearl has further than the shop shows."""
    settings = context.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
    mine = [row for row in rows if row.origin.get("number") == context.connection]
    records = context.hub.records(context.connection, "orders", [row.content["number"] for row in mine])
    planner = _Planner(context, settings, records)
    for row in mine:
        planner.one(row)
    return Plan(planner.deliveries, planner.held, planner.ignored, planner.superseded, details=planner.details)


def _cancelled_too_late(connection: str, row: Golden) -> DeadLetter:
    number = row.content["number"]
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="order",
        subject=str(row.id),
        reason="cancelled_after_shipping",
        sentence=f"order {number} was cancelled in Brightpearl, but the shop shows it as shipped",
        suggestion="Arrange the return, and set the order right in the shop or in Brightpearl; this letter then goes.",
        field="status",
        payload=row.content,
        golden_id=row.id,
    )


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Look at what the shop shows now, then write what still goes forwards; one call each, the shop has no batch."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this write belongs to this system
    numbers = [each.payload["order"] for each in deliveries]
    now = {record.id: record for record in await read_orders(session, sorted(set(numbers)))}
    answers = []
    for delivery, number in zip(deliveries, numbers, strict=True):
        record, progress = now[number], OrderStatus(delivery.payload["progress"])
        here = None if record.deleted else settings.order_statuses.get(str(record.payload["status_id"]))
        if here is None or not forwards(here, progress):
            answers.append(Answer(delivery, Outcome.CONFIRMED, body={"rule": "the_shop_is_further"}))
            continue
        answers.append(await _put(session, delivery))
    return answers


async def _put(session: Session, delivery: Delivery) -> Answer:
    path = f"v2/orders/{delivery.payload['order']}"
    try:
        await client_of(session).api.request("PUT", path, json=delivery.payload["body"], idempotent=True)
    except AmbiguousError as error:
        return Answer(delivery, Outcome.AMBIGUOUS, error=str(error))
    except RefusedError as error:
        return Answer(delivery, Outcome.REFUSED, error=str(error))
    return Answer(delivery, Outcome.CONFIRMED)


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Nothing is looked up beforehand: `send` looks by itself, and the same status twice is the same status."""
    del session, deliveries
    return {}


# -- comparing ----------------------------------------------------------------------------------------------------


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """Whether the shop should show the order as cancelled. The steps between are the shop's own as well as ours."""
    return {
        row.id: Expected(
            f"{context.connection}:{row.content['number']}",
            {"number": row.content["number"]},
            {"cancelled": row.content["progress"] == OrderStatus.CANCELLED},
        )
        for row in rows
        if row.origin.get("number") == context.connection
        and row.content.get("progress") is not None
        and row.content["status"] != OrderStatus.REFUNDED
    }


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """What the shop shows."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this target belongs to this system
    ids = {str(each.lookup["number"]): golden for golden, each in expected.items()}
    return {
        ids[record.id]: {
            "cancelled": settings.order_statuses.get(str(record.payload["status_id"])) is OrderStatus.CANCELLED
        }
        for record in await read_orders(session, sorted(ids))
        if not record.deleted
    }


TARGET = Target("order", plan, (Write("status", send, find),), Comparison(expect, observe))
