"""Which warehouses feed which of a shop's locations, and what is kept back there (BC-12, BC-13)."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from pydantic import ValidationError

from brightpearl_pipelines.entities.models import Product as Product_
from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines.sync.shelf import Shelf
from brightpearl_pipelines.systems.bigcommerce.inventory import available
from brightpearl_pipelines.systems.bigcommerce.pools import KeptBack, Pool
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines_tests.sync.goods import product_line, small_world
from brightpearl_pipelines_tests.sync.harness import harnessed

GOODS = (
    Product("BOLT", "Bolt", Decimal(1), stock={2: 10, 3: 20, 5: 40}, brand="Acme", category="Fixings"),
    Product("CLAMP", "Clamp", Decimal(5), stock={2: 6, 5: 9}, brand="Grip", category="Tools"),
    Product("DRILL", "Drill", Decimal(80), stock={2: 3, 3: 3, 5: 3}, brand="Grip", category="Tools"),
    Product("KIT", "Drill with 2 clamps", Decimal(90), components={"DRILL": 1, "CLAMP": 2}),
    Product("EARS", "Ear plugs", Decimal(2), stock={2: 30}),
)
SKUS = [each.sku for each in GOODS]


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key):
    """A shop with a second location, Dublin's."""
    with harnessed(embedded_server, encryption_key, world=small_world(*GOODS)) as made:
        made.post_to_shop("v3/inventory/locations", [LOCATION])
        made.run()
        yield made


SHOP = {"system": "bigcommerce", "sandbox": True, "brightpearl": "b", "channels": {"1": 2}, "order_statuses": {}}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOCATION = {
    "label": "Dublin",
    "managed_by_external_source": True,
    "type_id": "PHYSICAL",
    "time_zone": "Europe/Dublin",
    "address": {"country_code": "IE", "email": "a@shop.example"},
}
BOTH = (Pool(location=1, warehouses=(2, 3)), Pool(location=2, warehouses=(5,)))


def shown(harness, sku, location):
    """On hand at a location of the shop; None where no number was ever set."""
    key = stock.key_of(harness.bigcommerce, harness.bigcommerce.variant_of_sku(sku))
    level = stock.record_of(harness.bigcommerce, key)["levels"].get(str(location))
    return None if level is None else level["on_hand"]


def adjustments(harness):
    return harness.calls("bigcommerce", "PUT", "inventory/adjustments/absolute")


# -- pools ----------------------------------------------------------------------------------------------------------


def test_each_location_shows_the_stock_of_the_warehouses_that_feed_it(harness):
    """BC-12: chosen warehouses for each of the shop's locations; one call for each."""
    assert [shown(harness, "BOLT", each) for each in (1, 2)] == [30, None]
    harness.configure("bigcommerce", locations=BOTH)
    harness.mark()
    harness.run()
    assert {sku: [shown(harness, sku, each) for each in (1, 2)] for sku in SKUS} == {
        "BOLT": [30, 40],
        "CLAMP": [6, 9],
        "DRILL": [6, 3],
        "KIT": [3, 3],
        "EARS": [30, 0],
    }
    assert len(adjustments(harness)) == 1, "location 1 showed the right numbers already"
    harness.mark()
    harness.run()
    assert adjustments(harness) == []


def test_only_the_location_that_changed_gets_a_number(harness):
    """BC-10."""
    harness.configure("bigcommerce", locations=BOTH)
    harness.run()
    harness.in_world(lambda: harness.brightpearl.correct_stock("BOLT", 5, -1, "stock take"))
    harness.mark()
    harness.run()
    assert [shown(harness, "BOLT", each) for each in (1, 2)] == [30, 39]
    assert len(adjustments(harness)) == 1
    harness.in_world(lambda: harness.brightpearl.correct_stock("BOLT", 5, 1, "stock take"))


def test_a_warehouse_may_feed_several_locations(harness):
    """A shared pool: each of them shows all of it."""
    harness.configure("bigcommerce", locations=(BOTH[0], Pool(location=2, warehouses=(3, 5))))
    harness.run()
    assert [shown(harness, "BOLT", each) for each in (1, 2)] == [30, 60]


