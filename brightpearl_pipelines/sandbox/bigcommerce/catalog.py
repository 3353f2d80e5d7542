"""Reading the catalogue, V3 (bigcommerce.md §3)."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.catalog_shape import PRODUCT, product_json, variant_json
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    bool_filter,
    id_filter,
    includes,
    instant_filter,
    invalid_field,
    page_and_limit,
    parse_instant,
    text_filter,
    v3_data,
    v3_page,
)

Test = Callable[[JsonObject], bool]

INCLUDES = frozenset(
    (
        *("bulk_pricing_rules", "channels", "custom_fields", "images", "modifiers", "options"),
        *("parent_relations", "primary_image", "reviews", "variants", "videos"),
    )
)
CAPPED_INCLUDES = frozenset({"options", "modifiers"})
CAPPED_PAGE = 10
SORTS = frozenset(
    (
        *("id", "name", "sku", "price", "date_modified", "date_last_imported"),
        *("inventory_level", "is_visible", "total_sold", "calculated_price"),
    )
)
TEXT_EQUALS = ("name", "sku", "mpn", "upc", "type", "availability", "condition")
BOOLS = ("is_visible", "is_featured", "is_free_shipping")


def need_product(shop: Shop, call: Call) -> JsonObject:
    """The product that the path names; 404 when there is none."""
    product = shop.get("products", call.ids["product_id"])
    if product is None:
        raise Refusal(404, NOT_FOUND)
    return product


def need_variant(shop: Shop, call: Call) -> JsonObject:
    """The variant that the path names, of the product that it names."""
    variant = shop.get("variants", call.ids["variant_id"])
    if variant is None or variant["product_id"] != call.number("product_id"):
        raise Refusal(404, NOT_FOUND)
    return variant


def product_sku(shop: Shop, product: JsonObject) -> str:
    """The SKU at the product's level: for a simple product that of its base variant."""
    return str(product.get("sku", ""))


def _equals(name: str, wanted: str) -> Test:
    return lambda product: str(product.get(name, PRODUCT[name])).lower() == wanted


def _tests(shop: Shop, call: Call) -> list[Test]:
    """What the product filters ask for, over stored products."""
    tests: list[Test] = []
    query = call.query
    for name in TEXT_EQUALS:
        if name in query:
            tests.append(_equals(name, query[name].lower()))
    for name in BOOLS:
        wanted = bool_filter(call, name)
        if wanted is not None:
            tests.append(_equals(name, str(wanted).lower()))
    tests += _set_tests(shop, call)
    tests += _date_tests(call)
    tests += _level_tests(shop, call)
    keyword = query.get("keyword")
    if keyword is not None:
        folded = keyword.lower()
        tests.append(lambda product: folded in product["name"].lower() or folded in product_sku(shop, product).lower())
    return tests


def _set_tests(shop: Shop, call: Call) -> list[Test]:
    tests: list[Test] = []
    if (brand := id_filter(call, "brand_id")) is not None:
        tests.append(lambda product: product.get("brand_id", 0) in brand)
    for name in ("categories", "categories:in"):
        if (categories := id_filter(call, name)) is not None:
            tests.append(lambda product, wanted=categories: bool(wanted & set(product.get("categories", []))))  # type: ignore[misc]
    if (skus := text_filter(call, "sku:in")) is not None:
        tests.append(lambda product: product_sku(shop, product).lower() in skus)
    if (channels := id_filter(call, "channel_id:in")) is not None:
        tests.append(
            lambda product: any(
                each["channel_id"] in channels for each in shop.children("product_channels", product["id"])
            )
        )
    if (excluded := id_filter(call, "id:not_in")) is not None:
        tests.append(lambda product: product["id"] not in excluded)
    return tests


def _date_tests(call: Call) -> list[Test]:
    """`date_modified` bounds; both ends belong to the range."""
    low, high = instant_filter(call, "date_modified:min"), instant_filter(call, "date_modified:max")
    exact = instant_filter(call, "date_modified")
    if low is None and high is None and exact is None:
        return []

    def test(product: JsonObject) -> bool:
        second = int(parse_instant(product["date_modified"]).timestamp())
        inside = (low is None or second >= low) and (high is None or second <= high)
        return inside and (exact is None or second == exact)

    return [test]


COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "": lambda have, wanted: have == wanted,
    ":min": lambda have, wanted: have >= wanted,
    ":max": lambda have, wanted: have <= wanted,
    ":greater": lambda have, wanted: have > wanted,
    ":less": lambda have, wanted: have < wanted,
}


def _level_tests(shop: Shop, call: Call) -> list[Test]:
    """`id`, `price`, `inventory_level` with their comparisons."""
    reads: dict[str, Callable[[JsonObject], Any]] = {
        "id": lambda product: product["id"],
        "price": lambda product: product.get("price", 0),
        "weight": lambda product: product.get("weight", 0),
        "inventory_level": lambda product: product_json(shop, product)["inventory_level"],
    }
    tests: list[Test] = []
    for name, read in reads.items():
        for suffix, compare in COMPARE.items():
            text = call.query.get(f"{name}{suffix}")
            if text is None:
                continue
            wanted = _decimal(call, name, text)
            tests.append(
                lambda product, read=read, compare=compare, wanted=wanted: compare(Decimal(str(read(product))), wanted)  # type: ignore[misc]
            )
    return tests


