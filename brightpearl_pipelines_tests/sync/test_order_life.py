"""What an order goes through: held, released, paid late, edited, cancelled (BC-05, X-42, X-44, X-45)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import DraftLine, Product
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import draft, person, product_line
from brightpearl_pipelines_tests.sync.harness import money

DRONE = "Drone"


def ignored(results, step, entity):
    return next(each.counts.ignored for each in results if (each.step, each.entity) == (step, entity))


# -- held, named, released ----------------------------------------------------------------------------------------


def test_an_unmapped_shipping_method_holds_the_order_until_it_is_mapped(harness):
    number = harness.place(("MUG", 1), shipping_method=DRONE, shipping_price=Decimal(3))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.reason, letter.field, letter.value) == ("unmapped_value", "shipping_method", DRONE)
    assert "shipping_methods" in letter.suggestion
    assert number not in harness.orders_in_brightpearl()
    known = harness.configuration.connection("brightpearl").settings.shipping_methods
    harness.configure("brightpearl", shipping_methods={**known, DRONE: 2})
    harness.retry_letters()
    harness.run(Reach.CHANGES)
    assert harness.order(number)["delivery"]["shippingMethodId"] == 2
    assert [each for each in harness.letters(entity="order") if each.id == letter.id] == []


def test_a_tax_rate_without_a_code_holds_the_order_and_names_the_rate(harness):
    number = harness.place(product_line("MUG", 2, tax_rate=Decimal("12.5")))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.reason, letter.field) == ("unmapped_value", "tax")
    assert Decimal(letter.value) == pytest.approx(Decimal("12.5"), abs=Decimal("0.1"))
    assert number not in harness.orders_in_brightpearl()


def test_a_currency_without_a_price_list_holds_the_order(harness):
    harness.configure("brightpearl", price_lists={"GBP": 2})
    number = harness.place(draft(("MUG", 1), channel_id=2, currency="EUR"))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.reason, letter.field, letter.value) == ("unmapped_value", "currency", "EUR")


def test_a_channel_that_nobody_mapped_holds_the_order(harness):
    number = harness.place(draft(("MUG", 1), channel_id=9))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.field, letter.value) == ("channel", "9")
    assert number not in harness.orders_in_brightpearl()


def test_a_status_that_nobody_mapped_holds_the_order(harness):
    statuses = dict(harness.configuration.connection("bigcommerce").settings.order_statuses)
    del statuses["13"]
    harness.configure("bigcommerce", order_statuses=statuses)
    number = harness.place(draft(("MUG", 1), status_id=13))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.field, letter.value) == ("status", "13")


def test_an_unmapped_payment_method_holds_the_payment_and_not_the_order(harness):
    number = harness.place(draft(("MUG", 1), payment_method="Shells"))
    harness.run(Reach.CHANGES)
    assert harness.payments_of(number) == []
    letter = next(each for each in harness.letters(entity="payment") if each.payload["order_number"] == number)
    assert (letter.reason, letter.field, letter.value) == ("unmapped_value", "method", "Shells")
    methods = harness.configuration.connection("brightpearl").settings.payment_methods
    harness.configure("brightpearl", payment_methods={**methods, "Shells": "SHELL"})
    harness.retry_letters()
    harness.run(Reach.CHANGES)
    assert [each["paymentMethodCode"] for each in harness.payments_of(number)] == ["SHELL"]


def test_an_unknown_sku_holds_the_whole_order_which_goes_by_itself_when_the_product_comes(harness):
    """X-44; Brightpearl's own connector makes a free-text row of it, and the stock is never taken."""
    lantern = Product("LANTERN", "Lantern", Decimal(30), stock={2: 5}, in_brightpearl=False)
    harness.in_world(lambda: harness.bigcommerce.add_product(lantern))
    number = harness.place(("MUG", 1), product_line("LANTERN", 2))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.reason, letter.field, letter.value) == ("reference_not_found", "sku", "LANTERN")
    assert "LANTERN" in letter.sentence
    assert number not in harness.orders_in_brightpearl()
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).id == letter.id
    harness.in_world(lambda: harness.brightpearl.add_product(lantern))
    harness.run(Reach.CHANGES)
    assert harness.reserved(number) == {"MUG": 1, "LANTERN": 2}
    assert len(harness.payments_of(number)) == 1
    with pytest.raises(AssertionError, match="held by"):
        harness.held_order(number)


def test_a_sku_that_two_products_have_holds_the_order(harness):
    """Linnworks picks a random one of the two (field-lessons, peer 14)."""
    twin = Product("TWIN", "Twin", Decimal(30), stock={2: 5}, in_brightpearl=False)
    harness.in_world(lambda: harness.bigcommerce.add_product(twin))
    for name in ("Twin A", "Twin B"):
        made = Product("TWIN", name, Decimal(30), stock={2: 5})
        harness.in_world(lambda made=made: harness.brightpearl.add_product(made))
    number = harness.place(product_line("TWIN", 1))
    harness.run(Reach.CHANGES)
    letter = harness.held_order(number)
    assert (letter.reason, letter.field, letter.value) == ("ambiguous_reference", "sku", "TWIN")


