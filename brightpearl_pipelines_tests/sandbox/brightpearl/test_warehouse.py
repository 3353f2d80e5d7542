"""Availability, reservations, goods-out notes, corrections (brightpearl.md §8)."""

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import MAIN, NORTH


def notes_path(order_id):
    return f"warehouse-service/order/{order_id}/goods-note/goods-out"


def note_body(desk, order_id, sku="KETTLE", quantity=2, warehouse=MAIN):
    product = {
        "productId": desk.product(sku),
        "salesOrderRowId": int(desk.row_of(order_id, sku)),
        "quantity": quantity,
    }
    return {
        "warehouses": [{"warehouseId": warehouse, "transfer": False, "products": [product]}],
        "priority": False,
        "shippingMethodId": 5,
    }


def event(code, **more):
    return {"events": [{"eventCode": code, "occured": "2026-02-03T10:00:00Z", "eventOwnerId": 4, **more}]}


# -- availability -------------------------------------------------------------------------------------------------


def test_availability_is_a_map_by_product_and_warehouse(desk):
    kettle = desk.product("KETTLE")
    zero = {"allocated": 0, "inTransit": 0}
    assert desk.get(f"warehouse-service/product-availability/{kettle}/") == {
        str(kettle): {
            "total": {"inStock": 14, "onHand": 14, **zero},
            "warehouses": {"2": {"inStock": 10, "onHand": 10, **zero}, "3": {"inStock": 4, "onHand": 4, **zero}},
        }
    }


def test_one_unknown_product_refuses_the_whole_set(desk):
    kettle = desk.product("KETTLE")
    assert desk.codes("GET", f"warehouse-service/product-availability/{kettle},4711")[0] == 400


def test_what_is_not_stock_tracked_is_left_out(desk):
    ids = f"{desk.product('EBOOK')},{desk.product('BREAKFAST')},{desk.product('CUP-RED')}"
    assert list(desk.get(f"warehouse-service/product-availability/{ids}")) == [str(desk.product("CUP-RED"))]


def test_bundles_are_as_available_as_their_scarcest_component_in_each_warehouse(desk):
    number = desk.product("BREAKFAST")
    assert desk.get(f"warehouse-service/bundle-availability/{number}") == {
        str(number): {"total": {"onHand": 10}, "warehouses": {"2": {"onHand": 10}, "3": {"onHand": 0}}}
    }
    assert desk.codes("GET", f"warehouse-service/bundle-availability/{desk.product('KETTLE')}")[0] == 404


# -- reservations -------------------------------------------------------------------------------------------------


def test_a_reservation_moves_units_from_on_hand_to_allocated(desk):
    number = desk.sell()
    assert desk.reserve(number, "KETTLE", 2).json() == {}
    assert desk.on_hand("KETTLE") == (10, 8, 2)
    row = desk.row_of(number, "KETTLE")
    assert desk.get(f"warehouse-service/order/{number}/reservation") == [
        {
            "orderId": number,
            "warehouseId": 2,
            "orderRows": {row: {"productId": desk.product("KETTLE"), "quantity": 2}},
        }
    ]
    assert desk.order(number)["allocationStatusCode"] == "AAA"


def test_more_than_is_on_hand_is_reserved_in_part_and_silently(desk):
    number = desk.sell(desk.line("CUP-BLUE", 5, "25.00", "5.00"))
    assert desk.reserve(number, "CUP-BLUE", 5).status_code == 200
    assert desk.on_hand("CUP-BLUE") == (3, 0, 3)
    assert desk.order(number)["allocationStatusCode"] == "APA"


def test_nothing_on_hand_is_an_error(desk):
    first, second = (desk.sell(desk.line("CUP-BLUE", 3, "15.00", "3.00")) for _ in range(2))
    desk.reserve(first, "CUP-BLUE", 3)
    assert desk.reserve(second, "CUP-BLUE", 3).status_code == 400
    assert desk.order(second)["allocationStatusCode"] == "ANA"


def test_the_same_reservation_again_takes_nothing_more(desk):
    number = desk.sell()
    assert [desk.reserve(number, "KETTLE", 2).status_code for _ in range(2)] == [200, 200]
    assert desk.on_hand("KETTLE") == (10, 8, 2)


def test_one_order_is_reserved_from_one_warehouse(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 1)
    assert desk.reserve(number, "KETTLE", 1, NORTH).status_code == 400


