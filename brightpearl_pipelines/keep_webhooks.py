"""Keeps webhooks going: a job that brings subscriptions in order, and a sensor that has read what they did not tell.

Here: when it is done, and what the run says of it. What is in order says webhooks/keeping.py, what is owed a read
sync/catch_up.py. A sweep reads most streams every five minutes anyway; stock, which cannot say what changed, would
otherwise wait for the night.
https://docs.dagster.io/guides/automate
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from brightpearl_pipelines.assets.keys import extracted
from brightpearl_pipelines.assets.perform import CHANGED_TAG, LANE_TAG, TRIGGER_TAG
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.jobs import FULL_JOB, KEEPING, run_config
from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.resources import LaunchReach, Sync
from brightpearl_pipelines.sensors import downstream, in_the_way
from brightpearl_pipelines.store import budget
from brightpearl_pipelines.sync import catch_up
from brightpearl_pipelines.webhooks.keeping import keep
from brightpearl_pipelines.webhooks.subscriptions import Done, SubscriptionReport

KEEP_JOB = "keep_webhooks"
CATCH_UP = "catch-up"
SECONDS_BETWEEN_LOOKS = 29
"""A little less than every sixth look of Dagster at its sensors."""


@dg.op(description="Makes missing subscriptions, repairs those that were switched off or changed.")
def keep_subscriptions(context: dg.OpExecutionContext, sync: dg.ResourceParam[Sync]) -> None:
    """What cannot be had is told as an alert, and here; the sweeps still find what changed."""
    reports = asyncio.run(_keep(context, sync))
    if reports is None:
        context.log.info("webhooks are not used: BPP_WEBHOOK_URL is not set, and no receiver answers on this machine")
        return
    for report in reports:
        if report.done is Done.FAILED:
            context.log.error(_told(report))
        elif report.done is not Done.OK:
            context.log.warning(_told(report))
    if any(report.done is not Done.OK for report in reports):
        context.instance.add_run_tags(context.run_id, {CHANGED_TAG: "yes"})
    rows = [dg.TableRecord(_row(report)) for report in reports]
    context.add_output_metadata({"subscriptions": dg.MetadataValue.table(rows)} if rows else {})


async def _keep(context: dg.OpExecutionContext, sync: Sync) -> list[SubscriptionReport] | None:
    async with sync.engine(lane="delta", run=context.run_id, progress=lambda *_: None) as engine:
        return await keep(engine)


def _told(report: SubscriptionReport) -> str:
    return f"{report.connection}: webhook {report.topic}: {report.done}, since {report.reason}"


def _row(report: SubscriptionReport) -> dict[str, str]:
    return {"connection": report.connection, "topic": report.topic, "": report.done.value, "since": report.reason}


@dg.job(
    name=KEEP_JOB,
    description="Looks after the subscriptions of all connections: what was switched off, changed or lost comes back.",
    tags={LANE_TAG: "webhooks"},
)
def keep_webhooks() -> None:
    """A call or two a connection."""
    keep_subscriptions()


@dg.schedule(
    name="keep_webhooks_alive",
    job_name=KEEP_JOB,
    cron_schedule="*/10 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every ten minutes: are all webhooks in order? BigCommerce switches off those that fail for two days.",
)
def keep_webhooks_alive(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Runs that found all in order are not kept for long."""
    del context
    return dg.RunRequest(tags={TRIGGER_TAG: KEEPING})


def catch_up_sensor(configuration: Configuration, assets: Sequence[dg.AssetsDefinition]) -> dg.SensorDefinition:
    """Requests a full read of the streams whose webhooks may have missed something, and of all that is made of them."""
    specs = {spec.key: spec for asset in assets for spec in asset.specs}

    @dg.sensor(
        name="catch_up",
        job_name=FULL_JOB,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Starts a run when a webhook was found off or gone, or the receiver was away for too long: it reads in "
            "full what may have gone untold, as far as no other run has done so."
        ),
    )
    def catching_up(
        context: dg.SensorEvaluationContext, sync: dg.ResourceParam[Sync]
    ) -> dg.SensorResult | dg.SkipReason:
        with sync.store.transaction() as tx:
            owed = catch_up.owed(tx, configuration)
            paused = budget.paused(tx)
        roots = {extracted(connection, stream) for connection, stream in owed if connection not in paused}
        if not roots:
            waits = sorted({connection for connection, _ in owed})
            return dg.SkipReason(f"paused: {', '.join(waits)}" if waits else "nothing is owed a read")
        wait = in_the_way(context.instance, FULL_JOB, datetime.now(UTC))
        if wait is not None:
            return dg.SkipReason(wait)
        chosen = sorted(downstream(configuration, specs.values(), roots))
        daily = any(specs[key].partitions_def is not None for key in chosen)
        request = dg.RunRequest(
            partition_key=today() if daily else None,
            asset_selection=chosen,
            run_config=run_config(LaunchReach.everything),
            tags={TRIGGER_TAG: CATCH_UP},
        )
        return dg.SensorResult(run_requests=[request])

    return catching_up
