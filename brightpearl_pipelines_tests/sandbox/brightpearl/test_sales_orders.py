"""The sales-order and sales-credit resources: atomic, with a unique key (brightpearl.md §5.5, §5.6)."""

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import Desk

PATH = "order-service/sales-order"


def test_a_posted_sales_order_is_one_order_equal_to_the_penny(desk):
    carriage = {
        "name": "Carriage",
        "quantity": "1",
        "taxCode": "T20",
        "net": "3.33",
        "tax": "0.67",
        "nominalCode": "4040",
    }
    number = desk.sell(
        desk.line("KETTLE", 2, "79.99", "16.00"),
        carriage,
        externalRef="shop-9",
        installedIntegrationInstanceId=13,
        placedOn="2026-02-01T09:30:00Z",
        taxDate="2026-02-01",
        channelId=11,
        delivery={"date": "2026-02-06", "shippingMethodId": 5},
    )
    order = desk.order(number)
    assert order["totalValue"] == {
        "net": "83.32",
        "taxAmount": "16.67",
        "baseNet": "83.32",
        "baseTaxAmount": "16.67",
        "baseTotal": "99.99",
        "total": "99.99",
    }
    assert (order["orderTypeCode"], order["reference"], order["externalRef"]) == ("SO", "A-1", "shop-9")
    assert order["placedOn"] == "2026-02-01T09:30:00.000Z"
    assert order["invoices"] == [{"invoiceReference": "", "taxDate": "2026-02-01T00:00:00.000Z"}]
    assert order["delivery"] == {"shippingMethodId": 5, "deliveryDate": "2026-02-06T00:00:00.000Z"}
    assert order["orderStatus"] == {"orderStatusId": 3, "name": "New phone order"}
    kettle, free_text = order["orderRows"].values()
    assert kettle["productSku"] == "KETTLE"
    assert kettle["quantity"] == {"magnitude": "2.0000"}
    assert kettle["rowValue"]["rowNet"] == {"currencyCode": "GBP", "value": "79.9900"}
    assert kettle["rowValue"]["rowTax"] == {"currencyCode": "GBP", "value": "16.00"}
    assert kettle["rowValue"]["taxRate"] == "20.0000"
    assert (kettle["productPrice"]["value"], kettle["itemCost"]["value"]) == ("40.0000", "22.5000")
    assert (free_text["productId"], free_text["productName"], free_text["nominalCode"]) == (1000, "Carriage", "4040")
    assert "productSku" not in free_text
    assert [row["orderRowSequence"] for row in (kettle, free_text)] == ["10", "20"]


def test_a_foreign_order_shows_base_values_by_its_rate(desk):
    number = desk.sell(currency={"code": "EUR", "exchangeRate": "1.250000", "fixedExchangeRate": True})
    order = desk.order(number)
    assert order["currency"] == {
        "accountingCurrencyCode": "GBP",
        "orderCurrencyCode": "EUR",
        "exchangeRate": "1.250000",
        "fixedExchangeRate": True,
    }
    assert (order["totalValue"]["total"], order["totalValue"]["baseTotal"]) == ("96.00", "76.80")


def test_a_bad_row_refuses_the_whole_order_with_every_problem_named(desk):
    rows = [
        desk.line("KETTLE", 1, "40.00", "8.00"),
        {**desk.line("KETTLE", 1, "40.00", "8.00"), "quantity": "WRONG"},
        {"quantity": 1, "taxCode": "T20", "net": "1.00", "tax": "0.20"},
        {**desk.line("KETTLE", 1, "40.00", "8.00"), "taxCode": "T99", "productId": 4711},
        {**desk.line("KETTLE", 1, "40.005", "8.00")},
    ]
    status, codes = desk.codes("POST", PATH, desk.order_body(*rows))
    assert status == 400
    assert codes == ["ORDC-024", "ORDC-026", "ORDC-025", "ORDC-027", "ORDC-028"]
    assert desk.account.collection("orders") == {}


