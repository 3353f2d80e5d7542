"""Does one step of the engine for an asset, and tells Dagster what became of it.

Here: what is the same for every asset: the scope of a run, progress in its log, errors in Dagster's terms, what is
recorded. What a step does is the engine's affair (`sync/`); what an asset is called and made of, its entity's module's.

How runs on changes fit the daily partitions: such a run is recorded under the day on which it ran, and besides under
the day of each record that it brought, so that the partitions of an asset show where there is something and when it
came. It looks only at what changed. A day that a person materialises or backfills is read, mapped and compared with the
target again, in full. Which of the two it is says `scope.reach` in the run's configuration: the jobs `sync_…` set it
to changes, and by default it means the partition.

A connection that cannot be used fails the check `reachable` of its assets, which are then not materialised; the steps
after them go on with what there is, so that one shop's trouble is not the others'. The run is tagged with its name.
Only a run that is about this connection alone fails, since nothing else waits for it.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from brightpearl_pipelines.assets.keys import PLURALS, steps_by_key
from brightpearl_pipelines.assets.metadata import change_set, days_since, describe, failed, version_of
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.http.limiter import Lane
from brightpearl_pipelines.partitions import keys_of
from brightpearl_pipelines.resources import ScopeConfig, Sync
from brightpearl_pipelines.store import positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.sync.engine import BusyError, Engine
from brightpearl_pipelines.sync.run import Step, perform
from brightpearl_pipelines.sync.scope import Counts, Scope, StepResult

LANE_TAG = "bp/lane"
CHANGED_TAG = "bp/changed"
TRIGGER_TAG = "trigger"
CONNECTION_TAG = "connection"
ENTITY_TAG = "entity"
PAUSED_TAG = "bp/paused"
"""Names the connections that could not be used in a run, separated by commas; alerts may go by it."""
REACHABLE = "reachable"
DELTA = "delta"
NOT_MATERIALISED = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
"""An output with this is given to the steps after it without being told as a materialisation. Dagster has no public
name for it; should it forget this one, an asset of an unreachable connection would look fresh: a test would say so."""
SECONDS_BETWEEN_LOGS = 2.0


def materialize(
    context: dg.AssetExecutionContext, sync: Sync, launch: ScopeConfig, step: Step, *, daily: bool
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Do the step as the run asks. Raises dg.Failure with a description for people; yields nothing in a dry run."""
    try:
        _tag(context, sync)
        if launch.dry_run:
            _rehearse(context, sync, launch)
            if step.connection:
                yield dg.AssetCheckResult(passed=step.connection not in sync.unreachable, check_name=REACHABLE)
            return
        yield _do(context, sync, launch, step, daily=daily)
    except ConfigurationError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except (ApiError, BusyError) as error:
        raise dg.Failure(str(error)) from None


def days_of(context: dg.AssetExecutionContext) -> list[str]:
    """The partition keys that the run was started for; none for a run without partitions."""
    return list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else []


def _do(
    context: dg.AssetExecutionContext, sync: Sync, launch: ScopeConfig, step: Step, *, daily: bool
) -> dg.MaterializeResult[None]:
    with sync.store.transaction() as tx:
        before = version_of(tx, step)
    days = days_of(context) if daily else []
    result, another_try_may_help = asyncio.run(_steps(context, sync, step, launch.of(days, daily=daily)))
    counts = result.counts
    if counts.changed or counts.created or counts.updated:
        _mark_changed(context, sync)
    if counts.paused is not None:
        return _unreachable(context, sync, step, result, another_try_may_help=another_try_may_help)
    context.log.info(_summary(step, counts))
    with sync.store.transaction() as tx:
        described = describe(tx, sync.configuration, step, result, before, sync.clock.now())
        touched = _untold_days(tx, context.asset_key, step) if daily else {}
    for key in keys_of(touched):
        if key not in days:
            brought = touched[date.fromisoformat(key)]
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata={"changed": brought}))
    reached = [dg.AssetCheckResult(passed=True, check_name=REACHABLE)] if step.connection else []
    return dg.MaterializeResult(metadata=described, check_results=reached)


