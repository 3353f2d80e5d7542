"""Publish: work out what a target lacks, and intend to write it. The intention is committed before any call is made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from brightpearl_pipelines.store import dead_letters, deliveries, goldens, positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Delivery, DeliveryState, Golden, Json
from brightpearl_pipelines.sync.deliver import deliver
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.scope import Change, Counts, Scope, StepResult
from brightpearl_pipelines.systems.contract import Plan, Target

GOLDENS_A_TIME = 500


async def publish(engine: Engine, connection: str, target: Target, scope: Scope) -> StepResult:
    """Bring one entity up to date in one connection. A dry run stops before anything is written."""
    result = StepResult("published", connection, target.entity, Counts())
    before = engine.calls(connection)
    async with engine.alone(f"publish:{connection}:{target.entity}"):
        _plan(engine, connection, target, scope, result)
        if not scope.dry_run:
            await deliver(engine, connection, target, result.counts)
    result.counts.calls = engine.calls(connection) - before
    return result


def consumer(connection: str, entity: str) -> str:
    """The name under which the offset of a target is kept."""
    return f"plan:{connection}:{entity}"


def _plan(engine: Engine, connection: str, target: Target, scope: Scope, result: StepResult) -> None:
    for again in _again(engine, connection, target.entity, scope):
        with engine.transaction() as tx:
            rows = list(goldens.by_ids(tx, target.entity, again).values())
            _plan_batch(engine, tx, connection, target, rows, result)
    name = consumer(connection, target.entity)
    while True:
        with engine.transaction() as tx:
            offset = positions.get(tx, name).version
            rows = goldens.after(tx, target.entity, offset, GOLDENS_A_TIME)
            if not rows:
                return
            _plan_batch(engine, tx, connection, target, rows, result)
            positions.move(tx, name, version=rows[-1].version)


def _again(engine: Engine, connection: str, entity: str, scope: Scope) -> Iterable[Sequence[UUID]]:
    """Golden records to look at although they did not change: released ones and, for a repair, those asked for."""
    with engine.transaction() as tx:
        planning = dead_letters.released(tx, connection, "publish", entity, GOLDENS_A_TIME)
        refused = dead_letters.released(tx, connection, "deliver", entity, GOLDENS_A_TIME)
    yield [letter.golden_id for letter in (*planning, *refused) if letter.golden_id]
    with engine.transaction() as tx:
        # What planning did not intend anew, such as a reservation, goes again as it was.
        known = deliveries.by_keys(tx, connection, [letter.subject for letter in refused])
        for delivery in known.values():
            if delivery.state in (DeliveryState.DEAD, DeliveryState.FAILED):
                deliveries.revive(tx, delivery.id)
    last: UUID | None = None
    while scope.day is not None:
        with engine.transaction() as tx:
            rows = goldens.on_day(tx, entity, scope.day, after_id=last, limit=GOLDENS_A_TIME)
        if not rows:
            return
        yield [row.id for row in rows]
        last = rows[-1].id


def _plan_batch(
    engine: Engine, tx: Transaction, connection: str, target: Target, rows: Sequence[Golden], result: StepResult
) -> None:
    counts = result.counts
    plan = target.plan(engine.plan_context(tx, engine.configuration.connection(connection)), rows)
    _discard_overtaken(tx, connection, plan)
    new = deliveries.plan(tx, plan.deliveries)
    for letter in plan.held:
        dead_letters.hold(tx, letter)
    for rule in plan.ignored.values():
        counts.ignore(rule)
    held = {letter.golden_id for letter in plan.held}
    through = [str(row.id) for row in rows if row.id not in held]
    dead_letters.resolve(tx, connection, "publish", target.entity, through)
    touched = {delivery.golden_id for delivery in plan.deliveries}
    counts.read += len(rows)
    counts.changed += new
    counts.held += len(held)
    counts.unchanged += len({row.id for row in rows} - touched - held - plan.ignored.keys())
    result.changes += [_change(delivery, plan.details) for delivery in plan.deliveries]
    engine.tell(f"planned {target.entity}", len(rows))


def _discard_overtaken(tx: Transaction, connection: str, plan: Plan) -> None:
    by_kind: dict[str, list[UUID]] = {}
    for golden, kind in plan.superseded:
        by_kind.setdefault(kind, []).append(golden)
    for kind, ids in by_kind.items():
        deliveries.supersede(tx, connection, ids, kind)


def _change(delivery: Delivery, details: Mapping[UUID, Sequence[tuple[str, Any, Any]]]) -> Change:
    fields = details.get(delivery.golden_id) or [(name, None, value) for name, value in _flat(delivery.payload["body"])]
    return Change(
        delivery.connection, delivery.entity, delivery.kind, delivery.key, fields, delivery.payload.get("total") or {}
    )


def _flat(body: Json, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, dict) and "$ref" not in value:
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", f"{len(value)} item(s)"
        else:
            yield f"{prefix}{name}", value
