"""A whole run: every step, in the order in which one builds on the other. Assets run the same steps one by one."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.sync import catch_up
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.extract import extract
from brightpearl_pipelines.sync.inventory import ENTITY as STOCK
from brightpearl_pipelines.sync.inventory import reconcile_inventory
from brightpearl_pipelines.sync.late_orders import read_late_orders
from brightpearl_pipelines.sync.merge import merge
from brightpearl_pipelines.sync.publish import publish
from brightpearl_pipelines.sync.scope import Counts, Reach, Scope, StepResult
from brightpearl_pipelines.systems.contract import Stream

ROUNDS = (
    # What orders refer to comes first; the stock that they take, and the parcels they become, last.
    # Refunds are known before orders go out, so that what is paid back already is not packed; their credits follow the
    # orders, and the money that goes back follows the credits.
    (
        ("product", "customer", "order", "return", "payment"),
        ("product", "customer", "order", "return", "payment"),
        ("product", "customer", "order", "return", "payment"),
    ),
    (("shipment",), ("shipment",), ("shipment",)),
    (("purchase_order", STOCK), ("purchase_order", STOCK), (STOCK,)),
)
"""(entities extracted, entities mapped, entities published), round by round."""


@dataclass(frozen=True)
class Step:
    """One step of a run; `connection` is None for the hub, `stream` the name of what is extracted."""

    name: str
    connection: str | None
    entity: str
    stream: str | None = None
    hints_only: bool = False
    """Read no more than webhooks named, or everything if the stream was never read."""


def steps(configuration: Configuration) -> Iterator[Step]:
    """All steps that a configuration has, in their order."""
    # Stock says which warehouse can serve an order: before the very first orders go out it must have been read once.
    yield from _extracted(configuration, STOCK, hints_only=True)
    for extracted, mapped, published in ROUNDS:
        for entity in extracted:
            yield from _extracted(configuration, entity)
        for entity in mapped:
            yield Step("mapped", None, entity)
        for entity in published:
            for connection in configuration.connections.values():
                if any(target.entity == entity for target in connection.system.targets):
                    yield Step("published", connection.name, entity)


def _extracted(configuration: Configuration, entity: str, *, hints_only: bool = False) -> Iterator[Step]:
    for connection in configuration.connections.values():
        for stream in connection.system.streams:
            if stream.entity == entity:
                yield Step("extracted", connection.name, entity, stream.name, hints_only)


async def perform(engine: Engine, step: Step, scope: Scope) -> StepResult:
    """Do one step. A connection that cannot be used is told in the result, so that the other steps go on."""
    if step.name == "mapped":
        if step.entity == STOCK:
            await read_late_orders(engine, scope)
        counts = await (
            reconcile_inventory(engine, scope) if step.entity == STOCK else merge(engine, step.entity, scope)
        )
        return StepResult(step.name, None, step.entity, counts)
    assert step.connection is not None  # noqa: S101 - only the hub has no connection
    system = engine.configuration.connection(step.connection).system
    if step.name == "published":
        return await publish(engine, step.connection, system.target(step.entity), scope)
    counts = Counts()
    if step.hints_only:
        scope = replace(scope, reach=Reach.EVENTS, day=None, ids=(), since=None)
    try:
        counts = await _extract(engine, step.connection, system.stream(step.stream or ""), scope)
    except ApiError as error:
        counts.paused = str(error)
    return StepResult(step.name, step.connection, step.entity, counts, stream=step.stream)


async def _extract(engine: Engine, connection: str, stream: Stream, scope: Scope) -> Counts:
    """Extract, and note that a stream is caught up with."""
    with engine.transaction() as tx:
        debt = catch_up.debt(tx, connection, stream.name)
    counts = await extract(engine, connection, stream, scope)
    if debt is not None and catch_up.misses_nothing(stream, scope):
        with engine.transaction() as tx:
            catch_up.pay(tx, connection, stream.name, debt)
    return counts


async def run(
    engine: Engine, scope: Scope, *, connection: str | None = None, entity: str | None = None
) -> list[StepResult]:
    """Do all steps, or those of one connection or entity. A dry run leaves no trace in the store.

    A connection that cannot be used is told in the results of its steps; the others go on. Raises ConfigurationError
    where no connection could be used and one of them is not set up as it must be.
    """
    chosen = [
        step
        for step in steps(engine.configuration)
        if (connection is None or step.connection in (None, connection)) and (entity is None or step.entity == entity)
    ]
    with engine.rehearsal() if scope.dry_run else nullcontext():
        return await _each(engine, chosen, scope)


async def _each(engine: Engine, chosen: Sequence[Step], scope: Scope) -> list[StepResult]:
    results: list[StepResult] = []
    misconfigured: ConfigurationError | None = None
    for step in chosen:
        try:
            results.append(await perform(engine, step, scope))
        except (ApiError, ConfigurationError) as error:
            if step.connection is None:
                raise
            misconfigured = misconfigured or (error if isinstance(error, ConfigurationError) else None)
            results.append(
                StepResult(step.name, step.connection, step.entity, Counts(paused=str(error)), stream=step.stream)
            )
    reached = any(result.step == "extracted" and result.counts.paused is None for result in results)
    if misconfigured is not None and not reached:
        raise misconfigured
    return results
