"""Stock: asynchronous adjustments, whole-payload refusals, and what orders do to it."""

from typing import Any

import pytest

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator

from .shop import Caller, Receiver, against, draft, new_shop

ABSOLUTE = "/v3/inventory/adjustments/absolute"
RELATIVE = "/v3/inventory/adjustments/relative"


def rows(*items: tuple[str, Any, int], location: int = 1) -> dict[str, Any]:
    made = [{"location_id": location, name: value, "quantity": quantity} for name, value, quantity in items]
    return {"reason": "test", "items": made}


async def level(call: Caller, sku: str) -> int | None:
    found = (await call.get(f"/v3/inventory/items?sku:in={sku}"))["data"]
    return found[0]["locations"][0]["available_to_sell"] if found and found[0]["locations"] else None


def on_hand(shop: BigCommerceEmulator, sku: str) -> int:
    records = [each for each in shop.collections["inventory"].values() if each["sku"] == sku]
    return int(records[0]["levels"]["1"]["on_hand"])


def test_stock_starts_as_the_sum_of_the_warehouses_and_bundles_at_nought() -> None:
    shop = new_shop()
    assert {sku: on_hand(shop, sku) for sku in ("MUG", "TEE-S", "SET")} == {"MUG": 50, "TEE-S": 7, "SET": 0}
    assert not [each for each in shop.collections["inventory"].values() if each["sku"] == "PDF"]


def test_an_absolute_adjustment_is_seen_only_after_the_delay() -> None:
    async def story(call: Caller) -> None:
        accepted = await call("PUT", ABSOLUTE, rows(("sku", "MUG", 33), ("sku", "tee-s", 2)))
        assert accepted.status_code == 200
        assert set(accepted.json()) == {"transaction_id"}
        assert await level(call, "MUG") == 50
        await call.tick(0.5)
        assert (await level(call, "MUG"), await level(call, "TEE-S")) == (33, 2)

    against(new_shop(), story)


def test_one_bad_item_refuses_the_whole_payload() -> None:
    async def story(call: Caller) -> None:
        refused = await call("PUT", ABSOLUTE, rows(("sku", "MUG", 1), ("sku", "NOSUCH", 1)))
        assert refused.status_code == 422
        assert "NOSUCH" in refused.json()["title"]
        await call.tick()
        assert await level(call, "MUG") == 50

    against(new_shop(), story)


def test_the_identity_must_fit_how_the_product_is_tracked() -> None:
    shop = new_shop()
    mug, tee = shop.variant_of_sku("MUG"), shop.variant_of_sku("TEE-S")

    async def story(call: Caller) -> None:
        by_variant = await call("PUT", ABSOLUTE, rows(("variant_id", mug["id"], 1)))
        assert by_variant.status_code == 422
        text = f"[Item with variant_id {mug['id']} is tracked by product, please update stock by product id]"
        assert by_variant.json()["title"] == text
        by_product = await call("PUT", ABSOLUTE, rows(("product_id", tee["product_id"], 1)))
        assert "is tracked by variant" in by_product.json()["title"]
        right = rows(("product_id", mug["product_id"], 1), ("variant_id", tee["id"], 1))
        assert (await call("PUT", ABSOLUTE, right)).status_code == 200
        shop.settings["sku_adjusts_simple_products"] = False
        assert (await call("PUT", ABSOLUTE, rows(("sku", "MUG", 1)))).status_code == 422

    against(shop, story)


def test_an_item_names_one_identity_and_one_known_location() -> None:
    async def story(call: Caller) -> None:
        both = {"items": [{"location_id": 1, "sku": "MUG", "variant_id": 201, "quantity": 1}]}
        assert (await call("PUT", ABSOLUTE, both)).status_code == 422
        nowhere = await call("PUT", ABSOLUTE, rows(("sku", "MUG", 1), ("sku", "TRAY", 1), location=3))
        assert nowhere.json()["title"] == "Location not found, identities: [3]"

    against(new_shop(), story)


def test_more_than_two_thousand_items_are_refused() -> None:
    async def story(call: Caller) -> None:
        assert (await call("PUT", ABSOLUTE, rows(*[("sku", "MUG", 1)] * 2000))).status_code == 200
        assert (await call("PUT", ABSOLUTE, rows(*[("sku", "MUG", 1)] * 2001))).status_code == 422

    against(new_shop(), story)


def test_a_relative_adjustment_needs_an_absolute_one_before_it() -> None:
    shop = new_shop()
    place = {
        "label": "Dock",
        "code": "DOCK",
        "managed_by_external_source": True,
        "type_id": "PHYSICAL",
        "time_zone": "Europe/London",
        "address": {"address1": "1 Dock", "city": "Hull", "country_code": "GB"},
    }

    async def story(call: Caller) -> None:
        await call("POST", "/v3/inventory/locations", [place])
        early = await call("POST", RELATIVE, rows(("sku", "MUG", 5), location=2))
        assert early.json()["title"] == "Items with identity: [sku MUG] requires absolute adjustment before relative"
        await call("PUT", ABSOLUTE, rows(("sku", "MUG", 3), location=2))
        await call.tick()
        assert (await call("POST", RELATIVE, rows(("sku", "MUG", 5), location=2))).status_code == 200
        await call.tick()
        [item] = (await call.get("/v3/inventory/locations/2/items"))["data"]
        assert (item["identity"]["sku"], item["total_inventory_onhand"]) == ("MUG", 8)

    against(shop, story)


