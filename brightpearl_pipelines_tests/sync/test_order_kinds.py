"""Kinds of orders, judged by what Brightpearl holds afterwards, to the penny (BC-01 to BC-05, BC-21, BP-12, BP-21)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.world import DraftLine, Product
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import ANNA, GUEST, draft, person, product_line
from brightpearl_pipelines_tests.sync.harness import money

MUM = person("Martha Mum", city="Cardiff", postcode="CF10 1AA")
UNCLE = person("Ulf Uncle", company="Uncle Ltd", city="Bath")
CERTIFICATE = DraftLine("Gift Certificate", 1, Decimal(25), kind="gift_certificate", tax_rate=Decimal(0))


def wrapped(sku, quantity, price, message="", **changes):
    return replace(
        product_line(sku, quantity, **changes),
        wrapping="Red paper",
        wrapping_price=Decimal(price),
        wrapping_message=message,
    )


def imported(harness, *lines, **changes):
    number = harness.place(*lines, **changes)
    harness.run(Reach.CHANGES)
    order, shop = harness.order(number), harness.shop_order(number)
    assert money(order["totalValue"]["total"]) == money(shop["total_inc_tax"])
    assert money(order["totalValue"]["taxAmount"]) == money(shop["total_tax"])
    return number


def notes(harness, number):
    order_id = harness.order(number)["id"]
    return [
        each["text"] for each in harness.brightpearl.collection("order_notes").values() if each["orderId"] == order_id
    ]


def value(row):
    return money(row["rowValue"]["rowNet"]["value"]), money(row["rowValue"]["rowTax"]["value"])


# -- several addresses, pickups -----------------------------------------------------------------------------------


def test_an_order_to_several_addresses_is_one_order_whose_note_names_the_others(harness):
    """One payment, discounts over all lines, one number: in pieces it would not tie out."""
    number = imported(
        harness,
        product_line("MUG", 2),
        replace(product_line("TRAY", 1), ship_to=MUM),
        replace(product_line("BOOK", 3), ship_to=UNCLE),
        discount=Decimal("5.00"),
        shipping_price=Decimal("3.33"),
    )
    order = harness.order(number)
    assert order["parties"]["delivery"]["addressFullName"] == "Anna Ashby"
    assert harness.reserved(number) == {"MUG": 2, "TRAY": 1, "BOOK": 3}
    (note,) = notes(harness, number)
    assert note.splitlines() == [
        "Not to the delivery address, but to Martha Mum, 1 Mum Street, Cardiff, CF10 1AA, GB: 1 × TRAY.",
        "Not to the delivery address, but to Ulf Uncle, Uncle Ltd, 1 Uncle Street, Bath, YO1 7HH, GB: 3 × BOOK.",
    ]
    assert len(harness.payments_of(number)) == 1


def test_an_order_that_is_fetched_is_billed_and_noted_and_its_status_reaches_the_shop(harness):
    """No parcel will ever tell the shop that it is done: Brightpearl's status does."""
    number = imported(harness, ("MUG", 2), pickup_at="Leeds store", shipping_method="Click & Collect")
    order = harness.order(number)
    assert order["delivery"]["shippingMethodId"] == 4
    assert order["parties"]["delivery"]["addressFullName"] == "Anna Ashby"
    assert notes(harness, number) == ["To be picked up by the customer at Leeds store."]
    assert harness.reserved(number) == {"MUG": 2}
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.ship(str(order["id"]), tracking="FETCHED"))
    harness.in_world(lambda: harness.brightpearl.orders.set_status(harness.order(number), 19))
    harness.run()
    assert harness.shop_order(number)["status_id"] == 2
    assert harness.shipments(number) == []


