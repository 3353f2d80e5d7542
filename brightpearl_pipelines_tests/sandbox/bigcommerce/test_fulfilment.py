"""Shipments and refunds: what they refuse, and what they do to the order."""

from decimal import Decimal
from typing import Any

import pytest

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator

from .shop import GUEST, Caller, Receiver, against, draft, new_shop


def parcel(shop: BigCommerceEmulator, order_id: int, *quantities: int) -> dict[str, Any]:
    """A shipment of so many of each line."""
    [address] = shop.children("order_addresses", order_id)
    lines = shop.children("order_products", order_id)
    items = [
        {"order_product_id": line["id"], "quantity": quantity}
        for line, quantity in zip(lines, quantities, strict=False)
        if quantity
    ]
    return {
        "order_address_id": address["id"],
        "items": items,
        "tracking_number": "RM1",
        "shipping_provider": "royalmail",
    }


def test_parcels_move_the_status_to_partly_and_then_wholly_shipped() -> None:
    shop, receiver = new_shop(channel_order_events=False), Receiver()
    order_id = shop.place_order(draft())
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        for scope in ("store/shipment/*", "store/order/statusUpdated"):
            await call("POST", "/v3/hooks", {"scope": scope, "destination": "http://in.test/", "is_active": True})
        path = f"/v2/orders/{order_id}/shipments"
        assert (await call("GET", path)).status_code == 204
        first = await call("POST", path, parcel(shop, order_id, 1))
        assert first.status_code == 201
        assert first.json()["items"] == [{"order_product_id": 1, "product_id": 0, "quantity": 1}]
        assert first.json()["shipping_provider_display_name"] == "Royal Mail"
        order = await call.get(f"/v2/orders/{order_id}")
        assert (order["status_id"], order["items_shipped"], order["date_shipped"]) == (3, 1, "")
        await call.tick(60)
        await call("POST", path, parcel(shop, order_id, 1, 1))
        order = await call.get(f"/v2/orders/{order_id}")
        assert (order["status_id"], order["items_shipped"]) == (2, 3)
        assert order["date_shipped"] == "Mon, 02 Mar 2026 12:01:00 +0000"
        assert [line["quantity_shipped"] for line in await call.get(f"/v2/orders/{order_id}/products")] == [2, 1]
        assert (await call.get(f"{path}/count"))["count"] == 2
        await call.tick(0)
        assert receiver.scopes() == ["store/shipment/created", "store/order/statusUpdated"] * 2
        assert receiver.bodies()[0]["data"] == {"type": "shipment", "id": 1, "orderId": order_id}

    against(shop, story)


def test_shipping_more_than_is_left_is_refused_with_what_is_left() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        path = f"/v2/orders/{order_id}/shipments"
        await call("POST", path, parcel(shop, order_id, 2, 1))
        again = await call("POST", path, parcel(shop, order_id, 2, 1))
        assert again.status_code == 400
        [error] = again.json()
        assert error["message"] == "The field 'quantity' is invalid."
        assert error["details"]["available_quantity"] == 0
        assert error["details"]["order_product_id"] == 1
        assert len(await call.get(path)) == 1

    against(shop, story)


def test_deleting_a_shipment_frees_its_items_and_leaves_the_status() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        path = f"/v2/orders/{order_id}/shipments"
        made = (await call("POST", path, parcel(shop, order_id, 2, 1))).json()
        assert (await call("DELETE", f"{path}/{made['id']}")).status_code == 204
        order = await call.get(f"/v2/orders/{order_id}")
        assert (order["status_id"], order["items_shipped"]) == (2, 0)
        assert (await call("POST", path, parcel(shop, order_id, 2, 1))).status_code == 201

    against(shop, story)


@pytest.mark.parametrize(
    "change",
    [
        {"order_address_id": 999},
        {"items": []},
        {"items": [{"order_product_id": 999, "quantity": 1}]},
        {"shipping_provider": "pigeon"},
        {"tracking_number": "x" * 51},
        {"id": 7},
    ],
)
def test_a_bad_shipment_is_refused(change: dict[str, Any]) -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        response = await call("POST", f"/v2/orders/{order_id}/shipments", {**parcel(shop, order_id, 1), **change})
        assert response.status_code == 400
        assert shop.collections["shipments"] == {}

    against(shop, story)


def test_setting_the_status_to_shipped_makes_no_shipment() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        await call("PUT", f"/v2/orders/{order_id}", {"status_id": 2})
        assert await call.get(f"/v2/orders/{order_id}/shipments") is None

    against(shop, story)


# -- refunds -----------------------------------------------------------------------------------------------------------


