"""The order resource: header, rows, status, notes, PATCH, custom fields, closing (brightpearl.md §5.1–5.4, §5.6)."""

import pytest

ORDER = "order-service/order"


def header(desk, **more):
    return desk.send(
        "POST",
        ORDER,
        {"orderTypeCode": "SO", "reference": "R", "parties": {"customer": {"contactId": desk.contact()}}, **more},
    )


def row(desk, sku="KETTLE", magnitude="2", net="80.00", tax="16.00"):
    return {
        "productId": desk.product(sku),
        "quantity": {"magnitude": magnitude},
        "rowValue": {"taxCode": "T20", "rowNet": {"value": net}, "rowTax": {"value": tax}},
    }


def test_a_minimal_header_has_no_rows_and_the_codes_of_an_empty_order(desk):
    order = desk.order(header(desk))
    assert order["orderRows"] == {}
    codes = ("stockStatusCode", "allocationStatusCode", "shippingStatusCode", "orderPaymentStatus")
    assert [order[code] for code in codes] == ["NON", "ANR", "NST", "NOT_APPLICABLE"]
    assert "updatedOn" not in order
    assert "customFields" not in order


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["ORDC-005"]),
        ({"orderTypeCode": "XX"}, ["ORDC-006"]),
        ({"orderTypeCode": "SO"}, ["ORDC-022"]),
        ({"orderTypeCode": "PO", "parties": {"customer": {"contactId": 201}}}, ["ORDC-022"]),
    ],
)
def test_a_header_needs_its_type_and_party(desk, body, codes):
    assert desk.codes("POST", ORDER, body) == (400, codes)


def test_a_purchase_order_with_a_customer_party_gets_the_misspelt_message(desk):
    reply = desk.call("POST", ORDER, {"orderTypeCode": "PO", "parties": {"customer": {"contactId": 201}}})
    assert reply.json()["errors"] == [{"code": "ORDC-022", "message": "Suppllier ID Required."}]


def test_a_row_needs_a_known_order(desk):
    reply = desk.call("POST", f"{ORDER}/123/row", row(desk))
    assert reply.status_code == 400
    assert reply.json()["errors"] == [{"code": "ORDC-003", "message": "You have supplied an invalid order id: 123"}]


def test_rows_follow_one_by_one_and_bundles_answer_with_the_root_row_only(desk):
    number = header(desk)
    first = desk.send("POST", f"{ORDER}/{number}/row", row(desk))
    bundle = desk.send("POST", f"{ORDER}/{number}/row", row(desk, "BREAKFAST", "1", "48.00", "9.60"))
    assert list(desk.order(number)["orderRows"])[:2] == [str(first), str(bundle)]
    assert len(desk.order(number)["orderRows"]) == 4
    assert desk.codes("POST", f"{ORDER}/{number}/row", row(desk, magnitude="1.5")) == (400, ["ORDC-024"])
    free_text = {"productName": "Wrapping", "quantity": {"magnitude": "1.25"}, "rowValue": {"taxCode": "T20"}}
    desk.send("POST", f"{ORDER}/{number}/row", free_text)


def test_a_patched_net_takes_its_tax_along_in_proportion(desk):
    number = desk.sell(desk.line("KETTLE", 1, "100.00", "13.00"))
    path = f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}"
    patched = desk.send("PATCH", path, [{"op": "replace", "path": "/rowValue/rowNet/value", "value": "200.00"}])
    assert patched["rowValue"]["rowTax"]["value"] == "26.00"
    assert desk.order(number)["totalValue"]["total"] == "226.00"
    tax_too = [
        {"op": "replace", "path": "/rowValue/rowNet/value", "value": "10.1234"},
        {"op": "replace", "path": "/rowValue/rowTax/value", "value": "1.0101"},
    ]
    value = desk.send("PATCH", path, tax_too)["rowValue"]
    assert (value["rowNet"]["value"], value["rowTax"]["value"]) == ("10.1234", "1.0101")


@pytest.mark.parametrize("operation", [{"op": "remove", "path": "/nominalCode"}, {"op": "add", "path": "/colour"}])
def test_an_operation_that_is_not_allowed_is_a_500(desk, operation):
    number = desk.sell()
    path = f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}"
    assert desk.codes("PATCH", path, [{**operation, "value": "x"}]) == (500, ["CMNC-044"])


