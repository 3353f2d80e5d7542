"""Compare: what a target should hold beside what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.store import agreed, goldens
from brightpearl_pipelines.store.types import Golden, Json
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.systems.contract import Comparison, Expected, Target

GOLDENS_A_TIME = 500


def golden_pages(engine: Engine, entity: str, day: date | None = None) -> Iterator[Sequence[Golden]]:
    """The golden records of a day, or all of them, page by page; what is renewed meanwhile comes only once."""
    version, last = 0, None
    with engine.transaction() as tx:
        newest = goldens.latest_version(tx, entity)
    while True:
        with engine.transaction() as tx:
            if day is None:
                rows = [row for row in goldens.after(tx, entity, version, GOLDENS_A_TIME) if row.version <= newest]
            else:
                rows = goldens.on_day(tx, entity, day, after_id=last, limit=GOLDENS_A_TIME)
        if not rows:
            return
        yield rows
        version, last = rows[-1].version, rows[-1].id


async def observe(
    engine: Engine, connection: Connection, target: Target, comparison: Comparison, rows: Sequence[Golden]
) -> tuple[Mapping[UUID, tuple[Expected, Json | None]], Mapping[UUID, list[tuple[str, Any, Any]]]]:
    """What the target should have beside what it has, and the fields that differ: (field, ours, theirs).

    Where planning can repair, what was observed becomes the agreed value: what the target really holds.
    """
    with engine.transaction() as tx:
        rows = engine.of_account(tx, connection.name, rows)
        expected = comparison.expect(engine.plan_context(tx, connection), rows)
    if not expected:
        return {}, {}
    session = await engine.session(connection.name)
    found = await comparison.observe(session, expected)
    differing = {}
    for golden, each in expected.items():
        fields = _fields(each, found.get(golden))
        if fields:
            differing[golden] = fields
    if comparison.repairs and differing:
        with engine.transaction() as tx:
            before = agreed.get(tx, target.entity, connection.name, differing)
            held = {key: {**before.get(key, {}), **found[key]} for key in differing if key in found}
            agreed.put(tx, target.entity, connection.name, held)
    return {key: (each, found.get(key)) for key, each in expected.items()}, differing


def _fields(expected: Expected, found: Json | None) -> list[tuple[str, Any, Any]]:
    if found is None:
        return [("the record", "there", "missing")]
    names = [*expected.fields, *(name for name in found if name.startswith("line ") and name not in expected.fields)]
    return [
        (name, expected.fields.get(name), found.get(name))
        for name in names
        if expected.fields.get(name) != found.get(name)
    ]
