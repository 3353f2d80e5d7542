"""Money of refunds as a property: whatever was refunded, the credits add up to it to the penny (BC-21, X-81).

Once for what the shop's record is taken to mean, in many currencies; once through the whole engine, judged by the two
emulators' state.
"""

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.entities.money import allocate, minor_unit, to_minor_unit
from brightpearl_pipelines.sandbox.world import DraftLine
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines.systems.bigcommerce import refund_lines
from brightpearl_pipelines_tests.sync.goods import draft, person, product_line
from brightpearl_pipelines_tests.sync.harness import money
from brightpearl_pipelines_tests.sync.test_refunds import assert_equal

CURRENCIES = ("GBP", "EUR", "USD", "JPY", "KWD")
ORDERS = 40


@st.composite
def orders(draw):
    """An order of the shop as its API gives it, inclusive or exclusive, of any currency; only what refunds look at."""
    currency = draw(st.sampled_from(CURRENCIES))
    unit = minor_unit(currency)
    items, gross_total, tax_total = [], Decimal(0), Decimal(0)
    for n in range(1, draw(st.integers(1, 5)) + 1):
        gross = draw(st.integers(0, 50_000)) * unit
        rate = draw(st.sampled_from([0, 5, 20]))
        tax = to_minor_unit(gross * rate / (100 + rate), currency)
        quantity = draw(st.integers(1, 9))
        items.append({
            "id": n, "name": f"Thing {n}", "type": "physical", "product_id": n, "sku": f"T{n}", "quantity": quantity,
            "total_inc_tax": str(gross), "discounted_total_inc_tax": str(gross), "total_tax": str(tax),
            "applied_discounts": [],
        })  # fmt: skip
        gross_total, tax_total = gross_total + gross, tax_total + tax
    shipping = draw(st.integers(0, 2_000)) * unit
    shipping_tax = to_minor_unit(shipping / 6, currency)
    costs = {f"{name}_cost_{side}": "0" for name in ("handling", "wrapping") for side in ("inc_tax", "tax")}
    return {
        "id": 100, "default_currency_code": currency, **costs,
        "shipping_cost_inc_tax": str(shipping), "shipping_cost_tax": str(shipping_tax),
        "total_inc_tax": str(gross_total + shipping), "total_tax": str(tax_total + shipping_tax), "fees": [],
        "consignments": {"shipping": [{"id": 7, "shipping_method": "Standard", "line_items": items}]},
    }  # fmt: skip


@st.composite
def refunds(draw, order):
    """What was paid back of it: by quantity or amount, with or without the items' own amounts, at any figures."""
    currency = order["default_currency_code"]
    items = []
    for line in order["consignments"]["shipping"][0]["line_items"]:
        if draw(st.booleans()):
            quantity = draw(st.integers(1, line["quantity"]))
            worth = to_minor_unit(Decimal(line["total_inc_tax"]) * quantity / line["quantity"], currency)
            asked = draw(st.sampled_from([None, str(worth)]))
            items.append(
                {"item_type": "PRODUCT", "item_id": line["id"], "quantity": quantity, "requested_amount": asked}
            )
    unit = minor_unit(currency)
    for kind, id_ in (("SHIPPING", 7), ("ORDER", 100)):
        if draw(st.booleans()):
            amount = draw(st.integers(1, 3_000)) * unit
            items.append({"item_type": kind, "item_id": id_, "requested_amount": str(amount)})
    total = draw(st.integers(0, 60_000)) * unit
    tax = draw(st.sampled_from([Decimal(0), to_minor_unit(total / 6, currency), to_minor_unit(total / 3, currency)]))
    return {"total_amount": str(total), "total_tax": str(tax), "items": items}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_lines_of_a_return_add_up_to_the_refund_in_every_currency(data):
    order = data.draw(orders())
    refund = data.draw(refunds(order))
    found = refund_lines.lines(refund, order, restock=False)
    unit = minor_unit(order["default_currency_code"])
    total, tax = Decimal(refund["total_amount"]), Decimal(refund["total_tax"])
    assert sum(line["net"] + line["tax"] for line in found) == total
    assert sum(line["tax"] for line in found) == tax
    assert len({line["key"] for line in found}) == len(found)
    for line in found:
        assert line["net"] % unit == 0
        assert line["tax"] % unit == 0


