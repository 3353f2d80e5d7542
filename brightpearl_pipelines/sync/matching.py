"""Finds the golden record that a newly met record is, by the keys it brings. Rules: `matching/`."""

from collections.abc import Collection, Set
from dataclasses import dataclass
from uuid import UUID

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import Candidate, choose
from brightpearl_pipelines.store import crosswalk, goldens, reviews
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines.systems.contract import Mapped


@dataclass(frozen=True)
class Found:
    """A golden record that a record is. `merges` is False where the link is all that may be made of it."""

    golden_id: UUID
    merges: bool = True


def match(
    tx: Transaction,
    entity: str,
    connection: str,
    part: Mapped,
    taken: Set[UUID],
    within: Collection[str] | None = None,
) -> Found | None:
    """The golden record that `part` is, or None if it is new.

    A golden record that the connection already knows under another id is no candidate, unless the record says that
    several of its ids may be one thing. What matches several products is no match: a person must say which.
    `within`: the connections of the same Brightpearl account; what another account knows is no candidate either.
    """
    candidates = {
        kind: _candidates(tx, entity, connection, part, kind, taken, within) for kind in {key.kind for key in part.keys}
    }
    if entity == "customer":
        return _customer(tx, connection, part, candidates)
    found = sorted({each for ids in candidates.values() for each in ids})
    return Found(found[0]) if len(found) == 1 else None


def _candidates(
    tx: Transaction,
    entity: str,
    connection: str,
    part: Mapped,
    kind: str,
    taken: Set[UUID],
    within: Collection[str] | None,
) -> list[UUID]:
    values = [key.value for key in part.keys if key.kind == kind]
    found = {each for ids in crosswalk.find_by_keys(tx, entity, kind, values, within).values() for each in ids}
    if not part.shared:
        known_here = crosswalk.external_ids(tx, entity, connection, found)
        found = {each for each in found - set(taken) if not known_here.get(each)}
    return sorted(found)


def _customer(tx: Transaction, connection: str, part: Mapped, found: dict[str, list[UUID]]) -> Found | None:
    """Customers match by `matching.choose`; a match on weak grounds is noted for a person."""
    stored = goldens.by_ids(tx, "customer", {each for ids in found.values() for each in ids})
    known = {
        kind: [Candidate(each, Customer.model_validate(stored[each].content)) for each in ids if each in stored]
        for kind, ids in found.items()
    }
    chosen = choose(Customer.model_validate(part.content), known.get("email", []), known.get("name_address", []))
    if chosen.golden_id is None:
        return None
    if chosen.review:
        own = golden_id("customer", connection, part.external_id)
        evidence = {"connection": connection, "external_id": part.external_id, "rule": chosen.rule}
        reviews.propose(tx, "customer", own, chosen.golden_id, evidence)
    return Found(chosen.golden_id, merges=chosen.rule != "email_other_name")
