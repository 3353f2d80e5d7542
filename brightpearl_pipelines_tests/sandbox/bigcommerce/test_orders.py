"""Orders as a sync reads and writes them."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest

from brightpearl_pipelines.sandbox.world import DraftLine

from .shop import ANNA, GUEST, NOON, Caller, Receiver, against, draft, new_shop

BILLING = {"first_name": "Ola", "last_name": "Nord", "street_1": "2 Kai", "city": "Hull", "email": "ola@example.com"}


def ids(orders: list[dict] | None) -> list[int]:
    return [order["id"] for order in orders or []]


def three_orders(shop) -> list[int]:
    """One an hour, the middle one by a guest in the other channel."""
    made = []
    for place, changes in enumerate(
        ({}, {"person": GUEST, "channel_id": 2, "currency": "EUR"}, {"external_id": "INV-9"})
    ):
        shop.clock.set(NOON + timedelta(hours=place))
        made.append(shop.place_order(draft(placed_at=shop.clock.now(), **changes)))
    return made


def test_filters_and_sorts_pick_what_they_say() -> None:
    shop = new_shop()
    first, second, third = three_orders(shop)

    async def story(call: Caller) -> None:
        async def found(query: str) -> list[int]:
            return ids(await call.get(f"/v2/orders?{query}"))

        assert await found("") == [first, second, third]
        assert await found("sort=date_modified:desc") == [third, second, first]
        assert await found("min_date_modified=2026-03-02T13:00:00Z") == [second, third]
        assert await found("max_date_modified=2026-03-02T12:59:59Z") == [first]
        rfc = quote("Mon, 02 Mar 2026 08:00:00 -0500")
        assert await found(f"min_date_created={rfc}&sort=date_created:desc") == [third, second]
        assert await found(f"min_id={second}&max_id={second}") == [second]
        assert await found("channel_id=2") == [second]
        assert await found("email=GUS%2Bshop@example.com") == [second]
        assert await found("customer_id=0") == [second]
        assert await found("external_order_id=INV-9") == [third]
        assert await found("status_id=11&limit=1&page=2") == [second]
        assert await found("status_id=7") == []
        assert await found("min_total=1000") == []
        assert (await call.get("/v2/orders/count?channel_id=2"))["count"] == 1

    against(shop, story)


def test_an_empty_list_is_204_and_so_is_a_page_past_the_end() -> None:
    shop = new_shop()
    three_orders(shop)

    async def story(call: Caller) -> None:
        for query in ("status_id=5", "page=2"):
            response = await call("GET", f"/v2/orders?{query}")
            assert (response.status_code, response.content) == (204, b"")

    against(shop, story)


def test_dates_are_rfc_2822_in_utc() -> None:
    shop = new_shop()
    [first, *_] = three_orders(shop)

    async def story(call: Caller) -> None:
        order = await call.get(f"/v2/orders/{first}")
        assert order["date_created"] == "Mon, 02 Mar 2026 12:00:00 +0000"
        assert order["date_shipped"] == ""

    against(shop, story)


def test_consignments_carry_the_whole_lines_when_asked() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("MUG", 1), ("PDF", 1), shipping_price=Decimal("4.95")))

    async def story(call: Caller) -> None:
        query = "include=consignments.line_items,fees&consignment_structure=object"
        [order] = await call.get(f"/v2/orders?{query}")
        lines = await call.get(f"/v2/orders/{order_id}/products")
        [shipping], [download] = order["consignments"]["shipping"], order["consignments"]["downloads"]
        assert shipping["line_items"] + download["line_items"] == lines
        assert shipping["base_cost"] == 4.95
        assert download["recipient_email"] == ANNA.email
        assert order["fees"] == []
        [plain] = await call.get("/v2/orders?include=consignments&consignment_structure=object")
        assert plain["consignments"]["shipping"][0]["line_items"][0]["resource"] == f"/orders/{order_id}/products/1"

    against(shop, story)


def test_a_download_has_no_address() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(("PDF", 1)))

    async def story(call: Caller) -> None:
        assert (await call("GET", f"/v2/orders/{order_id}/shippingaddresses")).status_code == 204
        [line] = await call.get(f"/v2/orders/{order_id}/products.json")
        assert line["order_address_id"] == 0
        assert (await call.get(f"/v2/orders/{order_id}"))["order_is_digital"] is True

    against(shop, story)


def test_lines_come_fifty_a_page() -> None:
    shop = new_shop()
    many = tuple(DraftLine(f"Item {place}", 1, Decimal(1), None, "custom") for place in range(60))
    order_id = shop.place_order(draft(lines=many))

    async def story(call: Caller) -> None:
        assert len(await call.get(f"/v2/orders/{order_id}/products")) == 50
        assert len(await call.get(f"/v2/orders/{order_id}/products?page=2")) == 10
        assert await call.get(f"/v2/orders/{order_id}/products?page=3") is None

    against(shop, story)


def test_variants_say_what_was_chosen() -> None:
    shop = new_shop()
    shop.place_order(draft(("TEE-M", 1)))
    [line] = shop.collections["order_products"].values()
    assert (line["sku"], line["name"]) == ("TEE-M", "Tee")
    [option] = line["product_options"]
    assert (option["display_name"], option["display_value"]) == ("Size", "M")


def test_an_unknown_sku_is_named_and_nothing_is_left_behind() -> None:
    shop = new_shop()
    with pytest.raises(ValueError, match="NOSUCH"):
        shop.place_order(draft(lines=(DraftLine("?", 1, Decimal(1), "NOSUCH"),)))
    assert shop.collections["orders"] == shop.collections["order_products"] == {}


def test_registered_people_are_customers_and_guests_are_nobody() -> None:
    shop = new_shop()
    known = shop.need("orders", shop.place_order(draft()))
    guest = shop.need("orders", shop.place_order(draft(person=GUEST)))
    assert known["customer_id"] == shop.index.customer_by_email[ANNA.email.lower()]
    assert guest["customer_id"] == 0


def test_a_paid_order_is_told_twice_in_the_same_second() -> None:
    shop, receiver = new_shop(channel_order_events=False), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        hook = {"scope": "store/order/*", "destination": "http://in.test/", "is_active": True}
        await call("POST", "/v3/hooks", hook)
        shop.place_order(draft())
        shop.place_order(draft(status_id=7))
        await call.tick(0)
        told = [body for body in receiver.bodies() if "transaction" not in body["scope"]]
        assert [body["scope"] for body in told] == [
            "store/order/created",
            "store/order/statusUpdated",
            "store/order/created",
        ]
        assert told[1]["data"]["status"] == {"previous_status_id": 0, "new_status_id": 11}
        assert told[0]["created_at"] == told[1]["created_at"]

    against(shop, story)


def test_posting_an_order_prices_catalogue_lines_and_takes_custom_ones_as_given() -> None:
    shop = new_shop()
    tee = shop.variant_of_sku("TEE-M")
    mug = shop.variant_of_sku("MUG")

    async def story(call: Caller) -> None:
        lines = [
            {"product_id": mug["product_id"], "quantity": 2},
            {"product_id": tee["product_id"], "variant_id": tee["id"], "quantity": 1},
            {"name": "Engraving", "quantity": 1, "price_ex_tax": 5, "price_inc_tax": 6},
        ]
        body = {"billing_address": BILLING, "products": lines, "external_order_id": "BP-1", "discount_amount": "2.00"}
        response = await call("POST", "/v2/orders", body)
        assert response.status_code == 200
        order = response.json()
        assert (order["status_id"], order["order_source"], order["external_order_id"]) == (1, "external", "BP-1")
        shown = await call.get(f"/v2/orders/{order['id']}/products")
        assert [line["total_inc_tax"] for line in shown] == ["19.9900", "19.8000", "6.0000"]
        assert order["total_inc_tax"] == "43.7900"
        [found] = await call.get("/v2/orders?external_order_id=BP-1")
        assert found["id"] == order["id"]

    against(shop, story)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"billing_address": None}, "billing_address"),
        ({"products": []}, "products"),
        ({"id": 5}, "id"),
        ({"status_id": 99}, "status_id"),
        ({"channel_id": 77}, "channel_id"),
        ({"total_ex_tax": 5}, "total_ex_tax"),
        ({"products": [{"name": "x", "quantity": 1, "price_ex_tax": 1}]}, "price_inc_tax"),
        ({"products": [{"product_id": 103, "quantity": 1}]}, "options"),
        ({"discount_amount": 5000}, "discount_amount"),
    ],
)
def test_a_bad_order_is_refused_with_the_field_named(change: dict, field: str) -> None:
    async def story(call: Caller) -> None:
        body = {"billing_address": BILLING, "products": [{"product_id": 101, "quantity": 1}], **change}
        response = await call("POST", "/v2/orders", body)
        assert response.status_code == 400
        [error] = response.json()
        assert field in error["message"]
        assert call.shop.collections["orders"] == {}

    against(new_shop(), story)


def test_putting_a_read_only_field_is_refused() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        response = await call("PUT", f"/v2/orders/{order_id}", {"id": order_id, "status_id": 9})
        message = "The field 'id' cannot be written to. Please remove it from your request before trying again."
        assert (response.status_code, response.json()) == (400, [{"status": 400, "message": message}])
        assert shop.need("orders", order_id)["status_id"] == 11

    against(shop, story)


def test_changing_a_line_wipes_its_discounts() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(discount=Decimal("5.00")))
    mug, tee = shop.children("order_products", order_id)
    kept = sum(Decimal(each["amount"]) for each in tee["applied_discounts"])

    async def story(call: Caller) -> None:
        response = await call("PUT", f"/v2/orders/{order_id}", {"products": [{"id": mug["id"], "quantity": 3}]})
        order = response.json()
        assert Decimal(order["discount_amount"]) == kept > 0
        [changed, untouched] = await call.get(f"/v2/orders/{order_id}/products")
        assert (changed["quantity"], changed["applied_discounts"]) == (3, [])
        assert untouched == tee
        assert changed["total_inc_tax"] == "29.9900"
        assert Decimal(order["total_inc_tax"]) == Decimal("29.99") + Decimal(tee["discounted_total_inc_tax"])

    against(shop, story)


def test_lines_can_be_added_and_removed() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())
    _, tee = shop.children("order_products", order_id)

    async def story(call: Caller) -> None:
        extra = {"name": "Ribbon", "quantity": 2, "price_ex_tax": "1.00", "price_inc_tax": "1.20"}
        change = {"products": [{"id": tee["id"], "quantity": 0}, extra]}
        order = (await call("PUT", f"/v2/orders/{order_id}", change)).json()
        lines = await call.get(f"/v2/orders/{order_id}/products")
        assert [line["name"] for line in lines] == ["Enamel mug", "Ribbon"]
        assert order["total_inc_tax"] == "22.3900"
        assert order["items_total"] == 4

    against(shop, story)


def test_a_status_change_is_a_label_and_moves_the_modified_date() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        await call.tick(3600)
        order = (await call("PUT", f"/v2/orders/{order_id}", {"status_id": 9, "status": "Shipped"})).json()
        assert (order["status_id"], order["status"]) == (9, "Awaiting Shipment")
        assert order["date_modified"] == "Mon, 02 Mar 2026 13:00:00 +0000"
        assert order["payment_status"] == "captured"
        assert ids(await call.get("/v2/orders?min_date_modified=2026-03-02T12:30:00Z")) == [order_id]

    against(shop, story)


def test_an_order_is_archived_and_not_deleted() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        assert (await call("DELETE", f"/v2/orders/{order_id}")).status_code == 204
        assert await call.get("/v2/orders") is None
        assert (await call.get(f"/v2/orders/{order_id}"))["is_deleted"] is True
        shop.settings["archived_orders_in_lists"] = True
        assert ids(await call.get("/v2/orders")) == [order_id]

    against(shop, story)


def test_an_order_address_takes_address_fields_only() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())
    [address] = shop.children("order_addresses", order_id)

    async def story(call: Caller) -> None:
        path = f"/v2/orders/{order_id}/shipping_addresses/{address['id']}"
        response = await call("PUT", path, {"cost_inc_tax": "1.00"})
        assert response.status_code == 400
        assert "cost_inc_tax" in response.json()[0]["message"]
        changed = (await call("PUT", path, {"city": "Selby", "shipping_method": "Courier"})).json()
        assert (changed["city"], changed["shipping_method"], changed["zip"]) == ("Selby", "Courier", ANNA.postcode)

    against(shop, story)
