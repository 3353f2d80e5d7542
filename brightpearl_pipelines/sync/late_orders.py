"""Looks once more what the shops have sold, right before stock is reckoned.

A run may import orders for minutes. A number reckoned from what was sold when it began would put back on sale what was
sold since: the shop has counted those sales down, and an absolute number lifts them again (bigcommerce.md §8.8). One
call a shop keeps that window as short as the stock pass itself.
"""

from dataclasses import replace

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.store import positions
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.extract import consumer, extract
from brightpearl_pipelines.sync.merge import merge
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.systems.contract import Stream

ORDER = "order"


async def read_late_orders(engine: Engine, scope: Scope) -> None:
    """Read and map the orders that came while this run was busy: all that changed, or, for a run by events, those that
    webhooks named. A shop that cannot be reached is passed over: its own steps tell of it, and no number goes there."""
    if scope.ids:
        return  # those were asked for, and nothing else
    if scope.repair:
        return  # given records, and nothing else
    read = False
    for connection in engine.configuration.connections.values():
        if connection.settings.brightpearl is None:
            continue
        for stream in connection.system.streams:
            if stream.entity == ORDER:
                read = await _read(engine, connection, stream, scope) or read
    if read:
        await merge(engine, ORDER, Scope())


async def _read(engine: Engine, connection: Connection, stream: Stream, scope: Scope) -> bool:
    """Whether anything changed."""
    with engine.transaction() as tx:
        reached = positions.get(tx, consumer(connection.name, stream)).watermark
    if reached is None:
        return False
    # Without the overlap: this run's regular look has gone back behind the watermark already.
    late = Scope(reach=Reach.EVENTS) if scope.reach is Reach.EVENTS else Scope(since=reached)
    try:
        counts = await extract(engine, connection.name, stream, replace(late, dry_run=scope.dry_run))
    except (ApiError, ConfigurationError):
        return False
    return counts.changed > 0
