"""What is sent again, after what wait, and what a call without a good answer amounts to (X-42)."""

from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from brightpearl_pipelines.http.answers import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError, TransientError
from brightpearl_pipelines_tests.http.harness import (
    START,
    Server,
    answers,
    audit,
    caught,
    client,
    fault,
    mistake,
    ok,
    throttle,
)

LOST = httpx.ReadTimeout("no answer within 60 s")
CUT_CONNECTION = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
NEVER_CONNECTED = httpx.ConnectError("connection refused")


def cut_json():
    return httpx.Response(200, content=b'{"response": [{"id": 1}, {"id"', headers={"Content-Type": "application/json"})


def exchange(store, clock, script, method, **options):
    """Send one request; returns (answer or error, the server)."""
    server = Server(clock, script)

    async def send():
        async with client(store, clock, server) as api:
            try:
                return await api.request(method, "/thing", **options)
            except (TransientError, RefusedError) as error:
                return error

    return clock.run(send()), server


@pytest.mark.parametrize(
    "trouble", [LOST, CUT_CONNECTION, NEVER_CONNECTED, fault(), fault(503), cut_json(), throttle(3)]
)
def test_a_read_is_repeated_until_it_gets_through(store, clock, trouble):
    answer, server = exchange(store, clock, answers(trouble, trouble, ok()), "GET")
    assert answer.status_code == 200
    assert len(server.seen) == 3


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_that_only_read_are_repeated_too(store, clock, method):
    answer, _ = exchange(store, clock, answers(LOST, ok()), method)
    assert answer.status_code == 200


@pytest.mark.parametrize("trouble", [LOST, CUT_CONNECTION, fault(), fault(503), cut_json()])
def test_a_write_without_a_usable_answer_is_ambiguous_and_never_repeated(store, clock, trouble):
    error, server = exchange(store, clock, answers(trouble, ok()), "POST", json={"a": 1})
    assert isinstance(error, AmbiguousError)
    assert "before writing again" in error.advice
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_no_method_that_writes_is_repeated_unless_the_caller_allows_it(store, clock, method):
    error, server = exchange(store, clock, answers(LOST, ok()), method)
    assert isinstance(error, AmbiguousError)
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [NEVER_CONNECTED, httpx.ConnectTimeout("no"), httpx.PoolTimeout("no"), throttle(3)])
def test_a_write_that_was_certainly_not_applied_is_repeated_with_the_same_body(store, clock, trouble):
    answer, server = exchange(store, clock, answers(trouble, ok()), "POST", json={"name": "Hat"})
    assert answer.status_code == 200
    assert [request.content for _, request in server.seen] == [b'{"name":"Hat"}'] * 2


def test_a_write_that_never_reached_the_server_is_transient_and_not_ambiguous(store, clock):
    error, server = exchange(store, clock, answers(NEVER_CONNECTED), "POST", json={})
    # Five failures open the circuit: the sixth try is held back.
    assert isinstance(error, TransientError)
    assert not isinstance(error, AmbiguousError)
    assert len(server.seen) == 5


@pytest.mark.parametrize("trouble", [LOST, fault(), cut_json()])
def test_a_write_that_may_be_repeated_is_repeated(store, clock, trouble):
    answer, server = exchange(store, clock, answers(trouble, ok()), "PUT", json={}, idempotent=True)
    assert answer.status_code == 200
    assert len(server.seen) == 2


def test_a_repeatable_write_that_ends_in_a_throttle_after_a_lost_answer_stays_ambiguous(store, clock):
    error, _ = exchange(store, clock, answers(LOST, throttle(1)), "PUT", json={}, idempotent=True)
    assert isinstance(error, AmbiguousError)


