"""What the emulator refuses before it looks at what a call means: fields of a wrong shape, and broken JSON and URLs."""

from typing import Any

import pytest

from brightpearl_pipelines.sandbox.bigcommerce.catalog_checks import PRODUCT_CHECKS, VARIANT_CHECKS
from brightpearl_pipelines.sandbox.bigcommerce.catalog_writes import PRODUCT_FIELDS, VARIANT_FIELDS
from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    Check,
    either,
    flag,
    integer,
    list_of,
    moment,
    numeric,
    object_of,
    one_of,
    or_null,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_checks import ORDER_CHECKS
from brightpearl_pipelines.sandbox.bigcommerce.order_writes import IGNORED, MONEY, PLAIN, SUB_RESOURCES

from .shop import Caller, against, new_shop

PAIR = object_of({"id": integer(1), "name": text(3)}, required=["id"])


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (text(3, least=1), ["a", "abc"], ["", "abcd", 1, None, ["a"]]),
        (integer(0, 5), [0, 5], [-1, 6, 1.0, "1", True, None]),
        (numeric(0, 5), [0, 2.5, 5], [-0.1, 5.1, "1", True, None, float("inf"), float("nan")]),
        (flag, [True, False], [0, "true", None]),
        (one_of("a", "b"), ["a"], ["c", "", None, ["a"], {}]),
        (moment, ["2026-03-02T12:00:00Z"], ["2026-03-02", "2026-03-02T12:00:00", "soon", 5, None]),
        (or_null(text()), [None, "a"], [1]),
        (either(text(), numeric()), ["1", 1], [None, [], True]),
        (list_of(flag, most=2), [[], [True, False]], [None, {}, [1], [True, True, True]]),
        (PAIR, [{"id": 1}, {"id": 1, "name": "abc", "unknown": []}], [None, [], {}, {"id": 0}, {"id": 1, "name": 5}]),
    ],
)
def test_a_check_lets_pass_what_fits_and_says_in_words_what_does_not(check: Check, good: list[Any], bad: list[Any]):
    assert [check(value) for value in good] == [None] * len(good)
    assert all(isinstance(check(value), str) for value in bad)


def test_every_writable_field_of_a_product_a_variant_and_an_order_is_checked():
    assert PRODUCT_FIELDS - PRODUCT_CHECKS.keys() == {"variants", "custom_fields"}
    assert VARIANT_FIELDS - VARIANT_CHECKS.keys() == {"option_values"}
    assert (PLAIN | SUB_RESOURCES) - ORDER_CHECKS.keys() == set()
    assert (MONEY | IGNORED) & ORDER_CHECKS.keys() == set()


def test_v3_names_every_bad_field_and_v2_the_first():
    async def story(call: Caller) -> None:
        product = {"name": "", "type": "edible", "price": "1", "weight": 1}
        answer = await call("POST", "/v3/catalog/products", product)
        assert answer.status_code == 422
        assert answer.json()["errors"].keys() == {"name", "type", "price"}
        answer = await call("POST", "/v2/customer_groups", {"name": "Trade", "is_default": 1, "category_access": []})
        assert answer.status_code == 400
        assert answer.json() == [{"status": 400, "message": "The field 'category_access' is invalid."}]

    against(new_shop(), story)


def test_one_bad_customer_keeps_the_whole_batch_out():
    async def story(call: Caller) -> None:
        good = {"email": "bo@example.com", "first_name": "Bo", "last_name": "Berg"}
        before = len((await call.get("/v3/customers"))["data"])
        for wrong in ({"phone": 5}, {"addresses": {}}, {"attributes": [{"attribute_id": 99, "attribute_value": "x"}]}):
            bad = {**good, "email": "di@example.com", **wrong}
            answer = await call("POST", "/v3/customers", [good, bad])
            assert answer.status_code == 422, wrong
        assert len((await call.get("/v3/customers"))["data"]) == before

    against(new_shop(), story)


def test_null_gives_a_variant_its_default_back():
    async def story(call: Caller) -> None:
        variant = (await call.get("/v3/catalog/variants"))["data"][0]
        path = f"/v3/catalog/products/{variant['product_id']}/variants/{variant['id']}"
        assert (await call("PUT", path, {"price": 5, "upc": "123", "bin_picking_number": "B1"})).status_code == 200
        answer = await call("PUT", path, {"price": None, "upc": None, "bin_picking_number": None})
        data = answer.json()["data"]
        assert (data["price"], data["upc"], data["bin_picking_number"]) == (None, "", "")

    against(new_shop(), story)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": NaN}',
        b'{"name": "a", "weight": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"name": ' + b"9" * 5_000 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/v3/catalog/brands", "/v2/customer_groups"])
def test_a_body_that_no_answer_could_repeat_is_bad_json(path: str, body: bytes):
    async def story(call: Caller) -> None:
        answer = await call("POST", path, headers={"Content-Type": "application/json"}, content=body)
        assert answer.status_code == 400, answer.text

    against(new_shop(), story)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/orders/" + "9" * 5_000, 404),
        ("/v2/orders?page=" + "9" * 5_000, 400),
        ("/v2/orders?customer_id=%C2%B2", 400),
        ("/v2/orders?min_total=NaN", 400),
        ("/v2/orders?min_date_created=0001-01-01T00:00:00%2B14:00", 400),
        ("/v3/customers?limit=1_0", 422),
    ],
)
def test_numbers_and_dates_beyond_all_bounds_are_refused_in_a_url(path: str, status: int):
    async def story(call: Caller) -> None:
        assert (await call("GET", path)).status_code == status

    against(new_shop(), story)


@pytest.mark.parametrize(
    "fields",
    [
        {"destination": "https://[half"},
        {"destination": "https://example.com:port/"},
        {"destination": "nowhere"},
        {"destination": "https://example.com/", "headers": {"X-Key": "line\nbreak"}},
        {"destination": "https://example.com/", "headers": {"X-Key": "ключ"}},
        {"destination": "https://example.com/", "headers": {"X Key": "1"}},
    ],
)
def test_a_hook_that_could_never_be_delivered_is_refused(fields: dict[str, Any]):
    async def story(call: Caller) -> None:
        answer = await call("POST", "/v3/hooks", {"scope": "store/order/*", "is_active": True, **fields})
        assert answer.status_code == 422

    against(new_shop(), story)


def test_settings_of_stock_need_an_identity_and_an_address_a_whole_place():
    async def story(call: Caller) -> None:
        for settings in ([[]], [{"identity": 5, "safety_stock": 1}], [{"safety_stock": 1}]):
            answer = await call("PUT", "/v3/inventory/locations/1/items", {"settings": settings})
            assert answer.status_code == 422
        answer = await call("PUT", "/v3/inventory/locations", [{"id": 1, "address": {"geo_coordinates": {}}}])
        assert answer.json()["errors"] == {"0.address": "geo_coordinates needs latitude"}

    against(new_shop(), story)
