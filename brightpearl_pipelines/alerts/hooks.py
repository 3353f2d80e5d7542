"""Webhooks that were switched off, changed or lost: told by whoever keeps the subscriptions."""

from collections.abc import Sequence

from brightpearl_pipelines.alerts.watch import raise_alert
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines.store.alerts import Alert, Severity
from brightpearl_pipelines.store.database import Transaction

HOOK = "webhook"
TOPICS_TOLD = 5
Topics = Sequence[tuple[str, str]]
"""(topic, why)"""


def tell_hooks(
    tx: Transaction, configuration: Configuration, connection: str, *, failed: Topics, repaired: Topics
) -> None:
    """What keeping the subscriptions of a connection in order came to. What neither names was in order.

    `repaired` were found switched off or changed and work again: told as a warning, over when all is found in order.
    """
    _tell(tx, configuration, _failed(connection, failed), failed)
    _tell(tx, configuration, _repaired(connection, repaired), repaired)


def _tell(tx: Transaction, configuration: Configuration, alert: Alert, topics: Topics) -> None:
    if topics:
        raise_alert(tx, configuration.alerts, alert)
    else:
        alerts.clear(tx, [alert.key])


def _failed(connection: str, topics: Topics) -> Alert:
    return Alert(
        key=f"{HOOK}:failed:{connection}",
        kind=HOOK,
        severity=Severity.ERROR,
        title=f"{connection}: {len(topics)} webhook(s) cannot be had: {_listed(topics)}",
        todo=(
            "Changes are still found by the five-minute sweep, only later. Mend what is said, then run "
            "`bpp webhooks ensure`."
        ),
        look=("bpp webhooks ensure", "bpp doctor"),
        connection=connection,
        count=len(topics),
    )


def _repaired(connection: str, topics: Topics) -> Alert:
    return Alert(
        key=f"{HOOK}:repaired:{connection}",
        kind=HOOK,
        severity=Severity.WARNING,
        title=f"{connection}: {len(topics)} webhook(s) were off or changed and are in order again: {_listed(topics)}",
        todo=(
            "Nothing for the data: what they did not tell is read from the watermark. If it comes again, see why the "
            "receiver is not reached: systems switch off hooks that fail for long."
        ),
        look=("bpp webhooks ensure",),
        connection=connection,
        count=len(topics),
    )


def _listed(topics: Topics) -> str:
    names = ", ".join(topic for topic, _ in topics[:TOPICS_TOLD]) + (" …" if len(topics) > TOPICS_TOLD else "")
    return f"{names} ({topics[0][1]})" if topics else names
