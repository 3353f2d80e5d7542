"""The catalogue, from Brightpearl to the shop: each test judges by what the shop holds afterwards."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.sync.reconcile import reconcile
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.catalogue_desk import EVERYTHING, RETAIL_EUR, RETAIL_USD, Desk

BOWL = Product("BOWL", "Stoneware bowl", Decimal("11.50"), brand="Clayworks", category="Pottery", stock={2: 12, 3: 4})
SCARF = [
    Product(f"SCARF-{each[0]}", f"Scarf {each}", Decimal(20), family="Scarf", options={"Colour": each}, stock={2: 7})
    for each in ("Red", "Blue")
]
GREEN = Product("SCARF-G", "Scarf Green", Decimal(21), family="Scarf", options={"Colour": "Green"}, stock={2: 3})


@pytest.fixture
def desk(lone) -> Desk:
    """A shop and an account that have been in step for a while."""
    made = Desk(lone)
    lone.run(entity="product")
    lone.mark()
    return made


def test_what_both_sides_have_alike_is_left_alone(lone):
    """BC-14: products are matched by SKU."""
    lone.run()
    assert Desk(lone).writes() == []
    assert lone.letters() == []
    lone.mark()
    lone.run()
    assert lone.writes() == []


def test_a_new_product_is_sellable_with_stock_after_one_run(desk):
    """BC-17, BC-19, BC-20, BP-14: SKU, title, price and what else there is to show."""
    desk.settings(publish="all", custom_fields={"PCF_NOTE": "Care"})
    desk.add(BOWL)
    desk.edit("BOWL", ean="5012345678900", mpn="B-1", description="<p>Round</p>", custom_fields={"PCF_NOTE": "Wipe"})
    desk.harness.run()
    shown = desk.product("BOWL")
    assert (shown["name"], shown["description"], Decimal(str(shown["price"]))) == (
        "Stoneware bowl", "<p>Round</p>", Decimal("11.5"),
    )  # fmt: skip
    assert (shown["gtin"], shown["mpn"], shown["weight"], shown["is_visible"]) == ("5012345678900", "B-1", 0.5, True)
    assert desk.names("brands", [shown["brand_id"]]) == ["Clayworks"]
    assert desk.names("categories", shown["categories"]) == ["Pottery"]
    assert [(each["name"], each["value"]) for each in shown["custom_fields"]] == [("Care", "Wipe")]
    assert (shown["inventory_tracking"], desk.harness.shop_stock("BOWL")) == ("product", 16)
    assert desk.channels("BOWL") == {1, 2}
    assert desk.harness.letters() == []
    desk.harness.mark()
    desk.harness.run()
    assert desk.harness.writes() == []


def test_products_of_one_group_become_one_product_with_variants(desk):
    """BC-16, BC-18: Brightpearl's option values are the shop's options."""
    desk.settings(publish="all")
    for each in SCARF:
        desk.add(each)
    desk.harness.run()
    assert desk.family("SCARF-R") == {"SCARF-R": {"Colour": "Red"}, "SCARF-B": {"Colour": "Blue"}}
    assert desk.product("SCARF-R")["name"] == "Scarf"
    assert desk.product("SCARF-R")["inventory_tracking"] == "variant"
    assert [desk.harness.shop_stock(each.sku) for each in SCARF] == [7, 7]
    desk.harness.mark()
    desk.harness.run()
    assert desk.harness.writes() == []


def test_a_variant_added_to_a_group_appears_in_its_product(desk):
    """BC-18; also with `publish: existing`, for the shop offers the product already."""
    large = Product("TEE-L", "Tee L", Decimal(17), family="Tee", options={"Size": "L"}, stock={2: 9})
    desk.add(large)
    desk.harness.run()
    assert desk.family("TEE-S") == {"TEE-S": {"Size": "S"}, "TEE-M": {"Size": "M"}, "TEE-L": {"Size": "L"}}
    assert Decimal(str(desk.variant("TEE-L")["price"])) == 17
    assert desk.harness.shop_stock("TEE-L") == 9


def test_what_the_shop_does_not_offer_stays_away_unless_all_is_published(desk):
    desk.add(BOWL)
    desk.harness.run()
    assert not desk.has("BOWL")
    desk.settings(publish="all")
    desk.harness.run()
    assert desk.has("BOWL") and desk.harness.shop_stock("BOWL") == 16


def test_a_changed_price_arrives_within_the_minutes_that_the_settings_say(desk):
    """BC-19: nothing tells of a price, so prices are read again after `details_minutes`, and cost nothing before."""
    desk.price("MUG", "9.99")
    desk.price("TEE-M", "18")
    desk.harness.mark()
    desk.harness.run(Reach.CHANGES)
    assert desk.harness.calls("brightpearl", path="product-price") == []
    desk.harness.pass_time(15 * 60)
    desk.harness.run(Reach.CHANGES)
    assert Decimal(str(desk.product("MUG")["price"])) == Decimal("9.99")
    assert Decimal(str(desk.variant("TEE-M")["price"])) == 18
    assert len(desk.harness.calls("brightpearl", path="product-price")) == 1
    assert len(desk.writes()) == 2


def test_a_price_that_touches_its_product_arrives_at_once(desk):
    desk.price("MUG", "10.49")
    desk.edit("MUG")
    desk.harness.run(Reach.CHANGES)
    assert Decimal(str(desk.product("MUG")["price"])) == Decimal("10.49")


def test_a_sku_renamed_in_brightpearl_keeps_its_product_and_is_renamed_in_the_shop(desk):
    """BC-15: the stored ids say what it is."""
    mug, tee = desk.variant("MUG")["id"], desk.variant("TEE-S")["id"]
    desk.edit("MUG", sku="MUG-2")
    desk.edit("TEE-S", sku="TEE-SMALL")
    desk.harness.run()
    assert (desk.variant("MUG-2")["id"], desk.variant("TEE-SMALL")["id"]) == (mug, tee)
    assert not desk.has("MUG") and not desk.has("TEE-S")
    assert desk.harness.letters() == []
    assert desk.harness.shop_stock("MUG-2") == 500


def test_a_sku_renamed_in_the_shop_keeps_its_link(desk):
    """BC-15: stock and names still find it."""
    mug = desk.variant("MUG")["id"]
    desk.type_in("MUG", sku="BECHER")
    desk.run()
    desk.edit("MUG", name="Enamel mug, white")
    desk.run()
    assert (desk.variant("BECHER")["id"], desk.product("BECHER")["name"]) == (mug, "Enamel mug, white")
    assert desk.harness.letters() == []


@pytest.mark.parametrize("status", ["DISCONTINUED", "ARCHIVED"])
def test_a_product_that_is_no_longer_sold_is_hidden_and_shown_again_when_it_comes_back(desk, status):
    desk.edit("MUG", status=status)
    desk.run()
    assert desk.product("MUG")["is_visible"] is False
    desk.edit("MUG", status="LIVE")
    desk.run()
    assert desk.product("MUG")["is_visible"] is True


def test_of_a_group_only_the_discontinued_variant_goes_off_sale(desk):
    desk.edit("TEE-M", status="DISCONTINUED")
    desk.run()
    assert desk.product("TEE-M")["is_visible"] is True
    assert [desk.variant(each)["purchasing_disabled"] for each in ("TEE-S", "TEE-M")] == [False, True]
    desk.edit("TEE-S", status="DISCONTINUED")
    desk.run()
    assert desk.product("TEE-M")["is_visible"] is False


def test_a_live_product_that_somebody_hid_in_the_shop_stays_hidden(desk):
    desk.type_in("MUG", is_visible=False)
    desk.run()
    desk.edit("MUG", name="Enamel mug, blue")
    desk.run()
    assert (desk.product("MUG")["is_visible"], desk.product("MUG")["name"]) == (False, "Enamel mug, blue")


def test_what_a_person_changed_in_the_shop_stands_until_brightpearl_changes_it_too(desk):
    desk.type_in("MUG", name="Camping mug")
    desk.run()
    desk.edit("MUG", weight=0.75)
    desk.run()
    assert (desk.product("MUG")["name"], desk.product("MUG")["weight"]) == ("Camping mug", 0.75)
    desk.edit("MUG", name="Enamel mug, red")
    desk.run()
    assert desk.product("MUG")["name"] == "Enamel mug, red"


def test_our_own_write_comes_back_and_changes_nothing(desk):
    desk.edit("MUG", name="Tin mug")
    desk.run()
    desk.harness.mark()
    desk.harness.notify("bigcommerce", "store/product/updated", {"data": {"id": desk.product("MUG")["id"]}})
    desk.run()
    assert desk.harness.writes() == []


def test_price_lists_of_the_shop_are_filled_by_currency_and_channel(desk):
    """BC-31, BC-32: each of the shop's lists from Brightpearl's lists, one a currency."""
    lists = [desk.harness.post_to_shop("v3/pricelists", {"name": name})["data"]["id"] for name in ("Europe", "World")]
    desk.settings(price_lists={lists[0]: (RETAIL_EUR,), lists[1]: (RETAIL_EUR, RETAIL_USD)})
    desk.price("MUG", "12", RETAIL_EUR)
    desk.edit("MUG")
    desk.run()
    assert desk.listed(lists[0])["MUG", "eur"] == 12
    assert {currency for sku, currency in desk.listed(lists[1]) if sku == "TEE-S"} == {"eur", "usd"}
    assert len(desk.listed(lists[0])) == 11
    desk.price("MUG", None, RETAIL_EUR)
    desk.edit("MUG")
    desk.run()
    assert ("MUG", "eur") not in desk.listed(lists[0]) and ("TRAY", "eur") in desk.listed(lists[0])


def test_one_refused_price_does_not_hold_the_others_of_its_call(desk):
    made = desk.harness.post_to_shop("v3/pricelists", {"name": "Trade"})["data"]["id"]
    desk.settings(price_lists={made: (RETAIL_EUR,)})
    desk.harness.in_world(lambda: desk.shop.index.variant_by_sku.pop("mug"))
    desk.harness.run()
    letter = desk.harness.letter(connection="bigcommerce", entity="product")
    assert letter.reason == "refused" and "sku" in letter.sentence
    assert len(desk.listed(made)) == 10


def test_all_fields_are_kept_in_step_where_the_settings_say_so(desk):
    """BC-20: key attributes for operations and reporting."""
    desk.settings(fields=EVERYTHING, custom_fields={"PCF_NOTE": "Care"}, brands={"Northwind": "North Wind Ltd"})
    desk.run()
    assert desk.names("brands", [desk.product("MUG")["brand_id"]]) == ["North Wind Ltd"]
    desk.edit("MUG", description="<p>Enamel</p>", upc="012345678905", custom_fields={"PCF_NOTE": "By hand"})
    desk.run()
    shown = desk.product("MUG")
    assert (shown["description"], shown["upc"]) == ("<p>Enamel</p>", "012345678905")
    assert [(each["name"], each["value"]) for each in shown["custom_fields"]] == [("Care", "By hand")]
    desk.edit("MUG", custom_fields={})
    desk.run()
    assert desk.product("MUG")["custom_fields"] == []
    desk.harness.mark()
    desk.run()
    assert desk.harness.writes() == []


def test_a_product_that_somebody_deleted_in_the_shop_is_not_made_again(desk):
    desk.settings(publish="all")
    desk.run()
    number = desk.product("MUG")["id"]
    desk.delete("MUG")
    desk.harness.notify("bigcommerce", "store/product/deleted", {"data": {"id": number}})
    desk.edit("MUG", name="Another mug")
    desk.run()
    assert not desk.has("MUG")


def test_a_product_made_anew_in_the_shop_is_linked_by_its_sku(desk):
    """BC-14, BC-15: the old ids are gone, the SKU is not."""
    number = desk.product("MUG")["id"]
    desk.delete("MUG")
    desk.harness.notify("bigcommerce", "store/product/deleted", {"data": {"id": number}})
    desk.harness.run()
    desk.sell(Product("MUG", "Mug by hand", Decimal(1)))
    desk.harness.run()
    desk.harness.run()
    assert (desk.product("MUG")["name"], desk.harness.shop_stock("MUG")) == ("Enamel mug", 500)


def test_a_product_destroyed_in_brightpearl_is_hidden(desk):
    number = str(desk.ours("MUG")["id"])
    desk.harness.in_world(lambda: desk.brightpearl.collection("products").pop(number))
    desk.harness.notify("brightpearl", "product.destroyed", {"id": number})
    desk.run()
    assert desk.product("MUG")["is_visible"] is False


def test_reconcile_finds_and_mends_what_differs(desk):
    """What is Brightpearl's alone is put right; what a person may say in the shop stands."""
    desk.type_in("MUG", price=1, name="Camping mug")
    reports = desk.harness.with_engine(lambda engine: reconcile(engine, repair=False))
    (report,) = [each for each in reports if each.entity == "product"]
    assert [(each.key, each.field, each.ours) for each in report.differences] == [("MUG", "price", "8.33")]
    reports = desk.harness.with_engine(lambda engine: reconcile(engine, repair=True))
    (report,) = [each for each in reports if each.entity == "product"]
    assert (report.unexplained, report.repaired) == (0, 1)
    assert (Decimal(str(desk.product("MUG")["price"])), desk.product("MUG")["name"]) == (Decimal("8.33"), "Camping mug")


def test_a_dry_run_shows_the_fields_and_writes_nothing(desk):
    desk.edit("MUG", name="Tin mug", weight=0.6)
    results = desk.harness.run(dry_run=True)
    (change,) = [change for each in results for change in each.changes if change.entity == "product"]
    assert sorted(change.fields) == [("name", "Enamel mug", "Tin mug"), ("weight", "0.5", "0.6")]
    assert desk.writes() == []
