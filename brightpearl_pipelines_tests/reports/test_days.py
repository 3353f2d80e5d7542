"""The tie-out of a day of mixed trade, by the whole engine between two served emulators.

The judge of amounts is the emulators' own state; what explains a difference is what the test did.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from brightpearl_pipelines import reports
from brightpearl_pipelines.reports.entries import By, Kind
from brightpearl_pipelines.sandbox.world import DraftLine
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.reports.trade import enter_receipt, refund, settled, wrong_penny
from brightpearl_pipelines_tests.sync.goods import draft, person
from brightpearl_pipelines_tests.sync.harness import Harness, harnessed, money
from brightpearl_pipelines_tests.sync.test_order_edits import set_quantity
from brightpearl_pipelines_tests.sync.test_order_life import cancel


class Day:
    """A day of trade: orders by what is special about them, and what the report says of each."""

    def __init__(self, world: Harness) -> None:
        self.world = world
        self.orders: dict[str, str] = {}
        self.refunds: dict[str, list[str]] = {}
        self.found: list[reports.Document] = []

    def place(self, name, *lines, **changes):
        self.orders[name] = self.world.place(draft(*lines, person=person(f"Some {name.title()}"), **changes))
        return self.orders[name]

    def read(self):
        today = self.world.clock.now().date()
        self.found = reports.documents(self.world.store, self.world.configuration, today - timedelta(days=1), today)

    def of(self, name):
        return [each for each in self.found if each.entry.number == self.orders[name]]

    def one(self, name, kind=Kind.ORDER):
        """The only document of that kind that an order has."""
        (found,) = (each for each in self.of(name) if each.entry.kind is kind)
        return found

    def total(self, name):
        return money(self.world.shop_order(self.orders[name])["total_inc_tax"])


@pytest.fixture(scope="module")
def day(embedded_server, encryption_key) -> Iterator[Day]:
    with harnessed(embedded_server, encryption_key) as world:
        made = Day(world)
        _morning(made)
        settled(world)
        _afternoon(made)
        settled(world)
        made.read()
        yield made


def _morning(day):
    day.place("plain", ("MUG", 1), ("BOOK", 2))
    tenders = day.place("tenders", ("TRAY", 1))
    day.world.edit_order(tenders, store_credit_amount="5.0000", gift_certificate_amount="10.0000")
    badge = DraftLine("Badge", 7, Decimal("1.11"), kind="custom")
    rounded = day.place("rounded", ("MUG", 3), ("TRAY", 1), badge, discount=Decimal("3.33"))
    tax = Decimal(day.world.shop_order(rounded)["total_tax"])
    day.world.edit_order(rounded, total_tax=str(tax + Decimal("0.02")))
    day.place("held", ("LAMP", 2))
    long = person("Wolfeschlegelsteinhausenbergerdorff Long")
    day.orders["typed"] = day.world.place(draft(("MUG", 1), person=long))
    day.place("awaiting payment", ("MUG", 1), status_id=7)
    day.place("incomplete", ("MUG", 1), status_id=0)
    day.place("authorised", ("MUG", 1))
    day.world.edit_order(day.orders["authorised"], payment_status="authorized")
    cancel(day.world, day.place("never imported", ("MUG", 1)))
    for name in ("cancelled", "refunded", "refunded twice", "a penny off", "a penny and an edit", "paid twice"):
        day.place(name, ("MUG", 3))
    for name in ("edited", "edited late"):
        day.place(name, ("TRAY", 2))


def _afternoon(day):
    world = day.world
    cancel(world, day.orders["cancelled"])
    for name in ("refunded", "refunded twice", "refunded twice", "held"):
        day.refunds.setdefault(name, []).append(refund(world, day.orders[name]))
    wrong_penny(world, day.orders["a penny off"])
    edited = day.orders["a penny and an edit"]
    wrong_penny(world, edited)
    address = world.shop_order(edited)["billing_address"]
    world.edit_order(edited, billing_address={**address, "street_1": "Elsewhere"})
    enter_receipt(world, day.orders["paid twice"], "1.00")
    late = str(world.order(day.orders["edited late"])["id"])
    world.in_world(lambda: world.brightpearl.ship(late, tracking="T1"))
    for name in ("edited", "edited late"):
        set_quantity(world, day.orders[name], "TRAY", 3)


def sides(found):
    return (found.ours.amount if found.ours else None, found.theirs.amount if found.theirs else None)


def explanation(found):
    return found.explanation.by


# -- what agrees --------------------------------------------------------------------------------------------------


def test_an_order_that_came_over_is_one_document_with_the_amounts_of_both_sides(day):
    """BC-37, X-81: order, tax and payment of both sides, each from its own records."""
    order, payment = day.of("plain")
    number, total = day.orders["plain"], day.total("plain")
    assert sides(order) == (total, money(day.world.order(number)["totalValue"]["total"])) == (total, total)
    assert order.ours.tax == order.theirs.tax == money(day.world.shop_order(number)["total_tax"])
    assert (payment.entry.kind, payment.entry.key, sides(payment)) == (Kind.RECEIVED, f"{number}:CARD", (total, total))
    assert not order.differs
    assert not payment.differs


def test_each_tender_is_a_payment_of_its_own(day):
    received = {each.entry.method: sides(each) for each in day.of("tenders") if each.entry.kind is Kind.RECEIVED}
    rest = day.total("tenders") - 15
    assert received == {"GIFT": (10, 10), "CREDIT": (5, 5), "CARD": (rest, rest)}


def test_a_rounding_row_is_named_though_nothing_differs(day):
    """BC-21: the difference of an order is 0.00, or a row says what it is."""
    found = day.one("rounded")
    row = day.world.rows(day.orders["rounded"])["rounding"]["rowValue"]
    net, tax = Decimal(row["rowNet"]["value"]), Decimal(row["rowTax"]["value"])
    assert not found.differs
    assert (found.theirs.rounding, found.theirs.rounding_tax) == (net, tax)
    assert explanation(found) is By.ROUNDING_ROW


def test_an_authorisation_is_no_money(day):
    assert [each.entry.kind for each in day.of("authorised")] == [Kind.ORDER]


# -- what stands on one side only -------------------------------------------------------------------------------------


def test_an_order_that_is_held_is_explained_by_its_letter_and_so_is_its_payment(day):
    letter = day.world.held_order(day.orders["held"])
    order, payment = day.one("held"), day.one("held", Kind.RECEIVED)
    assert (order.theirs, explanation(order), order.explanation.dead_letter) == (None, By.HELD, letter.id)
    assert "reference_not_found" in order.explanation.sentence
    assert "LAMP" in order.explanation.sentence
    assert (payment.theirs, explanation(payment), payment.explanation.dead_letter) == (None, By.HELD, letter.id)


def test_a_refund_of_an_order_that_is_held_is_explained_too(day):
    kinds = {each.entry.kind for each in day.of("held")}
    assert kinds == set(Kind)
    assert all(each.theirs is None and not each.unexplained for each in day.of("held"))


def test_what_a_person_typed_is_not_in_the_explanation(day):
    found = day.one("typed")
    assert explanation(found) in (By.HELD, By.PENDING)
    assert "Wolfe" not in found.explanation.sentence


@pytest.mark.parametrize(("status", "counts"), [("awaiting payment", True), ("incomplete", False)])
def test_an_order_that_is_left_out_is_explained_by_the_rule(day, status, counts):
    found = day.one(status)
    assert sides(found) == (day.total(status) if counts else 0, None)
    assert (explanation(found), found.explanation.sentence) == (By.IGNORED, f"order_{status.replace(' ', '_')}")


def test_an_order_cancelled_before_import_counts_for_nothing_and_its_money_is_left_out_with_it(day):
    order, *payments = day.of("never imported")
    assert sides(order) == (0, None)
    assert (explanation(order), order.explanation.sentence) == (By.IGNORED, "cancelled_before_import")
    assert all(explanation(each) is By.IGNORED for each in payments)


def test_a_cancelled_order_counts_on_neither_side_and_its_money_went_back(day):
    assert sides(day.one("cancelled")) == (0, 0)
    back = day.one("cancelled", Kind.PAID_BACK)
    assert (sides(back), explanation(back)) == ((None, day.total("cancelled")), By.CANCELLED)
    assert not [each for each in day.of("cancelled") if each.unexplained]


def test_an_order_that_is_written_and_not_read_back_yet_is_a_matter_of_time(harness):
    number = harness.place(("MUG", 1))
    harness.run(Reach.CHANGES)
    today = harness.clock.now().date()
    found = [
        each
        for each in reports.documents(harness.store, harness.configuration, today, today)
        if each.entry.number == number
    ]
    assert {each.entry.kind: (each.theirs, explanation(each)) for each in found} == {
        Kind.ORDER: (None, By.TIMING),
        Kind.RECEIVED: (None, By.TIMING),
    }


def test_an_order_that_cannot_be_written_now_is_pending(harness):
    harness.fault("brightpearl", "status", "POST", "/order-service/sales-order", status=503)
    number = harness.place(draft(("MUG", 1), person=person("Petra Pending")))
    harness.run(Reach.CHANGES)
    today = harness.clock.now().date()
    found = reports.documents(harness.store, harness.configuration, today, today)
    order = next(each for each in found if (each.entry.number, each.entry.kind) == (number, Kind.ORDER))
    assert explanation(order) in (By.PENDING, By.HELD)
    assert f"order:bigcommerce:{number}" in order.explanation.sentence


# -- edits --------------------------------------------------------------------------------------------------------


def test_an_edit_that_came_over_leaves_the_order_equal(day):
    order = day.one("edited")
    assert sides(order) == (day.total("edited"), day.total("edited"))
    assert not [each for each in day.of("edited") if each.unexplained]


def test_an_edit_after_the_warehouse_has_begun_explains_the_order_and_its_payment(day):
    """BC-37: Brightpearl still holds what was written; the shop has moved on, and a letter says so."""
    order = day.one("edited late")
    assert order.theirs.amount < order.ours.amount == day.total("edited late")
    assert explanation(order) is By.HELD
    assert order.explanation.dead_letter == day.world.held_order(day.orders["edited late"]).id
    assert not [each for each in day.of("edited late") if each.unexplained]


# -- refunds ------------------------------------------------------------------------------------------------------


def test_a_refund_is_a_document_and_so_is_the_money_that_went_back(day):
    """BC-37: refunds by their own day, the shop's tax beside the credit's."""
    (name,) = day.refunds["refunded"]
    total = money(day.world.bigcommerce.need("refunds", name.partition("-")[2])["total_amount"])
    credited, back = day.one("refunded", Kind.REFUND), day.one("refunded", Kind.PAID_BACK)
    assert (credited.entry.key, sides(credited), credited.tax_difference) == (name, (total, total), 0)
    assert (back.entry.key, sides(back)) == (f"{name}:CARD", (total, total))
    assert not [each for each in day.of("refunded") if each.differs]


def test_several_refunds_of_one_order_are_documents_of_their_own(day):
    found = [each for each in day.of("refunded twice") if each.entry.kind is Kind.REFUND]
    assert [each.entry.key for each in found] == day.refunds["refunded twice"]
    assert not [each for each in day.of("refunded twice") if each.differs]


# -- what nothing explains ----------------------------------------------------------------------------------------


def test_what_nothing_explains_is_this_and_nothing_else(day):
    """BC-37, SF-55: the report cannot be content with a wrong penny, nor with money entered twice."""
    today = day.world.clock.now().date()
    found = reports.unexplained(day.world.store, day.world.configuration, today - timedelta(days=1), today)
    bad = {(each.entry.number, each.entry.kind): each.difference for each in found}
    assert bad == {
        (day.orders["a penny off"], Kind.ORDER): Decimal("0.01"),
        (day.orders["a penny and an edit"], Kind.ORDER): Decimal("0.01"),
        (day.orders["paid twice"], Kind.RECEIVED): Decimal("1.00"),
    }


def test_what_is_unexplained_says_what_is_known_all_the_same(day):
    assert "was written there" in day.one("a penny off").explanation.sentence


def test_a_letter_about_something_else_does_not_explain_a_penny(day):
    found = day.one("a penny and an edit")
    assert (found.difference, found.unexplained) == (Decimal("0.01"), True)


def test_an_order_that_is_gone_from_brightpearl_is_unexplained(harness):
    number = harness.place(("MUG", 1))
    settled(harness)
    harness.pass_time(1200)
    harness.place(("MUG", 1))
    settled(harness)
    with harness.store.transaction() as tx:
        tx.connection.execute(
            "DELETE FROM sync.record WHERE connection = 'brightpearl' AND stream = 'orders' AND id = %s",
            (str(harness.order(number)["id"]),),
        )
    harness.run(Reach.CHANGES)
    today = harness.clock.now().date()
    bad = reports.unexplained(harness.store, harness.configuration, today, today)
    assert (number, Kind.ORDER) in {(each.entry.number, each.entry.kind) for each in bad}
