"""Writing the catalogue, V3: single and batched, with the batch limits and the partial success of §3.1 to §3.6."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce import catalog_book, custom_fields, stock
from brightpearl_pipelines.sandbox.bigcommerce.catalog import full_product, need_product, need_variant
from brightpearl_pipelines.sandbox.bigcommerce.catalog_checks import (
    OPTION_CHECKS,
    PRODUCT_CHECKS,
    VALUE_CHECKS,
    VARIANT_CHECKS,
)
from brightpearl_pipelines.sandbox.bigcommerce.catalog_shape import PRODUCT, READ_ONLY_PRODUCT, VARIANT, variant_json
from brightpearl_pipelines.sandbox.bigcommerce.checks import NOT_VALID, integer, list_of, object_of, refuse_wrong, text
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    STATUS_PAGE,
    Call,
    Json,
    JsonObject,
    Refusal,
    id_filter,
    json_answer,
    nothing,
    v3_data,
)

PRODUCT_BATCH = 10
VARIANT_BATCH = 50
DELETE_BATCH = 250
PRODUCT_FIELDS = frozenset(PRODUCT) - READ_ONLY_PRODUCT | {"brand_name", "variants", "inventory_level", "custom_fields"}
VARIANT_FIELDS = frozenset(VARIANT) - {"id", "product_id", "sku_id", "calculated_price", "calculated_weight"}
PARTIAL = "partial"


def _missing(fields: Mapping[str, str]) -> Refusal:
    return Refusal(422, "Missing Required Fields", errors=dict(fields))


def _product_fields(shop: Shop, body: JsonObject) -> JsonObject:
    """The writable fields, checked; `brand_name` becomes the brand's id."""
    refuse_wrong(body, PRODUCT_CHECKS)
    for name, collection in (("brand_id", "brands"), ("tax_class_id", "tax_classes")):
        if body.get(name) and shop.get(collection, body[name]) is None:
            raise Refusal(409, f"The {name} {body[name]} does not exist.")
    for category in body.get("categories", []):
        if shop.get("categories", category) is None:
            raise Refusal(409, f"The category {category} does not exist.")
    fields = {name: value for name, value in body.items() if name in PRODUCT_FIELDS}
    if brand := fields.pop("brand_name", None):
        fields["brand_id"] = catalog_book.named(shop, "brands", brand)
    return fields


def _taken(make: Callable[[], JsonObject]) -> JsonObject:
    """A name or SKU in use is a 409."""
    try:
        return make()
    except catalog_book.TakenError as error:
        raise Refusal(409, str(error)) from None


def _claim(shop: Shop, sku: str) -> None:
    try:
        catalog_book.claim_sku(shop, sku)
    except catalog_book.TakenError as error:
        raise Refusal(409, str(error)) from None


def create_product(shop: Shop, call: Call) -> Response:
    """POST /v3/catalog/products, with `variants` if given; 207 when a fault keeps the stock level from being saved."""
    body = call.object_body()
    missing = {
        name: f"Please provide a {name}." for name in ("name", "type", "weight", "price") if body.get(name) is None
    }
    if missing:
        raise _missing(missing)
    fields = _product_fields(shop, body)
    variants, level = _variants(fields.pop("variants", [])), fields.pop("inventory_level", None)
    if "custom_fields" in fields:
        fields["custom_fields"] = custom_fields.merged(shop, [], fields["custom_fields"])
    for variant in variants:
        _claim(shop, variant["sku"])
    product = _taken(lambda: catalog_book.new_product(shop, fields, with_options=bool(variants)))
    for variant in variants:
        _add_variant(shop, product, variant)
    catalog_book.assign_channel(shop, product["id"], 1)
    return _saved(shop, call, product, level)