@pytest.mark.parametrize(
    "change",
    [
        {"customer": {}},
        {"customer": {"id": 99999}},
        {"statusId": 10},
        {"warehouseId": 77},
        {"channelId": 77},
        {"priceListId": 77},
        {"currency": {"code": "XXX"}},
        {"currency": {"code": "EUR", "exchangeRate": "-1"}},
        {"delivery": {"shippingMethodId": 77}},
        {"delivery": {"address": {"countryIsoCode": "ZZZ"}}},
        {"placedOn": "yesterday"},
        {"parentId": 4711},
        {"ref": "r" * 65},
        {"rows": "none"},
    ],
)
def test_what_does_not_exist_in_the_account_is_refused(desk, change):
    body = {**desk.order_body(desk.line("KETTLE", 1, "40.00", "8.00")), **change}
    assert desk.call("POST", PATH, body).status_code == 400
    assert desk.account.collection("orders") == {}


def test_customer_id_may_stand_at_the_top(desk):
    assert desk.send("POST", PATH, {"customerId": desk.contact()}) == 5001


def test_the_external_key_is_unique_by_default_an_error(desk):
    key = {"externalRef": "shop-1", "installedIntegrationInstanceId": 13}
    desk.sell(**key)
    status, _ = desk.codes("POST", PATH, desk.order_body(desk.line("KETTLE", 1, "40.00", "8.00"), **key))
    assert (status, len(desk.account.collection("orders"))) == (400, 1)
    desk.sell(**{**key, "installedIntegrationInstanceId": 14})
    desk.sell(externalRef="shop-1")
    assert len(desk.account.collection("orders")) == 3


def test_the_external_key_answers_with_the_existing_order_when_so_set():
    desk = Desk(duplicate_external_ref="existing")
    key = {"externalRef": "shop-1", "installedIntegrationInstanceId": 13}
    first = desk.sell(**key)
    assert desk.sell(desk.line("KETTLE", 5, "1.00", "0.20"), **key) == first
    assert desk.order(first)["totalValue"]["total"] == "96.00"


def test_addresses_override_the_contacts_own_and_accept_both_country_codes(desk):
    address = {"addressFullName": "Gift Receiver", "addressLine1": "9 New Rd", "countryIsoCode": "IE"}
    number = desk.sell(delivery={"address": address}, billing={"address": {**address, "countryIsoCode": "IRL"}})
    parties = desk.order(number)["parties"]
    assert (parties["delivery"]["addressFullName"], parties["delivery"]["countryIsoCode3"]) == ("Gift Receiver", "IRL")
    assert parties["billing"]["countryIsoCode"] == "IE"
    assert "contactId" not in parties["delivery"]
    customer = parties["customer"]
    assert (customer["contactId"], customer["addressLine1"], customer["addressLine3"], customer["email"]) == (
        desk.contact(),
        "4 Mill Lane",
        "York",
        "nora@quill.example",
    )


def test_a_bundle_brings_its_component_rows_at_no_price(desk):
    number = desk.sell(desk.line("BREAKFAST", 2, "96.00", "19.20"))
    rows = desk.order(number)["orderRows"]
    (parent_id, parent), *children = rows.items()
    assert parent["composition"] == {"bundleParent": True, "bundleChild": False, "parentOrderRowId": 0}
    assert [(row["productSku"], row["quantity"]["magnitude"]) for _, row in children] == [
        ("KETTLE", "2.0000"),
        ("CUP-RED", "4.0000"),
    ]
    for _, row in children:
        assert row["composition"] == {
            "bundleParent": False,
            "bundleChild": True,
            "parentOrderRowId": int(parent_id),
        }
        assert row["rowValue"]["rowNet"]["value"] == "0.0000"
    assert desk.order(number)["totalValue"]["total"] == "115.20"


def test_variant_rows_carry_their_options(desk):
    number = desk.sell(desk.line("CUP-BLUE", 1, "5.00", "1.00"))
    row = desk.order(number)["orderRows"][desk.row_of(number, "CUP-BLUE")]
    assert row["productOptions"] == {"Colour": "Blue"}


def test_negative_values_are_allowed_for_discounts(desk):
    discount = {"name": "Voucher", "quantity": 1, "taxCode": "T20", "net": "-10.00", "tax": "-2.00"}
    number = desk.sell(desk.line("KETTLE", 1, "40.00", "8.00"), discount)
    assert desk.order(number)["totalValue"]["total"] == "36.00"


