"""A real shop's order lines, over HTTP, from the file into Brightpearl: equal to the penny, or held by name.

Judged by the emulators' own state and by the file, never by our tables; these are only asked what is held and why.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brightpearl_pipelines.sandbox.online_retail import SPACING, RetailLoad, count_invoices, load_online_retail
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines.store.types import DeadLetter
from brightpearl_pipelines_tests.shared import shared_folder
from brightpearl_pipelines_tests.sync.harness import Harness, harnessed, money

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

REFUNDED = (4, 14)
WHOLLY_REFUNDED = 4
ON_HOLD = 16
"""What connections.yaml gives to orders that were refunded as a whole."""
PENNY = Decimal("0.01")

Json = dict[str, Any]


@dataclass
class Imported:
    """The file, the world after one run of the engine, and what each side holds, by the shop's order number."""

    path: Path
    load: RetailLoad
    harness: Harness
    writes_again: list[str]
    shop: dict[str, Json]
    lines: dict[str, list[Json]]
    inside: dict[str, Json]
    held: dict[str, DeadLetter]

    def rows(self, number: str) -> dict[str, Json]:
        """The rows of the sales order by their externalRef; each must have one of its own."""
        rows = list(self.inside[number]["orderRows"].values())
        found = {row["externalRef"]: row for row in rows}
        assert len(found) == len(rows), number
        return found


@pytest.fixture(scope="module")
def imported(embedded_server, encryption_key) -> Iterator[Imported]:
    """The real lines placed in the shop, refunds included; one run of the engine; and a second one."""
    path = shared_folder() / "data" / "online_retail.csv"
    start = datetime.now(UTC).replace(microsecond=0) - SPACING * count_invoices(path)
    load = load_online_retail(path, start=start)
    with harnessed(embedded_server, encryption_key, world=load.world) as harness:
        shop = harness.bigcommerce
        harness.in_world(lambda: replay(shop, harness.sandbox.clock, load.orders, load.refunds))
        harness.run()
        harness.mark()
        harness.run()
        lines: dict[str, list[Json]] = defaultdict(list)
        for line in shop.collection("order_products").values():
            lines[str(line["order_id"])].append(line)
        letters = [each for each in harness.letters(entity="order") if each.stage == "publish"]
        yield Imported(
            path,
            load,
            harness,
            writes_again=harness.writes(),
            shop=dict(shop.collection("orders")),
            lines=dict(lines),
            inside=harness.orders_in_brightpearl(),
            held={each.payload["number"]: each for each in letters if each.payload},
        )


def test_every_invoice_is_one_order_in_brightpearl_or_held_with_a_reason(imported, capsys):
    """I1, I2, I11: none is lost, none is there twice, none is silent."""
    fates = {}
    for number, order in imported.shop.items():
        assert (number in imported.inside) != (number in imported.held), f"order {number} of the shop has no one fate"
        fates[number] = "imported" if number in imported.inside else imported.held[number].reason
        assert order["status_id"] not in REFUNDED or fates[number] == "imported", number
    assert set(imported.inside) | set(imported.held) == set(imported.shop)
    assert all(letter.sentence and letter.suggestion for letter in imported.held.values())
    invoices = Counter(order["external_order_id"] for order in imported.shop.values())
    assert invoices == Counter(order.external_id for order in imported.load.orders)
    assert set(invoices.values()) == {1}
    with capsys.disabled():
        print(f"\n{_told(imported, Counter(fates.values()))}")


def _told(imported: Imported, fates: "Counter[str]") -> str:
    held = ", ".join(f"{count} {reason}" for reason, count in sorted(fates.items()) if reason != "imported")
    waiting = Counter(each.reason for each in imported.harness.letters(entity="order") if each.stage == "deliver")
    load, rows = imported.load, sum(len(order["orderRows"]) for order in imported.inside.values())
    return (
        f"{load.lines_read:,} order lines: {len(imported.shop):,} invoices placed in the shop ({load.lines_ordered:,} "
        f"lines), {fates['imported']:,} of them imported ({rows:,} rows), held: {held or 'none'}; "
        f"imported, and then held at the warehouse: {dict(waiting) or 'none'}; {len(load.refunds):,} refunds "
        f"({load.lines_refunded:,} lines); {len(load.unplaced):,} lines of "
        f"{len({line.invoice for line in load.unplaced}):,} invoices unplaced, each with its reason"
    )


