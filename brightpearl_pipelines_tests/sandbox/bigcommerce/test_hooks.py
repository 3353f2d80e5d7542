"""Webhooks: managing them, and delivering at least once, signed, with retries until they are given up."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from brightpearl_pipelines.sandbox.bigcommerce.hooks import RETRY_AFTER_SECONDS
from brightpearl_pipelines.sandbox.kernel import Fault

from .shop import NOON, Caller, Receiver, against, draft, new_shop

HERE = "http://in.test/hook"


def hook(scope: str = "store/order/created", **changes: Any) -> dict[str, Any]:
    return {"scope": scope, "destination": HERE, "is_active": True, **changes}


def test_v3_wraps_and_v2_does_not() -> None:
    async def story(call: Caller) -> None:
        assert (await call("GET", "/v2/hooks")).status_code == 204
        wrapped = await call("POST", "/v3/hooks", hook(headers={"x-secret": "s3"}))
        assert wrapped.status_code == 200
        data = wrapped.json()["data"]
        assert data["created_at"] == int(NOON.timestamp())
        assert (data["store_hash"], data["client_id"]) == (call.shop.hash, call.shop.settings["client_id"])
        bare = await call("POST", "/v2/hooks", hook("store/order/archived"))
        assert (bare.status_code, bare.json()["scope"]) == (201, "store/order/archived")
        assert len(await call.get("/v2/hooks")) == len((await call.get("/v3/hooks"))["data"]) == 2
        found = await call.get("/v3/hooks?scope=store/order/created&is_active=true")
        assert [each["id"] for each in found["data"]] == [data["id"]]
        gone = await call("DELETE", f"/v3/hooks/{data['id']}")
        assert (gone.status_code, gone.json()["data"]["id"]) == (200, data["id"])
        missing = await call("GET", f"/v3/hooks/{data['id']}")
        assert missing.json()["title"] == f"Webhook with id [{data['id']}] not found"

    against(new_shop(), story)


def test_a_hook_made_without_is_active_is_asleep() -> None:
    async def story(call: Caller) -> None:
        body = hook()
        del body["is_active"]
        assert (await call("POST", "/v3/hooks", body)).json()["data"]["is_active"] is False

    against(new_shop(), story)


def test_missing_fields_are_named() -> None:
    async def story(call: Caller) -> None:
        refused = await call("POST", "/v3/hooks", {"scope": "store/order/created"})
        assert refused.status_code == 422
        assert refused.json()["title"] == "JSON data is missing or invalid"
        assert refused.json()["errors"] == {"destination": "error.path.missing."}

    against(new_shop(), story)


def test_a_scope_has_ten_hooks_at_most_and_one_a_destination() -> None:
    async def story(call: Caller) -> None:
        for number in range(10):
            made = await call("POST", "/v3/hooks", hook(destination=f"http://in.test/{number}"))
            assert made.status_code == 200
        assert (await call("POST", "/v3/hooks", hook(destination="http://in.test/10"))).status_code == 422
        assert (await call("POST", "/v3/hooks", hook(destination="http://in.test/0"))).status_code == 422
        assert (await call("POST", "/v3/hooks", hook("store/order/updated"))).status_code == 200

    against(new_shop(), story)


def test_a_strict_store_takes_only_https_on_its_own_port() -> None:
    async def story(call: Caller) -> None:
        for destination in (HERE, "https://in.test:8443/"):
            assert (await call("POST", "/v3/hooks", hook(destination=destination))).status_code == 422
        assert (await call("POST", "/v3/hooks", hook(destination="https://in.test/"))).status_code == 200

    against(new_shop(require_https_destination=True), story)


def test_a_delivery_has_the_documented_body_the_headers_and_a_signature_that_verifies() -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()
    # The library checks the signature's age against the machine's clock.
    shop.clock.freeze(False)
    shop.clock.set(datetime.now(UTC))

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook(headers={"x-secret": "s3"}))
        order_id = shop.place_order(draft())
        await shop.tick()
        [delivered] = receiver.calls
        body = json.loads(delivered.content)
        assert body.keys() == {"scope", "store_id", "data", "hash", "created_at", "producer"}
        assert body["data"] == {"type": "order", "id": order_id}
        assert (body["store_id"], body["producer"]) == (shop.settings["store_id"], f"stores/{shop.hash}")
        assert len(body["hash"]) == 40
        assert delivered.headers["x-secret"] == "s3"
        Webhook(shop.settings["client_secret"].encode()).verify(delivered.content.decode(), dict(delivered.headers))

    against(shop, story)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("store/order/*", 4),
        ("store/order/created", 1),
        ("store/channel/1/order/*", 2),
        ("store/channel/*/order/created", 1),
        ("store/shipment/*", 0),
    ],
)
def test_scopes_and_wildcards_choose_the_events(scope: str, told: int) -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook(scope))
        shop.place_order(draft())
        await call.tick(0)
        # created, statusUpdated, and the transaction's event below store/order
        assert len(receiver.calls) == (told if scope != "store/order/*" else 3)

    against(shop, story)


def test_failures_are_retried_on_the_schedule_and_then_the_hook_is_deactivated() -> None:
    shop, receiver = new_shop(), Receiver(lambda *_: 500)
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        made = (await call("POST", "/v3/hooks", hook())).json()["data"]
        shop.place_order(draft())
        await call.tick(0)
        moments = []
        while (due := shop.next_due()) is not None:
            moments.append((due - shop.clock.now()).total_seconds())
            shop.clock.set(due)
            await shop.tick()
        assert tuple(moments) == RETRY_AFTER_SECONDS
        assert shop.clock.now() - NOON == timedelta(seconds=173_040)
        assert len(receiver.calls) == len(RETRY_AFTER_SECONDS) + 1
        assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
        assert len({body["hash"] for body in receiver.bodies()}) == 1
        path = f"/v3/hooks/{made['id']}"
        assert (await call.get(path))["data"]["is_active"] is False
        [listed] = (await call.get("/v3/hooks/admin"))["data"]["hooks_list"]
        assert listed["status"] == "deactivated"
        revived = await call("PUT", path, {"scope": made["scope"], "destination": HERE, "is_active": True})
        assert revived.json()["data"]["is_active"] is True
        [listed] = (await call.get("/v3/hooks/admin"))["data"]["hooks_list"]
        assert listed["status"] == "active"

    against(shop, story)


def test_a_redirect_is_a_failure() -> None:
    shop, receiver = new_shop(), Receiver(lambda *_: 302)
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook())
        shop.place_order(draft())
        await call.tick(0)
        await call.tick(60)
        assert len(receiver.calls) == 2

    against(shop, story)


def test_a_retry_that_succeeds_ends_it() -> None:
    shop, receiver = new_shop(), Receiver(lambda number, _: 503 if number == 1 else 204)
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook())
        shop.place_order(draft())
        await call.tick(0)
        await call.tick(60)
        await call.tick(86_400)
        assert len(receiver.calls) == 2
        assert shop.collections["pending_webhooks"] == {}

    against(shop, story)


def test_a_domain_that_keeps_failing_is_left_alone_for_three_minutes() -> None:
    shop, receiver = new_shop(), Receiver(lambda _, request: 500 if request.url.host == "in.test" else 200)
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook())
        await call("POST", "/v3/hooks", hook("store/hook/deliveryException", destination="http://other.test/"))
        for _ in range(110):
            shop.place_order(draft(("MUG", 1)))
        await call.tick(0)
        at_the_domain = [each for each in receiver.calls if each.url.host == "in.test"]
        assert len(at_the_domain) == 100
        [blocked] = (await call.get("/v3/hooks/admin"))["data"]["blocked_domains"]
        assert (blocked["destination"], blocked["time_left"]) == ("in.test", 180)
        told = [body["data"] for body in receiver.bodies() if body["scope"] == "store/hook/deliveryException"]
        assert {each["error_code"] for each in told} == {90001, 90003}
        await call.tick(180)
        assert len([each for each in receiver.calls if each.url.host == "in.test"]) > 100

    against(shop, story)


def test_faults_lose_double_and_delay_deliveries() -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call("POST", "/v3/hooks", hook())
        for kind in ("lose_webhook", "duplicate_webhook", "reorder_webhook"):
            shop.faults.append(Fault(kind, path="order/created", count=1, seconds=30))
        lost, doubled, late, last = (shop.place_order(draft(("MUG", 1))) for _ in range(4))
        await call.tick(0)
        await call.tick(30)
        told = [body["data"]["id"] for body in receiver.bodies()]
        assert told == [doubled, doubled, last, late]
        assert lost not in told
        ids = [each.headers["webhook-id"] for each in receiver.calls]
        assert ids[0] == ids[1] != ids[2]

    against(shop, story)
