"""The shop's state: plain JSON, kept across a restart, with its promises still open; large shops stay quick to read."""

import json
from datetime import timedelta
from pathlib import Path

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock

from .shop import NOON, Caller, Receiver, against, draft, new_shop


def busy_shop() -> BigCommerceEmulator:
    shop = new_shop(payment_event="authorization")
    first = shop.place_order(draft(external_id="INV-1"))
    shop.place_order(draft(("TEE-S", 1), ("PDF", 1)))
    shop.collections["orders"][str(first)]["payment_status"] = "captured"
    shop.refund_order(first, [(1, 1)])
    shop.cancel_order(shop.place_order(draft(("TRAY", 1))))
    return shop


def restarted(shop: BigCommerceEmulator, folder: Path) -> BigCommerceEmulator:
    shop.save(folder)
    clock = SandboxClock()
    clock.freeze(True)
    clock.set(shop.clock.now())
    again = BigCommerceEmulator(seed=99, clock=clock)
    assert again.restore(folder)
    again.base_url = shop.base_url
    return again


def test_everything_kept_is_plain_json() -> None:
    shop = busy_shop()
    assert json.loads(json.dumps(shop.collections)) == shop.collections


def test_a_restarted_shop_answers_as_before_and_goes_on(tmp_path: Path) -> None:
    shop = busy_shop()
    again = restarted(shop, tmp_path)
    answers: list[list[object]] = []

    async def story(call: Caller) -> None:
        paths = (
            "/v2/orders?include=consignments.line_items&sort=date_modified:desc",
            "/v2/orders?external_order_id=INV-1",
            "/v2/orders?email=anna@example.com",
            "/v3/catalog/variants?sku=tee-s",
            "/v3/catalog/products?include=variants,options",
            "/v3/customers?email:in=anna@example.com&include=addresses",
            "/v3/inventory/items",
        )
        answers.append([await call.get(path) for path in paths])

    against(shop, story)
    against(again, story)
    assert answers[0] == answers[1]
    assert again.place_order(draft()) == max(map(int, shop.collections["orders"])) + 1


def test_what_was_under_way_at_the_restart_still_happens(tmp_path: Path) -> None:
    shop = busy_shop()
    hook = {"scope": "store/order/archived", "destination": "http://in.test/", "is_active": True}

    async def before(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook)
        await call("DELETE", "/v2/orders/101")
        items = [{"location_id": 1, "sku": "BOOK", "quantity": 3}]
        await call("PUT", "/v3/inventory/adjustments/absolute", {"items": items})
        await call("POST", "/v3/orders/101/payment_actions/capture")

    against(shop, before)
    again, receiver = restarted(shop, tmp_path), Receiver()
    again.webhook_client = receiver.client()

    async def after(call: Caller) -> None:
        await call.tick(5)
        assert receiver.scopes() == ["store/order/archived"]
        [book] = (await call.get("/v3/inventory/items?sku:in=BOOK"))["data"]
        assert book["locations"][0]["total_inventory_onhand"] == 3
        assert (await call.get("/v2/orders/101"))["payment_status"] == "captured"
        [refund] = (await call.get("/v3/orders/100/payment_actions/refunds"))["data"]
        assert refund["payments"][0]["transaction_id"] != ""

    against(again, after)


def test_the_same_seed_makes_the_same_shop() -> None:
    one, two = busy_shop(), busy_shop()
    assert json.dumps(one.collections) == json.dumps(two.collections)
    assert one.settings == two.settings
    assert BigCommerceEmulator(seed=8).settings["access_token"] != one.settings["access_token"]


def test_credentials_are_enough_to_call() -> None:
    shop = new_shop()
    assert shop.credentials().keys() == {"base_url", "store_hash", "access_token", "client_id", "client_secret"}
    assert shop.credentials()["base_url"] == f"http://shop.test/stores/{shop.hash}"


def test_a_delta_is_read_page_by_page_without_looking_at_the_rest() -> None:
    shop = new_shop(channel_order_events=False)
    for number in range(3000):
        shop.clock.set(NOON + timedelta(seconds=number))
        shop.place_order(draft(("BOOK", 1), placed_at=shop.clock.now()))
    looked_at = 0
    table = shop.collections["orders"]

    class Counting(dict):
        def __getitem__(self, key):
            nonlocal looked_at
            looked_at += 1
            return table[key]

    shop.collections["orders"] = Counting(table)

    async def story(call: Caller) -> None:
        since = "min_date_modified=2026-03-02T12:40:00Z&sort=date_modified:asc&limit=250"
        seen = []
        for page in range(1, 4):
            seen += await call.get(f"/v2/orders?{since}&page={page}")
        assert [order["id"] for order in seen] == list(range(2500, 3100))
        assert looked_at == 600

    against(shop, story)
