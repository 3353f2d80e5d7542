"""One look: find what is wrong, keep it as alerts, send what is due. Any number of processes may look at once."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import psycopg

from brightpearl_pipelines.alerts import channels
from brightpearl_pipelines.alerts.blindness import Blindness
from brightpearl_pipelines.alerts.channels import ChannelError
from brightpearl_pipelines.alerts.conditions import GONE_AFTER, KINDS, Situation, situation
from brightpearl_pipelines.alerts.freshness import RESUMED
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.alerts.words import latest
from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines.store.alerts import Alert, Message
from brightpearl_pipelines.store.database import Store, Transaction, wait_for_turn

SETTLES_AFTER = timedelta(minutes=2)
"""An alert is over when its trouble has been gone for so long."""
SETTLES_PATIENTLY = timedelta(minutes=30)
"""The same for one that was over before within `repeat_every`: what comes and goes is one alert, not a storm."""
LEASE = timedelta(minutes=2)
"""A process that has taken a message and has not said for so long what became of it is taken for dead."""
MESSAGES_AT_ONCE = 50
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)

log = logging.getLogger(__name__)


def look(store: Store, configuration: Configuration, watcher: str | None = None) -> Situation:
    """Bring the open alerts up to date with what is wrong now, and send what is due.

    `watcher`: the name of one who looks again and again, `conditions.WATCH` or `DAGSTER`; the others then notice when
    it ends. A channel that fails raises nothing: its messages stay due.
    """
    with store.transaction() as tx:
        # One at a time: two that met the same trouble would each tell it.
        wait_for_turn(tx, "alerts")
        if watcher is not None:
            _beat(tx, watcher)
        found = situation(tx, configuration)
        for alert in found.alerts:
            raise_alert(tx, configuration.alerts, alert)
        _clear(tx, found)
        alerts.settle(tx, SETTLES_AFTER, SETTLES_PATIENTLY, configuration.alerts.repeat_every)
    send_due(store, configuration.alerts)
    return found


def raise_alert(tx: Transaction, settings: AlertSettings, alert: Alert) -> int:
    """Open it, or meet it again; returns its id. Nothing is sent before `send_due`."""

    def channels_of(each: Alert) -> Sequence[str]:
        return settings.channels_for(each.severity, each.connection, each.entity)

    return alerts.raise_alert(tx, alert, channels_of, settings.repeat_every)


def send_due(store: Store, settings: AlertSettings) -> None:
    """Send what is due on every channel; what a channel does not take stays due, and its log line says why."""
    for name, channel in settings.channels.items():
        with store.transaction() as tx:
            due = alerts.claim(tx, name, LEASE, MESSAGES_AT_ONCE)
        if not due:
            continue
        ids = [message.id for message in due]
        try:
            channels.send(channel, latest(due))
        except ChannelError as error:
            log.warning("alerts: the channel %s has not taken %d message(s): %s", name, len(due), error)
            with store.transaction() as tx:
                alerts.unsent(tx, ids, str(error), store.clock.now() + _pause(due))
            continue
        with store.transaction() as tx:
            alerts.sent(tx, ids)
    with store.transaction() as tx:
        alerts.forget_channels(tx, list(settings.channels))


async def keep_watch(store: Store, configuration: Configuration, clock: Clock, watcher: str, every: float) -> None:
    """Look every so many seconds until cancelled; whoever goes in good order is not missed by the others.

    Does not end with the database: while that is away people are told once, without it.
    """
    blindness = Blindness(configuration.alerts, clock)
    try:
        while True:
            try:
                look(store, configuration, watcher)
                blindness.sees()
            except psycopg.OperationalError as error:
                blindness.sees_nothing(error)
            await clock.sleep(every)
    finally:
        try:
            with store.transaction() as tx:
                alerts.leave(tx, watcher)
        except psycopg.OperationalError as error:
            log.warning("alerts: the database is away, so nobody learns that this watch has ended: %s", error)


def _beat(tx: Transaction, watcher: str) -> None:
    """Say that one is here; if nobody was for a while, everything was down, and budgets begin anew."""
    now = tx.clock.now()
    last = max((at for name, at in alerts.beats(tx).items() if name != RESUMED), default=None)
    if last is None or now - last > GONE_AFTER:
        alerts.beat(tx, RESUMED)
    alerts.beat(tx, watcher)


def _clear(tx: Transaction, found: Situation) -> None:
    present = {alert.key for alert in found.alerts} | found.hidden
    gone = [
        raised.alert.key
        for raised in alerts.open_alerts(tx)
        if raised.alert.kind in KINDS and raised.alert.key not in present
    ]
    alerts.clear(tx, gone)


def _pause(due: Sequence[Message]) -> timedelta:
    pause = FIRST_PAUSE
    for _ in range(min(message.attempts for message in due)):
        pause = min(pause * 2, LONGEST_PAUSE)
    return pause
