"""Good frames pass their schema; of a bad one every failure is named with its record."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pandas as pd
import pytest

from brightpearl_pipelines.entities.frames import SCHEMAS, failing_rows, to_frame
from brightpearl_pipelines.entities.models import (
    Address,
    Customer,
    LineKind,
    Order,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentKind,
    Product,
    PurchaseOrder,
    PurchaseOrderLine,
    Return,
    ReturnLine,
    Shipment,
    ShipmentLine,
    StockLevel,
)

GOOD, BAD = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
CUSTOMER = Customer(first_name="Ann", last_name="Example", email="ann@example.com", billing=Address(country="GB"))
LINE = OrderLine(
    key="1", kind=LineKind.PRODUCT, name="Hat", sku="HAT-1", quantity=2, net=Decimal("20.00"), tax=Decimal("4.00")
)
# Not validated: the test is about frames, and the model may learn fields that no frame shows.
ORDER = Order.model_construct(
    number="100",
    placed_at=NOON,
    channel="web",
    currency="GBP",
    exchange_rate=Decimal(1),
    status=OrderStatus.OPEN,
    lines=(LINE,),
    total_net=Decimal("20.00"),
    total_tax=Decimal("4.00"),
)
THINGS = {
    "customer": CUSTOMER,
    "product": Product(sku="HAT-1", name="Hat"),
    "stock_level": StockLevel(sku="HAT-1", on_hand={"2": 3, "3": -1}, committed={"shop": 1}),
    "order": ORDER,
    "order_line": ORDER,
    "shipment": Shipment(
        order_number="100", reference="7001", shipped_at=NOON, lines=(ShipmentLine(line="1", quantity=2),)
    ),
    "payment": Payment(
        order_number="100",
        reference="p-1",
        kind=PaymentKind.RECEIPT,
        method="card",
        currency="GBP",
        amount=Decimal("24.00"),
        paid_at=NOON,
    ),
    "return": Return(
        order_number="100",
        reference="r-1",
        returned_at=NOON,
        currency="GBP",
        lines=(
            ReturnLine(
                key="1",
                kind=LineKind.PRODUCT,
                name="Hat",
                quantity=1,
                net=Decimal("10.00"),
                tax=Decimal("2.00"),
                line="1",
                sku="HAT-1",
                restock=True,
            ),
        ),
        total_net=Decimal("10.00"),
        total_tax=Decimal("2.00"),
    ),
    "purchase_order": PurchaseOrder(
        reference="PO-9",
        placed_at=NOON,
        expected_at=NOON,
        warehouse="2",
        lines=(PurchaseOrderLine(key="1", sku="HAT-1", quantity=5, received=2),),
    ),
}


def content(entity, **changes):
    """A good content as the store keeps it, with changes."""
    return {**THINGS[entity].model_dump(mode="json"), **changes}


def failures(entity, *rows):
    found = failing_rows(SCHEMAS[entity], to_frame(entity, rows))
    return [tuple(row) for row in found.itertuples(index=False)]


@pytest.mark.parametrize("entity", SCHEMAS)
def test_a_good_frame_passes_from_python_values_and_as_the_store_keeps_them(entity):
    python = to_frame(entity, [(GOOD, THINGS[entity].model_dump())])
    stored = to_frame(entity, [(GOOD, content(entity))])
    pd.testing.assert_frame_equal(python, stored)
    assert len(python) == 1
    assert failing_rows(SCHEMAS[entity], python).empty


@pytest.mark.parametrize("entity", SCHEMAS)
def test_an_empty_frame_is_typed_and_passes(entity):
    empty = to_frame(entity, [])
    assert failing_rows(SCHEMAS[entity], empty).empty
    assert list(failing_rows(SCHEMAS[entity], empty).columns) == ["golden_id", "column", "check", "value"]
    full = to_frame(entity, [(GOOD, content(entity))])
    assert list(empty.dtypes) == list(full.dtypes)


def line(**changes):
    return {**LINE.model_dump(mode="json"), **changes}


BAD_CASES = [
    ("customer", {"email": "nobody"}, "email", "is empty or has an @", "nobody"),
    (
        "customer",
        {"email": "", "first_name": "", "last_name": "", "company": ""},
        "email",
        "or a name or a company is given",
        "",
    ),
    ("customer", {"billing": {"country": "GBR"}}, "country", "is empty or a code of 2 letters", "GBR"),
    ("product", {"sku": " "}, "sku", "is given", " "),
    ("product", {"live": None}, "live", "is given", ""),
    ("stock_level", {"on_hand": {"2": 1.5}}, "on_hand", "is a whole number", ""),
    ("stock_level", {"on_hand": {"2": 1, "3": "4"}}, "on_hand", "is a whole number", ""),
    ("stock_level", {"committed": {"shop": -1}}, "committed", "is a whole number of 0 or more", "-1"),
    ("stock_level", {"sku": ""}, "sku", "is given", ""),
    ("order", {"currency": "gbp"}, "currency", "is a currency code of 3 letters", "gbp"),
    ("order", {"total_net": "20.01"}, "total_net", "is the sum of its lines", "20.01"),
    ("order", {"total_tax": "3.99"}, "total_tax", "is the sum of its lines", "3.99"),
    ("order", {"placed_at": "2026-02-03T12:00:00"}, "placed_at", "is given", ""),
    ("order", {"exchange_rate": "0"}, "exchange_rate", "is an amount above 0", "0"),
    ("order", {"number": None}, "number", "is given", ""),
    ("order", {"lines": [], "total_net": "0", "total_tax": "0"}, "lines", "is at least 1", "0"),
    ("order_line", {"lines": [line(quantity=0)]}, "quantity", "is at least 1", "0"),
    ("order_line", {"lines": [line(net=0.1)]}, "net", "is an amount", ""),
    ("order_line", {"lines": [line(tax="NaN")]}, "tax", "is an amount", ""),
    ("order_line", {"lines": [line(discount="-1")]}, "discount", "is an amount of 0 or more", "-1"),
    ("order_line", {"lines": [line(), line(key="2", sku="")]}, "sku", "is given for a product", ""),
    ("shipment", {"lines": [{"line": "1", "quantity": 2}, {"line": "2", "quantity": 0}]}, "fewest_units",
     "is at least 1", "0"),
    ("shipment", {"shipped_at": "yesterday"}, "shipped_at", "is given", ""),
    ("payment", {"amount": "-0.01"}, "amount", "is an amount of 0 or more", "-0.01"),
    ("payment", {"amount": None}, "amount", "is an amount of 0 or more", ""),
    ("payment", {"method": ""}, "method", "is given", ""),
    ("return", {"total_net": "10.01"}, "total_net", "is the sum of its lines", "10.01"),
    ("return", {"total_tax": "0"}, "total_tax", "is the sum of its lines", "0"),
    ("return", {"reference": ""}, "reference", "is given", ""),
    ("return", {"lines": [], "total_net": "0", "total_tax": "0"}, "lines", "is at least 1", "0"),
    ("purchase_order", {"reference": " "}, "reference", "is given", " "),
    ("purchase_order", {"placed_at": None}, "placed_at", "is given", ""),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "changes", "column", "check", "value"), BAD_CASES)
def test_what_is_wrong_is_named_with_its_record_column_rule_and_value(entity, changes, column, check, value):
    good = {"sku": "OTHER"} if entity == "product" else {}
    found = failures(entity, (GOOD, content(entity, **good)), (BAD, content(entity, **changes)))
    assert found == [(str(BAD), column, check, value)]


def test_everything_that_is_wrong_is_named():
    found = failures("order", (BAD, content("order", currency="£", status="lost", total_tax=None)))
    assert {(golden_id, column) for golden_id, column, _, _ in found} == {
        (str(BAD), "currency"),
        (str(BAD), "status"),
        (str(BAD), "total_tax"),
        (str(BAD), "total"),
    }


def test_a_shipment_of_nothing_is_wrong_in_all_its_counts():
    found = failures("shipment", (BAD, content("shipment", lines=[])))
    assert [column for _, column, _, _ in found] == ["fewest_units", "lines", "units"]


def test_one_sku_for_two_products_names_both():
    found = failures("product", (GOOD, content("product")), (BAD, content("product")))
    assert {(golden_id, column, value) for golden_id, column, _, value in found} == {
        (str(GOOD), "sku", "HAT-1"),
        (str(BAD), "sku", "HAT-1"),
    }


def test_a_frame_that_lacks_a_column_fails_as_a_whole():
    frame = to_frame("payment", [(GOOD, content("payment"))]).drop(columns="amount")
    found = failing_rows(SCHEMAS["payment"], frame)
    assert found["golden_id"].tolist() == [""]
    assert found["value"].tolist() == ["amount"]


def test_a_frame_with_any_other_index_names_the_right_record():
    frame = to_frame("payment", [(GOOD, content("payment")), (BAD, content("payment", amount="-1"))])
    frame.index = pd.Index([7, 3])
    assert failing_rows(SCHEMAS["payment"], frame)["golden_id"].tolist() == [str(BAD)]


def test_money_stays_decimal_and_instants_are_utc_in_microseconds():
    frame = to_frame("payment", [(GOOD, content("payment", paid_at="2026-02-03T13:00:00.123456+01:00"))])
    assert frame["amount"].tolist() == [Decimal("24.00")]
    assert str(frame["paid_at"].dtype) == "datetime64[us, UTC]"
    assert frame["paid_at"][0] == pd.Timestamp("2026-02-03T12:00:00.123456Z")


def test_stock_counts_all_warehouses():
    frame = to_frame("stock_level", [(GOOD, content("stock_level"))])
    assert frame.loc[0, ["on_hand", "warehouses", "committed"]].tolist() == [2, 2, 1]
