import pytest

from brightpearl_pipelines.store import dead_letters
from brightpearl_pipelines.store.types import DeadLetter


def letter(subject="100", *, waiting_for=("product:HAT-1",), reason="reference_not_found", **more):
    return DeadLetter(
        connection=more.pop("connection", "shop"),
        stage="merge",
        entity="order",
        subject=subject,
        reason=reason,
        sentence="Order 100 has a line with SKU HAT-1, which Brightpearl does not know.",
        suggestion="Create the product in Brightpearl; the order then goes by itself.",
        waiting_for=waiting_for,
        payload={"id": 100, "email": "jane@example.com"},
        **more,
    )


def hold(store, *letters):
    with store.transaction() as tx:
        return [dead_letters.hold(tx, each) for each in letters]


def get(store, id):
    with store.transaction() as tx:
        return dead_letters.get(tx, id)


def did(found):
    return [entry["did"] for entry in found.history]


def test_a_held_input_comes_back_with_all_that_a_person_needs(store, clock):
    given = letter(field="lines[0].sku", value="HAT-1")
    [id] = hold(store, given)
    found = get(store, id)
    assert (found.sentence, found.suggestion, found.payload) == (given.sentence, given.suggestion, given.payload)
    assert (found.field, found.value, found.waiting_for) == ("lines[0].sku", "HAT-1", ("product:HAT-1",))
    assert (found.state, found.attempts, found.first_seen, found.last_seen) == ("open", 1, clock.now(), clock.now())
    assert found.history == ({"at": "2026-03-02T09:00:00+00:00", "did": "held", "reason": "reference_not_found"},)


def test_the_same_trouble_adds_an_attempt_with_the_newest_facts(store, clock):
    [first] = hold(store, letter())
    seen = clock.now()
    clock.advance(300)
    [second] = hold(store, letter(reason="invalid_field", waiting_for=(), value="\x00 and \ud83d"))
    assert second == first
    found = get(store, first)
    assert (found.attempts, found.reason, found.waiting_for) == (2, "invalid_field", ())
    assert (found.first_seen, found.last_seen, found.value) == (seen, clock.now(), "\x00 and \ud83d")
    assert [entry["reason"] for entry in found.history] == ["reference_not_found", "invalid_field"]


def test_what_arrives_releases_what_waits_for_it_and_nothing_else(store):
    one, two, other = hold(
        store, letter("1", waiting_for=("product:HAT-1", "product:CAP-1")), letter("2"), letter("3", waiting_for=())
    )
    with store.transaction() as tx:
        assert dead_letters.release_waiting(tx, ["product:SCARF"]) == []
        freed = dead_letters.release_waiting(tx, ["product:CAP-1", "product:X"])
        assert [(each.id, each.state) for each in freed] == [(one, "released")]
        assert [each.id for each in dead_letters.release_waiting(tx, ["product:HAT-1"])] == [two]
        assert [each.subject for each in dead_letters.released(tx, "shop", "merge", "order", 10)] == ["1", "2"]
        assert dead_letters.released(tx, "shop", "publish", "order", 10) == []
    assert get(store, other).state == "open"


def test_a_released_input_that_fails_again_is_the_same_letter_again(store):
    [first] = hold(store, letter())
    with store.transaction() as tx:
        dead_letters.release_waiting(tx, ["product:HAT-1"])
    assert hold(store, letter(waiting_for=("product:CAP-1",))) == [first]
    found = get(store, first)
    assert (found.state, found.attempts, did(found)) == ("open", 2, ["held", "released", "held"])


def test_what_went_through_is_resolved_and_later_trouble_is_a_new_letter(store):
    first, released, other = hold(store, letter("1"), letter("2"), letter("1", connection="other"))
    with store.transaction() as tx:
        dead_letters.retry(tx, [released])
        assert dead_letters.resolve(tx, "shop", "merge", "order", ["1", "2", "3"]) == 2
        assert dead_letters.resolve(tx, "shop", "merge", "order", ["1", "2", "3"]) == 0
        assert dead_letters.counts(tx) == [
            ("other", "order", "reference_not_found", "open", 1),
            ("shop", "order", "reference_not_found", "resolved", 2),
        ]
    assert hold(store, letter("1"))[0] not in (first, other)
    assert did(get(store, released)) == ["held", "retried", "resolved"]


def test_a_person_retries_or_discards(store):
    one, two = hold(store, letter("1"), letter("2"))
    with store.transaction() as tx:
        assert dead_letters.retry(tx, [one, 999]) == 1
        dead_letters.discard(tx, two, "test order")
    assert get(store, one).state == "released"
    assert (get(store, two).state, get(store, two).note) == ("discarded", "test order")
    with pytest.raises(LookupError), store.transaction() as tx:
        dead_letters.discard(tx, two, "again")
    assert get(store, 999) is None


def test_open_letters_are_filtered_with_the_newest_trouble_first(store, clock):
    for number, more in enumerate([{}, {"connection": "other"}, {"reason": "refused"}]):
        clock.advance(1)
        hold(store, letter(str(number), **more))

    def subjects(**filters):
        with store.transaction() as tx:
            return [each.subject for each in dead_letters.open_letters(tx, limit=10, **filters)]

    assert subjects() == ["2", "1", "0"]
    assert subjects(connection="shop") == ["2", "0"]
    assert subjects(connection="shop", reason="refused") == ["2"]
    assert subjects(entity="customer") == []


def test_the_history_of_an_endless_trouble_stays_short_and_keeps_its_beginning(store, clock):
    begun = clock.now()
    for _ in range(60):
        [id] = hold(store, letter())
        clock.advance(60)
    found = get(store, id)
    assert found.attempts == 60
    assert len(found.history) == dead_letters.HISTORY
    assert found.history[0]["at"] == begun.isoformat()
    assert found.history[-1]["at"] == found.last_seen.isoformat()
