"""Alerts as Dagster takes part in them: a sensor that keeps watch, two that hear how runs end, and freshness checks.

Here: Dagster's words for what `alerts/` finds. It keeps watch beside `bpp watch`, each of the two over the other; an
alert goes out once, whoever meets it. The checks are told when they change, so that a quiet day leaves no history.
https://docs.dagster.io/guides/automate/run-status-sensors
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg

from brightpearl_pipelines.alerts import watch
from brightpearl_pipelines.alerts.budgets import Kind, budgets
from brightpearl_pipelines.alerts.conditions import DAGSTER
from brightpearl_pipelines.alerts.freshness import RESUMED, Freshness, measure
from brightpearl_pipelines.alerts.runs import run_failed, run_succeeded
from brightpearl_pipelines.alerts.words import span
from brightpearl_pipelines.assets.keys import extracted, published
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.resources import Sync
from brightpearl_pipelines.store import alerts

SECONDS_BETWEEN_LOOKS = 30
FRESH = "fresh"
RUNNING = dg.DefaultSensorStatus.RUNNING


def alert_sensors(checks: Sequence[dg.AssetCheckKey]) -> list[dg.SensorDefinition]:
    """The three sensors; `checks` are the freshness checks that the first of them tells."""
    return [_watching(checks), _failures(), _successes()]


def _watching(checks: Sequence[dg.AssetCheckKey]) -> dg.SensorDefinition:
    known = frozenset(checks)

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=RUNNING,
        description=(
            "Keeps watch: tells people of what is over its freshness budget, of credentials that are refused, of what "
            "is held, and of a `bpp watch` that has ended. Starts no runs."
        ),
    )
    def look(context: dg.SensorEvaluationContext, sync: dg.ResourceParam[Sync]) -> dg.SensorResult:
        found = watch.look(sync.store, sync.configuration, DAGSTER)
        before: Mapping[str, bool] = json.loads(context.cursor or "{}")
        results = {key: each for key, each in judged(found.freshness).items() if key in known}
        now = {key.to_user_string(): each.passed for key, each in results.items()}
        changed = [each for key, each in results.items() if before.get(key.to_user_string()) != each.passed]
        return dg.SensorResult(
            skip_reason=dg.SkipReason(f"{len(found.alerts)} trouble(s), {len(changed)} change(s) of freshness"),
            cursor=json.dumps(now),
            asset_events=changed,
        )

    return look


def _failures() -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="alert_on_failure",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=RUNNING,
        description="Tells people of a run that failed: once for a job, until a run of it succeeds.",
    )
    def failed(context: dg.RunFailureSensorContext, sync: dg.ResourceParam[Sync]) -> None:
        run = context.dagster_run
        with sync.store.transaction() as tx:
            run_failed(tx, sync.configuration, run.job_name, run.run_id, list(_reasons(context)))
        watch.send_due(sync.store, sync.configuration.alerts)

    return failed


def _successes() -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="alert_over_on_success",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=RUNNING,
        description="A run succeeded: what failed in that job before is over.",
    )
    def succeeded(context: dg.RunStatusSensorContext, sync: dg.ResourceParam[Sync]) -> None:
        with sync.store.transaction() as tx:
            run_succeeded(tx, context.dagster_run.job_name)

    return succeeded


def _reasons(context: dg.RunFailureSensorContext) -> Iterator[tuple[str, str]]:
    """(step, why). Of what no one foresaw only its name is told: its words may quote a record."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        told = data.user_failure_data.description if data.user_failure_data else None
        error = data.error
        while error is not None and error.cause is not None:
            error = error.cause
        yield event.step_key or "", told or (error.cls_name if error else None) or "an error"


# -- checks -----------------------------------------------------------------------------------------------------------


def freshness_checks(configuration: Configuration) -> dg.AssetChecksDefinition:
    """One check for each asset that has a budget: red while it is over it. They are in no job: the sensor tells them.

    By hand, they can be run like any other.
    """
    keys = dict.fromkeys(_asset(each.kind, each.connection, each.name, each.entity) for each in budgets(configuration))
    specs = [
        dg.AssetCheckSpec(
            FRESH,
            asset=key,
            description=(
                "What is written here does not wait for longer than its budget."
                if key.path[-1].startswith("published_")
                else "It was looked at within its budget, whether there was anything new or not."
            ),
        )
        for key in keys
    ]

    @dg.multi_asset_check(name="freshness", specs=specs, can_subset=True)
    def freshness(
        context: dg.AssetCheckExecutionContext, sync: dg.ResourceParam[Sync]
    ) -> Iterable[dg.AssetCheckResult]:
        with sync.store.transaction() as tx:
            found = judged(measure(tx, sync.configuration, alerts.beats(tx).get(RESUMED)))
        for key in context.selected_asset_check_keys:
            if key in found:
                each = found[key]
                yield dg.AssetCheckResult(
                    passed=each.passed,
                    asset_key=each.asset_key,
                    check_name=each.check_name,
                    severity=each.severity,
                    description=each.description,
                    metadata=each.metadata,
                )

    return freshness


def judged(found: Iterable[Freshness]) -> dict[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    """What the checks say; of an asset with two budgets, the one that is nearer to its end."""
    worst: dict[dg.AssetCheckKey, Freshness] = {}
    for each in found:
        asset = _asset(each.budget.kind, each.budget.connection, each.budget.name, each.budget.entity)
        key = dg.AssetCheckKey(asset, FRESH)
        if key not in worst or each.age / each.budget.allowed > worst[key].age / worst[key].budget.allowed:
            worst[key] = each
    return {key: _evaluation(key, each) for key, each in worst.items()}


def _evaluation(key: dg.AssetCheckKey, each: Freshness) -> dg.AssetCheckEvaluation:
    whole = "in full " if each.budget.kind is Kind.IN_FULL else ""
    waits = f", {each.waiting} waiting" if each.waiting else ""
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not each.over,
        severity=dg.AssetCheckSeverity.WARN if each.moving else dg.AssetCheckSeverity.ERROR,
        description=f"{whole}{span(each.age)} old{waits}; {span(each.budget.allowed)} are allowed",
        metadata={
            "age in seconds": int(each.age.total_seconds()),
            "allowed in seconds": int(each.budget.allowed.total_seconds()),
            "waiting": each.waiting,
        },
    )


def _asset(kind: Kind, connection: str, name: str, entity: str) -> dg.AssetKey:
    return published(connection, entity) if kind is Kind.FLOW else extracted(connection, name)
