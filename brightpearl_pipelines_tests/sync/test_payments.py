"""Payment states of the shop, each with its payment in Brightpearl (BC-05, BP-29)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sync.reconcile import reconcile
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import draft
from brightpearl_pipelines_tests.sync.harness import money


def types(harness, number):
    return [each["paymentType"] for each in harness.payments_of(number)]


def authorised(harness, *lines, **more):
    """An order whose payment is only authorised, as a gateway set to capture later leaves it; its number."""
    # A run may let a few seconds pass: what is pending must stay so until a test lets it settle.
    harness.emulator("bigcommerce").settings.update(payment_event="authorization", payment_delay_seconds=3600.0)
    return harness.place(draft(*lines, **more))


def test_an_authorised_order_is_imported_with_its_authorisation(harness):
    """BC-05: it ships; the promise is told with its amount and when it lapses, and is no money."""
    number = authorised(harness, ("TRAY", 1))
    harness.run(Reach.CHANGES)
    (promise,) = harness.payments_of(number)
    assert promise["paymentType"] == "AUTH"
    assert money(promise["amountAuthorized"]) == money(harness.shop_order(number)["total_inc_tax"])
    assert money(promise["amountPaid"]) == 0
    assert promise["expires"]
    assert harness.reserved(number) == {"TRAY": 1}
    assert harness.order(number)["orderPaymentStatus"] == "AUTHORIZED"


def test_a_capture_is_tied_to_its_authorisation_and_shares_no_reference_with_it(harness):
    """BP-29, field-lessons §0: an authorisation and its capture may not share a reference."""
    number = authorised(harness, ("TRAY", 1))
    harness.run(Reach.CHANGES)
    harness.post_to_shop(f"v3/orders/{number}/payment_actions/capture", {})
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["AUTH"]  # "capture pending" is no capture yet
    harness.pass_time(3700)
    harness.run(Reach.CHANGES)
    promise, taken = harness.payments_of(number)
    assert (promise["paymentType"], taken["paymentType"]) == ("AUTH", "CAPTURE")
    assert taken["transactionCode"] == promise["transactionRef"] != taken["transactionRef"]
    assert money(taken["amountPaid"]) == money(harness.shop_order(number)["total_inc_tax"])
    assert harness.order(number)["orderPaymentStatus"] == "PAID"
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.writes() == []


def test_an_authorisation_captured_before_it_was_seen_is_a_plain_receipt(harness):
    number = authorised(harness, ("TRAY", 1))
    harness.post_to_shop(f"v3/orders/{number}/payment_actions/capture", {})
    harness.pass_time(3700)
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["RECEIPT"]


def test_a_voided_authorisation_is_released(harness):
    number = authorised(harness, ("TRAY", 1))
    harness.run(Reach.CHANGES)
    harness.post_to_shop(f"v3/orders/{number}/payment_actions/void", {})
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["AUTH"]
    harness.pass_time(3700)
    harness.run(Reach.CHANGES)
    promise, release = harness.payments_of(number)
    assert (release["paymentType"], release["transactionCode"]) == ("VOID", promise["transactionRef"])
    assert release["amountAuthorized"] == promise["amountAuthorized"]
    assert harness.order(number)["orderPaymentStatus"] == "UNPAID"


def test_a_void_that_was_never_an_authorisation_in_brightpearl_writes_nothing(harness):
    number = authorised(harness, ("TRAY", 1))
    harness.post_to_shop(f"v3/orders/{number}/payment_actions/void", {})
    harness.pass_time(3700)
    harness.run(Reach.CHANGES)
    assert harness.payments_of(number) == []


def test_a_cancelled_order_releases_its_authorisation_once(harness):
    number = authorised(harness, ("TRAY", 1))
    harness.run(Reach.CHANGES)
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(number)))
    harness.run(Reach.CHANGES)
    harness.edit_order(number, payment_status="void")
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["AUTH", "VOID"]
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5


def test_a_captured_authorisation_goes_back_when_the_order_is_cancelled(harness):
    number = authorised(harness, ("TRAY", 1))
    harness.run(Reach.CHANGES)
    harness.edit_order(number, payment_status="captured")
    harness.run(Reach.CHANGES)
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.cancel_order(int(number)))
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["AUTH", "CAPTURE", "PAYMENT"]
    assert harness.order(number)["orderStatus"]["orderStatusId"] == 5


@pytest.mark.parametrize("status", ["pending", "declined", "held for review"])
def test_a_state_in_which_no_money_moved_makes_no_payment(harness, status):
    number = harness.place(("MUG", 1))
    harness.edit_order(number, payment_status=status)
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.payments_of(number) == []
    assert harness.calls("bigcommerce", path="transactions") == []


def test_an_ordinary_captured_order_costs_no_call_for_its_transactions(harness):
    for _ in range(3):
        harness.place(("MUG", 1))
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.calls("bigcommerce", path="transactions") == []


def test_an_order_paid_by_hand_is_paid_as_its_transactions_say(harness):
    """An order without any payment status: one call tells what was paid offline."""
    number = harness.place(draft(("TRAY", 1), payment_method="Bank Deposit"))
    harness.edit_order(number, payment_status="")
    harness.mark()
    harness.run(Reach.CHANGES)
    assert len(harness.calls("bigcommerce", path=f"orders/{number}/transactions")) == 1
    (receipt,) = harness.payments_of(number)
    assert (receipt["paymentType"], receipt["paymentMethodCode"]) == ("RECEIPT", "BANK")
    assert money(receipt["amountPaid"]) == money(harness.shop_order(number)["total_inc_tax"])


def test_an_order_without_transactions_is_unpaid(harness):
    """The shop answers 204 where there are none (bigcommerce.md §2.8)."""
    number = harness.place(draft(("TRAY", 1), payment_method="Manual"))
    (transaction,) = harness.bigcommerce.children("transactions", int(number))
    harness.in_world(lambda: harness.bigcommerce.index.children["transactions"].pop(int(number)))
    assert transaction["event"] == "purchase"
    harness.edit_order(number, payment_status="")
    harness.run(Reach.CHANGES)
    assert harness.payments_of(number) == []
    assert harness.order(number)["orderPaymentStatus"] == "UNPAID"


def test_a_capture_in_two_parts_is_recorded_in_two_parts(harness):
    """A status that is not documented lets the transactions speak; each part has a reference of its own."""
    number = harness.place(("TRAY", 2))
    (transaction,) = harness.bigcommerce.children("transactions", int(number))
    whole = money(transaction["amount"])
    harness.in_world(lambda: transaction.update(amount=20.0))
    harness.edit_order(number, payment_status="partially captured")
    harness.run(Reach.CHANGES)
    assert [money(each["amountPaid"]) for each in harness.payments_of(number)] == [Decimal(20)]
    harness.edit_order(number, payment_status="captured")
    harness.run(Reach.CHANGES)
    parts = harness.payments_of(number)
    assert [money(each["amountPaid"]) for each in parts] == [Decimal(20), whole - 20]
    assert len({each["transactionRef"] for each in parts}) == 2
    (report,) = [each for each in harness.with_engine(reconcile) if each.entity == "payment"]
    assert [each for each in report.differences if f"-{number}-" in each.key] == []


def test_a_partly_refunded_order_keeps_what_was_paid_on_it(harness):
    """What goes back stands on the credit, never on the order."""
    number = harness.place(("MUG", 2))
    line = harness.shop_lines(number)[0]["id"]
    harness.in_world(lambda: harness.bigcommerce.refund_order(int(number), [(line, 1)]))
    harness.run(Reach.CHANGES)
    assert types(harness, number) == ["RECEIPT"]
    (receipt,) = harness.payments_of(number)
    assert money(receipt["amountPaid"]) == money(harness.shop_order(number)["total_inc_tax"])