def _variants(given: Json) -> list[JsonObject]:
    """The variants that a new product brings along, checked."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Refusal(422, NOT_VALID, errors={"variants": "must be a list of objects"})
    for variant in given:
        if not variant.get("sku") or not variant.get("option_values"):
            raise _missing({"variants": "Please provide a sku and option values for every variant."})
        refuse_wrong(variant, VARIANT_CHECKS)
    return given


def update_product(shop: Shop, call: Call) -> Response:
    """PUT /v3/catalog/products/{product_id}: only what is given changes."""
    product = need_product(shop, call)
    fields = _product_fields(shop, call.object_body())
    level = fields.pop("inventory_level", None)
    fields.pop("variants", None)
    _change(shop, product, fields)
    return _saved(shop, call, product, level)


def _change(shop: Shop, product: JsonObject, fields: JsonObject) -> None:
    if "custom_fields" in fields:
        kept = custom_fields.merged(shop, product.get("custom_fields", []), fields["custom_fields"])
        fields = {**fields, "custom_fields": kept}
    try:
        catalog_book.change_product(shop, product, fields)
    except catalog_book.TakenError as error:
        raise Refusal(409, str(error)) from None


def _saved(shop: Shop, call: Call, product: JsonObject, level: Json) -> Response:
    """The product as saved. With the fault `partial` the stock level is not: 207 (§3.6)."""
    if call.fault == PARTIAL and level is not None:
        return json_answer(_partial(full_product(shop, call, product)), 207)
    _set_level(shop, product, level)
    return v3_data(full_product(shop, call, product))


def _partial(data: Json) -> JsonObject:
    errors = {"inventory_level": "The inventory service did not save the level."}
    return {
        "data": data,
        "errors": {"status": 207, "title": "Partial success", "type": STATUS_PAGE, "errors": errors},
        "meta": {},
    }


def _set_level(shop: Shop, product: JsonObject, level: Json) -> None:
    """The catalogue forwards levels to the inventory service, clamped to what it holds (§3.4)."""
    if type(level) is int and product["inventory_tracking"] == "product":
        stock.set_absolute(shop, f"p{product['id']}", stock.DEFAULT_LOCATION, max(0, min(level, stock.MOST)))


def update_products(shop: Shop, call: Call) -> Response:
    """PUT /v3/catalog/products: at most 10, all checked before any is changed."""
    items = call.array_body(PRODUCT_BATCH)
    changes = []
    for item in items:
        product = shop.get("products", item.get("id", 0))
        if product is None:
            raise Refusal(422, NOT_VALID, errors={"id": f"The product {item.get('id')} does not exist."})
        changes.append((product, _product_fields(shop, item)))
    shown = []
    for product, fields in changes:
        level = fields.pop("inventory_level", None)
        fields.pop("variants", None)
        _change(shop, product, fields)
        if call.fault != PARTIAL:
            _set_level(shop, product, level)
        shown.append(full_product(shop, call, product))
    return json_answer(_partial(shown), 207) if call.fault == PARTIAL else v3_data(shown)


def delete_product(shop: Shop, call: Call) -> Response:
    catalog_book.delete_product(shop, need_product(shop, call))
    return nothing()


def delete_products(shop: Shop, call: Call) -> Response:
    """DELETE ?id:in=: a filter is required."""
    ids = id_filter(call, "id:in")
    if not ids:
        raise Refusal(422, "A filter is required", errors={"id:in": "Please provide a filter."})
    if len(ids) > DELETE_BATCH:
        raise Refusal(413, f"At most {DELETE_BATCH} products may be deleted at once.")
    for id_ in ids:
        product = shop.get("products", id_)
        if product is not None:
            catalog_book.delete_product(shop, product)
    return nothing()


# -- variants --------------------------------------------------------------------------------------------------------


CHOICE = {
    "option_display_name": text(255, least=1),
    "label": text(255, least=1),
    "id": integer(),
    "option_id": integer(),
}


def _references(shop: Shop, product: JsonObject, given: Json) -> list[JsonObject]:
    """Option values by id and option id, or by labels; 422 for one that there is not."""
    if not isinstance(given, list) or not given:
        raise _missing({"option_values": "Please provide option values."})
    refuse_wrong({"option_values": given}, {"option_values": list_of(object_of(CHOICE))})
    references = []
    for each in given:
        if each.get("option_display_name") and each.get("label"):
            name, label = each["option_display_name"], each["label"]
            references.append(catalog_book.option_reference(shop, product["id"], name, label))
            continue
        option = shop.get("options", each.get("option_id", 0))
        values = option["option_values"] if option and option["product_id"] == product["id"] else []
        value = next((value for value in values if value["id"] == each.get("id")), None)
        if value is None or option is None:
            raise Refusal(422, NOT_VALID, errors={"option_values": "an option value does not exist"})
        references.append(
            {
                "id": value["id"],
                "label": value["label"],
                "option_id": option["id"],
                "option_display_name": option["display_name"],
            }
        )
    return references


def _add_variant(shop: Shop, product: JsonObject, given: JsonObject) -> JsonObject:
    """A new variant of a product. The first one with options takes the place of the base variant."""
    if not given.get("sku"):
        raise _missing({"sku": "Please provide a sku."})
    fields = _variant_fields(given)
    references = _references(shop, product, given.get("option_values"))
    chosen = {value["id"] for value in references}
    for other in shop.children("variants", product["id"]):
        if {value["id"] for value in other.get("option_values", [])} == chosen:
            raise Refusal(409, "A variant with these option values exists already.")
    level = fields.pop("inventory_level", None)
    fields["option_values"] = references
    base = product["base_variant_id"]
    variant = _taken(lambda: catalog_book.new_variant(shop, product, fields))
    if base is not None:
        _retire_base(shop, product, base)
    _set_variant_level(shop, product, variant, level)
    return variant


def _retire_base(shop: Shop, product: JsonObject, base: int) -> None:
    """A product with options keeps its own SKU, which is no longer for sale (§8.17)."""
    catalog_book.delete_variant(shop, shop.need("variants", base))
    product["base_variant_id"] = None
    if product["sku"]:
        shop.index.parent_by_sku[product["sku"].lower()] = product["id"]


def _set_variant_level(shop: Shop, product: JsonObject, variant: JsonObject, level: Json) -> None:
    if type(level) is int and product["inventory_tracking"] == "variant":
        stock.set_absolute(shop, f"v{variant['id']}", stock.DEFAULT_LOCATION, max(0, min(level, stock.MOST)))


def _variant_fields(given: JsonObject) -> JsonObject:
    """The writable fields, checked; null is the field's default, which of prices and measures is null (§3.2)."""
    refuse_wrong(given, VARIANT_CHECKS)
    fields = {name: value for name, value in given.items() if name in VARIANT_FIELDS}
    return {name: VARIANT[name] if value is None else value for name, value in fields.items()}


