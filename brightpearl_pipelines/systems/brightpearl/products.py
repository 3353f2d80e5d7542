"""Brightpearl's products in our words, with what stands beside them: prices, brands, categories (brightpearl.md §7).

Nothing documents that a changed price touches the product's `updatedOn` or raises an event (§7.2, §10.3). So prices are
read with each product that changed, and all of them again every `details_minutes` (settings): 5 calls for 1,000 of them
and 3 for the lists of price lists, brands and categories. While no product changes and no reading is due: no call.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import ProductDetails
from brightpearl_pipelines.mapping import Mapping as FieldMapping
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Follows,
    Ignored,
    Joining,
    Mapped,
    Session,
    Settings,
    Source,
    Tables,
)
from brightpearl_pipelines.systems.following import following

FACTS = "product reference"


# -- reading ------------------------------------------------------------------------------------------------------


async def read_details(session: Session, products: Sequence[Record]) -> list[SourceRecord]:
    """Selling prices by price list, the names of brand and categories; 200 products a call (§2.5)."""
    if not products:
        return []
    client = client_of(session)
    lists, brands, categories = await _reference(session)
    rows = await client.get_many("product-service/product-price/{ids}", [row.id for row in products])
    priced = {str(row["productId"]): row["priceLists"] for row in rows}
    records = []
    for row in products:
        channels = row.payload.get("salesChannels") or [{}]
        codes = [str(each["categoryCode"]) for each in channels[0].get("categories") or ()]
        payload = {
            "productId": row.id,
            "prices": _selling(priced.get(row.id, ()), lists),
            "brand": brands.get(str(row.payload.get("brandId")), ""),
            "categories": sorted({categories[each] for each in codes if each in categories}),
        }
        records.append(SourceRecord(row.id, payload, row.modified_at))
    return records


async def _reference(session: Session) -> tuple[dict[str, Json], dict[str, str], dict[str, str]]:
    """Price lists by id, names of brands and of categories by id: one call each, once a session."""
    if FACTS not in session.facts:
        client = client_of(session)
        lists = {str(each["id"]): each for each in await client.get("product-service/price-list")}
        brands = {str(each["id"]): str(each["name"]) for each in await client.get("product-service/brand")}
        found = await client.get("product-service/brightpearl-category")
        session.facts[FACTS] = (lists, brands, {str(each["id"]): str(each["name"]) for each in found})
    found_before: tuple[dict[str, Json], dict[str, str], dict[str, str]] = session.facts[FACTS]
    return found_before


def _selling(entries: Sequence[Json], lists: Mapping[str, Json]) -> dict[str, Any]:
    """The price of one unit in each selling list that has one; breaks for larger quantities are left out."""
    prices: dict[str, Any] = {}
    for entry in entries:
        about = lists.get(str(entry["priceListId"]))
        amount = (entry.get("quantityPrice") or {}).get("1")
        if about is None or about.get("priceListTypeCode") == "BUY" or amount is None:
            continue
        prices[str(entry["priceListId"])] = {
            "currency": about["currencyCode"],
            "amount": str(amount),
            "gross": bool(about.get("gross")),
        }
    return prices


def _again_after(settings: Settings) -> timedelta | None:
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this stream belongs to this system
    return timedelta(minutes=settings.details_minutes) if settings.details_minutes else None


# -- meaning ------------------------------------------------------------------------------------------------------


def _channel(product: Json) -> Json:
    """The texts of the channel that Brightpearl itself is: the first one (§7.1)."""
    channels = product.get("salesChannels") or [{}]
    first: Json = channels[0]
    return first


def _product_name(product: Json, tables: Tables) -> str:
    del tables
    return str(_channel(product).get("productName") or "")


def _title(product: Json, tables: Tables) -> str:
    """Without the option values at its end: of `Tee Red S`, where Red and S are its options, `Tee`."""
    name = title = _product_name(product, tables)
    for value in reversed(_options(product, tables).values()):
        if title.lower().endswith(value.lower()):
            title = title[: len(title) - len(value)].rstrip(" -,/|:")
    return title or name


def _description(product: Json, tables: Tables) -> str:
    del tables
    return str((_channel(product).get("description") or {}).get("text") or "")


def _live(product: Json, tables: Tables) -> bool:
    del tables
    return str(product.get("status") or "LIVE") == "LIVE"


def _options(product: Json, tables: Tables) -> dict[str, str]:
    del tables
    return {str(each["optionName"]): str(each["optionValue"]) for each in product.get("variations") or []}


def _group(product: Json, tables: Tables) -> str:
    """The product group, of variants only: products of the same name get into one group by themselves (§7.1)."""
    return str(product.get("productGroupId") or "") if _options(product, tables) else ""


def _weight(product: Json, tables: Tables) -> Decimal:
    """Brightpearl's `magnitude` is in the unit of the account's configuration (§10.4)."""
    magnitude = ((product.get("stock") or {}).get("weight") or {}).get("magnitude")
    return Decimal(str(magnitude or 0)) * Decimal(tables["weight"]["kilograms"])


def _tax_rate(product: Json, tables: Tables) -> Decimal | None:
    """None for a code that connections.yaml does not name."""
    code = ((product.get("financialDetails") or {}).get("taxCode") or {}).get("code")
    rate = tables["tax_rates"].get(str(code))
    return None if rate is None else Decimal(rate)


def _custom_fields(product: Json, tables: Tables) -> dict[str, str]:
    """In words: a choice by its text, yes or no as such (§5.4)."""
    del tables
    found = {}
    for code, value in (product.get("customFields") or {}).items():
        chosen = value.get("value") if isinstance(value, dict) else value
        found[str(code)] = {True: "Yes", False: "No"}[chosen] if isinstance(chosen, bool) else str(chosen)
    return found


FUNCTIONS = {
    "product_name": _product_name,
    "title": _title,
    "description": _description,
    "live": _live,
    "options": _options,
    "group": _group,
    "weight": _weight,
    "custom_fields": _custom_fields,
}


def read_product(mapping: FieldMapping, record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """A product that somebody destroyed is like a discontinued one: a shop that has it hides it."""
    product = record.payload
    if not (product.get("identity") or {}).get("sku"):
        return [Ignored(record.id, "gone_from_brightpearl" if record.deleted else "no_sku")]
    tables = settings.tables()
    content = mapping.read(product, tables)
    content["tax_rate"] = _tax_rate(product, tables)
    if record.deleted:
        content["live"] = False
    parts = (product.get("composition") or {}).get("bundleComponents") or []
    skus = product.get("componentSkus") or {}
    content["components"] = [
        {"sku": skus[str(part["productId"])], "quantity": int(part["productQuantity"])} for part in parts
    ]
    index = [
        *(MatchKey("component", part["sku"]) for part in content["components"]),
        MatchKey("sku_folded", content["sku"].casefold()),
        MatchKey("title_folded", content["title"].casefold()),
    ]
    if content["group"]:
        index.append(MatchKey("group", f"{record.connection}:{content['group']}"))
    day = record.modified_at.date() if record.modified_at else None
    return [Mapped(record.id, content, keys=[MatchKey("sku", content["sku"])], index=index, day=day)]


def _read_details(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    del settings
    return [Mapped(record.id, {name: record.payload[name] for name in ("prices", "brand", "categories")})]


def _by_id_alone(record: Record) -> None:
    """It has the product's own id; nothing else says whose it is."""
    del record


DETAILS_STREAM = following("product_details", "product", Follows("products", read_details, _again_after))
DETAILS_SOURCE = Source(
    "product_details",
    "product",
    _read_details,
    joins=Joining(ProductDetails, _by_id_alone, "details_of_no_product"),
)
