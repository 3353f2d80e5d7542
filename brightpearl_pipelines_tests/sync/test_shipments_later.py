"""What happens to a parcel after it was told, and what the customer hears of it (BC-26, BC-27, BC-28, BC-29)."""

import pytest
from pydantic import ValidationError

from brightpearl_pipelines.sync.reconcile import reconcile
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines.systems.bigcommerce.carriers import Carrier
from brightpearl_pipelines_tests.sync.test_shipments_out import imported, ship, shipped, told

EMAILS_ON_SHIPPING = [2, 3]


def by_hand(harness, number, quantity, line=0, **more):
    """A clerk enters a shipment in the shop."""
    item = harness.shop_lines(number)[line]
    items = [{"order_product_id": item["id"], "quantity": quantity}]
    harness.pass_time(1)
    body = {"order_address_id": item["order_address_id"], "items": items, **more}
    return harness.post_to_shop(f"v2/orders/{number}/shipments", body)


def take_back(harness, note, **how):
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.take_back(note, **how))


def status(harness, number):
    return harness.shop_order(number)["status_id"]


def emails(harness, number):
    return [each["status_id"] for each in harness.bigcommerce.children("customer_emails", int(number))]


def notify_note(harness, what, note):
    harness.notify("brightpearl", f"goods-out-note.{what}", {"id": note})


# -- carriers -----------------------------------------------------------------------------------------------------


def test_the_shipping_method_says_who_carries_the_parcel(harness):
    """BC-27: by `carriers` in connections.yaml."""
    number = imported(harness, ("MUG", 1))
    order = harness.order(number)
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.ship(str(order["id"]), tracking="D1", shipping_method_id=2))
    harness.run(Reach.CHANGES)
    (parcel,) = harness.shipments(number)
    assert (parcel["tracking_carrier"], parcel["shipping_method"]) == ("dpd-uk", "Express")
    assert parcel["generated_tracking_link"]


def test_a_shop_s_own_integration_is_named_as_such(harness):
    number = imported(harness, ("MUG", 1))
    order = harness.order(number)
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.ship(str(order["id"]), tracking="R1", shipping_method_id=1))
    harness.run(Reach.CHANGES)
    (parcel,) = harness.shipments(number)
    assert (parcel["shipping_provider"], parcel["tracking_carrier"]) == ("royalmail", "")


def test_a_carrier_that_is_not_mapped_does_not_hold_the_parcel_up(harness):
    harness.configure("bigcommerce", carriers={})
    number = imported(harness, ("MUG", 1))
    ship(harness, number, tracking="U1")
    harness.run(Reach.CHANGES)
    (parcel,) = harness.shipments(number)
    assert (parcel["tracking_number"], parcel["tracking_carrier"], parcel["shipping_provider"]) == ("U1", "", "")


@pytest.mark.parametrize(
    "wrong",
    [{"tracking_carrier": "Royal Mail"}, {"tracking_carrier": "-dhl"}, {"shipping_provider": "carrier_x"},
     {"carrier": "dhl"}],
)  # fmt: skip
def test_a_carrier_that_cannot_be_one_is_refused_with_the_configuration(wrong):
    with pytest.raises(ValidationError):
        Carrier(**wrong)


@pytest.mark.parametrize(
    "right",
    [{"tracking_carrier": "4-72"}, {"tracking_carrier": "dpd-fr-reference"}, {"shipping_provider": "carrier_7"}],
)
def test_a_carrier_of_the_right_shape_passes(right):
    assert Carrier(**right).fields() == right


def test_a_tracking_number_that_the_shop_cannot_take_is_held(harness):
    number = imported(harness, ("MUG", 1))
    ship(harness, number, tracking="X" * 51)
    harness.run(Reach.CHANGES)
    letter = next(each for each in harness.letters(entity="shipment") if each.value == "X" * 51)
    assert letter.reason == "invalid_field"
    assert harness.shipments(number) == []


# -- corrections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["", "WRONG"])
def test_a_tracking_number_that_comes_later_changes_the_shipment(harness, first):
    """BC-27: by the note's webhook."""
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number, tracking=first)
    harness.run(Reach.CHANGES)
    harness.in_world(lambda: harness.brightpearl.correct_tracking(note, "RIGHT"))
    notify_note(harness, "modified", note)
    harness.run(Reach.EVENTS)
    assert told(harness, number) == [("RIGHT", {"MUG": 1})]
    harness.mark()
    harness.run(Reach.CHANGES)
    assert [each for each in harness.writes() if "shipments" in each] == []


def test_a_corrected_tracking_number_whose_webhook_was_lost_comes_with_the_repair_of_its_day(harness):
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number, tracking="WRONG")
    harness.run(Reach.CHANGES)
    harness.pass_time(2000)
    harness.in_world(lambda: harness.brightpearl.correct_tracking(note, "RIGHT"))
    harness.run(day=harness.clock.now().date(), entity="shipment")
    assert told(harness, number) == [("RIGHT", {"MUG": 1})]


