"""Looking without touching, and repair: dry run, trace, why, reconcile, a day again (X-56, X-73)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.configuration import ConfigurationError
from brightpearl_pipelines.sync.explain import trace, why
from brightpearl_pipelines.sync.reconcile import reconcile
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.clerk import set_quantity
from brightpearl_pipelines_tests.sync.goods import draft, person
from brightpearl_pipelines_tests.sync.harness import money, total_of


def changes(results):
    return [change for each in results for change in each.changes]


def ask(harness, question, *arguments):
    async def answered(engine):
        return question(engine, *arguments)

    return harness.with_engine(answered)


# -- dry run ------------------------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_anywhere(harness):
    """X-73: neither in the systems nor in our own tables, watermarks included."""
    harness.run()
    number = harness.place(draft(("MUG", 2), person=person("Dora Dry")))
    before, systems = harness.row_counts(), (harness.state("brightpearl"), harness.state("bigcommerce"))
    harness.mark()
    harness.run(dry_run=True)
    assert harness.writes() == []
    assert harness.row_counts() == before
    assert (harness.state("brightpearl"), harness.state("bigcommerce")) == systems
    harness.run()
    assert harness.reserved(number) == {"MUG": 2}


def test_a_dry_run_says_what_it_would_write_with_the_orders_total(harness):
    number = harness.place(draft(("MUG", 2), person=person("Dina Dry")))
    planned = {change.key: change for change in changes(harness.run(dry_run=True))}
    order = planned[f"order:bigcommerce:{number}"]
    assert (order.connection, order.entity, order.kind) == ("brightpearl", "order", "create")
    total = harness.shop_order(number)["total_inc_tax"]
    assert order.total == {"currency": "GBP", "total": str(money(total))}
    assert {name: new for name, _, new in order.fields}["externalRef"] == f"bigcommerce:{number}"
    payment = planned[f"payment:bigcommerce-{number}-payment"]
    assert Decimal(payment.total["total"]) == money(total)
    assert [each.kind for each in planned.values() if each.entity == "customer"] == ["create"]
    harness.run()


def test_a_dry_run_shows_the_value_that_is_there_beside_the_one_it_would_get(harness):
    who = person("Doris Diff", phone="1")
    harness.place(draft(("BOOK", 1), person=who))
    harness.run()
    harness.in_world(lambda: harness.brightpearl.correct_stock("TRAY", 2, 3, "found"))
    shown = harness.shop_stock("TRAY")
    planned = changes(harness.run(dry_run=True))
    (stock,) = [each for each in planned if each.entity == "stock_level" and each.key.startswith("stock:TRAY:")]
    assert list(stock.fields) == [("quantity at 1", shown, shown + 3)]
    assert harness.shop_stock("TRAY") == shown
    harness.run()


def test_a_dry_run_of_what_is_in_step_plans_nothing(harness):
    harness.run()
    assert changes(harness.run(dry_run=True)) == []


# -- trace and why ------------------------------------------------------------------------------------------------


def test_trace_tells_an_orders_path_from_the_webhook_to_the_parcel(harness):
    """X-56: source event, reading, every write with its time, in their order."""
    number = harness.place(("MUG", 1))
    harness.notify("bigcommerce", "store/order/created", {"data": {"type": "order", "id": int(number)}})
    harness.run()
    order_id = str(harness.order(number)["id"])
    harness.pass_time(5)
    harness.in_world(lambda: harness.brightpearl.ship(order_id, tracking="T-TRACE"))
    harness.run()
    story = ask(harness, trace, number)
    told = [each.what for each in story]
    for what in (
        f"order {number} placed",
        "order create confirmed",
        "order reserve confirmed",
        "payment record confirmed",
        "shipment create confirmed",
    ):
        assert what in told, told
    assert told.index("order create intended") < told.index("order create confirmed")
    assert told.index("order create confirmed") < told.index("shipment create confirmed")
    times = [each.at for each in story if each.at]
    assert times == sorted(times)
    assert [each.what for each in ask(harness, trace, order_id)] == told


def test_trace_of_an_order_that_is_held_tells_why_and_when_it_was_let_go(harness):
    number = harness.place(("LAMP", 1))
    harness.run()
    assert "held: reference_not_found" in [each.what for each in ask(harness, trace, number)]


def test_trace_of_an_order_that_nobody_knows_is_empty(harness):
    assert ask(harness, trace, "no-such-order") == []


def test_why_answers_for_every_fate_of_an_order(harness):
    """Nothing is silent: in step, held, left out, waiting, unknown."""
    done = harness.place(("MUG", 1))
    held = harness.place(("LAMP", 1))
    unpaid = harness.place(draft(("MUG", 1), status_id=7))
    harness.run()
    fresh = harness.place(("MUG", 1))
    verdicts = {
        number: ask(harness, why, "bigcommerce", "orders", number) for number in (done, held, unpaid, fresh, "999999")
    }
    assert verdicts[done].verdict == "in_step"
    assert any("Brightpearl" in each or "brightpearl" in each for each in verdicts[done].sentences)
    assert verdicts[held].verdict == "held"
    assert any("LAMP" in each for each in verdicts[held].sentences)
    assert verdicts[unpaid].verdict == "ignored"
    assert any("order_awaiting_payment" in each for each in verdicts[unpaid].sentences)
    assert verdicts[fresh].verdict == "unknown"
    assert verdicts["999999"].verdict == "unknown"


def test_why_says_that_a_write_waits_and_for_what(harness):
    harness.run()
    number = harness.place(draft(("MUG", 1), person=person("Wim Waits")))
    harness.fault("brightpearl", "status", "POST", "sales-order|multi-message", status=502)
    harness.run()
    found = ask(harness, why, "bigcommerce", "orders", number)
    assert found.verdict == "pending"
    assert any(f"order:bigcommerce:{number}" in each for each in found.sentences)
    harness.calm()
    harness.pass_time(400)
    harness.run()
    assert ask(harness, why, "bigcommerce", "orders", number).verdict == "in_step"


def test_why_names_the_streams_and_connections_that_there_are(harness):
    with pytest.raises(LookupError, match="orders"):
        ask(harness, why, "bigcommerce", "no-such-stream", "1")
    with pytest.raises(ConfigurationError, match="brightpearl, bigcommerce"):
        ask(harness, why, "no-such-connection", "orders", "1")


# -- reconcile ----------------------------------------------------------------------------------------------------


def reports(harness, **more):
    found = harness.with_engine(lambda engine: reconcile(engine, **more))
    return {(each.connection, each.entity): each for each in found}


def test_what_is_in_step_is_equal_in_every_field_and_penny(harness):
    """X-51: both sides compared by key and mapped fields, money totals included."""
    for _ in range(2):
        harness.place(draft(("MUG", 1), ("HAMPER", 1), person=person("Erik Equal")))
    harness.run()
    found = reports(harness)
    assert {key for key, each in found.items() if each.unexplained} == set()
    orders = found["brightpearl", "order"]
    assert orders.compared == orders.equal >= 2
    booked = sum(money(each["totalValue"]["total"]) for each in harness.orders_in_brightpearl().values())
    assert orders.totals["GBP"] == (booked, booked)


def test_a_contact_that_was_changed_unnoticed_is_found_and_repaired(harness):
    number = harness.place(draft(("MUG", 1), person=person("Rolf Repair", phone="1")))
    harness.run()
    harness.pass_time(3600)  # beyond what a sweep reads again
    harness.place(draft(("MUG", 1), person=person("Lotte Later")))
    harness.run()
    harness.run()
    contact = harness.contact_of(number)
    contact["communication"]["telephones"]["PRI"] = "wrong"  # behind everybody's back: no new modified date
    report = reports(harness)["brightpearl", "customer"]
    assert [(each.field, each.ours, each.theirs) for each in report.differences] == [("phone", "1", "wrong")]
    assert harness.contact_of(number)["communication"]["telephones"]["PRI"] == "wrong"
    report = reports(harness, repair=True)["brightpearl", "customer"]
    assert report.repaired == 1
    assert report.differences == []
    assert harness.contact_of(number)["communication"]["telephones"]["PRI"] == "1"


def test_a_wrong_stock_number_is_found_and_repaired(harness):
    harness.run()
    number = harness.shop_stock("SEAT")
    harness.set_shop_stock("SEAT", 3)
    report = reports(harness)["bigcommerce", "stock_level"]
    assert [(each.key, each.ours, each.theirs) for each in report.differences] == [("SEAT", number, 3)]
    assert reports(harness, repair=True)["bigcommerce", "stock_level"].differences == []
    assert harness.shop_stock("SEAT") == number
    harness.mark()
    harness.run()
    assert harness.writes() == []


def test_an_order_that_was_changed_in_brightpearl_is_told_row_by_row(harness):
    number = harness.place(("MUG", 1), ("BOOK", 1))
    harness.run()
    line = str(harness.shop_lines(number)[0]["id"])
    before = harness.set_row_net(number, line, "1.0000")
    report = reports(harness)["brightpearl", "order"]
    (difference,) = report.differences
    assert (difference.key, difference.field) == (f"bigcommerce:{number}", f"line {line}")
    assert report.unexplained == 1, report.differences
    harness.set_row_net(number, line, before)


def test_a_difference_that_is_held_already_is_explained(harness):
    number = harness.place(("TRAY", 1))
    harness.run()
    harness.in_world(lambda: harness.brightpearl.ship(str(harness.order(number)["id"]), tracking="T1"))
    set_quantity(harness, number, "TRAY", 2)
    harness.run()
    assert harness.held_order(number).reason == "edited_after_dispatch"
    report = reports(harness)["brightpearl", "order"]
    mine = [each for each in report.differences if each.key == f"bigcommerce:{number}"]
    line = str(harness.shop_lines(number)[0]["id"])
    assert {each.field for each in mine} == {"total_net", "total_tax", f"line {line}"}
    assert all("edited_after_dispatch" in each.explained for each in mine)


def test_an_order_that_vanished_from_brightpearl_is_missing_in_the_report(harness):
    number = harness.place(("MUG", 1))
    harness.run()
    gone = harness.brightpearl.collection("orders").pop(str(harness.order(number)["id"]))
    report = reports(harness)["brightpearl", "order"]
    assert [(each.key, each.theirs) for each in report.differences if each.key.endswith(f":{number}")] == [
        (f"bigcommerce:{number}", "missing")
    ]
    harness.brightpearl.collection("orders")[str(gone["id"])] = gone


# -- a day again --------------------------------------------------------------------------------------------------


def test_a_day_whose_order_was_damaged_is_held_for_a_person_until_it_is_put_right(lone):
    number = lone.place(("MUG", 1), ("BOOK", 1))
    lone.run()
    day = lone.sandbox.clock.now().date()
    line = str(lone.shop_lines(number)[0]["id"])
    good = lone.set_row_net(number, line, "0.0100")
    lone.run(day=day)
    letter = lone.letter(entity="order")
    assert (letter.reason, letter.stage) == ("target_differs", "compare")
    assert number in letter.sentence
    lone.set_row_net(number, line, good)
    lone.run(day=day)
    assert lone.letters() == []


def test_a_day_that_we_never_read_is_read_by_its_repair(lone):
    number = lone.place(("MUG", 1))
    day = lone.sandbox.clock.now().date()
    results = lone.run(day=day)
    assert number in lone.orders_in_brightpearl()
    assert total_of(results, "failed") == 0


def test_given_ids_are_read_and_mapped_again_and_nothing_else(harness):
    harness.run()
    number = harness.place(("MUG", 1))
    other = harness.place(("MUG", 1))
    harness.run(connection="bigcommerce", ids=(number,))
    harness.run(Reach.EVENTS)
    assert number in harness.orders_in_brightpearl()
    assert other not in harness.orders_in_brightpearl()
