"""What Brightpearl's records mean in our words."""

from collections.abc import Sequence
from datetime import date

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import all_keys
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.systems.brightpearl import order_progress, products
from brightpearl_pipelines.systems.brightpearl.contact_groups import group_read, groups_of
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source
from brightpearl_pipelines.systems.mappings import mappings_beside

MAPPINGS = mappings_beside(__file__, products.FUNCTIONS)


def _customers(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    relation = record.payload.get("relationshipToAccount") or {}
    if relation.get("isSupplier") or relation.get("isStaff"):
        return [Ignored(record.id, "supplier_or_staff")]
    content = {
        **MAPPINGS["customer"].read(record.payload, settings.tables()),
        **group_read(record.payload, groups_of(settings)),
    }
    return [Mapped(record.id, content, keys=all_keys(Customer.model_validate(content)), day=_day(record))]


def _products(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    return products.read_product(MAPPINGS["product"], record, settings)


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (
    Source("customers", "customer", _customers),
    Source("products", "product", _products),
    products.DETAILS_SOURCE,
    order_progress.SOURCE,
)
