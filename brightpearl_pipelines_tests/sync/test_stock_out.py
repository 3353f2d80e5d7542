"""One number per SKU at the shop (BC-09, BC-10, BC-11, BC-12, BP-13, I6, I7): judged by what the shop shows."""

from decimal import Decimal
from uuid import uuid4

import pytest

from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.store import deliveries
from brightpearl_pipelines.store.types import Delivery
from brightpearl_pipelines.sync.deliver import deliver
from brightpearl_pipelines.sync.run import perform, steps
from brightpearl_pipelines.sync.scope import Counts, Reach, Scope
from brightpearl_pipelines_tests.sync.goods import draft, product_line, small_world
from brightpearl_pipelines_tests.sync.harness import harnessed

HARDWARE = (
    Product("NAIL", "Nail", Decimal(1), stock={2: 100, 3: 10, 5: 1000}),
    Product("BOX", "Box of 10 nails", Decimal(9), components={"NAIL": 10}),
    Product("CRATE", "Crate of 2 boxes and a hammer", Decimal(30), components={"BOX": 2, "HAMMER": 1}),
    Product("HAMMER", "Hammer", Decimal(12), stock={2: 3}),
    Product("ROPE-1", "Rope 1 m", Decimal(1), family="Rope", options={"Length": "1"}, stock={2: 7}),
    Product("ROPE-2", "Rope 2 m", Decimal(2), family="Rope", options={"Length": "2"}, stock={3: 9}),
    Product("MANUAL", "Manual to download", Decimal(2), digital=True),
    Product("ABSENT", "Not sold in the shop", Decimal(2), stock={2: 4}),
    Product("STRANGER", "Not known to Brightpearl", Decimal(2), stock={2: 4}, in_brightpearl=False),
)
SOLD = [each.sku for each in HARDWARE if each.sku != "ABSENT"]


@pytest.fixture(scope="module")
def shared(embedded_server, encryption_key):
    """A hardware store, synchronised once; `ABSENT` is not offered in the shop."""
    with harnessed(embedded_server, encryption_key, world=small_world(*HARDWARE)) as made:
        made.in_world(lambda: made.bigcommerce.retire_product("ABSENT"))
        made.run()
        yield made


def correct(harness, sku, change, warehouse=2):
    harness.in_world(lambda: harness.brightpearl.correct_stock(sku, warehouse, change, "stock take"))


def adjustments(harness):
    return harness.calls("bigcommerce", "PUT", "inventory/adjustments/absolute")


def test_the_number_is_the_sum_over_the_shops_warehouses_and_no_other(harness):
    """Dublin's thousand nails are not this shop's (warehouses 2 and 3)."""
    assert harness.shop_stock("NAIL") == 110 == harness.on_hand("NAIL", 2, 3)


@pytest.mark.parametrize(("sku", "shown"), [("ROPE-1", 7), ("ROPE-2", 9)])
def test_variants_have_a_number_each(harness, sku, shown):
    assert harness.shop_stock(sku) == shown


def test_a_bundle_shows_what_its_scarcest_component_allows_in_one_warehouse(harness):
    """A parcel leaves from one warehouse: 10 boxes of the 100 nails in one and 1 of the 10 in the other."""
    assert harness.shop_stock("BOX") == 11


def test_a_bundle_in_a_bundle_is_computed_through(harness):
    """BC-09: two boxes are 20 nails: five crates, but there are three hammers."""
    assert harness.shop_stock("CRATE") == 3


def test_no_call_is_made_to_compute_bundles(harness):
    harness.mark()
    harness.run()
    assert harness.calls("brightpearl", path="bundle-availability") == []


def test_what_the_shop_does_not_count_is_left_out_by_a_named_rule(harness):
    results = harness.run(compare_all=True)
    (rules,) = [each.counts.ignored for each in results if (each.step, each.entity) == ("mapped", "stock_level")]
    assert rules["not_stock_tracked"] >= 1
    assert harness.shop_stock("MANUAL") is None


