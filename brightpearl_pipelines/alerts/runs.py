"""Failed runs. Whoever runs the steps tells it here; what Dagster calls things is its sensor's affair."""

from collections.abc import Sequence
from urllib.parse import quote

from brightpearl_pipelines.alerts.watch import raise_alert
from brightpearl_pipelines.alerts.words import cut
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines.store.alerts import Alert, Severity
from brightpearl_pipelines.store.database import Transaction

RUN_FAILED = "run_failed"
STEPS_TOLD = 5
REASON_LENGTH = 300


def run_failed(
    tx: Transaction, configuration: Configuration, job: str, run_id: str, failures: Sequence[tuple[str, str]]
) -> None:
    """A run failed; `failures`: (step, why). One alert a job, which lasts until a run of the job succeeds."""
    reasons = [f"{step}: {redact(' '.join(why.split()))}" for step, why in failures[:STEPS_TOLD]]
    told = "; ".join(cut(reason, REASON_LENGTH) for reason in reasons)
    more = f"; and {len(failures) - STEPS_TOLD} more steps" if len(failures) > STEPS_TOLD else ""
    base = configuration.alerts.dagster_url
    link = f"{base.rstrip('/')}/runs/{quote(run_id)}" if base else f"run {run_id[:8]} in the Dagster UI"
    raise_alert(
        tx,
        configuration.alerts,
        Alert(
            key=key(job),
            kind=RUN_FAILED,
            severity=Severity.ERROR,
            title=f"A run of {job} failed: {told or 'before its first step'}{more}",
            todo=(
                "If it is the network or a system, the next run goes on by itself. If the same step fails again, read "
                "its log and mend the cause; what was done is done, and nothing is done twice."
            ),
            look=(link,),
        ),
    )


def run_succeeded(tx: Transaction, job: str) -> None:
    """A run of the job succeeded: what failed before it is over."""
    alerts.clear(tx, [key(job)])


def key(job: str) -> str:
    """The key of the alert that a job fails."""
    return f"{RUN_FAILED}:{job}"