def _update_variant(shop: Shop, variant: JsonObject, given: JsonObject) -> JsonObject:
    fields = _variant_fields(given)
    product = shop.need("products", variant["product_id"])
    level = fields.pop("inventory_level", None)
    if "option_values" in fields:
        fields["option_values"] = _references(shop, product, fields["option_values"]) if fields["option_values"] else []

    def change() -> JsonObject:
        catalog_book.change_variant(shop, variant, fields)
        return variant

    _taken(change)
    _set_variant_level(shop, product, variant, level)
    return variant


def create_variant(shop: Shop, call: Call) -> Response:
    """POST /v3/catalog/products/{product_id}/variants."""
    variant = _add_variant(shop, need_product(shop, call), call.object_body())
    return v3_data(variant_json(shop, variant))


def update_variant(shop: Shop, call: Call) -> Response:
    """PUT …/variants/{variant_id}: a null price inherits the product's again."""
    need_product(shop, call)
    variant = _update_variant(shop, need_variant(shop, call), call.object_body())
    return v3_data(variant_json(shop, variant))


def delete_variant(shop: Shop, call: Call) -> Response:
    product = need_product(shop, call)
    variant = need_variant(shop, call)
    if product["base_variant_id"] == variant["id"]:
        raise Refusal(422, "The base variant cannot be deleted.")
    catalog_book.delete_variant(shop, variant)
    return nothing()


def update_variants(shop: Shop, call: Call) -> Response:
    """PUT /v3/catalog/variants: at most 50; the good ones are saved even when others are refused (§3.2, §3.6)."""
    items = call.array_body(VARIANT_BATCH)
    saved, errors = [], []
    for item in items:
        try:
            saved.append(variant_json(shop, _upsert(shop, item)))
        except Refusal as refusal:
            entry = {"status": refusal.status, "title": refusal.title, "type": STATUS_PAGE, "errors": refusal.errors}
            errors.append(entry)
    if errors:
        raise Refusal(422, "Some variants were refused", body={"batch_errors": errors})
    return v3_data(saved)