def test_only_what_changed_is_sent(harness):
    correct(harness, "HAMMER", 1)
    harness.mark()
    results = harness.run()
    assert harness.shop_stock("HAMMER") == harness.on_hand("HAMMER")
    assert len(adjustments(harness)) == 1
    (sent,) = [each for each in results if (each.step, each.entity) == ("published", "stock_level")]
    assert sent.counts.updated == 2  # the hammer, and the crate that it limits
    harness.mark()
    harness.run()
    assert adjustments(harness) == []


def test_a_component_moves_every_bundle_above_it(harness):
    before = harness.shop_stock("BOX"), harness.shop_stock("CRATE")
    correct(harness, "NAIL", -70)
    harness.run()
    assert (harness.shop_stock("BOX"), harness.shop_stock("CRATE")) == (4, 1)
    correct(harness, "NAIL", 70)
    harness.run()
    assert (harness.shop_stock("BOX"), harness.shop_stock("CRATE")) == before


def test_the_safety_stock_is_kept_back_and_the_number_is_never_below_nought(harness):
    harness.configure("bigcommerce", safety_stock=5)
    correct(harness, "ROPE-1", 1)
    correct(harness, "ROPE-2", -5, warehouse=3)
    harness.run()
    assert harness.shop_stock("ROPE-1") == harness.on_hand("ROPE-1") - 5
    assert harness.on_hand("ROPE-2") == 4
    assert harness.shop_stock("ROPE-2") == 0


def test_an_order_in_flight_is_taken_off_until_brightpearls_own_figure_shows_it(harness):
    """Brightpearl will not have the order yet; the units are promised all the same."""
    harness.fault("brightpearl", "status", "POST", "sales-order|multi-message", status=502)
    free = harness.on_hand("NAIL")
    number = harness.place(product_line("NAIL", 30))
    harness.run()
    assert number not in harness.orders_in_brightpearl()
    assert harness.on_hand("NAIL") == free
    assert harness.shop_stock("NAIL") == free - 30
    # Which warehouse they will leave is not known yet: no box may be shown that one of them could not serve.
    left = [max(harness.on_hand("NAIL", place) - 30, 0) for place in (2, 3)]
    assert harness.shop_stock("BOX") == sum(units // 10 for units in left)
    harness.calm()
    harness.pass_time(60)
    harness.run()
    assert harness.reserved(number) == {"NAIL": 30}
    assert harness.on_hand("NAIL") == free - 30 == harness.shop_stock("NAIL")
    harness.run()
    assert harness.shop_stock("NAIL") == free - 30


def test_a_figure_read_before_the_reservation_does_not_count_the_order_twice_or_never(harness):
    """The figure is read, then the order is reserved, and no newer figure comes in the same run."""
    free = harness.on_hand("HAMMER")
    number = harness.place(product_line("HAMMER", 1))
    harness.run(Reach.CHANGES)  # a sweep of changes reads no stock that no webhook named
    assert harness.reserved(number) == {"HAMMER": 1}
    assert harness.shop_stock("HAMMER") == free - 1
    harness.run(Reach.EVERYTHING)
    assert harness.shop_stock("HAMMER") == free - 1 == harness.on_hand("HAMMER")


def test_a_bundle_in_flight_promises_its_components(harness):
    harness.fault("brightpearl", "status", "POST", "sales-order|multi-message", status=502)
    nails = harness.on_hand("NAIL")
    number = harness.place(product_line("CRATE", 1))
    harness.run()
    assert number not in harness.orders_in_brightpearl()
    assert harness.shop_stock("NAIL") == nails - 20
    assert harness.shop_stock("HAMMER") == harness.on_hand("HAMMER") - 1
    harness.calm()
    harness.pass_time(60)
    harness.run()
    assert harness.shop_stock("NAIL") == harness.on_hand("NAIL") == nails - 20


def test_an_order_that_is_held_stays_promised_and_gives_back_when_it_is_cancelled(harness):
    free = harness.on_hand("ROPE-1")
    number = harness.place(product_line("ROPE-1", 2), product_line("STRANGER", 1))
    harness.run()
    assert harness.held_order(number).reason == "reference_not_found"
    assert harness.shop_stock("ROPE-1") == free - 2
    harness.run()
    assert harness.shop_stock("ROPE-1") == free - 2
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(number)))
    harness.run()
    assert harness.shop_stock("ROPE-1") == free == harness.on_hand("ROPE-1")


