"""Where Brightpearl has the shops' orders: its sales orders read back, as far as they are of a shop (BP-06, BP-12).

Brightpearl's statuses are the account's own (brightpearl.md §5.4): which of them means what stands in connections.yaml,
many to one. Orders that people or other programs made there carry no reference of a shop and are left out by a rule.
"""

from collections.abc import Sequence

from brightpearl_pipelines.entities.models import OrderProgress
from brightpearl_pipelines.mapping import MappingError
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.contract import Ignored, Joining, Mapped, Settings, Source

NO_SHOP = "order_of_no_shop"


def reference(record: Record) -> MatchKey | None:
    """The shop and the number that a sales order names as what it was made from."""
    shop, _, number = str(record.payload.get("externalRef") or "").partition(":")
    return MatchKey("ref", f"{shop}:{number}") if shop and number else None


def progress(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """Where the order stands, in our words. MappingError for a status that connections.yaml does not name."""
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this source belongs to this system
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    if not settings.order_progress:
        return [Ignored(record.id, "order_progress_not_mapped")]
    status = record.payload["orderStatus"]
    number = int(status["orderStatusId"])
    word = settings.order_progress.get(number)
    if word is None:
        raise MappingError(
            "progress",
            "orderStatus",
            f"{number} ({status.get('name')})",
            "order_progress in connections.yaml does not say what this status means",
            f"Add {number} to order_progress of {record.connection} in connections.yaml, then retry this letter.",
        )
    key = reference(record)
    return [Mapped(record.id, {"progress": word.value}, keys=[key] if key else [])]


SOURCE = Source("orders", "order", progress, joins=Joining(OrderProgress, reference, NO_SHOP))
