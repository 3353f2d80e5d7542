"""`bpp report`: the books of a period, tied out from what is in the store."""

import csv
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest

PERIOD = ("--from", "2000-01-01", "--to", "2100-01-01")
TABLES = ("documents", "differences", "daily_orders", "daily_taxes", "daily_payments", "daily_refunds")


def test_the_books_of_a_period_are_shown_and_written_as_csv(bpp_sandbox, sandbox, tmp_path):
    """BC-37: order, tax and payment of both sides, by currency and channel."""
    assert bpp_sandbox("sync").exit_code == 0
    assert bpp_sandbox("sync").exit_code == 0
    told = bpp_sandbox.json("report", *PERIOD)
    assert (told["unexplained"], told["differences"]) == (0, [])
    asked = sum(Decimal(each["total_inc_tax"]) for each in sandbox.objects("bigcommerce", "orders"))
    for side in ("shop", "brightpearl"):
        assert sum(Decimal(row[f"{side}_amount"]) for row in told["daily_orders"]) == asked
        assert sum(Decimal(row[f"{side}_amount"]) for row in told["daily_payments"]) == asked
    shown = bpp_sandbox("report", *PERIOD, "--csv", str(tmp_path / "books"))
    assert shown.exit_code == 0
    assert "to the penny" in shown.stdout
    assert {each.stem for each in (tmp_path / "books").iterdir()} == set(TABLES)
    with (tmp_path / "books" / "daily_orders.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["shop_amount"]) for row in rows) == asked
    assert "float" not in {type(row["shop_amount"]).__name__ for row in rows}


def test_what_nothing_explains_is_named_and_ends_with_a_failure(bpp_sandbox, database_url):
    bpp_sandbox("sync")
    bpp_sandbox("sync")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM sync.record WHERE connection = 'bigcommerce' AND stream = 'orders'")
    told = bpp_sandbox.json("report", *PERIOD, exit_code=1)
    assert told["unexplained"] == len(told["differences"]) > 0
    shown = bpp_sandbox("report", *PERIOD)
    assert shown.exit_code == 1
    assert f"order {told['differences'][0]['number']} of bigcommerce" in shown.stdout


def test_without_a_day_it_is_yesterday(bpp):
    told = bpp.json("report")
    assert told["from"] == told["to"] < datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--day", "tomorrow"), "is no day"),
        (("--day", "2026-01-01", "--from", "2026-01-01"), "either a day"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "is after"),
    ],
)
def test_a_period_that_is_none_is_told(bpp, arguments, hint):
    result = bpp("report", *arguments)
    assert result.exit_code == 2
    assert hint in result.stderr
