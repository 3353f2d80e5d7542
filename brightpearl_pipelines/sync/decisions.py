"""What a person decided about two customers, and what follows from it.

`same`: they are one from now on. Two golden records become one: every name of the one is the other's, what is still on
its way finds its way, and of two contacts in Brightpearl, which no API call can join, the one known first is kept up to
date. `different`: who was taken for the other is met anew and becomes a customer of their own.

Either is remembered by who somebody is by their own account, so that the same question is not asked again. Orders that
are in Brightpearl stay where they are.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import match_keys
from brightpearl_pipelines.store import agreed, crosswalk, dead_letters, deliveries, goldens, records, reviews
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.reviews import Review
from brightpearl_pipelines.store.types import DeliveryState, Golden
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.matching import DIFFERENT, EMPTY, ONLY_LINKED, SAME, UNITED, link_mark

UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEAD)


class UndecidableError(Exception):
    """The decision cannot be carried out now; the message says why and what helps."""


async def decide(engine: Engine, id: int, *, same: bool, note: str = "") -> Review:
    """Decide a review and carry it out; returns it as it was. Nobody merges or writes customers meanwhile.

    Raises LookupError unless the review is open, UndecidableError while writes of the two are on their way.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(engine.alone("merge:customer"))
        for connection in _targets(engine.configuration):
            await stack.enter_async_context(engine.alone(f"publish:{connection}:customer"))
        with engine.transaction() as tx:
            review = reviews.get(tx, id)
            reviews.decide(tx, id, "same" if same else "different", note)
            assert review is not None  # noqa: S101 - it was just decided
            _carry_out(engine.configuration, tx, review, same=same)
    return review


def _targets(configuration: Configuration) -> Sequence[str]:
    return sorted(
        name
        for name, each in configuration.connections.items()
        if any(target.entity == "customer" for target in each.system.targets)
    )


def _carry_out(configuration: Configuration, tx: Transaction, review: Review, *, same: bool) -> None:
    who = review.evidence.get("identity")
    known = goldens.by_ids(tx, "customer", [review.golden_id, review.candidate_id])
    if review.candidate_id not in known:
        raise UndecidableError("the other customer of this review is united with a third by now; nothing to decide")
    if who:
        kind = SAME if same else DIFFERENT
        crosswalk.put_keys(tx, "customer", [(kind, who, review.candidate_id)])
    if review.golden_id in known:
        if same:
            _unite(configuration, tx, known[review.golden_id], known[review.candidate_id])
        return
    connection, external_id = review.evidence["connection"], review.evidence["external_id"]
    mark = (ONLY_LINKED, link_mark(connection, external_id), review.candidate_id)
    crosswalk.drop_keys(tx, "customer", [mark])
    if not same:
        crosswalk.unlink(tx, "customer", connection, [external_id])
        _forget_mailbox(tx, known[review.candidate_id], review)
    stream, record = review.evidence["came_from"]
    records.renew(tx, connection, stream, [record])


def _forget_mailbox(tx: Transaction, candidate: Golden, review: Review) -> None:
    """What the other's mailbox is must no longer lead to the candidate, unless it is theirs as well."""
    theirs = {(key.kind, key.value) for key in match_keys(Customer.model_validate(candidate.content))}
    mailbox = str(review.evidence.get("email") or "")
    if mailbox and ("email", mailbox) not in theirs:
        crosswalk.drop_keys(tx, "customer", [("email", mailbox, candidate.id)])


def _unite(configuration: Configuration, tx: Transaction, gone: Golden, stays: Golden) -> None:
    """Make one golden record of two."""
    for each in deliveries.by_golden(tx, gone.id):
        if each.state in UNFINISHED:
            raise UndecidableError(
                f"{each.kind} {each.key} of one of them is {each.state} in {each.connection}: let a run finish it "
                "(bpp sync), or discard its dead letter, then decide again"
            )
    targets = set(_targets(configuration))
    links = crosswalk.links_of(tx, "customer", gone.id)
    there = {connection for connection, _ in crosswalk.links_of(tx, "customer", stays.id)}
    crosswalk.relink(tx, "customer", [(connection, external, stays.id) for connection, external in links])
    # A second contact there is a duplicate that stays: its old values must not come back over the first one's.
    doubled = [each for each in links if each[0] in there & targets]
    marks = [(ONLY_LINKED, link_mark(*each), stays.id) for each in doubled]
    agreed.move(tx, "customer", gone.id, stays.id)
    crosswalk.move_keys(tx, "customer", gone.id, stays.id)
    crosswalk.put_keys(tx, "customer", [*marks, (UNITED, str(gone.id), stays.id)])
    dead_letters.resolve_golden(tx, gone.id)
    goldens.remove(tx, "customer", gone.id)
    content, origin = dict(stays.content), dict(stays.origin)
    for name, value in gone.content.items():
        if content.get(name) in EMPTY and value not in EMPTY:
            content[name], origin[name] = value, gone.origin.get(name, "")
    goldens.put(tx, [Golden("customer", stays.id, content, origin, stays.day)])
    goldens.renew(tx, "customer", [stays.id])
