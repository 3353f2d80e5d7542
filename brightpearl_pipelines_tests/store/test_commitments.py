from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.store import commitments, crosswalk

A, B = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKUS = ("CAP", "HAT", "TIE")


def committed(tx, fetched_at=NOON, connection="shop"):
    return summed(commitments.committed(tx, connection, SKUS, dict.fromkeys(SKUS, fetched_at)))


def summed(by_shop):
    """Of all shops together."""
    return {sku: sum(units.values()) for sku, units in by_shop.items()}


def test_open_orders_are_summed_per_sku_and_connection(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2, "CAP": 1})
        commitments.replace(tx, B, "shop", {"HAT": 3})
        commitments.replace(tx, UUID(int=3), "other", {"HAT": 9})
        assert committed(tx) == {"CAP": 1, "HAT": 5, "TIE": 0}


def test_a_settled_order_counts_for_figures_fetched_up_to_that_instant_only(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2})
        commitments.settle(tx, [A], NOON)
        second = timedelta(seconds=1)
        assert [committed(tx, at)["HAT"] for at in (NOON - second, NOON, NOON + second)] == [2, 2, 0]
        assert summed(commitments.committed(tx, "shop", ["HAT"], {})) == {"HAT": 2}


def test_the_shop_that_took_an_order_is_named(store):
    """BC-13: what another shop promised from a warehouse of its own is not this one's."""
    with store.transaction() as tx:
        crosswalk.link(tx, "order", [("north", "1", A), ("brightpearl", "77", A), ("south", "1", B)])
        commitments.replace(tx, A, "brightpearl", {"HAT": 2, "CAP": 1})
        commitments.replace(tx, B, "brightpearl", {"HAT": 3})
        commitments.replace(tx, UUID(int=3), "brightpearl", {"HAT": 4})
        found = commitments.committed(tx, "brightpearl", ["HAT", "CAP", "TIE"], {})
    assert found == {"HAT": {"north": 2, "south": 3, "": 4}, "CAP": {"north": 1}, "TIE": {}}


def test_changes_are_seen_once_withdrawals_included(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2, "CAP": 1})
        skus, version = commitments.skus_changed_after(tx, "shop", 0)
        assert skus == {"HAT", "CAP"}
        commitments.replace(tx, A, "shop", {"HAT": 2, "TIE": 4})
        skus, version = commitments.skus_changed_after(tx, "shop", version)
        assert skus == {"CAP", "TIE"}
        commitments.replace(tx, A, "shop", {})
        skus, version = commitments.skus_changed_after(tx, "shop", version)
        assert skus == {"HAT", "TIE"}
        assert committed(tx) == dict.fromkeys(SKUS, 0)
        assert commitments.skus_changed_after(tx, "shop", version) == (set(), version)


def test_repeating_changes_nothing(store):
    with store.transaction() as tx:
        for _ in range(2):
            commitments.replace(tx, A, "shop", {"HAT": 2})
            commitments.settle(tx, [A], NOON)
            _, version = commitments.skus_changed_after(tx, "shop", 0)
        commitments.replace(tx, A, "shop", {"HAT": 2})
        commitments.settle(tx, [A], NOON + timedelta(hours=1))
        assert commitments.skus_changed_after(tx, "shop", version) == (set(), version)
        assert committed(tx, NOON + timedelta(seconds=1))["HAT"] == 0


def test_promising_none_of_a_sku_is_no_change(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 0})
        assert commitments.skus_changed_after(tx, "shop", 0) == (set(), 0)


def test_of_an_order_edited_after_its_reservation_only_what_is_new_is_promised(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2})
        commitments.settle(tx, [A], NOON)
        commitments.replace(tx, A, "shop", {"HAT": 3, "CAP": 1})
        later = NOON + timedelta(seconds=1)
        assert committed(tx, later) == {"CAP": 1, "HAT": 1, "TIE": 0}
        assert committed(tx, NOON) == {"CAP": 1, "HAT": 3, "TIE": 0}
        commitments.replace(tx, A, "shop", {"HAT": 1})
        assert committed(tx, later) == dict.fromkeys(SKUS, 0)


