"""What happens at the emulators arrives in the inbox, whatever goes wrong on the way (BP-07, BP-10, BP-11, BC-06)."""

import asyncio
from datetime import UTC, datetime

from brightpearl_pipelines.sandbox.generate import generate_orders
from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines.systems.brightpearl.streams import client_of, ids_in_set
from brightpearl_pipelines_tests.sandbox.brightpearl.desk import MAIN, WORLD
from brightpearl_pipelines_tests.webhooks.receiving import (
    engine_on,
    receiving,
    stored,
    subscribe,
    until,
)
from brightpearl_pipelines_tests.webhooks.test_receiver import CLIENT_SECRET, real_shop

CREATED = ("bigcommerce", "store/order/created")
ON_HAND = ("brightpearl", "product.modified.on-hand-modified")
DRAFT = next(generate_orders(WORLD, 7, 1, datetime.now(UTC)))


def place_order(sandbox):
    return sandbox.call(lambda: sandbox.bigcommerce.place_order(DRAFT))


def reserve(sandbox, store, clock):
    """A sales order over two products whose units are reserved; returns the product ids."""

    async def go():
        async with engine_on(sandbox, store, clock) as engine:
            client = client_of(await engine.session("brightpearl"))
            products = [sandbox.brightpearl.products.by_sku[sku] for sku in ("KETTLE", "CUP-RED")]
            contact = next(iter(sandbox.brightpearl.collection("contacts")))
            rows = [{"productId": each, "quantity": 1, "taxCode": "T20", "net": "5", "tax": "1"} for each in products]
            body = {"customer": {"id": int(contact)}, "ref": "A-1", "rows": rows}
            number = await client.post("order-service/sales-order", body)
            (order,) = await client.get(f"order-service/order/{number}")
            wanted = [
                {"salesOrderRowId": int(key), "productId": row["productId"], "quantity": 1}
                for key, row in order["orderRows"].items()
            ]
            await client.api.request(
                "POST", f"warehouse-service/order/{number}/reservation/warehouse/{MAIN}", json={"products": wanted}
            )
            return products

    return asyncio.run(go())


def events_of(store, wanted):
    return [event for event in stored(store, wanted[0]) if event.topic == wanted[1]]


def test_an_order_placed_in_the_shop_arrives(sandbox, store, clock, receiver):
    subscribe(sandbox, store, clock, receiver.url)
    number = place_order(sandbox)
    receiver.wait_for(CREATED)
    (event,) = events_of(store, CREATED)
    assert event.payload["data"] == {"type": "order", "id": number}


def test_a_reservation_in_brightpearl_arrives_once_with_the_ids_of_its_products(sandbox, store, clock, receiver):
    subscribe(sandbox, store, clock, receiver.url)
    products = reserve(sandbox, store, clock)
    receiver.wait_for(ON_HAND)
    until(lambda: not sandbox.brightpearl.collection("webhook_deliveries"), "all deliveries are made")
    told = [each for event in events_of(store, ON_HAND) for each in ids_in_set(event.payload["id"])]
    assert sorted(told) == sorted(map(str, products))


def test_the_shops_own_signature_is_believed_where_a_hook_bears_no_header(sandbox, store, clock, monkeypatch):
    monkeypatch.setenv("SHOP_CLIENT_SECRET", CLIENT_SECRET)
    sandbox.bigcommerce.settings["client_secret"] = CLIENT_SECRET
    clock.set(sandbox.clock.now())
    with receiving(store, clock, configuration=real_shop()) as receiver:
        subscribe(sandbox, store, clock, receiver.url)
        for hook in sandbox.bigcommerce.collections["hooks"].values():
            hook["headers"] = None
        place_order(sandbox)
        receiver.wait_for(CREATED)
        assert receiver.counts()["bigcommerce"].get("refused") is None


