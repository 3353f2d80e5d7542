"""What people do to products in Brightpearl and in the shop, and what a test sees of it there."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce import catalog_book
from brightpearl_pipelines.sandbox.bigcommerce.catalog_shape import product_json, variant_json
from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines.systems.bigcommerce.catalogue_settings import Catalogue
from brightpearl_pipelines_tests.sync.harness import Harness

Json = Mapping[str, Any]
RETAIL, RETAIL_EUR, RETAIL_USD = 2, 3, 4
EVERYTHING = (
    "sku", "name", "description", "price", "weight", "identifiers", "visible", "brand", "categories", "custom_fields",
)  # fmt: skip


class Desk:
    """Products by SKU, on both sides."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.brightpearl = harness.brightpearl
        self.shop = harness.bigcommerce

    def run(self) -> None:
        """A run on products alone."""
        self.harness.run(entity="product")

    def settings(self, **changes: Any) -> None:
        """Change the shop's `catalogue:` block."""
        block = {"price_list": RETAIL, **changes}
        self.harness.configure("bigcommerce", catalogue=Catalogue.model_validate(block))

    # -- Brightpearl ------------------------------------------------------------------------------------------------

    def ours(self, sku: str) -> dict[str, Any]:
        """The product with this SKU in Brightpearl, ready to be edited."""
        found: dict[str, Any] = self.brightpearl.products.find(self.brightpearl.products.by_sku[sku])
        return found

    def add(self, product: Product) -> None:
        """Somebody sets up a product in Brightpearl."""
        self.harness.pass_time(1)
        self.harness.in_world(lambda: self.brightpearl.products.add(product))

    def edit(self, sku: str, /, **changes: Any) -> None:
        """Somebody edits it: sku, name, ean …, description, status, weight, custom_fields."""
        product = self.ours(sku)
        identity = {name: changes.pop(name) for name in ("sku", "ean", "upc", "mpn", "isbn") if name in changes}

        def go() -> None:
            product["identity"] |= identity
            channel = product["salesChannels"][0]
            if "name" in changes:
                channel["productName"] = changes.pop("name")
            if "description" in changes:
                channel["description"] = {**channel["description"], "text": changes.pop("description")}
            if "weight" in changes:
                product["stock"]["weight"] = {"magnitude": changes.pop("weight")}
            if "custom_fields" in changes:
                product["customFields"] = changes.pop("custom_fields")
            product.update(changes)
            self.brightpearl.products.changed(product)

        self.harness.pass_time(2)
        self.harness.in_world(go)

    def price(self, sku: str, amount: str | None, price_list: int = RETAIL) -> None:
        """Somebody changes a price, which touches nothing else; None takes it away."""
        number = str(self.ours(sku)["id"])

        def go() -> None:
            stored = self.brightpearl.collection("product_prices")[number]
            stored["prices"][str(price_list)] = {"1": amount} if amount else {}
            self.brightpearl.put("product_prices", number, stored)

        self.harness.in_world(go)

    # -- the shop ---------------------------------------------------------------------------------------------------

    def variant(self, sku: str) -> dict[str, Any]:
        """The variant with this SKU, as the shop's API answers it; an AssertionError if there is none."""
        found = self.shop.variant_of_sku(sku)
        assert found is not None and found["sku"] == sku, f"the shop has no {sku}"
        return variant_json(self.shop, found)

    def product(self, sku: str) -> dict[str, Any]:
        """The product that the variant belongs to."""
        return product_json(self.shop, self.shop.need("products", self.variant(sku)["product_id"]))

    def has(self, sku: str) -> bool:
        found = self.shop.variant_of_sku(sku)
        return found is not None and found["sku"] == sku

    def family(self, sku: str) -> dict[str, dict[str, str]]:
        """The variants of the product that this SKU belongs to: SKU, and options by name."""
        variants = self.shop.children("variants", self.variant(sku)["product_id"])
        return {
            each["sku"]: {value["option_display_name"]: value["label"] for value in each["option_values"]}
            for each in variants
        }

    def type_in(self, sku: str, /, **fields: Any) -> None:
        """Somebody edits the product in the shop."""
        self.harness.pass_time(2)
        product = self.shop.need("products", self.variant(sku)["product_id"])
        self.harness.in_world(lambda: catalog_book.change_product(self.shop, product, fields))

    def delete(self, sku: str) -> None:
        """Somebody deletes the product in the shop."""
        product = self.shop.need("products", self.variant(sku)["product_id"])
        self.harness.pass_time(2)
        self.harness.in_world(lambda: catalog_book.delete_product(self.shop, product))

    def sell(self, product: Product) -> None:
        """Somebody adds a product to the shop by hand."""
        self.harness.pass_time(2)
        self.harness.in_world(lambda: catalog_book.add_world_product(self.shop, product))

    def names(self, collection: str, ids: list[int]) -> list[str]:
        return [self.shop.need(collection, each)["name"] for each in ids]

    def channels(self, sku: str) -> set[int]:
        number = self.variant(sku)["product_id"]
        return {each["channel_id"] for each in self.shop.children("product_channels", number)}

    def listed(self, price_list: int) -> dict[tuple[str, str], Decimal]:
        """The records of a price list: (SKU, currency) to price."""
        return {
            (self.shop.need("variants", each["variant_id"])["sku"], each["currency"]): Decimal(str(each["price"]))
            for each in self.shop.children("price_records", price_list)
        }

    # -- what was written ---------------------------------------------------------------------------------------------

    def writes(self) -> list[str]:
        """The writes to the shop's catalogue and price lists since the harness's mark."""
        return [each for each in self.harness.writes() if "/catalog/" in each or "/pricelists/" in each]