def test_an_order_in_flight_is_taken_off_wherever_it_may_be_served_from(harness):
    """BC-11: until the order is reserved nobody knows from where it goes; then Brightpearl's figure shows it, once."""
    harness.configure("bigcommerce", locations=BOTH, warehouses=(2, 3, 5))
    harness.run()
    harness.fault("brightpearl", "status", "POST", "sales-order|multi-message", status=502)
    number = harness.place(product_line("BOLT", 4))
    harness.run()
    assert [shown(harness, "BOLT", each) for each in (1, 2)] == [26, 36]
    harness.calm()
    harness.pass_time(60)
    harness.run()
    assert harness.reserved(number) == {"BOLT": 4}
    assert sum(shown(harness, "BOLT", each) for each in (1, 2)) == harness.on_hand("BOLT", 2, 3, 5) == 66


def test_a_location_that_the_shop_does_not_have_is_told_and_the_others_are_served(harness):
    harness.configure("bigcommerce", locations=(BOTH[0], Pool(location=77, warehouses=(5,))))
    harness.in_world(lambda: harness.brightpearl.correct_stock("EARS", 2, 5, "stock take"))
    harness.mark()
    harness.run()
    harness.pass_time(1)
    assert shown(harness, "EARS", 1) == harness.on_hand("EARS")
    letters = harness.letters(entity="stock_level")
    assert letters
    assert all("77" in each.sentence for each in letters)
    assert len(adjustments(harness)) == 2, "the wrong location is no reason to look for a wrong item"
    harness.configure("bigcommerce", locations=BOTH)
    harness.run()
    assert harness.letters(entity="stock_level") == []


SHOPS = {
    "north": BigCommerceSettings(**SHOP, warehouses=[2]),
    "south": BigCommerceSettings(**SHOP, warehouses=[5]),
    "both": BigCommerceSettings(**SHOP, warehouses=[2, 5]),
}


@pytest.mark.parametrize(
    ("warehouses", "committed", "number"),
    [
        ((2,), {"north": 3}, 7),
        ((2,), {"south": 3}, 10),
        ((2,), {"both": 3}, 7),
        ((2,), {"north": 3, "south": 2, "both": 1}, 6),
        ((2, 5), {"north": 3, "south": 2, "both": 1}, 44),
        ((2,), {"closed": 3}, 7),  # a connection that is configured no more: its orders may go from anywhere
        ((2,), {"north": 30}, 0),
    ],
)
def test_what_a_shop_has_in_flight_is_taken_off_the_pools_that_can_serve_it(warehouses, committed, number):
    """BC-13: pools per channel. Two shops with warehouses of their own leave each other's numbers alone; a warehouse
    that serves both is shared."""
    content = {"sku": "A", "on_hand": {"2": 10, "5": 40}, "committed": committed, "expected": []}
    assert available(content, Pool(location=1, warehouses=warehouses), 0, SHOPS) == number


def test_a_bundle_loses_what_is_promised_only_where_the_shop_can_take_it_from():
    """Five nails promised by the southern shop make no box fewer in the north."""
    nail = Product_(sku="NAIL")
    box = Product_(sku="BOX", components=({"sku": "NAIL", "quantity": 10},), stock_tracked=False)
    warehouses = {"2": {"onHand": 100}, "5": {"onHand": 50}}
    figure = Record("brightpearl", "inventory", "1", 1, {"warehouses": warehouses}, None, NOW, deleted=False)
    places = {name: settings.sells_from() for name, settings in SHOPS.items()}
    shelf = Shelf(None, "brightpearl", places, {"NAIL": (uuid4(), nail), "BOX": (uuid4(), box)}, {"NAIL": figure})
    shelf.committed = {"NAIL": {"south": 5}}
    assert shelf.on_hand("BOX") == {"2": 10, "5": 4}
    shelf.committed = {"NAIL": {"both": 5}}
    assert shelf.on_hand("BOX") == {"2": 9, "5": 4}


# -- what is kept back ------------------------------------------------------------------------------------------------


