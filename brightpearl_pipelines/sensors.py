"""The sensor: webhooks in, runs out. It reads our own tables only, so that no slow API can hold it up.

Here: when a run is requested because something happened outside. Webhooks are hints: whatever they miss, the sweep of
schedules.py finds. Dagster looks at sensors every five seconds; an interval of five would be missed by a hair and act
as ten, hence four.
https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from brightpearl_pipelines.assets.keys import extracted
from brightpearl_pipelines.assets.perform import TRIGGER_TAG
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.jobs import CHANGES_JOB, WEBHOOK, run_config
from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.resources import LaunchReach, Sync
from brightpearl_pipelines.store import budget, events

SECONDS_BETWEEN_TICKS = 4
PAUSE_AFTER_FAILURE = timedelta(minutes=1)
UNFINISHED = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

Pending = Mapping[tuple[str, str], int]


def changes_sensor(configuration: Configuration, assets: Sequence[dg.AssetsDefinition]) -> dg.SensorDefinition:
    """Requests one run for all that webhooks have announced, if none is on its way."""
    specs = {spec.key: spec for asset in assets for spec in asset.specs}

    @dg.sensor(
        name="changes",
        job_name=CHANGES_JOB,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Starts a run when webhooks have come in: one for all of them, and only of the assets that they concern. "
            "While a run is on its way, what comes in waits for the next one."
        ),
    )
    def changes(context: dg.SensorEvaluationContext, sync: dg.ResourceParam[Sync]) -> dg.SensorResult | dg.SkipReason:
        with sync.store.transaction() as tx:
            pending = events.pending_count(tx)
            paused = budget.paused(tx)
        roots = announced(configuration, pending, paused)
        if not roots:
            return dg.SkipReason(_nothing(configuration, pending, paused))
        wait = in_the_way(context.instance, CHANGES_JOB, datetime.now(UTC))
        if wait is not None:
            return dg.SkipReason(wait)
        chosen = sorted(downstream(configuration, specs.values(), roots))
        daily = any(specs[key].partitions_def is not None for key in chosen)
        request = dg.RunRequest(
            partition_key=today() if daily else None,
            asset_selection=chosen,
            run_config=run_config(LaunchReach.events),
            tags={TRIGGER_TAG: WEBHOOK},
        )
        return dg.SensorResult(run_requests=[request])

    return changes


def announced(configuration: Configuration, pending: Pending, paused: Mapping[str, str]) -> set[dg.AssetKey]:
    """The extracted assets that pending events name, without those of connections that are paused.

    An event that no stream understands asks for nothing: it would ask for ever.
    """
    found: set[dg.AssetKey] = set()
    for name, topic in pending:
        connection = configuration.connections.get(name)
        stream = connection.system.stream_of(topic) if connection and name not in paused else None
        if stream is not None:
            found.add(extracted(name, stream.name))
    return found


def downstream(
    configuration: Configuration, specs: Iterable[dg.AssetSpec], roots: Collection[dg.AssetKey]
) -> set[dg.AssetKey]:
    """The assets, and all that is made of them: in the hub, and in connections of the same Brightpearl accounts."""
    concerned = configuration.concerned_by(key.path[0] for key in roots)
    children: dict[dg.AssetKey, set[dg.AssetKey]] = {}
    for spec in specs:
        for dep in spec.deps:
            children.setdefault(dep.asset_key, set()).add(spec.key)
    reached: set[dg.AssetKey] = set()
    wanted = set(roots)
    while wanted:
        reached |= wanted
        wanted = {child for key in wanted for child in children.get(key, ())} - reached
    return {key for key in reached if len(key.path) == 1 or key.path[0] in concerned}


def in_the_way(instance: dg.DagsterInstance, job: str, now: datetime) -> str | None:
    """Why no run of the job should be requested now: one is on its way, or the last one has just failed."""
    under_way = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=list(UNFINISHED)), limit=1)
    if under_way:
        return f"run {under_way[0].dagster_run.run_id[:8]} is on its way; what has come in waits for the next one"
    last = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
    if last and last[0].dagster_run.status is dg.DagsterRunStatus.FAILURE and last[0].end_time is not None:
        again = datetime.fromtimestamp(last[0].end_time, UTC) + PAUSE_AFTER_FAILURE
        if now < again:
            return f"the last run failed; the next one goes at {again:%H:%M:%S} UTC"
    return None


def _nothing(configuration: Configuration, pending: Pending, paused: Mapping[str, str]) -> str:
    waiting = sorted({name for name, _ in pending if name in paused})
    if waiting:
        return f"what came in is of connections that are paused: {', '.join(waiting)}"
    if pending:
        topics = sorted({f"{name}: {topic}" for name, topic in pending if name in configuration.connections})
        return f"no stream understands what came in: {', '.join(topics)}"
    return "no webhooks have come in"
