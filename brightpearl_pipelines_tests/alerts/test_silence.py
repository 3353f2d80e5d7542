"""Silence is noticed: X-58, over a store of its own and a clock that the test moves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from brightpearl_pipelines.alerts.conditions import DAGSTER, GONE_AFTER, WATCH
from brightpearl_pipelines.store import alerts, budget, dead_letters, deliveries, events, goldens, positions
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Event, Golden
from brightpearl_pipelines.sync import publish
from brightpearl_pipelines.sync.hub import golden_id

MINUTE = timedelta(minutes=1)
ORDERS = "stale:stream:bigcommerce:orders"


def minutes(n: int) -> timedelta:
    return n * MINUTE


def test_a_time_in_which_every_round_finds_nothing_is_no_silence(running):
    """X-58: looking and finding nothing leaves a trace, so that a quiet night alarms nobody."""
    assert running.pass_time(minutes(2 * 60), syncing=True) == []
    assert running.open() == {}


def test_one_stream_that_stops_is_told_within_its_budget_and_its_return_once(running):
    """X-58: 10 minutes are what orders have by default."""
    assert running.pass_time(minutes(10), syncing=True, but="bigcommerce/orders") == []
    (told,) = running.pass_time(minutes(5), syncing=True, but="bigcommerce/orders")
    assert "[error] bigcommerce: orders were last read" in told
    assert "10 min are allowed" in told
    assert "bpp sync --connection bigcommerce --entity order" in told
    assert set(running.open()) == {ORDERS}
    back = running.pass_time(minutes(15), syncing=True)
    assert len(back) == 1
    assert "[over] bigcommerce: orders" in back[0]
    assert running.open() == {}
    assert running.pass_time(minutes(60), syncing=True) == []


def test_a_trouble_that_lasts_is_told_again_every_few_hours_and_not_more_often(running):
    running.settle(repeat_every="1h")
    said = running.pass_time(minutes(140), syncing=True, but="bigcommerce/orders")
    assert [text.partition(" bigcommerce")[0] for text in said] == ["*[error]", "*[error] still:", "*[error] still:"]


def test_what_comes_and_goes_is_one_trouble(running):
    """No storm: after the second time it is only over once it has been good for half an hour."""
    said = []
    for _ in range(10):
        said += running.pass_time(minutes(12), syncing=True, but="bigcommerce/orders")
        running.read()
    assert [text.partition(" bigcommerce")[0] for text in said] == ["*[error]", "*[over]", "*[error]"]
    (back,) = running.pass_time(minutes(60), syncing=True)
    assert "[over]" in back


def test_when_nothing_runs_any_more_one_alarm_comes_within_the_shortest_budget(running):
    """X-58: the scheduler is dead, so no run ever fails; the watch, a process of its own, still notices."""
    assert running.pass_time(minutes(10)) == []
    (told,) = running.pass_time(minutes(2))
    assert "[critical] Nothing has been synchronised for 11 min" in told
    # The budgets that run out after that say nothing new.
    assert running.pass_time(minutes(120)) == []
    assert set(running.open()) == {"stopped"}
    back = running.pass_time(minutes(10), syncing=True)
    assert len(back) == 1
    assert "[over] Nothing has been synchronised" in back[0]


def test_a_stream_that_was_never_read_is_told_too(house):
    house.look()
    said = house.pass_time(minutes(30), syncing=True, but="brightpearl/shipments")
    assert any("shipments have never been read to the end" in text for text in said)


def test_after_a_night_switched_off_the_budgets_begin_anew(running):
    """Everything was down, the watch too: what was started together gets its time before it is called late."""
    running.clock.advance(8 * 3600)
    running.look()
    assert running.ear.posts == []
    said = running.pass_time(minutes(12))
    assert len(said) == 1
    assert "Nothing has been synchronised for 11 min" in said[0]


def test_stock_that_was_not_read_in_full_for_a_night_is_told(running):
    """Webhooks only hint at stock: the nightly reading is what heals what they missed."""
    _budgeted(running, "brightpearl", inventory_in_full="1h")
    said = []
    for _ in range(13):
        with running.store.transaction() as tx:
            for name in positions.all(tx):
                if name.startswith("looked:"):
                    positions.move(tx, name)
        said += running.pass_time(minutes(5))
    assert len(said) == 1
    assert "brightpearl: inventory were last read in full 1 h" in said[0]


# -- flows --------------------------------------------------------------------------------------------------------


def _golden(house, entity: str, number: str) -> Golden:
    with house.store.transaction() as tx:
        golden = Golden(entity, golden_id(entity, "bigcommerce", number), {"number": number})
        goldens.put(tx, [golden])
    return golden


def _delivery(golden: Golden, key: str, **more) -> Delivery:
    return Delivery("brightpearl", golden.entity, golden.id, "order.create", key, {"body": {}}, **more)


def _planned(house, entity: str = "order") -> None:
    """All golden records were looked at by the planner."""
    with house.store.transaction() as tx:
        positions.move(tx, publish.consumer("brightpearl", entity), version=10**9)
        positions.move(tx, publish.consumer("bigcommerce", entity), version=10**9)


def test_a_golden_record_that_is_never_planned_is_told(running):
    _golden(running, "order", "1001")
    said = running.pass_time(minutes(15), syncing=True)
    assert any("brightpearl: orders to be written have waited for 11 min" in text for text in said)
    _planned(running)
    back = running.pass_time(minutes(5), syncing=True)
    assert all("[over]" in text for text in back)
    assert running.open() == {}


def test_a_write_that_is_not_made_is_told_and_one_that_is_made_is_not(running):
    golden = _golden(running, "order", "1001")
    _planned(running)
    with running.store.transaction() as tx:
        deliveries.plan(tx, [_delivery(golden, "a")])
    (told,) = running.pass_time(minutes(12), syncing=True)
    assert "brightpearl: orders to be written have waited" in told
    assert "records: 1" in told
    with running.store.transaction() as tx:
        (due,) = deliveries.due(tx, "brightpearl", "order", 10)
        deliveries.confirm(tx, [(due.id, "7", None)])
    assert len(running.pass_time(minutes(10), syncing=True)) == 1
    assert running.open() == {}


def test_a_long_queue_that_moves_is_a_warning_and_no_more(running):
    goods = [_golden(running, "order", str(1000 + n)) for n in range(40)]
    _planned(running)
    with running.store.transaction() as tx:
        deliveries.plan(tx, [_delivery(golden, str(n)) for n, golden in enumerate(goods)])
    said = []
    for _ in range(15):
        with running.store.transaction() as tx:
            deliveries.confirm(tx, [(deliveries.due(tx, "brightpearl", "order", 10)[0].id, "7", None)])
        running.read()
        said += running.pass_time(MINUTE)
    assert len(said) == 1
    assert "[warning]" in said[0]
    assert "it is catching up" in said[0]
    (worse,) = running.pass_time(minutes(15), syncing=True)
    assert "[error] worse: brightpearl: orders to be written" in worse


def test_what_waits_behind_a_dead_letter_is_told_by_the_letter_alone(running):
    golden = _golden(running, "order", "1001")
    _planned(running)
    with running.store.transaction() as tx:
        deliveries.plan(tx, [_delivery(golden, "a"), _delivery(golden, "b", after=["a"])])
        (due,) = deliveries.due(tx, "brightpearl", "order", 10)
        deliveries.mark_sent(tx, [due.id])
        deliveries.kill(tx, due.id, "no")
        dead_letters.hold(
            tx, DeadLetter("brightpearl", "deliver", "order", "a", "refused", "no", "mend it", golden_id=golden.id)
        )
    (told,) = running.pass_time(minutes(60), syncing=True)
    assert "1 order record is held: refused" in told


def test_webhooks_that_nobody_deals_with_make_their_stream_stale(running):
    with running.store.transaction() as tx:
        events.add(tx, Event("bigcommerce", "k", "store/order/updated", {"data": {"id": 1}}))
    said = running.pass_time(minutes(12), syncing=True)
    assert len(said) == 1
    assert "bigcommerce: orders of which webhooks told have not been read for 11 min" in said[0]


def test_a_webhook_that_comes_again_after_weeks_is_not_weeks_late(running):
    event = Event("bigcommerce", "k", "store/order/updated", {"data": {"id": 1}})
    with running.store.transaction() as tx:
        events.add(tx, event)
        events.finish(tx, events.pending(tx, "bigcommerce", None, 10))
    running.pass_time(minutes(30), syncing=True)
    with running.store.transaction() as tx:
        events.add(tx, event)
    running.look()
    assert running.open() == {}


# -- budgets ------------------------------------------------------------------------------------------------------


def _budgeted(house, name, **times):
    connection = house.configuration.connection(name)
    settings = connection.settings.model_validate({**connection.settings.model_dump(), "freshness": times})
    connections = {**house.configuration.connections, name: replace(connection, settings=settings)}
    house.configuration = replace(house.configuration, connections=connections)


def test_a_budget_may_be_longer_or_switched_off(running):
    """X-53: what counts as late is configured by stream."""
    _budgeted(running, "bigcommerce", orders="40m", products="off")
    assert running.pass_time(minutes(40), syncing=True, but="bigcommerce/orders") == []
    assert len(running.pass_time(minutes(5), syncing=True, but="bigcommerce/orders")) == 1
    assert "stale:stream:bigcommerce:products" not in {
        f"stale:{each.budget.kind}:{each.budget.connection}:{each.budget.name}" for each in running.look().freshness
    }


# -- connections --------------------------------------------------------------------------------------------------


def test_a_credential_that_is_refused_is_critical_at_once_and_hides_what_follows_from_it(running):
    """BP-03: the alert names the connection, and the other connection is not accused."""
    with running.store.transaction() as tx:
        budget.pause(tx, "brightpearl", reason="the refresh token was refused", probe_at=running.clock.now())
    running.look()
    (told,) = running.ear.texts
    assert told.startswith("*[critical] brightpearl: its credentials are not accepted, so the connection is paused")
    said = running.pass_time(minutes(90), syncing=True, but="brightpearl/orders")
    assert said == []
    with running.store.transaction() as tx:
        budget.resume(tx, "brightpearl")
    back = running.pass_time(minutes(5), syncing=True)
    assert len(back) == 1
    assert "[over] brightpearl: its credentials" in back[0]


def test_an_open_circuit_is_a_warning_and_worse_when_it_lasts(running):
    with running.store.transaction() as tx:
        budget.failed(tx, "bigcommerce", opens_at=1, first=minutes(1), longest=minutes(5), probing=False)
    running.look()
    (told,) = running.ear.texts
    assert "[warning] bigcommerce fails or does not answer since 09:00 UTC" in told
    (worse,) = running.pass_time(minutes(30), syncing=True)
    assert "[error] worse: bigcommerce fails" in worse


# -- who keeps watch ----------------------------------------------------------------------------------------------


def test_each_watcher_notices_when_the_other_one_ends(running):
    """X-58: Dagster's daemon is watched by `bpp watch`, and that by Dagster."""
    running.look(DAGSTER)
    said = running.pass_time(GONE_AFTER + MINUTE, syncing=True, watcher=WATCH)
    assert len(said) == 1
    assert "[critical] Dagster's sensors have not run for 6 min" in said[0]
    running.look(DAGSTER)
    said = running.pass_time(GONE_AFTER + MINUTE, syncing=True, watcher=DAGSTER)
    assert any("[error] `bpp watch` has not been heard of" in text for text in said)


def test_a_watcher_that_goes_in_good_order_is_not_missed(running):
    with running.store.transaction() as tx:
        alerts.leave(tx, WATCH)
    assert running.pass_time(minutes(30), syncing=True, watcher=DAGSTER) == []


def test_an_alert_that_a_person_closes_opens_anew_when_it_is_met_again(running):
    running.pass_time(minutes(15), syncing=True, but="bigcommerce/orders")
    (raised,) = running.open().values()
    with running.store.transaction() as tx:
        alerts.close(tx, raised.id)
    said = running.pass_time(MINUTE, syncing=True, but="bigcommerce/orders")
    assert len(said) == 1
    assert running.open()[ORDERS].id != raised.id
    with running.store.transaction() as tx, pytest.raises(LookupError):
        alerts.close(tx, raised.id)