def test_a_sale_and_a_cancellation_that_come_to_the_same_number_leave_the_right_one(harness):
    """The shop puts back what is cancelled; one box less makes ten nails less: the shop moved, our number did not."""
    first = harness.place(product_line("NAIL", 10))
    harness.run()
    shown = harness.shop_stock("NAIL")
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(first)))
    harness.place(product_line("BOX", 1))
    assert harness.shop_stock("NAIL") == shown + 10
    harness.run()
    assert harness.on_hand("NAIL") == shown == harness.shop_stock("NAIL")


def test_a_shop_that_takes_stock_when_it_ships_shows_the_right_number_too(harness):
    """bigcommerce.md §4.4: update_stock_behavior may be order_completed_or_shipped."""
    harness.bigcommerce.settings["inventory"] = {
        **harness.bigcommerce.settings["inventory"],
        "update_stock_behavior": "order_completed_or_shipped",
    }
    number = harness.place(product_line("NAIL", 4))
    harness.run()
    assert harness.shop_stock("NAIL") == harness.on_hand("NAIL")
    order_id = str(harness.order(number)["id"])
    harness.in_world(lambda: harness.brightpearl.ship(order_id, tracking="T"))
    harness.run()
    harness.run()
    assert harness.shop_order(number)["status_id"] in (2, 10)
    assert harness.shop_stock("NAIL") == harness.on_hand("NAIL")


def test_an_unreachable_brightpearl_never_becomes_a_nought(harness):
    """Peer 14 of field-lessons: unreachable is not zero."""
    harness.run(compare_all=True)
    shown = {sku: harness.shop_stock(sku) for sku in SOLD}
    harness.fault("brightpearl", "status", "GET", "product-availability", status=503)
    harness.mark()
    results = harness.run(compare_all=True)
    assert any(each.counts.paused for each in results)
    assert {sku: harness.shop_stock(sku) for sku in SOLD} == shown


def test_a_product_that_brightpearl_has_no_figure_of_is_not_sent_as_nought(harness):
    """The availability of one product is left out of the answer."""
    fresh = Product("FRESH", "Fresh", Decimal(2))
    harness.in_world(lambda: harness.bigcommerce.add_product(fresh))
    harness.in_world(lambda: harness.brightpearl.add_product(fresh))
    harness.mark()
    results = harness.run(Reach.CHANGES)
    (rules,) = [each.counts.ignored for each in results if (each.step, each.entity) == ("mapped", "stock_level")]
    assert rules.get("no_figure_yet") == 1
    assert adjustments(harness) == []


def test_the_number_is_read_back_since_the_shop_takes_its_time(harness):
    """§4.1: the write is accepted first and applied later."""
    harness.bigcommerce.settings["inventory_delay_seconds"] = 4.0
    correct(harness, "ROPE-1", 3)
    harness.mark()
    harness.run()
    assert harness.shop_stock("ROPE-1") == harness.on_hand("ROPE-1")
    assert len(adjustments(harness)) == 1
    assert len(harness.calls("bigcommerce", "GET", "v3/inventory/items")) > 2


def test_a_number_that_never_appears_is_sent_again(harness):
    """Accepted and forgotten: only the read-back can know."""
    correct(harness, "ROPE-1", 2)
    harness.bigcommerce.settings["inventory_delay_seconds"] = 100_000.0
    harness.run()
    assert harness.shop_stock("ROPE-1") != harness.on_hand("ROPE-1")
    harness.bigcommerce.settings["inventory_delay_seconds"] = 0.1
    for _ in range(2):
        harness.pass_time(60)
        harness.run()
    assert harness.shop_stock("ROPE-1") == harness.on_hand("ROPE-1")


