import asyncio
import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.online_retail import SPACING, count_invoices, load_online_retail
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines_tests.shared import shared_folder

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
HEADER = "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country\n"


@pytest.fixture(scope="module")
def real_file():
    return shared_folder() / "data" / "online_retail.csv"


@pytest.fixture(scope="module")
def load(real_file):
    return load_online_retail(real_file, start=START)


@pytest.fixture(scope="module")
def rows(real_file):
    with real_file.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return dict(enumerate(reader, start=2))


@pytest.fixture
def loaded(tmp_path):
    def from_lines(*lines):
        file = tmp_path / "lines.csv"
        file.write_text(HEADER + "\n".join(lines) + "\n")
        return load_online_retail(file, start=START)

    return from_lines


def net(order):
    return sum((line.quantity * line.price for line in order.lines), order.shipping_price + order.fee_price)


def test_every_line_is_in_an_order_or_in_a_refund_or_listed_with_its_reason(load, rows):
    unplaced = {line.line_number for line in load.unplaced}
    refunded = {number for refund in load.refunds for number in refund.line_numbers}
    placed_invoices = {order.external_id for order in load.orders}
    assert len(unplaced) == len(load.unplaced)
    assert not unplaced & refunded
    for number, row in rows.items():
        ways = [number in unplaced, number in refunded]
        in_order = row["InvoiceNo"] in placed_invoices and number not in unplaced
        assert sum([*ways, in_order]) == 1, (number, row)
    assert all(line.reason for line in load.unplaced)
    assert load.lines_read == len(rows) == load.lines_ordered + load.lines_refunded + len(load.unplaced)
    assert load.lines_refunded == len(refunded)


def test_every_sales_invoice_is_exactly_one_order_or_listed_whole(load, rows):
    placed = Counter(order.external_id for order in load.orders)
    lines_by_invoice = Counter(row["InvoiceNo"] for row in rows.values())
    listed = Counter(line.invoice for line in load.unplaced)
    assert set(placed.values()) == {1}
    for invoice in lines_by_invoice:
        if not invoice.startswith("C"):
            assert placed[invoice] == 1 or listed[invoice] == lines_by_invoice[invoice]
    assert len(load.orders) == 899


def test_the_money_of_every_order_equals_its_lines_in_the_file_to_the_penny(load, rows):
    unplaced = {line.line_number for line in load.unplaced}
    expected = defaultdict(Decimal)
    units = defaultdict(int)
    for number, row in rows.items():
        if number not in unplaced and not row["InvoiceNo"].startswith("C"):
            expected[row["InvoiceNo"]] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
            if row["StockCode"].upper() not in ("POST", "DOT", "C2", "BANK CHARGES", "AMAZONFEE"):
                units[row["InvoiceNo"]] += int(row["Quantity"])
    assert {order.external_id: net(order) for order in load.orders} == expected
    charges_only = {"536779", "537632", "538175"}
    for order in load.orders:
        if order.external_id not in charges_only:
            assert sum(line.quantity for line in order.lines) == units[order.external_id]


def test_the_money_of_every_refund_equals_its_lines_in_the_file(load, rows):
    orders = {order.external_id: order for order in load.orders}
    for refund in load.refunds:
        order = orders[refund.order_external_id]
        rate = order.lines[refund.items[0].line_index].tax_rate
        lines = [rows[number] for number in refund.line_numbers]
        total = -sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in lines)
        assert refund.amount == (total * (1 + rate / 100)).quantize(Decimal("0.01"))
        assert sum(item.quantity for item in refund.items) == -sum(int(row["Quantity"]) for row in lines)


def test_refunds_take_back_what_the_same_customer_ordered_earlier_and_never_more(load, rows):
    orders = {order.external_id: order for order in load.orders}
    customers = {row["InvoiceNo"]: row["CustomerID"] for row in rows.values()}
    taken = Counter()
    for refund in load.refunds:
        order = orders[refund.order_external_id]
        assert order.placed_at < refund.refunded_at
        assert customers[refund.invoice] == customers[refund.order_external_id] != ""
        codes = {rows[number]["StockCode"].upper() for number in refund.line_numbers}
        for item in refund.items:
            taken[refund.order_external_id, item.line_index] += item.quantity
            assert order.lines[item.line_index].sku in codes
    assert taken
    assert all(units <= orders[invoice].lines[index].quantity for (invoice, index), units in taken.items())


def test_the_same_file_gives_the_same_world_orders_and_refunds(load, real_file):
    again = load_online_retail(real_file, start=START)
    assert repr(again) == repr(load)


