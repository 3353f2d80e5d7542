"""Lines of an order as an API client writes them (bigcommerce.md §2.6)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.order_book import add_line, catalog_facts
from brightpearl_pipelines.sandbox.bigcommerce.order_money import (
    ZERO,
    PricedLine,
    TaxRule,
    line_from_gross,
    line_from_net,
    line_from_pair,
)
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import set_line_money
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject, Refusal, decimal_of, money

NAMES = ("name", "name_customer", "name_merchant")
CUSTOM_REQUIRED = ("name", "quantity", "price_ex_tax", "price_inc_tax")


def whole_quantity(value: Json, lowest: int = 1) -> int:
    """A quantity; 400 for anything but a whole number."""
    if type(value) is not int or not lowest <= value <= stock.MOST:
        raise Refusal(400, "The field 'quantity' is invalid.")
    return value


class LineWrites:
    """Reads, prices, adds and changes the lines of one order."""

    def __init__(self, shop: Shop, rule: TaxRule) -> None:
        self.shop = shop
        self.rule = rule

    def read_new(self, given: Json) -> tuple[JsonObject, PricedLine]:
        """A new line: what it is and what it costs; 400 when either cannot be told."""
        if not isinstance(given, dict):
            raise Refusal(400, "The field 'products' is invalid.")
        if not given.get("product_id"):
            return self._custom(given)
        variant = self._variant(given)
        facts = catalog_facts(self.shop, variant)
        facts.update({name: str(given[name]) for name in NAMES if given.get(name)})
        return facts, self._catalog_price(given, variant, whole_quantity(given.get("quantity")))

    def _custom(self, given: Mapping[str, Any]) -> tuple[JsonObject, PricedLine]:
        for name in CUSTOM_REQUIRED:
            if given.get(name) is None:
                raise Refusal(400, f"The required field '{name}' was not supplied.")
        quantity = whole_quantity(given["quantity"])
        facts = {name: str(given.get(name) or given["name"]) for name in NAMES}
        facts["sku"], facts["upc"] = str(given.get("sku") or ""), str(given.get("upc") or "")
        return facts, line_from_pair(*_pair(given), quantity, self.rule)

    def _variant(self, given: Mapping[str, Any]) -> JsonObject:
        """The variant meant by `variant_id`, by `product_options`, or the only one there is."""
        product = self.shop.get("products", given["product_id"])
        if product is None:
            raise Refusal(400, "The field 'product_id' is invalid.")
        variants = self.shop.children("variants", product["id"])
        if given.get("variant_id"):
            chosen = [each for each in variants if each["id"] == given["variant_id"]]
        elif given.get("product_options"):
            wanted = {(int(option["id"]), str(option["value"])) for option in given["product_options"]}
            chosen = [each for each in variants if wanted == _choices(each)]
        else:
            chosen = variants if len(variants) == 1 else []
        if not chosen:
            raise Refusal(400, "The options of one or more products are invalid.")
        return chosen[0]

    def _catalog_price(self, given: Mapping[str, Any], variant: JsonObject, quantity: int) -> PricedLine:
        sides = [name for name in ("price_ex_tax", "price_inc_tax") if given.get(name) is not None]
        if len(sides) == 1:
            raise Refusal(400, "The fields 'price_ex_tax' and 'price_inc_tax' must be supplied together.")
        if sides:
            return line_from_pair(*_pair(given), quantity, self.rule)
        product = self.shop.need("products", variant["product_id"])
        own = variant.get("sale_price") or variant.get("price")
        price = own if own is not None else product.get("sale_price") or product.get("price", 0)
        tax_class = self.shop.get("tax_classes", product.get("tax_class_id", 0))
        rate = Decimal(tax_class["rate"]) if tax_class else ZERO
        make = line_from_gross if self.rule.inclusive else line_from_net
        return make(Decimal(str(price)), quantity, rate, self.rule)

    def add(self, order: JsonObject, facts: JsonObject, priced: PricedLine, address_id: int) -> JsonObject:
        """Store a new line."""
        return add_line(self.shop, order, facts, priced, address_id)

    def change(self, order: JsonObject, given: Json, rates: dict[int, Decimal]) -> None:
        """PUT's `products`: an id changes a line, none adds one, quantity 0 removes; all checked before any is done.

        A changed line loses its discounts, and the order what lay on it (§8.13). `rates` follows.
        """
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise Refusal(400, "The field 'products' is invalid.")
        own = {line["id"]: line for line in self.shop.children("order_products", order["id"])}
        new = [self.read_new(each) for each in given if not each.get("id")]
        changes = [(self._own_line(own, each), each) for each in given if each.get("id")]
        addresses = self.shop.index.children["order_addresses"].get(order["id"], [])
        address_id = addresses[0] if addresses else 0
        for line, each in changes:
            self._change_one(order, line, each, rates)
        for facts, priced in new:
            line = self.add(order, facts, priced, address_id)
            rates[line["id"]] = priced.rate
            if self._moves_stock(order):
                stock.take_for_line(self.shop, order["id"], line)

    def _own_line(self, own: Mapping[int, JsonObject], given: Mapping[str, Any]) -> JsonObject:
        line = own.get(given["id"])
        if line is None:
            raise Refusal(400, "The field 'products' is invalid.", details={"id": given["id"]})
        if "quantity" in given and whole_quantity(given["quantity"], 0) < line["quantity_shipped"]:
            raise Refusal(400, "The field 'quantity' is invalid.", details={"id": given["id"]})
        if ("price_ex_tax" in given) != ("price_inc_tax" in given):
            raise Refusal(400, "The fields 'price_ex_tax' and 'price_inc_tax' must be supplied together.")
        if "price_ex_tax" in given:
            _pair(given)
        return line

    def _moves_stock(self, order: JsonObject) -> bool:
        """Whether editing an order moves stock: by the shop's setting, once the order has taken any."""
        edits = self.shop.inventory_setting("edit_order_stock_adjustment", order["channel_id"])
        return bool(edits) and stock.takes_stock_now(self.shop, order)

    def _change_one(
        self, order: JsonObject, line: JsonObject, given: Mapping[str, Any], rates: dict[int, Decimal]
    ) -> None:
        self._forget_discounts(order, line)
        quantity = given.get("quantity", line["quantity"])
        if self._moves_stock(order):
            stock.give_back(self.shop, order, [(line, line["quantity"])])
        if quantity == 0:
            self.shop.drop("order_products", line["id"])
            rates.pop(line["id"], None)
            return
        line.update({name: str(given[name]) for name in NAMES if given.get(name)})
        sides = given if "price_ex_tax" in given else line
        priced = line_from_pair(*_pair(sides), quantity, self.rule)
        rate = priced.rate if "price_ex_tax" in given else rates.get(line["id"], ZERO)
        if "price_ex_tax" not in given:
            make = line_from_gross if self.rule.inclusive else line_from_net
            priced = make(Decimal(line["base_price"]), quantity, rate, self.rule)
        set_line_money(line, priced)
        rates[line["id"]] = rate
        if self._moves_stock(order):
            stock.take_for_line(self.shop, order["id"], line)

    def _forget_discounts(self, order: JsonObject, line: JsonObject) -> None:
        for each in line["applied_discounts"]:
            field = "coupon_discount" if each["code"] else "discount_amount"
            order[field] = money(max(ZERO, Decimal(order[field]) - Decimal(each["amount"])))
        line["applied_discounts"] = []


def _pair(given: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    return decimal_of(given["price_ex_tax"], "price_ex_tax"), decimal_of(given["price_inc_tax"], "price_inc_tax")


def _choices(variant: JsonObject) -> set[tuple[int, str]]:
    """Option id and chosen value id, as `product_options` names them."""
    return {(value["option_id"], str(value["id"])) for value in variant.get("option_values", [])}