def test_what_is_reserved_in_part_is_promised_for_the_rest(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 5, "CAP": 1})
        commitments.settle_part(tx, A, {"HAT": 2, "TIE": 9}, NOON)
        later = NOON + timedelta(seconds=1)
        assert committed(tx, later) == {"CAP": 1, "HAT": 3, "TIE": 0}
        _, version = commitments.skus_changed_after(tx, "shop", 0)
        commitments.settle_part(tx, A, {"HAT": 2}, later)
        assert commitments.skus_changed_after(tx, "shop", version) == (set(), version)
        commitments.settle(tx, [A], later)
        assert committed(tx, later + timedelta(seconds=1)) == dict.fromkeys(SKUS, 0)


def test_old_settled_and_withdrawn_rows_are_purged_open_ones_never(store, clock):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2})
        commitments.settle(tx, [A], clock.now())
        commitments.replace(tx, B, "shop", {"CAP": 1, "TIE": 1})
        commitments.replace(tx, B, "shop", {"CAP": 1})
        assert commitments.purge(tx, clock.now()) == 0
        assert commitments.purge(tx, clock.now() + timedelta(days=1)) == 2
        assert committed(tx) == {"CAP": 1, "HAT": 0, "TIE": 0}


@dataclass
class Model:
    """The law, in plain Python: (units promised, units settled, when) by order and SKU."""

    rows: dict[tuple[UUID, str], tuple[int, int, datetime | None]] = field(default_factory=dict)

    def replace(self, order, quantities):
        for sku in SKUS:
            _, settled, at = self.rows.get((order, sku), (0, 0, None))
            if quantities.get(sku) or (order, sku) in self.rows:
                self.rows[order, sku] = (quantities.get(sku, 0), settled, at)

    def settle(self, order, units, at):
        for (owner, sku), (promised, settled, before) in self.rows.items():
            wanted = promised if units is None else units.get(sku, settled)
            if owner == order and (wanted != settled or (units is None and before is None)):
                self.rows[owner, sku] = (promised, wanted, at)

    def committed(self, fetched_at):
        sums = dict.fromkeys(SKUS, 0)
        for (_, sku), (promised, settled, at) in self.rows.items():
            shown = min(settled, promised) if at is not None and at < fetched_at else 0
            sums[sku] += promised - shown
        return sums


QUANTITIES = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 3), max_size=3)
INSTANTS = st.integers(-2, 2).map(lambda n: NOON + timedelta(seconds=n))
STEPS = st.lists(
    st.tuples(st.sampled_from([A, B]), st.one_of(QUANTITIES, INSTANTS, st.tuples(QUANTITIES, INSTANTS))), max_size=8
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_the_sum_follows_the_law_and_no_change_of_it_goes_unseen(store, steps):
    model = Model()
    with pytest.raises(_Undo), store.transaction() as tx:
        version = 0
        for order, step in steps:
            before = committed(tx)
            match step:
                case dict():
                    commitments.replace(tx, order, "shop", step)
                    model.replace(order, step)
                case datetime():
                    commitments.settle(tx, [order], step)
                    model.settle(order, None, step)
                case (units, at):
                    commitments.settle_part(tx, order, units, at)
                    model.settle(order, units, at)
            for at in (NOON - timedelta(seconds=1), NOON, NOON + timedelta(seconds=1)):
                assert committed(tx, at) == model.committed(at)
            changed, version = commitments.skus_changed_after(tx, "shop", version)
            after = committed(tx)
            assert {sku for sku in SKUS if before[sku] != after[sku]} <= changed
        raise _Undo


class _Undo(Exception):
    """Leaves the database as it was, for the next example."""