def test_orders_are_in_time_order_at_equal_distances_from_the_start(load, real_file):
    instants = [order.placed_at for order in load.orders]
    assert instants[0] == START
    assert instants == sorted(instants)
    assert instants[-1] < START + SPACING * count_invoices(real_file)
    assert count_invoices(real_file) == 1100


def test_products_have_one_code_whatever_its_case_and_names_that_a_shop_accepts(load):
    skus = [p.sku for p in load.world.products]
    names = [p.name.casefold() for p in load.world.products]
    assert len(set(skus)) == len(skus) == len(set(names))
    assert all(sku == sku.upper() for sku in skus)
    ordered = {line.sku for order in load.orders for line in order.lines if line.sku}
    assert ordered <= set(skus)
    assert not {"POST", "DOT", "C2", "M", "D", "S", "BANK CHARGES", "AMAZONFEE"} & set(skus)


def test_most_products_have_enough_stock_and_a_few_too_little(load):
    wanted = Counter()
    for order in load.orders:
        for line in order.lines:
            wanted[line.sku] += line.quantity
    short = [p for p in load.world.products if p.stock[2] < wanted[p.sku]]
    assert 0 < len(short) < len(load.world.products) / 20


def test_the_most_frequent_description_names_a_product_and_notes_never_do(load):
    names = {p.sku: p.name for p in load.world.products}
    assert names["22632"] == "HAND WARMER RED RETROSPOT"
    assert names["22139"] == "RETROSPOT TEA SET CERAMIC 11 PC"
    assert names["21134"] == "Item 21134"
    assert not {"check", "damages", "amazon", "faulty", "?", "", "dotcom sales"} & {n.lower() for n in names.values()}


def test_british_orders_bear_vat_and_others_none(load):
    for order in load.orders:
        rate = Decimal(20) if order.person.country_iso2 == "GB" else Decimal(0)
        assert order.shipping_tax_rate == rate
        fees = ("Bank Charges", "AMAZON FEE")
        assert {line.tax_rate for line in order.lines if line.name not in fees} <= {rate}


def test_accounts_have_emails_of_their_own_and_guests_one_per_invoice(load):
    accounts = [p.email for p in load.world.people]
    guests = [order.person.email for order in load.orders if not order.person.registered]
    assert len(set(accounts)) == len(accounts) == 579
    assert len(set(guests)) == len(guests)
    assert not set(guests) & set(accounts)


def test_postage_becomes_shipping_and_manual_entries_become_lines_without_a_product(loaded):
    load = loaded(
        "1,22423,CAKESTAND,2,12.75,17000,France",
        "1,POST,POSTAGE,3,18,17000,France",
        "1,m,Manual,2,1.25,17000,France",
        "1,BANK CHARGES,Bank Charges,1,15,17000,France",
    )
    (order,) = load.orders
    assert [(line.kind, line.sku, line.quantity) for line in order.lines] == [
        ("product", "22423", 2),
        ("custom", None, 2),
    ]
    assert (order.shipping_price, order.fee_name, order.fee_price) == (Decimal(54), "Bank Charges", Decimal(15))
    assert order.shipping_method == "International"


def test_vouchers_become_gift_certificates_without_tax(loaded):
    (order,) = loaded("1,gift_0001_30,Gift Voucher,1,25.00,,United Kingdom").orders
    assert [(line.kind, line.sku, line.tax_rate) for line in order.lines] == [("gift_certificate", None, Decimal(0))]


def test_a_discount_on_a_sale_comes_off_with_its_tax(loaded):
    (order,) = loaded("1,22423,STAND,10,10,17000,United Kingdom", "1,D,Discount,-1,5,17000,United Kingdom").orders
    assert order.discount == Decimal("6.00")


def test_an_invoice_of_charges_alone_becomes_an_order_of_lines_without_a_product(load):
    by_invoice = {order.external_id: order for order in load.orders}
    assert [(x.name, x.sku, x.tax_rate) for x in by_invoice["536779"].lines] == [("Bank Charges", None, Decimal(0))]
    assert [(x.name, x.quantity, x.kind) for x in by_invoice["538175"].lines] == [("POSTAGE", 21, "custom")]


def test_the_same_code_twice_stays_two_lines_and_a_refund_may_take_from_both(loaded):
    load = loaded(
        "1,22423,STAND,2,10,17000,United Kingdom",
        "1,22423,STAND,3,10,17000,United Kingdom",
        "C2,22423,STAND,-4,10,17000,United Kingdom",
        "C3,22423,STAND,-2,10,17000,United Kingdom",
        "C4,22423,STAND,-1,10,17000,United Kingdom",
    )
    assert [line.quantity for line in load.orders[0].lines] == [2, 3]
    assert [sum(item.quantity for item in refund.items) for refund in load.refunds] == [4, 1]
    assert [(line.invoice, line.line_number) for line in load.unplaced] == [("C3", 5)]
    assert "no earlier order has more than 1 left" in load.unplaced[0].reason


