"""What connections.yaml may say about a store's catalogue: the block `catalogue` of a BigCommerce connection."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from brightpearl_pipelines.entities.weight import Unit

CatalogueField = Literal[
    "sku", "name", "description", "price", "weight", "identifiers", "visible", "brand", "categories", "custom_fields"
]
ListId = Annotated[int, Field(gt=0)]


class Catalogue(BaseModel):
    """Which products go to the shop, and what of them is kept in step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    publish: Literal["none", "existing", "all"] = "existing"
    """`existing`: what the shop offers already, new variants of it included; `all`: Brightpearl's products are made in
    the shop too; `none`: the shop's catalogue is its own."""
    fields: tuple[CatalogueField, ...] = ("sku", "name", "price", "weight", "identifiers", "visible")
    """What follows Brightpearl. A product that is made has all of them, whatever this says."""
    price_list: ListId | None = None
    """The Brightpearl price list of the shop's own prices; without it those are the shop's own affair."""
    price_lists: dict[ListId, tuple[ListId, ...]] = {}
    """The shop's price list: the Brightpearl price lists that fill it, one a currency. Which channel and customer group
    a list is for, the shop says itself (bigcommerce.md §6)."""
    prices_include_tax: bool = False
    """Whether the shop's prices are entered with tax, as its own settings say; Brightpearl's price lists each say it
    for themselves, and are converted by the product's tax rate."""
    weight_unit: Unit = "kg"
    """The unit that the store weighs in, as its own settings say."""
    brands: dict[str, str] = {}
    """Brightpearl's brand: the shop's, where the names differ."""
    categories: dict[str, str] = {}
    """Brightpearl's category: the shop's, where the names differ. What the shop does not have is made."""
    custom_fields: dict[str, str] = {}
    """Code of Brightpearl's custom field: name of the shop's."""

    def keeps(self, field: CatalogueField) -> bool:
        """Whether a field follows Brightpearl."""
        return field in self.fields
