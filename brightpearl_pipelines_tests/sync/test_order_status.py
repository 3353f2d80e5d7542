"""Status and cancellation, from Brightpearl to the shop (BC-30, BP-06, BP-12)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.sandbox.world import DraftLine
from brightpearl_pipelines.sync.explain import trace, why
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import product_line


def bp_status(harness, number, status_id):
    """A person gives the sales order another status in Brightpearl."""
    order_id = harness.order(number)["id"]
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.orders.set_status(harness.order(number), status_id))
    return order_id


def unpaid(harness, *lines, **changes):
    """An order that nothing was taken for: Brightpearl cancels only such ones (brightpearl.md §5.4)."""
    number = harness.place(*lines, **changes)
    harness.edit_order(number, payment_status="pending")
    harness.run(Reach.CHANGES)
    return number


def ignored(results, connection):
    return next(
        each.counts.ignored
        for each in results
        if (each.step, each.entity, each.connection) == ("published", "order", connection)
    )


def test_an_order_cancelled_in_brightpearl_is_cancelled_in_the_shop_once_and_does_not_come_back(harness):
    """BC-30, I10: our own status write comes back as order/statusUpdated and changes nothing."""
    number = unpaid(harness, ("SEAT", 2))
    bp_status(harness, number, 5)
    harness.mark()
    harness.run()
    assert harness.shop_order(number)["status_id"] == 5
    assert [each for each in harness.writes() if "orders" in each] == [
        f"PUT {each['path']}" for each in harness.calls("bigcommerce", "PUT", f"/orders/{number}")
    ]
    harness.notify("bigcommerce", "store/order/statusUpdated", {"data": {"type": "order", "id": int(number)}})
    harness.mark()
    harness.run()
    harness.run()
    # The shop's own figure may have moved with the cancellation, so that stock goes again; nothing else does.
    assert [each for each in harness.writes() if "inventory" not in each] == []
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5


def test_a_cancellation_in_brightpearl_puts_its_units_on_sale_again(harness):
    number = unpaid(harness, ("NORTH", 3))
    harness.run()
    free = harness.shop_stock("NORTH")
    bp_status(harness, number, 5)
    harness.run()
    assert harness.shop_stock("NORTH") == free + 3 == harness.on_hand("NORTH")


def test_a_cancellation_from_the_shop_is_not_told_back_to_it(harness):
    number = unpaid(harness, ("MUG", 1))
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(number)))
    harness.run(Reach.CHANGES)
    harness.mark()
    harness.run(Reach.CHANGES)
    harness.run(Reach.CHANGES)
    assert harness.writes() == []


def test_a_status_that_nobody_mapped_is_held_and_not_guessed(harness):
    known = dict(harness.configuration.connection("brightpearl").settings.order_progress)
    del known[16]
    harness.configure("brightpearl", order_progress=known)
    number = unpaid(harness, ("MUG", 1))
    order_id = bp_status(harness, number, 16)
    harness.run(Reach.CHANGES)
    letter = next(each for each in harness.letters(connection="brightpearl") if each.subject == str(order_id))
    assert (letter.stage, letter.field, letter.value) == ("merge", "progress", "16 (On hold)")
    assert harness.shop_order(number)["status_id"] == 11
    harness.configure("brightpearl", order_progress={**known, 16: OrderStatus.OPEN})
    harness.retry_letters()
    harness.run(Reach.CHANGES)
    assert [each for each in harness.letters(connection="brightpearl") if each.subject == str(order_id)] == []


def test_orders_that_people_made_in_brightpearl_are_left_out_by_a_rule_whatever_their_status(harness):
    """BP-06: a UI-created order is read; being of no shop, it is nobody's order here."""
    harness.place(("MUG", 1))
    harness.run(Reach.CHANGES)
    contact = next(iter(harness.contacts()))["contactId"]
    body = {"orderTypeCode": "SO", "reference": "BY-HAND", "parties": {"customer": {"contactId": contact}}}
    made = harness.post_to_brightpearl("order-service/order", body)
    harness.configure("brightpearl", order_progress={3: OrderStatus.OPEN, 5: OrderStatus.CANCELLED})
    harness.in_world(lambda: harness.brightpearl.orders.set_status(harness.brightpearl.orders.find(made), 16))
    results = harness.run(Reach.CHANGES)
    mapped = next(each.counts for each in results if (each.step, each.entity) == ("mapped", "order"))
    assert mapped.ignored["order_of_no_shop"] >= 1
    assert [each for each in harness.letters() if each.subject == str(made)] == []


