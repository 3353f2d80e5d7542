"""The arithmetic of shop orders: line rounding, tax on both sides, discounts spread, totals that add up."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightpearl_pipelines.sandbox.bigcommerce.order_money import spread
from brightpearl_pipelines.sandbox.world import DraftLine

from .shop import draft, new_shop

MONEY = st.decimals(min_value=0, max_value=2000, places=2)
RATE = st.sampled_from([Decimal(0), Decimal(5), Decimal(20), Decimal("8.25")])


def placed(**changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    shop = new_shop()
    order_id = shop.place_order(draft(**changes))
    return shop.need("orders", order_id), shop.children("order_products", order_id)


def amounts(thing: dict[str, Any], *names: str) -> list[Decimal]:
    return [Decimal(thing[name]) for name in names]


def test_money_has_four_decimals_and_exchange_rates_ten() -> None:
    order, [line, *_] = placed(shipping_price=Decimal("4.95"), currency="EUR")
    assert line["price_ex_tax"] == "8.3300"
    assert order["base_shipping_cost"] == "4.9500"
    assert order["currency_exchange_rate"] == "1.1500000000"
    assert order["default_currency_code"] == "EUR"
    assert order["store_default_currency_code"] == "GBP"


def test_net_prices_are_taxed_once_a_line_and_not_once_a_unit() -> None:
    line = DraftLine("Pin", 7, Decimal("0.33"), None, "custom")
    _, [pin] = placed(lines=(line,))
    assert pin["price_tax"] == "0.0700"
    assert pin["total_ex_tax"] == "2.3100"
    assert pin["total_tax"] == "0.4600"  # 0.462, where seven times 0.07 would be 0.49
    assert pin["total_inc_tax"] == "2.7700"


def test_inclusive_pricing_keeps_the_gross_side_exact() -> None:
    order, [mug, _] = placed(tax_inclusive=True)
    assert order["is_tax_inclusive_pricing"] is True
    assert mug["price_inc_tax"] == mug["base_price"] == "10.0000"
    assert mug["total_inc_tax"] == "20.0000"
    assert mug["total_ex_tax"] == "16.6700"
    assert mug["total_tax"] == "3.3300"


def test_a_discount_lies_on_the_lines_and_lowers_the_tax() -> None:
    order, lines = placed(discount=Decimal("5.00"))
    shares = [Decimal(each["amount"]) for line in lines for each in line["applied_discounts"]]
    assert sum(shares) == Decimal("5.00")
    assert {each["target"] for line in lines for each in line["applied_discounts"]} == {"order"}
    assert {each["id"] for line in lines for each in line["applied_discounts"]} == {"manual-discount"}
    subtotal_inc, subtotal_ex, subtotal_tax = amounts(order, "subtotal_inc_tax", "subtotal_ex_tax", "subtotal_tax")
    assert subtotal_inc - subtotal_ex > subtotal_tax
    assert order["discount_amount"] == "5.0000"
    for line in lines:
        total, left = amounts(line, "total_inc_tax", "discounted_total_inc_tax")
        assert total - left == sum(Decimal(each["amount"]) for each in line["applied_discounts"])


def test_a_coupon_is_named_on_order_and_lines() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft(discount=Decimal("3.00"), coupon_code="SPRING"))
    order = shop.need("orders", order_id)
    assert (order["coupon_discount"], order["discount_amount"]) == ("3.0000", "0.0000")
    [coupon] = shop.children("order_coupons", order_id)
    assert (coupon["code"], coupon["type"], coupon["discount"]) == ("SPRING", 2, 3.0)
    lines = shop.children("order_products", order_id)
    assert {each["code"] for line in lines for each in line["applied_discounts"]} == {"SPRING"}


def test_discounts_pass_gift_certificates_by() -> None:
    voucher = DraftLine("Voucher", 1, Decimal(100), None, "gift_certificate", Decimal(0))
    lines = (*draft(("MUG", 1)).lines, voucher)
    _, [mug, gift] = placed(lines=lines, discount=Decimal("2.00"))
    assert gift["type"] == "giftcertificate"
    assert gift["applied_discounts"] == []
    assert mug["discounted_total_inc_tax"] == "8.0000"


def test_a_discount_above_the_lines_worth_is_refused() -> None:
    with pytest.raises(ValueError, match="discount of 500"):
        placed(discount=Decimal(500))


def test_a_fee_is_part_of_the_total_and_no_line() -> None:
    plain, _ = placed()
    with_fee, lines = placed(fee_name="Insurance", fee_price=Decimal("1.50"))
    assert Decimal(with_fee["total_inc_tax"]) - Decimal(plain["total_inc_tax"]) == Decimal("1.50")
    assert len(lines) == 2


@given(
    MONEY.filter(lambda total: total > 0), st.lists(MONEY, min_size=1, max_size=12).filter(lambda each: sum(each) > 0)
)
def test_shares_make_the_whole_and_none_is_off_by_a_cent_or_more(total: Decimal, weights: list[Decimal]) -> None:
    shares = spread(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - total * weight / sum(weights)) < Decimal("0.01")


BASKETS = st.lists(
    st.tuples(st.integers(1, 30), st.decimals(min_value=Decimal("0.01"), max_value=500, places=2), RATE),
    min_size=1,
    max_size=8,
)
SHOP = new_shop()


@given(BASKETS, MONEY, st.booleans(), st.integers(0, 100))
def test_every_order_adds_up(
    basket: list[tuple[int, Decimal, Decimal]], shipping: Decimal, inclusive: bool, per_cent_off: int
) -> None:
    lines = tuple(DraftLine("x", quantity, price, None, "custom", rate) for quantity, price, rate in basket)
    worth = sum((line.price * line.quantity for line in lines), Decimal(0))
    discount = (worth * per_cent_off / 200).quantize(Decimal("0.01"))
    order_id = SHOP.place_order(draft(lines=lines, shipping_price=shipping, tax_inclusive=inclusive, discount=discount))
    order, shown = SHOP.need("orders", order_id), SHOP.children("order_products", order_id)
    subtotal, cost, off, total = amounts(
        order, "subtotal_inc_tax", "shipping_cost_inc_tax", "discount_amount", "total_inc_tax"
    )
    assert total == subtotal + cost - off
    assert subtotal == sum(Decimal(line["total_inc_tax"]) for line in shown)
    assert total - cost == sum(Decimal(line["discounted_total_inc_tax"]) for line in shown)
    total_tax, subtotal_tax, cost_tax, total_ex = amounts(
        order, "total_tax", "subtotal_tax", "shipping_cost_tax", "total_ex_tax"
    )
    assert total_tax == subtotal_tax + cost_tax
    assert total_ex == total - total_tax
    for line in shown:
        ex, inc, tax = amounts(line, "total_ex_tax", "total_inc_tax", "total_tax")
        assert inc - ex == tax == tax.quantize(Decimal("0.01"))
        side = "inc" if inclusive else "ex"
        assert Decimal(line["base_total"]) == Decimal(line[f"total_{side}_tax"])
