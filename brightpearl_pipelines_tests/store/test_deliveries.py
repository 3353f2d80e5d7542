from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from brightpearl_pipelines.store import deliveries
from brightpearl_pipelines.store.types import Delivery, DeliveryState

A, B = UUID(int=1), UUID(int=2)


def create(key, golden_id=A, *, after=(), connection="brightpearl", entity="order", kind="create"):
    return Delivery(connection, entity, golden_id, kind, key, {"ref": key}, after)


def plan(store, *rows):
    with store.transaction() as tx:
        return deliveries.plan(tx, rows)


def due(store, connection="brightpearl", entity="order", limit=100):
    with store.transaction() as tx:
        return deliveries.due(tx, connection, entity, limit)


def due_keys(store, **where):
    return [delivery.key for delivery in due(store, **where)]


def confirm(tx, id, external_id, answer):
    deliveries.confirm(tx, [(id, external_id, answer)])


def act(store, what, key, *arguments, connection="brightpearl"):
    with store.transaction() as tx:
        what(tx, deliveries.by_keys(tx, connection, [key])[key].id, *arguments)


def send(store, key):
    act(store, lambda tx, id: deliveries.mark_sent(tx, [id]), key)


def state(store, key):
    with store.transaction() as tx:
        return deliveries.by_keys(tx, "brightpearl", [key])[key].state


def test_an_intention_comes_back_whole(store, clock):
    assert plan(store, create("order/1", after=["customer/1"])) == 1
    with store.transaction() as tx:
        [delivery] = deliveries.by_golden(tx, A)
    assert delivery == Delivery(
        "brightpearl",
        "order",
        A,
        "create",
        "order/1",
        {"ref": "order/1"},
        ("customer/1",),
        id=delivery.id,
        created_at=clock.now(),
    )


def test_the_same_business_fact_is_intended_once_for_ever(store):
    assert plan(store, create("order/1"), create("order/1"), create("order/2", B)) == 2
    send(store, "order/1")
    act(store, confirm, "order/1", "500", None)
    assert plan(store, create("order/1"), create("order/1", connection="shop")) == 1
    assert state(store, "order/1") == DeliveryState.CONFIRMED


def test_deliveries_of_one_golden_record_go_one_after_the_other(store):
    plan(store, create("a1"), create("b1", B), create("a2"), create("b2", B))
    assert due_keys(store) == ["a1", "b1"]
    act(store, confirm, "a1", None, None)
    assert due_keys(store) == ["b1", "a2"]
    assert due_keys(store, limit=1) == ["b1"]


@pytest.mark.parametrize("blocker", ["sent", "failed", "dead"])
def test_what_is_unfinished_holds_back_what_comes_later_of_the_same_record_only(store, clock, blocker):
    plan(store, create("a1"), create("a2"), create("b1", B))
    send(store, "a1")
    if blocker == "failed":
        act(store, deliveries.fail, "a1", "503", clock.now() + timedelta(minutes=1))
    if blocker == "dead":
        act(store, deliveries.kill, "a1", "refused")
    assert "a2" not in due_keys(store)
    assert "b1" in due_keys(store)
    assert state(store, "a1") == blocker


def test_order_holds_across_entities_but_not_across_connections(store):
    plan(store, create("p", entity="product"), create("o"), create("s", connection="shop"))
    assert due_keys(store) == []
    assert due_keys(store, entity="product") == ["p"]
    assert due_keys(store, connection="shop") == ["s"]


def test_a_delivery_waits_until_all_that_it_comes_after_is_confirmed(store):
    plan(store, create("order", B, after=["customer", "product"]), create("customer"), create("product", UUID(int=3)))
    assert due_keys(store) == ["customer", "product"]
    act(store, confirm, "customer", "1", None)
    send(store, "product")
    assert due_keys(store) == ["product"]
    act(store, confirm, "product", "2", None)
    assert due_keys(store) == ["order"]