def test_a_quote_must_be_paid_to_the_penny() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(discount=Decimal("1.00")))
    [mug, _] = shop.children("order_products", order_id)

    async def story(call: Caller) -> None:
        path = f"/v3/orders/{order_id}/payment_actions"
        items = [{"item_type": "PRODUCT", "item_id": mug["id"], "quantity": 1}]
        quote = (await call("POST", f"{path}/refund_quotes", {"items": items})).json()["data"]
        assert (quote["total_refund_amount"], mug["discounted_total_inc_tax"]) == (9.75, "19.4900")
        amount = quote["total_refund_amount"]
        wrong = {"items": items, "payments": [{"provider_id": "testgateway", "amount": amount + 1}]}
        assert (await call("POST", f"{path}/refunds", wrong)).status_code == 422
        right = {"items": items, "payments": [{"provider_id": "testgateway", "amount": amount}]}
        made = await call("POST", f"{path}/refunds", right)
        assert made.status_code == 201
        order = await call.get(f"/v2/orders/{order_id}")
        assert (order["status_id"], order["payment_status"], order["refunded_amount"]) == (
            14,
            "partially refunded",
            "0.0000",
        )
        [line, _] = await call.get(f"/v2/orders/{order_id}/products")
        assert (line["quantity_refunded"], line["is_refunded"]) == (1, False)

    against(shop, story)


def test_refunds_can_be_polled_by_time_and_order() -> None:
    shop = new_shop()
    first, second = shop.place_order(draft()), shop.place_order(draft())
    shop.refund_order(first, [(1, 1)], reason="Chipped")

    async def story(call: Caller) -> None:
        await call.tick(3600)
        late = shop.refund_order(second, [(3, 2), (4, 1)])

        async def found(query: str) -> list[int]:
            return [each["id"] for each in (await call.get(f"/v3/orders/payment_actions/refunds?{query}"))["data"]]

        assert await found("") == [1, late]
        assert await found("created:min=2026-03-02T12:30:00Z") == [late]
        assert await found(f"order_id:in={first}") == [1]
        assert (await call.get(f"/v3/orders/payment_actions/refunds/{late}"))["data"]["order_id"] == second
        assert (await call.get(f"/v2/orders/{second}"))["status_id"] == 4
        await call.tick(5)
        [refund] = (await call.get(f"/v3/orders/{first}/payment_actions/refunds"))["data"]
        assert refund["payments"][0]["transaction_id"] != ""
        events = [each["event"] for each in (await call.get(f"/v3/orders/{first}/transactions"))["data"]]
        assert events == ["purchase", "refund"]

    against(shop, story)


def test_all_parts_of_a_line_refund_to_the_whole_line() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("MUG", 3), discount=Decimal("1.00")))
    [mug] = shop.children("order_products", order_id)
    for _ in range(3):
        shop.refund_order(order_id, [(mug["id"], 1)])
    total = sum(Decimal(str(refund["total_amount"])) for refund in shop.children("refunds", order_id))
    assert total == Decimal(mug["discounted_total_inc_tax"])
    with pytest.raises(ValueError, match="0 left to refund"):
        shop.refund_order(order_id, [(mug["id"], 1)])


def test_a_clerk_may_refund_another_amount() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())
    refund = shop.need("refunds", shop.refund_order(order_id, [(1, 1)], amount_override=Decimal("4.00")))
    assert (refund["total_amount"], refund["uses_merchant_override_values"]) == (4, True)
    with pytest.raises(ValueError, match="left to refund"):
        shop.refund_order(order_id, [], amount_override=Decimal(1000))


def test_an_unpaid_order_cannot_be_refunded_and_a_guest_gets_no_store_credit() -> None:
    shop = new_shop()
    unpaid, guest = shop.place_order(draft(status_id=7)), shop.place_order(draft(person=GUEST))

    async def story(call: Caller) -> None:
        items = [{"item_type": "ORDER", "item_id": unpaid, "amount": 1}]
        path = f"/v3/orders/{unpaid}/payment_actions/refund_quotes"
        assert (await call("POST", path, {"items": items})).status_code == 422
        credit = {
            "items": [{"item_type": "ORDER", "item_id": guest, "amount": 1}],
            "payments": [{"provider_id": "storecredit", "amount": 1}],
        }
        refused = await call("POST", f"/v3/orders/{guest}/payment_actions/refunds", credit)
        assert refused.status_code == 422
        assert refused.json()["data"][0]["title"] == "Unable to provide store credit for a guest customer."

    against(shop, story)


def test_an_authorised_payment_is_captured_later() -> None:
    shop = new_shop(payment_event="authorization")
    order_id, unpaid = shop.place_order(draft()), shop.place_order(draft(status_id=7))

    async def story(call: Caller) -> None:
        path = f"/v3/orders/{order_id}/payment_actions/capture"
        assert (await call("POST", path)).status_code == 201
        assert (await call.get(f"/v2/orders/{order_id}"))["payment_status"] == "capture pending"
        await call.tick(2)
        assert (await call.get(f"/v2/orders/{order_id}"))["payment_status"] == "captured"
        assert (await call("POST", path)).status_code == 422
        assert (await call("GET", f"/v3/orders/{unpaid}/transactions")).status_code == 204

    against(shop, story)


def test_a_metafield_is_a_claim_that_only_one_can_make() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())
    claim = {"permission_set": "app_only", "namespace": "sync", "key": "exported", "value": "500"}

    async def story(call: Caller) -> None:
        path = f"/v3/orders/{order_id}/metafields"
        assert (await call("POST", path, claim)).status_code == 200
        assert (await call("POST", path, {**claim, "value": "501"})).status_code == 409
        [kept] = (await call.get(f"{path}?namespace=sync"))["data"]
        assert (kept["value"], kept["resource_id"], kept["owner_client_id"]) == (
            "500",
            order_id,
            shop.settings["client_id"],
        )

    against(shop, story)