# -- e-mails to customers -----------------------------------------------------------------------------------------


def test_a_shop_that_writes_to_its_customers_does_so_once_for_each_parcel(harness):
    """BC-29: whether it does is the shop's own setting; corrections and repeated runs cause no further one."""
    harness.bigcommerce.settings["emails_on_statuses"] = EMAILS_ON_SHIPPING
    number = imported(harness, ("MUG", 2))
    ship(harness, number, {"MUG": 1}, tracking="P1")
    harness.run(Reach.CHANGES)
    note = ship(harness, number, tracking="P2")
    for _ in range(2):
        harness.run(Reach.CHANGES)
    harness.in_world(lambda: harness.brightpearl.correct_tracking(note, "P2b"))
    notify_note(harness, "modified", note)
    harness.run(Reach.EVENTS)
    assert emails(harness, number) == [3, 2]


@pytest.mark.parametrize("kind", ["apply_then_drop", "truncate"])
def test_a_lost_answer_makes_no_second_email(harness, kind):
    """BC-29."""
    harness.bigcommerce.settings["emails_on_statuses"] = EMAILS_ON_SHIPPING
    number = imported(harness, ("MUG", 1))
    ship(harness, number, tracking="ONCE")
    harness.fault("bigcommerce", kind, "POST", "/shipments", count=1)
    for _ in range(3):
        harness.run(Reach.CHANGES)
        harness.pass_time(60)
    assert emails(harness, number) == [2]


def test_a_shop_that_does_not_write_to_its_customers_stays_silent(harness):
    """BC-29: nothing of ours asks for an e-mail."""
    number = imported(harness, ("MUG", 1))
    ship(harness, number)
    harness.run(Reach.CHANGES)
    assert emails(harness, number) == []


# -- taken back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destroy", [True, False])
def test_a_parcel_that_the_warehouse_took_back_is_taken_back_in_the_shop(harness, destroy):
    """BC-26: found by polling alone, since the order changed and is not wholly shipped."""
    number = imported(harness, ("MUG", 2))
    note = ship(harness, number)
    harness.run(Reach.CHANGES)
    assert status(harness, number) == 2
    harness.pass_time(3600)
    take_back(harness, note, destroy=destroy)
    harness.run(Reach.CHANGES)
    assert told(harness, number) == []
    assert shipped(harness, number) == {"MUG": 0}
    assert status(harness, number) == 11
    harness.mark()
    harness.run(Reach.CHANGES)
    assert [each for each in harness.writes() if "shipments" in each] == []


def test_a_webhook_is_enough_to_take_a_parcel_back(harness):
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number)
    harness.run(Reach.CHANGES)
    take_back(harness, note, destroy=True)
    notify_note(harness, "destroyed", note)
    harness.run(Reach.EVENTS)
    assert told(harness, number) == []


def test_the_repair_of_a_day_asks_for_notes_that_it_misses(harness):
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number)
    day = harness.clock.now().date()
    harness.run(Reach.CHANGES)
    take_back(harness, note, destroy=True)
    harness.run(day=day, entity="shipment")
    assert told(harness, number) == []
    assert status(harness, number) == 11


def test_one_parcel_of_two_is_taken_back_alone(harness):
    """BC-28: the order is partly shipped again."""
    number = imported(harness, ("MUG", 2), ("BOOK", 1))
    first = ship(harness, number, {"MUG": 2}, tracking="P1")
    ship(harness, number, tracking="P2")
    harness.run(Reach.CHANGES)
    take_back(harness, first)
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("P2", {"BOOK": 1})]
    assert status(harness, number) == 3


def test_a_parcel_taken_back_and_sent_again_is_told_again_once(harness):
    harness.bigcommerce.settings["emails_on_statuses"] = EMAILS_ON_SHIPPING
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number, tracking="A1")
    harness.run(Reach.CHANGES)
    for tracking in ("A2", "A3"):
        take_back(harness, note)
        harness.run(Reach.CHANGES)
        assert told(harness, number) == []
        ship(harness, number, tracking=tracking)
        for _ in range(2):
            harness.run(Reach.CHANGES)
        assert told(harness, number) == [(tracking, {"MUG": 1})]
    assert emails(harness, number) == [2, 2, 2]


def test_a_parcel_taken_back_before_the_shop_heard_of_it_is_never_told(harness):
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number)
    harness.fault("bigcommerce", "refuse", "POST", "/shipments", count=50)
    harness.run(Reach.CHANGES)
    take_back(harness, note)
    harness.calm()
    harness.pass_time(400)
    for _ in range(2):
        harness.run(Reach.CHANGES)
        harness.pass_time(60)
    assert told(harness, number) == []


