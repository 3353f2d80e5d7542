"""What must be read again because nobody may have told of its changes: a hook was gone or off, the receiver was down.

A sweep reads most streams by their watermark anyway; those that cannot say what changed, such as stock, would otherwise
wait for the night. A debt is noted before the cause is mended, and is paid by the next read that misses nothing.
"""

from collections.abc import Iterable

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.systems.contract import Stream

PAID = "paid"
_PREFIX = "catch_up:"


def owe(tx: Transaction, connection: str, streams: Iterable[str]) -> None:
    """Changes of these streams may have gone untold until now."""
    for stream in streams:
        positions.move(tx, _name(connection, stream), token=tx.clock.now().isoformat())


def owed(tx: Transaction, configuration: Configuration) -> list[tuple[str, str]]:
    """(connection, stream) of all that is to be caught up with, as far as it is still configured; sorted."""
    streams = {
        _name(connection.name, stream.name): (connection.name, stream.name)
        for connection in configuration.connections.values()
        for stream in connection.system.streams
    }
    return sorted(
        streams[name]
        for name, position in positions.all(tx).items()
        if name in streams and position.token not in (None, PAID)
    )


def debt(tx: Transaction, connection: str, stream: str) -> str | None:
    """What is owed of a stream, None if nothing: to be asked before reading, and handed to `pay` afterwards."""
    token = positions.get(tx, _name(connection, stream)).token
    return None if token == PAID else token


def pay(tx: Transaction, connection: str, stream: str, found: str) -> None:
    """The stream was read; a debt that came up meanwhile stays."""
    if debt(tx, connection, stream) == found:
        positions.move(tx, _name(connection, stream), token=PAID)


def misses_nothing(stream: Stream, scope: Scope) -> bool:
    """Whether a read of this scope finds every change of the stream."""
    if scope.repair or scope.reach is Reach.EVENTS:
        return False
    return scope.reach is Reach.EVERYTHING or not stream.snapshot


def _name(connection: str, stream: str) -> str:
    return f"{_PREFIX}{connection}:{stream}"
