import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.dispatch import half_of
from brightpearl_pipelines.sandbox.generate import generate_orders, generate_world
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines.sandbox.traffic import Traffic

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WORLD = generate_world(7, products=80, people=40)


class Place:
    def __init__(self, *, seed=7, rate=0.0):
        self.clock = SandboxClock()
        self.clock.freeze(True)
        self.clock.set(NOW)
        self.brightpearl = BrightpearlEmulator(seed=seed, clock=self.clock)
        self.bigcommerce = BigCommerceEmulator(seed=seed, clock=self.clock)
        for emulator in (self.brightpearl, self.bigcommerce):
            emulator.base_url = f"http://{emulator.name}.example"
            emulator.populate(WORLD)
        self.traffic = Traffic(
            self.bigcommerce, self.brightpearl, WORLD, seed=seed, rate_per_minute=rate, clock=self.clock
        )

    def pass_time(self, seconds):
        self.clock.advance(seconds)

        async def tick():
            await self.brightpearl.tick()
            await self.bigcommerce.tick()

        asyncio.run(tick())

    def call(self, method, path, body):
        """One call of Brightpearl's API."""
        account = self.brightpearl.credentials()
        headers = {"brightpearl-app-ref": account["app_ref"], "brightpearl-account-token": account["account_token"]}

        async def send():
            transport = httpx.ASGITransport(self.brightpearl.app())
            async with httpx.AsyncClient(transport=transport, base_url=account["base_url"], headers=headers) as client:
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 200, answer.text
                return answer.json().get("response")

        return asyncio.run(send())

    def order_at_brightpearl(self, quantities):
        """A sales order of the first products, with all its stock reserved; its id."""
        skus = [product.sku for product in WORLD.products if product.stock.get(2, 0) > 30][: len(quantities)]
        ids = {product["identity"]["sku"]: key for key, product in self.brightpearl.collection("products").items()}
        rows = [
            {
                "productId": ids[sku],
                "name": sku,
                "quantity": str(quantity),
                "taxCode": "T20",
                "net": "1.00",
                "tax": "0.20",
            }
            for sku, quantity in zip(skus, quantities, strict=True)
        ]
        customer = next(iter(self.brightpearl.collection("contacts")))
        order_id = self.call("POST", "order-service/sales-order", {"customer": {"id": customer}, "rows": rows})
        row_ids = self.brightpearl.collection("orders")[str(order_id)]["orderRows"]
        products = [
            {"productId": row["productId"], "salesOrderRowId": key, "quantity": quantity}
            for (key, row), quantity in zip(row_ids.items(), quantities, strict=True)
        ]
        self.call("POST", f"warehouse-service/order/{order_id}/reservation/warehouse/2", {"products": products})
        return str(order_id)

    def shipped(self, order_id):
        """Tracking number and units of each note of an order that left."""
        return [
            (
                note["shipping"]["reference"],
                sum(move["quantity"] for moves in note["orderRows"].values() for move in moves),
            )
            for note in self.brightpearl.collection("goods_out_notes").values()
            if str(note["orderId"]) == order_id and note["status"]["shipped"]
        ]


@pytest.fixture
def place():
    return Place()


def test_the_same_seed_makes_the_same_things_happen():
    stories = []
    for _ in range(2):
        place = Place()
        stories.append([place.traffic.step() for _ in range(60)])
    assert stories[0] == stories[1]
    assert stories[0] != [Place(seed=8).traffic.step() for _ in range(60)]


def test_the_same_seed_leaves_the_same_bytes_in_both_systems():
    left = []
    for _ in range(2):
        place = Place(rate=60)
        for _ in range(20):
            place.traffic.catch_up()
            place.pass_time(3)
        left.append([json.dumps(emulator.collections) for emulator in (place.brightpearl, place.bigcommerce)])
    assert left[0] == left[1]


def test_everything_that_can_happen_does(place):
    story = []
    for _ in range(150):
        story.append(place.traffic.step())
        place.pass_time(5)
    for part in (" placed", " cancelled", "customer ", "contact ", "stock of "):
        assert any(part in event for event in story), part
    orders = place.bigcommerce.collection("orders")
    assert len(orders) == sum(event.endswith("placed") for event in story)
    cancelled = [event.split()[1] for event in story if event.endswith("cancelled")]
    assert all(orders[order_id]["status_id"] == 5 for order_id in cancelled)


