"""Reconcile: every target compared with the hub by key and mapped fields, money totals included.

What differs is written again where the target's planner can do so, else explained by what holds it; what neither
repairs nor explains is the thing to look at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.store import dead_letters, deliveries, goldens, positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeliveryState, Golden, Json
from brightpearl_pipelines.sync.compare import golden_pages, observe
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.publish import consumer, publish_again
from brightpearl_pipelines.sync.run import perform, run, steps
from brightpearl_pipelines.sync.scope import Counts, Scope
from brightpearl_pipelines.systems.contract import Comparison, Expected, Target

UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEAD)


@dataclass(frozen=True)
class Difference:
    """One field of one record that the target has otherwise; `explained` is the reason that is known, None if none."""

    key: str
    field: str
    ours: Any
    theirs: Any
    explained: str | None


@dataclass
class EntityReport:
    """One target compared. `totals` by currency: (ours, theirs), over what both sides have."""

    entity: str
    connection: str
    compared: int = 0
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)
    totals: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    repaired: int = 0

    @property
    def unexplained(self) -> int:
        return sum(1 for each in self.differences if each.explained is None)


async def reconcile(engine: Engine, *, repair: bool = False) -> list[EntityReport]:
    """Bring the hub up to date, then compare every target with it; `repair` writes what differs and compares again."""
    if repair:
        await run(engine, Scope())
    else:
        for step in steps(engine.configuration):
            if step.name != "published":
                await perform(engine, step, Scope())
    reports = []
    for connection in engine.configuration.connections.values():
        for target in connection.system.targets:
            if target.comparison is not None:
                reports.append(await _compare(engine, connection, target, target.comparison, repair=repair))
    return reports


async def _compare(
    engine: Engine, connection: Connection, target: Target, comparison: Comparison, *, repair: bool
) -> EntityReport:
    report = EntityReport(target.entity, connection.name)
    for rows in golden_pages(engine, target.entity):
        expected, differing = await observe(engine, connection, target, comparison, rows)
        if repair and comparison.repairs and differing:
            counts = Counts()
            await publish_again(engine, connection.name, target, list(differing), counts)
            report.repaired += counts.updated + counts.created
            expected, differing = await observe(engine, connection, target, comparison, rows)
        _report(engine, report, expected, differing)
        engine.tell(f"compared {target.entity}", len(rows))
    return report


def _report(
    engine: Engine,
    report: EntityReport,
    expected: Mapping[UUID, tuple[Expected, Json | None]],
    differing: Mapping[UUID, list[tuple[str, Any, Any]]],
) -> None:
    report.compared += len(expected)
    report.equal += len(expected) - len(differing)
    for each, found in expected.values():
        if each.currency is not None and each.amount is not None and found is not None:
            ours, theirs = report.totals.get(each.currency, (Decimal(0), Decimal(0)))
            report.totals[each.currency] = (ours + each.amount, theirs + Decimal(found["amount"]))
    for golden, fields in differing.items():
        explained = _explanation(engine, report.connection, report.entity, golden)
        for name, ours, theirs in fields:
            report.differences.append(Difference(expected[golden][0].key, name, ours, theirs, explained))


def _explanation(engine: Engine, connection: str, entity: str, golden: UUID) -> str | None:
    with engine.transaction() as tx:
        row = goldens.by_ids(tx, entity, [golden])[golden]
        for letter in dead_letters.of_golden(tx, golden):
            if letter.state in ("open", "released"):
                return f"held, dead letter {letter.id}: {letter.reason}"
        unseen = positions.get(tx, consumer(connection, entity)).version < row.version
        if unseen and _goes_on(engine, tx, connection, row):
            return "changed since it was last published; the next run goes on with it"
        for each in deliveries.by_golden(tx, golden):
            if each.connection == connection and each.state in UNFINISHED:
                return f"{each.kind} {each.key} is {each.state}"
    return None


def _goes_on(engine: Engine, tx: Transaction, connection: str, row: Golden) -> bool:
    """Whether the next run would write, or hold, something of a record: not every change concerns every target."""
    account = engine.configuration.connection(connection)
    plan = account.system.target(row.entity).plan(engine.plan_context(tx, account), [row])
    known = deliveries.by_keys(tx, connection, [each.key for each in plan.deliveries])
    new = [each for each in plan.deliveries if each.key not in known or known[each.key].state in UNFINISHED]
    return bool(new or plan.held)
