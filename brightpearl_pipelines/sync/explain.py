"""Answers for one record: `trace` follows an order from source to target, `why` says how a record stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from brightpearl_pipelines.store import crosswalk, dead_letters, deliveries, events, goldens, positions, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Json, Record
from brightpearl_pipelines.sync.beside import completed, missing
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.extract import consumer as extract_consumer
from brightpearl_pipelines.sync.hub import HubView
from brightpearl_pipelines.sync.merge import consumer as merge_consumer
from brightpearl_pipelines.sync.publish import consumer as publish_consumer
from brightpearl_pipelines.systems.contract import Ignored, Linked, Source

LETTERS = 10_000


@dataclass(frozen=True)
class TraceEvent:
    """Something that happened to an order, or to what belongs to it."""

    at: datetime | None
    where: str
    what: str
    detail: str = ""
    payload: Json | None = None
    """What was sent, or what was answered where it is kept; with people in it."""


@dataclass(frozen=True)
class Explanation:
    """How a record stands: `in_step`, `pending`, `held`, `ignored` or `unknown`, and why."""

    verdict: str
    sentences: list[str]


# -- trace --------------------------------------------------------------------------------------------------------


def trace(engine: Engine, order: str) -> list[TraceEvent]:
    """Everything known of an order, oldest first; `order` is its number in the shop or its id in Brightpearl.

    Empty when no order is known by it.
    """
    with engine.transaction() as tx:
        ids = {golden for _, golden in crosswalk.search(tx, "order", order)}
        found: list[TraceEvent] = []
        for golden in goldens.by_ids(tx, "order", ids).values():
            found += _order(tx, golden)
        return sorted(found, key=lambda event: (event.at is None, event.at))


def _order(tx: Transaction, order: Golden) -> Iterable[TraceEvent]:
    shop, number = order.origin["number"], order.content["number"]
    yield TraceEvent(
        datetime.fromisoformat(order.content["placed_at"]),
        shop,
        f"order {number} placed",
        f"{order.content['total_net']} + {order.content['total_tax']} tax {order.content['currency']}, "
        f"{order.content['status']}",
    )
    for event in events.about(tx, shop, number):
        yield TraceEvent(event.received_at, shop, f"webhook {event.topic}")
    record = records.by_ids(tx, shop, "orders", [number]).get(number)
    if record is not None:
        yield TraceEvent(
            record.fetched_at, shop, "read", f"version {record.version}, changed {record.modified_at}", record.payload
        )
    for connection, external_id in crosswalk.links_of(tx, "order", order.id):
        if connection != shop:
            yield TraceEvent(None, connection, "known as", external_id)
    if order.content.get("progress"):
        yield TraceEvent(None, order.origin["progress"], "stands there as", order.content["progress"])
    yield from _writes(tx, order.id)
    yield from _letters(tx, order.id)
    for entity in ("payment", "return", "shipment"):
        for part in parts_of_order(tx, entity, shop, number):
            yield from _writes(tx, part)
            yield from _letters(tx, part)


def parts_of_order(tx: Transaction, entity: str, shop: str, number: str) -> list[UUID]:
    """The payments, returns or shipments of an order."""
    found = crosswalk.find_by_keys(tx, entity, "order", [f"{shop}:{number}"])
    return sorted({each for ids in found.values() for each in ids})


def _writes(tx: Transaction, golden: UUID) -> Iterable[TraceEvent]:
    for each in deliveries.by_golden(tx, golden):
        where, what = each.connection, f"{each.entity} {each.kind}"
        yield TraceEvent(each.created_at, where, f"{what} intended", each.key, each.payload)
        if each.sent_at:
            yield TraceEvent(each.sent_at, where, f"{what} sent", f"try {each.attempts}")
        if each.confirmed_at:
            detail = f"id {each.external_id}" if each.external_id else ""
            yield TraceEvent(each.confirmed_at, where, f"{what} confirmed", detail, each.answer)
        elif each.error:
            yield TraceEvent(each.sent_at, where, f"{what} {each.state}", each.error)


def _letters(tx: Transaction, golden: UUID) -> Iterable[TraceEvent]:
    for letter in dead_letters.of_golden(tx, golden):
        yield TraceEvent(letter.first_seen, letter.connection, f"held: {letter.reason}", letter.sentence)
        if letter.state in ("resolved", "discarded"):
            yield TraceEvent(letter.last_seen, letter.connection, f"{letter.state}: {letter.reason}", letter.note or "")


# -- why ----------------------------------------------------------------------------------------------------------


def why(engine: Engine, connection: str, stream: str, record_id: str) -> Explanation:
    """How one source record stands. ConfigurationError for an unknown connection, LookupError for an unknown stream."""
    system = engine.configuration.connection(connection).system
    known = [each.name for each in system.streams]
    if stream not in known:
        raise LookupError(f"{connection} has no stream {stream!r}; it has: {', '.join(known)}")
    with engine.transaction() as tx:
        record = records.by_ids(tx, connection, stream, [record_id]).get(record_id)
        if record is None:
            return _unread(engine, tx, connection, stream, record_id)
        sources = [source for source in system.sources if source.stream == stream]
        parts = [_source(engine, tx, connection, source, record) for source in sources]
        order = ("held", "pending", "ignored", "in_step")
        verdict = min((part.verdict for part in parts), key=order.index, default="in_step")
        first = f"{connection} {stream} {record_id} was last read at {record.fetched_at:%Y-%m-%d %H:%M:%S} UTC."
        return Explanation(verdict, [first, *(sentence for part in parts for sentence in part.sentences)])


def _unread(engine: Engine, tx: Transaction, connection: str, stream: str, record_id: str) -> Explanation:
    system = engine.configuration.connection(connection).system
    position = positions.get(tx, extract_consumer(connection, system.stream(stream)))
    reach = f"The stream is read up to {position.watermark} UTC." if position.watermark else "It was never read."
    sentence = f"{connection} {stream} {record_id} is not among the records read."
    return Explanation(
        "unknown", [sentence, reach, f"`bpp sync --connection {connection} --ids {record_id}` reads it."]
    )


def _source(engine: Engine, tx: Transaction, connection: str, source: Source, record: Record) -> Explanation:
    letters = [
        letter
        for letter in dead_letters.open_letters(tx, connection=connection, entity=source.entity, limit=LETTERS)
        if letter.stage == "merge" and letter.subject == record.id
    ]
    if letters:
        return Explanation("held", [_sentence(letter) for letter in letters])
    if positions.get(tx, merge_consumer(connection, source)).version < record.version:
        return Explanation("pending", [f"As {source.entity} it waits to be mapped; the next run does it."])
    joined = crosswalk.golden_ids(tx, source.entity, connection, [record.id])
    if source.joins is not None and record.id not in joined:
        return Explanation("ignored", [f"As {source.entity} it is left out by the rule {source.joins.rule}."])
    settings = engine.configuration.connection(connection).settings
    explanations = []
    whole = completed(tx, connection, source, [record])
    if record.id not in whole:
        return Explanation("held", [missing(connection, source, record).sentence])
    for part in source.read(whole[record.id], settings):
        if isinstance(part, Linked):
            explanations.append(Explanation("in_step", [f"As {source.entity} it is what we wrote ourselves."]))
            continue
        if isinstance(part, Ignored):
            explanations.append(Explanation("ignored", [f"As {source.entity} it is left out by the rule {part.rule}."]))
            continue
        golden = crosswalk.golden_ids(tx, source.entity, connection, [part.external_id]).get(part.external_id)
        explanations.append(_golden(engine, tx, source.entity, golden))
    order = ("held", "pending", "in_step", "ignored")
    verdict = min((each.verdict for each in explanations), key=order.index, default="in_step")
    return Explanation(verdict, [sentence for each in explanations for sentence in each.sentences])


def _golden(engine: Engine, tx: Transaction, entity: str, golden: UUID | None) -> Explanation:
    if golden is None:
        return Explanation("pending", [f"As {entity} it is not linked yet; the next run does it."])
    row = goldens.by_ids(tx, entity, [golden])[golden]
    open_letters = [letter for letter in dead_letters.of_golden(tx, golden) if letter.state in ("open", "released")]
    if open_letters:
        return Explanation("held", [_sentence(letter) for letter in open_letters])
    waiting = [each for each in deliveries.by_golden(tx, golden) if each.state not in _FINISHED]
    if waiting:
        return Explanation("pending", [_waiting(each) for each in waiting])
    sentences = []
    for connection in engine.configuration.connections.values():
        for target in connection.system.targets:
            if target.entity != entity:
                continue
            if positions.get(tx, publish_consumer(connection.name, entity)).version < row.version:
                return Explanation(
                    "pending", [f"It waits to be compared with {connection.name}; the next run does it."]
                )
            plan = target.plan(engine.plan_context(tx, connection), [row])
            rule = plan.ignored.get(golden)
            if rule is not None and connection.name in row.origin.values():
                # It comes from there: what is left out is only that something is written back.
                sentences.append(f"Nothing of this {entity} is written to {connection.name}: {rule}.")
                continue
            if rule is not None:
                return Explanation("ignored", [f"{connection.name} does not get this {entity}: {rule}."])
            links = HubView(tx).external_ids(entity, connection.name, [golden]).get(golden)
            if links:
                sentences.append(f"{connection.name} has this {entity} as {', '.join(links)}.")
    return Explanation("in_step", sentences or [f"As {entity} it is in the hub as {golden}."])


_FINISHED = (DeliveryState.CONFIRMED, DeliveryState.DISCARDED)


def _waiting(delivery: Delivery) -> str:
    after = f", after {', '.join(delivery.after)}" if delivery.after else ""
    error = f" ({delivery.error})" if delivery.error else ""
    return f"{delivery.connection}: {delivery.kind} {delivery.key} is {delivery.state}{error}{after}."


def _sentence(letter: DeadLetter) -> str:
    return f"Held, dead letter {letter.id} ({letter.reason}): {letter.sentence} {letter.suggestion}"
