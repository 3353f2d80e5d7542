"""Subscriptions are made, kept and repaired at the emulators (BP-05; brightpearl.md §10.1, bigcommerce.md §7.1)."""

import dataclasses
import json

import pytest

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines.systems.bigcommerce.settings import Auth
from brightpearl_pipelines.webhooks.shared_secret import shared_secret
from brightpearl_pipelines.webhooks.subscriptions import Done
from brightpearl_pipelines_tests.webhooks.receiving import CONFIGURATION, subscribe

URL = "http://127.0.0.1:8990"
BRIGHTPEARL_TOPICS = {
    "goods-out-note.destroyed",
    "goods-out-note.modified",
    "order.modified",
    "product.created",
    "product.destroyed",
    "product.modified",
}


@pytest.fixture
def ensure(sandbox, store, clock):
    """Brings the subscriptions in order; returns the reports by connection and topic, those that are OK left out."""

    def go(url=URL, configuration=CONFIGURATION):
        reports = subscribe(sandbox, store, clock, url, configuration)
        return {(each.connection, each.topic, each.done): each for each in reports if each.done is not Done.OK}

    return go


def hooks_of(sandbox, system):
    """The hooks that an emulator holds, by topic."""
    if system == "brightpearl":
        return {each["subscribeTo"]: each for each in sandbox.brightpearl.collection("webhooks").values()}
    return {each["scope"]: each for each in sandbox.bigcommerce.collections["hooks"].values()}


def all_hooks(sandbox):
    return [
        *sandbox.brightpearl.collection("webhooks").values(),
        *sandbox.bigcommerce.collections["hooks"].values(),
    ]


def change(sandbox, hook, **fields):
    sandbox.call(lambda: hook.update(fields))


def add_brightpearl_hook(sandbox, **fields):
    """A hook put into the account by other hands."""
    number = sandbox.call(lambda: sandbox.brightpearl.next_id("webhook", 101))
    some = next(iter(hooks_of(sandbox, "brightpearl").values()))
    sandbox.call(lambda: sandbox.brightpearl.put("webhooks", number, {**some, **fields, "id": number}))
    return number


def writes(sandbox):
    calls = [*sandbox.brightpearl.calls, *sandbox.bigcommerce.calls]
    return [call["path"] for call in calls if call["method"] != "GET" and "token" not in call["path"]]


def test_what_is_missing_is_created_as_it_must_be(sandbox, store, ensure):
    reports = ensure()
    assert {done for _, _, done in reports} == {Done.CREATED}
    assert all(report.missed_possible for report in reports.values())
    ours = hooks_of(sandbox, "brightpearl")
    assert set(ours) == BRIGHTPEARL_TOPICS, "product.modified tells of stock too: nothing is told twice"
    for hook in ours.values():
        assert hook["uriTemplate"] == f"{URL}/webhooks/brightpearl/{shared_secret(store, 'brightpearl')}"
        assert (hook["idSetAccepted"], hook["qualityOfService"], hook["httpMethod"]) == (True, 1, "POST")
    shop = hooks_of(sandbox, "bigcommerce")
    assert set(shop) == set(CONFIGURATION.connection("bigcommerce").system.topics)
    assert {"store/order/created", "store/order/refund/created", "store/product/updated"} <= set(shop)
    for hook in shop.values():
        assert hook["destination"] == f"{URL}/webhooks/bigcommerce"
        assert hook["headers"] == {"x-webhook-secret": shared_secret(store, "bigcommerce")}
        assert hook["is_active"] is True


def test_a_second_time_nothing_is_written_and_the_secret_stays(sandbox, store, ensure):
    ensure()
    secret = shared_secret(store, "brightpearl")
    sandbox.call(lambda: (sandbox.brightpearl.calls.clear(), sandbox.bigcommerce.calls.clear()))
    assert ensure() == {}
    assert writes(sandbox) == []
    assert shared_secret(store, "brightpearl") == secret


def test_each_connection_has_a_secret_of_its_own(store):
    assert shared_secret(store, "brightpearl") != shared_secret(store, "bigcommerce")


def test_a_deleted_one_is_made_again_and_asks_for_a_sweep(sandbox, ensure):
    ensure()
    gone = hooks_of(sandbox, "brightpearl")["order.modified"]["id"]
    sandbox.call(lambda: sandbox.brightpearl.collection("webhooks").pop(str(gone)))
    reports = ensure()
    assert list(reports) == [("brightpearl", "order.modified", Done.CREATED)]
    assert reports["brightpearl", "order.modified", Done.CREATED].missed_possible
    assert set(hooks_of(sandbox, "brightpearl")) == BRIGHTPEARL_TOPICS