def test_a_reservation_is_set_and_removed(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    row = {"productId": desk.product("KETTLE"), "salesOrderRowId": desk.row_of(number, "KETTLE"), "quantity": "1"}
    desk.send("PUT", f"warehouse-service/order/{number}/reservation/warehouse/2", {"products": [row]})
    assert desk.on_hand("KETTLE") == (10, 9, 1)
    desk.send("DELETE", f"warehouse-service/order/{number}/reservation")
    assert desk.on_hand("KETTLE") == (10, 10, 0)
    assert desk.codes("DELETE", f"warehouse-service/order/{number}/reservation")[0] == 404


@pytest.mark.parametrize(("sku", "named"), [("BREAKFAST", "BREAKFAST"), ("EBOOK", "EBOOK"), ("KETTLE", "CUP-RED")])
def test_only_the_stock_product_of_a_row_can_be_reserved(desk, sku, named):
    number = desk.sell(desk.line(sku, 1, "9.00", "1.80"))
    row = {"productId": desk.product(named), "salesOrderRowId": desk.row_of(number, sku), "quantity": 1}
    path = f"warehouse-service/order/{number}/reservation/warehouse/2"
    assert desk.codes("POST", path, {"products": [row]})[0] == 400


# -- goods-out notes ----------------------------------------------------------------------------------------------


def test_a_note_allocates_and_only_shipping_takes_stock_out(desk):
    number = desk.sell(externalRef="shop-4")
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    assert desk.on_hand("KETTLE") == (10, 8, 2)
    before = desk.get(notes_path(number))[str(note)]
    assert before["status"] == {"shipped": False, "packed": False, "picked": False, "printed": False}
    assert [entry["eventCode"] for entry in before["events"]] == ["PLA"]
    assert (before["externalRef"], before["sequence"]) == ("shop-4", 1)
    assert desk.order(number)["stockStatusCode"] == "SOA"
    assert desk.order(number)["shippingStatusCode"] == "SNS"

    direct = f"warehouse-service/goods-note/goods-out/{note}"
    shipping = {"shippingMethodId": 6, "reference": "TRACK-1", "boxes": 1, "weight": "1.2"}
    assert desk.call("PUT", direct, {"priority": True, "shipping": shipping}).json() == {}
    desk.send("POST", f"{direct}/event", event("SHW"))
    after = desk.get(f"{notes_path('*')}/{note}")[str(note)]
    assert after["shipping"] == {"reference": "TRACK-1", "boxes": 1, "shippingMethodId": 6, "weight": "1.20"}
    for step in ("printed", "picked", "packed", "shipped"):
        assert after["status"][step] is True
        assert after["status"][f"{step}On"] == "2026-02-03T10:00:00.000Z"
    assert [entry["eventCode"] for entry in after["events"]] == ["PLA", "SHW"]
    assert after["lastEventVersion"] > before["lastEventVersion"]
    assert desk.on_hand("KETTLE") == (8, 8, 0)
    assert desk.order(number)["shippingStatusCode"] == "ASS"


def test_a_note_uses_the_reservation_of_its_order(desk):
    number = desk.sell()
    desk.reserve(number, "KETTLE", 2)
    desk.send("POST", notes_path(number), note_body(desk, number, quantity=1))
    assert desk.on_hand("KETTLE") == (10, 8, 2)
    assert desk.get(f"warehouse-service/order/{number}/reservation")[0]["orderRows"][desk.row_of(number, "KETTLE")] == {
        "productId": desk.product("KETTLE"),
        "quantity": 1,
    }


def test_partial_notes_until_the_order_is_fulfilled_and_no_further(desk):
    number = desk.sell()
    first = desk.send("POST", notes_path(number), note_body(desk, number, quantity=1))
    assert desk.order(number)["stockStatusCode"] == "SOP"
    desk.send("POST", f"warehouse-service/goods-note/goods-out/{first[0]}/event", event("SHW"))
    assert desk.order(number)["shippingStatusCode"] == "SPS"
    assert desk.codes("POST", notes_path(number), note_body(desk, number, quantity=2))[0] == 400
    desk.send("POST", notes_path(number), note_body(desk, number, quantity=1, warehouse=NORTH))
    assert desk.codes("POST", notes_path(number), note_body(desk, number, quantity=1))[0] == 400
    assert len(desk.get(notes_path(number))) == 2


def test_stock_that_is_not_there_makes_no_note(desk):
    number = desk.sell(desk.line("KETTLE", 11, "440.00", "88.00"))
    assert desk.codes("POST", notes_path(number), note_body(desk, number, quantity=11))[0] == 400
    assert desk.codes("GET", notes_path(number))[0] == 404
    assert desk.on_hand("KETTLE") == (10, 10, 0)


def test_an_unshipped_note_is_deleted_and_its_units_return(desk):
    number = desk.sell()
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    assert desk.call("DELETE", f"{notes_path(number)}/{note}").json() == {}
    assert desk.on_hand("KETTLE") == (10, 10, 0)
    assert desk.order(number)["stockStatusCode"] == "SON"


def test_a_shipped_note_is_closed_to_every_change(desk):
    number = desk.sell()
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    direct = f"warehouse-service/goods-note/goods-out/{note}"
    desk.send("POST", f"{direct}/event", event("SHW"))
    assert desk.codes("POST", f"{direct}/event", event("UPR"))[0] == 400
    assert desk.codes("PUT", direct, {"shipping": {"reference": "late"}})[0] == 400
    assert desk.codes("DELETE", f"{notes_path(number)}/{note}")[0] == 400


def test_events_undo_and_are_guarded_by_their_version(desk):
    number = desk.sell()
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    path = f"warehouse-service/goods-note/goods-out/{note}/event"
    version = desk.get(notes_path(number))[str(note)]["lastEventVersion"]
    assert desk.call("POST", path, event("PRI"), headers={"If-Match": str(version)}).status_code == 200
    assert desk.call("POST", path, event("PIC"), headers={"If-Match": str(version)}).status_code == 412
    desk.send("POST", path, event("UPR"))
    status = desk.get(notes_path(number))[str(note)]["status"]
    assert status["printed"] is False
    assert "printedOn" not in status


@pytest.mark.parametrize("change", [{"eventCode": "PCK"}, {"occured": None}, {"eventOwnerId": None}])
def test_an_event_needs_a_known_code_an_instant_and_an_owner(desk, change):
    number = desk.sell()
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    path = f"warehouse-service/goods-note/goods-out/{note}/event"
    assert desk.codes("POST", path, event("PRI", **change))[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"shipping": {"reference": "r" * 65}},
        {"labelUri": "l" * 513},
        {"shipping": {"weight": "1000000"}},
        {"shipping": {"shippingMethodId": 77}},
    ],
)
def test_shipping_facts_have_their_limits(desk, change):
    number = desk.sell()
    (note,) = desk.send("POST", notes_path(number), note_body(desk, number))
    assert desk.codes("PUT", f"warehouse-service/goods-note/goods-out/{note}", change)[0] == 400


