"""The limit of an account holds over all its clients, whatever they do (BP-04, X-06)."""

import itertools
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.http.errors import TransientError
from brightpearl_pipelines.store import budget
from brightpearl_pipelines.store.budget import Allowance
from brightpearl_pipelines_tests.http.harness import Server, answers, caught, client, ok, rules, throttle

LIMIT, WINDOW = 6, 10.0
accounts = itertools.count()


def busiest(instants, window):
    """The greatest number of instants that any window of this length holds."""
    ordered = sorted(instants)
    return max(
        (index + 1 - bisect_left(ordered, instant - window + 1e-4) for index, instant in enumerate(ordered)), default=0
    )


def left(remaining, resets_in):
    return httpx.Response(200, headers={"X-Left": str(remaining), "X-Reset": str(resets_in)})


async def gets(api, count):
    for _ in range(count):
        await api.request("GET", "/thing")


async def arrive(clock, api, gaps):
    """Tasks that come after these gaps and do not wait for each other."""
    for gap in gaps:
        await clock.sleep(gap)
        await api.request("GET", "/thing")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lanes=st.lists(
        st.tuples(
            st.booleans(), st.booleans(), st.lists(st.sampled_from([0, 0, 0.3, 2, 7, 11]), min_size=1, max_size=9)
        ),
        min_size=2,
        max_size=5,
    )
)
def test_no_rolling_window_ever_sees_more_than_the_limit(store, other_store, clock, lanes):
    name = f"account-{next(accounts)}"
    # Up to a second of travel, so that later ones overtake: the margin of the window is for that.
    server = Server(clock, answers(ok()), travel=itertools.cycle([0.9, 0.1, 0.5, 0.0, 0.95]))
    apis = [
        client(
            other_store if elsewhere else store,
            clock,
            server,
            name=name,
            limits=rules(LIMIT, WINDOW, reserve=0.34),
            lane="backfill" if backfill else "delta",
        )
        for backfill, elsewhere, _ in lanes
    ]
    clock.run(*(arrive(clock, api, gaps) for api, (_, _, gaps) in zip(apis, lanes, strict=True)))
    assert len(server.seen) == sum(len(gaps) for _, _, gaps in lanes)
    assert busiest(server.instants, WINDOW) <= LIMIT
    if all(backfill for backfill, _, _ in lanes):
        assert busiest(server.instants, WINDOW) <= LIMIT - 2


def test_the_whole_limit_is_used_at_once_and_again_as_soon_as_it_is_free(store, clock):
    server = Server(clock, answers(ok()))
    api = client(store, clock, server, limits=rules(LIMIT, WINDOW))
    clock.run(gets(api, 2 * LIMIT))
    assert server.instants[:LIMIT] == [0] * LIMIT
    assert server.instants[LIMIT:] == pytest.approx([11] * LIMIT, abs=0.01)
    assert api.calls == 2 * LIMIT


def test_a_backfill_leaves_the_reserve_to_deltas(store, other_store, clock):
    server, limits = Server(clock, answers(ok())), rules(8, WINDOW, reserve=0.25)
    backfill = client(store, clock, server, limits=limits, lane="backfill")
    delta = client(other_store, clock, server, limits=limits)

    async def later():
        await clock.sleep(1)
        await gets(delta, 2)
        return clock.monotonic()

    _, delta_done = clock.run(gets(backfill, 7), later())
    assert delta_done == 1
    assert server.instants == pytest.approx([0] * 6 + [1, 1] + [11], abs=0.01)


def test_deltas_may_use_what_the_backfill_leaves_and_the_reserve_too(store, clock):
    server = Server(clock, answers(ok()))
    clock.run(gets(client(store, clock, server, limits=rules(8, WINDOW)), 8))
    assert clock.monotonic() == 0


def test_two_accounts_do_not_share_a_limit(store, clock):
    server = Server(clock, answers(ok()))
    for name in ("north", "south"):
        clock.run(gets(client(store, clock, server, name=name, limits=rules(LIMIT, WINDOW)), LIMIT))
    assert clock.monotonic() == 0


def test_when_the_server_says_others_used_the_pool_only_what_is_left_is_sent(store, other_store, clock):
    server = Server(clock, answers(left(2, 7.5), ok()))
    limits = rules(100, 60)
    one, two = (client(each, clock, server, limits=limits) for each in (store, other_store))
    clock.run(gets(one, 1))
    clock.run(gets(one, 1), gets(two, 2))
    assert server.instants == pytest.approx([0, 0, 0, 7.5], abs=0.01)


def test_the_reserve_also_holds_in_what_the_server_says_is_left(store, clock):
    server = Server(clock, answers(left(27, 7.5), ok()))
    api = client(store, clock, server, limits=rules(100, 60, reserve=0.25), lane="backfill")
    clock.run(gets(api, 4))
    assert server.instants == pytest.approx([0, 0, 0, 7.5], abs=0.01)


def test_a_server_that_has_no_less_left_than_we_know_of_costs_nothing_to_remember(store, clock):
    clock.run(gets(client(store, clock, Server(clock, answers(left(99, 30))), limits=rules(100, 60)), 3))
    with store.transaction() as tx:
        assert tx.connection.execute("SELECT * FROM sync.api_budget").fetchall() == []


def test_a_throttle_answer_to_one_holds_all(store, other_store, clock):
    server = Server(clock, answers(throttle(20), ok()))
    one, two = client(store, clock, server), client(other_store, clock, server)

    async def later():
        await clock.sleep(1)
        await gets(two, 1)

    clock.run(gets(one, 1), later())
    assert server.instants[0] == 0
    assert all(20 <= instant <= 21 for instant in server.instants[1:])


def test_a_throttle_that_names_no_time_holds_only_its_own_request(store, other_store, clock):
    server = Server(clock, answers(throttle(0), ok()))
    clock.run(gets(client(store, clock, server), 1))
    assert clock.monotonic() <= 1
    with store.transaction() as tx:
        assert tx.connection.execute("SELECT blocked_until FROM sync.api_budget").fetchall() == []


def test_a_limit_that_leaves_no_room_for_hours_fails_with_the_time_to_come_back(store, clock):
    api = client(store, clock, Server(clock, answers(ok())), limits=rules(2, 86_400))
    clock.run(gets(api, 2))
    error = clock.run(caught(api.request("GET", "/thing")))
    assert type(error) is TransientError
    assert error.retry_after == pytest.approx(86_401, abs=0.01)
    assert api.calls == 2


def test_permits_are_given_once_however_many_ask_at_the_same_time(store):
    allowance = Allowance(limit=20, kept=0, window=timedelta(seconds=60))

    def ask(_):
        with store.transaction() as tx:
            return budget.acquire(tx, "north", allowance, lease=timedelta(seconds=90)).granted_at

    with ThreadPoolExecutor(8) as pool:
        granted = [instant for instant in pool.map(ask, range(60)) if instant is not None]
    assert len(granted) == len(set(granted)) == 20


def test_old_permits_are_cleared_away(store, clock):
    api = client(store, clock, Server(clock, answers(ok())), limits=rules(LIMIT, WINDOW))
    clock.run(gets(api, 5 * LIMIT))
    with store.transaction() as tx:
        (kept,) = tx.connection.execute("SELECT count(*) FROM sync.api_permit").fetchone()
    assert kept <= LIMIT
