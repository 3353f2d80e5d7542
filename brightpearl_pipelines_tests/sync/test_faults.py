"""Every kind of write meets every kind of fault: applied in the end, once (BC-08, X-05, X-42, X-50, I1, I2, I13)."""

import asyncio
from dataclasses import replace

import pytest

from brightpearl_pipelines.sync.run import run
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines_tests.sync.goods import draft, person
from brightpearl_pipelines_tests.sync.harness import fresh_store, money

WRITES = {
    "brightpearl": [
        ("POST", "contact-service/postal-address$"),
        ("PUT", "contact-service/contact/.*/postal-address"),
        ("PUT", "contact-service/postal-address/"),
        ("POST", "contact-service/contact$"),
        ("PATCH", "contact-service/contact/"),
        ("POST", "order-service/sales-order"),
        ("POST", "accounting-service/customer-payment"),
        ("POST", "/reservation/warehouse/"),
        ("PUT", "order-service/order/.*/status"),
    ],
    "bigcommerce": [
        ("POST", "/shipments"),
        ("PUT", "/shipments/"),
        ("DELETE", "/shipments/"),
        ("PUT", "inventory/adjustments/absolute"),
    ],
}
FAULTS = {
    "refused connection": {"kind": "refuse"},
    "answer lost": {"kind": "apply_then_drop"},
    "answer cut": {"kind": "truncate"},
    "500": {"kind": "status", "status": 500},
    "503 that is no throttle": {"kind": "status", "status": 503},
    "throttled": {"kind": "throttle"},
}
MOST_RUNS = 4


def until_quiet(harness, most=MOST_RUNS):
    """Runs, with a minute between, until one writes nothing; an AssertionError if that takes too many."""
    for _ in range(most):
        harness.mark()
        harness.run()
        if not harness.writes():
            return
        harness.pass_time(60)
    raise AssertionError(f"still writing after {most} runs: {harness.writes()}")


def everybody_named(harness, surname):
    return [each for each in harness.contacts() if each["lastName"] == surname]


class Story:
    """Something to write of every kind: an order to cancel, a parcel to tell, stock to set, customers new and moved."""

    def __init__(self, harness, name):
        self.harness, self.name = harness, name
        self.old = person(f"Olga Old{name}", phone="1")
        self.cancelled = harness.place(draft(("TRAY", 1), person=self.old))
        self.shipped = harness.place(draft(("MUG", 2), person=self.old))
        self.taken_back = harness.place(draft(("TEE-S", 1), person=self.old))
        self.corrected = harness.place(draft(("TEE-S", 1), person=self.old))
        harness.run()
        harness.pass_time(1)
        self.notes = [self.ship(each, "OLD") for each in (self.taken_back, self.corrected)]
        harness.run()

    def ship(self, number, tracking):
        harness = self.harness
        order_id = str(harness.order(number)["id"])
        return harness.in_world(lambda: harness.brightpearl.ship(order_id, tracking=f"{tracking}-{self.name}"))

    def happen(self):
        harness = self.harness
        harness.pass_time(2)
        harness.in_world(lambda: harness.bigcommerce.cancel_order(int(self.cancelled)))
        self.ship(self.shipped, "T")
        undone, mended = self.notes
        harness.in_world(lambda: harness.brightpearl.take_back(undone))
        harness.in_world(lambda: harness.brightpearl.correct_tracking(mended, f"NEW-{self.name}"))
        harness.notify("brightpearl", "goods-out-note.modified", {"id": mended})
        harness.in_world(lambda: harness.brightpearl.correct_stock("BOOK", 2, 1, "found"))
        moved = replace(self.old, phone="2", street_1="2 New Street")
        office = replace(moved, street_1="3 Office Park")
        self.moved = harness.place(draft(("MUG", 1), person=moved, ship_to=office))
        self.new = harness.place(draft(("HAMPER", 1), person=person(f"Nina New{self.name}")))

    def check(self):
        harness = self.harness
        for number in (self.moved, self.new):
            assert [each["paymentType"] for each in harness.payments_of(number)] == ["RECEIPT"]
        assert harness.reserved(self.moved) == {"MUG": 1}
        assert harness.reserved(self.new) == {"MUG": 3, "TRAY": 1, "SEAT": 1}
        assert len(everybody_named(harness, f"New{self.name}")) == 1
        (old,) = everybody_named(harness, f"Old{self.name}")
        assert old["communication"]["telephones"]["PRI"] == "2"
        addresses = harness.brightpearl.collection("postal_addresses")
        lived = [addresses[str(old["postAddressIds"][use])]["addressLine1"] for use in ("DEF", "BIL", "DEL")]
        assert lived == ["2 New Street", "2 New Street", "3 Office Park"]
        assert harness.order(self.cancelled)["orderStatus"]["orderStatusId"] == 5
        assert [x["paymentType"] for x in harness.payments_of(self.cancelled)] == ["RECEIPT", "PAYMENT"]
        (parcel,) = harness.shipments(self.shipped)
        assert parcel["tracking_number"] == f"T-{self.name}"
        assert harness.shipments(self.taken_back) == []
        assert harness.shop_order(self.taken_back)["status_id"] == 11
        assert [each["tracking_number"] for each in harness.shipments(self.corrected)] == [f"NEW-{self.name}"]
        for sku in ("MUG", "TRAY", "SEAT", "BOOK"):
            assert harness.shop_stock(sku) == harness.on_hand(sku), sku
        assert [each.sentence for each in harness.letters()] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_write_is_made_once_although_its_first_try_met_a_fault(harness, fault):
    harness.configure("brightpearl", multi_message=False)
    story = Story(harness, "".join(filter(str.isalnum, fault)))
    rules = [
        harness.fault(system, FAULTS[fault]["kind"], method, path, count=1, status=FAULTS[fault].get("status", 500))
        for system, writes in WRITES.items()
        for method, path in writes
    ]
    story.happen()
    until_quiet(harness)
    assert [(rule.method, rule.path) for rule in rules if rule.count] == []
    story.check()