def test_notes_are_found_by_the_instant_they_were_shipped(desk):
    first, second = desk.sell(), desk.sell()
    desk.reserve(first, "KETTLE", 2)
    desk.reserve(second, "KETTLE", 2)
    desk.account.ship(str(first), tracking="T1")
    desk.clock.advance(600)
    late = desk.account.ship(str(second), tracking="T2")
    path = (
        "warehouse-service/goods-note/goods-out-search?shippedOn=2026-02-03T10:05:00Z/&columns=goodsOutNoteId,orderId"
    )
    assert desk.get(path)["results"] == [[int(late), second]]
    by_order = desk.get(f"warehouse-service/goods-note/goods-out-search?orderId={first}&shipped=true")["results"]
    assert len(by_order) == 1


def test_notes_of_several_orders_come_in_one_map(desk):
    numbers = [desk.sell(), desk.sell()]
    notes = [desk.send("POST", notes_path(number), note_body(desk, number))[0] for number in numbers]
    assert list(desk.get(notes_path(f"{numbers[0]}-{numbers[1]}"))) == [str(note) for note in notes]


# -- the warehouse's own work -------------------------------------------------------------------------------------


def test_open_orders_have_allocated_stock_left_to_ship(desk):
    reserved, unreserved, noted = desk.sell(), desk.sell(), desk.sell()
    desk.reserve(reserved, "KETTLE", 2)
    desk.send("POST", notes_path(noted), note_body(desk, noted))
    assert desk.account.open_orders() == [str(reserved), str(noted)]
    desk.account.ship(str(reserved), tracking="T")
    desk.account.ship(str(noted), tracking="T")
    assert desk.account.open_orders() == []
    assert desk.order(unreserved)["shippingStatusCode"] == "SNS"


