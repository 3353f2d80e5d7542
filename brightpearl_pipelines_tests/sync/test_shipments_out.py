"""Parcels told to the shop (BP-16, BC-26, BC-27, BC-28): each goods-out note once, line by line, with tracking."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import DraftLine, Product
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import draft, product_line


def imported(harness, *lines, **changes):
    number = harness.place(draft(*lines, **changes))
    harness.run(Reach.CHANGES)
    return number


def ship(harness, number, quantities=None, tracking="T1"):
    """The warehouse sends a parcel; `quantities` by the shop's SKU of a row, all rows of components included."""
    order = harness.order(number)
    rows = {}
    for sku, units in (quantities or {}).items():
        row_id = next(
            key for key, row in order["orderRows"].items() if row.get("productSku") == sku and key not in rows
        )
        rows[row_id] = units
    harness.pass_time(1)
    return harness.in_world(lambda: harness.brightpearl.ship(str(order["id"]), rows or None, tracking=tracking))


def told(harness, number):
    """What the shop was told of an order's parcels: tracking number and units by SKU."""
    lines = {line["id"]: line["sku"] for line in harness.shop_lines(number)}
    return [
        (parcel["tracking_number"], {lines[item["order_product_id"]]: item["quantity"] for item in parcel["items"]})
        for parcel in harness.shipments(number)
    ]


def shipped(harness, number):
    return {line["sku"]: line["quantity_shipped"] for line in harness.shop_lines(number)}


def test_a_whole_order_is_one_shipment_with_its_tracking_number(harness):
    number = imported(harness, ("MUG", 2), ("BOOK", 1))
    note = ship(harness, number, tracking="RM123")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("RM123", {"MUG": 2, "BOOK": 1})]
    assert harness.shop_order(number)["status_id"] == 2
    assert note in harness.shipments(number)[0]["comments"]
    harness.run(Reach.CHANGES)
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.writes() == []
    assert len(harness.shipments(number)) == 1


def test_two_parcels_are_two_shipments_and_the_order_is_partly_shipped_between(harness):
    number = imported(harness, ("MUG", 3), ("BOOK", 1))
    ship(harness, number, {"MUG": 2}, tracking="P1")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"MUG": 2})]
    assert harness.shop_order(number)["status_id"] == 3
    ship(harness, number, tracking="P2")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"MUG": 2}), ("P2", {"MUG": 1, "BOOK": 1})]
    assert harness.shop_order(number)["status_id"] == 2


def test_two_parcels_that_left_before_anybody_looked_are_told_apart(harness):
    number = imported(harness, ("MUG", 3))
    ship(harness, number, {"MUG": 1}, tracking="P1")
    ship(harness, number, {"MUG": 2}, tracking="P2")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"MUG": 1}), ("P2", {"MUG": 2})]


def test_a_bundle_is_shipped_when_the_last_of_its_components_has_left(harness):
    """BC-28: two sets are two mugs and two trays; a parcel of mugs alone completes none."""
    number = imported(harness, ("SET", 2), ("BOOK", 1))
    ship(harness, number, {"MUG": 2, "BOOK": 1}, tracking="P1")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"BOOK": 1})]
    ship(harness, number, {"TRAY": 1}, tracking="P2")
    harness.run(Reach.CHANGES)
    ship(harness, number, {"TRAY": 1}, tracking="P3")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"BOOK": 1}), ("P2", {"SET": 1}), ("P3", {"SET": 1})]
    assert shipped(harness, number) == {"SET": 2, "BOOK": 1}


def test_a_parcel_that_completes_no_line_is_left_out_by_a_named_rule(harness):
    number = imported(harness, ("SET", 1))
    ship(harness, number, {"MUG": 1}, tracking="P1")
    results = harness.run(Reach.CHANGES)
    (rules,) = [each.counts.ignored for each in results if (each.step, each.entity) == ("mapped", "shipment")]
    assert rules.get("part_of_a_bundle") == 1
    assert told(harness, number) == []


def test_a_bundle_in_a_bundle_ships_as_the_shop_knows_it(harness):
    number = imported(harness, ("HAMPER", 1))
    ship(harness, number, tracking="P1")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"HAMPER": 1})]


def test_a_bundle_with_a_part_that_no_stock_is_kept_of_ships_with_its_other_parts(harness):
    """A leaflet to download beside the kettle never stands on a goods-out note."""
    leaflet = Product("LEAFLET", "Leaflet", Decimal(1), digital=True)
    kit = Product("KIT", "Kit", Decimal(20), components={"MUG": 1, "LEAFLET": 1})
    for each in (leaflet, kit):
        harness.in_world(lambda each=each: harness.brightpearl.add_product(each))
        harness.in_world(lambda each=each: harness.bigcommerce.add_product(each))
    number = imported(harness, product_line("KIT", 2))
    ship(harness, number, {"MUG": 1}, tracking="P1")
    ship(harness, number, {"MUG": 1}, tracking="P2")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P1", {"KIT": 1}), ("P2", {"KIT": 1})]


