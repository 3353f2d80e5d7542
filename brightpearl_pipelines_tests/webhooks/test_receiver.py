"""The receiver over real HTTP: what it takes, refuses and keeps (BP-10, BP-11, X-67)."""

import base64
import hashlib
import hmac
import json
import logging
import socket
import threading
from datetime import timedelta

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import events
from brightpearl_pipelines.systems.bigcommerce.settings import Auth
from brightpearl_pipelines.webhooks.shared_secret import shared_secret
from brightpearl_pipelines_tests.webhooks.receiving import (
    CONFIGURATION,
    bigcommerce_body,
    brightpearl_body,
    receiving,
    stored,
    until,
)

CLIENT_SECRET = "client-secret-of-the-shop"


@pytest.fixture
def signing(store, clock, monkeypatch):
    """A receiver of a real shop, whose app's client secret is known."""
    monkeypatch.setenv("SHOP_CLIENT_SECRET", CLIENT_SECRET)
    with receiving(store, clock, configuration=real_shop()) as served:
        yield served


def real_shop():
    """The configuration with `auth:` in place of `sandbox: true` at the shop."""
    fields = CONFIGURATION.connection("bigcommerce").settings.model_dump()
    auth = Auth(store_hash="abc", access_token_env="SHOP_TOKEN", client_secret_env="SHOP_CLIENT_SECRET")
    shop = CONFIGURATION.connection("bigcommerce")
    real = type(shop)(shop.name, shop.system, type(shop.settings)(**{**fields, "sandbox": False, "auth": auth}))
    return Configuration({**CONFIGURATION.connections, "bigcommerce": real}, CONFIGURATION.survivorship)


def signed(body: bytes, at, *, secret=CLIENT_SECRET, message="msg_1"):
    """The three headers of Standard Webhooks, made here once more from the standard's text."""
    seconds = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{message}.{seconds}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook_id": message, "webhook_timestamp": seconds, "webhook_signature": signature}


# -- what is stored -----------------------------------------------------------------------------------------------


def test_what_both_systems_send_is_stored_as_it_came(receiver, store, clock):
    assert receiver.from_brightpearl(brightpearl_body("product.modified.on-hand-modified", "7,9-11")).status_code == 200
    answer = receiver.from_bigcommerce(bigcommerce_body())
    assert (answer.status_code, answer.content) == (200, b"")
    first, second = stored(store)
    assert (first.connection, first.topic, first.payload["id"]) == (
        "brightpearl",
        "product.modified.on-hand-modified",
        "7,9-11",
    )
    assert (second.connection, second.topic, second.payload) == (
        "bigcommerce",
        "store/order/created",
        bigcommerce_body(),
    )
    assert first.received_at == clock.now()
    assert [receiver.told.get_nowait() for _ in range(2)] == [
        ("brightpearl", "product.modified.on-hand-modified"),
        ("bigcommerce", "store/order/created"),
    ]


def test_repeated_calls_are_one_event_and_each_is_answered_well(receiver, store):
    for body in (brightpearl_body(), brightpearl_body()):
        assert receiver.from_brightpearl(body).status_code == 200
    for _ in range(3):
        assert receiver.from_bigcommerce(bigcommerce_body()).status_code == 200
    assert len(stored(store)) == 2
    assert receiver.counts() == {
        "brightpearl": {"stored": 1, "duplicate": 1},
        "bigcommerce": {"stored": 1, "duplicate": 2},
    }
    # Each may be the second of two changes that share a key: whoever launches runs hears of it.
    assert receiver.told.qsize() == 5


def test_what_differs_in_any_part_of_the_key_is_another_event(receiver, store):
    for body in (
        brightpearl_body(),
        brightpearl_body(topic="order.modified.order-status"),
        brightpearl_body(ids="62-63"),
        brightpearl_body(raised="2026-03-02T09:00:01Z"),
    ):
        receiver.from_brightpearl(body)
    for body in (
        bigcommerce_body(),
        bigcommerce_body(topic="store/order/updated"),
        bigcommerce_body(created=1_772_442_001),
        bigcommerce_body(digest="another"),
    ):
        receiver.from_bigcommerce(body)
    assert len(stored(store)) == 8


def test_an_id_set_longer_than_any_index_entry_is_stored(receiver, store):
    ids = ",".join(str(number) for number in range(1, 9000, 3))
    assert receiver.from_brightpearl(brightpearl_body(ids=ids)).status_code == 200
    assert stored(store)[0].payload["id"] == ids


