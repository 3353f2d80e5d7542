"""The calls that make, correct and take back the shop's shipments (bigcommerce.md §2.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of, read_orders
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session, Write

MARK = "Brightpearl goods-out note "
AWAITING_FULFILLMENT, SHIPPED, PARTIALLY_SHIPPED = 11, 2, 3
"""The shop's status ids are fixed (§2.5)."""


@dataclass(frozen=True)
class Shown:
    """A shipment as the shop shows it."""

    id: str
    address: int
    items: tuple[tuple[int, int], ...]
    """(order product, units), sorted."""
    tracking: str
    note: str
    """The goods-out note that its comment names, empty for one that a person entered."""


def made_of(shipment: Json) -> Shown:
    """The parts of a shipment that tell which one it is."""
    comments = str(shipment.get("comments") or "")
    return Shown(
        str(shipment["id"]),
        int(shipment["order_address_id"]),
        _items(shipment["items"]),
        str(shipment.get("tracking_number") or ""),
        comments.removeprefix(MARK) if comments.startswith(MARK) else "",
    )


def _items(items: Sequence[Json]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((int(each["order_product_id"]), int(each["quantity"])) for each in items))


def marker(reference: str) -> str:
    """What a shipment says of where it comes from; by it a cut-off creation is found again."""
    return f"{MARK}{reference}"


async def find_shipments(session: Session, order: str) -> list[Json]:
    """All shipments of an order."""
    return await client_of(session).all(f"v2/orders/{order}/shipments")


# -- making -------------------------------------------------------------------------------------------------------


async def send_create(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """One call each; the shop has no batch for shipments.

    Where somebody entered shipments by hand, and where the shop says that there is not so much left to ship, it is
    first looked whether one of those is this very parcel.
    """
    answers: list[Answer] = []
    claimed: set[str] = set()
    for delivery in deliveries:
        try:
            answer = await _recognised(session, delivery, claimed) if "taken" in delivery.payload else None
            answers.append(answer or await _make(session, delivery, claimed))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.AMBIGUOUS, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error), suggestion=_SUGGESTION))
    return answers


_SUGGESTION = (
    "Compare the order's shipments in the shop with its goods-out notes, and the carrier with `carriers` in "
    "connections.yaml; if a person entered the shipment in the shop otherwise than it left, discard this letter."
)


async def _make(session: Session, delivery: Delivery, claimed: set[str]) -> Answer:
    order, body = str(delivery.payload["order"]), delivery.payload["body"]
    try:
        made = read_json(await client_of(session).api.request("POST", f"v2/orders/{order}/shipments", json=body))
    except RefusedError:
        answer = await _recognised(session, delivery, claimed)
        if answer is None:
            raise
        return answer
    return Answer(delivery, Outcome.CONFIRMED, external_id=_link(order, made_of(made)))


def _link(order: str, shipment: Shown) -> str:
    return f"{order}:{shipment.id}:{shipment.address}"


async def _recognised(session: Session, delivery: Delivery, claimed: set[str]) -> Answer | None:
    """The shipment that a person entered for this parcel: same address, same lines and units, and no other tracking
    number. What it lacks of ours is added; its comment stays the person's."""
    order, body = str(delivery.payload["order"]), delivery.payload["body"]
    taken = claimed | set(delivery.payload.get("taken", ()))
    for each in map(made_of, await find_shipments(session, order)):
        same = (each.address, each.items) == (body["order_address_id"], _items(body["items"]))
        other = each.tracking and body["tracking_number"] and each.tracking != body["tracking_number"]
        if same and not other and not each.note and each.id not in taken:
            claimed.add(each.id)
            if body["tracking_number"] and not each.tracking:
                more = {name: value for name, value in body.items() if name in _CORRECTED}
                await _put(session, order, each.id, more)
            return Answer(delivery, Outcome.CONFIRMED, external_id=_link(order, each))
    return None


_CORRECTED = ("tracking_number", "tracking_carrier", "shipping_provider", "shipping_method")


async def _put(session: Session, order: str, shipment: str, body: Mapping[str, Any]) -> None:
    path = f"v2/orders/{order}/shipments/{shipment}"
    await client_of(session).api.request("PUT", path, json=body, idempotent=True)


async def find_created(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Shipments that are there already, by the goods-out note that their comment names."""
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        order, body = str(delivery.payload["order"]), delivery.payload["body"]
        for each in map(made_of, await find_shipments(session, order)):
            if marker(each.note) == body["comments"] and each.address == body["order_address_id"]:
                found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=_link(order, each))
    return found


# -- correcting ---------------------------------------------------------------------------------------------------


async def send_update(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Correct the tracking number and the carrier; may be repeated without harm."""
    answers = []
    for delivery in deliveries:
        try:
            for link in delivery.payload["shipments"]:
                order, shipment, _ = link.split(":")
                await _put(session, order, shipment, delivery.payload["body"])
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error), suggestion=_SUGGESTION))
    return answers


async def find_nothing(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """For writes that may simply go again."""
    del session, deliveries
    return {}


# -- taking back --------------------------------------------------------------------------------------------------


async def send_remove(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Delete what we made of a goods-out note and let the order's status follow; may be repeated without harm."""
    answers = []
    for delivery in deliveries:
        try:
            answers.append(await _remove(session, delivery))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error)))
    return answers


async def _remove(session: Session, delivery: Delivery) -> Answer:
    order, body = str(delivery.payload["order"]), delivery.payload["body"]
    linked = {link.split(":")[1] for link in body["shipments"]}
    there = [made_of(each) for each in await find_shipments(session, order)]
    ours = [each for each in there if marker(each.note) == body["comments"]]
    by_hand = [each.id for each in there if each.id in linked and each not in ours]
    for each in ours:
        path = f"v2/orders/{order}/shipments/{each.id}"
        await client_of(session).api.request("DELETE", path, idempotent=True, expected={404})
    if by_hand:
        return Answer(
            delivery,
            Outcome.REFUSED,
            error=f"shipment {', '.join(by_hand)} of order {order} was entered in the shop by a person",
            reason="entered_by_hand",
            suggestion="Delete it in the shop if the parcel did not leave, then retry this letter.",
        )
    await _status_follows(session, order, partly=len(there) > len(ours))
    return Answer(delivery, Outcome.CONFIRMED)


async def _status_follows(session: Session, order: str, *, partly: bool) -> None:
    """Deleting a shipment does not leave Shipped (§2.7); any other status is a person's or the shop's own."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this write belongs to this system
    (record,) = await read_orders(session, [order])
    if record.deleted or int(record.payload["status_id"]) not in (SHIPPED, PARTIALLY_SHIPPED):
        return
    word = OrderStatus.PARTIALLY_SHIPPED if partly else OrderStatus.OPEN
    wanted = settings.progress_statuses.get(word, PARTIALLY_SHIPPED if partly else AWAITING_FULFILLMENT)
    if int(record.payload["status_id"]) != wanted:
        await client_of(session).api.request("PUT", f"v2/orders/{order}", json={"status_id": wanted}, idempotent=True)


WRITES = (
    Write("create", send_create, find_created, links=True),
    Write("update", send_update, find_nothing),
    Write("remove", send_remove, find_nothing, unlinks=True),
)
