"""When the database itself is away: the one trouble that cannot be kept in it, told straight to the channels."""

import logging
from datetime import datetime, timedelta

import psycopg

from brightpearl_pipelines.alerts import channels
from brightpearl_pipelines.alerts.channels import ChannelError
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.alerts.words import span
from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.store.alerts import Alert, Message, Raised, Severity, What

TOLD_AFTER = timedelta(minutes=2)
"""A server that restarts is back sooner."""

log = logging.getLogger(__name__)


class Blindness:
    """Since when one who keeps watch sees nothing, and which channels know of it.

    Each process that is blind tells it for itself: without the database, none can know of the others.
    """

    def __init__(self, settings: AlertSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._since: datetime | None = None
        self._told: set[str] = set()

    def sees_nothing(self, error: psycopg.OperationalError) -> None:
        """The database does not answer."""
        now = self._clock.now()
        self._since = self._since or now
        log.error("alerts: the database is away since %s UTC: %s", f"{self._since:%H:%M:%S}", redact(str(error)))
        if now - self._since >= TOLD_AFTER:
            self._tell(What.OPENED)

    def sees(self) -> None:
        """The database answers; whoever was told of the opposite hears it."""
        if self._since is None:
            return
        for channel in sorted(self._told):
            self._send(channel, What.RECOVERED)
        self._since = None
        self._told.clear()

    def _tell(self, what: What) -> None:
        for channel in self._settings.channels_for(Severity.CRITICAL, None, None):
            if channel not in self._told and self._send(channel, what):
                self._told.add(channel)

    def _send(self, channel: str, what: What) -> bool:
        now = self._clock.now()
        since = self._since or now
        alert = Alert(
            key="database",
            kind="database",
            severity=Severity.CRITICAL,
            title=f"The database does not answer for {span(now - since)}: nothing is synchronised, nothing is watched",
            todo="Start it, or mend DATABASE_URL. Nothing is lost: everything goes on where it stood.",
            look=("bpp doctor",),
            since=since,
        )
        ended = now if what is What.RECOVERED else None
        try:
            channels.send(
                self._settings.channels[channel], [Message(0, what, 0, Raised(0, alert, since, now, ended, ended))]
            )
        except ChannelError as error:
            log.warning("alerts: the channel %s has not taken that the database is away: %s", channel, error)
            return False
        return True
