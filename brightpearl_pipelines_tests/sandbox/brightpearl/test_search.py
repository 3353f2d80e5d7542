"""Searches: rows and their meta-data, filters by type, sorting, paging, index lag (brightpearl.md §3)."""

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import Desk

ORDERS = "order-service/order-search"


def search(desk: Desk, path: str) -> dict:
    reply = desk.call("GET", path)
    assert reply.status_code == 200, reply.text
    return reply.json()


def ids(desk: Desk, query: str, path: str = ORDERS) -> list[int]:
    return [row[0] for row in search(desk, f"{path}?{query}")["response"]["results"]]


def test_an_order_row_has_the_documented_columns_in_order(desk):
    number = desk.sell(externalRef="shop-5", installedIntegrationInstanceId=13, channelId=11, statusId=2)
    body = search(desk, ORDERS)
    names = [column["name"] for column in body["response"]["metaData"]["columns"]]
    assert names == [
        "orderId",
        "orderTypeId",
        "contactId",
        "orderStatusId",
        "orderStockStatusId",
        "createdOn",
        "createdById",
        "customerRef",
        "orderPaymentStatusId",
        "updatedOn",
        "parentOrderId",
        "orderShippingStatusId",
        "externalRef",
        "installedIntegrationInstanceId",
        "warehouseId",
        "staffOwnerContactId",
        "taxDate",
        "departmentId",
        "deliveryDate",
    ]
    instant = "2026-02-03T10:00:00.000Z"
    assert body["response"]["results"] == [
        [number, 1, desk.contact(), 2, 1, instant, 4, "A-1", 2, None, 0, 2, "shop-5", 13, 2, 0, instant, 11, None]
    ]
    assert body["reference"] == {
        "orderTypeNames": {"1": "SALES_ORDER"},
        "orderStatusNames": {"2": "New web order"},
        "orderStockStatusNames": {"1": "Sales Order Not Fulfilled"},
        "orderPaymentStatusNames": {"2": "UNPAID"},
        "orderShippingStatusNames": {"2": "Not Shipped"},
    }


def test_meta_data_tell_the_page_the_columns_and_the_sorting(desk):
    desk.sell()
    metadata = search(desk, f"{ORDERS}?columns=orderId,customerRef")["response"]["metaData"]
    assert (metadata["morePagesAvailable"], metadata["resultsAvailable"], metadata["resultsReturned"]) == (False, 1, 1)
    assert (metadata["firstResult"], metadata["lastResult"]) == (1, 1)
    order_id = {
        "name": "orderId",
        "sortable": True,
        "filterable": True,
        "reportDataType": "IDSET",
        "referenceData": [],
        "isFreeTextSearchable": False,
        "required": False,
    }
    assert metadata["columns"][0] == order_id
    assert metadata["sorting"] == [{"filterable": order_id, "direction": "ASC"}]


def test_a_search_without_rows_has_no_first_and_last_result(desk):
    body = search(desk, f"{ORDERS}?externalRef=none")
    assert body["response"]["results"] == []
    assert body["reference"] == {}
    assert "firstResult" not in body["response"]["metaData"]
    assert "lastResult" not in body["response"]["metaData"]


def test_pages_go_on_from_the_last_result(desk):
    orders = [desk.sell() for _ in range(5)]
    first = search(desk, f"{ORDERS}?pageSize=2")["response"]
    assert [row[0] for row in first["results"]] == orders[:2]
    assert first["metaData"]["morePagesAvailable"] is True
    last = search(desk, f"{ORDERS}?pageSize=2&firstResult=5")["response"]
    assert [row[0] for row in last["results"]] == orders[4:]
    assert (last["metaData"]["morePagesAvailable"], last["metaData"]["lastResult"]) == (False, 5)


def test_count_only_gives_no_rows(desk):
    desk.sell()
    body = search(desk, f"{ORDERS}?countOnly=true")["response"]
    assert (body["results"], body["metaData"]["resultsAvailable"]) == ([], 1)


def test_sorting_by_columns_and_directions(desk):
    first, second, third = (desk.sell(ref=ref) for ref in ("b", "a", "b"))
    assert ids(desk, "sort=customerRef,orderId.DESC") == [second, third, first]
    assert desk.codes("GET", f"{ORDERS}?sort=nothing")[0] == 400