def _unreachable(
    context: dg.AssetExecutionContext, sync: Sync, step: Step, result: StepResult, *, another_try_may_help: bool
) -> dg.MaterializeResult[None]:
    """What a step says whose connection could not be used. Raises dg.Failure where no other connection is concerned."""
    connection, told = step.connection or "", failed(result)
    sentence = f"{connection} cannot be used now: {result.counts.paused}"
    if connections_of(context, sync) == {connection}:
        raise dg.Failure(sentence, metadata=told, allow_retries=another_try_may_help)
    context.log.warning(f"{sentence}; the other connections go on")
    sync.unreachable.add(connection)
    context.instance.add_run_tags(context.run.run_id, {PAUSED_TAG: ", ".join(sorted(sync.unreachable))})
    context.log_event(dg.AssetObservation(context.asset_key, description=sentence, metadata=told))
    check = dg.AssetCheckResult(
        passed=False,
        check_name=REACHABLE,
        severity=dg.AssetCheckSeverity.ERROR,
        description=sentence,
        metadata=told,
    )
    return dg.MaterializeResult(metadata=NOT_MATERIALISED, check_results=[check])


def connections_of(context: dg.AssetExecutionContext, sync: Sync) -> set[str]:
    """The connections that the run is about."""
    chosen = _selected(context)
    steps = (step for key, step in steps_by_key(sync.configuration).items() if key in chosen)
    return {step.connection for step in steps if step.connection}


def _untold_days(tx: Transaction, key: dg.AssetKey, step: Step) -> Mapping[date, int]:
    """Days of which Dagster has not been told yet, whoever brought their records: `bpp sync` does so too."""
    consumer = f"shown:{key.to_user_string()}"
    touched = days_since(tx, step, positions.get(tx, consumer).version)
    positions.move(tx, consumer, version=version_of(tx, step))
    return touched


async def _steps(
    context: dg.AssetExecutionContext, sync: Sync, step: Step, scopes: Sequence[Scope]
) -> tuple[StepResult, bool]:
    """What was done, and whether another try may help if the connection could not be used."""
    total, may_help = StepResult(step.name, step.connection, step.entity, Counts()), True
    async with sync.engine(lane=_lane(context), run=context.run.run_id, progress=_progress(context)) as engine:
        for scope in scopes:
            try:
                add(total, await perform(engine, step, scope))
            except (ApiError, ConfigurationError) as error:
                if step.connection is None:
                    raise
                total.counts.paused, may_help = str(error), not isinstance(error, ConfigurationError)
            if total.counts.paused is not None:
                break
    return total, may_help


def add(total: StepResult, part: StepResult) -> None:
    """Add what one day brought to the whole."""
    for name, value in part.counts.as_row().items():
        setattr(total.counts, name, getattr(total.counts, name) + value)
    for rule, count in part.counts.ignored.items():
        total.counts.ignored[rule] = total.counts.ignored.get(rule, 0) + count
    total.counts.paused = part.counts.paused
    total.changes += part.changes


def _lane(context: dg.AssetExecutionContext) -> Lane:
    """Repairs and full reads leave a reserve of each account's limit to what is waited for."""
    return "delta" if context.run.tags.get(LANE_TAG) == DELTA else "backfill"


def _progress(context: dg.AssetExecutionContext) -> Callable[[str, int], None]:
    """Tells the run's log how far it is, but not more often than somebody reads."""
    done: dict[str, int] = {}
    last = asyncio.get_running_loop().time()

    def tell(what: str, count: int) -> None:
        nonlocal last
        done[what] = done.get(what, 0) + count
        now = asyncio.get_running_loop().time()
        if now - last >= SECONDS_BETWEEN_LOGS:
            last = now
            context.log.info("so far: " + ", ".join(f"{name}: {n:,}" for name, n in done.items()))

    return tell