def test_a_shipped_order_is_told_by_its_shipment_and_by_no_status_of_ours(harness):
    """BigCommerce moves the status to 2 by itself (bigcommerce.md §2.7)."""
    number = harness.place(("MUG", 2))
    harness.run(Reach.CHANGES)
    order_id = str(harness.order(number)["id"])
    harness.in_world(lambda: harness.brightpearl.ship(order_id, tracking="T1"))
    bp_status(harness, number, 19)
    harness.mark()
    harness.run()
    harness.run()
    assert harness.calls("bigcommerce", "PUT", f"/orders/{number}") == []
    assert harness.shop_order(number)["status_id"] == 2
    assert len(harness.shipments(number)) == 1


def test_an_order_with_nothing_to_ship_is_shipped_when_brightpearl_says_so(harness):
    number = harness.place(
        product_line("PDF", 1), DraftLine("Voucher", 1, Decimal(10), kind="gift_certificate", tax_rate=Decimal(0))
    )
    harness.run(Reach.CHANGES)
    bp_status(harness, number, 19)
    harness.run(Reach.CHANGES)
    assert harness.shop_order(number)["status_id"] == 2


def test_the_shop_is_never_taken_back(harness):
    """What the shop shows as shipped stays so, whatever Brightpearl's status means."""
    harness.configure("bigcommerce", progress_statuses={OrderStatus.OPEN: 11, OrderStatus.CANCELLED: 5})
    number = harness.place(("MUG", 1))
    harness.run(Reach.CHANGES)
    harness.edit_order(number, status_id=10, status="Completed")
    bp_status(harness, number, 17)
    results = harness.run(Reach.CHANGES)
    assert ignored(results, "bigcommerce")["the_shop_is_further"] >= 1
    assert harness.shop_order(number)["status_id"] == 10


def test_a_cancellation_in_brightpearl_of_what_the_shop_has_shipped_is_held(harness):
    number = unpaid(harness, ("MUG", 1))
    harness.edit_order(number, status_id=2, status="Shipped")
    bp_status(harness, number, 5)
    harness.run(Reach.CHANGES)
    assert harness.shop_order(number)["status_id"] == 2
    letter = next(
        each
        for each in harness.letters(connection="bigcommerce", reason="cancelled_after_shipping")
        if each.payload["number"] == number
    )
    assert number in letter.sentence


def test_an_order_reopened_in_brightpearl_is_held_and_not_cancelled_again(harness):
    number = unpaid(harness, ("MUG", 1))
    bp_status(harness, number, 5)
    harness.run(Reach.CHANGES)
    harness.run(Reach.CHANGES)
    bp_status(harness, number, 3)
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).reason == "reopened_in_brightpearl"
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 3
    assert harness.shop_order(number)["status_id"] == 5


@pytest.mark.parametrize("kind", ["refuse", "drop", "apply_then_drop", "status"])
def test_a_status_write_that_is_cut_off_goes_again_and_once_is_enough(harness, kind):
    number = unpaid(harness, ("MUG", 1))
    bp_status(harness, number, 5)
    harness.fault("bigcommerce", kind, "PUT", rf".*/orders/{number}", count=1)
    harness.run(Reach.CHANGES)
    harness.run(Reach.CHANGES)
    assert harness.shop_order(number)["status_id"] == 5


def test_trace_and_why_tell_of_a_status_write_and_of_orders_of_no_shop(harness):
    number = unpaid(harness, ("MUG", 1))
    order_id = bp_status(harness, number, 5)
    contact = next(iter(harness.contacts()))["contactId"]
    body = {"orderTypeCode": "SO", "reference": "BY-HAND", "parties": {"customer": {"contactId": contact}}}
    stranger = harness.post_to_brightpearl("order-service/order", body)
    harness.run()
    harness.run()

    async def ask(engine):
        return trace(engine, number), [why(engine, "brightpearl", "orders", str(each)) for each in (order_id, stranger)]

    events, (ours, theirs) = harness.with_engine(ask)
    told = {(each.where, each.what, each.detail) for each in events}
    assert ("bigcommerce", "order status confirmed", "") in told
    assert ("brightpearl", "stands there as", "cancelled") in told
    assert theirs.verdict == "ignored"
    assert "order_of_no_shop" in theirs.sentences[1]
    assert ours.verdict in ("in_step", "ignored")
    assert str(order_id) in ours.sentences[0]
