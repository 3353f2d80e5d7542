"""What a test of the Dagster project works with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from brightpearl_pipelines.definitions import build_defs
from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.resources import Sync
from brightpearl_pipelines_tests.sync.harness import Harness


@dataclass
class Plant:
    """Definitions over a sandbox and a store. `number` is an order of the first run, `first`."""

    world: Harness
    instance: dg.DagsterInstance
    number: str = ""
    first: Any = None
    definitions: dg.Definitions = field(init=False)

    def __post_init__(self) -> None:
        resource = dg.ResourceDefinition(lambda _: self.sync())
        self.definitions = build_defs(self.world.configuration, sync=resource)

    def sync(self) -> Sync:
        """What a run or a tick gets: a fresh one each, on the same store."""
        world = self.world
        connector = world.connector or world.connect
        return Sync(world.configuration, connector=connector, store=world.store, clock=world.clock)

    def job(self, name: str, *, check: bool = True, **more: Any) -> dg.ExecuteInProcessResult:
        """A run of a job, under today's partition unless said otherwise."""
        job = self.definitions.resolve_job_def(name)
        given = {"partition_key": today(), **more}
        return job.execute_in_process(instance=self.instance, raise_on_error=check, **given)

    def materialize(
        self, keys: Sequence[str], days: Sequence[str] = (), *, check: bool = True, tags: Any = None, **scope: Any
    ) -> dg.ExecuteInProcessResult:
        """Assets materialised by hand, as the launchpad does it: days are the first and the last of a range."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        if len(days) > 1:
            names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
            tags = {**(tags or {}), **dict(zip(names, (days[0], days[-1]), strict=True))}
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[key_of(each) for each in keys],
            partition_key=days[0] if len(days) == 1 else None,
            run_config={"resources": {"scope": {"config": scope}}} if scope else None,
            raise_on_error=check,
            tags=tags,
        )

    def run_of(self, result: dg.ExecuteInProcessResult) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(result.run_id)
        assert found is not None
        return found


def key_of(text: str) -> dg.AssetKey:
    return dg.AssetKey(text.split("/"))


def metadata_of(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    """What the asset's materialisation under the run's own partition says: plain values, tables as lists of rows."""
    found = [
        each.materialization
        for each in result.get_asset_materialization_events()
        if each.asset_key == key_of(key) and "read" in each.materialization.metadata
    ]
    assert len(found) == 1, f"{key} was materialised {len(found)} times"
    return plain(found[0].metadata)


def plain(metadata: Any) -> dict[str, Any]:
    """Metadata as plain values."""
    return {
        name: [dict(row.data) for row in value.records] if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in metadata.items()
    }


def failure_of(result: dg.ExecuteInProcessResult, key: str) -> Any:
    """How the step of an asset failed."""
    step = "__".join(key.split("/"))
    (failed,) = (each for each in result.all_events if each.is_step_failure and each.step_key == step)
    return failed.step_failure_data


def retries_of(result: dg.ExecuteInProcessResult) -> int:
    """How often steps were tried again."""
    return sum(each.event_type is dg.DagsterEventType.STEP_RESTARTED for each in result.all_events)