def _decimal(call: Call, name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise invalid_field(call, name) from None


def _chosen(shop: Shop, call: Call) -> list[JsonObject]:
    """The products that pass all filters, sorted as asked."""
    ids = id_filter(call, "id:in")
    table = shop.collections["products"]
    if ids is None:
        products: Iterable[JsonObject] = table.values()
    else:
        products = (table[str(id_)] for id_ in sorted(ids) if str(id_) in table)
    tests = _tests(shop, call)
    found = [product for product in products if all(test(product) for test in tests)]
    name = call.query.get("sort", "id")
    if name not in SORTS:
        raise invalid_field(call, "sort")
    descending = call.query.get("direction", "asc") == "desc"
    if name == "id":
        return found[::-1] if descending else found

    def key(product: JsonObject) -> tuple[Any, int]:
        return product_json(shop, product).get(name) or "", product["id"]

    return sorted(found, key=key, reverse=descending)


def list_products(shop: Shop, call: Call) -> Response:
    """GET /v3/catalog/products. With `options` or `modifiers` a page holds 10, whatever `limit` says (§3.1)."""
    wanted = includes(call)
    page, limit = page_and_limit(call)
    if wanted & CAPPED_INCLUDES:
        limit = min(limit, CAPPED_PAGE)
    found = _chosen(shop, call)
    first = (page - 1) * limit
    data = [full_product(shop, call, product) for product in found[first : first + limit]]
    return v3_page(call, data, len(found), page, limit)


def full_product(shop: Shop, call: Call, product: JsonObject) -> JsonObject:
    """A product with what `include` asks for and `include_fields`/`exclude_fields` leave."""
    wanted = includes(call)
    if wanted - INCLUDES:
        raise invalid_field(call, "include")
    full = cut(call, product_json(shop, product))
    if "variants" in wanted:
        full["variants"] = [variant_json(shop, each) for each in shop.children("variants", product["id"])]
    if "options" in wanted:
        full["options"] = shop.children("options", product["id"])
    if "channels" in wanted:
        full["channels"] = [each["channel_id"] for each in shop.children("product_channels", product["id"])]
    kept = ("custom_fields", "images", "bulk_pricing_rules", "modifiers", "parent_relations", "reviews", "videos")
    for name in wanted & set(kept):
        full[name] = product.get(name, [])
    if "primary_image" in wanted:
        full["primary_image"] = None
    return full


def cut(call: Call, item: JsonObject) -> JsonObject:
    """Only the fields asked for; the id always."""
    keep, leave = call.query.get("include_fields"), call.query.get("exclude_fields")
    if keep is not None:
        names = {"id", *keep.split(",")}
        return {name: value for name, value in item.items() if name in names}
    if leave is not None:
        names = set(leave.split(",")) - {"id"}
        return {name: value for name, value in item.items() if name not in names}
    return item


def get_product(shop: Shop, call: Call) -> Response:
    return v3_data(full_product(shop, call, need_product(shop, call)))


def list_variants(shop: Shop, call: Call) -> Response:
    """GET /v3/catalog/variants by `sku`, `id`, `upc`, `product_id:in`: the way to build an index of SKUs (§3.2)."""
    page, limit = page_and_limit(call)
    found = _variants(shop, call)
    first = (page - 1) * limit
    data = [cut(call, variant_json(shop, each)) for each in found[first : first + limit]]
    return v3_page(call, data, len(found), page, limit)


def _variants(shop: Shop, call: Call) -> list[JsonObject]:
    sku, upc = call.query.get("sku"), call.query.get("upc")
    ids, products = id_filter(call, "id"), id_filter(call, "product_id:in")
    if sku is not None:
        variant = shop.variant_of_sku(sku)
        found = [] if variant is None else [variant]
    elif products is not None:
        found = [each for id_ in sorted(products) for each in shop.children("variants", id_)]
    else:
        found = list(shop.collections["variants"].values())
    return [
        each
        for each in found
        if (ids is None or each["id"] in ids)
        and (upc is None or each.get("upc", "") == upc)
        and (products is None or each["product_id"] in products)
    ]


def list_product_variants(shop: Shop, call: Call) -> Response:
    """GET /v3/catalog/products/{product_id}/variants."""
    product = need_product(shop, call)
    page, limit = page_and_limit(call)
    found = shop.children("variants", product["id"])
    first = (page - 1) * limit
    data = [cut(call, variant_json(shop, each)) for each in found[first : first + limit]]
    return v3_page(call, data, len(found), page, limit)


def get_variant(shop: Shop, call: Call) -> Response:
    need_product(shop, call)
    return v3_data(cut(call, variant_json(shop, need_variant(shop, call))))


def list_options(shop: Shop, call: Call) -> Response:
    """GET /v3/catalog/products/{product_id}/options."""
    product = need_product(shop, call)
    page, limit = page_and_limit(call)
    found = shop.children("options", product["id"])
    first = (page - 1) * limit
    return v3_page(call, found[first : first + limit], len(found), page, limit)
