"""What the shop's catalogue refers to: brands and categories by name, how the store enters prices and weights.

Names are read once a session and only where they are asked for; a category that does not exist is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import RefusedError
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import Follows, Session
from brightpearl_pipelines.systems.following import following

BRANDS, CATEGORIES = "v3/catalog/brands", "v3/catalog/categories"
UNITS = {"kgs": "kg", "kg": "kg", "grams": "g", "lbs": "lb", "pounds": "lb", "ounces": "oz", "oz": "oz"}
"""How `/v2/store` names units of weight (§6), as far as known."""


@dataclass
class Names:
    """Ids and names of one collection."""

    by_id: dict[int, str]

    def id_of(self, name: str) -> int | None:
        """The id of a name, whatever its case; of several with that name the oldest."""
        ids = [number for number, known in self.by_id.items() if known.casefold() == name.casefold()]
        return min(ids, default=None)


async def names(session: Session, path: str) -> Names:
    """All names of a collection: one call per 250, once a session."""
    if path not in session.facts:
        rows = await client_of(session).all(path)
        session.facts[path] = Names({int(row["id"]): str(row["name"]) for row in rows})
    found: Names = session.facts[path]
    return found


async def category_ids(session: Session, wanted: Sequence[str]) -> list[int]:
    """The ids of categories by name; those that do not exist are made at the top level."""
    known = await names(session, CATEGORIES)
    found: list[int] = []
    for name in wanted:
        number = known.id_of(name)
        if number is None:
            number = await _made(session, name)
            known.by_id[number] = name
        found.append(number)
    return sorted(found)


async def _made(session: Session, name: str) -> int:
    client = client_of(session)
    try:
        answer = await client.api.request("POST", CATEGORIES, json={"parent_id": 0, "name": name})
        return int(read_json(answer)["data"]["id"])
    except RefusedError as error:
        if error.status != 409:
            raise
    # Somebody has just made it: its name is unique among its siblings.
    rows = await client.all(CATEGORIES, {"name": name})
    return int(rows[0]["id"])


@dataclass(frozen=True)
class StoreFacts:
    """How the store enters prices and weights; `weight_unit` None where it uses a word that we do not know."""

    prices_include_tax: bool
    weight_unit: str | None

    @classmethod
    def of(cls, store: Json) -> "StoreFacts":
        """Out of the answer of `/v2/store` (§6)."""
        unit = UNITS.get(str(store.get("weight_units") or "").lower())
        return cls(bool(store.get("is_price_entered_with_tax")), unit)

    def contradicts(self, settings: BigCommerceSettings) -> str | None:
        """In what the settings differ from the store; None if in nothing."""
        wrong = []
        if self.prices_include_tax != settings.catalogue.prices_include_tax:
            how = "with" if self.prices_include_tax else "without"
            wrong.append(f"the store's prices are entered {how} tax, `catalogue.prices_include_tax` says otherwise")
        if self.weight_unit not in (None, settings.catalogue.weight_unit):
            wrong.append(f"the store weighs in {self.weight_unit}, `catalogue.weight_unit` says otherwise")
        return "; ".join(wrong) or None


async def store_facts(session: Session) -> StoreFacts:
    """Read once a session, before anything is written that depends on it."""
    if "store" not in session.facts:
        session.facts["store"] = StoreFacts.of(await client_of(session).get("v2/store"))
    found: StoreFacts = session.facts["store"]
    return found


# -- the names beside each product --------------------------------------------------------------------------------


async def shelves_of(session: Session, product: dict[str, Any]) -> dict[str, Any]:
    """The names of a product's brand and categories."""
    brands, categories = await names(session, BRANDS), await names(session, CATEGORIES)
    return {
        "brand": brands.by_id.get(int(product.get("brand_id") or 0), ""),
        "categories": sorted(
            categories.by_id[each] for each in product.get("categories") or () if each in categories.by_id
        ),
    }


async def _read_shelves(session: Session, products: Sequence[Record]) -> list[SourceRecord]:
    """Nothing, and no call, while the settings do not keep brands or categories in step."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this stream belongs to this system
    if not {"brand", "categories"} & set(settings.catalogue.fields):
        return []
    return [SourceRecord(each.id, await shelves_of(session, dict(each.payload)), each.modified_at) for each in products]


SHELVES = following("product_shelves", "product", Follows("products", _read_shelves))
