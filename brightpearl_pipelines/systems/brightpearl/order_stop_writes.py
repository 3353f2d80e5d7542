"""Sales orders whose money went back as a whole: nothing of them is packed any more (brightpearl.md §5.4, §8.5).

Brightpearl cancels only what nothing is paid on, and what was paid stays on the order: it goes back on the credits. So
the order is set to the status that connections.yaml names for refunded orders, which warehouses leave alone.
"""

from collections.abc import Sequence

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session

NOTE = "Refunded in the shop as a whole: not to be packed"


async def send_stop(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Give up the reservation and set the status. An order of which goods are leaving, or have left, stays as it is:
    its credits say all. May be repeated."""
    client = client_of(session)
    ids = [str(each.payload["body"]["order"]) for each in deliveries]
    orders = {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", ids)}
    notes = await client.get_map("warehouse-service/order/{ids}/goods-note/goods-out", ids)
    leaving = {str(note["orderId"]) for note in notes.values()}
    answers = []
    for delivery, order_id in zip(deliveries, ids, strict=True):
        if order_id in leaving:
            answers.append(Answer(delivery, Outcome.CONFIRMED, body={"rule": "goods_have_left"}))
            continue
        try:
            await _stop(client, orders[order_id], int(delivery.payload["body"]["status"]))
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error)))
    return answers


async def _stop(client: BrightpearlClient, order: Json, status: int) -> None:
    reservation = f"warehouse-service/order/{order['id']}/reservation"
    if await client.get(reservation):
        await client.api.request("DELETE", reservation, idempotent=True, expected={404})
    if order["orderStatus"]["orderStatusId"] == status:
        return
    body = {"orderStatusId": status, "orderNote": {"text": NOTE, "isPublic": False}}
    await client.api.request("PUT", f"order-service/order/{order['id']}/status", json=body, idempotent=True)