def test_what_is_not_shipped_is_not_told_although_the_parcel_is_packed(harness):
    number = imported(harness, ("MUG", 1))
    order = harness.order(number)
    row_id = next(iter(order["orderRows"]))
    product = {"productId": order["orderRows"][row_id]["productId"], "salesOrderRowId": row_id, "quantity": 1}
    warehouse = {"releaseDate": None, "warehouseId": 2, "transfer": False, "products": [product]}
    body = {"warehouses": [warehouse], "priority": False, "shippingMethodId": 1, "labelUri": None}
    harness.post_to_brightpearl(f"warehouse-service/order/{order['id']}/goods-note/goods-out", body)
    harness.run(Reach.CHANGES)
    assert told(harness, number) == []


def test_a_download_and_a_custom_line_do_not_keep_the_parcel_from_being_told(harness):
    engraving = DraftLine("Engraving", 1, product_line("MUG", 1).price, kind="custom")
    number = imported(harness, ("MUG", 1), ("PDF", 1), engraving)
    ship(harness, number, tracking="P1")
    harness.run(Reach.CHANGES)
    assert ("P1", "MUG") in [(tracking, sku) for tracking, items in told(harness, number) for sku in items]


def test_an_order_to_several_addresses_gets_a_shipment_for_each(harness):
    """BC-26: a shipment belongs to one address of the order."""
    number = harness.place(("MUG", 1), ("BOOK", 1))
    first, second = harness.shop_lines(number)
    address = harness.bigcommerce.children("order_addresses", int(number))[0]
    other = {**address, "id": harness.bigcommerce.next_id("order_addresses"), "street_1": "2 Second Street",
             "cost_ex_tax": "0.0000", "cost_inc_tax": "0.0000", "cost_tax": "0.0000"}  # fmt: skip
    harness.in_world(lambda: harness.bigcommerce.add("order_addresses", other))
    second["order_address_id"] = other["id"]
    harness.edit_order(number, shipping_address_count=2)
    harness.run(Reach.CHANGES)
    ship(harness, number, tracking="P1")
    harness.run(Reach.CHANGES)
    parcels = harness.shipments(number)
    assert {(each["order_address_id"], each["items"][0]["order_product_id"]) for each in parcels} == {
        (address["id"], first["id"]),
        (other["id"], second["id"]),
    }
    assert {each["tracking_number"] for each in parcels} == {"P1"}


@pytest.mark.parametrize("kind", ["apply_then_drop", "truncate", "refuse"])
def test_a_shipment_whose_answer_was_lost_is_there_once(harness, kind):
    number = imported(harness, ("MUG", 1))
    ship(harness, number, tracking="ONCE")
    harness.fault("bigcommerce", kind, "POST", "/shipments", count=2)
    for _ in range(3):
        harness.run(Reach.CHANGES)
        harness.pass_time(60)
    assert told(harness, number) == [("ONCE", {"MUG": 1})]


def test_parcels_of_other_channels_are_left_out_by_a_named_rule(harness):
    """An order taken by phone: no externalRef, or somebody else's."""
    contact = harness.contacts()[0]["contactId"]
    product = harness.brightpearl.products.by_sku["MUG"]
    row = {"productId": product, "quantity": "1", "taxCode": "T20", "net": "8.33", "tax": "1.67"}
    order_id = harness.post_to_brightpearl("order-service/sales-order", {"customer": {"id": contact}, "rows": [row]})
    reservation = {"products": [{"productId": product, "salesOrderRowId": _only_row(harness, order_id), "quantity": 1}]}
    harness.post_to_brightpearl(f"warehouse-service/order/{order_id}/reservation/warehouse/2", reservation)
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.ship(str(order_id), tracking="PHONE"))
    harness.mark()
    results = harness.run(Reach.CHANGES)
    (rules,) = [each.counts.ignored for each in results if (each.step, each.entity) == ("mapped", "shipment")]
    assert rules == {"order_of_no_shop": 1, "no_shipment_of_a_shop": 1}
    assert [each for each in harness.writes() if "shipments" in each] == []


def _only_row(harness, order_id):
    return next(iter(harness.brightpearl.collection("orders")[str(order_id)]["orderRows"]))


def test_a_parcel_of_an_order_that_the_shop_deleted_is_held(harness):
    number = imported(harness, ("MUG", 1))
    ship(harness, number)
    harness.in_world(lambda: harness.bigcommerce.collections["orders"].pop(number))
    harness.in_world(harness.bigcommerce.rebuild_indexes)
    harness.run(Reach.CHANGES)
    letter = next(each for each in harness.letters(entity="shipment") if number in each.sentence)
    assert letter.reason in ("refused", "reference_not_found")
