"""Jobs: what is run together. The `sync_…` jobs take what changed; materialising assets by hand repairs chosen days.

Here: selections of assets, their tags and their scope. What is requested when: sensors.py and schedules.py.
https://docs.dagster.io/guides/build/jobs/asset-jobs
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from brightpearl_pipelines.assets.perform import CHANGED_TAG, DELTA, LANE_TAG, TRIGGER_TAG
from brightpearl_pipelines.resources import LaunchReach, ScopeConfig, Sync
from brightpearl_pipelines.store import alerts, commitments, events

if TYPE_CHECKING:  # what define_asset_job returns has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

CHANGES_JOB = "sync_changes"
FULL_JOB = "full_sync"
REPORT_JOB = "report"
HOUSEKEEPING_JOB = "housekeeping"
PER_ENTITY = {
    "sync_products": ("products",),
    "sync_orders": ("customers", "orders", "payments"),
    "sync_shipments": ("shipments",),
    "sync_inventory": ("inventory",),
}
"""Job: the groups of assets that it takes."""
SYNCED = dg.AssetSelection.all() - dg.AssetSelection.groups("reports")
"""What is kept in step. Reports have a job of their own: a run on changes must not wait for them."""
WEBHOOK, SWEEP, NIGHTLY, KEEPING = "webhook", "sweep", "nightly", "keeping webhooks"
RUNS_AT_ONCE = 500


def run_config(reach: LaunchReach) -> dg.RunConfig:
    """The configuration of a run that looks at this much."""
    return dg.RunConfig(resources={"scope": ScopeConfig(reach=reach)})


def sync_jobs(told: Sequence[dg.AssetCheckKey] = ()) -> list["UnresolvedAssetJobDefinition"]:
    """The jobs on assets. `told`: checks that a sensor tells of, so that no run spends time on them."""
    apart = dg.AssetSelection.checks(*told)
    return [
        _job(
            CHANGES_JOB,
            SYNCED - apart,
            "Everything that changed anywhere since the last run, all the way from the systems to the systems. "
            "The sensor and the five-minute schedule start it.",
        ),
        *(
            _job(
                name,
                dg.AssetSelection.groups(*groups) - apart,
                f"What changed of {_listed(groups)} since the last run, and nothing else. For a look by hand.",
            )
            for name, groups in PER_ENTITY.items()
        ),
        _job(
            FULL_JOB,
            SYNCED - apart,
            "All that changed, and besides, in full, what cannot say whether it changed, such as stock. Leaves a "
            "quarter of each account's API limit to the runs on changes.",
            reach=LaunchReach.everything,
            lane="full",
        ),
        dg.define_asset_job(
            REPORT_JOB,
            dg.AssetSelection.groups("reports"),
            description="Ties out the books of a day: what shops and Brightpearl have of it, and why they differ.",
            tags={LANE_TAG: "reports"},
        ),
    ]


def _job(
    name: str,
    selection: dg.AssetSelection,
    description: str,
    *,
    reach: LaunchReach = LaunchReach.changes,
    lane: str = DELTA,
) -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        name, selection, config=run_config(reach), description=description, tags={LANE_TAG: lane}
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# -- housekeeping -----------------------------------------------------------------------------------------------------


class Keep(dg.Config):
    """How many days of what is kept."""

    idle_runs: int = 3
    """Runs on changes that brought nothing: they come every few minutes, at 60 to 170 KB each."""
    events: int = 30
    """Webhooks that are dealt with."""
    settled_orders: int = 60
    """Orders that took stock and have long been reserved in Brightpearl."""
    alerts: int = 90
    """Alerts that are over."""


@dg.op(description="Deletes runs on changes that brought nothing, as soon as they are old; Dagster itself never does.")
def forget_idle_runs(context: dg.OpExecutionContext, config: Keep) -> None:
    """A run that changed something, failed, or was started by a person stays."""
    before = datetime.now(UTC) - timedelta(days=config.idle_runs)
    idle = [run_id for trigger in (WEBHOOK, SWEEP, KEEPING) for run_id in _idle_runs(context.instance, trigger, before)]
    for run_id in idle:
        context.instance.delete_run(run_id)
    context.log.info(f"forgot {len(idle):,} runs that brought nothing")


def _idle_runs(instance: dg.DagsterInstance, trigger: str, before: datetime) -> Iterator[str]:
    wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], tags={TRIGGER_TAG: trigger}, created_before=before)
    cursor = None
    while page := instance.get_run_records(wanted, limit=RUNS_AT_ONCE, cursor=cursor):
        runs = [record.dagster_run for record in page]
        yield from (run.run_id for run in runs if CHANGED_TAG not in run.tags)
        cursor = runs[-1].run_id


@dg.op(
    description="Deletes webhooks that are dealt with, and promises of stock that were kept, as soon as they are old."
)
def forget_finished(context: dg.OpExecutionContext, config: Keep, sync: dg.ResourceParam[Sync]) -> None:
    """Records, golden records, deliveries and dead letters stay for ever."""
    now = datetime.now(UTC)
    with sync.store.transaction() as tx:
        finished = events.purge(tx, now - timedelta(days=config.events))
        settled = commitments.purge(tx, now - timedelta(days=config.settled_orders))
        over = alerts.purge(tx, now - timedelta(days=config.alerts))
    context.log.info(f"forgot {finished:,} webhooks, {settled:,} promises of stock and {over:,} alerts")


@dg.job(
    name=HOUSEKEEPING_JOB,
    description="Keeps the history at a size that can be searched: deletes old runs and webhooks that brought nothing.",
    tags={LANE_TAG: "housekeeping"},
)
def housekeeping() -> None:
    """Both can go at any time, in any order."""
    forget_idle_runs()
    forget_finished()