def test_traffic_flows_at_its_rate():
    place = Place(rate=30)
    happened = []
    for _ in range(40):
        happened += place.traffic.catch_up()
        place.pass_time(15)
    assert 220 < len(happened) < 380


def test_a_rate_of_zero_makes_nothing_happen(place):
    place.traffic.catch_up()
    place.pass_time(3600)
    assert place.traffic.catch_up() == []


def test_a_jump_of_the_clock_brings_a_minute_of_events_at_most():
    place = Place(rate=30)
    place.traffic.catch_up()
    place.pass_time(86400)
    assert 0 < len(place.traffic.catch_up()) < 70


def test_one_system_alone_moves_too():
    place = Place()
    shop_only = Traffic(place.bigcommerce, None, WORLD, seed=7, rate_per_minute=0, clock=place.clock)
    erp_only = Traffic(None, place.brightpearl, WORLD, seed=7, rate_per_minute=0, clock=place.clock)
    assert all(shop_only.step() for _ in range(20))
    assert all("stock" in event or "contact" in event for event in [erp_only.step() for _ in range(20)])


def test_replayed_orders_are_dated_when_they_were_placed(place):
    orders = list(generate_orders(WORLD, 3, 30, NOW))
    asyncio.run(replay(place.bigcommerce, place.clock, orders))
    placed = list(place.bigcommerce.collection("orders").values())
    expected = [order.placed_at.strftime("%a, %d %b %Y %H:%M:%S +0000") for order in orders]
    assert [order["date_created"] for order in placed] == expected
    assert len({order["date_modified"] for order in placed}) > 25
    assert place.clock.now() == NOW


def test_the_warehouse_ships_an_order_a_little_after_its_stock_is_allocated_at_any_rate(place):
    order_id = place.order_at_brightpearl([1])
    assert place.traffic.catch_up() == []
    place.pass_time(14)
    assert place.traffic.catch_up() == []
    place.pass_time(1)
    (event,) = place.traffic.catch_up()
    assert event.startswith(f"order {order_id} shipped")
    ((tracking, units),) = place.shipped(order_id)
    assert (tracking[:3], len(tracking), units) == ("TRK", 11, 1)
    assert place.brightpearl.collection("orders")[order_id]["shippingStatusCode"] == "ASS"
    place.pass_time(60)
    assert place.traffic.catch_up() == []


def test_some_orders_leave_in_two_parcels_and_all_leave_whole(place):
    order_ids = [place.order_at_brightpearl([2, 1]) for _ in range(12)]
    for _ in range(4):
        place.traffic.catch_up()
        place.pass_time(15)
    parcels = {order_id: place.shipped(order_id) for order_id in order_ids}
    assert {len(notes) for notes in parcels.values()} == {1, 2}
    assert all(sum(units for _, units in notes) == 3 for notes in parcels.values())
    numbers = [tracking for notes in parcels.values() for tracking, _ in notes]
    assert len(set(numbers)) == len(numbers)


def test_the_warehouse_ships_alike_for_one_seed():
    stories = []
    for _ in range(2):
        place = Place()
        order_ids = [place.order_at_brightpearl([3]) for _ in range(8)]
        for _ in range(3):
            place.traffic.catch_up()
            place.pass_time(15)
        stories.append([place.shipped(order_id) for order_id in order_ids])
    assert stories[0] == stories[1]


def test_the_warehouse_can_be_closed_and_made_slower_while_it_runs(place):
    order_id = place.order_at_brightpearl([1])
    place.brightpearl.settings |= {"warehouse_enabled": False, "ship_after_seconds": 600}
    for _ in range(2):
        place.traffic.catch_up()
        place.pass_time(300)
    place.brightpearl.settings["warehouse_enabled"] = True
    assert place.traffic.catch_up() == []
    place.pass_time(600)
    assert len(place.traffic.catch_up()) == 1
    assert place.shipped(order_id)


def test_nothing_is_shipped_of_an_order_without_reserved_stock(place):
    customer = next(iter(place.brightpearl.collection("contacts")))
    place.call("POST", "order-service/sales-order", {"customer": {"id": customer}, "rows": []})
    place.pass_time(60)
    assert place.traffic.catch_up() == []


def test_half_of_a_parcel_is_rounded_up_and_takes_the_first_rows_first():
    assert half_of({"1": 2, "2": 3}) == {"1": 2, "2": 1}
    assert half_of({"1": 1, "2": 1}) == {"1": 1}
