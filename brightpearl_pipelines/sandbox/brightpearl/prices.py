"""product-service: price lists and product prices (brightpearl.md §7.2).

Whether a changed price moves the product's `updatedOn` and raises `product.modified` is not documented: a setting, off.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.reference import text
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    fixed,
    get_uris,
    int_of,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

COST_LIST, RETAIL_LIST = 1, 2


class Prices:
    """Prices are held in the collection `product_prices`: product id to price list id to break quantity to price."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "product-service/product-price"
        return [
            Endpoint("GET", f"{root}/{{ids}}", self.get, "get-product-price"),
            Endpoint("GET", f"{root}/{{ids}}/price-list/{{lists}}", self.get, "get-product-price"),
            Endpoint("PUT", f"{root}/{{id}}/price-list", self.put, "put-product-price"),
            Endpoint("OPTIONS", f"{root}/{{ids?}}", self.options, "options-product-price"),
        ]

    def put_list(self, number: int, code: str, name: str, currency: JsonObject, kind: str) -> None:
        """Lists hold prices net of tax, as the world does."""
        money = {"currencyCode": currency["code"], "currencySymbol": currency["symbol"], "currencyId": currency["id"]}
        entry = {"id": number, "name": text(name), "code": code, **money, "priceListTypeCode": kind, "gross": False}
        self.emulator.put("price_lists", number, entry)

    def first_prices(self, product_id: int, price: Decimal, cost: Decimal) -> None:
        """Prices in every list, converted by the present rate of its currency."""
        rates = {
            currency["code"]: Decimal(currency["exchangeRate"])
            for currency in self.emulator.collection("currencies").values()
        }
        prices = {}
        for number, entry in self.emulator.collection("price_lists").items():
            amount = cost if entry["priceListTypeCode"] == "BUY" else price * rates[entry["currencyCode"]]
            prices[number] = {"1": fixed(amount, 4)}
        self.emulator.put("product_prices", product_id, {"productId": product_id, "prices": prices})

    def price(self, product_id: int, list_id: int, quantity: Decimal) -> Decimal:
        """The price for a quantity in a list; 0 where there is none."""
        entry = self.emulator.collection("product_prices").get(str(product_id))
        breaks = entry["prices"].get(str(list_id), {}) if entry else {}
        fitting = [int(count) for count in breaks if int(count) <= max(quantity, Decimal(1))]
        return Decimal(breaks[str(max(fitting))]) if fitting else Decimal(0)

    def get(self, _call: Call, ids: str, lists: str | None = None) -> Reply:
        """Every list is present for each product, empty where it has no price."""
        products = self.emulator.collection("products")
        everything = ids == "*" and lists is not None
        found = list(map(int, products)) if everything else IdSet.parse(ids).limited(200).among(products)
        price_lists = self.emulator.collection("price_lists")
        wanted = IdSet.parse(lists).among(price_lists) if lists else list(map(int, price_lists))
        if not found or not wanted:
            raise not_found("No Product Prices Found")
        return answer([self._shown(number, [price_lists[str(entry)] for entry in wanted]) for number in found])

    def _shown(self, product_id: int, lists: list[JsonObject]) -> JsonObject:
        entry = self.emulator.collection("product_prices").get(str(product_id), {})
        prices, skus = entry.get("prices", {}), entry.get("skus", {})
        shown = []
        for item in lists:
            number = str(item["id"])
            line = {
                "priceListId": item["id"],
                "currencyCode": item["currencyCode"],
                "currencyId": item["currencyId"],
                "quantityPrice": prices.get(number, {}),
            }
            shown.append({**line, "sku": skus[number]} if number in skus else line)
        return {"productId": product_id, "priceLists": shown}

    def put(self, call: Call, id: str) -> Reply:
        """Lists that are not named stay as they are."""
        if id not in self.emulator.collection("products"):
            raise not_found("No Product Prices Found")
        sent = call.object().get("priceLists")
        if not isinstance(sent, list) or not sent:
            raise ApiError(400, ("PRDC-070", "priceLists is required"))
        checked = [self._checked(entry) for entry in sent]
        product = self.emulator.collection("products")[id]
        stored = self.emulator.collection("product_prices").get(id, {"productId": product["id"], "prices": {}})
        for number, breaks, sku in checked:
            stored["prices"][number] = breaks
            if sku is not None:
                stored.setdefault("skus", {})[number] = sku
        self.emulator.put("product_prices", id, stored)
        if self.emulator.settings["price_changes_touch_product"]:
            self.emulator.products.changed(product)
        return DONE

    def _checked(self, entry: JsonObject) -> tuple[str, dict[str, str], str | None]:
        number = str(entry.get("priceListId"))
        breaks = entry.get("quantityPrice")
        if number not in self.emulator.collection("price_lists") or not isinstance(breaks, dict):
            raise ApiError(400, ("PRDC-071", f"You have supplied an invalid price list: {number}"))
        prices = {}
        for count, value in breaks.items():
            amount = decimal_of(value)
            if (int_of(count) or 0) < 1 or amount is None or amount < 0:
                raise ApiError(400, ("PRDC-072", f"You have supplied an invalid price: {count}: {value}"))
            prices[str(count)] = fixed(amount, 4)
        return number, prices, entry.get("sku")

    def options(self, _call: Call, ids: str | None) -> Reply:
        products = self.emulator.collection("products")
        return answer(get_uris("/product-price", IdSet.parse(ids).among(products) if ids else map(int, products)))
