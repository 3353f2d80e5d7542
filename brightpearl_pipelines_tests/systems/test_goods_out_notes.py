"""Which goods-out notes are parcels of a shop, and which a named rule leaves out (BP-16, brightpearl.md §8.2)."""

from datetime import UTC, datetime

import pytest

from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.systems.brightpearl import SYSTEM
from brightpearl_pipelines.systems.contract import Ignored, Mapped

SHIPPED = {"shipped": True, "shippedOn": "2026-03-02T10:00:00.000Z"}
ROW = {"quantity": {"magnitude": "2.0000"}, "productId": 1007, "externalRef": "5", "composition": {}}


def read(note=None, order=None, **more):
    """What a note means; `note` and `order` are changes to a whole one of two units of a shop's line."""
    moves = {"9001": [{"productId": 1007, "quantity": 2}]}
    whole = {
        "orderId": 5001,
        "transfer": False,
        "status": SHIPPED,
        "warehouseId": 2,
        "orderRows": moves,
        **(note or {}),
    }
    its_order = {"id": 5001, "externalRef": "bigcommerce:100", "orderRows": {"9001": ROW}, **(order or {})}
    payload = {"id": "7001", "note": whole, "order": its_order, "notes": {"7001": whole}, **more}
    source = next(each for each in SYSTEM.sources if each.stream == "shipments")
    now = datetime(2026, 3, 2, tzinfo=UTC)
    (part,) = source.read(Record("brightpearl", "shipments", "7001", 1, payload, now, now, False), None)
    return part


def test_a_shipped_note_of_a_shops_order_is_a_parcel():
    part = read({"shipping": {"reference": "RM1", "shippingMethodId": 2}})
    assert isinstance(part, Mapped)
    assert part.content["order_number"] == "bigcommerce:100"
    assert part.content["tracking"] == "RM1"
    assert part.content["lines"] == [{"line": "5", "quantity": 2}]


@pytest.mark.parametrize(
    ("note", "order", "rule"),
    [
        ({"transfer": True}, {}, "transfer_between_warehouses"),
        ({"status": {"shipped": False}}, {}, "not_shipped_yet"),
        ({}, {"externalRef": ""}, "order_of_no_shop"),
        ({}, {"externalRef": "WEB-77"}, "order_of_no_shop"),
        ({}, {"orderRows": {"9001": {**ROW, "externalRef": ""}}}, "part_of_a_bundle"),
    ],
)
def test_any_other_note_is_left_out_by_a_named_rule(note, order, rule):
    assert read(note, order) == Ignored("7001", rule)