def test_one_item_that_the_shop_refuses_does_not_stop_the_others(harness):
    """§4.1: one bad item refuses the whole payload; it is halved until that one stands alone."""
    for sku in ("ROPE-1", "HAMMER", "NAIL"):
        correct(harness, sku, 1)
    harness.run(Reach.EVERYTHING, connection="brightpearl")
    variant = harness.bigcommerce.variant_of_sku("ROPE-2")
    correct(harness, "ROPE-2", 1, warehouse=3)
    index = harness.bigcommerce.collections["inventory"]
    assert index
    harness.in_world(lambda: harness.bigcommerce.retire_product("ROPE-2"))
    # The shop's products are not read again, so the run still believes in the variant.
    harness.run(entity="stock_level")
    assert all(harness.shop_stock(sku) == harness.on_hand(sku) for sku in ("ROPE-1", "HAMMER", "NAIL"))
    letter = harness.letter(entity="stock_level")
    assert (letter.reason, letter.subject.partition(":")[2].partition(":")[0]) == ("refused", "ROPE-2")
    assert variant is not None


def test_two_thousand_numbers_go_in_one_call(embedded_server, encryption_key):
    """X-05: 2,000 items a call; 2,010 numbers are two calls."""
    many = [Product(f"P{i:04}", f"Thing {i}", Decimal(1), stock={2: 1}) for i in range(2010)]
    with harnessed(embedded_server, encryption_key, world=small_world(*many)) as harness:
        wanted = {each.sku: n % 50 + 2 for n, each in enumerate(many)}
        with harness.store.transaction() as tx:
            deliveries.plan(tx, [_number(harness, sku, quantity) for sku, quantity in wanted.items()])
        target = harness.configuration.connection("bigcommerce").system.target("stock_level")
        counts = Counts()
        harness.with_engine(lambda engine: deliver(engine, "bigcommerce", target, counts))
        assert len(adjustments(harness)) == 2
        assert counts.updated == 2010
        assert {sku: harness.shop_stock(sku) for sku in wanted} == wanted


def _number(harness, sku, quantity):
    variant = harness.bigcommerce.variant_of_sku(sku)
    identity = {"product_id": variant["product_id"]}
    body = {"sku": sku, "variant": variant["id"], "identity": identity, "numbers": {"1": quantity}}
    payload = {"body": body, "agreed": {"quantity at 1": quantity}}
    return Delivery("bigcommerce", "stock_level", uuid4(), "set_stock", f"stock:{sku}:v1", payload)


def test_several_orders_at_once_never_show_more_than_there_is(harness):
    """I6: published ≤ available − in flight, at every step of a day with sales, cancellations and stock takes."""
    skus = ("NAIL", "HAMMER", "BOX")
    numbers = []
    for step in range(4):
        numbers.append(harness.place(draft(product_line("NAIL", step + 1), product_line("BOX", 1))))
        if step % 2:
            harness.in_world(lambda: harness.bigcommerce.cancel_order(int(numbers.pop(0))))
        correct(harness, "NAIL", -step)
        harness.pass_time(1)
        harness.run(Reach.EVERYTHING if step % 2 else Reach.CHANGES)
        assert all(harness.shop_stock(sku) >= 0 for sku in skus)
        assert harness.shop_stock("NAIL") <= harness.on_hand("NAIL") + step  # the stock take may not be read yet
    harness.run(Reach.EVERYTHING)
    assert harness.shop_stock("NAIL") == harness.on_hand("NAIL")
    assert harness.shop_stock("BOX") == harness.on_hand("NAIL", 2) // 10 + harness.on_hand("NAIL", 3) // 10


def test_what_is_sold_while_a_run_is_busy_is_not_put_back_on_sale(harness):
    """bigcommerce.md §8.8: the shop counts the sale down at once; a number reckoned before would lift it again."""
    correct(harness, "ROPE-1", 1)  # so that a number goes out
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": str(product_id(harness, "ROPE-1"))})
    before = harness.on_hand("ROPE-1")

    async def busy(engine):
        for step in steps(engine.configuration):
            if (step.name, step.entity) == ("mapped", "stock_level"):
                harness.place(product_line("ROPE-1", 2))
            await perform(engine, step, Scope(reach=Reach.CHANGES))

    harness.with_engine(busy)
    assert harness.on_hand("ROPE-1") == before  # Brightpearl does not have the order yet
    assert harness.shop_stock("ROPE-1") == before - 2
    harness.run()
    assert harness.shop_stock("ROPE-1") == harness.on_hand("ROPE-1") == before - 2


def product_id(harness, sku):
    return harness.brightpearl.products.by_sku[sku]
