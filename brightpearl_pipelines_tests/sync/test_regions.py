"""Several shops on one account, and separate accounts per region, from one deployment (BC-33, BC-34)."""

from decimal import Decimal

import pytest

from brightpearl_pipelines.store import budget
from brightpearl_pipelines_tests.sync.goods import person
from brightpearl_pipelines_tests.sync.harness import money
from brightpearl_pipelines_tests.sync.regions import two_regions


@pytest.fixture(scope="module")
def regions(embedded_server, encryption_key):
    with two_regions(embedded_server, encryption_key) as made:
        yield made


@pytest.fixture(autouse=True)
def _calm(regions):
    yield
    regions.calm()
    with regions.store.transaction() as tx:
        for connection in regions.configuration.connections:
            budget.resume(tx, connection)


def test_each_order_goes_to_its_own_account_and_channel_in_its_own_currency(regions):
    """BC-31, BC-32, BC-33, BC-34: one number in three shops is three orders."""
    numbers = [
        regions.place("shop_eu", ("MUG", 1), person=person("Una Uk")),
        regions.place("outlet_eu", ("MUG", 1), person=person("Olga Outlet")),
        regions.place("shop_us", ("MUG", 1), person=person("Sam States"), currency="USD"),
    ]
    assert len(set(numbers)) == 1, "the shops do not count alike, so that nothing is shown"
    euro = regions.place("shop_eu", ("MUG", 1), person=person("Eva Euro"), currency="EUR", channel_id=2)
    own_list = regions.place("outlet_eu", ("MUG", 1), person=person("Ole Own"), currency="EUR")
    regions.run()
    assert regions.letters() == []
    eu, us = regions.orders("brightpearl_eu"), regions.orders("brightpearl_us")
    (number,) = set(numbers)
    assert set(eu) == {f"shop_eu:{number}", f"outlet_eu:{number}", f"shop_eu:{euro}", f"outlet_eu:{own_list}"}
    assert set(us) == {f"shop_us:{number}"}

    def told(order):
        return (
            order["assignment"]["current"]["channelId"],
            order["currency"]["orderCurrencyCode"],
            order["priceListId"],
            order["warehouseId"],
        )

    assert told(eu[f"shop_eu:{number}"]) == (2, "GBP", 2, 2)
    assert told(eu[f"shop_eu:{euro}"]) == (3, "EUR", 3, 2)
    assert told(eu[f"outlet_eu:{number}"]) == (2, "GBP", 2, 3)
    assert told(eu[f"outlet_eu:{own_list}"]) == (2, "EUR", 4, 3)
    assert told(us[f"shop_us:{number}"]) == (2, "USD", 2, 2)
    assert Decimal(us[f"shop_us:{number}"]["currency"]["exchangeRate"]) == 1
    for shop, account in (("shop_eu", eu), ("outlet_eu", eu), ("shop_us", us)):
        total = regions.emulator(shop).need("orders", number)["total_inc_tax"]
        assert money(account[f"{shop}:{number}"]["totalValue"]["total"]) == money(total)


def test_who_buys_in_two_regions_is_a_customer_of_each_and_neither_learns_of_the_other(regions):
    """BC-34: an order's contact is made in its own account; what is typed in one region stays there."""
    traveller = person("Tess Traveller")
    here = regions.place("shop_eu", ("MUG", 1), person=traveller)
    regions.run()
    abroad = person("Tess Traveller", street_1="7 Ocean Drive", phone="+1 305 555 0100")
    there = regions.place("shop_us", ("MUG", 1), person=abroad, currency="USD")
    regions.run()
    (british,) = regions.contacts("brightpearl_eu", traveller.email)
    (american,) = regions.contacts("brightpearl_us", traveller.email)
    orders = {**regions.orders("brightpearl_eu"), **regions.orders("brightpearl_us")}
    assert orders[f"shop_eu:{here}"]["parties"]["customer"]["contactId"] == british["contactId"]
    assert orders[f"shop_us:{there}"]["parties"]["customer"]["contactId"] == american["contactId"]
    assert "0100" not in british["communication"]["telephones"].get("PRI", "")
    assert american["communication"]["telephones"]["PRI"] == abroad.phone


