"""The circuit of an account: opens on failures in a row, is probed by one, closes by itself; and the pause."""

import random

import httpx
import pytest

from brightpearl_pipelines.http.errors import AuthenticationError, CircuitOpenError, RefusedError, TransientError
from brightpearl_pipelines.store import budget
from brightpearl_pipelines_tests.http.harness import Server, answers, caught, client, fault, mistake, ok, throttle

DEAD = httpx.ConnectError("connection refused")
UNAUTHORISED = httpx.Response(401, json={"response": "Not authenticated."})


def post(api):
    """One send: an unsafe write is not repeated after a fault."""
    return api.request("POST", "/thing", json={})


async def failing(api, count):
    for _ in range(count):
        await caught(post(api))


def test_five_failures_in_a_row_open_it_for_all_processes(store, other_store, clock):
    server = Server(clock, answers(fault()))
    clock.run(failing(client(store, clock, server), 5))
    error = clock.run(caught(client(other_store, clock, server).request("GET", "/thing")))
    assert type(error) is CircuitOpenError
    assert error.retry_after == 15
    assert "2026-03-02 09:00:15 UTC" in error.message
    assert len(server.seen) == 5


@pytest.mark.parametrize("between", [ok(), mistake(), httpx.Response(404), throttle(0)])
def test_any_word_of_a_living_server_between_failures_keeps_it_closed(store, clock, between):
    server = Server(clock, answers(*[fault()] * 4, between, *[fault()] * 4, ok()))
    api = client(store, clock, server)
    clock.run(failing(api, 4))
    clock.run(caught_or_not(api))
    clock.run(failing(api, 3))
    assert clock.run(api.request("GET", "/thing")).status_code == 200


async def caught_or_not(api):
    try:
        await api.request("POST", "/thing", json={})
    except (RefusedError, TransientError):
        return


def test_mistakes_of_the_client_never_open_it(store, clock):
    api = client(store, clock, Server(clock, answers(mistake())))
    clock.run(failing(api, 12))
    assert isinstance(clock.run(caught(post(api))), RefusedError)


def test_one_call_probes_while_the_others_stay_out_and_its_success_opens_the_way(store, other_store, clock):
    server = Server(clock, answers(*[fault()] * 5, ok()))
    one, two = client(store, clock, server), client(other_store, clock, server)
    clock.run(failing(one, 5))
    clock.advance(15)
    server.travel = iter([3.0])  # the probe is under way for a while

    async def second():
        await clock.sleep(1)
        return await caught(post(two))

    answer, error = clock.run(post(one), second())
    assert answer.status_code == 200
    assert isinstance(error, CircuitOpenError)
    assert clock.run(post(two)).status_code == 200
    assert len(server.seen) == 7


def test_each_failed_probe_doubles_the_pause_up_to_five_minutes(store, clock):
    server = Server(clock, answers(fault()))
    api = client(store, clock, server)
    clock.run(failing(api, 5))
    pauses = []
    for _ in range(7):
        waiting = clock.run(caught(post(api)))
        pauses.append(round(waiting.retry_after))
        clock.advance(waiting.retry_after)
        clock.run(caught(post(api)))  # the probe
    assert pauses == [15, 30, 60, 120, 240, 300, 300]
    assert len(server.seen) == 12


def test_a_probe_that_never_comes_back_does_not_close_the_way_for_ever(store, other_store, clock):
    class Killed(BaseException):
        pass

    def die(request):
        raise Killed

    server = Server(clock, answers(*[fault()] * 5, die, ok()))
    one, two = client(store, clock, server), client(other_store, clock, server)
    clock.run(failing(one, 5))
    clock.advance(15)
    with pytest.raises(Killed):
        clock.run(post(one))
    assert isinstance(clock.run(caught(post(two))), CircuitOpenError)
    clock.advance(90)
    assert clock.run(post(two)).status_code == 200


def test_calls_under_way_when_it_opens_do_not_lengthen_the_pause(store, clock):
    server = Server(clock, answers(fault()), travel=[2.0] * 12)
    api = client(store, clock, server)
    clock.run(*(caught(post(api)) for _ in range(12)))
    assert clock.run(caught(post(api))).retry_after == pytest.approx(15, abs=0.01)
    clock.advance(15)
    clock.run(caught(post(api)))  # the probe fails
    assert clock.run(caught(post(api))).retry_after == pytest.approx(30, abs=0.01)


def test_a_read_stops_trying_when_it_opens(store, clock):
    # The wait before a sixth try is drawn from up to 16 s; one draw in sixteen would meet the circuit's probe after 15.
    random.seed(1)
    server = Server(clock, answers(DEAD))
    error = clock.run(caught(client(store, clock, server).request("GET", "/thing")))
    assert isinstance(error, CircuitOpenError)
    assert len(server.seen) == 5


def test_refused_credentials_pause_the_connection_and_only_it(store, other_store, clock):
    server = Server(clock, answers(UNAUTHORISED))
    error = clock.run(caught(client(store, clock, server).request("GET", "/thing")))
    assert isinstance(error, AuthenticationError)
    assert error.status == 401
    held = clock.run(caught(client(other_store, clock, server).request("GET", "/thing")))
    assert isinstance(held, AuthenticationError)
    assert held.status is None
    assert "Not authenticated." in held.message
    assert len(server.seen) == 1
    with store.transaction() as tx:
        assert list(budget.paused(tx)) == ["north"]
    fine = client(store, clock, Server(clock, answers(ok())), name="south")
    assert clock.run(fine.request("GET", "/thing")).status_code == 200


def test_a_pause_ends_by_itself_once_the_credentials_are_accepted(store, clock):
    server = Server(clock, answers(UNAUTHORISED, UNAUTHORISED, ok()))
    api = client(store, clock, server)
    for _ in range(2):  # the call that finds out, then the first probe
        clock.run(caught(api.request("GET", "/thing")))
        assert isinstance(clock.run(caught(api.request("GET", "/thing"))), AuthenticationError)
        clock.advance(300)
    assert clock.run(api.request("GET", "/thing")).status_code == 200
    assert clock.run(api.request("GET", "/thing")).status_code == 200
    with store.transaction() as tx:
        assert budget.paused(tx) == {}
    assert len(server.seen) == 4


def test_a_paused_connection_can_be_resumed_at_once(store, clock):
    api = client(store, clock, Server(clock, answers(UNAUTHORISED, ok())))
    clock.run(caught(api.request("GET", "/thing")))
    api.resume()
    assert clock.run(api.request("GET", "/thing")).status_code == 200
