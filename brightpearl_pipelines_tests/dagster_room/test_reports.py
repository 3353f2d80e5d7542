"""The report assets: a day of trade as tables in schema `reports`, and the check that ties them out."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import dagster as dg
import pytest

from brightpearl_pipelines.assets.report_store import stored
from brightpearl_pipelines.partitions import today, yesterday
from brightpearl_pipelines.reports.tables import TOTALS, rows_of
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.dagster_room.plant import Plant, plain
from brightpearl_pipelines_tests.reports.trade import settled, wrong_penny
from brightpearl_pipelines_tests.sync.harness import harnessed, money

TABLES = ("documents", "differences", *TOTALS)
TIE_OUT = "every_difference_is_explained"


@pytest.fixture(scope="module")
def books(embedded_server, encryption_key) -> Iterator[Plant]:
    """A day with two orders that came over and one that is held, reported once."""
    with harnessed(embedded_server, encryption_key) as world, dg.DagsterInstance.ephemeral() as instance:
        plant = Plant(world, instance)
        world.place(("MUG", 2), ("BOOK", 1))
        plant.number = world.place(("TRAY", 1), channel_id=2, currency="EUR")
        world.place(("LAMP", 1))
        settled(world)
        plant.first = plant.job("report")
        yield plant


def rows(plant, table, day=None):
    return rows_of(stored(plant.world.store, table, [(day or plant.world.clock.now().date())]))


def checked(result, name=TIE_OUT):
    (found,) = (each for each in result.get_asset_check_evaluations() if each.check_name == name)
    return found


def test_the_report_assets_and_their_checks_are_these(books):
    specs = [spec for spec in books.definitions.resolve_all_asset_specs() if spec.group_name == "reports"]
    assert {spec.key.to_user_string() for spec in specs} == {f"reports/{table}" for table in TABLES}
    for spec in specs:
        assert spec.partitions_def is not None
        assert spec.kinds == {"pandas", "postgres"}
        assert spec.owners == ["team:integrations"]
        assert spec.freshness_policy is not None
        assert len(spec.description) > 40
    checks = [spec for check in books.definitions.asset_checks for spec in check.check_specs]
    mine = {(spec.asset_key.path[-1], spec.name) for spec in checks if spec.asset_key.path[0] == "reports"}
    assert mine == {("differences", TIE_OUT), *((table, f"{table}_schema") for table in TABLES)}


def test_a_day_is_reported_and_its_check_is_green_when_every_difference_is_explained(books):
    """BC-37, X-81: held orders are differences, and explained ones."""
    assert books.first.success
    assert all(each.passed for each in books.first.get_asset_check_evaluations())
    said = plain(checked(books.first).metadata)
    assert (said["unexplained"], said["totals that do not add up"]) == (0, 0)
    held = [row for row in said["differing documents"] if row["kind"] == "order"]
    assert [(row["explained_by"], row["brightpearl_amount"]) for row in held] == [("held", None)]


def test_the_tables_hold_the_totals_of_both_sides_by_channel_and_currency(books):
    world = books.world
    asked, booked = {}, {}
    for order in list(world.bigcommerce.collection("orders").values()):
        place = (str(order["channel_id"]), order["default_currency_code"])
        asked[place] = asked.get(place, 0) + money(order["total_inc_tax"])
    for number, order in world.orders_in_brightpearl().items():
        shop = world.shop_order(number)
        place = (str(shop["channel_id"]), order["currency"]["orderCurrencyCode"])
        booked[place] = booked.get(place, 0) + money(order["totalValue"]["total"])
    found = {(row["channel"], row["currency"]): row for row in rows(books, "daily_orders")}
    assert {place: row["shop_amount"] for place, row in found.items()} == asked
    assert {place: row["brightpearl_amount"] for place, row in found.items()} == booked
    assert set(found) == {("1", "GBP"), ("2", "EUR")}
    assert all(isinstance(row["shop_amount"], Decimal) for row in found.values())
    assert {row["kind"] for row in rows(books, "daily_taxes")} == {"order"}


def test_no_person_is_in_the_tables_nor_in_what_the_run_says(books):
    shown = str([rows(books, table) for table in TABLES]) + str(
        [plain(each.metadata) for each in books.first.get_asset_check_evaluations()]
    )
    assert "Ashby" not in shown
    assert "anna" not in shown.lower()


def test_a_wrong_penny_turns_the_check_red_and_the_order_is_named_until_it_is_mended(books):
    """BC-37, BC-21: never a penny of unexplained difference unseen."""
    wrong_penny(books.world, books.number)
    settled(books.world)
    result = books.job("report")
    failed = checked(result)
    assert result.success, "a red check is told, and stops nothing"
    assert (failed.passed, failed.severity.name) == (False, "ERROR")
    assert f"order {books.number} of bigcommerce" in failed.description
    first = plain(failed.metadata)["differing documents"][0]
    assert (first["number"], first["difference"], first["explained_by"]) == (books.number, "0.01", "")
    (row,) = (row for row in rows(books, "daily_orders") if row["channel"] == "2")
    assert (row["unexplained"], row["unexplained_documents"]) == (Decimal("0.01"), 1)
    wrong_penny(books.world, books.number, Decimal("-0.01"))
    settled(books.world)
    assert checked(books.job("report")).passed


def test_a_total_that_somebody_changed_in_the_tables_turns_the_check_red(books):
    with books.world.store.transaction() as tx:
        tx.connection.execute("UPDATE reports.daily_orders SET shop_amount = shop_amount + 1 WHERE channel = '2'")
    failed = checked(books.materialize(["reports/differences"], [today()]))
    assert not failed.passed
    assert "daily_orders" in failed.description
    assert "is not the sum of its documents" in failed.description
    assert checked(books.job("report")).passed


def test_a_late_change_rewrites_its_day_and_leaves_other_days_alone(books):
    """The day of an order is the one on which it was placed, whenever it changes."""
    books.job("report", partition_key=yesterday())
    with books.world.store.transaction() as tx:
        tx.connection.execute(
            "INSERT INTO reports.daily_orders SELECT day - 1, shop, account, channel, currency, shop_documents, "
            "brightpearl_documents, shop_amount, brightpearl_amount, difference, explained, unexplained, "
            "unexplained_documents FROM reports.daily_orders WHERE channel = '2'"
        )
    before = rows(books, "documents")
    number = books.world.place(("MUG", 1), channel_id=2, currency="EUR")
    settled(books.world)
    books.job("report")
    assert {row["number"] for row in rows(books, "documents")} - {row["number"] for row in before} == {number}
    old = books.world.clock.now().date() - timedelta(days=1)
    assert [row["shop_documents"] for row in rows(books, "daily_orders", old)] == [1]
    books.job("report", partition_key=yesterday())
    assert rows(books, "daily_orders", old) == []


def test_a_range_of_days_is_one_run(books):
    result = books.materialize([f"reports/{table}" for table in TABLES], [yesterday(), today()])
    days = {
        each.partition
        for each in result.get_asset_materialization_events()
        if each.asset_key == dg.AssetKey(["reports", "documents"])
    }
    assert days == {yesterday(), today()}
    assert checked(result).passed


def test_a_run_on_changes_makes_no_reports(books):
    """They read whole days: what waits for a webhook must not wait for them."""
    books.world.place(("MUG", 1))
    made = {each.asset_key.path[0] for each in books.job("sync_changes").get_asset_materialization_events()}
    assert "reports" not in made
    books.world.run(Reach.CHANGES)