def test_a_bundle_is_no_longer_shipped_when_one_of_its_parts_came_back(harness):
    number = imported(harness, ("SET", 1), ("BOOK", 1))
    mugs = ship(harness, number, {"MUG": 1, "BOOK": 1}, tracking="P1")
    ship(harness, number, {"TRAY": 1}, tracking="P2")
    harness.run(Reach.CHANGES)
    assert shipped(harness, number) == {"SET": 1, "BOOK": 1}
    take_back(harness, mugs, destroy=True)
    harness.run(Reach.CHANGES)
    assert shipped(harness, number) == {"SET": 0, "BOOK": 0}
    assert status(harness, number) == 11


@pytest.mark.parametrize("kind", ["apply_then_drop", "refuse"])
def test_taking_back_is_repeated_without_harm(harness, kind):
    number = imported(harness, ("MUG", 1))
    note = ship(harness, number)
    harness.run(Reach.CHANGES)
    take_back(harness, note)
    harness.fault("bigcommerce", kind, "DELETE", "/shipments", count=2)
    for _ in range(3):
        harness.run(Reach.CHANGES)
        harness.pass_time(60)
    assert told(harness, number) == []
    assert status(harness, number) == 11


# -- entered by hand ----------------------------------------------------------------------------------------------


def test_a_shipment_that_a_person_entered_is_recognised_and_gets_its_tracking_number(harness):
    number = imported(harness, ("MUG", 1))
    by_hand(harness, number, 1)
    note = ship(harness, number, tracking="HAND1")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("HAND1", {"MUG": 1})]
    assert [each for each in harness.letters(entity="shipment") if f":{note}:" in each.subject] == []


def test_a_part_that_a_person_entered_is_not_doubled_although_more_is_left_to_ship(harness):
    number = imported(harness, ("MUG", 3))
    by_hand(harness, number, 1)
    ship(harness, number, {"MUG": 1}, tracking="HAND2")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("HAND2", {"MUG": 1})]
    ship(harness, number, {"MUG": 1}, tracking="SECOND")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("HAND2", {"MUG": 1}), ("SECOND", {"MUG": 1})]


def test_another_tracking_number_is_another_parcel(harness):
    number = imported(harness, ("MUG", 2))
    by_hand(harness, number, 1, tracking_number="THEIRS")
    ship(harness, number, {"MUG": 1}, tracking="OURS")
    harness.run(Reach.CHANGES)
    assert told(harness, number) == [("THEIRS", {"MUG": 1}), ("OURS", {"MUG": 1})]


def test_two_notes_do_not_take_one_shipment_for_both_of_them(harness):
    number = imported(harness, ("MUG", 2))
    by_hand(harness, number, 1)
    ship(harness, number, {"MUG": 1}, tracking="N1")
    ship(harness, number, {"MUG": 1}, tracking="N2")
    harness.run(Reach.CHANGES)
    assert sorted(told(harness, number)) == [("N1", {"MUG": 1}), ("N2", {"MUG": 1})]


def test_a_shipment_that_a_person_entered_otherwise_is_held(harness):
    """Two mugs in the shop, one in the warehouse's parcel: a person must say what left."""
    number = imported(harness, ("MUG", 2))
    by_hand(harness, number, 2)
    note = ship(harness, number, {"MUG": 1}, tracking="ODD")
    harness.run(Reach.CHANGES)
    assert len(harness.shipments(number)) == 1
    letter = next(each for each in harness.letters(entity="shipment") if f":{note}:" in each.subject)
    assert letter.reason == "refused"
    assert "discard" in letter.suggestion


def test_a_shipment_that_a_person_entered_is_not_deleted_by_us(harness):
    number = imported(harness, ("MUG", 1))
    by_hand(harness, number, 1)
    note = ship(harness, number, tracking="KEEP")
    harness.run(Reach.CHANGES)
    take_back(harness, note)
    harness.run(Reach.CHANGES)
    assert len(harness.shipments(number)) == 1
    letter = next(each for each in harness.letters(reason="entered_by_hand") if f":{note}:" in each.subject)
    assert "Delete it in the shop" in letter.suggestion


# -- compared -----------------------------------------------------------------------------------------------------


def test_the_comparison_covers_lines_and_tracking_numbers(lone):
    """BC-28."""
    number = imported(lone, ("MUG", 2), ("BOOK", 1))
    ship(lone, number, tracking="CMP")
    lone.run(Reach.CHANGES)

    def differences():
        reports = lone.with_engine(reconcile)
        (report,) = [each for each in reports if each.entity == "shipment"]
        assert report.compared == 1
        return {(each.field, str(each.theirs)) for each in report.differences}

    assert differences() == set()
    (parcel,) = lone.shipments(number)
    parcel["tracking_number"] = "TYPO"
    assert differences() == {("tracking", "['TYPO']")}
