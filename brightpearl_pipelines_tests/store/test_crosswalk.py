from uuid import UUID

import pytest

from brightpearl_pipelines.store import agreed, crosswalk

A, B = UUID(int=1), UUID(int=2)


def test_links_are_found_both_ways(store, clock):
    with store.transaction() as tx:
        crosswalk.link(tx, "customer", [("shop", "7", A), ("brightpearl", "207", A)])
        clock.advance(1)
        crosswalk.link(tx, "customer", [("shop", "3", A), ("shop", "8", B), ("shop", "7", A)])
        assert crosswalk.golden_ids(tx, "customer", "shop", ["7", "8", "9"]) == {"7": A, "8": B}
        assert crosswalk.external_ids(tx, "customer", "shop", [A, B]) == {A: ["7", "3"], B: ["8"]}
        assert crosswalk.external_ids(tx, "customer", "brightpearl", [B]) == {}
        assert crosswalk.links_of(tx, "customer", A) == [("brightpearl", "207"), ("shop", "3"), ("shop", "7")]
        assert crosswalk.search(tx, "customer", "7") == [("shop", A)]
        assert crosswalk.golden_ids(tx, "order", "shop", ["7"]) == {}


@pytest.mark.parametrize("at_once", [True, False])
def test_an_external_id_cannot_be_two_golden_records(store, at_once):
    calls = [[("shop", "7", A), ("shop", "7", B)]] if at_once else [[("shop", "7", A)], [("shop", "7", B)]]
    with pytest.raises(crosswalk.CrosswalkConflict, match=f"customer '7' of shop is golden record {A}.*{B}"):
        for links in calls:
            with store.transaction() as tx:
                crosswalk.link(tx, "customer", links)


def test_a_conflict_names_all_that_a_person_needs(store):
    with store.transaction() as tx:
        crosswalk.link(tx, "customer", [("shop", "7", A)])
    with pytest.raises(crosswalk.CrosswalkConflict) as caught, store.transaction() as tx:
        crosswalk.link(tx, "customer", [("shop", "6", B), ("shop", "7", B)])
    conflict = caught.value
    assert (conflict.entity, conflict.connection, conflict.external_id) == ("customer", "shop", "7")
    assert (conflict.present, conflict.wanted) == (A, B)
    with store.transaction() as tx:
        assert crosswalk.golden_ids(tx, "customer", "shop", ["6", "7"]) == {"7": A}


def test_links_can_be_moved_and_removed_on_purpose(store):
    with store.transaction() as tx:
        crosswalk.link(tx, "customer", [("shop", "7", A), ("shop", "8", A)])
        crosswalk.relink(tx, "customer", [("shop", "7", B), ("shop", "9", B)])
        assert crosswalk.golden_ids(tx, "customer", "shop", ["7", "8", "9"]) == {"7": B, "8": A, "9": B}
        assert crosswalk.unlink(tx, "customer", "shop", ["7", "10"]) == 1
        assert crosswalk.golden_ids(tx, "customer", "shop", ["7", "8"]) == {"8": A}


def test_golden_records_are_found_by_keys_that_may_be_shared(store):
    with store.transaction() as tx:
        crosswalk.put_keys(tx, "customer", [("email", "a@x.com", B), ("email", "a@x.com", A), ("phone", "a@x.com", B)])
        crosswalk.put_keys(tx, "customer", [("email", "a@x.com", A), ("email", "b@x.com", B)])
        found = crosswalk.find_by_keys(tx, "customer", "email", ["a@x.com", "b@x.com", "c@x.com"])
        assert found == {"a@x.com": [A, B], "b@x.com": [B]}
        assert crosswalk.find_by_keys(tx, "product", "email", ["a@x.com"]) == {}


def test_the_last_agreed_values_replace_the_former_ones(store):
    with store.transaction() as tx:
        agreed.put(tx, "product", "shop", {A: {"name": "Hat"}, B: {"name": "Cap"}})
        agreed.put(tx, "product", "shop", {A: {"name": "Top hat"}})
        agreed.put(tx, "product", "other", {})
        assert agreed.get(tx, "product", "shop", [A, B]) == {A: {"name": "Top hat"}, B: {"name": "Cap"}}
        assert agreed.get(tx, "product", "other", [A, B]) == {}
