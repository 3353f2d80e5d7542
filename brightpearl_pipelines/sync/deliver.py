"""Deliver: make the writes that were intended, and record what became of each.

The order of things is what makes a crash harmless: a delivery is marked sent before its call goes out, so one that is
found sent was cut off, and is looked up in the target before anything is written again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.errors import ApiError, AuthenticationError, TransientError
from brightpearl_pipelines.store import agreed, commitments, crosswalk, dead_letters, deliveries, goldens
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Json
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.hub import token
from brightpearl_pipelines.sync.matching import UNITED
from brightpearl_pipelines.sync.promises import settle_part
from brightpearl_pipelines.sync.scope import Counts
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session, Target, Write

DELIVERIES_A_TIME = 2000
ATTEMPTS_UNTIL_TOLD = 12
"""After so many tries without success (about half an hour) people are told; it goes on being tried."""
PATIENCE = timedelta(seconds=15)
"""A delivery that may go again this soon is waited for; a later one is left to the next run."""
VERSION = "_version"
"""Kept in a delivery's payload: the version of the golden record that it was made from."""

IN_PART = "agreed_in_part"
"""In place of `agreed` in a delivery's payload: fields that are added to what is agreed already."""
WRITTEN = "_written"
"""Kept beside them: when, by field. What was read of the target before that is older than what is agreed."""


def made_from(delivery: Delivery, version: int) -> Delivery:
    """The delivery, knowing the version of the golden record that it was made from."""
    return replace(delivery, payload={**delivery.payload, VERSION: version})


async def deliver(engine: Engine, connection: str, target: Target, counts: Counts) -> None:
    """Make all writes of a target that may go now. A connection that cannot be used ends the step, and says so."""
    writes = {write.kind: write for write in target.writes}
    while True:
        with engine.transaction() as tx:
            due = deliveries.due(tx, connection, target.entity, DELIVERIES_A_TIME)
            wait = None if due else _wait(tx, connection, target.entity, engine.clock.now())
        if not due and wait is None:
            return
        if not due and wait is not None:
            await engine.clock.sleep(wait)
            continue
        try:
            session = await engine.session(connection)
            for kind, some in _by_kind(due).items():
                await _kind(engine, session, writes[kind], some, counts)
        except (TransientError, AuthenticationError) as error:
            counts.paused = str(error)
            return


def _wait(tx: Transaction, connection: str, entity: str, now: datetime) -> float | None:
    soonest = deliveries.next_due(tx, connection, entity)
    if soonest is None or soonest > now + PATIENCE:
        return None
    return max((soonest - now).total_seconds(), 0.05)