def test_a_key_of_another_connection_or_unknown_is_waited_for(store):
    plan(store, create("customer", connection="shop"), create("order", after=["customer"]))
    act(store, confirm, "customer", "1", None, connection="shop")
    assert due_keys(store) == []


def test_what_was_cut_off_comes_again_marked_as_sent(store):
    plan(store, create("a1"))
    send(store, "a1")
    [cut_off] = due(store)
    assert (cut_off.state, cut_off.attempts) == (DeliveryState.SENT, 1)
    send(store, "a1")
    assert due(store)[0].attempts == 2


def test_a_failed_delivery_is_due_when_its_time_has_come(store, clock):
    plan(store, create("a1"))
    send(store, "a1")
    act(store, deliveries.fail, "a1", "503 for jane@example.com", clock.now() + timedelta(seconds=30))
    clock.advance(29)
    assert due(store) == []
    clock.advance(1)
    [failed] = due(store)
    assert (failed.state, failed.error, failed.attempts) == ("failed", "503 for jane@example.com", 1)


def test_a_delivery_of_unknown_fate_stays_sent_and_is_looked_up_in_its_time(store, clock):
    plan(store, create("a1"), create("a2"))
    with pytest.raises(LookupError):
        act(store, deliveries.unsure, "a1", "no answer", clock.now())
    send(store, "a1")
    act(store, deliveries.unsure, "a1", "no answer", clock.now() + timedelta(seconds=30))
    assert due(store) == []
    clock.advance(30)
    [unsure] = due(store)
    assert (unsure.key, unsure.state, unsure.error) == ("a1", "sent", "no answer")


def test_the_next_one_due_is_the_first_for_which_only_time_is_missing(store, clock):
    def next_due():
        with store.transaction() as tx:
            return deliveries.next_due(tx, "brightpearl", "order")

    def fail(key, seconds):
        act(store, deliveries.fail, key, "503", clock.now() + timedelta(seconds=seconds))

    plan(store, create("a1"), create("a2"), create("b1", B), create("c1", UUID(int=3), after=["a1"]))
    assert next_due() is None
    fail("a1", 50)
    fail("b1", 20)
    fail("a2", 10)
    fail("c1", 5)
    assert next_due() == clock.now() + timedelta(seconds=20)
    clock.advance(20)
    assert next_due() == clock.now() + timedelta(seconds=30)
    act(store, deliveries.kill, "a1", "refused")
    assert next_due() is None


def test_a_confirmed_delivery_keeps_the_answer_and_forgets_the_error(store, clock):
    plan(store, create("a1"))
    send(store, "a1")
    act(store, deliveries.fail, "a1", "503", clock.now())
    sent_at = clock.now()
    clock.advance(5)
    act(store, confirm, "a1", "500", {"orderId": 500})
    with store.transaction() as tx:
        confirmed = deliveries.by_keys(tx, "brightpearl", ["a1"])["a1"]
    assert (confirmed.state, confirmed.external_id, confirmed.answer) == ("confirmed", "500", {"orderId": 500})
    assert (confirmed.error, confirmed.sent_at, confirmed.confirmed_at) == (None, sent_at, clock.now())


def test_a_dead_delivery_goes_again_only_when_revived(store):
    plan(store, create("a1"))
    act(store, deliveries.kill, "a1", "no such tax code")
    assert due(store) == []
    act(store, deliveries.revive, "a1")
    assert due_keys(store) == ["a1"]
    with pytest.raises(LookupError):
        act(store, deliveries.revive, "a1")


def test_a_discarded_delivery_lets_the_next_one_go_and_keeps_the_note(store):
    plan(store, create("a1"), create("a2"))
    act(store, deliveries.kill, "a1", "refused")
    act(store, deliveries.discard, "a1", "entered by hand")
    assert due_keys(store) == ["a2"]
    with store.transaction() as tx:
        assert [(row.state, row.note) for row in deliveries.by_golden(tx, A)] == [
            ("discarded", "entered by hand"),
            ("pending", None),
        ]


