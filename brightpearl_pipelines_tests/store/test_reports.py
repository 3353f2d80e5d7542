"""Rows of schema `reports`: replaced day by day."""

from datetime import date
from decimal import Decimal

import psycopg
import pytest

from brightpearl_pipelines.reports.tables import SCHEMAS
from brightpearl_pipelines.store import records, reports
from brightpearl_pipelines.store.types import SourceRecord

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)
COLUMNS = list(SCHEMAS["daily_orders"].columns)


def row(day, amount="12.00", channel="1"):
    money = Decimal(amount)
    return (day, "shop", "brightpearl", channel, "GBP", 1, 0, money, Decimal(0), -money, -money, Decimal(0), 0)


def replace_days(store, days, rows):
    with store.transaction() as tx:
        reports.replace_days(tx, "daily_orders", COLUMNS, days, rows)


def rows_of(store, *days):
    with store.transaction() as tx:
        return reports.rows_of(tx, "daily_orders", COLUMNS, days)


def test_a_day_that_is_made_again_has_only_its_new_rows_and_other_days_stay(store):
    replace_days(store, [FIRST, SECOND], [row(FIRST), row(FIRST, channel="2"), row(SECOND)])
    replace_days(store, [FIRST], [row(FIRST, "12.01")])
    assert rows_of(store, FIRST) == [row(FIRST, "12.01")]
    assert rows_of(store, SECOND) == [row(SECOND)]


def test_a_day_that_could_not_be_stored_as_a_whole_stays_as_it_was(store):
    replace_days(store, [FIRST], [row(FIRST)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        replace_days(store, [FIRST], [row(FIRST, "1.00"), row(FIRST, "2.00")])
    assert rows_of(store, FIRST) == [row(FIRST)]


def test_rows_of_another_day_are_refused(store):
    with pytest.raises(ValueError, match="2026-03-02"):
        replace_days(store, [FIRST], [row(SECOND)])


def test_a_table_that_is_no_report_is_refused(store):
    with store.transaction() as tx, pytest.raises(ValueError, match="no report"):
        reports.replace_days(tx, "record", COLUMNS, [FIRST], [])


def test_money_comes_back_to_the_last_digit_and_no_column_is_a_float(store):
    replace_days(store, [FIRST], [row(FIRST, "12345678901234567890.123456789")])
    assert rows_of(store, FIRST)[0][7] == Decimal("12345678901234567890.123456789")
    with store.transaction() as tx:
        kinds = tx.connection.execute(
            "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'reports'"
        ).fetchall()
    assert {each[0] for each in kinds} == {"date", "text", "numeric", "integer", "bigint", "timestamp with time zone"}


@pytest.mark.parametrize("table", reports.TABLES)
def test_tables_have_a_key_and_say_what_their_columns_are(store, table):
    with store.transaction() as tx:
        columns = tx.connection.execute(
            "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute AS a "
            "WHERE a.attrelid = %s::regclass AND a.attnum > 0 ORDER BY a.attnum",
            (f"reports.{table}",),
        ).fetchall()
        about = tx.connection.execute("SELECT obj_description(%s::regclass)", (f"reports.{table}",)).fetchone()
        keys = tx.connection.execute(
            "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND indisprimary", (f"reports.{table}",)
        ).fetchone()
    assert {name for name, _ in columns} == set(SCHEMAS[table].columns)
    assert all(comment for _, comment in columns)
    assert about[0]
    assert keys == (1,)


def test_records_are_read_from_a_day_on_in_pages_without_losing_one(store, clock, monkeypatch):
    monkeypatch.setattr(reports, "ROWS_A_TIME", 2)
    ids = [f"{day:02}-{n}" for day in (1, 2, 3) for n in range(3)]
    with store.transaction() as tx:
        records.upsert(
            tx, "shop", "orders", [SourceRecord(each, {"id": each}, day=date(2026, 3, int(each[:2]))) for each in ids]
        )
        found = [each.id for page in reports.records_since(tx, "shop", "orders", SECOND) for each in page]
    assert found == [each for each in ids if each >= "02"]
