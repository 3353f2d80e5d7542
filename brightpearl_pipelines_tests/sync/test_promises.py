"""What orders hold back of the stock, through what happens to products and orders meanwhile (BC-11, I6, I7)."""

from brightpearl_pipelines_tests.sync.catalogue_desk import Desk
from brightpearl_pipelines_tests.sync.clerk import line_of, set_quantity
from brightpearl_pipelines_tests.sync.goods import draft

AWAITING_PAYMENT = 7


def test_an_order_under_the_old_sku_still_holds_its_units_back_when_the_sku_is_renamed(lone):
    lone.run()
    before = lone.shop_stock("MUG")
    lone.place(draft(("MUG", 3), status_id=AWAITING_PAYMENT))
    lone.run()
    assert lone.shop_stock("MUG") == before - 3
    Desk(lone).edit("MUG", sku="BEAKER")
    lone.run()
    lone.run()
    assert lone.shop_stock("BEAKER") == before - 3


def test_an_order_placed_before_the_rename_and_changed_after_it_holds_its_units_back_once(lone):
    lone.run()
    before = lone.shop_stock("MUG")
    number = lone.place(draft(("MUG", 3), status_id=AWAITING_PAYMENT))
    lone.run()
    Desk(lone).edit("MUG", sku="BEAKER")
    lone.run()
    lone.edit_order(number, customer_message="Please hurry")
    lone.run()
    lone.run()
    assert lone.shop_stock("BEAKER") == before - 3


def test_of_a_parcel_with_a_line_that_the_shop_has_taken_out_meanwhile_the_rest_is_told_and_the_line_held(lone):
    """Nothing silent: what left is told, or somebody hears that it cannot be."""
    number = lone.place(("MUG", 1), ("TRAY", 1))
    lone.run()
    order = lone.order(number)["id"]
    lone.pass_time(5)
    lone.in_world(lambda: lone.brightpearl.ship(str(order), tracking="T-1"))
    line = line_of(lone, number, "TRAY")
    set_quantity(lone, number, "TRAY", 0)
    lone.run()
    lone.run()  # the order has changed once more, by its parcel: the letter was looked at again
    letter = lone.letter(entity="shipment")
    assert letter.reason == "not_in_the_shops_order"
    assert str(line["id"]) in letter.sentence
    [shipment] = lone.shipments(number)
    assert [item["order_product_id"] for item in shipment["items"]] == [line_of(lone, number, "MUG")["id"]]
    assert shipment["tracking_number"] == "T-1"


def test_a_line_taken_out_of_an_order_gives_its_units_back_in_the_shop_as_well(lone):
    """The shop lifts its own figure then (bigcommerce.md §8.7): ours goes again, though it is the same as before."""
    number = lone.place(("MUG", 1), ("TRAY", 2))
    lone.run()
    lone.run()
    before = lone.shop_stock("TRAY")
    set_quantity(lone, number, "TRAY", 0)
    lone.set_shop_stock("TRAY", before + 7)
    lone.run()
    lone.run()
    assert lone.shop_stock("TRAY") == before + 2


def test_a_bundle_holds_back_its_parts_under_their_new_sku(lone):
    lone.run()
    before = lone.shop_stock("MUG")
    lone.place(draft(("SET", 2), status_id=AWAITING_PAYMENT))
    lone.run()
    Desk(lone).edit("MUG", sku="BEAKER")
    lone.run()
    lone.run()
    assert lone.shop_stock("BEAKER") == before - 2
    sets = lone.shop_stock("SET")
    assert sets is not None and sets > 0
