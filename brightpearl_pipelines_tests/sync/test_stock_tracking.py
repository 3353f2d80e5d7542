"""How the shop counts stock is respected: not at all, by product or by variant (BC-09, BC-10)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines_tests.sync.clerks import put_to_brightpearl, put_to_shop
from brightpearl_pipelines_tests.sync.goods import small_world
from brightpearl_pipelines_tests.sync.harness import harnessed

GOODS = (
    Product("PLAIN", "Plain", Decimal(1), stock={2: 10}),
    Product("LOOSE", "Loose", Decimal(1), stock={2: 10}),
    *(
        Product(f"{family}-{size}", f"{family} {size}", Decimal(9), family=family, options={"Size": size}, stock={2: 4})
        for family in ("Boot", "Shoe")
        for size in ("41", "42", "43")
    ),
)


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key):
    with harnessed(embedded_server, encryption_key, world=small_world(*GOODS)) as made:
        made.run()
        yield made


def track(harness, sku, how):
    """Somebody changes in the shop by what a product's stock is counted."""
    product = harness.bigcommerce.variant_of_sku(sku)["product_id"]
    harness.pass_time(1)
    put_to_shop(harness, f"v3/catalog/products/{product}", {"inventory_tracking": how})


def numbers(harness, product_id):
    """Every number that the shop keeps of a product, by record (`p…` product, `v…` variant)."""
    table = harness.bigcommerce.collections["inventory"]
    return {
        key: level["on_hand"]
        for key, record in table.items()
        if record["product_id"] == product_id
        for level in record["levels"].values()
    }


def adjusted(harness):
    return harness.calls("bigcommerce", "PUT", "inventory/adjustments/absolute")


def rules(results):
    return next(each.counts.ignored for each in results if (each.step, each.entity) == ("published", "stock_level"))


def test_a_shop_that_starts_to_count_gets_its_number_at_the_next_run(harness):
    """Nothing changed in Brightpearl: the product in the shop did."""
    track(harness, "PLAIN", "none")
    harness.run()
    assert harness.shop_stock("PLAIN") is None
    harness.in_world(lambda: harness.brightpearl.correct_stock("PLAIN", 2, 3, "found"))
    harness.mark()
    assert rules(harness.run())["stock_not_tracked_in_the_shop"] >= 1
    assert adjusted(harness) == []
    track(harness, "PLAIN", "product")
    harness.run()
    assert harness.shop_stock("PLAIN") == 13


def test_a_number_that_was_right_before_counting_stopped_is_sent_again_after(harness):
    """What the shop made of its number meanwhile is not known."""
    track(harness, "LOOSE", "none")
    harness.run()
    key = f"p{harness.bigcommerce.variant_of_sku('LOOSE')['product_id']}"
    harness.in_world(lambda: stock.set_absolute(harness.bigcommerce, key, 1, 777))
    track(harness, "LOOSE", "product")
    harness.run()
    assert harness.shop_stock("LOOSE") == 10


def test_one_number_for_several_skus_is_held_until_the_shop_counts_by_variant(harness):
    """Neither the sum nor any one of them would be right: a person must say."""
    product = harness.bigcommerce.variant_of_sku("Boot-41")["product_id"]
    before = numbers(harness, product)
    track(harness, "Boot-41", "product")
    harness.mark()
    harness.run()
    assert adjusted(harness) == []
    held = harness.letters(entity="stock_level")
    assert sorted(each.reason for each in held) == ["counted_together"] * 3
    assert all("3 variants" in each.sentence and each.suggestion for each in held)
    track(harness, "Boot-41", "variant")
    harness.run()
    assert harness.letters(entity="stock_level") == []
    assert {key: units for key, units in numbers(harness, product).items() if key[0] == "v"} == before
    assert [harness.shop_stock(f"Boot-{size}") for size in (41, 42, 43)] == [4, 4, 4]


def test_what_changes_of_a_product_beside_its_counting_sends_no_number(harness):
    """BC-10."""
    product = harness.bigcommerce.variant_of_sku("Shoe-41")["product_id"]
    harness.pass_time(1)
    put_to_shop(harness, f"v3/catalog/products/{product}", {"page_title": "Shoes!", "sort_order": 3})
    harness.mark()
    harness.run()
    assert adjusted(harness) == []


def test_a_product_that_comes_back_into_the_shop_gets_its_number_again(harness):
    variant = harness.bigcommerce.variant_of_sku("Shoe-42")
    harness.in_world(lambda: harness.bigcommerce.retire_product("Shoe-42"))
    harness.run()
    shoe = Product("Shoe-42", "Shoe 42 again", Decimal(9), stock={2: 4})
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.add_product(shoe))
    harness.run()
    harness.run()
    assert harness.bigcommerce.variant_of_sku("Shoe-42")["id"] != variant["id"]
    assert harness.shop_stock("Shoe-42") == 4


def test_a_sku_that_went_to_another_product_takes_that_ones_number(harness):
    """The product that had the SKU before is still found by it, and is not meant."""
    old, new = (harness.bigcommerce.variant_of_sku(sku) for sku in ("PLAIN", "LOOSE"))
    swap(harness, "PLAIN", "SPARE", old)
    swap(harness, "LOOSE", "PLAIN", new)
    harness.run()
    harness.in_world(lambda: harness.brightpearl.correct_stock("PLAIN", 2, 7, "found"))
    harness.in_world(lambda: harness.brightpearl.correct_stock("SPARE", 2, 30, "found"))
    harness.run()
    assert numbers(harness, new["product_id"]) == {f"p{new['product_id']}": harness.on_hand("PLAIN")}
    assert numbers(harness, old["product_id"]) == {f"p{old['product_id']}": harness.on_hand("SPARE")}
    # And back again, so that it is no matter of which of the two is found first.
    swap(harness, "PLAIN", "LOOSE", new)
    swap(harness, "SPARE", "PLAIN", old)
    harness.in_world(lambda: harness.brightpearl.correct_stock("PLAIN", 2, 1, "found"))
    harness.in_world(lambda: harness.brightpearl.correct_stock("LOOSE", 2, 2, "found"))
    harness.run()
    assert numbers(harness, old["product_id"]) == {f"p{old['product_id']}": harness.on_hand("PLAIN")}
    assert numbers(harness, new["product_id"]) == {f"p{new['product_id']}": harness.on_hand("LOOSE")}


def swap(harness, before, after, variant):
    """The product is called otherwise from now on, on both sides."""
    product = harness.brightpearl.products.by_sku[before]
    harness.pass_time(1)
    put_to_brightpearl(harness, f"product-service/product/{product}/identity", {"sku": after})
    put_to_shop(harness, f"v3/catalog/products/{variant['product_id']}", {"sku": after})
    harness.run()
