"""The sensor and the schedules: when a run is requested, and of what."""

from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg
import pytest

from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.store import budget, events
from brightpearl_pipelines_tests.sync.goods import person


@pytest.fixture(autouse=True)
def _empty_inbox(plant):
    yield
    with plant.world.store.transaction() as tx:
        for connection in plant.world.configuration.connections:
            events.finish(tx, events.pending(tx, connection, None, 1000))


def tick(plant):
    """What the sensor says now: a run request or the reason for none."""
    repository = plant.definitions.get_repository_def()
    sensor = repository.get_sensor_def("changes")
    with dg.build_sensor_context(
        instance=plant.instance, repository_def=repository, resources={"sync": plant.sync()}
    ) as context:
        data = sensor.evaluate_tick(context)
    assert len(data.run_requests) <= 1
    return data.run_requests[0] if data.run_requests else data.skip_message


@contextmanager
def under_way(plant, status, instance=None, **tags):
    """A run of the job that is in this state."""
    instance = instance or plant.instance
    job = plant.definitions.resolve_job_def("sync_changes")
    run = instance.create_run_for_job(job, status=status, tags={"dagster/partition": today(), **tags})
    yield run
    instance.delete_run(run.run_id)


def _order_event(plant, number):
    plant.world.notify("bigcommerce", "store/order/created", {"data": {"id": int(number)}})


def test_nothing_is_requested_while_no_webhook_has_come_in(plant):
    assert tick(plant) == "no webhooks have come in"


def test_a_webhook_requests_one_run_of_the_assets_that_it_concerns(plant):
    number = plant.world.place(("MUG", 1), person=person("Sven Sensor"))
    for _ in range(3):
        _order_event(plant, number)
    request = tick(plant)
    chosen = {key.to_user_string() for key in request.asset_selection}
    # The order's own stream, and all that is made of it …
    assert {
        "bigcommerce/extracted_orders",
        "mapped_orders",
        "mapped_customers",
        "mapped_payments",
        "brightpearl/published_orders",
        "brightpearl/published_payments",
        "reconciled_inventory",
        "bigcommerce/published_inventory",
    } <= chosen
    # … but nothing that no order touches.
    assert (
        not {
            "bigcommerce/extracted_products",
            "brightpearl/extracted_customers",
            "brightpearl/extracted_orders",
            "brightpearl/extracted_products",
            "mapped_products",
            "mapped_purchase_orders",
        }
        & chosen
    )
    assert request.tags.items() >= {"trigger": "webhook", "dagster/partition": today()}.items()
    assert request.run_config["resources"]["scope"]["config"]["reach"] == "events"
    plant.job("sync_changes", asset_selection=request.asset_selection, run_config=request.run_config, tags=request.tags)
    assert plant.world.order(number)
    assert tick(plant) == "no webhooks have come in"


def test_a_webhook_about_stock_asks_for_no_partition(plant):
    plant.world.notify("brightpearl", "product.modified.on-hand-modified", {"id": "1000"})
    request = tick(plant)
    assert [key.to_user_string() for key in request.asset_selection] == [
        "bigcommerce/published_inventory",
        "brightpearl/extracted_inventory",
        "reconciled_inventory",
    ]
    assert request.partition_key is None
    assert "dagster/partition" not in request.tags


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_is_on_its_way_no_other_is_requested(plant, status):
    _order_event(plant, plant.number)
    with under_way(plant, status):
        assert "is on its way" in tick(plant)
    assert isinstance(tick(plant), dg.RunRequest)


def test_after_a_failed_run_the_next_one_waits_a_minute(plant):
    _order_event(plant, plant.number)
    with under_way(plant, dg.DagsterRunStatus.STARTED) as run:
        plant.instance.report_run_failed(run)
        assert "the last run failed; the next one goes at" in tick(plant)


def test_webhooks_of_a_paused_connection_wait_and_hold_up_no_other(plant):
    _order_event(plant, plant.number)
    with plant.world.store.transaction() as tx:
        budget.pause(tx, "bigcommerce", reason="token refused", probe_at=datetime.now(UTC))
    assert tick(plant) == "what came in is of connections that are paused: bigcommerce"
    plant.world.notify("brightpearl", "goods-out-note.modified.shipped", {"id": "1"})
    assert "brightpearl/extracted_shipments" in {key.to_user_string() for key in tick(plant).asset_selection}


def test_a_webhook_that_no_stream_understands_asks_for_nothing(plant):
    plant.world.notify("bigcommerce", "store/cart/abandoned", {"data": {"id": 1}})
    assert tick(plant) == "no stream understands what came in: bigcommerce: store/cart/abandoned"


# -- schedules --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lasting_instance():
    """A schedule is only ever shown an instance that another process could open too."""
    with dg.DagsterInstance.local_temp() as instance:
        yield instance


def _due(plant, instance, name):
    repository = plant.definitions.get_repository_def()
    schedule = repository.get_schedule_def(name)
    with dg.build_schedule_context(
        instance=instance, repository_def=repository, scheduled_execution_time=datetime.now(UTC)
    ) as context:
        data = schedule.evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else data.skip_message


def test_the_sweep_asks_for_changes_and_the_night_for_everything(plant, lasting_instance):
    for name, reach in (("sweep", "changes"), ("nightly", "everything")):
        request = _due(plant, lasting_instance, name)
        assert request.run_config["resources"]["scope"]["config"]["reach"] == reach
        assert request.tags.items() >= {"trigger": name, "dagster/partition": today()}.items()


def test_a_sweep_is_queued_behind_a_run_on_webhooks_but_not_behind_another_sweep(plant, lasting_instance):
    with under_way(plant, dg.DagsterRunStatus.STARTED, lasting_instance, trigger="webhook"):
        assert isinstance(_due(plant, lasting_instance, "sweep"), dg.RunRequest)
    with under_way(plant, dg.DagsterRunStatus.STARTED, lasting_instance, trigger="sweep"):
        assert _due(plant, lasting_instance, "sweep") == "the sweep before this one is still on its way"
