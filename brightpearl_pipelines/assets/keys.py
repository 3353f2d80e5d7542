"""How assets are called. `<connection>/extracted_<stream>`, `mapped_<entities>`, `<connection>/published_<entities>`.

Here: the grammar of asset keys and nothing else; a new entity needs its two words here.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.sync.run import Step, steps

PLURALS: Mapping[str, str] = {
    "product": "products",
    "customer": "customers",
    "order": "orders",
    "payment": "payments",
    "return": "returns",
    "shipment": "shipments",
    "purchase_order": "purchase_orders",
    "stock_level": "inventory",
}
HUB: Mapping[str, dg.AssetKey] = {
    entity: dg.AssetKey("reconciled_inventory" if entity == "stock_level" else f"mapped_{plural}")
    for entity, plural in PLURALS.items()
}


def extracted(connection: str, stream: str) -> dg.AssetKey:
    """The asset that keeps a stream of a connection."""
    return dg.AssetKey([connection, f"extracted_{stream}"])


def published(connection: str, entity: str) -> dg.AssetKey:
    """The asset that writes an entity to a connection."""
    return dg.AssetKey([connection, f"published_{PLURALS[entity]}"])


def key_of(step: Step) -> dg.AssetKey:
    """The asset of a step of the engine."""
    if step.connection is None:
        return HUB[step.entity]
    if step.stream is not None:
        return extracted(step.connection, step.stream)
    return published(step.connection, step.entity)


def steps_by_key(configuration: Configuration) -> dict[dg.AssetKey, Step]:
    """Every asset of a configuration with its step, in the order in which a run does them."""
    return {key_of(step): step for step in steps(configuration)}


def extracted_for(configuration: Configuration, entity: str) -> Iterator[dg.AssetKey]:
    """The extracted assets that an entity of the hub is made of."""
    for connection in configuration.connections.values():
        for source in connection.system.sources:
            if source.entity == entity:
                yield extracted(connection.name, source.stream)


def published_to(configuration: Configuration, entity: str) -> Iterator[dg.AssetKey]:
    """The published assets of an entity, in all connections that take it."""
    for connection in configuration.connections.values():
        if any(target.entity == entity for target in connection.system.targets):
            yield published(connection.name, entity)