@pytest.mark.parametrize("fault", ["refused connection", "answer lost", "500", "throttled"])
def test_ten_writes_in_one_call_are_made_once_each_although_the_call_met_a_fault(harness, fault):
    """X-50: ten ambiguous outcomes at once are looked up one by one (field-lessons §5.2)."""
    name = "Multi" + "".join(filter(str.isalnum, fault))
    buyers = [person(f"B{i} {name}", email=f"b{i}@{name}.example".lower()) for i in range(4)]
    numbers = [harness.place(draft(("MUG", 1), person=each)) for each in buyers]
    status = FAULTS[fault].get("status", 500)
    # In this order: postal addresses, contacts, orders, reservations, payments; each first try meets the fault.
    for skip in range(5):
        harness.fault("brightpearl", FAULTS[fault]["kind"], "POST", "multi-message", count=1, skip=skip, status=status)
    until_quiet(harness)
    for number in numbers:
        assert len(harness.payments_of(number)) == 1
        assert harness.reserved(number) == {"MUG": 1}
    assert len(everybody_named(harness, name)) == 4
    assert [each.sentence for each in harness.letters()] == []


def test_where_multi_messages_are_refused_single_calls_are_made(harness):
    """They were down for 17 hours once (field-lessons §0)."""
    harness.emulator("brightpearl").settings |= {"multi_message_enabled": False, "multi_message_refusal_status": 400}
    numbers = [harness.place(draft(("MUG", 1), person=person(f"Solo S{i}"))) for i in range(3)]
    harness.mark()
    until_quiet(harness)
    for number in numbers:
        assert len(harness.payments_of(number)) == 1
        assert harness.reserved(number) == {"MUG": 1}


def test_where_multi_messages_are_down_the_orders_still_come(harness):
    """As the outage is told by the gateway: 503 without a word about too many requests."""
    harness.emulator("brightpearl").settings |= {"multi_message_enabled": False, "multi_message_refusal_status": 503}
    numbers = [harness.place(draft(("MUG", 1), person=person(f"Down D{i}"))) for i in range(3)]
    until_quiet(harness, most=8)
    for number in numbers:
        assert len(harness.payments_of(number)) == 1
        assert harness.reserved(number) == {"MUG": 1}


def test_ten_writes_in_one_call_cost_one_call(harness):
    """X-05: the count of calls is what we engineer."""
    known = person("Ada Counted")
    harness.place(draft(("MUG", 1), person=known))
    harness.run()
    numbers = [harness.place(draft(("MUG", 1), person=known)) for _ in range(10)]
    harness.mark()
    harness.run()
    assert len([each for each in harness.writes() if "multi-message" in each]) == 3  # orders, reservations, payments
    assert [each for each in harness.writes() if "multi-message" not in each and "inventory" not in each] == []
    assert all(harness.reserved(number) == {"MUG": 1} for number in numbers)


def test_one_order_that_brightpearl_refuses_does_not_stop_the_nine_beside_it(harness):
    bad = harness.place(draft(("MUG", 1), person=person("Rob Refused"), shipping_method="Express"))
    good = [harness.place(draft(("MUG", 1), person=person(f"Gil Good{i}"))) for i in range(3)]
    known = harness.configuration.connection("brightpearl").settings.shipping_methods
    harness.configure("brightpearl", shipping_methods={**known, "Express": 77})
    harness.run()
    letter = harness.held_order(bad)
    assert (letter.stage, letter.reason) == ("deliver", "refused")
    assert "77" in letter.sentence
    assert bad not in harness.orders_in_brightpearl()
    assert all(len(harness.payments_of(number)) == 1 for number in good)
    harness.configure("brightpearl", shipping_methods=known)
    harness.retry_letters()
    harness.run()
    assert harness.order(bad)["delivery"]["shippingMethodId"] == 2
    assert len(harness.payments_of(bad)) == 1
    assert harness.letters() == []


def test_an_account_that_answers_existing_to_a_second_post_of_an_order_gets_no_second_one(harness):
    """§5.5 of the fact sheet leaves open what a repeated key gets; both ways must do."""
    harness.emulator("brightpearl").settings["duplicate_external_ref"] = "existing"
    number = harness.place(draft(("MUG", 1), person=person("Eve Existing")))
    harness.fault("brightpearl", "apply_then_drop", "POST", "sales-order", count=2)
    until_quiet(harness)
    assert len(harness.payments_of(number)) == 1


