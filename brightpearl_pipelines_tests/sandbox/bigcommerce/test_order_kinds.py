"""Orders that are fetched, wrapped, sent to several people, paid in several ways (bigcommerce.md §2.2 to §2.6)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from .shop import ANNA, GUEST, Caller, against, draft, new_shop

BILLING = {"first_name": "Ola", "last_name": "Nord", "street_1": "2 Kai", "city": "Hull", "email": "ola@example.com"}


def test_each_recipient_has_an_address_and_a_consignment_with_their_lines() -> None:
    shop = new_shop()
    basket = draft(("MUG", 2), ("TRAY", 1), shipping_price=Decimal(3))
    first, second = basket.lines
    number = shop.place_order(replace(basket, lines=(first, replace(second, ship_to=GUEST))))

    async def story(call: Caller) -> None:
        order = await call.get(f"/v2/orders/{number}?include=consignments.line_items&consignment_structure=object")
        assert order["shipping_address_count"] == 2
        found = order["consignments"]["shipping"]
        assert [(each["last_name"], [line["sku"] for line in each["line_items"]]) for each in found] == [
            ("Ashby", ["MUG"]),
            ("Guest", ["TRAY"]),
        ]
        assert [each["base_cost"] for each in found] == [3, 0]

    against(shop, story)


def test_what_is_fetched_is_a_pickup_without_an_address() -> None:
    shop = new_shop()
    number = shop.place_order(draft(("MUG", 2), pickup_at="Leeds store", shipping_method="Click & Collect"))

    async def story(call: Caller) -> None:
        order = await call.get(f"/v2/orders/{number}?include=consignments.line_items&consignment_structure=object")
        assert order["consignments"]["shipping"] == []
        (pickup,) = order["consignments"]["pickups"]
        assert (pickup["pickup_method_display_name"], pickup["location"]["name"]) == ("Click & Collect", "Leeds store")
        (line,) = pickup["line_items"]
        assert (line["order_address_id"], line["order_pickup_method_id"]) == (0, pickup["id"])

    against(shop, story)


@pytest.mark.parametrize(
    "consignments",
    [
        {"pickups": []},
        {"pickups": [{"line_items": [{"product_id": 1, "quantity": 1}]}]},
        {"pickups": [{"pickup_method_id": 1, "line_items": []}]},
        [],
    ],
)
def test_a_new_order_is_shipped_or_fetched_and_says_all_of_it(consignments) -> None:
    async def story(call: Caller) -> None:
        body = {"billing_address": BILLING, "consignments": consignments}
        assert (await call("POST", "/v2/orders", body)).status_code == 400

    against(new_shop(), story)


def test_products_and_consignments_do_not_go_together() -> None:
    shop = new_shop()
    product = {"product_id": shop.variant_of_sku("MUG")["product_id"], "quantity": 1}

    async def story(call: Caller) -> None:
        pickups = [{"pickup_method_id": 1, "line_items": [product]}]
        body = {"billing_address": BILLING, "products": [product], "consignments": {"pickups": pickups}}
        assert (await call("POST", "/v2/orders", body)).status_code == 400
        del body["products"]
        assert (await call("POST", "/v2/orders", body)).status_code == 200

    against(shop, story)


def test_wrapping_stands_on_its_line_and_in_the_orders_total() -> None:
    shop = new_shop()
    basket = draft(("MUG", 2))
    wrapped = replace(basket.lines[0], wrapping="Red paper", wrapping_price=Decimal("1.50"), wrapping_message="Hi")
    plain, number = shop.place_order(basket), shop.place_order(replace(basket, lines=(wrapped,)))
    order, line = shop.need("orders", number), shop.children("order_products", number)[0]
    assert (line["wrapping_name"], line["wrapping_message"], line["wrapping_cost_inc_tax"]) == (
        "Red paper",
        "Hi",
        "3.6000",
    )
    assert (order["wrapping_cost_ex_tax"], order["wrapping_cost_tax"]) == ("3.0000", "0.6000")
    more = Decimal(order["total_inc_tax"]) - Decimal(shop.need("orders", plain)["total_inc_tax"])
    assert more == Decimal("3.60")


def test_certificates_and_credit_pay_and_do_not_lower_the_total() -> None:
    shop = new_shop()
    number = shop.place_order(draft(("TRAY", 1), gift_certificate=Decimal(10), store_credit=Decimal(5), person=ANNA))
    order = shop.need("orders", number)
    assert (order["gift_certificate_amount"], order["store_credit_amount"]) == ("10.0000", "5.0000")
    (transaction,) = shop.children("transactions", number)
    assert Decimal(str(transaction["amount"])) == Decimal(order["total_inc_tax"]) - 15
