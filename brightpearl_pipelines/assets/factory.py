"""Makes the assets of an entity from its description: extracted per stream, one in the hub, published per target.

Here: the shape that all entities share, the bow tie. What is said about an entity stands in its own module.
https://docs.dagster.io/guides/build/assets/defining-assets
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from brightpearl_pipelines.alerts.budgets import DEFAULTS, OTHERWISE, allowed
from brightpearl_pipelines.assets.keys import HUB, PLURALS, extracted, extracted_for, published, steps_by_key
from brightpearl_pipelines.assets.perform import REACHABLE, materialize
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.partitions import DAYS
from brightpearl_pipelines.resources import ScopeConfig, Sync
from brightpearl_pipelines.sync.run import Step

OWNERS = ["team:integrations"]
WARNED_AT = 0.75
"""The part of a freshness budget that may pass before an asset is marked."""
SHORTEST_WINDOW = timedelta(minutes=1)
"""Dagster looks at freshness no more often."""
RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dataclass(frozen=True)
class EntityAssets:
    """What the assets of one entity are, in words for the reader of the UI, and what they wait for.

    `{connection}`, `{system}` and `{what}` (the stream, in words) in a description are filled in.
    """

    entity: str
    extracted: str
    mapped: str
    published: str
    daily: bool = True
    streams_are: str = ""
    """What the streams hold, where their names do not say it."""
    mapped_after: Callable[[Configuration], Iterable[dg.AssetKey]] = lambda _: ()
    """What the hub asset builds on besides the extracted assets it is read from."""
    published_after: Sequence[str] = ()
    """Entities that must be at a connection before this one can go there."""
    published_from: Sequence[str] = ()
    """Further entities of the hub that the published assets read."""


def assets_of(configuration: Configuration, about: EntityAssets) -> list[dg.AssetsDefinition]:
    """All assets of an entity, for all connections."""
    return [*_extracted(configuration, about), _mapped(configuration, about), *_published(configuration, about)]


def _extracted(configuration: Configuration, about: EntityAssets) -> Iterator[dg.AssetsDefinition]:
    for connection in configuration.connections.values():
        system = connection.system
        for stream in system.streams:
            if stream.entity == about.entity:
                what = about.streams_are or stream.name.replace("_", " ")
                words = about.extracted.format(connection=connection.name, system=system.name, what=what)
                step = Step("extracted", connection.name, about.entity, stream.name)
                followed = [extracted(connection.name, stream.follows.stream)] if stream.follows else []
                deps = _deps(configuration, about, followed)
                fresh = _freshness(allowed(connection, stream.name, about.entity))
                yield _asset(about, step, extracted(connection.name, stream.name), deps, system.name, words, fresh)


def _mapped(configuration: Configuration, about: EntityAssets) -> dg.AssetsDefinition:
    upstream = dict.fromkeys([*extracted_for(configuration, about.entity), *about.mapped_after(configuration)])
    deps = _deps(configuration, about, upstream)
    step, fresh = Step("mapped", None, about.entity), _freshness(DEFAULTS.get(about.entity, OTHERWISE))
    return _asset(about, step, HUB[about.entity], deps, "postgres", about.mapped, fresh)


def _published(configuration: Configuration, about: EntityAssets) -> Iterator[dg.AssetsDefinition]:
    for connection in configuration.connections.values():
        system = connection.system
        targets = {target.entity for target in system.targets}
        if about.entity in targets:
            earlier = [published(connection.name, each) for each in about.published_after if each in targets]
            upstream = [HUB[about.entity], *(HUB[each] for each in about.published_from), *earlier]
            deps = _deps(configuration, about, upstream)
            words = about.published.format(connection=connection.name, system=system.name, what="")
            step = Step("published", connection.name, about.entity)
            fresh = _freshness(allowed(connection, PLURALS[about.entity], about.entity))
            yield _asset(about, step, published(connection.name, about.entity), deps, system.name, words, fresh)


def _deps(configuration: Configuration, about: EntityAssets, upstream: Iterable[dg.AssetKey]) -> list[dg.AssetDep]:
    """What has no partitions is about now: of what other entities have by day, it builds on the newest."""
    all_steps = steps_by_key(configuration)
    return [
        dg.AssetDep(key)
        if about.daily or all_steps[key].entity == about.entity
        else dg.AssetDep(key, partition_mapping=dg.LastPartitionMapping())
        for key in upstream
    ]


def _reachable(key: dg.AssetKey, connection: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        REACHABLE,
        asset=key,
        description=f"**{connection}** could be used when this was last done. While it cannot, what builds on it goes "
        "on with what was read before, and nothing is lost.",
    )


def _freshness(budget: timedelta | None) -> dg.FreshnessPolicy | None:
    """The policy of an asset: the budget that alerts go by. None where it was switched off."""
    if budget is None:
        return None
    return dg.FreshnessPolicy.time_window(budget, warn_window=max(budget * WARNED_AT, SHORTEST_WINDOW))


def _asset(
    about: EntityAssets,
    step: Step,
    key: dg.AssetKey,
    deps: Iterable[dg.AssetDep],
    kind: str,
    description: str,
    freshness: dg.FreshnessPolicy | None,
) -> dg.AssetsDefinition:
    with warnings.catch_warnings():
        # `backfill_policy` has been marked beta for years; without it a backfill of a month would be thirty runs.
        warnings.simplefilter("ignore", dg.BetaWarning)

        @dg.asset(
            key=key,
            deps=list(deps),
            group_name=PLURALS[about.entity],
            kinds={kind},
            owners=OWNERS,
            description=description,
            partitions_def=DAYS if about.daily else None,
            backfill_policy=dg.BackfillPolicy.single_run() if about.daily else None,
            freshness_policy=freshness,
            retry_policy=RETRIES,
            check_specs=[_reachable(key, step.connection)] if step.connection else None,
            output_required=False,  # a dry run materialises nothing
        )
        def step_of_the_engine(
            context: dg.AssetExecutionContext, sync: dg.ResourceParam[Sync], scope: ScopeConfig
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            yield from materialize(context, sync, scope, step, daily=about.daily)

    return step_of_the_engine
