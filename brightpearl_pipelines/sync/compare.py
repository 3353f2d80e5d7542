"""Compare: what a target should hold beside what it holds."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.store import agreed
from brightpearl_pipelines.store.types import Golden, Json
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.systems.contract import Comparison, Expected, Target


async def observe(
    engine: Engine, connection: Connection, target: Target, comparison: Comparison, rows: Sequence[Golden]
) -> tuple[Mapping[UUID, tuple[Expected, Json | None]], Mapping[UUID, list[tuple[str, Any, Any]]]]:
    """What the target should have beside what it has, and the fields that differ: (field, ours, theirs).

    Where planning can repair, what was observed becomes the agreed value: what the target really holds.
    """
    with engine.transaction() as tx:
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
