"""What is on its way from suppliers, and when the shop is told (BP-19, BP-20)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.store import goldens
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.clerks import put_to_brightpearl
from brightpearl_pipelines_tests.sync.goods import small_world
from brightpearl_pipelines_tests.sync.harness import harnessed
from brightpearl_pipelines_tests.sync.suppliers import order_from_supplier, receive

MAY, JUNE, JULY = (datetime(2027, month, 1, tzinfo=UTC) for month in (5, 6, 7))
GOODS = (
    Product("ANVIL", "Anvil", Decimal(90), stock={2: 1}),
    Product("BELLOWS", "Bellows", Decimal(30), stock={2: 3}),
    Product("TONGS-S", "Tongs S", Decimal(9), family="Tongs", options={"Size": "S"}, stock={2: 4}),
    Product("TONGS-L", "Tongs L", Decimal(9), family="Tongs", options={"Size": "L"}, stock={2: 4}),
    Product("RASP", "Rasp", Decimal(9), stock={2: 4}),
    Product("FILE", "File", Decimal(9), stock={2: 4}),
    Product("HORN", "Horn", Decimal(9), stock={2: 4}),
)


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key):
    with harnessed(embedded_server, encryption_key, world=small_world(*GOODS)) as made:
        made.run()
        yield made


def all_of(harness, entity):
    with harness.store.transaction() as tx:
        return [row.content for row in goldens.after(tx, entity, 0, 1000)]


def purchase_order(harness, order_id):
    (found,) = [each for each in all_of(harness, "purchase_order") if each["reference"] == str(order_id)]
    return found


def expected(harness, sku):
    (level,) = [each for each in all_of(harness, "stock_level") if each["sku"] == sku]
    return [(each["warehouse"], each["at"] and each["at"][:10], each["quantity"]) for each in level["expected"]]


def told(harness, sku):
    """What the shop knows of the next delivery of a SKU."""
    variant = harness.bigcommerce.variant_of_sku(sku)["id"]
    fields = harness.bigcommerce.children("variant_metafields", variant)
    return {(each["namespace"], each["key"]): each["value"] for each in fields}


def test_a_purchase_order_is_read_with_its_lines_and_what_was_received(harness):
    """BP-19."""
    order_id, (anvils, bellows) = order_from_supplier(harness, ("ANVIL", 10), ("BELLOWS", 4), due=MAY)
    harness.run(Reach.CHANGES)
    found = purchase_order(harness, order_id)
    assert (found["supplier"], found["warehouse"], found["open"]) == ("Ironworks Ltd", "2", True)
    assert [(each["sku"], each["quantity"], each["received"]) for each in found["lines"]] == [
        ("ANVIL", 10, 0),
        ("BELLOWS", 4, 0),
    ]
    harness.pass_time(1)
    receive(harness, order_id, anvils, "ANVIL", 6)
    harness.run(Reach.CHANGES)
    assert [each["received"] for each in purchase_order(harness, order_id)["lines"]] == [6, 0]
    harness.pass_time(1)
    receive(harness, order_id, anvils, "ANVIL", 4)
    receive(harness, order_id, bellows, "BELLOWS", 4)
    harness.run(Reach.CHANGES)
    assert purchase_order(harness, order_id)["open"] is False
    assert expected(harness, "ANVIL") == []


def test_what_is_expected_is_told_by_product_warehouse_and_day(harness):
    """BP-20: several orders for one SKU; what was received no longer counts."""
    order_from_supplier(harness, ("TONGS-S", 5), warehouse=3, due=JULY)
    order_id, (row,) = order_from_supplier(harness, ("TONGS-S", 8), due=JUNE)
    order_from_supplier(harness, ("TONGS-S", 2), due=JUNE)
    order_from_supplier(harness, ("TONGS-S", 1))
    harness.run(Reach.CHANGES)
    assert expected(harness, "TONGS-S") == [
        ("2", "2027-06-01", 10),
        ("3", "2027-07-01", 5),
        ("2", None, 1),
    ]
    harness.pass_time(1)
    receive(harness, order_id, row, "TONGS-S", 8)
    harness.run()
    assert expected(harness, "TONGS-S")[0] == ("2", "2027-06-01", 2)
    assert harness.shop_stock("TONGS-S") == 12 == harness.on_hand("TONGS-S")
    assert expected(harness, "TONGS-L") == []


def test_a_cancelled_purchase_order_brings_nothing(harness):
    order_id, _ = order_from_supplier(harness, ("FILE", 5), due=MAY)
    harness.run(Reach.CHANGES)
    assert expected(harness, "FILE") == [("2", "2027-05-01", 5)]
    harness.pass_time(1)
    order = harness.brightpearl.orders.find(str(order_id))
    harness.in_world(lambda: harness.brightpearl.orders.set_status(order, 5))
    harness.run(Reach.CHANGES)
    assert purchase_order(harness, order_id)["open"] is False
    assert expected(harness, "FILE") == []


def test_a_renamed_sku_keeps_what_is_on_its_way(harness):
    order_from_supplier(harness, ("RASP", 7), due=MAY)
    harness.run()
    product = harness.brightpearl.collection("products")[str(harness.brightpearl.products.by_sku["RASP"])]
    harness.pass_time(1)
    put_to_brightpearl(harness, f"product-service/product/{product['id']}/identity", {"sku": "RASP-NEW"})
    harness.run()
    assert expected(harness, "RASP-NEW") == [("2", "2027-05-01", 7)]


def test_the_shop_is_told_nothing_unless_the_setting_asks_for_it(harness):
    order_from_supplier(harness, ("BELLOWS", 5), due=JUNE)
    harness.run()
    assert told(harness, "BELLOWS") == {}


def test_the_shop_is_told_the_day_by_a_metafield_and_only_when_it_changes(harness):
    """BP-20: the first day on which one of the shop's warehouses gets more."""
    name = ("brightpearl", "expected_restock")
    first, (row,) = order_from_supplier(harness, ("HORN", 5), due=MAY)
    order_from_supplier(harness, ("HORN", 5), due=JULY)
    order_from_supplier(harness, ("TONGS-L", 5), due=JUNE)
    order_from_supplier(harness, ("TONGS-L", 5), due=MAY, warehouse=5)  # Dublin does not serve this shop
    harness.configure("bigcommerce", restock="metafield")
    harness.run()
    assert (told(harness, "HORN"), told(harness, "TONGS-L")) == ({name: "2027-05-01"}, {name: "2027-06-01"})
    harness.mark()
    harness.run()
    assert harness.calls("bigcommerce", path="metafields") == []
    harness.pass_time(1)
    receive(harness, first, row, "HORN", 5)
    harness.run()
    assert told(harness, "HORN") == {name: "2027-07-01"}
    harness.configure("bigcommerce", restock="none")
    harness.run()
    assert (told(harness, "HORN"), told(harness, "TONGS-L")) == ({}, {})


def test_restock_dates_go_ten_a_call(lone):
    lone.configure("bigcommerce", restock="metafield")
    skus = ["MUG", "TRAY", "BOOK", "SEAT", "NORTH", "TEE-S", "TEE-M"]
    order_from_supplier(lone, *((sku, 3) for sku in skus), due=MAY)
    lone.run()
    assert {sku: list(told(lone, sku).values()) for sku in skus} == {sku: ["2027-05-01"] for sku in skus}
    assert len(lone.calls("bigcommerce", path="metafields")) == 1


def test_a_restock_date_whose_answer_was_lost_is_there_once(lone):
    lone.run()
    order_from_supplier(lone, ("MUG", 3), due=MAY)
    lone.configure("bigcommerce", restock="metafield")
    lone.fault("bigcommerce", "apply_then_drop", "POST", "metafields", count=1)
    for _ in range(3):
        lone.run()
        lone.pass_time(60)
    assert list(told(lone, "MUG").values()) == ["2027-05-01"]
    assert len(lone.calls("bigcommerce", "POST", "metafields")) == 1
