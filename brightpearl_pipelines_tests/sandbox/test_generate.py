import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.generate import generate_orders, generate_world

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world():
    return generate_world(7)


@pytest.fixture(scope="module")
def orders(world):
    return list(generate_orders(world, 7, 400, UNTIL))


def test_the_same_seed_gives_the_same_world_and_orders_to_the_byte(world, orders):
    again = generate_world(7)
    assert repr(again) == repr(world)
    assert repr(list(generate_orders(again, 7, 400, UNTIL))) == repr(orders)


def test_another_seed_gives_another_world_and_other_orders(world, orders):
    assert repr(generate_world(8)) != repr(world)
    assert repr(list(generate_orders(world, 8, 400, UNTIL))) != repr(orders)


def test_the_world_has_as_many_products_and_people_as_asked_for():
    small = generate_world(3, products=80, people=50)
    assert (len(small.products), len(small.people)) == (80, 50)


def test_a_world_too_small_for_every_kind_of_product_is_refused():
    with pytest.raises(ValueError, match="at least 60 products"):
        generate_world(3, products=10)


def test_skus_and_names_are_unique_whatever_their_case(world):
    for values in ([p.sku.casefold() for p in world.products], [p.name.casefold() for p in world.products]):
        assert len(values) == len(set(values))


def test_there_is_every_kind_of_product(world):
    assert any(p.options.get("Size") for p in world.products)
    assert any(p.options and "Size" not in p.options for p in world.products)
    assert any(p.digital for p in world.products)
    assert sum(not p.in_brightpearl for p in world.products) == 2
    assert {p.tax_code for p in world.products} == {"T20", "T5", "T0", "T1"}
    assert any(p.price == 0 for p in world.products)
    assert any(sum(p.stock.values()) < 3 for p in world.products if not p.components and not p.digital)


def test_bundles_are_made_of_products_listed_before_them_and_one_holds_a_bundle(world):
    position = {p.sku: at for at, p in enumerate(world.products)}
    bundles = [p for p in world.products if p.components]
    assert all(position[sku] < position[p.sku] for p in bundles for sku in p.components)
    assert any(sku in {b.sku for b in bundles} for p in bundles for sku in p.components)
    assert not any(p.stock for p in bundles)


def test_variants_of_one_family_have_distinct_options(world):
    families = Counter((p.family, tuple(sorted(p.options.items()))) for p in world.products if p.family)
    assert families
    assert max(families.values()) == 1


def test_no_two_shop_accounts_share_an_email(world):
    emails = [p.email.strip().casefold() for p in world.people if p.registered]
    assert len(emails) == len(set(emails))


def test_people_come_back_in_every_untidy_way(world):
    emails = Counter(p.email.casefold() for p in world.people)
    shared = {email for email, count in emails.items() if count > 1}
    same_mail = [p for p in world.people if p.email.casefold() in shared]
    assert any(p.email != p.email.lower() for p in same_mail)
    assert any("+" in p.email for p in world.people)
    assert len({(p.email, p.first_name) for p in same_mail}) > len({p.email for p in same_mail})
    assert len({(p.email, p.street_1) for p in same_mail}) > len({p.email for p in same_mail})
    companies = Counter(p.company for p in world.people if p.company)
    assert companies.most_common(1)[0][1] > 2
    assert any(not p.last_name.isascii() for p in world.people)
    assert any(p.last_name != p.last_name.strip() for p in world.people)


def test_every_email_is_at_a_reserved_host(world):
    assert all(re.search(r"@(\w+\.)*example\.(com|org|net|con)$", p.email, re.IGNORECASE) for p in world.people)


def test_orders_come_in_time_order_within_the_days_before(orders):
    instants = [order.placed_at for order in orders]
    assert instants == sorted(instants)
    assert UNTIL - timedelta(days=7) < instants[0]
    assert instants[-1] <= UNTIL


def test_orders_show_every_trait_that_the_mapping_must_bear(world, orders):
    assert {order.status_id for order in orders} == {11, 7, 1, 0, 5}
    assert sum(order.status_id == 11 for order in orders) > len(orders) * 3 / 4
    assert {order.currency for order in orders} == {"GBP", "EUR", "USD"}
    assert {order.channel_id for order in orders} == {channel.bigcommerce_id for channel in world.channels}
    assert {order.tax_inclusive for order in orders} == {True, False}
    assert {line.kind for order in orders for line in order.lines} == {"product", "custom", "gift_certificate"}
    assert any(order.coupon_code for order in orders)
    assert any(order.discount and not order.coupon_code for order in orders)
    assert any(order.fee_name for order in orders)
    assert any(order.ship_to for order in orders)
    assert any(not order.person.registered for order in orders)
    unknown = {p.sku for p in world.products if not p.in_brightpearl}
    assert any(line.sku in unknown for order in orders for line in order.lines)


def test_every_line_with_a_sku_names_a_product_and_costs_nothing_below_zero(world, orders):
    skus = {p.sku for p in world.products}
    for order in orders:
        assert order.lines
        for line in order.lines:
            assert (line.sku in skus) == (line.kind == "product")
            assert line.price >= 0
            assert line.quantity > 0


def test_a_discount_never_exceeds_the_goods(orders):
    for order in orders:
        assert order.discount <= sum((line.price * line.quantity for line in order.lines), Decimal(0))


def test_tax_inclusive_prices_give_whole_pence_on_the_shelf(orders):
    for order in orders:
        for line in order.lines:
            if order.tax_inclusive and line.kind == "product":
                shelf = line.price * (1 + line.tax_rate / 100)
                assert abs(shelf - shelf.quantize(Decimal("0.01"))) < Decimal("0.0001")
            elif line.kind == "product":
                assert line.price == line.price.quantize(Decimal("0.01"))
