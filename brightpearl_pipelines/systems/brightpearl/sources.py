"""What Brightpearl's records mean in our words."""

from collections.abc import Sequence
from datetime import date

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import MatchKey, match_keys
from brightpearl_pipelines.store.types import Json, Record
from brightpearl_pipelines.systems.brightpearl import order_progress
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Settings, Source, Tables
from brightpearl_pipelines.systems.mappings import mappings_beside


def _product_name(product: Json, tables: Tables) -> str:
    """The name in the channel that Brightpearl itself is (§7.1)."""
    del tables
    channels = product.get("salesChannels") or [{}]
    return str(channels[0].get("productName") or "")


def _live(product: Json, tables: Tables) -> bool:
    del tables
    return str(product.get("status") or "LIVE") == "LIVE"


def _options(product: Json, tables: Tables) -> dict[str, str]:
    del tables
    return {str(each["optionName"]): str(each["optionValue"]) for each in product.get("variations") or []}


MAPPINGS = mappings_beside(
    __file__,
    {"product_name": _product_name, "live": _live, "options": _options},
)


def _customers(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    relation = record.payload.get("relationshipToAccount") or {}
    if relation.get("isSupplier") or relation.get("isStaff"):
        return [Ignored(record.id, "supplier_or_staff")]
    content = MAPPINGS["customer"].read(record.payload, settings.tables())
    return [Mapped(record.id, content, keys=match_keys(Customer.model_validate(content)), day=_day(record))]


def _products(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    if record.deleted:
        return [Ignored(record.id, "gone_from_brightpearl")]
    if not (record.payload.get("identity") or {}).get("sku"):
        return [Ignored(record.id, "no_sku")]
    content = MAPPINGS["product"].read(record.payload, settings.tables())
    parts = (record.payload.get("composition") or {}).get("bundleComponents") or []
    skus = record.payload.get("componentSkus") or {}
    content["components"] = [
        {"sku": skus[str(part["productId"])], "quantity": int(part["productQuantity"])} for part in parts
    ]
    return [
        Mapped(
            record.id,
            content,
            keys=[MatchKey("sku", content["sku"])],
            index=[MatchKey("component", part["sku"]) for part in content["components"]],
            day=_day(record),
        )
    ]


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (
    Source("customers", "customer", _customers),
    Source("products", "product", _products),
    order_progress.SOURCE,
)