def test_changed_ones_at_brightpearl_are_replaced_by_right_ones(sandbox, ensure):
    ensure()
    changes = {
        "order.modified": ({"qualityOfService": 0}, "at most once"),
        "product.modified": ({"idSetAccepted": False}, "once for each id"),
        "product.created": ({"bodyTemplate": '{"id": "${resource-id}"}'}, "body template"),
        "product.destroyed": ({"bodyTemplate": "no JSON", "httpMethod": "PUT"}, "httpMethod"),
        "goods-out-note.modified": (
            {"uriTemplate": f"{URL}/webhooks/brightpearl/another-secret"},
            "another secret",
        ),
    }
    before = hooks_of(sandbox, "brightpearl")
    for topic, (fields, _) in changes.items():
        change(sandbox, before[topic], **fields)
    reports = ensure()
    assert set(reports) == {("brightpearl", topic, Done.REPAIRED) for topic in changes}
    after = hooks_of(sandbox, "brightpearl")
    for topic, (_, words) in changes.items():
        report = reports["brightpearl", topic, Done.REPAIRED]
        assert words in report.reason
        assert report.missed_possible
        assert after[topic]["id"] != before[topic]["id"]
    assert len(sandbox.brightpearl.collection("webhooks")) == len(BRIGHTPEARL_TOPICS)
    assert ensure() == {}


def test_a_template_that_only_the_server_spaced_differently_is_left(sandbox, ensure):
    ensure()
    hook = hooks_of(sandbox, "brightpearl")["order.modified"]
    change(sandbox, hook, bodyTemplate=json.dumps(json.loads(hook["bodyTemplate"]), indent=2))
    assert ensure() == {}


def test_changed_ones_at_bigcommerce_are_put_right_in_place(sandbox, ensure):
    ensure()
    changes = {
        "store/order/created": ({"is_active": False, "deactivated": True}, "switched off"),
        "store/order/updated": ({"headers": None}, "secret header"),
        "store/product/updated": ({"headers": {"x-webhook-secret": "another"}}, "secret header"),
    }
    hooks = hooks_of(sandbox, "bigcommerce")
    for topic, (fields, _) in changes.items():
        change(sandbox, hooks[topic], **fields)
    reports = ensure()
    assert set(reports) == {("bigcommerce", topic, Done.REPAIRED) for topic in changes}
    for topic, (_, words) in changes.items():
        assert words in reports["bigcommerce", topic, Done.REPAIRED].reason
        assert reports["bigcommerce", topic, Done.REPAIRED].missed_possible
        assert hooks_of(sandbox, "bigcommerce")[topic]["id"] == hooks[topic]["id"]
    assert all(hook["is_active"] for hook in hooks.values())
    assert ensure() == {}


def test_duplicates_and_what_no_stream_wants_are_removed(sandbox, ensure):
    ensure()
    add_brightpearl_hook(sandbox, subscribeTo="order.modified")
    add_brightpearl_hook(sandbox, subscribeTo="goods-in-note.created")
    reports = ensure()
    assert set(reports) == {
        ("brightpearl", "order.modified", Done.REMOVED),
        ("brightpearl", "goods-in-note.created", Done.REMOVED),
    }
    assert not any(report.missed_possible for report in reports.values())
    assert set(hooks_of(sandbox, "brightpearl")) == BRIGHTPEARL_TOPICS
    assert len(sandbox.brightpearl.collection("webhooks")) == len(BRIGHTPEARL_TOPICS)


def test_hooks_of_others_are_left_alone(sandbox, ensure):
    ensure()
    others = [
        add_brightpearl_hook(
            sandbox, uriTemplate="https://erp.example/bp?token=abc", subscribeTo="goods-in-note.created"
        ),
        add_brightpearl_hook(sandbox, uriTemplate="https://hooks.example/webhooks/brightpearl/theirs"),
        add_brightpearl_hook(sandbox, uriTemplate=f"{URL}1/webhooks/brightpearl/theirs"),
        # another connection of ours, which looks after its own
        add_brightpearl_hook(sandbox, uriTemplate=f"{URL}/webhooks/bigcommerce"),
    ]
    assert ensure() == {}
    assert {str(each) for each in others} <= set(sandbox.brightpearl.collection("webhooks"))