def test_a_pickup_order_that_a_program_made_through_the_shops_api_is_imported(harness):
    variant = harness.bigcommerce.variant_of_sku("MUG")
    billing = dict(harness.shop_order(harness.place(("BOOK", 1)))["billing_address"])
    body = {
        "billing_address": billing,
        "status_id": 11,
        "consignments": {
            "pickups": [
                {
                    "pickup_method_id": 1,
                    "pickup_method_display_name": "Click & Collect",
                    "location": {"name": "York store", "code": "YORK", "city": "York"},
                    "line_items": [{"product_id": variant["product_id"], "quantity": 2}],
                }
            ]
        },
    }
    number = str(harness.post_to_shop("v2/orders", body)["id"])
    harness.run(Reach.CHANGES)
    assert harness.reserved(number) == {"MUG": 2}
    assert notes(harness, number) == ["To be picked up by the customer at York store, York."]


# -- wrapping, tenders, everything at once ------------------------------------------------------------------------


def test_gift_wrapping_is_a_row_with_its_tax_and_its_message_a_note(harness):
    number = imported(harness, wrapped("MUG", 2, "1.50", "With love"), product_line("BOOK", 1))
    row = harness.rows(number)["wrapping"]
    assert (row["productName"], value(row)) == ("Gift wrapping", (money(3), money("0.60")))
    assert notes(harness, number) == ["Gift wrapping Red paper for 2 × MUG, with the message: With love."]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize(
    ("currency", "channel"), [("GBP", 1), ("EUR", 2)], ids=["in the base currency", "in another currency"]
)
def test_an_order_with_everything_at_once_comes_out_to_the_penny(harness, inclusive, currency, channel):
    """BC-02, BC-03, BC-21: coupon, wrapping, fee, shipping, digital, custom and certificate lines, three tenders."""
    number = imported(
        harness,
        wrapped("MUG", 3, "0.83"),
        product_line("SEAT", 1),
        product_line("PDF", 1),
        DraftLine("Engraving", 2, Decimal("7.49"), kind="custom"),
        CERTIFICATE,
        discount=Decimal("9.99"),
        coupon_code="WELCOME",
        fee_name="Oversize",
        fee_price=Decimal("4.95"),
        shipping_price=Decimal("3.33"),
        tax_inclusive=inclusive,
        currency=currency,
        channel_id=channel,
        gift_certificate=Decimal("12.34"),
        store_credit=Decimal("5.67"),
        person=ANNA,
    )
    rows, order, shop = harness.rows(number), harness.order(number), harness.shop_order(number)
    assert order["priceModeCode"] == ("INC" if inclusive else "EXC")
    assert order["currency"]["orderCurrencyCode"] == currency
    rate = Decimal(shop["store_default_to_transactional_exchange_rate"])
    assert Decimal(order["currency"]["exchangeRate"]) == rate
    for line in harness.shop_lines(number):
        assert sum(value(rows[str(line["id"])])) == money(line["discounted_total_inc_tax"]), line["name"]
    certificate = next(line for line in harness.shop_lines(number) if line["type"] == "giftcertificate")
    row = rows[str(certificate["id"])]
    assert (row["rowValue"]["taxCode"], value(row)[1], row["nominalCode"]) == ("T0", 0, "2200")
    paid = {each["paymentMethodCode"]: money(each["amountPaid"]) for each in harness.payments_of(number)}
    rest = money(shop["total_inc_tax"]) - money("12.34") - money("5.67")
    assert paid == {"GIFT": money("12.34"), "CREDIT": money("5.67"), "CARD": rest}
    assert order["orderPaymentStatus"] == "PAID"


def test_an_order_paid_by_gift_certificate_alone_is_paid_by_one_tender(harness):
    number = imported(harness, draft(product_line("BOOK", 1), gift_certificate=Decimal("12.00")))
    (payment,) = harness.payments_of(number)
    assert (payment["paymentMethodCode"], money(payment["amountPaid"])) == ("GIFT", money(12))


# -- who, and how it came about -----------------------------------------------------------------------------------


