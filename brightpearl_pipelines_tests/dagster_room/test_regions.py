"""The example of two regions as a Dagster project: one run for all connections, and none stops the others (BC-34)."""

import dagster as dg
import pytest

from brightpearl_pipelines.assets import factory
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.sensors import downstream
from brightpearl_pipelines.store import budget
from brightpearl_pipelines_tests.dagster_room.plant import Plant, retries_of
from brightpearl_pipelines_tests.sync.goods import person
from brightpearl_pipelines_tests.sync.regions import two_regions


@pytest.fixture(scope="module")
def plant(embedded_server, encryption_key):
    with (
        two_regions(embedded_server, encryption_key) as world,
        dg.DagsterInstance.ephemeral() as instance,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(factory, "RETRIES", dg.RetryPolicy(max_retries=2))
        made = Plant(world, instance)
        made.job("full_sync")
        yield made


@pytest.fixture(autouse=True)
def _calm(plant):
    yield
    plant.world.calm()
    with plant.world.store.transaction() as tx:
        for connection in plant.world.configuration.connections:
            budget.resume(tx, connection)


def checks_failed(result):
    return {each.asset_key.path[0] for each in result.get_asset_check_evaluations() if not each.passed}


def test_each_connection_has_its_assets_and_all_share_the_hub(plant):
    keys = {key.to_user_string() for key in plant.definitions.resolve_asset_graph().get_all_asset_keys()}
    for shop in ("shop_eu", "outlet_eu", "shop_us"):
        assert {f"{shop}/extracted_orders", f"{shop}/published_inventory"} <= keys
    for account in ("brightpearl_eu", "brightpearl_us"):
        assert {f"{account}/published_orders", f"{account}/extracted_shipments"} <= keys
    assert "mapped_orders" in keys


def test_news_of_one_region_asks_for_nothing_of_another(plant):
    """BC-06, BC-34"""
    configuration = plant.world.configuration
    specs = list(plant.definitions.resolve_all_asset_specs())
    chosen = downstream(configuration, specs, [dg.AssetKey(["outlet_eu", "extracted_orders"])])
    names = {key.path[0] for key in chosen if len(key.path) == 2}
    assert names == {"brightpearl_eu", "outlet_eu", "shop_eu"}, "the other shop of the account has less to sell now"


def test_while_one_shop_is_down_the_orders_of_the_others_arrive_in_the_same_run(plant):
    """BC-08, BC-34"""
    world = plant.world
    world.fault("shop_eu", "refuse")
    waits = world.place("shop_eu", ("MUG", 1), person=person("Will Wait"))
    outlet = world.place("outlet_eu", ("MUG", 1), person=person("Olive Outlet"))
    states = world.place("shop_us", ("MUG", 1), person=person("Steve States"), currency="USD")
    result = plant.job("sync_changes", tags={"trigger": "sweep"})
    assert result.success
    assert checks_failed(result) == {"shop_eu"}
    assert plant.run_of(result).tags["bp/paused"] == "shop_eu"
    assert f"outlet_eu:{outlet}" in world.orders("brightpearl_eu")
    assert f"shop_us:{states}" in world.orders("brightpearl_us")
    world.calm()
    with world.store.transaction() as tx:
        budget.resume(tx, "shop_eu")
    again = plant.job("sync_changes", tags={"trigger": "sweep"})
    assert checks_failed(again) == set()
    assert f"shop_eu:{waits}" in world.orders("brightpearl_eu")


def test_while_one_account_is_down_the_other_region_trades_on(plant):
    """BC-08, BC-34"""
    world = plant.world
    world.fault("brightpearl_us", "status", status=401)
    waits = world.place("shop_us", ("MUG", 1), person=person("Wes Waits"), currency="USD")
    goes = world.place("shop_eu", ("MUG", 1), person=person("Greta Goes"))
    result = plant.job("sync_changes", tags={"trigger": "sweep"})
    assert result.success
    assert checks_failed(result) == {"brightpearl_us"}
    assert retries_of(result) == 0
    assert f"shop_eu:{goes}" in world.orders("brightpearl_eu")
    assert world.stock("shop_us", "MUG") > 0, "what is not reachable is not zero"
    world.calm()
    with world.store.transaction() as tx:
        budget.resume(tx, "brightpearl_us")
    plant.job("sync_changes", tags={"trigger": "sweep"})
    assert f"shop_us:{waits}" in world.orders("brightpearl_us")


def test_a_connection_that_is_not_set_up_holds_up_nobody_else(plant, monkeypatch):
    """BC-34: a region whose secret is missing does not close the shop of another."""
    world = plant.world
    shop = world.configuration.connection("shop_us")

    async def without_secret(engine, connection):
        if connection.name == shop.name:
            raise ConfigurationError("connection shop_us: the environment variable SHOP_US_TOKEN is not set")
        return await world.connect(engine, connection)

    monkeypatch.setattr(world, "connector", without_secret)
    goes = world.place("outlet_eu", ("MUG", 1), person=person("Nora Next"))
    result = plant.job("sync_changes")
    assert result.success
    assert checks_failed(result) == {"shop_us"}
    assert f"outlet_eu:{goes}" in world.orders("brightpearl_eu")