def test_a_bundle_row_takes_its_components_along(desk):
    number = desk.sell(desk.line("BREAKFAST", 1, "48.00", "9.60"), desk.line("EBOOK", 1, "9.00", "0.00"))
    parent = desk.row_of(number, "BREAKFAST")
    child = desk.row_of(number, "CUP-RED")
    three = [{"op": "replace", "path": "/quantity/magnitude", "value": "3"}]
    desk.send("PATCH", f"{ORDER}/{number}/row/{parent}", three)
    assert desk.order(number)["orderRows"][child]["quantity"]["magnitude"] == "6.0000"
    assert desk.codes("PATCH", f"{ORDER}/{number}/row/{child}", three)[0] == 400
    assert desk.codes("DELETE", f"{ORDER}/{number}/row/{child}")[0] == 400
    assert desk.call("DELETE", f"{ORDER}/{number}/row/{parent}").json() == {}
    assert len(desk.order(number)["orderRows"]) == 1
    assert desk.codes("DELETE", f"{ORDER}/{number}/row/{parent}")[0] == 404


def test_a_quantity_cannot_go_below_what_is_reserved(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    path = f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}"
    one = [{"op": "replace", "path": "/quantity/magnitude", "value": 1}]
    assert desk.codes("PATCH", path, one) == (400, ["ORDC-024"])


def test_a_bundle_cannot_go_below_what_is_reserved_of_its_components(desk):
    number = desk.sell(desk.line("BREAKFAST", 2, "96.00", "19.20"))
    desk.reserve(number, "CUP-RED", 4)
    path = f"{ORDER}/{number}/row/{desk.row_of(number, 'BREAKFAST')}"
    one = [{"op": "replace", "path": "/quantity/magnitude", "value": 1}]
    assert desk.codes("PATCH", path, one) == (400, ["ORDC-024"])


@pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 400)])
def test_whether_a_row_can_be_emptied_is_a_setting(desk, allowed, status):
    """Not documented: the only bound that is named is what is reserved or fulfilled."""
    desk.account.settings["row_quantity_zero"] = allowed
    number = desk.sell()
    path = f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}"
    zero = [{"op": "replace", "path": "/quantity/magnitude", "value": 0}]
    assert desk.call("PATCH", path, zero).status_code == status


@pytest.mark.parametrize("kept", [True, False])
def test_whether_a_row_that_is_added_keeps_its_external_ref_is_a_setting(desk, kept):
    desk.account.settings["added_rows_keep_external_ref"] = kept
    number = header(desk)
    added = desk.send("POST", f"{ORDER}/{number}/row", {**row(desk), "externalRef": "line-9"})
    assert desk.order(number)["orderRows"][str(added)].get("externalRef") == ("line-9" if kept else None)


def test_rows_of_paid_orders_are_not_deleted(desk):
    number = desk.sell()
    desk.pay(number, "10.00")
    assert desk.codes("DELETE", f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}")[0] == 400


