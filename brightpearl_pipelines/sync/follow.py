"""Follow: read what a stream adds to the records of another stream of the same connection.

The stream followed says what is new, by the versions of its records: no call is made while nothing is. What the system
adds without telling anybody, such as a price (brightpearl.md §7.2 names no event for it), is found by reading all of it
again once in a while: the watermark says when that was done last.
"""

from collections.abc import Iterator, Sequence

from brightpearl_pipelines.store import positions, records
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.scope import Counts, Reach, Scope
from brightpearl_pipelines.systems.contract import Follows, Session, Stream

RECORDS_A_TIME = 1000


async def follow(
    engine: Engine, session: Session, stream: Stream, follows: Follows, name: str, scope: Scope, counts: Counts
) -> None:
    """Read what the scope asks for of a following stream; `name` is what its position is kept under.

    Raises the API's errors; what was read before stays read.
    """
    if scope.repair:
        for rows in _asked(engine, session.connection, follows, scope):
            await _read(engine, session, stream, follows, rows, counts)
        return
    begun, whole = engine.clock.now(), False
    while True:
        with engine.transaction() as tx:
            reached = positions.get(tx, name)
            rows = records.after(tx, session.connection, follows.stream, reached.version, RECORDS_A_TIME)
        if not rows:
            break
        await _read(engine, session, stream, follows, rows, counts)
        with engine.transaction() as tx:
            # What was read from the very first record on is complete.
            whole = whole or reached.version == 0
            positions.move(tx, name, version=rows[-1].version, watermark=begun if whole else None)
    age = follows.again_after(session.settings)
    if age is None:
        due = scope.reach is Reach.EVERYTHING
    else:
        due = scope.reach is not Reach.EVENTS and reached.watermark is not None and begun - reached.watermark >= age
    if due and not whole:
        for rows in _all(engine, session.connection, follows):
            await _read(engine, session, stream, follows, rows, counts)
        with engine.transaction() as tx:
            positions.move(tx, name, watermark=begun)


def _asked(engine: Engine, connection: str, follows: Follows, scope: Scope) -> Iterator[Sequence[Record]]:
    if scope.ids:
        with engine.transaction() as tx:
            yield list(records.by_ids(tx, connection, follows.stream, scope.ids).values())
    last = ""
    while scope.day is not None:
        with engine.transaction() as tx:
            rows = records.on_day(tx, connection, follows.stream, scope.day, after_id=last, limit=RECORDS_A_TIME)
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _all(engine: Engine, connection: str, follows: Follows) -> Iterator[Sequence[Record]]:
    version = 0
    while True:
        with engine.transaction() as tx:
            rows = records.after(tx, connection, follows.stream, version, RECORDS_A_TIME)
        if not rows:
            return
        yield rows
        version = rows[-1].version


async def _read(
    engine: Engine, session: Session, stream: Stream, follows: Follows, rows: Sequence[Record], counts: Counts
) -> None:
    found = await follows.read(session, [row for row in rows if not row.deleted])
    with engine.transaction() as tx:
        result = records.upsert(tx, session.connection, stream.name, found)
    counts.read += result.read
    counts.changed += len(result.changed)
    counts.unchanged += result.read - len(result.changed)
    engine.tell(f"read {stream.name}", result.read)