def test_what_is_delivered_twice_is_stored_once(sandbox, store, clock, receiver):
    subscribe(sandbox, store, clock, receiver.url)
    for emulator in (sandbox.bigcommerce, sandbox.brightpearl):
        sandbox.call(lambda emulator=emulator: emulator.faults.append(Fault("duplicate_webhook")))
    place_order(sandbox)
    reserve(sandbox, store, clock)
    receiver.wait_for(CREATED, ON_HAND)
    # The second copies come right behind the first ones.
    until(lambda: not sandbox.bigcommerce.collection("pending_webhooks"), "the shop has told all")
    until(lambda: not sandbox.brightpearl.collection("webhook_deliveries"), "Brightpearl has told all")
    assert len(events_of(store, CREATED)) == 1
    assert receiver.counts()["bigcommerce"]["duplicate"] >= 1
    counts = receiver.counts()["brightpearl"]
    assert counts["duplicate"] == counts["stored"] == len(stored(store, "brightpearl"))


def test_what_could_not_be_stored_is_sent_again_and_arrives(sandbox, store, clock, receiver, outage):
    subscribe(sandbox, store, clock, receiver.url)
    reserve_and_place = (reserve(sandbox, store, clock), place_order(sandbox))
    receiver.wait_for(CREATED, ON_HAND)
    until(lambda: not sandbox.brightpearl.collection("webhook_deliveries"), "Brightpearl has told all")
    before = {event.key for event in stored(store)}
    with outage():
        number = place_order(sandbox)
        correct_stock(sandbox, reserve_and_place[0][0])
        until(
            lambda: any(each["failures"] for each in waiting(sandbox.bigcommerce, "pending_webhooks", CREATED[1])),
            "the shop was told to come again",
        )
        until(
            lambda: any(each["attempts"] for each in waiting(sandbox.brightpearl, "webhook_deliveries", ON_HAND[1])),
            "Brightpearl was told to come again",
        )
    sandbox.call(lambda: sandbox.clock.advance(61))
    receiver.wait_for(CREATED, ON_HAND)
    new = [event for event in stored(store) if event.key not in before]
    assert number in [event.payload["data"]["id"] for event in new if event.connection == "bigcommerce"]
    assert str(reserve_and_place[0][0]) in [event.payload["id"] for event in new if event.connection == "brightpearl"]


def waiting(emulator, collection, topic):
    """The deliveries of a topic that are not made yet."""
    deliveries = list(emulator.collection(collection).values())
    return [each for each in deliveries if topic in (each.get("event"), each.get("payload", {}).get("scope"))]


def correct_stock(sandbox, product_id):
    """A unit more on the shelf, told to the subscribers."""
    sandbox.call(lambda: sandbox.brightpearl.stock.receive(product_id, MAIN, 1))


def put_off(sandbox):
    """How often each delivery that waits was tried."""
    return [each["attempts"] for each in waiting(sandbox.brightpearl, "webhook_deliveries", ON_HAND[1])]


def test_a_flood_from_brightpearl_is_slowed_down_and_nothing_of_it_is_lost(sandbox, store, clock):
    products = list(sandbox.brightpearl.products.by_sku.values())
    with receiving(store, clock, per_second=1) as receiver:
        subscribe(sandbox, store, clock, receiver.url)
        for hook in sandbox.brightpearl.collection("webhooks").values():
            hook["idSetAccepted"] = False
        for product in products[:3]:
            correct_stock(sandbox, product)
        receiver.wait_for(ON_HAND)
        until(lambda: put_off(sandbox) == [1, 1], "two are put off")
        clock.advance(5)
        sandbox.call(lambda: sandbox.clock.advance(11))
        receiver.wait_for(ON_HAND)
        until(lambda: put_off(sandbox) == [2], "one is put off again")
        clock.advance(5)
        sandbox.call(lambda: sandbox.clock.advance(21))
        receiver.wait_for(ON_HAND)
    assert sorted(event.payload["id"] for event in events_of(store, ON_HAND)) == sorted(map(str, products[:3]))
