"""Schedules: the sweep that finds what no webhook told, the nightly full read, and housekeeping.

Here: when runs are requested by the clock.
https://docs.dagster.io/guides/automate/schedules
"""

import dagster as dg

from brightpearl_pipelines.assets.perform import TRIGGER_TAG
from brightpearl_pipelines.jobs import (
    CHANGES_JOB,
    FULL_JOB,
    HOUSEKEEPING_JOB,
    NIGHTLY,
    REPORT_JOB,
    SWEEP,
    run_config,
)
from brightpearl_pipelines.partitions import today, yesterday
from brightpearl_pipelines.resources import LaunchReach
from brightpearl_pipelines.sensors import UNFINISHED

RUNNING = dg.DefaultScheduleStatus.RUNNING


@dg.schedule(
    name="sweep",
    job_name=CHANGES_JOB,
    cron_schedule="*/5 * * * *",
    default_status=RUNNING,
    description="Every five minutes: all that changed since the last time, whether a webhook told of it or not.",
)
def sweep(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run on webhooks does not hold it up, or a busy shop would never be swept: it is queued behind that run."""
    return _unless_under_way(context, CHANGES_JOB, SWEEP, LaunchReach.changes)


@dg.schedule(
    name="nightly",
    job_name=FULL_JOB,
    cron_schedule="0 2 * * *",
    default_status=RUNNING,
    description="At 02:00 UTC: all that changed, and stock in full.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One night's run still going is one too many for a second."""
    return _unless_under_way(context, FULL_JOB, NIGHTLY, LaunchReach.everything)


@dg.schedule(
    name="report_today",
    job_name=REPORT_JOB,
    cron_schedule="20 * * * *",
    default_status=RUNNING,
    description="Every hour: the books of today, tied out.",
)
def report_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """What was placed since the last full hour is there twenty minutes later, as a rule."""
    del context
    return dg.RunRequest(partition_key=today(), tags={TRIGGER_TAG: SWEEP})


@dg.schedule(
    name="report_yesterday",
    job_name=REPORT_JOB,
    cron_schedule="0 4 * * *",
    default_status=RUNNING,
    description="At 04:00 UTC, after the nightly run: the books of yesterday, tied out.",
)
def report_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The day is over, and the nightly run has read what is left of it."""
    del context
    return dg.RunRequest(partition_key=yesterday(), tags={TRIGGER_TAG: NIGHTLY})


HOUSEKEEPING = dg.ScheduleDefinition(
    name="housekeeping_nightly",
    job_name=HOUSEKEEPING_JOB,
    cron_schedule="30 3 * * *",
    default_status=RUNNING,
    description="At 03:30 UTC: deletes old runs and webhooks that brought nothing.",
)


def _unless_under_way(
    context: dg.ScheduleEvaluationContext, job: str, trigger: str, reach: LaunchReach
) -> dg.RunRequest | dg.SkipReason:
    same = dg.RunsFilter(job_name=job, statuses=list(UNFINISHED), tags={TRIGGER_TAG: trigger})
    if context.instance.get_run_records(same, limit=1):
        return dg.SkipReason(f"the {trigger} before this one is still on its way")
    return dg.RunRequest(partition_key=today(), run_config=run_config(reach), tags={TRIGGER_TAG: trigger})


SCHEDULES = (sweep, nightly, report_today, report_yesterday, HOUSEKEEPING)