def test_what_is_done_stays_done_and_of_a_batch_with_it_nothing_is_sent(store):
    plan(store, create("a1"), create("b1", B))
    act(store, confirm, "a1", "1", None)
    with pytest.raises(LookupError), store.transaction() as tx:
        ids = [deliveries.by_keys(tx, "brightpearl", [key])[key].id for key in ("a1", "b1")]
        deliveries.mark_sent(tx, ids)
    assert state(store, "b1") == "pending"
    with pytest.raises(LookupError):
        act(store, deliveries.discard, "a1", "?")
    for what in (deliveries.kill, lambda tx, id, error: deliveries.fail(tx, id, error, tx.clock.now())):
        with pytest.raises(LookupError):
            act(store, what, "a1", "late answer")
    assert state(store, "a1") == "confirmed"
    with pytest.raises(LookupError), store.transaction() as tx:
        deliveries.confirm(tx, [(999, None, None)])


def test_something_newer_supersedes_what_the_target_surely_does_not_have(store, clock):
    plan(
        store,
        create("never", kind="stock"),
        create("other kind", kind="price"),
        create("refused", B, kind="stock"),
        create("behind", B, kind="stock"),
        create("cut off", UUID(int=9), kind="stock"),
    )
    send(store, "refused")
    act(store, deliveries.kill, "refused", "no such item")
    send(store, "cut off")
    with store.transaction() as tx:
        gone = deliveries.supersede(tx, "brightpearl", [A, B, UUID(int=9)], "stock")
    assert sorted(gone) == [("order", "behind"), ("order", "never"), ("order", "refused")]
    assert state(store, "other kind") == "pending"
    # Whether the target has it is not known: it has to be found out first.
    assert state(store, "cut off") == "sent"


@pytest.mark.parametrize("given_up", [deliveries.kill, deliveries.discard])
def test_what_was_given_up_goes_again_when_it_is_planned_again(store, given_up):
    plan(store, create("order/1"))
    send(store, "order/1")
    act(store, given_up, "order/1", "unknown tax code")
    assert plan(store, replace(create("order/1"), payload={"body": {"taxCode": "T20"}})) == 1
    with store.transaction() as tx:
        [again] = deliveries.due(tx, "brightpearl", "order", 10)
    assert (again.key, again.payload) == ("order/1", {"body": {"taxCode": "T20"}})


def test_counts_are_by_connection_entity_and_state(store):
    plan(store, create("a1"), create("b1", B), create("s1", connection="shop"))
    act(store, deliveries.kill, "a1", "refused")
    with store.transaction() as tx:
        assert deliveries.counts(tx) == [
            ("brightpearl", "order", "dead", 1),
            ("brightpearl", "order", "pending", 1),
            ("shop", "order", "pending", 1),
        ]


def test_confirmed_deliveries_however_many_are_not_read_to_find_what_is_due(store):
    plan(store, create("model"), create("next", B, after=["9000"]))
    with store.transaction() as tx:
        tx.connection.execute(
            "INSERT INTO sync.delivery (connection, entity, golden_id, kind, key, payload, after, state, created_at) "
            "SELECT 'brightpearl', 'order', gen_random_uuid(), 'create', n::text, d.payload, '{}', 'confirmed', "
            "d.created_at FROM sync.delivery AS d, generate_series(1, 20000) AS n WHERE d.key = 'model'"
        )
    with store.transaction() as tx:
        tx.connection.execute("ANALYZE sync.delivery")

    def rows_read():
        with store.transaction() as tx:
            tx.connection.execute("SELECT pg_stat_force_next_flush()")
        with store.transaction() as tx:
            return tx.connection.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'delivery'"
            ).fetchone()[0]

    before = rows_read()
    assert due_keys(store) == ["model", "next"]
    assert rows_read() - before < 100
