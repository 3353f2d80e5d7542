"""Publish: work out what a target lacks, and intend to write it. The intention is committed before any call is made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.errors import TransientError
from brightpearl_pipelines.store import agreed, conflicts, crosswalk, dead_letters, deliveries, goldens, positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Json
from brightpearl_pipelines.sync.compare import GOLDENS_A_TIME, golden_pages, observe
from brightpearl_pipelines.sync.deliver import deliver, made_from
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.extract import extract
from brightpearl_pipelines.sync.merge import merge
from brightpearl_pipelines.sync.promises import forget
from brightpearl_pipelines.sync.scope import Change, Counts, Reach, Scope, StepResult
from brightpearl_pipelines.systems.contract import Comparison, Plan, Target

CHANGES_TOLD = 50
"""How many changes a run that writes tells one by one; a dry run tells all of them, that being what it is for."""


async def publish(engine: Engine, connection: str, target: Target, scope: Scope) -> StepResult:
    """Bring one entity up to date in one connection. A dry run stops before anything is written."""
    result = StepResult("published", connection, target.entity, Counts())
    before = engine.calls(connection)
    async with engine.alone(f"publish:{connection}:{target.entity}"):
        _reshape(engine, connection, target)
        if scope.compare and target.comparison is not None:
            await _repair(engine, connection, target, target.comparison, scope, result)
        _plan(engine, connection, target, scope, result)
        if not scope.dry_run:
            await deliver(engine, connection, target, result.counts)
            while _plan_changed(engine, connection, target, result):
                await deliver(engine, connection, target, result.counts)
    if not scope.dry_run:
        await read_back(engine, connection, target)
    result.counts.calls = engine.calls(connection) - before
    return result


async def publish_again(engine: Engine, connection: str, target: Target, ids: Sequence[UUID], counts: Counts) -> None:
    """Plan and deliver given golden records, changed or not: for a repair, against what the target was seen to hold."""
    result = StepResult("published", connection, target.entity, counts)
    async with engine.alone(f"publish:{connection}:{target.entity}"):
        with engine.transaction() as tx:
            # A new version, so that the write has a key of its own.
            rows = goldens.renew(tx, target.entity, ids)
            _plan_batch(engine, tx, connection, target, rows, result)
        await deliver(engine, connection, target, counts)


async def read_back(engine: Engine, connection: str, target: Target) -> None:
    """Read and map what the writes of this run made in the target, for the later steps that build on it.

    If the target cannot be reached now, the next sweep does it.
    """
    system = engine.configuration.connection(connection).system
    for write in target.writes:
        ids = engine.to_read_back.pop((connection, write.reads_back or ""), None)
        if not ids or write.reads_back is None:
            continue
        try:
            await extract(engine, connection, system.stream(write.reads_back), Scope(ids=tuple(sorted(ids))))
        except TransientError:
            return
        await merge(engine, target.entity, Scope())


def consumer(connection: str, entity: str) -> str:
    """The name under which the offset of a target is kept."""
    return f"plan:{connection}:{entity}"


def _reshape(engine: Engine, connection: str, target: Target) -> None:
    """Have everything planned again when the settings that shape the writes are not those of the last time."""
    if target.shaped_by is None:
        return
    name = f"shape:{connection}:{target.entity}"
    shape = target.shaped_by(engine.configuration.connection(connection).settings)
    with engine.transaction() as tx:
        before = positions.get(tx, name).token
    if before is not None and before != shape:
        for rows in golden_pages(engine, target.entity):
            with engine.transaction() as tx:
                # A new version, so that the write has a key of its own.
                goldens.renew(tx, target.entity, [row.id for row in rows])
    if before != shape:
        with engine.transaction() as tx:
            positions.move(tx, name, token=shape)


async def _repair(
    engine: Engine, connection: str, target: Target, comparison: Comparison, scope: Scope, result: StepResult
) -> None:
    """Look at what the target really holds of a day (or of everything, where there are no days), and plan against it.

    What planning cannot write is held for a person: a difference is never passed over.
    """
    for rows in golden_pages(engine, target.entity, scope.day):
        account = engine.configuration.connection(connection)
        expected, differing = await observe(engine, account, target, comparison, rows)
        with engine.transaction() as tx:
            if comparison.repairs:
                renewed = goldens.renew(tx, target.entity, differing)
                _plan_batch(engine, tx, connection, target, renewed, result)
                continue
            for golden, fields in differing.items():
                dead_letters.hold(tx, _differs(connection, target.entity, golden, expected[golden][0].key, fields))
            equal = [str(golden) for golden in expected if golden not in differing]
            dead_letters.resolve(tx, connection, "compare", target.entity, equal)
            result.counts.held += len(differing)


def _differs(
    connection: str, entity: str, golden: UUID, key: str, fields: Sequence[tuple[str, Any, Any]]
) -> DeadLetter:
    told = "; ".join(f"{name} is {theirs}, should be {ours}" for name, ours, theirs in fields)
    return DeadLetter(
        connection=connection,
        stage="compare",
        entity=entity,
        subject=str(golden),
        reason="target_differs",
        sentence=f"{entity} {key} differs in {connection}: {told}",
        suggestion="Correct it there by hand; the next comparison resolves this letter.",
        field=fields[0][0],
        value=str(fields[0][2]),
        golden_id=golden,
    )


def _plan(engine: Engine, connection: str, target: Target, scope: Scope, result: StepResult) -> None:
    for again in _again(engine, connection, target.entity, scope):
        with engine.transaction() as tx:
            rows = list(goldens.by_ids(tx, target.entity, again).values())
            _plan_batch(engine, tx, connection, target, rows, result)
    _plan_changed(engine, connection, target, result)


def _plan_changed(engine: Engine, connection: str, target: Target, result: StepResult) -> int:
    """Plan what changed since the last time; returns how many golden records that were."""
    name, planned = consumer(connection, target.entity), 0
    while True:
        with engine.transaction() as tx:
            offset = positions.get(tx, name).version
            rows = goldens.after(tx, target.entity, offset, GOLDENS_A_TIME)
            if not rows:
                return planned
            _plan_batch(engine, tx, connection, target, rows, result)
            planned += len(rows)
            positions.move(tx, name, version=rows[-1].version)


def _again(engine: Engine, connection: str, entity: str, scope: Scope) -> Iterable[Sequence[UUID]]:
    """Golden records to look at although they did not change: released ones and, for a repair, those asked for."""
    with engine.transaction() as tx:
        planning = dead_letters.released(tx, connection, "publish", entity, GOLDENS_A_TIME)
        refused = dead_letters.released(tx, connection, "deliver", entity, GOLDENS_A_TIME)
        if scope.reach is not Reach.EVENTS:
            planning += dead_letters.waiting(tx, connection, "publish", entity, GOLDENS_A_TIME)
        asked = {
            golden
            for source in engine.configuration.connections
            for golden in crosswalk.golden_ids(tx, entity, source, scope.ids).values()
        }
    yield [*{letter.golden_id for letter in (*planning, *refused) if letter.golden_id} | asked]
    with engine.transaction() as tx:
        # What planning did not intend anew, such as a reservation, goes again as it was.
        known = deliveries.by_keys(tx, connection, [letter.subject for letter in refused])
        for delivery in known.values():
            if delivery.state in (DeliveryState.DEAD, DeliveryState.FAILED):
                deliveries.revive(tx, delivery.id)
    if scope.day is not None:
        for rows in golden_pages(engine, entity, scope.day):
            yield [row.id for row in rows]


def _plan_batch(
    engine: Engine, tx: Transaction, connection: str, target: Target, rows: Sequence[Golden], result: StepResult
) -> None:
    counts = result.counts
    rows = engine.of_account(tx, connection, rows)
    plan = target.plan(engine.plan_context(tx, engine.configuration.connection(connection)), rows)
    _discard_overtaken(tx, connection, plan)
    _remember(engine, tx, connection, target.entity, plan)
    versions = {row.id: row.version for row in rows}
    agreed.put(tx, target.entity, connection, {golden: {} for golden in plan.forgotten})
    new = deliveries.plan(tx, [made_from(delivery, versions[delivery.golden_id]) for delivery in plan.deliveries])
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
    room = len(plan.deliveries) if engine.dry else max(CHANGES_TOLD - len(result.changes), 0)
    result.changes += [_change(delivery, plan.details) for delivery in plan.deliveries[:room]]
    engine.tell(f"planned {target.entity}", len(rows))


def _discard_overtaken(tx: Transaction, connection: str, plan: Plan) -> None:
    by_kind: dict[str, list[UUID]] = {}
    for golden, kind in plan.superseded:
        by_kind.setdefault(kind, []).append(golden)
    for kind, ids in by_kind.items():
        for entity, key in deliveries.supersede(tx, connection, ids, kind):
            dead_letters.resolve(tx, connection, "deliver", entity, [key])
    for entity, golden in plan.renewed:
        goldens.renew(tx, entity, [golden])


def _remember(engine: Engine, tx: Transaction, connection: str, entity: str, plan: Plan) -> None:
    """What planning found out about things that are in both places."""
    if plan.agreed:
        before = agreed.get(tx, entity, connection, plan.agreed)
        agreed.put(tx, entity, connection, {key: {**before.get(key, {}), **new} for key, new in plan.agreed.items()})
    for golden, name, value, winner, lost, loser in plan.conflicts:
        conflicts.record(tx, entity, golden, name, winner, value, loser, lost)
    crosswalk.unlink(tx, entity, connection, plan.unlinked)
    crosswalk.relink(tx, entity, [(connection, external_id, golden) for golden, external_id in plan.linked])
    account = engine.configuration.connection(connection).settings.brightpearl
    if entity == "product" and plan.linked and account:
        found = goldens.by_ids(tx, entity, {golden for golden, _ in plan.linked})
        forget(tx, account, connection, {each.content["sku"] for each in found.values()})


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
