"""Notes on sales orders: what the warehouse must know of an order and no field of it can say (brightpearl.md §5.4)."""

from collections.abc import Sequence

from brightpearl_pipelines.store.types import Delivery
from brightpearl_pipelines.systems.brightpearl.client import Message
from brightpearl_pipelines.systems.brightpearl.customers import answer_for
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session


async def send_note(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Add the notes."""
    messages = [
        Message(
            "POST",
            f"order-service/order/{each.payload['body']['order']}/note",
            {"text": each.payload["body"]["text"], "isPublic": False},
        )
        for each in deliveries
    ]
    replies = await client_of(session).write(messages)
    return [answer_for(each, reply) for each, reply in zip(deliveries, replies, strict=True)]


async def find_note(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Notes that are there already, by their text: nothing else tells them apart."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        body = delivery.payload["body"]
        for note in await client.get(f"order-service/order/{body['order']}/note"):
            if note["text"] == body["text"]:
                found[delivery.key] = Answer(delivery, Outcome.CONFIRMED)
    return found
