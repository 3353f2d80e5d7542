"""Id sets, OPTIONS, empty lists and the writing of JSON (brightpearl.md §2)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.brightpearl.wire import ApiError, IdSet, dumps, id_set_text, padded
from brightpearl_pipelines.sandbox.world import Product


@pytest.mark.parametrize(
    ("text", "ids"),
    [("8", [8]), ("1-4", [1, 2, 3, 4]), ("5,1,3", [5, 1, 3]), ("2.9", [2, 9]), ("1-3,6-7,20", [1, 2, 3, 6, 7, 20])],
)
def test_id_sets_hold_ids_lists_and_ranges(text, ids):
    assert IdSet.parse(text).ids() == ids


@pytest.mark.parametrize("text", ["", "9-3", "a", "1, 2", "0", "-4", "1--2", "3-"])
def test_malformed_or_descending_id_sets_are_refused(text):
    with pytest.raises(ApiError):
        IdSet.parse(text)


def test_a_huge_range_costs_no_more_than_what_exists():
    assert IdSet.parse("1-999999999999").among({"7": 1, "12": 1}) == [7, 12]


def test_id_sets_are_written_with_runs_compressed():
    assert id_set_text([1010, 1007, 1012, 1011, 1007]) == "1007,1010-1012"


def test_strings_are_escaped_and_numbers_padded_as_the_service_does():
    assert dumps({"a": "x=<'>&", "b": padded("0.25", 4)}) == ('{"a":"x\\u003d\\u003c\\u0027\\u003e\\u0026","b":0.2500}')


def test_more_than_200_ids_in_a_get_are_refused(desk):
    assert desk.call("GET", "order-service/order/1-200").status_code == 200
    assert desk.call("GET", "order-service/order/1-201").status_code == 400


def test_a_get_of_unknown_orders_is_an_empty_list_while_others_are_404(desk):
    assert desk.get("order-service/order/999") == []
    for path in (
        "contact-service/contact/1",
        "product-service/product-price/1",
        "product-service/product/1",
        "integration-service/webhook/9",
        "warehouse-service/order/62/reservation",
        "warehouse-service/order/62/goods-note/goods-out",
    ):
        assert desk.codes("GET", path) == (404, ["CMNC-404"])
    reply = desk.call("GET", "warehouse-service/order/62/reservation")
    assert reply.json()["errors"][0]["message"] == "No reservation exists for order 62"


def test_options_without_resources_has_no_uris(desk):
    assert desk.send("OPTIONS", "order-service/order") == {"getUris": []}


def test_options_names_only_what_exists_in_parts_of_at_most_200(desk):
    for number in range(205):
        desk.account.add_product(Product(f"SPOON-{number}", f"Spoon {number}", Decimal(1)))
    assert desk.send("OPTIONS", "product-service/product") == {"getUris": ["/product/1007-1206", "/product/1207-1216"]}
    assert desk.send("OPTIONS", "product-service/product/1005-1008,5000") == {"getUris": ["/product/1007-1008"]}


def test_a_body_that_is_not_json_is_refused(desk):
    reply = desk.raw("POST", "/public-api/acme/order-service/sales-order", headers=desk.headers(), content=b"{not json")
    assert reply.status_code == 400
    assert reply.json()["errors"] == [
        {"code": "CMNC-010", "message": "You must supply a JSON formatted body with your request"}
    ]


def test_instants_show_the_offset_of_the_account(desk):
    desk.clock.advance(86400 * 150)  # summer
    order = desk.order(desk.sell())
    assert order["createdOn"] == "2026-07-03T11:00:00.000+01:00"
