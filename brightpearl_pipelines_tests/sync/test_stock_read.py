"""Reading stock: few calls, short addresses, nothing lost to one bad id (BP-07, BP-13)."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.store import records
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines.systems.brightpearl.availability import IDS_PER_READ, LONGEST_SET, id_set, id_sets
from brightpearl_pipelines.systems.brightpearl.streams import ids_in_set
from brightpearl_pipelines_tests.sync.goods import small_world
from brightpearl_pipelines_tests.sync.harness import harnessed

MANY = tuple(Product(f"P{i:04}", f"Part {i}", Decimal(1), stock={2: i % 50 + 1}) for i in range(320))


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key):
    with harnessed(embedded_server, encryption_key, world=small_world(*MANY)) as made:
        made.run()
        yield made


def figures(harness):
    """What the engine knows of each product, by product id."""
    with harness.store.transaction() as tx:
        ids = records.all_ids(tx, "brightpearl", "inventory")
        return {key: row.payload for key, row in records.by_ids(tx, "brightpearl", "inventory", ids).items()}


def reads(harness):
    return harness.calls("brightpearl", "GET", "product-availability")


def read_all(harness):
    harness.run(Reach.EVERYTHING, connection="brightpearl", entity="stock_level")


def test_a_full_pass_takes_one_call_for_two_hundred_products_and_one_to_know_them(harness):
    """BP-13; field-lessons §5.2: 285 calls for 57,000 products."""
    products = len(harness.brightpearl.collection("products"))
    harness.mark()
    read_all(harness)
    calls = harness.calls("brightpearl")
    assert len(reads(harness)) == math.ceil(products / 200)
    assert len(calls) == math.ceil(products / 200) + 1
    assert max(len(each["path"]) for each in reads(harness)) < 100


def test_every_figure_is_what_brightpearl_holds_by_warehouse(harness):
    """BP-13: in stock, on hand, allocated, in transit."""
    read_all(harness)
    held = harness.brightpearl.collection("availability")
    found = figures(harness)
    assert {key: each["warehouses"] for key, each in found.items() if key in held} == {
        key: each["warehouses"] for key, each in held.items()
    }


def test_a_product_that_is_gone_spoils_only_itself(harness):
    """brightpearl.md §2.4: one unknown id refuses the whole set; it is halved until that one stands alone."""
    harness.in_world(lambda: harness.brightpearl.correct_stock("P0007", 2, 5, "found"))
    ids = [str(harness.brightpearl.products.by_sku[f"P{i:04}"]) for i in range(20)]
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": ",".join([*ids, "990001"])})
    harness.mark()
    harness.run(Reach.EVENTS)
    assert len(reads(harness)) <= 2 * math.ceil(math.log2(21)) + 1
    assert harness.shop_stock("P0007") == harness.on_hand("P0007") == 13


def test_an_address_that_the_server_finds_too_long_is_halved(harness):
    """brightpearl.md §2.5: 414 was met in practice; where the limit lies is not known."""
    harness.brightpearl.settings["longest_uri"] = 120
    scattered = [str(harness.brightpearl.products.by_sku[f"P{i:04}"]) for i in range(0, 120, 2)]
    harness.in_world(lambda: harness.brightpearl.correct_stock("P0100", 2, 3, "found"))
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": ".".join(scattered)})
    harness.run(Reach.EVENTS)
    assert harness.shop_stock("P0100") == harness.on_hand("P0100") == 4


def test_a_webhook_names_products_by_ranges_and_only_those_are_read(harness):
    """BP-07: `product.modified.on-hand-modified`, ids only, ranges included (brightpearl.md §10.2)."""
    system = harness.configuration.connection("brightpearl").system
    assert system.stream_of("product.modified.on-hand-modified").name == "inventory"
    first = harness.brightpearl.products.by_sku["P0200"]
    for sku in ("P0200", "P0202", "P0300"):
        harness.in_world(lambda sku=sku: harness.brightpearl.correct_stock(sku, 2, 2, "found"))
    shown = harness.shop_stock("P0300")
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": f"{first}-{first + 2}"})
    harness.mark()
    harness.run(Reach.EVENTS)
    assert [harness.shop_stock(sku) for sku in ("P0200", "P0202")] == [3, 5]
    assert harness.shop_stock("P0300") == shown
    assert len(reads(harness)) == 1


def test_what_is_in_transit_or_in_quarantine_is_not_sold(harness):
    """BP-13, BC-12: a transfer leaves one warehouse's figure at once and joins the other's when it is released."""
    sku, before = "P0049", harness.shop_stock("P0049")
    product = harness.brightpearl.products.by_sku[sku]
    transfer = harness.post_to_brightpearl("warehouse-service/warehouse/2/stock-transfer", {"targetWarehouseId": 3})
    moved = {
        "targetWarehouseId": 3,
        "stockTransferId": transfer,
        "transferredProducts": [{"productId": product, "quantity": 20}],
    }
    (note,) = harness.post_to_brightpearl("warehouse-service/warehouse/2/external-transfer", moved)
    harness.run()
    assert harness.shop_stock(sku) == before - 20
    event = {"eventCode": "SHW", "occured": harness.sandbox.clock.now().isoformat(), "eventOwnerId": 4}
    harness.post_to_brightpearl(f"warehouse-service/goods-note/goods-out/{note}/event", {"events": [event]})
    harness.run()
    assert figures(harness)[str(product)]["warehouses"]["3"]["inTransit"] == 20
    assert harness.shop_stock(sku) == before - 20
    harness.in_world(lambda: harness.brightpearl.transfers.release(sku, 3, 20))
    harness.run()
    assert harness.shop_stock(sku) == before


def test_a_pass_of_the_shop_takes_a_call_for_two_thousand_numbers_and_one_for_each_thousand_read_back(harness):
    """bigcommerce.md §4.1, §4.2."""
    harness.configure("bigcommerce", safety_stock=1)
    harness.mark()
    harness.run()
    numbers = sum(1 for each in MANY if harness.on_hand(each.sku) > 0)
    assert len(harness.calls("bigcommerce", "PUT", "inventory/adjustments")) == 1
    assert len(harness.calls("bigcommerce", "GET", "v3/inventory/items")) == math.ceil(numbers / 1000)
    assert harness.shop_stock("P0300") == harness.on_hand("P0300") - 1


# -- id sets ----------------------------------------------------------------------------------------------------------

IDS = st.lists(st.integers(1, 3000), unique=True, max_size=600).map(sorted)


@given(IDS)
def test_an_id_set_reads_back_as_the_ids_that_it_was_made_of(ids):
    assert [int(each) for each in ids_in_set(id_set(ids))] == ids if ids else id_set(ids) == ""


@given(st.lists(st.integers(1, 9_999_999), unique=True, max_size=600).map(sorted))
def test_sets_are_short_and_cover_everything_once(ids):
    parts = list(id_sets(ids))
    assert [each for part in parts for each in part] == ids
    assert all(0 < len(part) <= IDS_PER_READ and len(id_set(part)) <= LONGEST_SET for part in parts)