def test_a_customer_who_is_held_holds_the_order_and_lets_it_go_again(harness):
    """Brightpearl's names have 32 characters; a longer one is not cut off silently."""
    long = person("Wolfeschlegelsteinhausenbergerdorff Long")
    number = harness.place(draft(("MUG", 1), person=long))
    harness.run(Reach.CHANGES)
    assert number not in harness.orders_in_brightpearl()
    letter = next(each for each in harness.letters(entity="customer") if each.field == "first_name")
    assert letter.value == "Wolfeschlegelsteinhausenbergerdorff"
    address = {**harness.shop_order(number)["billing_address"], "first_name": "Wolf"}
    harness.edit_order(number, billing_address=address)
    harness.run(Reach.CHANGES)
    assert harness.contact_of(number)["firstName"] == "Wolf"


# -- not yet an order ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "rule"), [(7, "order_awaiting_payment"), (0, "order_incomplete")])
def test_an_order_that_is_not_paid_yet_waits_by_a_named_rule_and_comes_when_it_is(harness, status, rule):
    buyer = person(f"Patience Wait{status}")
    number = harness.place(draft(("MUG", 1), status_id=status, person=buyer))
    results = harness.run(Reach.CHANGES)
    assert ignored(results, "published", "order").get(rule) == 1
    assert number not in harness.orders_in_brightpearl()
    assert not [each for each in harness.contacts() if each["lastName"] == f"Wait{status}"]
    harness.edit_order(number, status_id=11, status="Awaiting Fulfillment", payment_status="captured")
    harness.run(Reach.CHANGES)
    assert harness.reserved(number) == {"MUG": 1}
    assert len(harness.payments_of(number)) == 1


def test_an_order_that_was_only_authorised_is_paid_when_it_is_captured(harness):
    number = harness.place(("MUG", 1))
    harness.edit_order(number, payment_status="authorized")
    harness.run(Reach.CHANGES)
    assert [each["paymentType"] for each in harness.payments_of(number)] == ["AUTH"]
    harness.edit_order(number, payment_status="captured")
    harness.run(Reach.CHANGES)
    _, payment = harness.payments_of(number)
    assert money(payment["amountPaid"]) == money(harness.shop_order(number)["total_inc_tax"])


# -- edits --------------------------------------------------------------------------------------------------------


def double_first_line(harness, number):
    """A clerk makes two of one."""
    line = harness.shop_lines(number)[0]
    for name in ("total_ex_tax", "total_inc_tax", "total_tax", "discounted_total_inc_tax", "base_total"):
        line[name] = str(Decimal(line[name]) * 2)
    line["quantity"] *= 2
    order = harness.shop_order(number)
    harness.edit_order(number, **{name: str(Decimal(order[name]) * 2) for name in ("total_inc_tax", "total_tax")})


def test_an_edit_before_import_is_simply_what_is_imported(harness):
    number = harness.place(("TRAY", 1))
    double_first_line(harness, number)
    harness.run(Reach.CHANGES)
    assert harness.reserved(number) == {"TRAY": 2}


def test_an_edit_that_is_taken_back_lets_go_of_the_letter(harness):
    number = harness.place(("TRAY", 1))
    harness.run(Reach.CHANGES)
    address = harness.shop_order(number)["billing_address"]
    harness.edit_order(number, billing_address={**address, "street_1": "Elsewhere"})
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).field == "billing"
    harness.edit_order(number, billing_address=address)
    harness.run(Reach.CHANGES)
    assert [
        each
        for each in harness.letters(entity="order")
        if each.reason == "not_changeable" and each.payload["number"] == number
    ] == []


def test_a_change_of_status_or_of_notes_is_no_edit(harness):
    number = harness.place(("MUG", 1))
    harness.run(Reach.CHANGES)
    harness.edit_order(number, staff_notes="Ring twice", status_id=9, status="Awaiting Shipment")
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.writes() == []
    assert [each for each in harness.letters(entity="order") if (each.payload or {}).get("number") == number] == []


def test_an_order_that_was_shipped_before_it_was_imported_is_held(harness):
    number = harness.place(("MUG", 1))
    harness.edit_order(number, status_id=2, status="Shipped")
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).reason == "shipped_before_import"


# -- cancellation -------------------------------------------------------------------------------------------------


def cancel(harness, number):
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(number)))


def test_an_order_cancelled_before_import_never_comes_to_brightpearl(harness):
    """Cancelled before anything was made of it: nothing is made of it afterwards."""
    number = harness.place(draft(("MUG", 1), person=person("Nora Never")))
    cancel(harness, number)
    results = harness.run(Reach.CHANGES)
    assert ignored(results, "published", "order") == {"cancelled_before_import": 1}
    assert number not in harness.orders_in_brightpearl()
    assert not [each for each in harness.contacts() if each["lastName"] == "Never"]