def test_a_period_includes_both_ends_and_may_be_open(desk):
    morning = desk.sell()
    desk.clock.advance(3600)
    noon = desk.sell()
    assert ids(desk, "createdOn=2026-02-03T10:00:00Z/2026-02-03T10:59:59Z") == [morning]
    assert ids(desk, "createdOn=2026-02-03T10:00:01Z/") == [noon]
    assert ids(desk, "createdOn=/2026-02-03T11:00:00.000Z") == [morning, noon]
    assert ids(desk, "createdOn=2026-02-03T12:00:00%2B01:00/") == [noon]
    assert ids(desk, "createdOn=2026-02-03") == [morning, noon]
    assert ids(desk, "createdOn=2026-02-04/2026-02-05") == []


def test_updated_on_is_null_until_an_order_changes(desk):
    untouched, changed = desk.sell(), desk.sell()
    desk.clock.advance(60)
    desk.send("PUT", f"order-service/order/{changed}/status", {"orderStatusId": 17})
    assert ids(desk, "updatedOn=2026-01-01/") == [changed]
    assert "updatedOn" not in desk.order(untouched)
    assert desk.order(changed)["updatedOn"] == "2026-02-03T10:01:00.000Z"


@pytest.mark.parametrize(
    ("filter_", "type_"),
    [("orderStatusId=new", "INTEGER"), ("orderId=3-1", "IDSET"), ("createdOn=soon", "PERIOD")],
)
def test_a_filter_that_cannot_be_parsed_is_a_500_with_the_type(desk, filter_, type_):
    reply = desk.call("GET", f"{ORDERS}?{filter_}")
    assert reply.status_code == 500
    assert reply.json()["errors"] == [
        {"code": "CMNC-018", "message": f"The filter {filter_} cannot be parsed as: {type_}"}
    ]


def test_an_unknown_filter_is_refused(desk):
    assert desk.call("GET", f"{ORDERS}?colour=red").status_code == 400


def test_filters_are_anded_and_filter_only_names_work(desk):
    first = desk.sell(ref="x", externalRef="e1")
    second = desk.sell(ref="x", externalRef="e2")
    assert ids(desk, "customerRef=x&externalRef=e2") == [second]
    assert ids(desk, "customerRefs=x,y") == [first, second]
    assert ids(desk, f"productIds={desk.product('KETTLE')}") == [first, second]
    assert ids(desk, f"orderId={first}-{second + 5}&contactId={desk.contact()}") == [first, second]


def test_search_strings_contain_and_strings_equal(desk):
    contacts = "contact-service/contact-search"
    assert len(ids(desk, "lastName=ranD", contacts)) == 1
    assert ids(desk, "primaryEmail=NORA@quill", contacts) == ids(desk, "firstName=Nora", contacts)
    products = "product-service/product-search"
    assert len(ids(desk, "productName=cup", products)) == 2
    assert ids(desk, "SKU=CUP-RED", products) == [desk.product("CUP-RED")]
    assert ids(desk, "SKU=cup-red", products) == []


def test_the_reference_of_a_product_search_is_keyed_by_product(desk):
    number = desk.product("KETTLE")
    body = search(desk, "product-service/product-search?SKU=KETTLE")
    assert body["reference"] == {"productCategoryMembership": {str(number): [1]}}


def test_a_search_describes_itself(desk):
    description = desk.get("order-service/order-search/meta-data")
    assert description["columns"][0]["name"] == "orderId"
    assert "customerRefs" in [column["name"] for column in description["filters"]]


def test_sales_orders_are_searched_with_codes_in_place_of_ids(desk):
    number = desk.sell()
    body = search(
        desk, "order-service/sales-order-search?orderPaymentStatus=UNPAID&columns=salesOrderId,orderStockStatus"
    )
    assert body["response"]["results"] == [[number, "SON"]]


def test_short_lists_can_be_searched(desk):
    currencies = search(desk, "accounting-service/currency-search?code=EUR")["response"]["results"]
    assert currencies == [[2, "EUR", "EUR", "€", "1.250000", False, "7911"]]
    assert ids(desk, "code=4000", "accounting-service/nominal-code-search") == ["4000"]
    assert ids(desk, "name=north", "warehouse-service/warehouse-search") == [3]


def test_a_lagging_index_shows_new_orders_and_changes_late():
    desk = Desk(search_lag_seconds=30)
    desk.clock.advance(60)
    number = desk.sell(externalRef="late")
    assert ids(desk, "externalRef=late") == []
    desk.clock.advance(30)
    assert ids(desk, "externalRef=late") == [number]
    desk.send("PUT", f"order-service/order/{number}/status", {"orderStatusId": 17})
    assert ids(desk, "updatedOn=2026-02-03/") == []
    desk.clock.advance(30)
    assert ids(desk, "updatedOn=2026-02-03/") == [number]
