"""Events, positions, calls, the vault, conflicts."""

import threading
from datetime import timedelta
from uuid import UUID

from brightpearl_pipelines.store import calls, conflicts, events, positions, vault
from brightpearl_pipelines.store.types import ApiCall, Event, Position
from brightpearl_pipelines_tests.store.waiting import until_somebody_waits


def event(key, topic="store/order/created", connection="shop"):
    return Event(connection, key, topic, {"data": {"id": 7}})


def test_an_event_that_arrives_twice_is_kept_once(store, clock):
    with store.transaction() as tx:
        assert events.add(tx, event("a"))
        assert not events.add(tx, event("a"))
        assert events.add(tx, event("a", connection="other"))
        [kept] = events.pending(tx, "shop", None, 10)
    assert (kept.payload, kept.received_at) == ({"data": {"id": 7}}, clock.now())


def test_pending_events_are_found_by_the_beginning_of_their_topic(store):
    with store.transaction() as tx:
        for key, topic in [("1", "store/order/created"), ("2", "store/product/updated"), ("3", "store/cart_100%")]:
            events.add(tx, event(key, topic))

        def keys(topics, limit=10):
            return [each.key for each in events.pending(tx, "shop", topics, limit)]

        assert keys(None) == ["1", "2", "3"]
        assert keys(None, limit=1) == ["1"]
        assert keys(["store/order/", "store/product/"]) == ["1", "2"]
        assert keys(["store/cart_1", "%"]) == ["3"]
        assert keys([]) == []


def test_an_event_committed_late_is_not_passed_over(store):
    with store.transaction() as slow:
        events.add(slow, event("slow"))
        with store.transaction() as quick:
            events.add(quick, event("quick"))
        with store.transaction() as reader:
            seen = events.pending(reader, "shop", None, 10)
            events.finish(reader, seen)
    assert [each.key for each in seen] == ["quick"]
    with store.transaction() as tx:
        assert [each.key for each in events.pending(tx, "shop", None, 10)] == ["slow"]


def test_finished_events_are_counted_no_more_and_purged_when_old(store, clock):
    with store.transaction() as tx:
        for key in "abc":
            events.add(tx, event(key))
        events.finish(tx, events.pending(tx, "shop", None, 2))
        assert events.pending_count(tx) == {("shop", "store/order/created"): 1}
        assert events.purge(tx, clock.now()) == 0
        assert events.purge(tx, clock.now() + timedelta(seconds=1)) == 2
        assert events.add(tx, event("a"))
        assert not events.add(tx, event("c"))


def test_an_event_that_comes_again_is_looked_at_again(store):
    """BP-11: two changes within one second may share a key; the second must not be taken for a repetition."""
    with store.transaction() as tx:
        events.add(tx, event("a"))
        [read] = events.pending(tx, "shop", None, 10)
        events.add(tx, event("a"))  # while the first is being dealt with
        events.finish(tx, [read])
        [again] = events.pending(tx, "shop", None, 10)
        assert (again.id, again.arrivals) == (read.id, 2)
        events.finish(tx, [again])
        assert events.pending(tx, "shop", None, 10) == []
        assert not events.add(tx, event("a"))  # after it was dealt with
        assert len(events.pending(tx, "shop", None, 10)) == 1


def test_a_position_moves_only_in_the_parts_that_are_given(store, clock):
    with store.transaction() as tx:
        assert positions.get(tx, "merge orders") == Position()
        positions.move(tx, "merge orders", watermark=clock.now())
        positions.move(tx, "merge orders", version=7)
        positions.move(tx, "merge orders", token="delta-1")
        assert positions.get(tx, "merge orders") == Position(7, clock.now(), "delta-1")
        positions.move(tx, "merge orders", version=0)
        positions.move(tx, "extract", version=3)
        assert positions.all(tx) == {
            "extract": Position(3),
            "merge orders": Position(0, clock.now(), "delta-1"),
        }


def test_calls_are_kept_in_order_and_counted(store, clock):
    start = clock.now()

    def call(connection, seconds, status=200, error=None):
        return ApiCall(connection, start + timedelta(seconds=seconds), "GET", "/x", status, 12, 1, error, "run-1")

    lost = call("shop", 2, status=None, error="timed out\x00")
    with store.transaction() as tx:
        calls.log(tx, [lost, call("shop", 0), call("brightpearl", 1)])
        calls.log(tx, [])
        assert [each.connection for each in calls.since(tx, start)] == ["shop", "brightpearl", "shop"]
        assert calls.since(tx, start + timedelta(seconds=1), "shop")[0].error == "timed out\ufffd"
        assert calls.count_by_connection(tx, start + timedelta(seconds=1)) == {"brightpearl": 1, "shop": 1}


def test_the_vault_keeps_the_last_value(store):
    with store.transaction() as tx:
        assert vault.get(tx, "token") is None
        vault.put(tx, "token", {"access": "1"})
        vault.put(tx, "token", {"access": "2"})
        assert vault.get(tx, "token") == {"access": "2"}


def test_of_two_that_find_a_token_expired_one_renews_it_and_the_other_gets_the_new_one(store, database_url):
    found = []

    def other():
        with store.transaction() as tx:
            found.append(vault.locked(tx, "token"))

    thread = threading.Thread(target=other)
    with store.transaction() as tx:
        assert vault.locked(tx, "token") is None
        thread.start()
        until_somebody_waits(database_url)
        vault.put(tx, "token", {"access": "new"})
    thread.join()
    assert found == [{"access": "new"}]


def test_conflicts_are_listed_newest_first_with_both_values(store):
    with store.transaction() as tx:
        for number in range(3):
            conflicts.record(tx, "customer", UUID(int=1), "phone", "brightpearl", f"0{number}", "shop", None)
        found = conflicts.recent(tx, 2)
    assert [(each.field, each.winner_value, each.loser_value) for each in found] == [
        ("phone", "02", None),
        ("phone", "01", None),
    ]