def test_the_flat_form_reads_back_what_was_posted(desk):
    number = desk.sell(externalRef="shop-3", installedIntegrationInstanceId=13, channelId=11)
    (order,) = desk.get(f"{PATH}/{number}")
    assert order["customer"]["id"] == desk.contact()
    assert order["customer"]["address"]["countryIsoCode"] == "GBR"
    assert order["total"] == {
        "net": "80.00",
        "tax": "16.00",
        "gross": "96.00",
        "baseNet": "80.00",
        "baseTax": "16.00",
        "baseGross": "96.00",
    }
    assert (order["isCanceled"], order["channelId"], order["statusId"]) == (False, 11, 3)
    (row,) = order["rows"]
    assert (row["sku"], row["quantity"], row["net"], row["tax"]) == ("KETTLE", "2.0000", "80.0000", "16.00")
    assert "parentId" not in order


def test_a_get_of_several_is_207_when_some_are_missing(desk):
    number = desk.sell()
    partly = desk.call("GET", f"{PATH}/{number},99")
    assert (partly.status_code, len(partly.json()["response"])) == (207, 1)
    assert desk.call("GET", f"{PATH}/{number}").status_code == 200
    assert desk.send("OPTIONS", PATH) == {"getUris": [f"/sales-order/{number}"]}


def test_rows_are_changed_together_with_a_result_each(desk):
    number = desk.sell(desk.line("KETTLE", 2, "80.00", "16.00"), desk.line("CUP-RED", 1, "5.00", "1.00"))
    kettle, cup = desk.row_of(number, "KETTLE"), desk.row_of(number, "CUP-RED")
    changes = [
        {"id": int(kettle), "quantity": "1", "net": "39.9999", "tax": "8.00"},
        {"id": int(cup), "quantity": "none"},
    ]
    reply = desk.call("PUT", f"{PATH}/{number}/row/{kettle},{cup}", changes)
    assert reply.status_code == 207
    assert reply.json()["response"]["resourceStatuses"] == {kettle: 200, cup: 400}
    assert reply.json()["response"]["resourceErrors"][kettle] == []
    order = desk.order(number)
    assert order["orderRows"][kettle]["rowValue"]["rowNet"]["value"] == "39.9999"
    assert order["totalValue"]["total"] == "54.00"
    assert desk.call("PUT", f"{PATH}/{number}/row/{cup}", [{"id": int(cup), "colour": "red"}]).status_code == 400


def test_a_sales_credit_belongs_to_its_order_and_is_paid_by_a_refund(desk):
    sale = desk.sell()
    body = desk.order_body(desk.line("KETTLE", 1, "40.00", "8.00"), parentId=sale, externalRef="A-1.r1")
    credit = desk.send("POST", "order-service/sales-credit", body)
    order = desk.order(credit)
    assert (order["orderTypeCode"], order["parentOrderId"]) == ("SC", sale)
    assert (order["stockStatusCode"], order["orderStatus"]["orderStatusId"]) == ("SCN", 10)
    assert desk.pay(credit, "48.00", paymentType="PAYMENT").status_code == 200
    assert desk.order(credit)["orderPaymentStatus"] == "PAID"
    assert desk.get(f"order-service/sales-credit/{credit}")[0]["parentId"] == sale


def test_a_returned_item_comes_back_on_a_goods_in_note(desk):
    sale = desk.sell()
    credit = desk.send(
        "POST",
        "order-service/sales-credit",
        desk.order_body(desk.line("KETTLE", 2, "80.00", "16.00"), parentId=sale),
    )
    row = desk.row_of(credit, "KETTLE")
    move = {"productId": desk.product("KETTLE"), "purchaseOrderRowId": int(row), "quantity": 1}
    note = {
        "warehouseId": 2,
        "userBatchReference": "back-1",
        "goodsMoved": [{**move, "productValue": {"currency": "GBP", "value": 22.5}}],
    }
    path = f"warehouse-service/order/{credit}/goods-note/goods-in"
    number = desk.send("POST", path, note)
    assert desk.on_hand("KETTLE")[1] == 11
    assert desk.order(credit)["stockStatusCode"] == "SCP"
    assert desk.codes("POST", path, note)[0] == 400  # the batch reference is taken
    assert desk.get(path)[str(number)]["goodsMoved"][0]["purchaseOrderRowId"] == int(row)
    everything = desk.codes("GET", "warehouse-service/order/*/goods-note/goods-in")
    assert everything[0] == 400
