"""Finds the golden record that a newly met record is, by the keys it brings. Rules: `matching/`."""

from collections.abc import Collection, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import CROWD, Candidate, Match, choose, identity
from brightpearl_pipelines.store import crosswalk, goldens, reviews
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines.systems.contract import Mapped

ONLY_LINKED = "only_linked"
"""The kind of match key that marks an external id as linked to somebody whose golden record it may not change."""
SAME, DIFFERENT = "same_person", "other_person"
"""The kinds of match key by which it is remembered what a person decided of two customers."""
UNITED = "united"
"""The kind of match key under which a golden record that became another one is still found."""
HINTS = ("phone", "place")
"""The kinds of match key that only find suspects."""
EMPTY: tuple[Any, ...] = ("", None, [], {})
"""Values that say nothing."""


def link_mark(connection: str, external_id: str) -> str:
    """The value of an ONLY_LINKED key."""
    return f"{connection}:{external_id}"


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
        return _customer(tx, connection, part, candidates, within)
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
    most = CROWD if kind in HINTS else None
    by_value = crosswalk.find_by_keys(tx, entity, kind, values, within, most).values()
    found = {each for ids in by_value if most is None or len(ids) < most for each in ids}
    if not part.shared:
        known_here = crosswalk.external_ids(tx, entity, connection, found)
        found = {each for each in found - set(taken) if not known_here.get(each)}
    return sorted(found)


def _customer(
    tx: Transaction, connection: str, part: Mapped, found: dict[str, list[UUID]], within: Collection[str] | None
) -> Found | None:
    """Customers match by what a person decided of them, else by `matching.choose`; doubts are noted for a person."""
    customer = Customer.model_validate(part.content)
    who = identity(customer)
    decided = [who] if who else []
    same = crosswalk.find_by_keys(tx, "customer", SAME, decided, within).get(who or "")
    if same:
        # A second contact of theirs is a duplicate that stays: linked, but not merged.
        first = part.shared or not crosswalk.external_ids(tx, "customer", connection, same[:1])
        return Found(same[0], merges=first)
    others = set(crosswalk.find_by_keys(tx, "customer", DIFFERENT, decided, within).get(who or "", ()))
    stored = goldens.by_ids(tx, "customer", {each for ids in found.values() for each in ids} - others)
    known = {
        kind: [Candidate(each, Customer.model_validate(stored[each].content)) for each in ids if each in stored]
        for kind, ids in found.items()
    }
    hinted = [each for kind in HINTS for each in known.get(kind, [])]
    chosen = choose(customer, known.get("email", []), known.get("name_address", []), hinted)
    if chosen.review:
        _propose(tx, connection, part, chosen, who)
    if chosen.golden_id is None:
        return None
    return Found(chosen.golden_id, merges=chosen.rule != "email_other_name")


def _propose(tx: Transaction, connection: str, part: Mapped, chosen: Match, who: str | None) -> None:
    """Ask a person; of somebody who was taken for another only once, however often they come."""
    candidate = chosen.golden_id or chosen.suspect
    if candidate is None:
        return
    own = golden_id("customer", connection, part.external_id)
    if chosen.golden_id is not None and who is not None:
        own = golden_id("customer", "identity", who)
    evidence = {
        "connection": connection,
        "external_id": part.external_id,
        "rule": chosen.rule,
        "came_from": part.came_from,
        "identity": who,
        "email": next((key.value for key in part.keys if key.kind == "email"), None),
        "content": part.content,
    }
    reviews.propose(tx, "customer", own, candidate, evidence)