def test_two_orders_of_one_guest_are_two_orders_of_one_contact(harness):
    buyers = person("Gerda Guestly", registered=False)
    one, two = (imported(harness, ("MUG", 1), person=buyers) for _ in range(2))
    assert harness.shop_order(one)["customer_id"] == 0
    assert harness.contact_of(one)["contactId"] == harness.contact_of(two)["contactId"]


@pytest.mark.parametrize(("status", "comes"), [(0, False), (1, False), (7, False), (12, False), (13, True), (11, True)])
def test_an_order_that_a_clerk_typed_in_comes_when_its_status_says_so(harness, status, comes):
    """Incomplete, pending, awaiting payment or verification: not yet. Disputed is an order all the same."""
    number = harness.place(draft(("MUG", 1), status_id=status, source="manual", person=GUEST))
    harness.run(Reach.CHANGES)
    assert (number in harness.orders_in_brightpearl()) is comes
    if not comes:
        harness.edit_order(number, status_id=11, status="Awaiting Fulfillment")
        harness.run(Reach.CHANGES)
        assert harness.reserved(number) == {"MUG": 1}


def test_what_the_customer_wrote_is_a_note_on_the_order_and_added_only_once(harness):
    """Its answer is lost: it is found by its text before it goes again."""
    harness.fault("brightpearl", "apply_then_drop", "POST", "(/note|multi-message)", count=1)
    number = harness.place(draft(("MUG", 1), message="Ring twice, please"))
    for _ in range(3):
        harness.run(Reach.CHANGES)
        harness.pass_time(30)
    assert notes(harness, number) == ["Ring twice, please"]


def test_a_note_that_changes_is_added_to_the_first(harness):
    number = imported(harness, draft(("MUG", 1), message="Ring twice"))
    harness.edit_order(number, customer_message="Ring three times")
    harness.run(Reach.CHANGES)
    harness.mark()
    harness.run(Reach.CHANGES)
    assert notes(harness, number) == ["Ring twice", "Ring three times"]
    assert harness.writes() == []


# -- archived -----------------------------------------------------------------------------------------------------


def archive(harness, number):
    harness.edit_order(number, is_deleted=True)
    harness.notify("bigcommerce", "store/order/archived", {"data": {"type": "order", "id": int(number)}})


def test_an_order_archived_before_its_import_is_left_out_by_a_rule_and_comes_when_it_is_taken_back(harness):
    number = harness.place(("MUG", 1))
    archive(harness, number)
    results = harness.run(Reach.CHANGES)
    ignored = next(
        each.counts.ignored
        for each in results
        if (each.step, each.entity, each.connection) == ("published", "order", "brightpearl")
    )
    assert ignored.get("order_archived") == 1
    assert number not in harness.orders_in_brightpearl()
    harness.edit_order(number, is_deleted=False)
    harness.run(Reach.CHANGES)
    assert harness.reserved(number) == {"MUG": 1}


def test_archiving_an_order_that_was_imported_changes_nothing_in_brightpearl(harness):
    number = imported(harness, ("MUG", 1))
    before = harness.order(number)
    archive(harness, number)
    harness.run(Reach.CHANGES)
    assert harness.order(number) == before


# -- more than there is -------------------------------------------------------------------------------------------


def test_a_pre_order_is_accepted_before_there_is_any_stock_and_reserved_when_it_comes(harness):
    """BC-01, BP-28: short stock holds nothing but the reservation."""
    soon = Product("SOON", "Coming soon", Decimal(40), stock={2: 0})
    harness.in_world(lambda: (harness.bigcommerce.add_product(soon), harness.brightpearl.add_product(soon)))
    harness.run()
    number = imported(harness, product_line("SOON", 2))
    assert harness.held_order(number).reason == "not_reserved"
    assert harness.reserved(number) == {}
    harness.in_world(lambda: harness.brightpearl.correct_stock("SOON", 2, 5, "arrived"))
    harness.pass_time(16 * 60)
    harness.run()
    assert harness.reserved(number) == {"SOON": 2}
    assert harness.shop_stock("SOON") == 3
