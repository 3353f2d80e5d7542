"""Several writes in one request (brightpearl.md §4.2)."""

import json

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import Desk


def message(label, uri, body=None, method="POST"):
    return {"label": label, "uri": uri, "httpMethod": method, "body": body or {}}


def brand(label, name):
    return message(label, "/product-service/brand", {"name": name})


def envelope(*messages, mode="SEQUENTIAL", on_fail="CONTINUE"):
    return {"processingMode": mode, "onFail": on_fail, "messages": list(messages)}


def test_answers_come_as_json_strings_and_count_as_one_request(desk):
    desk.call("GET", "order-service/order-type")
    reply = desk.call("POST", "multi-message", envelope(brand("a", "Ash"), brand("b", "Birch")))
    assert reply.status_code == 200
    assert reply.headers["brightpearl-requests-remaining"] == "198"
    assert reply.json()["response"] == {
        "processedMessages": [
            {"label": "a", "statusCode": 200, "body": {"content": '{"response":2}'}},
            {"label": "b", "statusCode": 200, "body": {"content": '{"response":3}'}},
        ],
        "unprocessedMessages": [],
    }


def test_with_stop_the_messages_after_a_failure_are_not_processed(desk):
    bad = message("b", "/order-service/order/1/status", {"orderStatusId": 4}, "PUT")
    reply = desk.call("POST", "multi-message", envelope(brand("a", "Ash"), bad, brand("c", "Cedar"), on_fail="STOP"))
    body = reply.json()["response"]
    assert reply.status_code == 207
    assert [entry["statusCode"] for entry in body["processedMessages"]] == [200, 400]
    assert json.loads(body["processedMessages"][1]["body"]["content"])["errors"][0]["code"] == "ORDC-003"
    assert body["unprocessedMessages"] == ["c"]
    assert "Cedar" not in [entry["name"] for entry in desk.get("product-service/brand")]


def test_with_continue_every_message_is_processed(desk):
    bad = message("b", "/nowhere-service/x")
    reply = desk.call("POST", "multi-message", envelope(brand("a", "Ash"), bad, brand("c", "Cedar")))
    body = reply.json()["response"]
    assert reply.status_code == 207
    assert [entry["statusCode"] for entry in body["processedMessages"]] == [200, 404, 200]
    assert body["unprocessedMessages"] == []


def test_parallel_messages_are_all_done_in_no_promised_order(desk):
    brands = [brand(str(number), f"Tree {number}") for number in range(10)]
    reply = desk.call("POST", "multi-message", envelope(*brands, mode="PARALLEL"))
    labels = [entry["label"] for entry in reply.json()["response"]["processedMessages"]]
    assert reply.status_code == 200
    assert sorted(labels) == [str(number) for number in range(10)]
    assert labels != sorted(labels)


@pytest.mark.parametrize(
    "body",
    [
        envelope(brand("a", "A"), brand("b", "B"), mode="PARALLEL", on_fail="STOP"),
        envelope(brand("a", "A")),
        envelope(*(brand(str(number), str(number)) for number in range(11))),
        envelope(brand("a", "A"), message("g", "/product-service/brand", method="GET")),
        envelope(brand("a", "A"), brand("b", "B"), mode="SOMEHOW"),
        envelope(brand("a", "A"), {"uri": "/product-service/brand", "httpMethod": "POST"}),
    ],
    ids=["parallel stop", "one", "eleven", "a read", "mode", "no label"],
)
def test_an_envelope_that_breaks_a_rule_is_refused_whole(desk, body):
    assert desk.call("POST", "multi-message", body).status_code == 400
    assert len(desk.get("product-service/brand")) == 1


def test_the_service_can_be_down_while_single_calls_work():
    desk = Desk(multi_message_enabled=False)
    assert desk.call("POST", "multi-message", envelope(brand("a", "A"), brand("b", "B"))).status_code == 503
    assert desk.call("POST", "product-service/brand", {"name": "A"}).status_code == 200