def test_an_outage_of_hours_only_delays(harness):
    """I13: nothing is lost, nobody need do anything afterwards."""
    number = harness.place(draft(("MUG", 1), person=person("Otto Outage")))
    harness.fault("brightpearl", "status", status=502)
    for _ in range(3):
        results = harness.run()
        assert any(each.counts.paused for each in results)
        harness.pass_time(3600)
    assert number not in harness.orders_in_brightpearl()
    harness.calm()
    until_quiet(harness)
    assert harness.reserved(number) == {"MUG": 1}
    assert len(harness.payments_of(number)) == 1
    assert harness.letters() == []


def test_a_call_that_always_fails_while_the_others_work_ends_the_run_and_is_told_after_many_tries(harness):
    """Tried at growing intervals, so that the run ends and the limit is not used up; a person hears of it, and nobody
    need do anything when it works again."""
    number = harness.place(draft(("MUG", 1), person=person("Ines Insistent")))
    harness.fault("brightpearl", "status", "POST", "sales-order", status=502)
    harness.mark()
    harness.run()
    assert len(harness.calls("brightpearl", "POST", "sales-order")) < 8
    assert harness.letters() == []
    for _ in range(10):
        harness.pass_time(700)
        harness.run(entity="order")
    assert harness.held_order(number).reason == "no_success_yet"
    harness.calm()
    harness.pass_time(700)
    until_quiet(harness)
    assert harness.reserved(number) == {"MUG": 1}
    assert len(harness.payments_of(number)) == 1
    assert harness.letters() == []


def test_an_outage_of_one_kind_of_call_for_hours_needs_nobodys_hand(harness):
    """The addresses of new customers cannot be made for a night."""
    number = harness.place(draft(("MUG", 1), person=person("Nils Night")))
    harness.fault("brightpearl", "status", "POST", "postal-address", status=502)
    for _ in range(14):
        harness.run(entity="customer")
        harness.pass_time(700)
    assert number not in harness.orders_in_brightpearl()
    harness.calm()
    until_quiet(harness)
    assert harness.reserved(number) == {"MUG": 1}
    assert harness.letters() == []


def test_what_was_found_sent_is_looked_up_and_not_sent_again(harness):
    """The cut came after the call went out: the order is there, though we never heard of it."""
    number = harness.place(draft(("MUG", 1), person=person("Lou Lookup")))
    harness.fault("brightpearl", "apply_then_drop", "POST", "sales-order", count=1)
    harness.mark()
    until_quiet(harness)
    posts = [each for each in harness.brightpearl.calls if each["path"].endswith("sales-order")]
    assert [each["fault"] for each in posts[-1:]] == ["apply_then_drop"]
    assert len(harness.payments_of(number)) == 1


def test_a_lost_database_makes_no_second_order_contact_payment_or_parcel(harness, embedded_server, encryption_key):
    """I2 where it hurts most: everything that we remember is gone, the targets' own keys remain."""
    story = Story(harness, "Lost")
    story.happen()
    until_quiet(harness)
    story.check()
    counts = {name: len(items) for name, items in harness.brightpearl.collections.items()}
    orders, payments = harness.orders_in_brightpearl(), harness.state("brightpearl")["customer_payments"]
    parcels = harness.state("bigcommerce")["shipments"]
    with fresh_store(embedded_server, encryption_key, harness.clock) as empty:
        amnesiac = replace(harness, store=empty)
        until_quiet(amnesiac)
    assert harness.orders_in_brightpearl().keys() == orders.keys()
    assert harness.state("brightpearl")["customer_payments"] == payments
    assert harness.state("bigcommerce")["shipments"] == parcels
    assert len(harness.brightpearl.collection("contacts")) == counts["contacts"]
    assert len(harness.brightpearl.collection("reservations")) == counts["reservations"]
    story.check()


def test_two_runs_at_once_do_everything_once(harness):
    """As when the sensor and a person start at the same moment."""
    names = [f"Twice{i}" for i in range(3)]
    numbers = [harness.place(draft(("MUG", 1), person=person(f"Tess {name}"))) for name in names]

    async def both():
        async with harness.engine() as one, harness.engine() as other:
            await asyncio.gather(run(one, Scope(Reach.EVERYTHING)), run(other, Scope(Reach.EVERYTHING)))

    asyncio.run(both())
    until_quiet(harness)
    for number, name in zip(numbers, names, strict=True):
        assert len(harness.payments_of(number)) == 1
        assert harness.reserved(number) == {"MUG": 1}
        assert len(everybody_named(harness, name)) == 1
    total = sum(money(harness.order(number)["totalValue"]["total"]) for number in numbers)
    assert total == sum(money(harness.shop_order(number)["total_inc_tax"]) for number in numbers)


def test_a_run_after_everything_is_done_makes_no_write_call(harness):
    until_quiet(harness)
    harness.mark()
    harness.run()
    assert harness.writes() == []