def _summary(step: Step, counts: Counts) -> str:
    figures = ", ".join(f"{name} {value:,}" for name, value in counts.as_row().items() if value)
    rules = ", ".join(f"{rule.replace('_', ' ')} {n:,}" for rule, n in sorted(counts.ignored.items()))
    where = f" of {step.connection}" if step.connection else ""
    return f"{step.name} {step.entity.replace('_', ' ')}{where}: {figures or 'nothing to do'}" + (
        f"; left out: {rules}" if rules else ""
    )


# -- a dry run --------------------------------------------------------------------------------------------------------


def _rehearse(context: dg.AssetExecutionContext, sync: Sync, launch: ScopeConfig) -> None:
    """The first step of a dry run rehearses all steps of the run in one transaction, which is then taken back.

    Only so can a later step see what an earlier one would have brought. The steps after it find nothing to do.
    """
    if not sync.first("rehearsal"):
        return
    chosen = [(step, key) for key, step in steps_by_key(sync.configuration).items() if key in _selected(context)]
    days = days_of(context)

    async def go() -> list[StepResult]:
        results = []
        async with sync.engine(lane="backfill", run=context.run.run_id, progress=_progress(context)) as engine:
            with engine.rehearsal():
                for step, key in chosen:
                    results.append(await _rehearsed(engine, step, launch.of(days, daily=_is_daily(context, key))))
        return results

    for (step, key), result in zip(chosen, asyncio.run(go()), strict=True):
        context.log.info("dry run: " + _summary(step, result.counts))
        said = failed(result) | (change_set(result.changes) if step.name == "published" else {})
        said = {name: value for name, value in said.items() if value is not None}
        stopped = f" It stopped early: {result.counts.paused}" if result.counts.paused else ""
        sync.unreachable |= {step.connection or ""} if result.counts.paused else set()
        context.log_event(
            dg.AssetObservation(key, description=f"Dry run: nothing was written.{stopped}", metadata=said)
        )


async def _rehearsed(engine: Engine, step: Step, scopes: Sequence[Scope]) -> StepResult:
    total = StepResult(step.name, step.connection, step.entity, Counts())
    for scope in scopes:
        add(total, await perform(engine, step, replace(scope, dry_run=True)))
    return total


def _selected(context: dg.AssetExecutionContext) -> frozenset[dg.AssetKey]:
    """All assets of the run, not only those of this step."""
    return frozenset(context.job_def.asset_layer.selected_asset_keys)


def _is_daily(context: dg.AssetExecutionContext, key: dg.AssetKey) -> bool:
    return context.job_def.asset_layer.asset_graph.get(key).partitions_def is not None


# -- what the list of runs can be searched by -------------------------------------------------------------------------


def _tag(context: dg.AssetExecutionContext, sync: Sync) -> None:
    """Which connections and entities a run is about."""
    if not sync.first("tags"):
        return
    steps = [step for key, step in steps_by_key(sync.configuration).items() if key in _selected(context)]
    tags = {
        CONNECTION_TAG: _listed({step.connection for step in steps if step.connection}, sync.configuration.connections),
        ENTITY_TAG: _listed({step.entity for step in steps}, PLURALS),
        TRIGGER_TAG: "by hand",
    }
    missing = {name: value for name, value in tags.items() if name not in context.run.tags}
    if missing:
        context.instance.add_run_tags(context.run.run_id, missing)


def _listed(some: Set[str], of: Collection[str]) -> str:
    return "all" if len(some) == len(of) else ", ".join(sorted(some))


def _mark_changed(context: dg.AssetExecutionContext, sync: Sync) -> None:
    """Runs without this mark brought nothing, and are not kept for long."""
    if sync.first("changed"):
        context.instance.add_run_tags(context.run.run_id, {CHANGED_TAG: "yes"})
