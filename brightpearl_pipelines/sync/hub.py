"""The hub as planners may see it: golden records, external ids and what was agreed, within one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from brightpearl_pipelines.store import agreed, crosswalk, deliveries, goldens, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Delivery, Golden, Json, Record

NAMESPACE = uuid5(NAMESPACE_URL, "brightpearl_pipelines")


def golden_id(entity: str, connection: str, external_id: str) -> UUID:
    """The id of a thing first met at a connection: always the same, so that starting again finds the same things."""
    return uuid5(NAMESPACE, f"{entity}:{connection}:{external_id}")


def token(entity: str, connection: str, value: str) -> str:
    """What a held record waits for: `product:brightpearl:HAT-1` is the product HAT-1, known in brightpearl."""
    return f"{entity}:{connection}:{value}"


@dataclass(frozen=True)
class HubView:
    """Implements `systems.contract.Hub` on the store."""

    tx: Transaction
    within: Collection[str] | None = None
    """The connections of one Brightpearl account, where there are several accounts: what else there is stays unseen."""

    def external_ids(self, entity: str, connection: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[str]]:
        return crosswalk.external_ids(self.tx, entity, connection, golden_ids)

    def golden_ids(self, entity: str, connection: str, external_ids: Iterable[str]) -> Mapping[str, UUID]:
        return crosswalk.golden_ids(self.tx, entity, connection, external_ids)

    def goldens(self, entity: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Golden]:
        return goldens.by_ids(self.tx, entity, golden_ids)

    def records(self, connection: str, stream: str, ids: Iterable[str]) -> Mapping[str, Record]:
        return records.by_ids(self.tx, connection, stream, ids)

    def deliveries(self, connection: str, keys: Iterable[str]) -> Mapping[str, Delivery]:
        return deliveries.by_keys(self.tx, connection, keys)

    def agreed(self, entity: str, connection: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Json]:
        return agreed.get(self.tx, entity, connection, golden_ids)

    def by_keys(self, entity: str, kind: str, values: Iterable[str]) -> Mapping[str, Sequence[UUID]]:
        return crosswalk.find_by_keys(self.tx, entity, kind, values, self.within)
