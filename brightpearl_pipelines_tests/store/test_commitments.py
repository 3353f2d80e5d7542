from collections.abc import Mapping
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
        commitments.reopen(tx, A)
        assert committed(tx, NOON + second)["HAT"] == 2


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


def test_an_order_stays_settled_whatever_it_becomes(store):
    with store.transaction() as tx:
        commitments.replace(tx, A, "shop", {"HAT": 2})
        commitments.settle(tx, [A], NOON)
        commitments.replace(tx, A, "shop", {"HAT": 1, "CAP": 1})
        assert committed(tx, NOON + timedelta(seconds=1)) == dict.fromkeys(SKUS, 0)
        assert committed(tx, NOON) == {"CAP": 1, "HAT": 1, "TIE": 0}


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
    """The law, in plain Python."""

    promised: dict[UUID, Mapping[str, int]] = field(default_factory=dict)
    settled: dict[UUID, datetime] = field(default_factory=dict)

    def committed(self, fetched_at):
        return {
            sku: sum(
                quantities.get(sku, 0)
                for order, quantities in self.promised.items()
                if order not in self.settled or self.settled[order] >= fetched_at
            )
            for sku in SKUS
        }


QUANTITIES = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 3), max_size=3)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([A, B]),
        st.one_of(QUANTITIES, st.integers(-2, 2).map(lambda n: NOON + timedelta(seconds=n)), st.none()),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
                    model.promised[order] = step
                case datetime():
                    commitments.settle(tx, [order], step)
                    if _was_ever_promised(tx, order):
                        model.settled.setdefault(order, step)
                case None:
                    commitments.reopen(tx, order)
                    model.settled.pop(order, None)
            for at in (NOON - timedelta(seconds=1), NOON, NOON + timedelta(seconds=1)):
                assert committed(tx, at) == model.committed(at)
            changed, version = commitments.skus_changed_after(tx, "shop", version)
            after = committed(tx)
            assert {sku for sku in SKUS if before[sku] != after[sku]} <= changed
        raise _Undo


def _was_ever_promised(tx, order):
    return tx.connection.execute("SELECT count(*) FROM sync.commitment WHERE order_id = %s", (order,)).fetchone() != (
        0,
    )


class _Undo(Exception):
    """Leaves the database as it was, for the next example."""
