"""Alerts as Dagster takes part in them: X-46, X-53, X-58."""

import json

import dagster as dg
import pytest

from brightpearl_pipelines.alerts.budgets import plural
from brightpearl_pipelines.assets.keys import PLURALS
from brightpearl_pipelines.store import alerts, positions
from brightpearl_pipelines.sync import extract
from brightpearl_pipelines_tests.dagster_room.plant import key_of

FRESH = dg.AssetCheckKey(key_of("bigcommerce/extracted_orders"), "fresh")


@pytest.fixture(autouse=True)
def _nothing_open(plant):
    """Alerts of other tests of this worker are none of ours."""
    _close_all(plant)
    yield
    _close_all(plant)


def _close_all(plant):
    with plant.world.store.transaction() as tx:
        for raised in alerts.open_alerts(tx):
            alerts.close(tx, raised.id)
        for name in alerts.beats(tx):
            alerts.leave(tx, name)


def opened(plant):
    with plant.world.store.transaction() as tx:
        return {each.alert.key: each.alert for each in alerts.open_alerts(tx) if each.cleared_at is None}


def tick(plant, cursor=None):
    repository = plant.definitions.get_repository_def()
    sensor = repository.get_sensor_def("alerts")
    with dg.build_sensor_context(
        instance=plant.instance, repository_def=repository, cursor=cursor, resources={"sync": plant.sync()}
    ) as context:
        data = sensor.evaluate_tick(context)
    assert data.run_requests == []
    return data


def read(plant, *streams):
    """These were looked at now; of the others, all were."""
    with plant.world.store.transaction() as tx:
        for connection in plant.world.configuration.connections.values():
            for stream in connection.system.streams:
                if f"{connection.name}/{stream.name}" not in streams:
                    positions.move(tx, extract.looked(connection.name, stream))


def test_a_sync_leaves_a_trace_of_every_stream_whether_it_found_anything_or_not(plant):
    """X-58: the second run finds nothing, and is remembered all the same."""
    before = plant.world.clock.now()
    plant.world.pass_time(60)
    plant.job("sync_changes")
    with plant.world.store.transaction() as tx:
        moved = dict(tx.connection.execute("SELECT consumer, moved_at FROM sync.position").fetchall())
    for connection in plant.world.configuration.connections.values():
        for stream in connection.system.streams:
            if not stream.snapshot or stream.topics:
                assert moved[extract.looked(connection.name, stream)] > before, f"{connection.name} {stream.name}"


def test_the_sensor_tells_freshness_checks_when_they_change_and_then_only(plant):
    read(plant)
    first = tick(plant)
    told = {(each.asset_key, each.check_name): each for each in first.asset_events}
    assert told[FRESH.asset_key, FRESH.name].passed
    assert tick(plant, first.cursor).asset_events == []
    for _ in range(3):
        plant.world.pass_time(240)
        read(plant, "bigcommerce/orders")
        last = tick(plant, first.cursor)
    (red,) = [each for each in last.asset_events if each.asset_key == FRESH.asset_key]
    assert not red.passed
    assert red.description == "12 min old; 10 min are allowed"
    assert set(opened(plant)) >= {"stale:stream:bigcommerce:orders"}
    assert json.loads(last.cursor)["bigcommerce/extracted_orders:fresh"] is False
    read(plant)
    (green,) = tick(plant, last.cursor).asset_events
    assert green.passed


def test_a_freshness_check_can_be_run_by_hand_and_is_in_no_job(plant):
    read(plant)
    job = plant.definitions.resolve_implicit_global_asset_job_def()
    check = job.get_subset(asset_selection=set(), asset_check_selection={FRESH})
    done = check.execute_in_process(instance=plant.instance)
    (found,) = done.get_asset_check_evaluations()
    assert (found.passed, found.check_name) == (True, "fresh")
    for name in ("sync_changes", "full_sync", "sync_orders"):
        nodes = {node.name for node in plant.definitions.resolve_job_def(name).graph.nodes}
        assert "freshness" not in nodes


def test_a_failed_run_is_told_once_a_job_and_over_when_a_run_of_it_succeeds(plant, monkeypatch):
    """X-46: a failure that nobody foresaw is told by its name, since its words may quote a customer."""

    def breaks(*_, **__):
        raise RuntimeError("jane@example.com lives at 1 High Street")

    with monkeypatch.context() as broken:
        broken.setattr("brightpearl_pipelines.sync.run.merge", breaks)
        failed = [plant.job("sync_products", check=False) for _ in range(2)]
    for each in failed:
        _hear(plant, "alert_on_failure", each)
    alert = opened(plant)["run_failed:sync_products"]
    assert alert.severity is alerts.Severity.ERROR
    assert "mapped_products: RuntimeError" in alert.title
    assert "ane" not in alert.title
    good = plant.job("sync_products")
    _hear(plant, "alert_over_on_success", good)
    assert "run_failed:sync_products" not in opened(plant)


def _hear(plant, name, result):
    run = plant.run_of(result)
    (event,) = [each for each in result.all_events if each.is_job_event and (each.is_failure or each.is_job_success)]
    context = dg.build_run_status_sensor_context(
        sensor_name=name,
        dagster_event=event,
        dagster_instance=plant.instance,
        dagster_run=run,
        resources={"sync": plant.sync()},
    )
    if name == "alert_on_failure":
        context = context.for_run_failure()
    sensor = plant.definitions.get_repository_def().get_sensor_def(name)
    sensor(context)


def test_budgets_and_assets_name_entities_alike():
    assert {entity: plural(entity) for entity in PLURALS} == PLURALS
