"""Subscriptions, events, grouping, quality of service and faults (brightpearl.md §10)."""

import socket

import pytest

from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines_tests.sandbox.brightpearl.desk import MAIN, WORLD, Desk

HOOK = "integration-service/webhook"
TEMPLATE = "${account-code} ${resource-type} ${lifecycle-event} ${resource-id}"


def definition(**more):
    return {
        "subscribeTo": "product",
        "httpMethod": "POST",
        "uriTemplate": "https://hooks.test/x",
        "bodyTemplate": TEMPLATE,
        "contentType": "application/json",
        **more,
    }


def events(desk):
    """Full event and ids of what arrived, with the template of `Desk.subscribe`."""
    return [(body.split()[4], body.split()[2]) for body in desk.inbox.bodies]


# -- the resource -------------------------------------------------------------------------------------------------


def test_a_subscription_reads_back_with_its_defaults_until_it_is_deleted(desk):
    number = desk.send("POST", HOOK, definition())
    assert desk.get(f"{HOOK}/{number}") == [
        {**definition(), "idSetAccepted": False, "qualityOfService": 0, "id": number}
    ]
    assert [webhook["id"] for webhook in desk.get(HOOK)] == [number]
    assert desk.call("DELETE", f"{HOOK}/{number}").json() == {}
    missing = desk.call("DELETE", f"{HOOK}/{number}")
    assert (missing.status_code, missing.headers["message-type"]) == (404, "delete-webhook")
    assert missing.json()["errors"][0]["message"] == f"Cannot find webhook: {number}"
    assert desk.call("GET", f"{HOOK}/7").json()["errors"][0]["message"] == "No webhooks available in ID Set 7"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"subscribeTo": "contact.modified"}, ["INTC-064"]),
        ({"subscribeTo": "order.save"}, ["INTC-062"]),
        ({"subscribeTo": "order.created"}, ["INTC-062"]),
        ({"subscribeTo": "product.modified.colour"}, ["INTC-064"]),
        ({"subscribeTo": None}, ["INTC-064"]),
        ({"httpMethod": "PATCH"}, ["INTC-058"]),
        ({"uriTemplate": "/relative"}, ["INTC-059"]),
        ({"bodyTemplate": None, "uriTemplate": f"https://h.test/?q={TEMPLATE}"}, ["INTC-060"]),
        ({"qualityOfService": 2}, ["INTC-061"]),
        ({"bodyTemplate": "${resource-id} ${account-code}"}, ["INTC-057", "INTC-057"]),
    ],
)
def test_a_subscription_that_breaks_a_rule_is_refused(desk, change, codes):
    assert desk.codes("POST", HOOK, definition(**change)) == (400, codes)


def test_the_message_names_the_resource_that_cannot_be_subscribed(desk):
    reply = desk.call("POST", HOOK, definition(subscribeTo="invalid-resource"))
    assert reply.json()["errors"][0]["message"] == (
        "invalid-resource either does not exist or cannot be subscribed too"
    )


def test_a_simulation_sends_the_filled_template(desk):
    number = desk.subscribe("product", uriTemplate="http://hooks.test/${account-code}/${resource-type}")
    values = {
        "${account-code}": "other",
        "${resource-type}": "product",
        "${resource-id}": "1-3,9",
        "${lifecycle-event}": "modified",
        "${resource-specifier}": "on-hand-modified",
        "${raised-on}": "2026-01-01T01:01:01Z",
    }
    desk.send("POST", f"{HOOK}/{number}/simulate", {"testData": values})
    desk.pass_time(1)
    assert desk.inbox.bodies == ["other product 1-3,9 modified product.modified.on-hand-modified 2026-01-01T01:01:01Z"]
    assert desk.inbox.requests == [("POST", "http://hooks.test/other/product", "text/plain")]
    too_many = {"testData": {**values, "${resource-id}": "1-11"}}
    assert desk.codes("POST", f"{HOOK}/{number}/simulate", too_many)[0] == 400