def _upsert(shop: Shop, item: JsonObject) -> JsonObject:
    if item.get("id") is not None:
        variant = shop.get("variants", item["id"])
        if variant is None:
            raise Refusal(404, NOT_FOUND, errors={"id": f"The variant {item['id']} does not exist."})
        return _update_variant(shop, variant, item)
    product = shop.get("products", item.get("product_id", 0))
    if product is None:
        raise Refusal(404, NOT_FOUND, errors={"product_id": "The product does not exist."})
    return _add_variant(shop, product, item)


# -- options and values ----------------------------------------------------------------------------------------------


def create_option(shop: Shop, call: Call) -> Response:
    """POST …/options: makes the option with its values, no variants."""
    product, body = need_product(shop, call), call.object_body()
    missing = [name for name in ("display_name", "type", "option_values") if not body.get(name)]
    if missing:
        raise _missing({name: f"Please provide {name}." for name in missing})
    refuse_wrong(body, OPTION_CHECKS)
    for value in body["option_values"]:
        _check_value(value)
    known = shop.children("options", product["id"])
    if any(each["display_name"] == body["display_name"] for each in known):
        raise Refusal(409, "An option with this display name exists already.")
    id_ = shop.next_id("options", 111)
    option: JsonObject = {
        "id": id_,
        "product_id": product["id"],
        "name": f"{body['display_name']}{id_}",
        "display_name": body["display_name"],
        "type": body["type"],
        "sort_order": body.get("sort_order", len(known)),
        "option_values": [],
        "config": body.get("config") or {},
    }
    shop.add("options", option)
    for value in body["option_values"]:
        catalog_book.new_option_value(shop, option, value)
    return v3_data(option)


def _check_value(given: JsonObject) -> None:
    if not given.get("label"):
        raise _missing({"label": "Please provide a label."})
    refuse_wrong(given, VALUE_CHECKS)


def need_option(shop: Shop, call: Call) -> JsonObject:
    """The option that the path names, of the product that it names."""
    option = shop.get("options", call.ids["option_id"])
    if option is None or option["product_id"] != call.number("product_id"):
        raise Refusal(404, NOT_FOUND)
    return option


def get_option(shop: Shop, call: Call) -> Response:
    return v3_data(need_option(shop, call))


def list_values(shop: Shop, call: Call) -> Response:
    return v3_data(need_option(shop, call)["option_values"])


def create_value(shop: Shop, call: Call) -> Response:
    option, body = need_option(shop, call), call.object_body()
    _check_value(body)
    return v3_data(catalog_book.new_option_value(shop, option, body))


# -- prices over all, for the summary --------------------------------------------------------------------------------


def summary(shop: Shop, _: Call) -> Response:
    """GET /v3/catalog/summary."""
    variants = [variant_json(shop, each) for each in shop.collections["variants"].values()]
    prices = [Decimal(str(each["calculated_price"])) for each in variants]
    levels = [(each["inventory_level"], price) for each, price in zip(variants, prices, strict=True)]
    dates = [each["date_created"] for each in shop.collections["products"].values()]
    category: Mapping[str, Any] = next(iter(shop.collections["categories"].values()), {"id": 0, "name": ""})
    value = sum((level * price for level, price in levels), Decimal(0))
    data = {
        "inventory_count": sum(level for level, _ in levels),
        "inventory_value": float(value),
        "primary_category_id": category["id"],
        "primary_category_name": category["name"],
        "variant_count": len(variants),
        "highest_variant_price": float(max(prices, default=Decimal(0))),
        "average_variant_price": float(sum(prices, Decimal(0)) / max(1, len(prices))),
        # A text, where the others are numbers: so says the vendor's file.
        "lowest_variant_price": f"{min(prices, default=Decimal(0)):.4f}",
        "oldest_variant_date": min(dates, default=""),
        "newest_variant_date": max(dates, default=""),
    }
    return v3_data(data)
