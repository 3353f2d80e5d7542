"""Generated baskets: tax-inclusive and exclusive, discounts, tenders, currencies, channels, every payment state.

BC-21, BC-37, X-81: however they are made up, both sides come to the same, or what holds them says why.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brightpearl_pipelines import reports
from brightpearl_pipelines.reports.entries import By, Kind
from brightpearl_pipelines.sandbox.generate import generate_orders, generate_world
from brightpearl_pipelines_tests.reports.trade import settled
from brightpearl_pipelines_tests.sync.harness import harnessed, money

ORDERS = 80


@pytest.fixture(scope="module")
def books(embedded_server, encryption_key):
    """All documents there are, and the world that they are of."""
    world = generate_world(11, products=80, people=60)
    orders = list(generate_orders(world, 11, ORDERS, datetime.now(UTC)))
    with harnessed(embedded_server, encryption_key, world=world, orders=orders) as made:
        settled(made)
        last = made.clock.now().date() + timedelta(days=1)
        yield made, reports.documents(made.store, made.configuration, last - timedelta(days=4000), last)


def test_nothing_is_unexplained(books):
    _, documents = books
    bad = [each for each in documents if each.unexplained]
    assert bad == []


def test_every_order_of_either_side_is_in_exactly_one_document(books):
    world, documents = books
    orders = [each for each in documents if each.entry.kind is Kind.ORDER]
    assert sorted(each.ours.number for each in orders if each.ours) == sorted(world.bigcommerce.collection("orders"))
    booked = {str(order["id"]) for order in world.orders_in_brightpearl().values()}
    assert sorted(each.theirs.record for each in orders if each.theirs) == sorted(booked)
    assert len(booked) > ORDERS / 2


def test_the_sides_come_to_what_the_systems_hold(books):
    world, documents = books
    asked: dict[str, Decimal] = {}
    for order in world.orders_in_brightpearl().values():
        currency = order["currency"]["orderCurrencyCode"]
        asked[currency] = asked.get(currency, Decimal(0)) + money(order["totalValue"]["total"])
    found: dict[str, Decimal] = {}
    for each in documents:
        if each.entry.kind is Kind.ORDER and each.theirs is not None:
            found[each.entry.currency] = found.get(each.entry.currency, Decimal(0)) + each.theirs.amount
    assert found == asked


def test_a_day_has_the_documents_of_that_day_and_no_others(books):
    """Days add up to the whole: none is counted twice, none is left out."""
    world, documents = books
    days = sorted({each.entry.day for each in documents})
    single = [each for day in days for each in reports.documents(world.store, world.configuration, day, day)]
    assert sorted(each.entry.key for each in single) == sorted(each.entry.key for each in documents)


def test_what_agrees_needs_no_explanation_but_a_rounding_row(books):
    _, documents = books
    equal = [each for each in documents if not each.differs]
    assert {each.explanation.by for each in equal} <= {By.NOTHING, By.ROUNDING_ROW}
    assert len(equal) > len(documents) / 2