def test_a_hook_of_a_connection_that_is_gone_is_removed(sandbox, ensure):
    ensure()
    number = add_brightpearl_hook(sandbox, uriTemplate=f"{URL}/webhooks/brightpearl_old/secret")
    ((connection, _, done),) = ensure()
    assert (connection, done) == ("brightpearl", Done.REMOVED)
    assert str(number) not in sandbox.brightpearl.collection("webhooks")


def test_when_the_receiver_moves_its_hooks_move_along(sandbox, ensure):
    ensure()
    reports = ensure("http://127.0.0.1:8999/")
    assert {done for _, _, done in reports} == {Done.REPAIRED}
    assert len(all_hooks(sandbox)) == len(reports)
    addresses = {each.get("uriTemplate") or each["destination"] for each in all_hooks(sandbox)}
    assert all(each.startswith("http://127.0.0.1:8999/webhooks/") for each in addresses)


def test_a_lost_answer_leaves_no_second_hook(sandbox, ensure):
    fault = Fault("apply_then_drop", method="POST", path="webhook", count=2)
    sandbox.call(lambda: sandbox.brightpearl.faults.append(fault))
    assert {done for connection, _, done in ensure() if connection == "brightpearl"} == {Done.CREATED}
    assert len(sandbox.brightpearl.collection("webhooks")) == len(BRIGHTPEARL_TOPICS)


def test_a_topic_that_is_refused_stops_no_other_and_tells_no_secret(sandbox, store, ensure):
    secret = shared_secret(store, "brightpearl")
    body = {"errors": [{"code": "INTC-064", "message": f"cannot take {URL}/webhooks/brightpearl/{secret}"}]}
    fault = Fault("status", method="POST", path="webhook", status=400, body=body, count=1)
    sandbox.call(lambda: sandbox.brightpearl.faults.append(fault))
    reports = ensure()
    failed = [report for report in reports.values() if report.done is Done.FAILED]
    assert len(failed) == 1
    assert "INTC-064" in failed[0].reason
    assert secret not in repr(reports)
    assert set(hooks_of(sandbox, "brightpearl")) == BRIGHTPEARL_TOPICS - {failed[0].topic}


def test_an_account_that_cannot_be_used_is_reported_and_the_other_is_brought_in_order(sandbox, ensure):
    refusal = {"errors": [{"code": "CMNC-401", "message": "Not authorised"}]}
    fault = Fault("status", path="webhook", status=401, body=refusal)
    sandbox.call(lambda: sandbox.brightpearl.faults.append(fault))
    reports = ensure()
    assert {topic for connection, topic, done in reports if done is Done.FAILED} == BRIGHTPEARL_TOPICS
    assert {done for connection, _, done in reports if connection == "bigcommerce"} == {Done.CREATED}


def test_a_system_that_does_not_do_what_it_says_is_told_apart_from_one_that_does(sandbox, ensure):
    ensure()
    change(sandbox, hooks_of(sandbox, "bigcommerce")["store/order/created"], is_active=False)
    lie = Fault("status", method="PUT", path="v3/hooks", status=200, body={"data": {}, "meta": {}})
    sandbox.call(lambda: sandbox.bigcommerce.faults.append(lie))
    (report,) = ensure().values()
    assert (report.topic, report.done) == ("store/order/created", Done.FAILED)
    assert "does not keep" in report.reason
    assert "switched off" in report.reason


def test_a_real_account_is_told_of_an_https_address_only(sandbox, ensure):
    shop = CONFIGURATION.connection("bigcommerce")
    auth = Auth(store_hash="abc123", access_token_env="SHOP_TOKEN")
    real = dataclasses.replace(shop, settings=shop.settings.model_copy(update={"sandbox": False, "auth": auth}))
    connections = {**CONFIGURATION.connections, "bigcommerce": real}
    reports = ensure(URL, Configuration(connections, CONFIGURATION.survivorship))
    assert {connection for connection, _, done in reports if done is Done.FAILED} == {"bigcommerce"}
    assert all("https" in each.reason for each in reports.values() if each.done is Done.FAILED)
    assert hooks_of(sandbox, "bigcommerce") == {}


@pytest.mark.parametrize("url", ["hooks.example.com", "ftp://hooks.example.com", ""])
def test_an_address_that_cannot_be_called_is_said_to_be_so(sandbox, ensure, url):
    reports = ensure(url)
    assert {done for _, _, done in reports} == {Done.FAILED}
    assert all_hooks(sandbox) == []
