"""Housekeeping: what is deleted, and above all what is not."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.definitions import build_defs
from brightpearl_pipelines.resources import Sync
from brightpearl_pipelines.store import events
from brightpearl_pipelines.store.types import Event
from brightpearl_pipelines_tests.dagster_room.test_definitions import PROJECT


@pytest.fixture(scope="module")
def definitions():
    return build_defs(load_configuration(PROJECT / "connections.yaml"), sync=dg.ResourceDefinition(lambda _: None))


def _run(instance, definitions, status=dg.DagsterRunStatus.SUCCESS, **tags):
    job = definitions.resolve_job_def("sync_changes")
    return instance.create_run_for_job(job, status=status, tags=tags).run_id


def _housekeeping(instance, definitions, **keep):
    definitions.resolve_job_def("housekeeping").execute_in_process(
        instance=instance,
        op_selection=["forget_idle_runs"],
        run_config={"ops": {"forget_idle_runs": {"config": keep}}},
    )


def test_only_old_runs_that_brought_nothing_are_forgotten(definitions):
    with dg.DagsterInstance.ephemeral() as instance:
        kept = {
            _run(instance, definitions, trigger="webhook", **{"bp/changed": "yes"}),
            _run(instance, definitions, trigger="sweep", status=dg.DagsterRunStatus.FAILURE),
            _run(instance, definitions, trigger="by hand"),
            _run(instance, definitions, trigger="nightly"),
        }
        idle = {_run(instance, definitions, trigger=trigger) for trigger in ("webhook", "webhook", "sweep")}
        _housekeeping(instance, definitions, idle_runs=1)
        assert {run.run_id for run in instance.get_runs()} >= kept | idle, "they are not old yet"
        _housekeeping(instance, definitions, idle_runs=0)
        left = {run.run_id for run in instance.get_runs()}
        assert left >= kept
        assert not left & idle


def test_webhooks_that_are_dealt_with_are_forgotten_when_they_are_old(definitions, store):
    now = datetime.now(UTC)
    with store.transaction() as tx:
        for key, days in (("old", 40), ("waiting", 40), ("new", 20)):
            at = now - timedelta(days=days)
            events.add(tx, Event("bigcommerce", key, "store/order/created", {}, received_at=at))
        done = [event for event in events.pending(tx, "bigcommerce", None, 10) if event.key != "waiting"]
        events.finish(tx, done)
    configuration = load_configuration(PROJECT / "connections.yaml")
    mine = build_defs(configuration, sync=Sync(configuration, store=store))
    with dg.DagsterInstance.ephemeral() as instance:
        mine.resolve_job_def("housekeeping").execute_in_process(instance=instance)
    with store.transaction() as tx:
        left = {row[0] for row in tx.connection.execute("SELECT key FROM sync.event")}
    assert left == {"waiting", "new"}
