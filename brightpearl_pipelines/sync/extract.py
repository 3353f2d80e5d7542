"""Extract: keep the latest version of each record of a stream, exactly as the API gave it.

A record is stored before the watermark moves, in the same transaction; the next read goes back behind the watermark by
the stream's overlap, so that equal instants and late commits fall into it. Webhooks only say where to look first.
"""

from collections.abc import Sequence, Set
from datetime import date, datetime

from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store import crosswalk, events, positions, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Event
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.follow import follow
from brightpearl_pipelines.sync.scope import Counts, Reach, Scope
from brightpearl_pipelines.systems.contract import Session, Stream, Window
from brightpearl_pipelines.systems.paging import chunks

EVENTS_A_TIME = 1000
RECORDS_A_TIME = 500


async def extract(engine: Engine, connection: str, stream: Stream, scope: Scope) -> Counts:
    """Read what the scope asks for into the store. Raises the API's errors; what was read before stays read."""
    counts = Counts()
    before = engine.calls(connection)
    async with engine.alone(consumer(connection, stream)):
        session = await engine.session(connection)
        if stream.follows is not None:
            await follow(engine, session, stream, stream.follows, consumer(connection, stream), scope, counts)
            if not scope.repair:
                with engine.transaction() as tx:
                    positions.move(tx, looked(connection, stream))
        elif scope.ids:
            await _named(engine, session, stream, scope.ids, counts, ())
        elif scope.day is not None and not stream.snapshot:
            seen = await _window(engine, session, stream, scope.window() or Window(), counts, moves=False)
            await _unseen(engine, session, stream, scope.day, seen, counts)
        else:
            await _changes(engine, session, stream, scope, counts)
    counts.calls = engine.calls(connection) - before
    return counts


def consumer(connection: str, stream: Stream) -> str:
    """The name under which the watermark of a stream is kept."""
    return f"extract:{connection}:{stream.name}"


def looked(connection: str, stream: Stream) -> str:
    """The name of the trace of the last look to the end, whether it found anything or not.

    Of what says what changed, a look at the changes counts, and not one at webhooks alone: hooks may be dead.
    """
    return f"looked:{connection}:{stream.name}"


async def _changes(engine: Engine, session: Session, stream: Stream, scope: Scope, counts: Counts) -> None:
    with engine.transaction() as tx:
        position = positions.get(tx, consumer(session.connection, stream))
        hints = _hints(engine, tx, session.connection, stream)
    known = position.watermark is not None or position.token is not None
    system = engine.configuration.connection(session.connection).system
    ids = {each for event in hints for each in system.ids_named(event.topic, event.payload)}
    if known and _by_events_alone(stream, scope):
        if hints:
            await _named(engine, session, stream, sorted(ids), counts, hints)
        if stream.snapshot and stream.topics:
            with engine.transaction() as tx:
                positions.move(tx, looked(session.connection, stream))
        return
    since = scope.since or (position.watermark - stream.overlap if position.watermark else None)
    seen = await _window(engine, session, stream, Window(since), counts, moves=True, named=ids)
    if ids - seen and not stream.snapshot:
        # A webhook named it and no list shows it, as with what was archived (bigcommerce.md §2.1).
        await _named(engine, session, stream, sorted(ids - seen), counts, ())
    if stream.suspects is not None and since is not None:
        keys = await stream.suspects(session, Window(since, position.watermark or since))
        suspects = _called(engine, session.connection, stream, keys)
        if suspects:
            await _named(engine, session, stream, suspects, counts, ())
    with engine.transaction() as tx:
        # The token says that the stream was read to its end once; a snapshot has no watermark to say so.
        positions.move(tx, consumer(session.connection, stream), token="read")  # noqa: S106 - not a secret
        positions.move(tx, looked(session.connection, stream))
        events.finish(tx, hints)


def _called(engine: Engine, connection: str, stream: Stream, keys: Sequence[MatchKey]) -> list[str]:
    """What the golden records with these keys are called in the connection."""
    by_kind: dict[str, set[str]] = {}
    for key in keys:
        by_kind.setdefault(key.kind, set()).add(key.value)
    with engine.transaction() as tx:
        found = {
            golden
            for kind, values in by_kind.items()
            for ids in crosswalk.find_by_keys(tx, stream.entity, kind, values).values()
            for golden in ids
        }
        known = crosswalk.external_ids(tx, stream.entity, connection, found)
    return sorted({each for ids in known.values() for each in ids})


def _by_events_alone(stream: Stream, scope: Scope) -> bool:
    if scope.since is not None or scope.reach is Reach.EVERYTHING:
        return False
    return scope.reach is Reach.EVENTS or stream.snapshot


def _hints(engine: Engine, tx: Transaction, connection: str, stream: Stream) -> list[Event]:
    """The pending events that name this stream, and no other stream better."""
    if not stream.topics:
        return []
    system = engine.configuration.connection(connection).system
    pending = events.pending(tx, connection, list(stream.topics), EVENTS_A_TIME)
    return [event for event in pending if system.stream_of(event.topic) == stream]


async def _named(
    engine: Engine, session: Session, stream: Stream, ids: Sequence[str], counts: Counts, hints: Sequence[Event]
) -> None:
    """Read given ids; the events that named them are done with in the same transaction."""
    found = await stream.by_ids(session, ids)
    with engine.transaction() as tx:
        result = records.upsert(tx, session.connection, stream.name, found)
        events.finish(tx, hints)
    _count(engine, stream, counts, result.read, len(result.changed))


async def _window(
    engine: Engine,
    session: Session,
    stream: Stream,
    window: Window,
    counts: Counts,
    *,
    moves: bool,
    named: Set[str] = frozenset(),
) -> Set[str]:
    """Returns the ids that were read: all of a window that does not move the watermark, which is a day at most; of any
    other those among `named`."""
    seen: set[str] = set()
    async for page in stream.changes(session, window):
        with engine.transaction() as tx:
            result = records.upsert(tx, session.connection, stream.name, page.records)
            if moves and page.watermark is not None:
                _advance(tx, consumer(session.connection, stream), page.watermark)
        _count(engine, stream, counts, result.read, len(result.changed))
        seen |= {record.id for record in page.records if not moves or record.id in named}
    return seen


async def _unseen(engine: Engine, session: Session, stream: Stream, day: date, seen: Set[str], counts: Counts) -> None:
    """Ask for what we have of a day and the system did not show: it moved to another day, or it is gone. Most systems
    leave nothing where something was deleted."""
    last, missing = "", list[str]()
    while True:
        with engine.transaction() as tx:
            rows = records.on_day(tx, session.connection, stream.name, day, after_id=last, limit=RECORDS_A_TIME)
        if not rows:
            break
        missing += [row.id for row in rows if row.id not in seen and not row.deleted]
        last = rows[-1].id
    for chunk in chunks(missing, RECORDS_A_TIME):
        await _named(engine, session, stream, chunk, counts, ())


def _advance(tx: Transaction, name: str, watermark: datetime) -> None:
    """A watermark never goes back: the overlap re-reads older pages on the way."""
    reached = positions.get(tx, name).watermark
    if reached is None or watermark > reached:
        positions.move(tx, name, watermark=watermark)


def _count(engine: Engine, stream: Stream, counts: Counts, read: int, changed: int) -> None:
    counts.read += read
    counts.changed += changed
    counts.unchanged += read - changed
    engine.tell(f"read {stream.name}", read)
