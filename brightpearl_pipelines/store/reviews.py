"""Matches that were made on weak grounds and wait for a person to look at them."""

from decimal import Decimal
from uuid import UUID

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Json

MADE = Decimal("0.5")
"""The score of a match by rule: rules give no probability."""


def propose(tx: Transaction, entity: str, golden_id: UUID, candidate_id: UUID, evidence: Json) -> None:
    """Note that `candidate_id` was taken for what else would have been `golden_id`. Noting it again changes nothing."""
    tx.connection.execute(
        "INSERT INTO sync.match_review (entity, golden_id, candidate_id, score, evidence, proposed_at) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (entity, golden_id, candidate_id) DO NOTHING",
        (entity, golden_id, candidate_id, MADE, tx.cipher.seal(evidence), tx.clock.now()),
    )