@settings(max_examples=100, deadline=None)
@given(orders(), st.randoms(use_true_random=False))
def test_refunds_of_a_line_unit_by_unit_never_give_back_more_tax_than_was_paid(order, rng):
    """Each unit alone, at the shop's own shares: tax follows the line's, not a rate, to within a penny a refund."""
    line = rng.choice(order["consignments"]["shipping"][0]["line_items"])
    currency = order["default_currency_code"]
    shares = allocate(Decimal(line["total_inc_tax"]), [Decimal(1)] * line["quantity"], currency)
    taxes = allocate(Decimal(line["total_tax"]), shares, currency)
    given_back = Decimal(0)
    for gross, tax in zip(shares, taxes, strict=True):
        item = {"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1, "requested_amount": str(gross)}
        refund = {"total_amount": str(gross), "total_tax": str(tax), "items": [item]}
        (row,) = refund_lines.lines(refund, order, restock=False)
        assert (row["net"], row["tax"]) == (gross - tax, tax)
        given_back += row["tax"]
    assert given_back == Decimal(line["total_tax"])


def _random_order(harness, rng, n):
    skus = rng.sample(["MUG", "TRAY", "TEE-S", "BOOK", "SEAT", "SET", "PDF"], rng.randint(1, 4))
    lines = [product_line(sku, rng.randint(1, 5), price=Decimal(rng.randint(1, 9_999)).scaleb(-2)) for sku in skus]
    if rng.random() < 0.3:
        lines.append(DraftLine("Engraving", rng.randint(1, 3), Decimal(rng.randint(1, 999)).scaleb(-2), kind="custom"))
    worth = sum(line.price * line.quantity for line in lines)
    currency = rng.choice(["GBP", "EUR", "USD"])
    made = draft(
        *lines,
        person=person(f"Person Number{n}"),
        tax_inclusive=rng.random() < 0.5,
        currency=currency,
        channel_id=2 if currency == "EUR" else 1,
        shipping_price=Decimal(rng.choice([0, 295, 417])).scaleb(-2),
        discount=(worth * Decimal(rng.random()) / 2).quantize(Decimal("0.01")) if rng.random() < 0.5 else Decimal(0),
    )
    return harness.place(made)


def _random_refunds(harness, rng, number):
    """Some of its lines, some of their units, at the shop's figures or at a clerk's own."""
    left = {line["id"]: line["quantity"] for line in harness.shop_lines(number)}
    for _ in range(rng.randint(1, 3)):
        some = [each for each in left if left[each]]
        if not some:
            return
        items = [(each, rng.randint(1, left[each])) for each in rng.sample(some, rng.randint(1, len(some)))]
        shop = harness.shop_order(number)
        back = sum(money(x["total_amount"]) for x in harness.bigcommerce.children("refunds", int(number)))
        room = money(shop["total_inc_tax"]) - back
        amount = None
        if rng.random() < 0.3 and room > 1:
            amount = Decimal(rng.randint(1, int(room * 100))).scaleb(-2)
        try:
            harness.in_world(
                lambda items=items, amount=amount: harness.bigcommerce.refund_order(
                    int(number), items, amount_override=amount
                )
            )
        except ValueError:
            return  # a clerk gave back so much by hand that the lines are worth more than is left
        for each, quantity in items:
            left[each] -= quantity


def test_random_refunds_of_random_orders_are_credited_to_the_penny(lone):
    """I4: Σ shop refunds = Σ credits, per order, in total, tax and currency; some before the import, some after."""
    rng = random.Random(20)
    numbers = [_random_order(lone, rng, n) for n in range(ORDERS)]
    for number in numbers[: ORDERS // 2]:
        _random_refunds(lone, rng, number)
    lone.run(Reach.CHANGES)
    for number in numbers:
        _random_refunds(lone, rng, number)
    lone.pass_time(5)
    lone.run(Reach.CHANGES)
    refunded = 0
    for number in numbers:
        refunded += len(assert_equal(lone, number))
    assert refunded > ORDERS
    assert lone.letters(entity="return") == []
    assert lone.letters(entity="payment") == []
    lone.mark()
    lone.run(Reach.CHANGES)
    assert lone.writes() == []
