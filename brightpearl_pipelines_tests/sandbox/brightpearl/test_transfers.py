"""Stock between warehouses (brightpearl.md §8.6)."""

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import MAIN, NORTH

EVENT = {"events": [{"eventCode": "SHW", "occured": "2026-02-03T10:00:00Z", "eventOwnerId": 4}]}


def announce(desk, reference="T-1"):
    body = {"targetWarehouseId": NORTH, "reference": reference}
    return desk.send("POST", f"warehouse-service/warehouse/{MAIN}/stock-transfer", body)


def body_of(desk, transfer, quantity=4):
    products = [{"productId": desk.product("KETTLE"), "quantity": quantity}]
    return {"targetWarehouseId": NORTH, "stockTransferId": transfer, "transferredProducts": products}


def send(desk, transfer, quantity=4):
    path = f"warehouse-service/warehouse/{MAIN}/external-transfer"
    (note,) = desk.send("POST", path, body_of(desk, transfer, quantity))
    return note


def figures(desk, warehouse):
    number = str(desk.product("KETTLE"))
    found = desk.get(f"warehouse-service/product-availability/{number}")[number]["warehouses"][str(warehouse)]
    return tuple(found[name] for name in ("inStock", "onHand", "allocated", "inTransit"))


def test_a_transfer_is_allocated_then_in_transit_then_for_sale(desk):
    """BP-13: in transit is nobody's to sell."""
    assert (figures(desk, MAIN), figures(desk, NORTH)) == ((10, 10, 0, 0), (4, 4, 0, 0))
    transfer = announce(desk)
    note = send(desk, transfer)
    assert (figures(desk, MAIN), figures(desk, NORTH)) == ((10, 6, 4, 0), (4, 4, 0, 0))
    shown = desk.get(f"warehouse-service/order/*/goods-note/goods-out/{note}")[str(note)]
    assert (shown["orderId"], shown["transfer"], shown["targetWarehouseId"]) == (0, True, NORTH)
    desk.send("POST", f"warehouse-service/goods-note/goods-out/{note}/event", EVENT)
    assert (figures(desk, MAIN), figures(desk, NORTH)) == ((6, 6, 0, 0), (4, 4, 0, 4))
    desk.account.transfers.release("KETTLE", NORTH, 3)
    assert figures(desk, NORTH) == (7, 7, 0, 1)
    with pytest.raises(ValueError, match="quarantine"):
        desk.account.transfers.release("KETTLE", NORTH, 2)


def test_a_transfer_names_its_note_once_there_is_one(desk):
    transfer = announce(desk)
    (found,) = desk.get(f"warehouse-service/stock-transfer/{transfer}")
    assert (found["sourceWarehouseId"], found["targetWarehouseId"], found["goodsOutNoteId"]) == (MAIN, NORTH, 0)
    note = send(desk, transfer)
    assert desk.get("warehouse-service/stock-transfer")[0]["goodsOutNoteId"] == note
    assert desk.codes("GET", "warehouse-service/stock-transfer/999")[0] == 404


def test_what_is_set_aside_for_transfers_is_told(desk):
    number = str(desk.product("KETTLE"))
    note = send(desk, announce(desk))
    path = f"warehouse-service/product-availability/{number}?includeOptional=allocatedTransfers"
    assert desk.get(path)[number]["allocatedTransfers"] == [{"goodsOutNoteId": note, "quantity": 4}]


def test_a_transfer_that_was_not_shipped_can_be_taken_back(desk):
    note = send(desk, announce(desk))
    desk.send("DELETE", f"warehouse-service/order/0/goods-note/goods-out/{note}")
    assert figures(desk, MAIN) == (10, 10, 0, 0)


def test_a_transfer_within_a_warehouse_changes_no_figure(desk):
    products = [{"productId": str(desk.product("KETTLE")), "quantity": "3", "fromLocationId": "2", "toLocationId": "6"}]
    body = {"warehouseId": str(MAIN), "transferredProducts": products}
    assert desk.send("POST", f"warehouse-service/warehouse/{MAIN}/internal-transfer", body) > 0
    assert figures(desk, MAIN) == (10, 10, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"stockTransferId": 999},
        {"targetWarehouseId": MAIN},
        {"transferredProducts": []},
        {"transferredProducts": [{"productId": 4711, "quantity": 1}]},
        {"transferredProducts": [{"productId": 1007, "quantity": 11}]},
    ],
)
def test_a_transfer_that_cannot_be_is_refused(desk, changes):
    body = {**body_of(desk, announce(desk)), **changes}
    assert desk.codes("POST", f"warehouse-service/warehouse/{MAIN}/external-transfer", body)[0] == 400


def test_an_announcement_must_name_another_warehouse_and_a_new_reference(desk):
    path = f"warehouse-service/warehouse/{MAIN}/stock-transfer"
    announce(desk, "T-1")
    for body in ({"targetWarehouseId": MAIN}, {"targetWarehouseId": 99}, {"targetWarehouseId": 3, "reference": "T-1"}):
        assert desk.codes("POST", path, body)[0] == 400