def test_each_order_is_equal_to_the_penny_in_net_tax_and_total_and_in_its_currency(imported):
    """I4, order by order and over all."""
    sums: Counter[str] = Counter()
    for number, order in imported.inside.items():
        shop, total = imported.shop[number], order["totalValue"]
        gross, tax = money(shop["total_inc_tax"]), money(shop["total_tax"])
        found = (money(total["net"]), money(total["taxAmount"]), money(total["total"]))
        assert found == (gross - tax, tax, gross), number
        assert order["currency"]["orderCurrencyCode"] == shop["default_currency_code"], number
        sums["shop"] += gross
        sums["brightpearl"] += found[2]
    assert sums["shop"] == sums["brightpearl"] > 0


def test_each_row_is_the_shops_line_in_sku_quantity_net_and_tax(imported):
    """I3: rows are told apart by externalRef, the shop's line id."""
    for number in imported.inside:
        rows = imported.rows(number)
        for line in imported.lines[number]:
            row = rows.pop(str(line["id"]))
            net, tax = money(row["rowValue"]["rowNet"]["value"]), money(row["rowValue"]["rowTax"]["value"])
            assert Decimal(row["quantity"]["magnitude"]) == line["quantity"], (number, line["id"])
            assert net + tax == money(line["discounted_total_inc_tax"]), (number, line["id"])
            if line["discounted_total_inc_tax"] == line["total_inc_tax"]:
                assert (net, tax) == (money(line["total_ex_tax"]), money(line["total_tax"])), (number, line["id"])
            if line["product_id"]:
                assert row["productSku"] == line["sku"], (number, line["id"])
        _costs_are_equal(imported.shop[number], rows)


def _costs_are_equal(shop: Json, rows: dict[str, Json]) -> None:
    """What is left of the rows is postage, fees and, by name, rounding."""
    amounts = {
        key: money(row["rowValue"]["rowNet"]["value"]) + money(row["rowValue"]["rowTax"]["value"])
        for key, row in rows.items()
    }
    wanted = {f"fee-{fee['id']}": money(fee["cost_inc_tax"]) for fee in shop.get("fees") or ()}
    if money(shop["shipping_cost_inc_tax"]):
        wanted["shipping"] = money(shop["shipping_cost_inc_tax"])
    rounding = amounts.pop("rounding", Decimal(0))
    assert amounts == wanted, shop["id"]
    assert abs(rounding) <= PENNY * shop["items_total"], shop["id"]


def test_each_order_belongs_to_the_contact_of_its_customer(imported):
    contacts = imported.harness.brightpearl.collection("contacts")
    of_customer: dict[int, set[int]] = defaultdict(set)
    for number, order in imported.inside.items():
        shop, contact_id = imported.shop[number], order["parties"]["customer"]["contactId"]
        contact = contacts[str(contact_id)]
        assert contact["lastName"] == shop["billing_address"]["last_name"], number
        email = contact["communication"]["emails"]["PRI"]["email"]
        assert email.casefold() == shop["billing_address"]["email"].casefold(), number
        if shop["customer_id"]:
            of_customer[shop["customer_id"]].add(contact_id)
    assert {len(ids) for ids in of_customer.values()} == {1}
    assert len(set.union(*of_customer.values())) == len(of_customer)


def test_what_was_paid_in_the_shop_is_paid_in_brightpearl_once(imported):
    paid: dict[int, list[Decimal]] = defaultdict(list)
    for payment in imported.harness.brightpearl.collection("customer_payments").values():
        paid[payment["orderId"]].append(money(payment["amountPaid"]))
    for number, order in imported.inside.items():
        # What was refunded goes back on the credits: the order stays paid as it was.
        total = money(imported.shop[number]["total_inc_tax"])
        assert paid[order["id"]] == ([total] if total else []), number