def test_a_changed_safety_stock_is_carried_out_at_the_next_run(harness):
    """BC-11: without a reconciliation, and by as many calls as the numbers take."""
    harness.configure("bigcommerce", safety_stock=2)
    harness.mark()
    harness.run(Reach.EVENTS)
    assert shown(harness, "BOLT", 1) == harness.on_hand("BOLT") - 2
    assert shown(harness, "DRILL", 1) == harness.on_hand("DRILL") - 2
    assert len(adjustments(harness)) == 1
    harness.configure("bigcommerce", safety_stock=0)
    harness.run(Reach.EVENTS)
    assert shown(harness, "BOLT", 1) == harness.on_hand("BOLT")
    harness.configure("bigcommerce", safety_stock=2)
    harness.run(Reach.EVENTS)
    assert shown(harness, "BOLT", 1) == harness.on_hand("BOLT") - 2, "once more, at the same state of the stock"


def test_a_sku_a_category_or_a_brand_may_keep_back_more_or_less(harness):
    """The SKU's own rule wins, then the category's, then the brand's, then the location's, then the shop's."""
    kept = KeptBack(skus={"DRILL": 5}, brands={"Grip": 4})
    pools = (Pool(location=1, warehouses=(2, 3), safety_stock=1), BOTH[1])
    harness.configure("bigcommerce", safety_stock=2, safety_stock_for=kept, locations=pools)
    harness.run()
    assert shown(harness, "DRILL", 1) == max(harness.on_hand("DRILL") - 5, 0)
    assert shown(harness, "CLAMP", 1) == harness.on_hand("CLAMP") - 4
    assert shown(harness, "EARS", 1) == harness.on_hand("EARS") - 1
    assert shown(harness, "BOLT", 2) == harness.on_hand("BOLT", 5) - 2


@pytest.mark.parametrize(
    ("sku", "product", "units"),
    [
        ("HAT", {"brand": "Acme", "categories": ["Hats", "Sale"]}, 9),
        ("CAP", {"brand": "Acme", "categories": ["Hats", "Sale"]}, 7),
        ("CAP", {"brand": "Acme", "categories": ["Sale"]}, 3),
        ("CAP", {"brand": "Acme", "categories": []}, 1),
        ("CAP", {"brand": "Other"}, None),
        ("CAP", {}, None),
    ],
)
def test_the_most_particular_rule_says_how_many_are_kept_back(sku, product, units):
    rules = KeptBack(skus={"HAT": 9}, categories={"Hats": 7, "Sale": 3}, brands={"Acme": 1})
    assert rules.of(sku, product) == units


# -- settings ---------------------------------------------------------------------------------------------------------


def test_the_short_form_is_one_location():
    settings = BigCommerceSettings(**SHOP, warehouses=[3, 2], location=4, safety_stock=1)
    assert settings.pools == (Pool(location=4, warehouses=(3, 2)),)
    assert settings.sells_from() == {"2", "3"}


def test_the_warehouses_of_all_locations_serve_orders_in_their_order():
    pools = [{"location": 2, "warehouses": [5, 3]}, {"location": 1, "warehouses": [3, 2], "safety_stock": 4}]
    settings = BigCommerceSettings(**SHOP, locations=pools)
    assert settings.warehouses == (5, 3, 2)
    assert [(each.location, each.safety_stock) for each in settings.pools] == [(2, None), (1, 4)]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (
            {"locations": [{"location": 1, "warehouses": [2]}], "warehouses": [2]},
            "either `locations`, or the short form",
        ),
        ({"locations": [{"location": 1, "warehouses": [2]}] * 2}, "location 1 is named twice"),
        ({"locations": [{"location": 1, "warehouses": []}]}, "at least 1 item"),
        ({"locations": [{"location": 1, "warehouses": [2], "share": 5}]}, "Extra inputs"),
        ({"warehouses": [2], "safety_stock_for": {"skus": {"A": -1}}}, "greater than or equal to 0"),
        ({"warehouses": [2], "restock": "email"}, "'none' or 'metafield'"),
    ],
)
def test_a_wrong_setting_is_told(fields, complaint):
    with pytest.raises(ValidationError, match=complaint):
        BigCommerceSettings(**SHOP, **fields)
