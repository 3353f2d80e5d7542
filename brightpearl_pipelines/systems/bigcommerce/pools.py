"""Which warehouses feed which of the shop's locations, and what is kept back there: the part of connections.yaml that
shapes the shop's numbers.

A pool is a location of the shop with the Brightpearl warehouses that it sells from. A warehouse may feed several pools,
of one shop or of several: it is then shared, and each of them shows all of it, less what any of them has promised.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from brightpearl_pipelines.store.types import Json

Units = Annotated[int, Field(ge=0)]


class Pool(BaseModel):
    """One location of the shop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: Annotated[int, Field(gt=0)]
    """The shop's location id (bigcommerce.md §4.3); 1 is the default one."""
    warehouses: Annotated[tuple[int, ...], Field(min_length=1)]
    """Brightpearl warehouses whose stock it shows."""
    safety_stock: Units | None = None
    """Units a SKU kept back here; the shop's own figure if nothing is said."""


class KeptBack(BaseModel):
    """Units kept back of some products instead of the general figure. A SKU's own rule wins, then the largest of its
    categories', then its brand's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skus: dict[str, Units] = {}
    categories: dict[str, Units] = {}
    brands: dict[str, Units] = {}

    @property
    def asks_for_products(self) -> bool:
        """Whether the SKU alone does not say it."""
        return bool(self.categories or self.brands)

    def of(self, sku: str, product: Json) -> int | None:
        """What a rule says of a SKU, whose product has this content; None if no rule does."""
        if sku in self.skus:
            return self.skus[sku]
        ruled = [self.categories[each] for each in product.get("categories") or () if each in self.categories]
        return max(ruled) if ruled else self.brands.get(str(product.get("brand") or ""))


def with_warehouses(fields: Any) -> Any:
    """The fields of a shop as written, the short form filled in from `locations` if there are any: `warehouses` is then
    all of theirs, in their order, and `location` the first.

    Raises ValueError if both forms are written. What is wrong within `locations` is left for their own check.
    """
    if not isinstance(fields, Mapping) or not fields.get("locations"):
        return fields
    if both := [name for name in ("warehouses", "location") if name in fields]:
        raise ValueError(f"either `locations`, or the short form for a single one; here is `{both[0]}` as well")
    written = [each for each in fields["locations"] if isinstance(each, Mapping)]
    warehouses = [number for each in written for number in each.get("warehouses") or ()]
    first = next((each["location"] for each in written if "location" in each), 1)
    return {**fields, "warehouses": list(dict.fromkeys(warehouses)) or [0], "location": first}


def named_twice(pools: tuple[Pool, ...]) -> int | None:
    """A location that several pools claim, None if there is none."""
    named = [pool.location for pool in pools]
    return next((each for each in named if named.count(each) > 1), None)
