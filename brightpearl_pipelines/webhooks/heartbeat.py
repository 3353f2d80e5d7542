"""When the receiver was last there. Systems repeat what it did not take, but not for ever: after a long absence all
that webhooks tell of is owed a read.
"""

import logging
from datetime import timedelta

import psycopg
from starlette.concurrency import run_in_threadpool

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import positions
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync import catch_up

HEARTBEAT_SECONDS = 60.0
RETRIED_FOR = timedelta(hours=12)
"""Systems repeat what a receiver did not take for at least so long; for how long Brightpearl does is not documented
(brightpearl.md §10.2), BigCommerce says 48 hours (bigcommerce.md §7.2)."""
_ALIVE = "webhooks:receiver"

log = logging.getLogger(__name__)


async def beat(store: Store, clock: Clock) -> None:
    """Say again and again that the receiver is there, until cancelled. A store that is away does not stop it."""
    while True:
        try:
            await run_in_threadpool(alive, store)
        except psycopg.Error as error:
            log.warning("the store does not answer: %s", type(error).__name__)
        await clock.sleep(HEARTBEAT_SECONDS)


def alive(store: Store) -> None:
    """The receiver is there now."""
    with store.transaction() as tx:
        positions.move(tx, _ALIVE, watermark=tx.clock.now())


def returned(store: Store, configuration: Configuration) -> timedelta | None:
    """The receiver starts: for how long it was away, if that was so long that a system may have given up telling; all
    that webhooks tell of is then owed a read."""
    with store.transaction() as tx:
        last = positions.get(tx, _ALIVE).watermark
        away = None if last is None else tx.clock.now() - last
        if away is None or away < RETRIED_FOR:
            return None
        for connection in configuration.connections.values():
            told = [stream.name for stream in connection.system.streams if stream.topics]
            catch_up.owe(tx, connection.name, told if connection.system.webhooks else ())
    log.warning("the receiver was away for %s: all that webhooks tell of is read again", away)
    return away