def test_what_no_stream_is_told_by_is_answered_well_and_left_out(receiver, store):
    assert receiver.from_brightpearl(brightpearl_body("goods-in-note.created")).status_code == 200
    assert receiver.from_bigcommerce(bigcommerce_body("store/cart/created")).status_code == 200
    assert stored(store) == []
    assert receiver.counts()["brightpearl"] == {"ignored": 1}


NOTICES = [
    ("brightpearl", brightpearl_body(topic, ids))
    for topic in ("order.modified", "product.modified.on-hand-modified")
    for ids in ("1", "2-3")
] + [("bigcommerce", bigcommerce_body(topic)) for topic in ("store/order/created", "store/order/updated")]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deliveries=st.permutations([*range(len(NOTICES))]).flatmap(
        lambda once: st.lists(st.sampled_from(once), max_size=8).flatmap(lambda more: st.permutations([*once, *more]))
    )
)
def test_any_order_and_number_of_deliveries_leaves_the_same_events(receiver, store, clock, deliveries):
    def deliver(numbers):
        for number in numbers:
            connection, body = NOTICES[number]
            send = receiver.from_brightpearl if connection == "brightpearl" else receiver.from_bigcommerce
            assert send(body).status_code == 200

    threads = [threading.Thread(target=deliver, args=(deliveries[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = stored(store)
    assert sorted((event.connection, json.dumps(event.payload, sort_keys=True)) for event in kept) == sorted(
        (connection, json.dumps(body, sort_keys=True)) for connection, body in NOTICES
    )
    with store.transaction() as tx:
        events.finish(tx, kept)
        events.purge(tx, clock.now() + timedelta(seconds=1))


# -- who is believed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["brightpearl", "brightpearl/wrong", "brightpearl/wr%C3%B6ng"])
def test_brightpearl_is_believed_for_the_secret_in_the_address_alone(receiver, store, path):
    answer = receiver.post(path, brightpearl_body(), x_webhook_secret=shared_secret(store, "brightpearl"))
    assert (answer.status_code, answer.text) == (401, "not accepted")
    assert stored(store) == []
    assert receiver.counts()["brightpearl"] == {"refused": 1}


def test_bigcommerce_is_not_believed_without_its_header(receiver, store):
    secret = shared_secret(store, "bigcommerce")
    assert receiver.post("bigcommerce", bigcommerce_body()).status_code == 401
    assert receiver.post("bigcommerce", bigcommerce_body(), x_webhook_secret="").status_code == 401
    assert receiver.post("bigcommerce", bigcommerce_body(), x_webhook_secret=secret[:-1]).status_code == 401
    assert receiver.post(f"bigcommerce/{secret}", bigcommerce_body()).status_code == 401
    other = shared_secret(store, "brightpearl")
    assert receiver.post("bigcommerce", bigcommerce_body(), x_webhook_secret=other).status_code == 401
    assert stored(store) == []


def test_a_signature_is_no_proof_where_no_client_secret_is_known(receiver, store, clock):
    body = json.dumps(bigcommerce_body()).encode()
    assert receiver.post("bigcommerce", body, **signed(body, clock.now(), secret="")).status_code == 401
    assert stored(store) == []


def test_a_signature_by_the_client_secret_is_believed(signing, store, clock):
    body = json.dumps(bigcommerce_body()).encode()
    headers = signed(body, clock.now())
    headers["webhook_signature"] = f"v1a,old {headers['webhook_signature']}"
    assert signing.post("bigcommerce", body, **headers).status_code == 200
    assert len(stored(store)) == 1


def test_a_signature_that_does_not_fit_is_refused(signing, store, clock):
    body, now = json.dumps(bigcommerce_body()).encode(), clock.now()
    good = signed(body, now)
    forgeries = {
        "another body": (body.replace(b"250", b"251"), good),
        "another secret": (body, signed(body, now, secret="guess")),
        "another message": (body, {**good, "webhook_id": "msg_2"}),
        "an instant moved": (body, {**good, "webhook_timestamp": str(int(now.timestamp()) + 1)}),
        "stale": (body, signed(body, now - timedelta(minutes=5, seconds=1))),
        "from the future": (body, signed(body, now + timedelta(minutes=5, seconds=1))),
        "no instant": (body, {**good, "webhook_timestamp": "yesterday"}),
        "an absurd instant": (body, {**good, "webhook_timestamp": "9" * 40}),
        "no signature": (body, {**good, "webhook_signature": ""}),
        "no version": (body, {**good, "webhook_signature": good["webhook_signature"].removeprefix("v1,")}),
        "not text": (b"\xff", signed(b"\xff", now)),
    }
    answers = {
        name: signing.post("bigcommerce", sent, **headers).status_code for name, (sent, headers) in forgeries.items()
    }
    assert answers == dict.fromkeys(forgeries, 401)
    assert stored(store) == []
    assert signing.post("bigcommerce", body, **signed(body, now - timedelta(minutes=5))).status_code == 200


def test_a_replayed_call_changes_nothing(signing, store, clock):
    body = json.dumps(bigcommerce_body()).encode()
    headers = signed(body, clock.now())
    assert [signing.post("bigcommerce", body, **headers).status_code for _ in range(2)] == [200, 200]
    assert len(stored(store)) == 1
    clock.advance(301)
    assert signing.post("bigcommerce", body, **headers).status_code == 401


def test_a_secret_made_anew_is_found_out_without_a_restart(receiver, store, clock):
    assert receiver.from_bigcommerce(bigcommerce_body()).status_code == 200
    with store.transaction() as tx:
        tx.connection.execute("DELETE FROM sync.vault WHERE name = 'webhook:bigcommerce'")
    clock.advance(6)
    assert receiver.from_bigcommerce(bigcommerce_body(digest="another")).status_code == 200


# -- what is refused ----------------------------------------------------------------------------------------------


def test_a_connection_that_does_not_exist_is_unknown_and_reading_is_not_allowed(receiver):
    assert receiver.post("shopware", {}).status_code == 404
    assert receiver.post("shopware/secret", {}).status_code == 404
    assert httpx.get(f"{receiver.url}/webhooks/bigcommerce", trust_env=False).status_code == 405


BAD_AT_BRIGHTPEARL = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"[" * 100_000,
    json.dumps({**brightpearl_body(), "more": json.loads("[" * 50 + "]" * 50)}).encode(),
    b'{"fullEvent": NaN}',
    *(
        json.dumps({**brightpearl_body(), **wrong}).encode()
        for wrong in (
            {"fullEvent": None},
            {"fullEvent": "order.modified\0"},
            {"fullEvent": "order"},
            {"raisedOn": "yesterday"},
            {"raisedOn": 5},
            {"id": None},
            {"id": "7;DROP"},
            {"id": "9-7"},
            {"id": "1-99999999999"},
            {"id": "1,,2"},
        )
    ),
]
BAD_AT_BIGCOMMERCE = [
    json.dumps({**bigcommerce_body(), **wrong}).encode()
    for wrong in (
        {"scope": 7},
        {"scope": "store/order/created\0"},
        {"hash": None},
        {"hash": "x" * 5000},
        {"created_at": "now"},
        {"data": None},
        {"data": {"type": "order"}},
        {"data": {"type": "order", "id": "../7"}},
    )
]


def test_what_the_systems_never_send_is_refused_with_a_reason_counted_and_not_stored(receiver, store):
    for body in BAD_AT_BRIGHTPEARL:
        answer = receiver.from_brightpearl(body)
        assert answer.status_code == 400, body[:80]
        assert answer.text
    for body in BAD_AT_BIGCOMMERCE:
        answer = receiver.from_bigcommerce(body)
        assert answer.status_code == 400, body[:80]
        assert answer.text
    assert stored(store) == []
    assert receiver.counts() == {
        "brightpearl": {"malformed": len(BAD_AT_BRIGHTPEARL)},
        "bigcommerce": {"malformed": len(BAD_AT_BIGCOMMERCE)},
    }


def test_a_body_announced_too_large_is_refused_before_it_is_sent(receiver):
    host, port = httpx.URL(receiver.url).host, httpx.URL(receiver.url).port
    with socket.create_connection((host, port), timeout=30) as line:
        head = "POST /webhooks/bigcommerce HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_ends_is_refused_when_it_exceeds_what_is_allowed(receiver, store):
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65536

    headers = {"x-webhook-secret": shared_secret(store, "bigcommerce")}
    try:
        answer = httpx.post(f"{receiver.url}/webhooks/bigcommerce", content=endless(), headers=headers, trust_env=False)
        assert answer.status_code == 413
    except httpx.TransportError:
        # The receiver closed the line while we were still talking.
        assert sent < 10_000
    assert receiver.counts()["bigcommerce"] == {"too_large": 1}


def test_a_body_of_the_allowed_size_is_read_and_one_byte_more_is_not(store, clock):
    text = json.dumps(bigcommerce_body()).encode()
    with receiving(store, clock, most_bytes=len(text)) as receiver:
        assert receiver.from_bigcommerce(text).status_code == 200
        assert receiver.from_bigcommerce(text + b" ").status_code == 413


def test_a_flood_is_slowed_down_and_strangers_cannot_cause_it(store, clock):
    with receiving(store, clock, per_second=5) as receiver:
        for _ in range(20):
            receiver.post("bigcommerce", bigcommerce_body(), x_webhook_secret="stranger")
        answers = [receiver.from_bigcommerce(bigcommerce_body(digest=f"h{n}")).status_code for n in range(8)]
        assert answers == [200] * 5 + [429] * 3
        assert receiver.from_brightpearl(brightpearl_body()).status_code == 200, "each connection has its own measure"
        clock.advance(0.4)
        answers = [receiver.from_bigcommerce(bigcommerce_body(digest=f"h{n}")).status_code for n in range(5, 8)]
        assert answers == [200, 200, 429]
        assert receiver.counts()["bigcommerce"] == {"refused": 20, "stored": 7, "too_many": 4}


def test_brightpearl_is_asked_to_come_again_since_it_gives_up_on_a_4xx(store, clock):
    with receiving(store, clock, per_second=1) as receiver:
        receiver.from_brightpearl(brightpearl_body())
        answer = receiver.from_brightpearl(brightpearl_body(ids="63"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


# -- the store ----------------------------------------------------------------------------------------------------


def test_one_slow_write_holds_up_no_other(receiver, store, database_url):
    slow, quick = bigcommerce_body(), bigcommerce_body(digest="another")
    receiver.from_bigcommerce(slow)
    (event,) = stored(store)
    answers = []
    with psycopg.connect(database_url) as rival:
        # Whoever stores this event now must wait until the rival has decided.
        rival.execute("DELETE FROM sync.event WHERE id = %s", (event.id,))
        waiting = threading.Thread(target=lambda: answers.append(receiver.from_bigcommerce(slow).status_code))
        waiting.start()
        with psycopg.connect(database_url, autocommit=True) as watcher:
            until(
                lambda: watcher.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount,
                "the slow write waits",
            )
        assert receiver.from_bigcommerce(quick).status_code == 200
        assert answers == []
        rival.rollback()
    waiting.join()
    assert answers == [200]
    assert receiver.counts()["bigcommerce"] == {"stored": 2, "duplicate": 1}


def test_health_says_whether_the_store_is_there(receiver, outage):
    assert httpx.get(f"{receiver.url}/health", trust_env=False).json()["status"] == "ok"
    with outage():
        assert httpx.get(f"{receiver.url}/health", trust_env=False).status_code == 503
    assert httpx.get(f"{receiver.url}/health", trust_env=False).status_code == 200


def test_what_cannot_be_stored_is_not_accepted(receiver, store, outage):
    body = bigcommerce_body()
    secret = shared_secret(store, "bigcommerce")
    with outage():
        answer = receiver.post("bigcommerce", body, x_webhook_secret=secret)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    assert receiver.from_bigcommerce(body).status_code == 200
    assert len(stored(store)) == 1
    assert receiver.counts()["bigcommerce"] == {"not_stored": 1, "stored": 1}


# -- secrets ------------------------------------------------------------------------------------------------------


def test_no_secret_is_logged_or_stored_in_clear(signing, store, clock, database_url, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    ours = {name: shared_secret(store, name) for name in ("brightpearl", "bigcommerce")}
    signing.from_brightpearl(brightpearl_body())
    signing.from_brightpearl(b"{")
    signing.from_bigcommerce(bigcommerce_body())
    body = json.dumps(bigcommerce_body(digest="another")).encode()
    signing.post("bigcommerce", body, **signed(body, clock.now()))
    assert len(stored(store)) == 3
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'sync'").fetchall()
        rows = [str(row) for (name,) in tables for row in connection.execute(f"SELECT t::text FROM sync.{name} t")]
    everything = caplog.text + "\n".join(rows)
    assert "was not understood" in everything, "the log is looked at"
    assert "webhook:brightpearl" in everything, "the vault is looked at"
    for secret in (*ours.values(), CLIENT_SECRET):
        assert secret not in everything
        assert secret.encode().hex() not in everything