def _by_kind(due: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    kinds: dict[str, list[Delivery]] = {}
    for delivery in due:
        kinds.setdefault(delivery.kind, []).append(delivery)
    return kinds


async def _kind(engine: Engine, session: Session, write: Write, due: Sequence[Delivery], counts: Counts) -> None:
    unsure = [delivery for delivery in due if delivery.state is DeliveryState.SENT]
    found = await _find(engine, session, write, unsure, counts) if unsure else set()
    ready = [delivery for delivery in due if delivery.key not in found]
    for start in range(0, len(ready), write.batch):
        await _send(engine, session, write, ready[start : start + write.batch], counts)


async def _find(engine: Engine, session: Session, write: Write, unsure: Sequence[Delivery], counts: Counts) -> set[str]:
    """Look up deliveries that were cut off; the keys of those that must not be sent now."""
    with engine.transaction() as tx:
        resolved = _resolve(tx, session.connection, unsure)
        _hold_unresolved(tx, [each for each in unsure if each.key not in resolved], counts)
    found = await write.find(session, list(resolved.values()))
    now = engine.clock.now()
    settled = {each.key for each in unsure} - resolved.keys()
    with engine.transaction() as tx:
        for delivery in resolved.values():
            if delivery.key in found:
                settled.add(delivery.key)
            elif delivery.sent_at is not None and now < delivery.sent_at + write.lag:
                deliveries.unsure(tx, delivery.id, "not visible yet", delivery.sent_at + write.lag)
                settled.add(delivery.key)
        _record(tx, write, list(found.values()), counts, now)
    _note_read_back(engine, session.connection, write, list(found.values()))
    return settled


def _note_read_back(engine: Engine, connection: str, write: Write, answers: Sequence[Answer]) -> None:
    ids = {answer.read_back for answer in answers if answer.read_back is not None}
    if write.reads_back is not None and ids:
        engine.to_read_back.setdefault((connection, write.reads_back), set()).update(ids)


async def _send(engine: Engine, session: Session, write: Write, ready: Sequence[Delivery], counts: Counts) -> None:
    with engine.transaction() as tx:
        resolved = _resolve(tx, session.connection, ready)
        _hold_unresolved(tx, [each for each in ready if each.key not in resolved], counts)
        deliveries.mark_sent(tx, [delivery.id for delivery in resolved.values()])
    try:
        answers = await write.send(session, list(resolved.values())) if resolved else []
    except ApiError as error:
        # Some may have gone out before: each is looked up in the target before it goes again.
        with engine.transaction() as tx:
            for delivery in resolved.values():
                deliveries.unsure(tx, delivery.id, str(error), engine.clock.now() + _pause(delivery.attempts))
        raise
    now = engine.clock.now()
    with engine.transaction() as tx:
        _record(tx, write, answers, counts, now)
    _note_read_back(engine, session.connection, write, answers)
    engine.tell(f"delivered {write.kind}", len(answers))


def _resolve(tx: Transaction, connection: str, some: Sequence[Delivery]) -> dict[str, Delivery]:
    """The deliveries with each `{"$ref": [entity, golden id]}` replaced by the connection's own id of that thing.

    Those that name something which the connection does not know (any more) are left out.
    """
    wanted: dict[str, set[UUID]] = {}
    for delivery in some:
        for entity, golden in _references(delivery.payload):
            wanted.setdefault(entity, set()).add(UUID(golden))
    known: dict[tuple[str, str], str] = {}
    for entity, ids in wanted.items():
        for golden_id, external in crosswalk.external_ids(tx, entity, connection, ids).items():
            known[entity, str(golden_id)] = external[0]
        lost = {str(golden) for golden in ids if (entity, str(golden)) not in known}
        united = {old: new[0] for old, new in crosswalk.find_by_keys(tx, entity, UNITED, lost).items()}
        there = crosswalk.external_ids(tx, entity, connection, united.values())
        known |= {(entity, old): there[new][0] for old, new in united.items() if new in there}
    return {
        each.key: replace(each, payload=_replaced(each.payload, known))
        for each in some
        if all(reference in known for reference in _references(each.payload))
    }


def _hold_unresolved(tx: Transaction, unresolved: Sequence[Delivery], counts: Counts) -> None:
    """Hold what names something that the connection does not know (any more), e.g. a product unlinked since."""
    for delivery in unresolved:
        names = ", ".join(sorted({f"{entity} {golden}" for entity, golden in _references(delivery.payload)}))
        error = f"it refers to something that {delivery.connection} does not know (any more); it names: {names}"
        suggestion = "Look where the reference went, then retry this letter: the write is then planned anew."
        deliveries.kill(tx, delivery.id, error)
        letter = Answer(delivery, Outcome.REFUSED, error=error, reason="reference_not_found", suggestion=suggestion)
        dead_letters.hold(tx, _letter(letter))
        counts.held += 1


def _references(value: Any) -> list[tuple[str, str]]:
    """All references in a payload as it comes from the store: dicts and lists, nothing finer."""
    if isinstance(value, dict):
        if "$ref" in value:
            entity, golden = value["$ref"]
            return [(entity, golden)]
        return [found for each in value.values() for found in _references(each)]
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    return []


def _replaced(value: Any, known: Mapping[tuple[str, str], str]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            entity, golden = value["$ref"]
            return known[entity, golden]
        return {name: _replaced(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, known) for each in value]
    return value


def _record(tx: Transaction, write: Write, answers: Sequence[Answer], counts: Counts, now: datetime) -> None:
    _confirm(tx, write, [each for each in answers if each.outcome is Outcome.CONFIRMED], counts, now)
    for answer in answers:
        delivery = answer.delivery
        match answer.outcome:
            case Outcome.CONFIRMED:
                continue
            case Outcome.AMBIGUOUS:
                again = now + max(write.lag, _pause(delivery.attempts))
                deliveries.unsure(tx, delivery.id, answer.error or "no answer", again)
                _tell(tx, answer, counts)
            case Outcome.RETRY:
                if answer.settled:
                    settle_part(tx, delivery.connection, delivery.golden_id, answer.settled, now)
                _retry(tx, answer, counts, now)
            case Outcome.REFUSED:
                # A refusal that we have a name for waits for a person; any other is a fault.
                counts.held += answer.reason is not None
                counts.failed += answer.reason is None
                deliveries.kill(tx, delivery.id, answer.error or "refused")
                dead_letters.hold(tx, _letter(answer))


def _confirm(tx: Transaction, write: Write, answers: Sequence[Answer], counts: Counts, now: datetime) -> None:
    """All at once: what follows from a confirmation is written for the whole batch, or it would cost more than it."""
    if not answers:
        return
    connection, entity = answers[0].delivery.connection, answers[0].delivery.entity
    held: dict[UUID, Json] = {}
    parts = {answer.delivery.golden_id for answer in answers if IN_PART in answer.delivery.payload}
    before = agreed.get(tx, entity, connection, parts)
    deliveries.confirm(tx, [(each.delivery.id, each.external_id, each.body) for each in answers])
    for answer in answers:
        delivery = answer.delivery
        kept: Json | None = answer.agreed or delivery.payload.get("agreed")
        if kept is not None:
            held[delivery.golden_id] = kept
        elif IN_PART in delivery.payload:
            present = held.get(delivery.golden_id) or before.get(delivery.golden_id, {})
            part = delivery.payload[IN_PART]
            written = {**present.get(WRITTEN, {}), **dict.fromkeys(part, now.isoformat())}
            held[delivery.golden_id] = {**present, **part, WRITTEN: written}
    named = [
        (connection, each.external_id, each.delivery.golden_id) for each in answers if each.external_id is not None
    ]
    if write.links:
        _link(tx, entity, connection, named)
    if write.unlinks:
        gone = crosswalk.external_ids(tx, entity, connection, {each.delivery.golden_id for each in answers})
        crosswalk.unlink(tx, entity, connection, [each for ids in gone.values() for each in ids])
    agreed.put(tx, entity, connection, held)
    dead_letters.resolve(tx, connection, "deliver", entity, [each.delivery.key for each in answers])
    dead_letters.release_waiting(tx, {token(entity, connection, str(each.delivery.golden_id)) for each in answers})
    _renew_overtaken(tx, entity, [each.delivery for each in answers])
    if write.settles:
        # Last, as where orders are merged: golden records first, promises then, or the two would wait for each other.
        commitments.settle(tx, [each.delivery.golden_id for each in answers], now)
    counts.created += len(named)
    counts.updated += len(answers) - len(named)


def _link(tx: Transaction, entity: str, connection: str, named: Sequence[tuple[str, str, UUID]]) -> None:
    """The target has said, by a key or mark of ours, what each id is: that outweighs what matching took it for."""
    known = crosswalk.golden_ids(tx, entity, connection, [external_id for _, external_id, _ in named])
    crosswalk.relink(tx, entity, [each for each in named if known.get(each[1], each[2]) != each[2]])
    crosswalk.link(tx, entity, named)


def _renew_overtaken(tx: Transaction, entity: str, confirmed: Sequence[Delivery]) -> None:
    """Have golden records planned again that changed while their deliveries were on their way.

    When the change was planned, what the target held was not known: perhaps the record went back to what was agreed
    before, so that there seemed to be nothing to write.
    """
    present = goldens.versions(tx, entity, [delivery.golden_id for delivery in confirmed])
    overtaken = {
        delivery.golden_id
        for delivery in confirmed
        if present.get(delivery.golden_id, 0) > delivery.payload.get(VERSION, math.inf)
    }
    if overtaken:
        goldens.renew(tx, entity, overtaken)


def _retry(tx: Transaction, answer: Answer, counts: Counts, now: datetime) -> None:
    """Nothing was applied: it goes again later."""
    delivery = answer.delivery
    error = answer.error or "the target asked to try later"
    deliveries.fail(tx, delivery.id, error, now + (answer.retry_after or _pause(delivery.attempts)))
    _tell(tx, answer, counts)


def _tell(tx: Transaction, answer: Answer, counts: Counts) -> None:
    """What waits for a reason is shown to people at once, what only failed after many tries. Neither is given up: an
    outage of hours must need nobody's hand afterwards, and the confirmation resolves the letter."""
    if answer.reason is None:
        if answer.delivery.attempts + 1 < ATTEMPTS_UNTIL_TOLD:
            return
        told = "It is tried again every ten minutes; see what the target says, and whether it is down."
        answer = replace(answer, reason="no_success_yet", suggestion=told)
    counts.held += 1
    dead_letters.hold(tx, _letter(answer))


def _pause(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s … at most 10 minutes. No jitter: one deliverer a target, so nobody retries in step with it."""
    return timedelta(seconds=min(2.0**attempts, 600))


def _letter(answer: Answer) -> DeadLetter:
    delivery = answer.delivery
    return DeadLetter(
        connection=delivery.connection,
        stage="deliver",
        entity=delivery.entity,
        subject=delivery.key,
        reason=answer.reason or "refused",
        sentence=f"{delivery.connection} would not take {delivery.kind} {delivery.key}: {answer.error}",
        suggestion=answer.suggestion,
        waiting_for=answer.waiting_for,
        payload=delivery.payload,
        golden_id=delivery.golden_id,
    )