def test_a_refund_goes_to_the_order_with_the_same_price_and_another_price_overrides(loaded):
    load = loaded(
        "1,22423,STAND,5,10,17000,United Kingdom",
        "2,22423,STAND,5,12,17000,United Kingdom",
        "C3,22423,STAND,-1,10,17000,United Kingdom",
        "C4,22423,STAND,-1,11,17000,United Kingdom",
        "C5,22423,STAND,-3,40,17000,United Kingdom",
    )
    found = [(refund.order_external_id, refund.amount, refund.amount_differs) for refund in load.refunds]
    assert found == [("1", Decimal("12.00"), False), ("2", Decimal("13.20"), True)]
    assert "more money would go back" in load.unplaced[0].reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,22423,damages,-3,0,,United Kingdom", "correction of stock"),
        ("1,22423,STAND,x,1,,United Kingdom", "is not a number"),
        ("1,22423,STAND,1,,,United Kingdom", "is not a number"),
        ("1,22423,STAND,0,1,,United Kingdom", "the quantity is zero"),
        ("1,22423,STAND,1,-5,,United Kingdom", "adjustment of the books"),
        ("1,,STAND,1,5,,United Kingdom", "no stock code"),
        ("1,22423,STAND,1,5,,Unspecified", "'Unspecified' is no country"),
        ("1,D,Discount,-1,5,17000,United Kingdom", "discount is more than the goods"),
        ("A563185,B,Adjust bad debt,1,11062.06,,United Kingdom", "neither a sale"),
        ("C1,22423,STAND,-1,5,17000,United Kingdom", "no earlier order"),
        ("C1,22423,STAND,-1,5,,United Kingdom", "names no customer"),
        ("C1,22423,STAND,1,5,17000,United Kingdom", "not below zero"),
        ("C1,22423,STAND,-1,0,17000,United Kingdom", "no money to give back"),
        ("C1,D,Discount,-1,5,17000,United Kingdom", "given afterwards"),
        ("C1,POST,POSTAGE,-1,5,17000,United Kingdom", "postage and fees"),
    ],
)
def test_what_cannot_be_placed_is_listed_with_its_line_and_reason(loaded, line, reason):
    load = loaded(line)
    assert not load.orders
    assert not load.refunds
    ((unplaced),) = load.unplaced
    assert unplaced.line_number == 2
    assert reason in unplaced.reason


def test_an_invoice_whose_discount_exceeds_its_goods_is_listed_whole(loaded):
    load = loaded("1,22423,STAND,1,4,17000,United Kingdom", "1,D,Discount,-1,5,17000,United Kingdom")
    assert not load.orders
    assert [line.line_number for line in load.unplaced] == [2, 3]


def test_the_shop_takes_every_order_and_refund_with_the_same_money(load):
    clock = SandboxClock()
    shop = BigCommerceEmulator(clock=clock)
    shop.populate(load.world)
    asyncio.run(replay(shop, clock, load.orders, load.refunds))
    totals = {order["external_order_id"]: order["total_ex_tax"] for order in shop.collection("orders").values()}
    assert {invoice: Decimal(total) for invoice, total in totals.items()} == {
        o.external_id: net(o) for o in load.orders
    }
    refunded = [Decimal(str(refund["total_amount"])) for refund in shop.collection("refunds").values()]
    assert refunded == [refund.amount for refund in load.refunds]
    instants = [datetime.fromisoformat(refund["created"]) for refund in shop.collection("refunds").values()]
    assert instants == [refund.refunded_at for refund in load.refunds]


def test_a_free_line_stays_in_its_order(loaded):
    (order,) = loaded("1,22423,STAND,1,0,,United Kingdom", "1,22841,TIN,1,3,,United Kingdom").orders
    assert [line.price for line in order.lines] == [Decimal(0), Decimal(3)]


def test_a_customer_who_orders_from_abroad_keeps_name_and_email_and_pays_no_vat(loaded):
    first, second = loaded("1,22423,STAND,1,5,17000,United Kingdom", "2,22423,STAND,1,5,17000,EIRE").orders
    assert (first.person.email, first.person.last_name) == (second.person.email, second.person.last_name)
    assert (first.person.country_iso2, second.person.country_iso2) == ("GB", "IE")
    assert second.lines[0].tax_rate == 0


def test_a_file_without_the_columns_is_refused_by_name(tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("InvoiceNo,Quantity\n1,2\n")
    with pytest.raises(ValueError, match="no column StockCode, Description"):
        load_online_retail(file, start=START)