def test_every_line_of_the_file_is_in_an_order_a_refund_or_the_list_of_unplaced_ones(imported):
    """I11 for the loader, by the file itself and by what the shop holds."""
    with imported.path.open(encoding="utf-8-sig", newline="") as file:
        of_invoice = Counter(row["InvoiceNo"].strip() for row in csv.DictReader(file))
    load = imported.load
    unplaced = Counter(line.invoice for line in load.unplaced)
    refunded = Counter({refund.invoice: 0 for refund in load.refunds})
    for refund in load.refunds:
        refunded[refund.invoice] += len(refund.line_numbers)
    placed = {order["external_order_id"] for order in imported.shop.values()}
    for invoice, lines in of_invoice.items():
        if invoice in placed:
            assert unplaced[invoice] < lines, invoice
        else:
            assert unplaced[invoice] + refunded[invoice] == lines, invoice
    assert sum(of_invoice.values()) == load.lines_ordered + sum(refunded.values()) + sum(unplaced.values())
    assert all(line.reason for line in load.unplaced)


def test_every_refund_of_the_file_is_in_the_shop(imported):
    """Each cancellation that found its order is a refund of it, with the money that the file says."""
    given = Counter()
    for refund in imported.harness.bigcommerce.collection("refunds").values():
        given[imported.shop[str(refund["order_id"])]["external_order_id"], money(refund["total_amount"])] += 1
    assert given == Counter((each.order_external_id, each.amount) for each in imported.load.refunds)


def test_every_refund_is_one_credit_equal_to_the_penny_and_paid_back_once(imported):
    """BP-30, BC-21, I4: Σ refunds of the shop = Σ credits, in total and tax; each stands on its order."""
    paid: dict[int, list[Decimal]] = defaultdict(list)
    for payment in imported.harness.brightpearl.collection("customer_payments").values():
        if payment["paymentType"] == "PAYMENT":
            paid[payment["orderId"]].append(money(payment["amountPaid"]))
    refunds = list(imported.harness.bigcommerce.collection("refunds").values())
    for refund in refunds:
        credit = imported.harness.credits_of(str(refund["order_id"]))[str(refund["id"])]
        total = money(refund["total_amount"])
        value = credit["totalValue"]
        assert (money(value["total"]), money(value["taxAmount"])) == (total, money(refund["total_tax"])), refund
        assert credit["parentOrderId"] == imported.inside[str(refund["order_id"])]["id"]
        assert paid[credit["id"]] == [total], refund
    orders = imported.harness.brightpearl.collection("orders").values()
    assert sum(order["orderTypeCode"] == "SC" for order in orders) == len(refunds) > 0


def test_what_was_refunded_before_it_left_is_not_packed(imported):
    """Refunded as a whole: booked and on hold. In part: reserved is what is left, as far as there is stock."""
    back: dict[str, Counter[str]] = defaultdict(Counter)
    for refund in imported.harness.bigcommerce.collection("refunds").values():
        for item in refund["items"]:
            back[str(refund["order_id"])][str(item["item_id"])] += item["quantity"]
    for number, units in back.items():
        order = imported.inside[number]
        whole = imported.shop[number]["status_id"] == WHOLLY_REFUNDED
        assert (order["orderStatus"]["orderStatusId"] == ON_HOLD) == whole, number
        reservation = imported.harness.brightpearl.collection("reservations").get(str(order["id"]))
        for row_id, row in (reservation["orderRows"] if reservation else {}).items():
            ordered = order["orderRows"][row_id]
            most = int(Decimal(ordered["quantity"]["magnitude"])) - units[ordered["externalRef"]]
            assert row["quantity"] <= most, number
        assert not (whole and reservation), number


def test_a_second_run_writes_nothing(imported):
    """I10: what we wrote ourselves is no news. Reservations that lacked stock have their own time."""
    assert imported.writes_again == []