def test_an_order_cancelled_before_dispatch_is_cancelled_in_brightpearl(harness):
    """Paid back once, the reservation gone, the status Cancelled, the stock free again."""
    number = harness.place(("SEAT", 3))
    harness.run()
    free = harness.on_hand("SEAT")
    assert harness.reserved(number) == {"SEAT": 3}
    cancel(harness, number)
    harness.run()
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5
    assert harness.reserved(number) == {}
    assert harness.on_hand("SEAT") == free + 3
    amounts = [(each["paymentType"], each["amountPaid"]) for each in harness.payments_of(number)]
    total = harness.order(number)["totalValue"]["total"]
    assert amounts == [("RECEIPT", total), ("PAYMENT", total)]
    assert harness.shop_stock("SEAT") == free + 3
    harness.mark()
    harness.run()
    assert harness.writes() == []


def test_an_unpaid_order_is_cancelled_without_any_payment(harness):
    number = harness.place(("MUG", 1))
    harness.edit_order(number, payment_status="pending")
    harness.run(Reach.CHANGES)
    cancel(harness, number)
    harness.run(Reach.CHANGES)
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5
    assert harness.payments_of(number) == []


def test_every_tender_of_a_cancelled_order_is_paid_back(harness):
    number = harness.place(("TRAY", 1))
    harness.edit_order(number, store_credit_amount="5.0000", gift_certificate_amount="10.0000")
    harness.run(Reach.CHANGES)
    cancel(harness, number)
    harness.run(Reach.CHANGES)
    back = {
        x["paymentMethodCode"]: x["amountPaid"] for x in harness.payments_of(number) if x["paymentType"] == "PAYMENT"
    }
    total = money(harness.shop_order(number)["total_inc_tax"])
    assert back == {"CREDIT": "5.00", "GIFT": "10.00", "CARD": str(total - 15)}
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5


def test_an_order_cancelled_after_dispatch_is_held_for_a_person(harness):
    number = harness.place(("MUG", 2))
    harness.run(Reach.CHANGES)
    order_id = str(harness.order(number)["id"])
    harness.in_world(lambda: harness.brightpearl.ship(order_id, tracking="T1"))
    cancel(harness, number)
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).reason == "cancelled_after_dispatch"
    assert harness.order(number)["orderStatus"]["orderStatusId"] != 5
    assert [each["paymentType"] for each in harness.payments_of(number)] == ["RECEIPT"]


def test_an_order_cancelled_while_it_is_held_is_let_go(harness):
    number = harness.place(("LAMP", 1))
    harness.run(Reach.CHANGES)
    assert harness.held_order(number).reason == "reference_not_found"
    cancel(harness, number)
    harness.run(Reach.CHANGES)
    assert [each for each in harness.letters(entity="order") if (each.payload or {}).get("number") == number] == []
    assert number not in harness.orders_in_brightpearl()


def test_an_order_that_waits_for_stock_can_be_cancelled(harness):
    """Nothing of it is reserved: the reservation that is tried again and again must not stand in the way."""
    scarce = Product("SCARCE", "Scarce", Decimal(9), stock={2: 1})
    harness.in_world(lambda: (harness.bigcommerce.add_product(scarce), harness.brightpearl.add_product(scarce)))
    harness.in_world(lambda: harness.brightpearl.correct_stock("SCARCE", 2, -1, "lost"))
    number = harness.place(product_line("SCARCE", 1))
    harness.run()
    assert harness.held_order(number).reason == "not_reserved"
    cancel(harness, number)
    harness.run()
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5
    assert [each for each in harness.letters(reason="not_reserved") if each.subject.endswith(f":{number}")] == []


def test_an_order_that_waits_for_stock_is_reserved_when_stock_comes(harness):
    awaited = Product("AWAITED", "Awaited", Decimal(9), stock={2: 1})
    harness.in_world(lambda: (harness.bigcommerce.add_product(awaited), harness.brightpearl.add_product(awaited)))
    harness.in_world(lambda: harness.brightpearl.correct_stock("AWAITED", 2, -1, "lost"))
    number = harness.place(product_line("AWAITED", 2), DraftLine("Engraving", 1, Decimal(5), kind="custom"))
    harness.run()
    assert harness.held_order(number).reason == "not_reserved"
    harness.in_world(lambda: harness.brightpearl.correct_stock("AWAITED", 2, 1, "found"))
    harness.pass_time(16 * 60)
    harness.run()
    assert harness.reserved(number) == {"AWAITED": 1}
    assert harness.held_order(number).reason == "not_reserved"
    harness.in_world(lambda: harness.brightpearl.correct_stock("AWAITED", 2, 5, "found"))
    harness.pass_time(16 * 60)
    harness.run()
    assert harness.reserved(number) == {"AWAITED": 2}
    assert [each for each in harness.letters(reason="not_reserved") if each.subject.endswith(f":{number}")] == []