# -- events -------------------------------------------------------------------------------------------------------


def test_the_filled_template_arrives_with_ids_only(desk):
    desk.subscribe("sales-order.created")
    number = desk.sell()
    desk.pass_time(1)
    assert desk.inbox.bodies == [f"acme sales-order {number} created sales-order.created 2026-02-03T10:00:00Z"]


def test_a_new_order_raises_order_modified_too_but_only_a_sales_order_post_raises_created(desk):
    desk.subscribe("order")
    desk.subscribe("sales-order")
    customer = {"customer": {"contactId": desk.contact()}}
    number = desk.send("POST", "order-service/order", {"orderTypeCode": "SO", "parties": customer})
    desk.pass_time(1)
    assert events(desk) == [("order.modified", str(number))]


def test_a_status_change_and_the_last_shipment_have_events_of_their_own(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    desk.subscribe("order.modified.order-status")
    desk.subscribe("order.modified.fully-shipped")
    desk.send("PUT", f"order-service/order/{number}/status", {"orderStatusId": 17})
    desk.account.ship(str(number), {desk.row_of(number, "KETTLE"): 1}, tracking="T")
    desk.pass_time(1)
    assert events(desk) == [("order.modified.order-status", str(number))]
    desk.account.ship(str(number), tracking="T")
    desk.pass_time(1)
    assert events(desk)[1:] == [("order.modified.fully-shipped", str(number))]


def test_goods_out_notes_tell_each_step(desk):
    number = desk.sell()
    desk.subscribe("goods-out-note")
    note = desk.account.ship(str(number), tracking="T")
    desk.pass_time(1)
    steps = ["created", "modified.printed", "modified.picked", "modified.packed", "modified.shipped"]
    assert events(desk) == [(f"goods-out-note.{step}", note) for step in steps]


def test_on_hand_changes_are_told_and_shipping_alone_is_none(desk):
    desk.subscribe("product.modified.on-hand-modified")
    number = desk.sell()
    desk.pass_time(1)
    assert desk.inbox.bodies == []
    desk.reserve(number, "KETTLE", 2)
    desk.pass_time(1)
    desk.account.ship(str(number), tracking="T")
    desk.pass_time(1)
    desk.account.correct_stock("CUP-RED", MAIN, -1, "Broken")
    desk.pass_time(1)
    kettle, cup = str(desk.product("KETTLE")), str(desk.product("CUP-RED"))
    assert [ids for _, ids in events(desk)] == [kettle, cup]


def test_product_events_by_api_and_world(desk):
    desk.subscribe("product")
    desk.account.add_product(next(product for product in WORLD.products if product.sku == "LATER"))
    desk.send("PUT", f"product-service/product/{desk.product('LATER')}", {"featured": True})
    desk.pass_time(1)
    number = str(desk.product("LATER"))
    assert events(desk) == [("product.created", number), ("product.modified", number)]


# -- grouping -----------------------------------------------------------------------------------------------------


def test_events_of_one_kind_within_the_delay_are_one_call_with_an_id_set(desk):
    desk.subscribe("product.modified.on-hand-modified")
    for sku in ("CUP-BLUE", "KETTLE", "CUP-RED", "KETTLE"):
        desk.account.correct_stock(sku, MAIN, 1, "Found")
    desk.pass_time(0.1)
    assert desk.inbox.bodies == []
    desk.pass_time(0.2)
    first, last = desk.product("KETTLE"), desk.product("CUP-BLUE")
    assert events(desk) == [("product.modified.on-hand-modified", f"{first}-{last}")]
    desk.account.correct_stock("KETTLE", MAIN, 1, "Found")
    desk.pass_time(1)
    assert events(desk)[1:] == [("product.modified.on-hand-modified", str(first))]


def test_without_id_sets_there_is_one_call_for_each_id(desk):
    desk.subscribe("product.modified.on-hand-modified", idSetAccepted=False)
    for sku in ("KETTLE", "CUP-RED"):
        desk.account.correct_stock(sku, MAIN, 1, "Found")
    desk.pass_time(1)
    assert [ids for _, ids in events(desk)] == [str(desk.product("KETTLE")), str(desk.product("CUP-RED"))]


# -- quality of service -------------------------------------------------------------------------------------------


def deliver(statuses, quality, wait=(0, 10, 20, 40)):
    """How many attempts an event takes when the receiver answers with `statuses`."""
    desk = Desk()
    desk.inbox.statuses = list(statuses)
    desk.subscribe("sales-order.created", qualityOfService=quality)
    desk.sell()
    desk.pass_time(0.2)
    for seconds in wait:
        desk.pass_time(seconds)
    return len(desk.inbox.bodies)


@pytest.mark.parametrize(
    ("quality", "statuses", "attempts"),
    [
        (0, [200], 1),
        (0, [500], 1),
        (0, [404], 1),
        (0, [503, 503, 200], 3),
        (1, [500, 302, 200], 3),
        (1, [404], 1),
        (1, [503, 400], 2),
    ],
)
def test_quality_of_service_decides_what_is_tried_again(quality, statuses, attempts):
    assert deliver(statuses, quality) == attempts


def test_retries_wait_longer_each_time_up_to_a_cap_and_end_after_a_day():
    desk = Desk(webhook_retry_first_seconds=1000, webhook_retry_most_seconds=3600)
    desk.inbox.statuses = [500] * 100
    desk.subscribe("sales-order.created")
    desk.sell()
    desk.pass_time(0.2)
    start, moments = desk.clock.now(), []
    while desk.account.next_due() is not None:
        moments.append((desk.account.next_due() - start).total_seconds())
        desk.pass_time((desk.account.next_due() - desk.clock.now()).total_seconds())
    assert moments[:4] == [1000, 3000, 6600, 10200]
    assert 86400 - 3600 < moments[-1] <= 86400
    (delivery,) = desk.account.collection("webhook_deliveries").values()
    assert delivery["state"] == "given_up"


def test_a_receiver_that_cannot_be_reached_counts_as_failed(desk):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    desk.account.webhook_client = None  # the emulator makes a client of its own
    desk.subscribe("sales-order.created", qualityOfService=1, uriTemplate=f"http://127.0.0.1:{port}/")
    desk.sell()
    desk.pass_time(1)
    assert desk.account.webhook_client is not None
    desk.account.webhook_client = desk.inbox.client()
    desk.pass_time(10)
    assert len(desk.inbox.bodies) == 1


# -- faults -------------------------------------------------------------------------------------------------------


def test_a_webhook_can_be_lost(desk):
    desk.account.faults.append(Fault("lose_webhook", path="sales-order", count=1))
    desk.subscribe("sales-order.created")
    desk.sell()
    desk.pass_time(100)
    assert desk.inbox.bodies == []
    second = desk.sell()
    desk.pass_time(1)
    assert [ids for _, ids in events(desk)] == [str(second)]


def test_a_webhook_can_be_duplicated(desk):
    desk.account.faults.append(Fault("duplicate_webhook", count=1))
    desk.subscribe("sales-order.created")
    desk.sell()
    desk.pass_time(1)
    assert len(desk.inbox.bodies) == 2
    assert len(set(desk.inbox.bodies)) == 1


def test_a_webhook_can_be_overtaken_by_a_later_one(desk):
    desk.account.faults.append(Fault("reorder_webhook", count=1, seconds=30))
    desk.subscribe("sales-order.created")
    first = desk.sell()
    desk.pass_time(1)
    second = desk.sell()
    desk.pass_time(1)
    desk.pass_time(30)
    assert [ids for _, ids in events(desk)] == [str(second), str(first)]