def test_a_repeatable_write_held_back_by_the_circuit_after_lost_answers_stays_ambiguous(store, clock):
    error, server = exchange(store, clock, answers(LOST), "PUT", json={}, idempotent=True)
    assert isinstance(error, AmbiguousError)
    assert 0 < error.retry_after <= 15
    assert len(server.seen) == 5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_500_that_the_rules_call_a_mistake_of_the_client_is_refused_at_once(store, clock, method):
    error, server = exchange(store, clock, answers(mistake(), ok()), method)
    assert isinstance(error, RefusedError)
    assert error.body["errors"][0]["code"] == "CMNC-018"
    assert len(server.seen) == 1


def test_an_answer_in_the_four_hundreds_is_permanent(store, clock):
    for status in (400, 403, 404, 409, 418, 422):
        error, server = exchange(store, clock, answers(httpx.Response(status, text="<html>no</html>"), ok()), "GET")
        assert isinstance(error, RefusedError)
        assert (error.status, error.body) == (status, None)
        assert len(server.seen) == 1


def test_a_redirect_is_refused_with_a_word_about_the_address(store, clock):
    error, _ = exchange(store, clock, answers(httpx.Response(301, headers={"Location": "https://x.example"})), "GET")
    assert isinstance(error, RefusedError)
    assert "address" in error.advice


def test_a_read_gives_up_after_six_tries(store, clock):
    error, server = exchange(store, clock, answers(throttle(1)), "GET")
    assert isinstance(error, TransientError)
    assert len(server.seen) == 6


def test_waits_without_a_word_of_the_server_grow_at_random_up_to_their_bound(store, clock):
    _, server = exchange(store, clock, answers(fault(), fault(), fault(), fault(), ok()), "GET")
    waits = [later - earlier for earlier, later in zip(server.instants, server.instants[1:], strict=False)]
    assert all(0 <= wait <= bound for wait, bound in zip(waits, [1, 2, 4, 8], strict=True))
    assert len(set(waits)) == 4


def test_retry_after_in_seconds_is_waited_for(store, clock):
    _, server = exchange(store, clock, answers(fault(503, **{"Retry-After": "40"}), ok()), "GET")
    assert 40 <= server.instants[1] <= 41


def test_retry_after_as_a_date_is_waited_for(store, clock):
    date = format_datetime(START + timedelta(seconds=50), usegmt=True)
    _, server = exchange(store, clock, answers(fault(503, **{"Retry-After": date}), ok()), "GET")
    assert 50 <= server.instants[1] <= 51


def test_an_unreadable_retry_after_is_as_good_as_none(store, clock):
    _, server = exchange(store, clock, answers(fault(503, **{"Retry-After": "soon"}), ok()), "GET")
    assert server.instants[1] <= 1


def test_a_wait_beyond_the_bound_is_handed_to_the_caller_instead_of_waited_for(store, clock):
    error, server = exchange(store, clock, answers(throttle(3600), ok()), "GET")
    assert isinstance(error, TransientError)
    assert error.retry_after == 3600
    assert clock.monotonic() == 0
    assert len(server.seen) == 1


def test_every_try_leaves_a_row_in_the_audit(store, clock):
    exchange(store, clock, answers(LOST, fault(), ok()), "GET", params={"page": 2})
    rows = audit(store)
    assert [(row.method, row.path, row.status, row.attempt) for row in rows] == [
        ("GET", "/base/thing?page=2", None, 1),
        ("GET", "/base/thing?page=2", 500, 2),
        ("GET", "/base/thing?page=2", 200, 3),
    ]
    assert rows[0].error == "ReadTimeout: no answer within 60 s"
    assert rows[2].error is None


def test_a_body_that_is_not_json_is_transient_for_a_read_and_ambiguous_for_a_write(store, clock):
    html = httpx.Response(200, text="<html>maintenance; write to ann@example.com</html>")

    async def read(method):
        async with client(store, clock, Server(clock, answers(html))) as api:
            response = await api.request(method, "/thing")

            async def parsed():
                return read_json(response)

            return await caught(parsed())

    error = clock.run(read("GET"))
    assert type(error) is TransientError
    assert "<html>maintenance" in error.message
    assert "ann@" not in str(error)
    assert type(clock.run(read("POST"))) is AmbiguousError
