"""How the two sides are laid beside each other, and how totals are added up."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.reports.entries import By, Entry, Explanation, Kind
from brightpearl_pipelines.reports.pairing import pair
from brightpearl_pipelines.reports.tables import (
    SCHEMAS,
    TOTALS,
    added_up,
    differences_frame,
    document_row,
    documents_frame,
    failures,
    frame_of,
    is_told,
    rows_of,
    totals_frame,
    unexplained_rows,
    untied,
)

DAY = date(2026, 3, 4)
CHANNELS = {"shop": {"1": 2, "2": 3}}
SALE = Entry(
    kind=Kind.ORDER,
    shop="shop",
    number="100",
    key="100",
    day=DAY,
    channel="1",
    currency="GBP",
    amount=Decimal("12.00"),
    tax=Decimal("2.00"),
    stated=Decimal("12.00"),
    record="100",
    fetched_at=datetime(2026, 3, 4, 12, tzinfo=UTC),
)
BOOKED = replace(SALE, channel="2", record="5001")
PAID = replace(SALE, kind=Kind.RECEIVED, key="100:CARD", tax=Decimal(0), method="CARD")


def paired(ours, theirs):
    return pair("brightpearl", ours, theirs, CHANNELS)


def sides(documents):
    return [(each.channel, each.entry.key, each.ours is not None, each.theirs is not None) for each in documents]


def tables(documents):
    frame = documents_frame(documents)
    return (
        rows_of(frame),
        rows_of(differences_frame(frame)),
        {each: rows_of(totals_frame(each, frame)) for each in TOTALS},
    )


def test_two_sides_of_one_order_are_one_document():
    assert sides(paired([SALE], [BOOKED])) == [("1", "100", True, True)]


def test_a_second_sales_order_of_one_name_stands_alone_by_its_own_id():
    found = paired([SALE], [BOOKED, replace(BOOKED, record="5002")])
    assert sides(found) == [("1", "100", True, True), ("1", "100 (brightpearl 5002)", False, True)]
    assert [each.unexplained for each in found] == [False, True]


def test_an_order_in_the_wrong_channel_differs_in_both():
    found = paired([SALE], [replace(BOOKED, channel="3")])
    assert sides(found) == [("1", "100", True, False), ("2", "100", False, True)]


def test_an_order_in_the_wrong_currency_differs_in_both():
    """SF-52: nothing lands in the wrong currency unseen."""
    found = paired([SALE], [replace(BOOKED, currency="EUR")])
    assert [(each.entry.currency, each.ours is None) for each in found] == [("EUR", True), ("GBP", False)]


def test_a_channel_of_brightpearl_that_the_shop_has_not_is_named():
    (found,) = paired([], [replace(BOOKED, channel="7")])
    assert found.channel == "Brightpearl's 7"


def test_payments_by_one_method_are_one_document_on_each_side():
    halves = [replace(PAID, amount=Decimal("6.00"), channel="2", record=str(n)) for n in (901, 902)]
    (found,) = paired([PAID], halves)
    assert (found.ours.amount, found.theirs.amount, found.theirs.record) == (12, 12, "902")


def test_a_tax_that_differs_is_a_difference_though_the_total_is_the_same():
    (found,) = paired([SALE], [replace(BOOKED, tax=Decimal("1.99"))])
    assert (found.difference, found.tax_difference, found.unexplained) == (0, Decimal("-0.01"), True)


# -- totals -------------------------------------------------------------------------------------------------------


def test_totals_are_by_day_shop_channel_and_currency():
    """BC-37: by currency and channel on both sides."""
    others = [replace(SALE, number=n, key=n, record=n, channel=c) for n, c in (("101", "1"), ("102", "2"))]
    euros = replace(SALE, number="103", key="103", record="103", currency="EUR")
    _, _, totals = tables(paired([SALE, *others, euros], [BOOKED]))
    found = {(row["channel"], row["currency"]): row for row in totals["daily_orders"]}
    assert {place: (row["shop_documents"], row["shop_amount"]) for place, row in found.items()} == {
        ("1", "GBP"): (2, Decimal("24.00")),
        ("2", "GBP"): (1, Decimal("12.00")),
        ("1", "EUR"): (1, Decimal("12.00")),
    }
    assert (found["1", "GBP"]["brightpearl_amount"], found["1", "GBP"]["difference"]) == (12, -12)


def test_two_differences_that_cancel_out_are_still_two_unexplained_documents():
    more, less = (replace(BOOKED, amount=amount) for amount in (Decimal("12.01"), Decimal("11.99")))
    second = replace(SALE, number="101", key="101", record="101")
    documents, _, totals = tables(paired([SALE, second], [more, replace(less, number="101", key="101", record="5002")]))
    (row,) = totals["daily_orders"]
    assert (row["difference"], row["unexplained"], row["unexplained_documents"]) == (0, 0, 2)
    assert len(unexplained_rows(documents)) == 2


def test_what_is_explained_and_what_is_not_are_told_apart():
    held, bad = paired([SALE, replace(SALE, number="101", key="101", record="101")], [])
    held = replace(held, explanation=Explanation(By.HELD, "reference_not_found", 7))
    _, _, totals = tables([held, bad])
    (row,) = totals["daily_orders"]
    assert (row["difference"], row["explained"], row["unexplained"], row["unexplained_documents"]) == (-24, -12, -12, 1)


def test_a_day_without_documents_gives_empty_tables_that_are_fit():
    frame = documents_frame([])
    frames = {"documents": frame, "differences": differences_frame(frame)}
    frames |= {table: totals_frame(table, frame) for table in TOTALS}
    assert all(len(each) == 0 for each in frames.values())
    assert {table: failures(table, each) for table, each in frames.items()} == {table: [] for table in SCHEMAS}


@settings(deadline=None, max_examples=50)
@given(
    amounts=st.lists(
        st.tuples(
            st.decimals(-1000, 1000, places=2) | st.none(),
            st.decimals(-1000, 1000, places=2) | st.none(),
            st.sampled_from(list(Kind)),
            st.sampled_from(["1", "2"]),
            st.sampled_from(["GBP", "JPY"]),
            st.sampled_from(list(By)),
        ).filter(lambda each: each[0] is not None or each[1] is not None),
        max_size=30,
    )
)
def test_every_total_is_the_sum_of_its_documents_and_of_its_parts(amounts):
    """X-81: whatever the documents are, nothing is lost between them and the totals."""
    documents = []
    for n, (ours, theirs, kind, channel, currency, by) in enumerate(amounts):
        entry = replace(SALE, kind=kind, number=str(n), key=str(n), channel=channel, currency=currency)
        booked = replace(entry, channel=str(CHANNELS["shop"][channel]))
        (found,) = paired(
            [] if ours is None else [replace(entry, amount=ours)],
            [] if theirs is None else [replace(booked, amount=theirs)],
        )
        documents.append(replace(found, explanation=Explanation(by, "")))
    rows = list(map(document_row, documents))
    totals = {table: added_up(table, rows) for table in TOTALS}
    assert untied(rows, list(filter(is_told, rows)), totals) == []
    for table, (kinds, figure, _) in TOTALS.items():
        mine = [row for row in rows if row["kind"] in kinds]
        for side in ("shop", "brightpearl"):
            assert sum(row[f"{side}_amount"] for row in totals[table]) == sum(
                row[f"{side}_{figure}"] or 0 for row in mine
            )
        assert all(row["explained"] + row["unexplained"] == row["difference"] for row in totals[table])


def test_a_total_that_is_not_the_sum_of_its_documents_is_named():
    rows, differences, totals = tables(paired([SALE], [BOOKED]))
    totals["daily_taxes"][0]["shop_amount"] += Decimal("0.01")
    assert untied(rows, differences, totals) == [
        "daily_taxes of 2026-03-04, shop, brightpearl, 1, GBP, order is not the sum of its documents"
    ]


def test_a_difference_that_is_not_listed_is_named():
    rows, _, totals = tables(paired([SALE], []))
    assert untied(rows, [], totals) == ["order 100 of shop is not listed among the differences as it should"]


@pytest.mark.parametrize(
    ("column", "value"), [("currency", "pounds"), ("difference", None), ("kind", "gift"), ("difference", Decimal(1))]
)
def test_a_schema_names_what_is_wrong(column, value):
    row = {**rows_of(documents_frame(paired([SALE], [BOOKED])))[0], column: value}
    assert failures("documents", frame_of("documents", [row]))


def test_money_is_added_up_in_decimals():
    tenths = [replace(SALE, number=str(n), key=str(n), record=str(n), amount=Decimal("0.1")) for n in range(3)]
    (row,) = added_up("daily_orders", rows_of(documents_frame(paired(tenths, []))))
    assert row["shop_amount"] == Decimal("0.3")