def test_shipping_takes_bundle_components_and_leaves_free_text_behind(desk):
    carriage = {"name": "Carriage", "quantity": 1, "taxCode": "T20", "net": "3.00", "tax": "0.60"}
    number = desk.sell(desk.line("BREAKFAST", 2, "96.00", "19.20"), carriage)
    desk.reserve(number, "KETTLE", 2)
    desk.reserve(number, "CUP-RED", 4)
    note = desk.account.ship(str(number), tracking="T-9", shipping_method_id=6)
    shown = desk.get(notes_path(number))[note]
    assert shown["shipping"]["reference"] == "T-9"
    assert shown["shipping"]["shippingMethodId"] == 6
    assert {rows[0]["productId"]: rows[0]["quantity"] for rows in shown["orderRows"].values()} == {
        desk.product("KETTLE"): 2,
        desk.product("CUP-RED"): 4,
    }
    assert desk.on_hand("CUP-RED") == (96, 96, 0)
    assert desk.order(number)["shippingStatusCode"] == "ASS"


def test_given_quantities_are_shipped_or_refused_as_a_whole(desk):
    number = desk.sell(desk.line("CUP-BLUE", 5, "25.00", "5.00"))
    row = desk.row_of(number, "CUP-BLUE")
    with pytest.raises(ValueError, match="lacks"):
        desk.account.ship(str(number), {row: 4}, tracking="T")
    with pytest.raises(ValueError, match="not that much"):
        desk.account.ship(str(number), {row: 6}, tracking="T")
    desk.account.ship(str(number), {row: 1}, tracking="T")
    desk.account.ship(str(number), tracking="T")  # what there is
    assert desk.on_hand("CUP-BLUE") == (0, 0, 0)
    assert desk.order(number)["shippingStatusCode"] == "SPS"
    with pytest.raises(ValueError, match="not that much"):
        desk.account.ship(str(number), tracking="T")


def test_a_cancelled_order_is_not_shipped(desk):
    number = desk.sell()
    desk.send("PUT", f"order-service/order/{number}/status", {"orderStatusId": 5})
    with pytest.raises(ValueError, match="not an open sales order"):
        desk.account.ship(str(number), tracking="T")
    assert desk.codes("POST", notes_path(number), note_body(desk, number))[0] == 400


# -- corrections and places ---------------------------------------------------------------------------------------


def test_a_correction_adds_with_a_cost_and_never_takes_what_is_not_there(desk):
    kettle = desk.product("KETTLE")
    path = "warehouse-service/warehouse/2/stock-correction"
    add = {"productId": kettle, "quantity": 5, "reason": "Found", "cost": {"currency": "GBP", "value": 22.5}}
    take = {"productId": kettle, "quantity": -3, "reason": "Broken"}
    notes = desk.send("POST", path, {"corrections": [add, take]})
    assert len(notes) == 2
    assert desk.on_hand("KETTLE") == (12, 12, 0)
    assert desk.get(f"{path}/{notes[1]}")[0]["goodsMoved"][0]["quantity"] == -3
    assert desk.codes("POST", path, {"corrections": [{**add, "cost": None}]})[0] == 400
    assert desk.codes("POST", path, {"corrections": [{**take, "quantity": -13}]})[0] == 400
    assert desk.codes("POST", path, {"corrections": [{**take, "productId": 0}]}) == (400, ["WHSC-014"])


def test_a_stock_take_in_the_user_interface(desk):
    desk.account.correct_stock("KETTLE", MAIN, -4, "Broken")
    assert desk.on_hand("KETTLE") == (6, 6, 0)
    with pytest.raises(ValueError, match="fewer"):
        desk.account.correct_stock("KETTLE", MAIN, -7, "Broken")
    with pytest.raises(ValueError, match="not a stock tracked"):
        desk.account.correct_stock("EBOOK", MAIN, 1, "?")


def test_warehouses_shipping_methods_and_defaults(desk):
    assert [place["name"] for place in desk.get("warehouse-service/warehouse")] == ["Main", "North"]
    assert desk.get("warehouse-service/warehouse/2/location/default") == 2
    assert desk.get("warehouse-service/shipping-method/6")[0]["carrier"] == "DPD"
    number = desk.send("POST", "warehouse-service/shipping-method", {"name": "Bike", "carrier": "Courier"})
    assert desk.get(f"warehouse-service/shipping-method/{number}")[0]["name"] == "Bike"
    assert desk.codes("POST", "warehouse-service/shipping-method", {"name": "Bike"})[0] == 400
    kettle = desk.product("KETTLE")
    path = f"warehouse-service/warehouse/2/product/{kettle}"
    desk.send("PUT", path, {"reorderLevel": 5, "reorderQuantity": 20})
    assert desk.get(path) == [
        {
            "productId": kettle,
            "defaultLocationId": 2,
            "overflowLocationId": 0,
            "reorderLevel": 5,
            "reorderQuantity": 20,
        }
    ]
