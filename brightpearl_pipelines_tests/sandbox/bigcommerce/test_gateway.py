"""What every call meets first: store hash, token, scope, rate limit, shapes of errors."""

from .shop import Caller, against, draft, new_shop


def test_a_bad_token_is_401_in_the_shape_of_each_version() -> None:
    async def story(call: Caller) -> None:
        v3 = await call("GET", "/v3/hooks")
        assert v3.status_code == 401
        assert v3.json()["title"].startswith("Unauthorized")
        v2 = await call("GET", "/v2/orders")
        assert (v2.status_code, type(v2.json())) == (401, list)

    against(new_shop(), story, token="wrong")


def test_a_token_without_the_scope_is_403() -> None:
    shop = new_shop(scope="store_v2_orders_read_only")

    async def story(call: Caller) -> None:
        assert (await call("GET", "/v2/orders")).status_code == 204
        refused = await call("POST", "/v2/orders", {})
        assert refused.status_code == 403
        products = await call("GET", "/v3/catalog/products")
        assert products.status_code == 403
        assert products.json()["title"] == "You don't have a required scope to access the endpoint"

    against(shop, story)


def test_another_stores_hash_is_a_404_that_is_no_json() -> None:
    async def story(call: Caller) -> None:
        response = await call.client.get("/stores/nobody/v2/orders")
        assert response.status_code == 404
        assert "html" in response.headers["content-type"]

    against(new_shop(), story)


def test_every_answer_carries_the_rate_headers_and_the_quota_ends_in_429() -> None:
    async def story(call: Caller) -> None:
        left = []
        for _ in range(3):
            response = await call("GET", "/v2/orders/999")
            left.append(response.headers["X-Rate-Limit-Requests-Left"])
        assert left == ["2", "1", "0"]
        await call.tick(10)
        limited = await call("GET", "/v2/time")
        assert limited.status_code == 429
        assert limited.headers["X-Rate-Limit-Time-Reset-Ms"] == "20000"
        assert limited.headers["X-Rate-Limit-Time-Window-Ms"] == "30000"
        assert limited.headers["X-Rate-Limit-Requests-Quota"] == "3"
        assert limited.headers["X-Retry-After"] == "20"
        await call.tick(20)
        assert (await call("GET", "/v2/time")).status_code == 200

    against(new_shop(requests_per_30_seconds=3), story)


def test_faults_make_a_429_with_headers_and_one_without() -> None:
    async def story(call: Caller) -> None:
        for rule in ({"kind": "throttle", "count": 1}, {"kind": "status", "status": 429, "count": 1}):
            await call.client.post("/_sandbox/faults", json=rule)
        throttled, overloaded = await call("GET", "/v2/time"), await call("GET", "/v2/time")
        assert (throttled.status_code, overloaded.status_code) == (429, 429)
        assert "X-Rate-Limit-Time-Reset-Ms" in throttled.headers
        assert not [name for name in overloaded.headers if name.startswith("x-r")]

    against(new_shop(), story)


def test_unknown_paths_and_methods_are_told_in_each_versions_shape() -> None:
    async def story(call: Caller) -> None:
        missing = await call("GET", "/v2/nothing")
        assert missing.json() == [{"status": 404, "message": "The requested resource was not found."}]
        assert (await call("GET", "/v3/nothing")).json()["status"] == 404
        assert (await call("PUT", "/v2/orders", {})).status_code == 405
        assert (await call("PATCH", "/v2/orders", {})).status_code == 501

    against(new_shop(), story)


def test_a_trailing_slash_is_forgiven_by_v2_and_refused_by_v3() -> None:
    async def story(call: Caller) -> None:
        assert (await call("GET", "/v2/time/")).status_code == 200
        refused = await call("GET", "/v3/catalog/products/")
        assert (refused.status_code, refused.json()["title"]) == (403, "Authentication Required")

    against(new_shop(), story)


def test_the_json_suffix_and_the_old_address_path_work() -> None:
    shop = new_shop()
    order_id = shop.place_order(draft())

    async def story(call: Caller) -> None:
        assert len(await call.get("/v2/orders.json")) == 1
        order = await call.get(f"/v2/orders/{order_id}.json")
        assert order["shipping_addresses"]["resource"] == f"/orders/{order_id}/shippingaddresses"
        assert len(await call.get(f"/v2{order['shipping_addresses']['resource']}")) == 1

    against(shop, story)


def test_a_limit_above_250_is_413_unless_the_store_clamps() -> None:
    shop = new_shop()
    shop.place_order(draft())

    async def story(call: Caller) -> None:
        assert (await call("GET", "/v2/orders?limit=251")).status_code == 413
        assert (await call("GET", "/v3/catalog/products?limit=251")).status_code == 413
        shop.settings["over_limit"] = "clamp"
        assert (await call("GET", "/v2/orders?limit=251")).status_code == 200

    against(shop, story)


def test_a_body_must_be_json() -> None:
    async def story(call: Caller) -> None:
        plain = {"Content-Type": "text/plain"}
        assert (await call("POST", "/v2/orders", content=b"{}", headers=plain)).status_code == 415
        assert (await call("POST", "/v3/hooks", content=b"{}", headers=plain)).status_code == 400
        broken = {"Content-Type": "application/json"}
        assert (await call("POST", "/v2/orders", content=b"{", headers=broken)).status_code == 400

    against(new_shop(), story)


def test_v3_pages_say_where_they_are() -> None:
    async def story(call: Caller) -> None:
        first = (await call.get("/v3/catalog/variants?limit=2"))["meta"]["pagination"]
        assert (first["total"], first["count"], first["total_pages"]) == (7, 2, 4)
        assert first["links"] == {"current": "?page=1&limit=2", "next": "?page=2&limit=2"}
        last = (await call.get("/v3/catalog/variants?limit=2&page=4"))["meta"]["pagination"]
        assert (last["count"], "next" in last["links"], last["links"]["previous"]) == (1, False, "?page=3&limit=2")
        nothing = await call.get("/v3/catalog/variants?sku=NOSUCH")
        assert nothing["data"] == []
        assert nothing["meta"]["pagination"]["total_pages"] == 1

    against(new_shop(), story)


def test_an_authorisation_code_buys_a_token_that_works() -> None:
    shop = new_shop()
    given = {
        "client_id": shop.settings["client_id"],
        "client_secret": shop.settings["client_secret"],
        "code": shop.settings["oauth_code"],
        "context": f"stores/{shop.hash}",
        "scope": "store_v2_orders",
        "grant_type": "authorization_code",
        "redirect_uri": "https://app.example/auth",
    }

    async def story(call: Caller) -> None:
        async def with_token(**change: str) -> int:
            answer = await call.client.post("/oauth2/token", data={**given, **change})
            token = answer.json()["access_token"]
            return (await call("GET", "/v2/orders", headers={"X-Auth-Token": token})).status_code

        assert await with_token() == 204
        assert await with_token(scope="store_v2_products") == 403
        assert await with_token(context="") == 403
        wrong = await call.client.post("/oauth2/token", json={**given, "code": "stale"})
        assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_grant"})
        stranger = await call.client.post("/oauth2/token", json={**given, "client_secret": "x"})
        assert stranger.status_code == 401

    against(shop, story)
