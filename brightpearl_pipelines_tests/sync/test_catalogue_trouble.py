"""What goes wrong with the catalogue: SKUs that clash, writes refused or lost; and what 1,000 products cost."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.catalogue_desk import Desk
from brightpearl_pipelines_tests.sync.goods import small_world
from brightpearl_pipelines_tests.sync.harness import harnessed

BOWL = Product("BOWL", "Stoneware bowl", Decimal("11.50"), stock={2: 12})
JUG = Product("JUG", "Stoneware jug", Decimal("19.00"), stock={2: 5})


@pytest.fixture
def desk(lone) -> Desk:
    made = Desk(lone)
    lone.run(entity="product")
    lone.mark()
    return made


def price(desk: Desk, sku: str) -> Decimal:
    return Decimal(str(desk.product(sku)["price"]))


# -- SKUs that clash -------------------------------------------------------------------------------------------------


def test_two_products_with_one_sku_are_held_and_neither_is_picked(desk):
    """BC-35: the letters say who has the SKU; making them different lets both go."""
    desk.settings(publish="all")
    desk.add(BOWL)
    desk.add(JUG)
    desk.edit("JUG", sku="BOWL")
    desk.harness.run()
    letters = desk.harness.letters(connection="bigcommerce", entity="product")
    assert [each.reason for each in letters] == ["duplicate_sku", "duplicate_sku"]
    assert "the SKU BOWL is also that of brightpearl product" in letters[0].sentence
    assert not desk.has("BOWL")
    second = max(
        (each for each in desk.brightpearl.collection("products").values() if each["identity"]["sku"] == "BOWL"),
        key=lambda each: each["id"],
    )

    def rename() -> None:
        second["identity"]["sku"] = "JUG"
        desk.brightpearl.products.changed(second)

    desk.harness.pass_time(2)
    desk.harness.in_world(rename)
    desk.harness.run()
    assert desk.has("BOWL") and desk.has("JUG")
    assert desk.harness.letters() == []


def test_a_product_that_takes_the_sku_of_an_offered_one_changes_nothing_there(desk):
    desk.add(BOWL)
    desk.edit("BOWL", sku="MUG")
    desk.harness.run()
    desk.edit("MUG", name="Which of the two?")
    desk.harness.run()
    assert desk.product("MUG")["name"] == "Enamel mug"
    letters = desk.harness.letters(connection="bigcommerce", entity="product")
    assert {each.reason for each in letters} == {"duplicate_sku"}


@pytest.mark.parametrize("side", ["brightpearl", "shop"])
def test_skus_that_differ_only_by_case_are_held_until_they_are_the_same(desk, side):
    """BC-14, BC-35."""
    desk.settings(publish="all")
    desk.sell(Product("Bowl", "Bowl by hand", Decimal(1), stock={2: 1}))
    desk.add(BOWL)
    desk.harness.run()
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "sku_differs_by_case" and "differs only by its case" in letter.sentence
    assert desk.product("Bowl")["name"] == "Bowl by hand"
    if side == "brightpearl":
        desk.edit("BOWL", sku="Bowl")
    else:
        desk.type_in("Bowl", sku="BOWL")
    desk.harness.run()
    sku = "Bowl" if side == "brightpearl" else "BOWL"
    assert desk.harness.letters() == []
    assert (desk.product(sku)["name"], price(desk, sku)) == ("Stoneware bowl", Decimal("11.5"))
    desk.harness.run()
    assert desk.harness.shop_stock(sku) == 12


def test_a_product_without_a_sku_is_left_out_until_it_has_one(desk):
    desk.settings(publish="all")
    desk.add(BOWL)
    bowl = desk.ours("BOWL")

    def name(sku: str) -> None:
        bowl["identity"]["sku"] = sku
        desk.brightpearl.products.changed(bowl)

    desk.harness.in_world(lambda: name(""))
    results = desk.harness.run(entity="product")
    assert {k: v for each in results for k, v in each.counts.ignored.items() if k == "no_sku"} == {"no_sku": 1}
    desk.harness.pass_time(2)
    desk.harness.in_world(lambda: name("BOWL"))
    desk.run()
    assert (desk.has("BOWL"), price(desk, "BOWL")) == (True, Decimal("11.5"))


def test_equal_titles_are_told_apart_by_the_sku(desk):
    desk.settings(publish="all")
    desk.add(BOWL)
    desk.add(Product("BOWL-2", "Stoneware bowl", Decimal(9)))
    desk.run()
    assert [desk.product(each)["name"] for each in ("BOWL", "BOWL-2")] == ["Stoneware bowl", "Stoneware bowl (BOWL-2)"]


# -- what cannot go --------------------------------------------------------------------------------------------------


def test_a_product_without_a_price_is_held_and_goes_when_it_has_one(desk):
    desk.settings(publish="all")
    desk.add(BOWL)
    desk.price("BOWL", None)
    desk.harness.run()
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "no_price" and "price list 2" in letter.sentence
    desk.price("BOWL", "12")
    desk.harness.pass_time(15 * 60)
    desk.harness.run(Reach.CHANGES)
    assert price(desk, "BOWL") == 12
    assert desk.harness.letters() == []


def test_prices_are_converted_where_the_shop_enters_them_with_tax(desk):
    desk.harness.bigcommerce.settings["prices_entered_with_tax"] = True
    desk.settings(prices_include_tax=True)
    desk.price("MUG", "10")
    desk.price("BOOK", "10")
    desk.edit("MUG")
    desk.edit("BOOK")
    desk.run()
    assert (price(desk, "MUG"), price(desk, "BOOK")) == (12, 10)


def test_no_price_is_sent_while_the_settings_contradict_the_store(desk):
    desk.harness.bigcommerce.settings["prices_entered_with_tax"] = True
    desk.price("MUG", "10")
    desk.edit("MUG")
    desk.harness.run()
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "store_settings_differ" and "with tax" in letter.sentence
    assert price(desk, "MUG") == Decimal("8.33")


def test_a_variant_for_a_product_without_options_is_held(desk):
    group = desk.ours("MUG")["productGroupId"]
    red = Product("MUG-R", "Enamel mug Red", Decimal(9), family="Mugs", options={"Colour": "Red"})
    desk.add(red)
    options = desk.ours("MUG-R")["variations"]
    desk.edit("MUG-R", productGroupId=group)
    desk.edit("MUG", variations=[{**options[0], "optionValue": "White"}])
    desk.harness.run()
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "no_options_in_the_shop" and "MUG" in letter.sentence


def test_one_bad_product_does_not_hold_its_batch(desk):
    """A batch that is refused whole is halved until the bad one stands alone."""
    desk.sell(Product("OTHER", "A name that is taken", Decimal(3)))
    for sku in ("MUG", "TRAY", "BOOK", "SEAT", "NORTH"):
        desk.edit(sku, name="A name that is taken" if sku == "BOOK" else f"New {sku}")
    desk.harness.run()
    assert [desk.product(each)["name"] for each in ("MUG", "TRAY", "SEAT", "NORTH")] == [
        "New MUG", "New TRAY", "New SEAT", "New NORTH",
    ]  # fmt: skip
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "taken_in_the_shop"


# -- answers that are lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["apply_then_drop", "refuse", "truncate"])
def test_a_product_whose_making_was_cut_off_is_made_once(desk, kind):
    desk.settings(publish="all")
    desk.add(BOWL)
    desk.harness.fault("bigcommerce", kind, "POST", ".*/catalog/products$", count=1)
    desk.harness.run()
    desk.harness.pass_time(60)
    desk.harness.run()
    named = [each for each in desk.shop.collections["products"].values() if each["name"] == "Stoneware bowl"]
    assert len(named) == 1
    assert desk.harness.shop_stock("BOWL") == 12
    assert desk.harness.letters() == []


def test_a_change_whose_answer_was_lost_is_known_to_have_arrived(desk):
    desk.edit("MUG", name="Tin mug")
    desk.harness.fault("bigcommerce", "apply_then_drop", "PUT", ".*/catalog/products$", count=5)
    desk.run()
    desk.harness.calm()
    desk.harness.pass_time(400)
    desk.run()
    assert desk.product("MUG")["name"] == "Tin mug"
    desk.harness.mark()
    desk.run()
    assert desk.harness.writes() == []


# -- what it costs ---------------------------------------------------------------------------------------------------


def test_a_thousand_products_cost_these_calls(embedded_server, encryption_key):
    """Read: searches of 500 rows, each with 3 reads of products; 5 times 200 prices, 3 lists. Write: 99 times 10."""
    more = [Product(f"P-{n:04d}", f"Thing {n}", Decimal(5)) for n in range(989)]
    with harnessed(embedded_server, encryption_key, world=small_world(*more)) as harness:
        desk = Desk(harness)
        harness.run(entity="product")
        assert len(harness.calls("brightpearl", path="product-price")) == 5
        assert len(harness.calls("brightpearl", path="product-service/product/")) <= 7
        lists = ("price-list", "brand", "brightpearl-category")
        assert [len(harness.calls("brightpearl", path=f"product-service/{each}")) for each in lists] == [1, 1, 1]
        for product in more:
            number = str(desk.ours(product.sku)["id"])
            harness.brightpearl.collection("product_prices")[number]["prices"]["2"] = {"1": "6.0000"}
        harness.pass_time(15 * 60)
        harness.mark()
        harness.run(Reach.CHANGES, entity="product")
        assert len(harness.calls("brightpearl", path="product-price")) == 5
        assert len(harness.calls("bigcommerce", "PUT", "catalog/products")) == 99
        reads = [each["path"] for each in harness.calls("bigcommerce", "GET")]
        assert len([each for each in reads if "date_modified" not in each]) == 1  # how the store enters prices
        assert price(desk, "P-0500") == 6