def test_safety_stock_is_kept_back_from_sale_and_from_relative_adjustments() -> None:
    async def story(call: Caller) -> None:
        settings = {"settings": [{"identity": {"sku": "TEE-M"}, "safety_stock": 4}]}
        assert (await call("PUT", "/v3/inventory/locations/1/items", settings)).status_code == 200
        await call.tick()
        assert await level(call, "TEE-M") == 1
        assert (await call("POST", RELATIVE, rows(("sku", "TEE-M", -2)))).status_code == 422
        assert (await call("POST", RELATIVE, rows(("sku", "TEE-M", -1)))).status_code == 200
        empty = {"settings": [{"identity": {"sku": "TEE-M"}}]}
        refused = await call("PUT", "/v3/inventory/locations/1/items", empty)
        assert refused.status_code == 422
        assert "setting.0.settings" in refused.json()["errors"]

    against(new_shop(), story)


def test_our_own_stock_writes_come_back_as_events_of_the_tracked_kind() -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        for scope in ("store/product/inventory/*", "store/sku/inventory/*"):
            await call("POST", "/v3/hooks", {"scope": scope, "destination": "http://in.test/", "is_active": True})
        await call("PUT", ABSOLUTE, rows(("sku", "MUG", 33), ("sku", "TEE-S", 2)))
        await call.tick()
        shop.place_order(draft(("TEE-S", 1)))
        await call.tick()
        told = [
            (body["scope"], body["data"]["inventory"]["method"], body["data"]["inventory"]["value"])
            for body in receiver.bodies()
        ]
        assert told == [
            ("store/product/inventory/updated", "absolute", 33),
            ("store/sku/inventory/updated", "absolute", 2),
            ("store/sku/inventory/order/updated", "relative", -1),
        ]

    against(shop, story)


# -- what orders do ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status_id", "left"), [(11, 48), (1, 48), (7, 48), (0, 50), (6, 50), (5, 50)])
def test_a_placed_order_takes_stock_unless_it_is_none(status_id: int, left: int) -> None:
    shop = new_shop()
    shop.place_order(draft(("MUG", 2), status_id=status_id))
    assert on_hand(shop, "MUG") == left


def test_stock_is_taken_on_shipping_where_the_shop_says_so() -> None:
    shop = new_shop()
    shop.settings["inventory"]["update_stock_behavior"] = "order_completed_or_shipped"
    order_id = shop.place_order(draft(("MUG", 2)))
    assert on_hand(shop, "MUG") == 50

    async def story(call: Caller) -> None:
        await call("PUT", f"/v2/orders/{order_id}", {"status_id": 10})
        assert on_hand(shop, "MUG") == 48

    against(shop, story)


@pytest.mark.parametrize(("adjusts", "left"), [(True, 50), (False, 48)])
def test_a_cancelled_order_gives_its_stock_back_if_the_settings_say_so(adjusts: bool, left: int) -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("MUG", 2)))

    async def story(call: Caller) -> None:
        await call("PUT", "/v3/settings/inventory", {"refund_order_stock_adjustment": adjusts})
        shop.cancel_order(order_id)
        shop.cancel_order(order_id)
        assert on_hand(shop, "MUG") == left

    against(shop, story)


def test_a_cancelled_order_gives_back_only_what_was_there_to_take() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("TEE-M", 9)))
    assert on_hand(shop, "TEE-M") == 0
    shop.cancel_order(order_id)
    assert on_hand(shop, "TEE-M") == 5


def test_a_shop_that_insists_on_stock_refuses_the_basket() -> None:
    shop = new_shop(checkout_requires_stock=True)
    with pytest.raises(ValueError, match="TEE-M"):
        shop.place_order(draft(("TEE-M", 9)))


@pytest.mark.parametrize(("restocks", "left"), [(False, 48), (True, 50)])
def test_a_full_refund_through_the_api_restocks_only_where_set(restocks: bool, left: int) -> None:
    shop = new_shop(api_refunds_restock=restocks)
    order_id = shop.place_order(draft(("MUG", 2)))

    async def story(call: Caller) -> None:
        items = [{"item_type": "PRODUCT", "item_id": 1, "quantity": 2}]
        pay = [{"provider_id": "testgateway", "amount": 19.99}]
        path = f"/v3/orders/{order_id}/payment_actions/refunds"
        assert (await call("POST", path, {"items": items, "payments": pay})).status_code == 201
        assert on_hand(shop, "MUG") == left

    against(shop, story)


def test_editing_an_orders_lines_moves_stock() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("MUG", 2), ("TRAY", 1)))
    mug, tray = shop.children("order_products", order_id)

    async def story(call: Caller) -> None:
        change = [{"id": mug["id"], "quantity": 5}, {"id": tray["id"], "quantity": 0}]
        assert (await call("PUT", f"/v2/orders/{order_id}", {"products": change})).status_code == 200
        assert (on_hand(shop, "MUG"), on_hand(shop, "TRAY")) == (45, 12)

    against(shop, story)


def test_a_channels_own_inventory_setting_wins_over_the_global_one() -> None:
    shop = new_shop()

    async def story(call: Caller) -> None:
        path = "/v3/settings/inventory?channel_id=2"
        assert (await call.get(path))["data"]["update_stock_behavior"] is None
        await call("PUT", path, {"update_stock_behavior": "order_completed_or_shipped"})
        shop.place_order(draft(("MUG", 2), channel_id=2))
        assert on_hand(shop, "MUG") == 50
        shop.place_order(draft(("MUG", 2)))
        assert on_hand(shop, "MUG") == 48

    against(shop, story)
