"""How old each stream and each flow may get before people are told.

A budget is looked up under the name that the asset bears: `orders` is the budget of `extracted_orders` and of
`published_orders` of its connection. What cannot say what changed, such as stock, has a second one for being read in
full: `inventory_in_full`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brightpearl_pipelines.configuration import Configuration, Connection
    from brightpearl_pipelines.systems.contract import Stream, System

DEFAULTS: Mapping[str, timedelta] = {
    "order": timedelta(minutes=10),
    "payment": timedelta(minutes=10),
    "stock_level": timedelta(minutes=15),
    "shipment": timedelta(minutes=15),
    "return": timedelta(minutes=30),
    "customer": timedelta(minutes=30),
    "product": timedelta(minutes=60),
    "purchase_order": timedelta(minutes=60),
}
"""By entity. Everything is looked at every five minutes: the shortest one bears a round that was missed."""
OTHERWISE = timedelta(minutes=60)
IN_FULL = timedelta(hours=26)
"""What is read in full every night may be two hours late."""


class Kind(StrEnum):
    """What is watched."""

    STREAM = "stream"
    IN_FULL = "in_full"
    FLOW = "flow"


@dataclass(frozen=True)
class Budget:
    """`allowed` is how old it may get. `name` is that of the stream, or the plural of the target's entity."""

    kind: Kind
    connection: str
    name: str
    entity: str
    allowed: timedelta


def budgets(configuration: "Configuration") -> list[Budget]:
    """Everything that is watched: each extracted stream and each published target of each connection."""
    return [each for connection in configuration.connections.values() for each in _of(connection)]


def plural(entity: str) -> str:
    """As assets name an entity: orders, inventory."""
    return "inventory" if entity == "stock_level" else f"{entity}s"


def in_full(stream: str) -> str:
    """The name of a stream's budget for being read as a whole."""
    return f"{stream}_in_full"


def names(system: "System") -> list[str]:
    """Every name under which a connection of the system may have a budget, sorted."""
    streams = {stream.name for stream in system.streams}
    whole = {in_full(stream.name) for stream in system.streams if stream.snapshot}
    return sorted(streams | whole | {plural(target.entity) for target in system.targets})


def allowed(connection: "Connection", name: str, entity: str) -> timedelta | None:
    """The budget of a stream or target; None when it was switched off."""
    written = connection.settings.freshness
    return written[name] if name in written else DEFAULTS.get(entity, OTHERWISE)


def _of(connection: "Connection") -> Iterator[Budget]:
    for stream in connection.system.streams:
        time = allowed(connection, stream.name, stream.entity)
        if time is not None and looks(stream):
            yield Budget(Kind.STREAM, connection.name, stream.name, stream.entity, time)
        if stream.snapshot:
            whole = in_full(stream.name)
            time = connection.settings.freshness.get(whole, IN_FULL)
            if time is not None:
                yield Budget(Kind.IN_FULL, connection.name, stream.name, stream.entity, time)
    for target in connection.system.targets:
        name = plural(target.entity)
        time = allowed(connection, name, target.entity)
        if time is not None:
            yield Budget(Kind.FLOW, connection.name, name, target.entity, time)


def looks(stream: "Stream") -> bool:
    """Whether each round looks for changes: a snapshot of which no webhook tells is only ever read in full."""
    return not stream.snapshot or bool(stream.topics)