def test_deleting_a_row_gives_its_reservation_back(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    desk.send("DELETE", f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}")
    assert desk.on_hand("KETTLE") == (10, 10, 0)
    assert desk.codes("GET", f"warehouse-service/order/{number}/reservation")[0] == 404


# -- status -------------------------------------------------------------------------------------------------------


def test_a_status_change_always_leaves_a_note(desk):
    number = desk.sell()
    note = {"text": "Packed in paper", "isPublic": True}
    reply = desk.call("PUT", f"{ORDER}/{number}/status", {"orderStatusId": 17, "orderNote": note})
    assert (reply.status_code, reply.json()) == (200, {})
    desk.send("PUT", f"{ORDER}/{number}/status", {"orderStatusId": 3})
    notes = desk.get(f"{ORDER}/{number}/note/")
    assert [(entry["text"], entry["orderStatusId"]) for entry in notes] == [("Packed in paper", 17), ("", 3)]
    written = desk.send("POST", f"{ORDER}/{number}/note", {"text": "Call first", "isPublic": False})
    assert desk.get(f"{ORDER}/{number}/note/{written}")[0]["text"] == "Call first"


@pytest.mark.parametrize("status", [10, 99, None])
def test_a_status_must_exist_and_suit_the_type(desk, status):
    assert desk.codes("PUT", f"{ORDER}/{desk.sell()}/status", {"orderStatusId": status})[0] == 400


def test_cancelling_gives_reservations_back(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    desk.send("PUT", f"{ORDER}/{number}/status", {"orderStatusId": 5})
    assert desk.on_hand("KETTLE") == (10, 10, 0)
    assert desk.get(f"order-service/sales-order/{number}")[0]["isCanceled"] is True
    assert desk.account.open_orders() == []


def test_an_order_with_payments_goods_out_or_invoice_is_not_cancelled(desk):
    cancel = {"orderStatusId": 5}
    paid, noted, closed = desk.sell(), desk.sell(), desk.sell()
    desk.pay(paid, "1.00")
    desk.reserve(noted, "KETTLE", 2)
    desk.account.ship(str(noted), tracking="T")
    desk.send("POST", f"order-service/sales-order/{closed}/close", {})
    for number in (paid, noted, closed):
        assert desk.codes("PUT", f"{ORDER}/{number}/status", cancel)[0] == 400
    payment = desk.get(f"accounting-service/customer-payment-search?orderId={paid}")["results"][0][0]
    desk.send("DELETE", f"accounting-service/customer-payment/{payment}")
    desk.send("PUT", f"{ORDER}/{paid}/status", cancel)


def test_statuses_come_by_type_and_order_and_can_be_added(desk):
    number = desk.send(
        "POST", "order-service/order-status", {"name": "Gift wrapped", "orderTypeCode": "SO", "color": "#0099CC"}
    )
    statuses = desk.get("order-service/order-status")
    kinds = [status["orderTypeCode"] for status in statuses]
    assert kinds == sorted(kinds, key=["SO", "PO", "SC", "PC"].index)
    assert statuses[0]["state"] == "draft"
    assert desk.get(f"order-service/order-status/{number}")[0]["color"] == "#0099CC"


def test_the_fixed_lists_have_their_documented_ids(desk):
    types = desk.get("order-service/order-type")
    assert [(entry["id"], entry["code"]) for entry in types] == [(1, "SO"), (2, "PO"), (3, "SC"), (4, "PC")]
    stock = {entry["id"]: entry["code"] for entry in desk.get("order-service/order-stock-status")}
    assert (len(stock), stock[2], stock[4], stock[9], stock[13]) == (13, "SOP", "PON", "SCA", "NON")
    shipping = desk.get("order-service/order-shipping-status")
    assert [entry["code"] for entry in shipping] == ["NST", "SNS", "SPS", "ASS"]


# -- PATCH and custom fields --------------------------------------------------------------------------------------


def test_a_patched_order_is_answered_whole(desk):
    number = desk.sell()
    operations = [
        {"op": "replace", "path": "/reference", "value": "NEW"},
        {"op": "replace", "path": "/warehouseId", "value": 3},
        {"op": "remove", "path": "/delivery/shippingMethodId"},
        {"op": "replace", "path": "/delivery/deliveryDate", "value": "2026-07-20"},
        {"op": "replace", "path": "/parties/customer/contactId", "value": desk.contact("otto@brandt.example")},
    ]
    desk.send("PATCH", f"{ORDER}/{number}", [{"op": "replace", "path": "/delivery/shippingMethodId", "value": 6}])
    order = desk.send("PATCH", f"{ORDER}/{number}", operations)
    assert (order["reference"], order["warehouseId"], order["delivery"]["shippingMethodId"]) == ("NEW", 3, 0)
    assert order["delivery"]["deliveryDate"] == "2026-07-20T01:00:00.000+01:00"
    assert order["parties"]["customer"]["contactId"] == desk.contact("otto@brandt.example")
    found = desk.get("order-service/order-search?customerRef=NEW")["results"]
    assert [row[0] for row in found] == [number]


def test_a_patched_date_without_time_is_midnight_utc(desk):
    number = desk.sell(delivery={"date": "2026-07-20T12:00:00Z"})
    operations = [{"op": "replace", "path": "/delivery/deliveryDate", "value": "2026-07-21"}]
    order = desk.send("PATCH", f"{ORDER}/{number}", operations)
    assert order["delivery"]["deliveryDate"] == "2026-07-21T01:00:00.000+01:00"


def test_the_warehouse_is_fixed_once_stock_is_allocated(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 1)
    assert desk.codes("PATCH", f"{ORDER}/{number}", [{"op": "replace", "path": "/warehouseId", "value": 3}])[0] == 400


def test_adding_to_the_reference_is_not_an_allowed_operation(desk):
    reply = desk.call("PATCH", f"{ORDER}/{desk.sell()}", [{"op": "add", "path": "/reference", "value": "x"}])
    assert reply.status_code == 500
    assert reply.json()["errors"] == [
        {"code": "CMNC-044", "message": "Invalid patch operation (add) for given path (/reference)"}
    ]


def test_custom_fields_are_added_replaced_and_shown_on_request(desk):
    number = desk.sell()
    path = f"{ORDER}/{number}/custom-field"
    assert desk.codes("PATCH", path, [{"op": "replace", "path": "/PCF_GIFTMSG", "value": "Hi"}])[0] == 400
    desk.send("PATCH", path, [{"op": "add", "path": "/PCF_GIFTMSG", "value": "Hi"}])
    desk.send("PATCH", path, [{"op": "add", "path": "/PCF_ZONE", "value": {"id": 64}}])
    expected = {"PCF_GIFTMSG": "Hi", "PCF_ZONE": {"id": 64, "value": "North"}}
    assert desk.get(path) == expected
    assert "customFields" not in desk.order(number)
    full = desk.get(f"{ORDER}/{number}?includeOptional=customFields,nullCustomFields")[0]
    assert (full["customFields"], full["nullCustomFields"]) == (expected, [])
    desk.send("PATCH", path, [{"op": "replace", "path": "/PCF_ZONE/id", "value": 65}])
    desk.send("PATCH", path, [{"op": "remove", "path": "/PCF_GIFTMSG"}])
    assert desk.get(path) == {"PCF_ZONE": {"id": 65, "value": "South"}}
    assert desk.codes("PATCH", path, [{"op": "add", "path": "/PCF_NONE", "value": 1}]) == (500, ["CMNC-044"])
    metadata = desk.get("order-service/sale/custom-field-meta-data")
    assert [field["code"] for field in metadata] == ["PCF_GIFTMSG", "PCF_ZONE"]


# -- closing ------------------------------------------------------------------------------------------------------


def test_closing_is_pending_first_and_then_final(desk):
    number = desk.sell()
    assert desk.call("POST", f"order-service/sales-order/{number}/close", {"taxDate": "2026-02-02"}).json() == {}
    assert desk.order(number)["invoices"][0]["invoiceReference"] == "pending"
    desk.pass_time(2)
    order = desk.order(number)
    assert order["invoices"][0]["invoiceReference"] == "SI-1001"
    assert order["invoices"][0]["taxDate"] == "2026-02-02T00:00:00.000Z"
    assert (order["state"], order["orderStatus"]["orderStatusId"]) == ({"tax": "INVOICED"}, 4)
    assert order["closedOn"] == "2026-02-03T10:00:02.000Z"
    assert desk.codes("POST", f"order-service/sales-order/{number}/close", {})[0] == 400
    line = f"{ORDER}/{number}/row/{desk.row_of(number, 'KETTLE')}"
    assert desk.codes("DELETE", line)[0] == 400
    assert desk.codes("PATCH", line, [{"op": "replace", "path": "/quantity/magnitude", "value": 3}])[0] == 400
    other = [{"op": "replace", "path": "/parties/customer/contactId", "value": desk.contact()}]
    assert desk.codes("PATCH", f"{ORDER}/{number}", other)[0] == 400


def test_a_purchase_order_is_received_in_parts_and_refuses_bundles(desk):
    address = desk.send("POST", "contact-service/postal-address", {"addressLine1": "1 Works Rd"})
    supplier = desk.send(
        "POST",
        "contact-service/contact",
        {"firstName": "S", "postAddressIds": {"DEF": address}, "relationshipToAccount": {"isSupplier": True}},
    )
    number = desk.send("POST", ORDER, {"orderTypeCode": "PO", "parties": {"supplier": {"contactId": supplier}}})
    assert desk.codes("POST", f"{ORDER}/{number}/row", row(desk, "BREAKFAST", "1"))[0] == 400
    line = desk.send("POST", f"{ORDER}/{number}/row", row(desk, "KETTLE", "6"))
    order = desk.order(number)
    assert (order["stockStatusCode"], order["parties"]["supplier"]["contactId"]) == ("PON", supplier)
    kettle = desk.product("KETTLE")
    move = {"productId": kettle, "purchaseOrderRowId": line, "productValue": {"currency": "GBP", "value": 9}}
    path = f"warehouse-service/order/{number}/goods-note/goods-in"
    desk.send("POST", path, {"warehouseId": 2, "goodsMoved": [{**move, "quantity": 4}]})
    assert desk.order(number)["stockStatusCode"] == "POP"
    wide = desk.get(f"warehouse-service/product-availability/{kettle}?includeOptional=onOrder")
    assert wide[str(kettle)]["total"] == {"inStock": 18, "onHand": 18, "allocated": 0, "inTransit": 0, "onOrder": 2}
    assert desk.codes("POST", path, {"warehouseId": 2, "goodsMoved": [{**move, "quantity": 3}]})[0] == 400
    desk.send("POST", path, {"warehouseId": 2, "goodsMoved": [{**move, "quantity": 2}]})
    assert desk.order(number)["stockStatusCode"] == "POA"