def test_who_buys_in_two_shops_of_one_account_is_one_customer_as_the_last_shop_saw_them(regions):
    """BC-33: two shops of the same authority; the later checkout counts, whichever shop is named first."""
    loyal = person("Lou Loyal", phone="+44 1")
    regions.place("outlet_eu", ("MUG", 1), person=loyal)
    regions.run()
    regions.pass_time(60)
    regions.place("shop_eu", ("MUG", 1), person=person("Lou Loyal", phone="+44 2"))
    regions.run()
    regions.pass_time(60)
    regions.place("outlet_eu", ("MUG", 1), person=person("Lou Loyal", phone="+44 3"))
    regions.run()
    (contact,) = regions.contacts("brightpearl_eu", loyal.email)
    assert contact["communication"]["telephones"]["PRI"] == "+44 3"


def test_stock_is_each_accounts_own_and_each_shop_shows_its_own_warehouses(regions):
    """BC-33, BC-34: a sale in one shop is missing in the other shop of the account, and in no other region."""
    regions.run()
    before = {shop: regions.stock(shop, "MUG") for shop in ("shop_eu", "outlet_eu", "shop_us")}
    regions.place("outlet_eu", ("MUG", 5), person=person("Stella Stock"))
    regions.run()
    after = {shop: regions.stock(shop, "MUG") for shop in before}
    assert after == {
        "shop_eu": before["shop_eu"] - 5,
        "outlet_eu": before["outlet_eu"] - 5,
        "shop_us": before["shop_us"],
    }
    assert before["outlet_eu"] < before["shop_eu"], "the outlet has one warehouse, and keeps some back"


def test_one_accounts_trouble_stops_nobody_else(regions):
    """BC-08, BC-34: limits, failures and pauses are each connection's own."""
    regions.fault("brightpearl_us", "status", status=401)
    regions.fault("outlet_eu", "refuse")
    waits = regions.place("shop_us", ("MUG", 1), person=person("Wanda Waits"), currency="USD")
    also = regions.place("outlet_eu", ("MUG", 1), person=person("Alf Also"))
    goes = regions.place("shop_eu", ("MUG", 1), person=person("Gina Goes"))
    results = regions.run()
    paused = {result.connection for result in results if result.counts.paused}
    assert paused == {"brightpearl_us", "outlet_eu"}
    assert f"shop_eu:{goes}" in regions.orders("brightpearl_eu")
    with regions.store.transaction() as tx:
        assert set(budget.paused(tx)) == {"brightpearl_us"}
    regions.calm()
    with regions.store.transaction() as tx:
        for connection in paused:
            budget.resume(tx, connection)
    regions.run()
    assert f"shop_us:{waits}" in regions.orders("brightpearl_us")
    assert f"outlet_eu:{also}" in regions.orders("brightpearl_eu")


def test_an_order_of_a_shop_that_reckons_in_another_currency_than_its_account_is_held(regions):
    """BC-32: a rate against the wrong base would book the wrong money."""
    shop = regions.emulator("outlet_eu")

    def reckon_in_euros():
        for currency in shop.collections["currencies"].values():
            currency["is_default"] = currency["currency_code"] == "EUR"
            currency["currency_exchange_rate"] = {"EUR": "1.0", "GBP": "0.85", "USD": "1.1"}[currency["currency_code"]]

    regions.served.call(reckon_in_euros)
    number = regions.place("outlet_eu", ("MUG", 1), person=person("Ed Euro"), currency="EUR")
    regions.run()
    assert f"outlet_eu:{number}" not in regions.orders("brightpearl_eu")
    (letter,) = regions.letters()
    assert f"order {number} is in EUR at a rate of 1" in letter
    assert "the account reckons in GBP" in letter
